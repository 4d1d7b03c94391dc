#include "import/text_reader.h"

#include <algorithm>
#include <cstring>

#include "import/byte_scan.h"
#include "import/sql_text.h"

namespace tokend {

TextReader::TextReader(ByteSource* source, std::string_view name, const TextFormat& format,
                       const Table& table, size_t cell_bytes_max, RowsConsumer* consumer)
    : source_(source),
      name_(name),
      format_(format),
      table_(table),
      consumer_(consumer),
      buffer_(std::make_unique_for_overwrite<char[]>(kWindowBytes)),
      pos_(buffer_.get()),
      end_(buffer_.get()),
      cells_(cell_bytes_max) {
  stops_['\n'] = true;
  stops_[static_cast<unsigned char>(format.field_end)] = true;
  if (format.crlf) stops_['\r'] = true;
  if (format.escape != 0 && format.escape != format.quote) {
    stops_[static_cast<unsigned char>(format.escape)] = true;
  }
}

Status TextReader::Run(InputReport* report) {
  RowsHeader header;
  header.input = name_;
  header.table = &table_.name;
  header.schema = table_.schema;
  header.time_zone = table_.time_zone;
  std::vector<std::string> columns = table_.columns;
  Status status;
  uint64_t row = 0;
  uint64_t skipped_rows = 0;
  bool is_first = true;
  uint64_t line_offset = 0;
  while (status.ok() && (line_offset = offset(), ReadLine())) {
    const std::vector<Cell>& cells = cells_.Finish();
    if (is_first) {
      is_first = false;
      had_header_ = table_.header.value_or(IsHeader(cells));
      if (had_header_ && columns.empty()) {
        for (const Cell& cell : cells) columns.emplace_back(cell.bytes);
      }
      header.columns = columns.empty() ? nullptr : &columns;
      status = consumer_->BeginRows(header, &plan_);
      all_wanted_ = false;
      if (had_header_ || !status.ok()) continue;
    }
    if (plan_.take) {
      status = consumer_->Row(cells, {name_, ++row, line_offset});
    } else {
      ++skipped_rows;
    }
  }
  if (skipped_rows > 0) consumer_->SkippedRows(table_.name, skipped_rows);
  if (status.ok()) status = status_;
  report->text_bytes = offset();
  report->complete = status.ok() && !cut_;
  report->incomplete_reason = cut_ ? "it ends within a value" : "reading was given up";
  return status;
}

bool TextReader::IsHeader(const std::vector<Cell>& cells) const {
  return std::any_of(cells.begin(), cells.end(), [&](const Cell& cell) {
    return std::any_of(
        table_.token_columns.begin(), table_.token_columns.end(),
        [&](const std::string& column) { return EqualsIgnoreCase(cell.bytes, column); });
  });
}

bool TextReader::Fill(size_t bytes) {
  size_t have = static_cast<size_t>(end_ - pos_);
  base_ += static_cast<uint64_t>(pos_ - buffer_.get());
  std::memmove(buffer_.get(), pos_, have);
  pos_ = buffer_.get();
  while (have < bytes && !source_end_) {
    size_t got = 0;
    status_ = source_->Read(buffer_.get() + have, kWindowBytes - have, &got);
    if (!status_.ok()) got = 0;
    source_end_ = got == 0;
    have += got;
  }
  end_ = pos_ + have;
  return have >= bytes;
}

bool TextReader::ReadLine() {
  // Empty lines are no rows; where there is one column only, the value would be of no use.
  while (Peek() == '\n' || (format_.crlf && Peek() == '\r')) ++pos_;
  if (Peek() < 0) return false;
  cells_.Clear();
  End end = End::kField;
  while (end == End::kField) {
    const size_t column = cells_.size();
    end = ReadField(all_wanted_ ||
                    (plan_.take && column < plan_.wanted.size() && plan_.wanted[column] != 0));
  }
  // Half a row is no row.
  return !cut_ && status_.ok();
}

TextReader::End TextReader::ReadField(bool wanted) {
  Cell& cell = cells_.Open();
  cell.kind = CellKind::kText;
  if (table_.own_charsets) cell.charset = Charset::kBinary;
  const bool quoted = format_.quote != 0 && Peek() == static_cast<unsigned char>(format_.quote);
  if (quoted && format_.escape == format_.quote && Peek(1) == 'N' && AtEnd(2)) {
    cell.kind = CellKind::kNull;
    pos_ += 2;
  } else if (quoted) {
    ++pos_;
    ReadQuoted(wanted);
  } else {
    ReadPlain(wanted);
  }
  if (!wanted) cell.kind = CellKind::kSkipped;
  cells_.Close();
  return TakeEnd();
}

// To the end of the field, which is not taken.
void TextReader::ReadPlain(bool wanted) {
  // \N is NULL even where nothing is escaped: nobody means it by itself.
  if (Peek() == '\\' && Peek(1) == 'N' && AtEnd(2)) {
    pos_ += 2;
    cells_.open().kind = CellKind::kNull;
    return;
  }
  while (Peek() >= 0) {
    const char* stop = pos_;
    while (stop < end_ && !stops_[static_cast<unsigned char>(*stop)]) ++stop;
    if (wanted) cells_.Keep({pos_, static_cast<size_t>(stop - pos_)});
    pos_ += stop - pos_;
    if (pos_ == end_) continue;
    if (AtEnd(0)) break;
    ReadEscaped(wanted);
  }
  if (!wanted) return;
  const std::string_view bytes = cells_.open_bytes();
  if ((format_.null_word && bytes == "NULL") || (format_.null && bytes == *format_.null)) {
    cells_.open().kind = CellKind::kNull;
  }
}

// From behind the quote to behind the one that ends the field.
void TextReader::ReadQuoted(bool wanted) {
  const char escape = format_.escape != 0 ? format_.escape : format_.quote;
  while (Peek() >= 0) {
    const char* stop = FindEither(pos_, end_, format_.quote, escape);
    if (wanted) cells_.Keep({pos_, static_cast<size_t>(stop - pos_)});
    pos_ += stop - pos_;
    if (pos_ == end_) continue;
    if (*pos_ != format_.quote) {
      ReadEscaped(wanted);
      continue;
    }
    if (format_.escape == format_.quote && Peek(1) == static_cast<unsigned char>(format_.quote)) {
      ++pos_;
    } else if (AtEnd(1)) {
      ++pos_;
      return;
    }
    if (wanted) cells_.Keep({pos_, 1});
    ++pos_;
  }
  cut_ = true;
}

// An escape and what is behind it, or a byte that only looks like an end, such as a lone \r.
void TextReader::ReadEscaped(bool wanted) {
  const bool escapes = *pos_ == format_.escape && format_.escape != 0;
  if (escapes) {
    if (Peek(1) < 0) {
      cut_ = true;
      ++pos_;
      return;
    }
    ++pos_;
  }
  const char byte = escapes ? UnescapeSql(*pos_) : *pos_;
  if (wanted) cells_.Keep({&byte, 1});
  ++pos_;
}

bool TextReader::AtEnd(size_t ahead) {
  const int c = Peek(ahead);
  return c < 0 || c == '\n' || c == static_cast<unsigned char>(format_.field_end) ||
         (format_.crlf && c == '\r' && (Peek(ahead + 1) == '\n' || Peek(ahead + 1) < 0));
}

TextReader::End TextReader::TakeEnd() {
  const int c = Peek();
  if (c < 0) return End::kInput;
  ++pos_;
  if (c == static_cast<unsigned char>(format_.field_end)) return End::kField;
  if (c == '\r' && Peek() == '\n') ++pos_;
  return End::kLine;
}

}  // namespace tokend
