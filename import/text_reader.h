// Reads rows of delimited text: --tab and OUTFILE, --batch, CSV.
//
// As LOAD DATA does it: a field that begins with the quote ends at the next quote that the end of a
// field or of a line follows; elsewhere a quote is a byte like any other. A line break that is
// escaped or in quotes belongs to the value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/byte_source.h"
#include "import/report.h"
#include "import/row_cells.h"
#include "import/table_rows.h"
#include "import/table_schema.h"
#include "import/text_format.h"
#include "protocol/error.h"

namespace tokend {

class TextReader {
 public:
  struct Table {
    TableName name;
    const TableSchema* schema = nullptr;     // null: no DDL was seen
    std::vector<std::string> columns;        // of the options; empty: the header's, or the schema's
    std::optional<bool> header;              // missing: the first line is one if...
    std::vector<std::string> token_columns;  // ... it has one of these
    std::optional<std::string> time_zone;    // of TIMESTAMP values, where known
    bool own_charsets = false;               // text is in its column's character set, not in UTF-8
  };

  // `source`, `name`, the schema and `consumer` must outlive the reader. `name` is the input's, for
  // positions.
  TextReader(ByteSource* source, std::string_view name, const TextFormat& format,
             const Table& table, size_t cell_bytes_max, RowsConsumer* consumer);

  // Reads to the end. Fills text_bytes, complete and incomplete_reason. An error is the source's or
  // the consumer's.
  Status Run(InputReport* report);

  bool had_header() const { return had_header_; }

 private:
  static constexpr size_t kWindowBytes = 256 * 1024;

  enum class End : uint8_t { kField, kLine, kInput };

  // The byte `ahead` of the next without taking it; -1 beyond the end. ahead < 4.
  int Peek(size_t ahead = 0) {
    return pos_ + ahead < end_ || Fill(ahead + 1) ? static_cast<unsigned char>(pos_[ahead]) : -1;
  }
  // Makes so many bytes of the input contiguous at pos_. False: there are not so many.
  bool Fill(size_t bytes);
  uint64_t offset() const { return base_ + static_cast<uint64_t>(pos_ - buffer_.get()); }

  // All fields of a line to cells_. False: there is none any more.
  bool ReadLine();
  End ReadField(bool wanted);
  void ReadPlain(bool wanted);
  void ReadQuoted(bool wanted);
  void ReadEscaped(bool wanted);
  // Whether a field ends `ahead` of the next byte, and to take what ends it there.
  bool AtEnd(size_t ahead);
  End TakeEnd();
  bool IsHeader(const std::vector<Cell>& cells) const;

  ByteSource* const source_;
  const std::string_view name_;
  const TextFormat format_;
  const Table table_;
  RowsConsumer* const consumer_;

  std::unique_ptr<char[]> buffer_;
  char* pos_;
  char* end_;
  uint64_t base_ = 0;  // offset of buffer_'s first byte
  bool source_end_ = false;
  Status status_;
  bool cut_ = false;  // the input ended in quotes, or behind an escape

  std::array<bool, 256> stops_{};  // bytes that mean something in a field without quotes
  RowsPlan plan_;
  bool all_wanted_ = true;  // in the first line, which may be a header
  RowCells cells_;          // of the line in hand
  bool had_header_ = false;
};

}  // namespace tokend
