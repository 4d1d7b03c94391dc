// What every reader, whatever its format, gives: rows of cells of named tables.
//
//   reader --BeginRows--> consumer     whose rows follow, and as which columns?
//   reader <--- plan ---- consumer     take them? which cells?
//   reader ----Row------> consumer     cells of the wanted columns
//
// A new format is a reader that makes these calls; mapping, times and reports are behind them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/charset.h"
#include "import/report.h"
#include "import/table_schema.h"
#include "protocol/error.h"

namespace tokend {

enum class CellKind : uint8_t {
  kSkipped,  // not wanted
  kNull,
  kText,        // in quotes
  kBytes,       // 0x.., X'..', b'..', _binary '..'
  kNumber,      // as written, with its sign; TRUE and FALSE are 1 and 0
  kExpression,  // a function call, DEFAULT: nothing that can be read
};

struct Cell {
  CellKind kind = CellKind::kSkipped;
  bool overlong = false;                // over the limit; bytes are cut
  Charset charset = Charset::kUnknown;  // of kText; kBinary: the column's own
  std::string_view bytes;
};

struct RowsHeader {
  std::string_view input;
  const TableName* table = nullptr;
  const TableSchema* schema = nullptr;  // null: no DDL was seen
  const std::vector<std::string>* columns =
      nullptr;                           // as listed with the rows; null: all, in order
  std::optional<std::string> time_zone;  // of TIMESTAMP values, where the input says
};

struct RowsPlan {
  bool take = false;            // false: rows are only counted
  std::vector<uint8_t> wanted;  // by position in the row; those beyond are not wanted
};

class RowsConsumer {
 public:
  virtual ~RowsConsumer() = default;

  // A CREATE TABLE goes by: what was known of any table's columns may be out of date. True: its
  // definition is worth keeping.
  virtual bool OnTable(const TableName& table) = 0;
  // Rows of a table follow. An error ends the import.
  virtual Status BeginRows(const RowsHeader& header, RowsPlan* plan) = 0;
  // One row of what BeginRows announced. The cells live during the call.
  virtual Status Row(const std::vector<Cell>& cells, const RowPosition& position) = 0;
  // Rows of what BeginRows announced with take == false.
  virtual void SkippedRows(const TableName& table, uint64_t rows) = 0;
  // A statement that changes rows of `table` and is not executed.
  virtual void SkippedChange(const TableName& table, std::string_view kind) = 0;
};

}  // namespace tokend
