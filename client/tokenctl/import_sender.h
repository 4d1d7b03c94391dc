// Rows from the importer to the server: batches, several of them under way at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/tokenctl/pacer.h"
#include "import/importer.h"

namespace tokend::tokenctl {

struct ImportSenderOptions {
  size_t batch_rows_max = 500;
  size_t batch_bytes_max = 1 << 20;
  size_t window = 64;  // batches under way
  size_t window_bytes_max = 8 << 20;
  bool stricter = false;             // ImportBeginRequest's
  bool seal = false;                 // the same
  uint64_t rows_per_second_max = 0;  // 0 = as fast as it goes
  // A server that is busy is asked again, with pauses that double, until it has been so for so
  // long.
  std::chrono::milliseconds busy_pause{20};
  std::chrono::milliseconds busy_max{60000};
};

// Each table is one import of the server: begun at its first row, ended by Finish. Rows may be
// applied in another order than they were read; importing is a merge, so that changes nothing.
class ImportSender : public RowSink {
 public:
  // `client` must outlive it.
  ImportSender(client::Client* client, const ImportSenderOptions& options);

  Status BeginTable(const TableInfo& table) override;
  Status Row(const TableInfo& table, const ImportRow& row, const RowPosition& position) override;

  // Sends what is left, waits for every answer and ends the imports. Once; not after an error. A
  // position is stored behind them, in an import without rows for each: most dumps name it at their
  // end, and one that broke off should leave none.
  Status Finish(const std::optional<BinlogPosition>& position);

  // The server's totals of the table with this index; nullopt where it did not get so far.
  std::optional<client::ImportTotals> totals(size_t table_index) const;
  // What came in the way, where one of the calls above did not give Ok.
  const std::optional<client::Error>& error() const { return error_; }

 private:
  struct Table {
    client::ImportBeginRequest begun;
    std::string import_id;
    client::ImportBatch batch;  // being filled
    std::optional<client::ImportTotals> totals;
  };
  struct Sent {
    size_t table_index;
    client::ImportBatch batch;  // kept to be sent again
    client::Pending<client::ImportTotals> answer;
  };

  Status SendBatch(size_t table_index);
  Status StorePosition(const std::string& position);
  // Takes the answer of the oldest batch under way.
  Status TakeOldest();
  Status Fail(const client::Error& error);

  client::Client* const client_;
  const ImportSenderOptions options_;
  Pacer pacer_;
  std::vector<Table> tables_;  // by TableInfo::index
  std::deque<Sent> sent_;
  size_t sent_bytes_ = 0;
  std::vector<client::ImportBatch> spare_batches_;  // for their memory
  std::optional<client::Error> error_;
};

}  // namespace tokend::tokenctl
