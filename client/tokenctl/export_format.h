// Records as an export writes them: rows of text, or SQL that tells the table they came from what
// has become of them. No token and no key is ever in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"

namespace tokend::tokenctl {

enum class ExportFormat : uint8_t { kTsv, kCsv, kJsonLines, kSql };

// What the columns of the table are called. Those without a name are not written.
struct ExportTable {
  std::string name;
  std::string id_column;
  std::string last_used_column;
  std::string use_count_column;
  std::string updated_column;  // kept as it is, though an UPDATE may set it by itself
  enum class Times : uint8_t {
    kDateTime,
    kEpochSeconds,
    kEpochMilliseconds
  } times = Times::kDateTime;
  bool deletes = false;  // of rows whose tokens are expired or revoked
};

class ExportWriter {
 public:
  // `table` is for kSql.
  ExportWriter(ExportFormat format, ExportTable table);

  // Text that goes before everything, and behind it.
  std::string Begin() const;
  std::string End();
  // Of some records; SQL comes in statements of kSqlRows at most.
  std::string Write(const std::vector<client::TokenInfo>& records);

  // Records that SQL could say nothing of: no row of the table is known to be theirs.
  uint64_t without_source() const { return without_source_; }

 private:
  static constexpr size_t kSqlRows = 500;

  std::string Row(const client::TokenInfo& record) const;
  void Keep(const client::TokenInfo& record);
  std::string Flush();

  const ExportFormat format_;
  const ExportTable table_;
  std::vector<client::TokenInfo> used_;  // of the statement being gathered
  std::vector<std::string> ended_;       // ids, quoted
  uint64_t without_source_ = 0;
};

}  // namespace tokend::tokenctl
