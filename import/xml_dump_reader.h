// Reads what mysqldump --xml and mariadb --xml write: rows of fields, and the columns' types.
//
// Not for a parser of XML: both programs write control bytes and the raw bytes of BINARY columns,
// which no such parser takes. Their output has five entities, no CDATA and no namespaces but xsi.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "import/byte_source.h"
#include "import/report.h"
#include "import/row_cells.h"
#include "import/table_catalog.h"
#include "import/table_rows.h"
#include "protocol/error.h"

namespace tokend {

class XmlDumpReader {
 public:
  // `source`, `name`, `catalog` and `consumer` must outlive the reader. `name` is the input's, for
  // positions. `table` is that of rows which stand in no table_data, as mariadb --xml writes them.
  XmlDumpReader(ByteSource* source, std::string_view name, size_t cell_bytes_max, TableName table,
                TableCatalog* catalog, RowsConsumer* consumer);

  // Reads to the end. Fills text_bytes, complete and incomplete_reason. An error is the source's or
  // the consumer's.
  Status Run(InputReport* report);

 private:
  static constexpr size_t kWindowBytes = 256 * 1024;
  static constexpr size_t kTagBytesMax = 64 * 1024;

  struct Tag {
    std::string name;       // with the slash of a closing one in front; empty: a comment, <?..?>
    bool is_empty = false;  // <name/>
    std::vector<std::pair<std::string, std::string>> attributes;

    // Empty if there is none.
    std::string_view Find(std::string_view attribute) const;
  };

  int Peek() { return pos_ < end_ || Fill() ? static_cast<unsigned char>(*pos_) : -1; }
  bool Fill();
  uint64_t offset() const { return base_ + static_cast<uint64_t>(pos_ - buffer_.get()); }

  // To behind the next tag; what stands before it goes to the open cell if `keep`. False: the input
  // ends before the tag does.
  bool ReadTag(bool keep);
  void ReadAttributes(std::string_view text);
  void KeepText(std::string_view text);
  void BeginStructure();
  void AddColumn();
  void EndStructure();
  Status ReadRow(uint64_t row_offset);
  Status GiveRow(uint64_t row_offset);
  void CountSkipped();

  ByteSource* const source_;
  const std::string_view name_;
  TableCatalog* const catalog_;
  RowsConsumer* const consumer_;

  std::unique_ptr<char[]> buffer_;
  char* pos_;
  char* end_;
  uint64_t base_ = 0;  // offset of buffer_'s first byte
  bool source_end_ = false;
  Status status_;
  Tag tag_;
  bool cut_ = false;
  bool done_ = false;  // the closing tag of the whole was seen

  TableName table_;
  std::string definition_;  // of the table whose structure is being read, as SQL
  std::string primary_key_;
  RowsPlan plan_;
  bool begun_ = false;
  uint64_t rows_ = 0;
  uint64_t skipped_rows_ = 0;
  std::vector<std::string> columns_;  // that the consumer knows of
  std::vector<std::string> names_;    // of the row in hand
  RowCells cells_;
};

}  // namespace tokend
