#include "import/xml_dump_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "import/hex.h"
#include "import/sql_ddl.h"
#include "import/sql_tokenizer.h"

namespace tokend {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xc0 | code >> 6);
    *out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *out += static_cast<char>(0xe0 | code >> 12);
    *out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *out += static_cast<char>(0xf0 | code >> 18);
    *out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    *out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// The entity at the front of `text`, which begins with "&"; how many bytes it has, 0 if it is none.
size_t TakeEntity(std::string_view text, std::string* out) {
  constexpr std::pair<std::string_view, char> kNamed[] = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
  for (const auto& [name, c] : kNamed) {
    if (!text.starts_with(name)) continue;
    *out += c;
    return name.size();
  }
  if (!text.starts_with("&#")) return 0;
  const bool hex = text.starts_with("&#x");
  const char* begin = text.data() + (hex ? 3 : 2);
  uint32_t code = 0;
  const auto [stop, error] = std::from_chars(begin, text.data() + text.size(), code, hex ? 16 : 10);
  if (error != std::errc() || stop == text.data() + text.size() || *stop != ';' ||
      code > 0x10ffff) {
    return 0;
  }
  AppendUtf8(code, out);
  return static_cast<size_t>(stop - text.data()) + 1;
}

std::string Decode(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t plain = std::min(text.find('&'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t size = TakeEntity(text, &out);
    if (size == 0) out += '&';
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out;
}

std::string QuoteIdentifier(std::string_view name) {
  std::string quoted = "`";
  for (char c : name) quoted += c == '`' ? "``" : std::string(1, c);
  return quoted + "`";
}

}  // namespace

XmlDumpReader::XmlDumpReader(ByteSource* source, std::string_view name, size_t cell_bytes_max,
                             TableName table, TableCatalog* catalog, RowsConsumer* consumer)
    : source_(source),
      name_(name),
      catalog_(catalog),
      consumer_(consumer),
      buffer_(std::make_unique_for_overwrite<char[]>(kWindowBytes)),
      pos_(buffer_.get()),
      end_(buffer_.get()),
      table_(std::move(table)),
      cells_(cell_bytes_max) {}

Status XmlDumpReader::Run(InputReport* report) {
  Status status;
  uint64_t tag_offset = 0;
  while (status.ok() && (tag_offset = offset(), ReadTag(false))) {
    if (tag_.name == "database") {
      table_.database = tag_.Find("name");
    } else if (tag_.name == "table_structure") {
      BeginStructure();
    } else if (tag_.name == "field" && !definition_.empty()) {
      AddColumn();
    } else if (tag_.name == "/table_structure") {
      EndStructure();
    } else if (tag_.name == "table_data") {
      CountSkipped();
      table_.name = tag_.Find("name");
      begun_ = false;
      rows_ = 0;
    } else if (tag_.name == "row") {
      status = ReadRow(tag_offset);
    } else if (tag_.name == "/mysqldump" || tag_.name == "/resultset") {
      done_ = true;
    }
  }
  CountSkipped();
  if (status.ok()) status = status_;
  report->text_bytes = offset();
  report->footer = done_;
  report->complete = status.ok() && done_ && !cut_;
  report->incomplete_reason =
      status.ok() ? "its last closing tag is missing" : "reading was given up";
  return status;
}

std::string_view XmlDumpReader::Tag::Find(std::string_view attribute) const {
  for (const auto& [known, value] : attributes) {
    if (known == attribute) return value;
  }
  return {};
}

bool XmlDumpReader::Fill() {
  if (source_end_) return false;
  base_ += static_cast<uint64_t>(pos_ - buffer_.get());
  pos_ = end_ = buffer_.get();
  size_t got = 0;
  status_ = source_->Read(buffer_.get(), kWindowBytes, &got);
  if (!status_.ok()) got = 0;
  source_end_ = got == 0;
  end_ += got;
  return got > 0;
}

bool XmlDumpReader::ReadTag(bool keep) {
  std::string pending;  // an entity that a window's end has cut
  while (Peek() >= 0 && *pos_ != '<') {
    const auto left = static_cast<size_t>(end_ - pos_);
    const auto* stop = static_cast<const char*>(std::memchr(pos_, '<', left));
    const size_t size = stop != nullptr ? static_cast<size_t>(stop - pos_) : left;
    if (keep) {
      pending.append(pos_, size);
      const size_t amp = pending.rfind('&');
      const bool is_cut = stop == nullptr && amp != std::string::npos &&
                          pending.find(';', amp) == std::string::npos && pending.size() - amp < 16;
      KeepText(std::string_view(pending).substr(0, is_cut ? amp : pending.size()));
      pending.erase(0, is_cut ? amp : pending.size());
    }
    pos_ += size;
  }
  if (keep) KeepText(pending);
  if (Peek() < 0) return false;
  ++pos_;
  std::string text;
  char quote = 0;
  for (int c = Peek(); c >= 0; c = Peek()) {
    ++pos_;
    const char byte = static_cast<char>(c);
    if (quote == 0 && byte == '>' && (!text.starts_with("!--") || text.ends_with("--"))) {
      tag_ = Tag();
      if (text.starts_with("!") || text.starts_with("?")) return true;
      tag_.is_empty = text.ends_with("/");
      if (tag_.is_empty) text.pop_back();
      ReadAttributes(text);
      return true;
    }
    // In a comment a quote is no quote.
    if (quote != 0 ? byte == quote : (byte == '"' && !text.starts_with("!"))) {
      quote = quote != 0 ? 0 : byte;
    }
    if (text.size() < kTagBytesMax) {
      text += byte;
    } else if (text.starts_with("!--")) {
      text.erase(3, text.size() - 5);  // its end is all that matters
      text += byte;
    }
  }
  cut_ = true;
  return false;
}

void XmlDumpReader::ReadAttributes(std::string_view text) {
  const auto skip_blanks = [&text] {
    while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  };
  size_t end = 0;
  while (end < text.size() && !IsBlank(text[end])) ++end;
  tag_.name = text.substr(0, end);
  text.remove_prefix(end);
  for (skip_blanks(); !text.empty(); skip_blanks()) {
    const size_t equals = text.find("=\"");
    if (equals == std::string_view::npos) return;
    std::string name(text.substr(0, equals));
    text.remove_prefix(equals + 2);
    const size_t quote = std::min(text.find('"'), text.size());
    tag_.attributes.emplace_back(std::move(name), Decode(text.substr(0, quote)));
    text.remove_prefix(std::min(quote + 1, text.size()));
  }
}

void XmlDumpReader::KeepText(std::string_view text) {
  if (text.find('&') == std::string_view::npos) {
    cells_.Keep(text);
  } else {
    cells_.Keep(Decode(text));
  }
}

// The structure becomes a CREATE TABLE, which there is a reader for.
void XmlDumpReader::BeginStructure() {
  table_.name = tag_.Find("name");
  definition_ = "(";
  primary_key_.clear();
}

void XmlDumpReader::AddColumn() {
  const std::string name = QuoteIdentifier(tag_.Find("Field"));
  if (definition_.size() > 1) definition_ += ", ";
  definition_ += name + " " + std::string(tag_.Find("Type"));
  if (tag_.Find("Key") == "PRI") primary_key_ += (primary_key_.empty() ? "" : ", ") + name;
}

void XmlDumpReader::EndStructure() {
  if (!primary_key_.empty()) definition_ += ", PRIMARY KEY (" + primary_key_ + ")";
  definition_ += ");";
  MemorySource source(definition_);
  SqlTokenizer sql(&source, {.window_bytes = 4096}, nullptr);
  TableSchema schema;
  schema.table = table_;
  sql.Next();
  if (ReadTableDefinition(&sql, &schema) && consumer_->OnTable(table_)) {
    (*catalog_)[table_] = std::move(schema);
  }
  definition_.clear();
}

// From behind <row> to behind </row>.
Status XmlDumpReader::ReadRow(uint64_t row_offset) {
  cells_.Clear();
  names_.clear();
  std::string bytes;
  while (ReadTag(false)) {
    if (tag_.name == "/row") return GiveRow(row_offset);
    if (tag_.name != "field" || names_.size() > RowCells::kColumnsMax) continue;
    names_.emplace_back(tag_.Find("name"));
    Cell& cell = cells_.Open();
    if (tag_.is_empty) {
      cell.kind = tag_.Find("xsi:nil") == "true" ? CellKind::kNull : CellKind::kText;
    } else {
      const bool is_hex = tag_.Find("xsi:type") == "xs:hexBinary";
      cell.kind = is_hex ? CellKind::kBytes : CellKind::kText;
      if (!ReadTag(true) || tag_.name != "/field") break;
      if (is_hex && !cell.overlong) {
        const std::string_view digits = cells_.open_bytes();
        bytes.resize(digits.size() / 2);
        if (digits.size() % 2 != 0 ||
            !DecodeHex(digits, bytes.size(), reinterpret_cast<uint8_t*>(bytes.data()))) {
          cell.kind = CellKind::kExpression;
        }
        cells_.Drop();
        cells_.Keep(bytes);
      }
    }
    cells_.Close();
  }
  cut_ = true;  // half a row is no row
  return Status::Ok();
}

Status XmlDumpReader::GiveRow(uint64_t row_offset) {
  if (!begun_ || columns_ != names_) {
    columns_ = names_;
    RowsHeader header;
    header.input = name_;
    header.table = &table_;
    header.schema = FindSchema(*catalog_, table_);
    header.columns = &columns_;
    if (Status status = consumer_->BeginRows(header, &plan_); !status.ok()) return status;
    begun_ = true;
  }
  if (plan_.take) return consumer_->Row(cells_.Finish(), {name_, ++rows_, row_offset});
  ++skipped_rows_;
  return Status::Ok();
}

void XmlDumpReader::CountSkipped() {
  if (skipped_rows_ > 0) consumer_->SkippedRows(table_, skipped_rows_);
  skipped_rows_ = 0;
}

}  // namespace tokend
