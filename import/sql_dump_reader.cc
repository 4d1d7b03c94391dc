#include "import/sql_dump_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "import/sql_ddl.h"

namespace tokend {
namespace {

// Statements that are no loss: they set the stage, and rows do not depend on them.
constexpr std::string_view kUncounted[] = {"LOCK",   "UNLOCK", "COMMIT",  "BEGIN", "START",
                                           "FLUSH",  "DROP",   "ANALYZE", "CHECK", "XA",
                                           "SELECT", "SHOW",   "STOP"};
// Objects of CREATE.
constexpr std::string_view kObjects[] = {"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT",
                                         "VIEW",    "INDEX",     "SEQUENCE", "USER",
                                         "ROLE",    "SERVER",    "PACKAGE",  "TABLESPACE"};

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string_view Trim(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

}  // namespace

SqlDumpReader::SqlDumpReader(ByteSource* source, std::string_view name,
                             const SqlTokenizer::Options& options, TableCatalog* catalog,
                             RowsConsumer* consumer)
    : name_(name),
      catalog_(catalog),
      consumer_(consumer),
      options_(options),
      sql_(source, options, this),
      cells_(options.value_bytes_max) {}

Status SqlDumpReader::Run(InputReport* report) {
  Status status;
  while (status.ok() && sql_.Next().kind != SqlTokenKind::kEnd) {
    if (sql_.token().kind == SqlTokenKind::kDelimiter) continue;
    status = ReadStatement();
  }
  if (status.ok()) status = sql_.status();
  report->producer = producer_;
  report->text_bytes = sql_.offset();
  report->footer = footer_;
  report->position = position_;
  if (!status.ok()) {
    report->incomplete_reason = "reading was given up";
  } else if (sql_.ended_within()) {
    report->incomplete_reason = "it ends within a statement";
  } else if (broken_off_) {
    report->incomplete_reason = "a message of the dump program breaks off a statement";
  } else if (footer_expected_ && !footer_) {
    report->incomplete_reason =
        "its header is that of a dump program, and the closing \"Dump "
        "completed\" is missing";
  } else {
    report->complete = true;
  }
  return status;
}

// Remarks

void SqlDumpReader::OnComment(std::string_view text, bool between) {
  if (!between) return;
  text = Trim(text);
  if (text.empty()) return;
  if (text.starts_with("MariaDB dump") || text.starts_with("MySQL dump")) {
    // A file may be several dumps, one after another: each has its own end.
    footer_expected_ = true;
    footer_ = false;
  } else if (text.starts_with("Dump completed")) {
    footer_ = true;
  } else if (text.starts_with("Host:")) {
    constexpr std::string_view kDatabase = "Database:";
    size_t at = text.find(kDatabase);
    if (at != std::string_view::npos) database_ = Trim(text.substr(at + kDatabase.size()));
  } else if (text.find("SHOW SLAVE STATUS") != std::string_view::npos ||
             text.find("SHOW REPLICA STATUS") != std::string_view::npos ||
             text.find("the master of this slave") != std::string_view::npos ||
             text.find("the source of this replica") != std::string_view::npos) {
    upstream_ = true;
  } else if (text.find("SHOW MASTER STATUS") != std::string_view::npos) {
    upstream_ = false;
  } else if (StartsWithIgnoreCase(text, "CHANGE ") ||
             StartsWithIgnoreCase(text, "SET GLOBAL gtid_slave_pos") ||
             StartsWithIgnoreCase(text, "SET @@GLOBAL.GTID_PURGED")) {
    ReadPositionFrom(text);
  }
  const bool names_producer =
      text.find("dump") != std::string_view::npos || text.find("Dump") != std::string_view::npos;
  if (producer_.empty() && names_producer && rows_.empty()) producer_ = text.substr(0, 200);
}

void SqlDumpReader::OnMessage(std::string_view line, bool between) {
  broken_off_ = broken_off_ || !between;
  Note("a message of the dump program stands in the file: " + std::string(line.substr(0, 300)));
}

void SqlDumpReader::ReadPositionFrom(std::string_view statement) {
  MemorySource source(statement);
  SqlTokenizer::Options options = options_;
  options.window_bytes = 4096;
  SqlTokenizer sql(&source, options, nullptr);
  if (sql.Next().IsWord("CHANGE")) {
    ReadChangeMaster(&sql);
  } else if (sql.token().IsWord("SET")) {
    sql.Next();
    SqlSession session;  // a remark sets nothing
    session.ReadSet(&sql);
    TakeGtid(session.gtid());
  }
}

void SqlDumpReader::TakeGtid(const std::string& gtid) {
  if (gtid.empty()) return;
  if (!position_) {
    position_.emplace();
    position_->upstream = upstream_;
  }
  position_->gtid = gtid;
}

// CHANGE MASTER ['name'] TO k = v, ... and CHANGE REPLICATION SOURCE TO ...
void SqlDumpReader::ReadChangeMaster(SqlTokenizer* sql) {
  std::string file;
  uint64_t offset = 0;
  bool offset_known = false;
  while (!sql->Next().IsEnd()) {
    bool is_file = sql->token().IsWord("MASTER_LOG_FILE") || sql->token().IsWord("SOURCE_LOG_FILE");
    bool is_offset = sql->token().IsWord("MASTER_LOG_POS") || sql->token().IsWord("SOURCE_LOG_POS");
    if (!is_file && !is_offset) continue;
    if (!sql->Next().Is('=')) break;
    const SqlToken& value = sql->Next();
    if (is_file && value.kind == SqlTokenKind::kString) file = value.text;
    if (is_offset && value.kind == SqlTokenKind::kNumber) {
      auto [end, error] =
          std::from_chars(value.text.data(), value.text.data() + value.text.size(), offset);
      offset_known = error == std::errc() && end == value.text.data() + value.text.size();
    }
    if (value.IsEnd()) break;
  }
  sql->SkipStatement();
  if (file.empty() || !offset_known) return;
  if (position_ && !position_->file.empty()) {
    Note("more than one binary log position is given; the first is kept");
    return;
  }
  if (!position_) position_.emplace();
  position_->file = file;
  position_->offset = offset;
  position_->upstream = upstream_;
}

void SqlDumpReader::Note(const std::string& note) {
  for (const std::string& said : notes_) {
    if (said == note) return;
  }
  if (notes_.size() < kNotesMax) notes_.push_back(note);
}

// Statements

Status SqlDumpReader::ReadStatement() {
  const SqlToken& token = sql_.token();
  if (token.kind != SqlTokenKind::kWord) {
    SkipCounted(token.Is('(') ? "SELECT" : "not understood");
    return Status::Ok();
  }
  if (token.IsWord("INSERT") || token.IsWord("REPLACE")) return ReadInsert();
  if (token.IsWord("CREATE")) {
    ReadCreate();
  } else if (token.IsWord("SET")) {
    sql_.Next();
    std::string gtid = session_.gtid();
    if (!session_.ReadSet(&sql_)) ++skipped_["SET with an expression"];
    if (session_.gtid() != gtid) TakeGtid(session_.gtid());
  } else if (token.IsWord("USE")) {
    ReadUse();
  } else if (token.IsWord("CHANGE")) {
    ReadChangeMaster(&sql_);
  } else if (token.IsWord("UPDATE") || token.IsWord("DELETE") || token.IsWord("TRUNCATE") ||
             token.IsWord("LOAD")) {
    ReadChange(Upper(token.text));
  } else if (token.IsWord("ALTER") || token.IsWord("RENAME")) {
    std::string kind = Upper(token.text);
    sql_.Next();
    if (token.IsIdentifier()) kind += " " + Upper(token.text);
    bool keys_only = false;
    if (kind == "ALTER TABLE") {
      TableName table;
      sql_.Next();
      // mysqldump's own: ALTER TABLE t DISABLE KEYS.
      keys_only =
          ReadTableName(&sql_, &table) && (token.IsWord("DISABLE") || token.IsWord("ENABLE"));
    }
    if (keys_only) {
      sql_.SkipStatement();
    } else {
      SkipCounted(kind);
    }
  } else {
    for (std::string_view word : kUncounted) {
      if (token.IsWord(word)) {
        sql_.SkipStatement();
        return Status::Ok();
      }
    }
    SkipCounted(Upper(token.text.substr(0, 32)));
  }
  return Status::Ok();
}

void SqlDumpReader::SkipCounted(const std::string& kind) {
  // A file of something else altogether must not fill the report.
  auto found = skipped_.find(kind);
  if (found != skipped_.end()) {
    ++found->second;
  } else {
    ++skipped_[skipped_.size() < kKindsMax ? kind : "others"];
  }
  sql_.SkipStatement();
}

void SqlDumpReader::ReadUse() {
  const SqlToken& token = sql_.Next();
  if (!token.IsIdentifier()) return sql_.SkipStatement();
  database_ = token.text;
  // The client takes USE without delimiter, to the line's end.
  if (sql_.Next().kind != SqlTokenKind::kDelimiter) sql_.Unread();
}

void SqlDumpReader::ReadCreate() {
  while (!sql_.Next().IsEnd()) {
    const SqlToken& token = sql_.token();
    if (token.IsWord("DATABASE") || token.IsWord("SCHEMA")) return sql_.SkipStatement();
    if (token.IsWord("TABLE")) {
      sql_.Next();
      if (token.IsWord("IF")) {
        while (!token.IsEnd() && !token.IsWord("EXISTS")) sql_.Next();
        if (!token.IsEnd()) sql_.Next();
      }
      TableSchema schema;
      if (!ReadTableName(&sql_, &schema.table)) return SkipCounted("CREATE TABLE");
      schema.table = Qualified(schema.table);
      if (!ReadTableDefinition(&sql_, &schema)) {
        ++skipped_["CREATE TABLE"];
        return sql_.SkipStatement();
      }
      if (consumer_->OnTable(schema.table)) {
        TableName table = schema.table;
        (*catalog_)[table] = std::move(schema);
      }
      return;
    }
    for (std::string_view object : kObjects) {
      if (token.IsWord(object)) return SkipCounted("CREATE " + std::string(object));
    }
  }
}

// UPDATE t, DELETE FROM t, TRUNCATE [TABLE] t, LOAD DATA ... INTO TABLE t.
void SqlDumpReader::ReadChange(std::string_view kind) {
  sql_.Next();
  const SqlToken& token = sql_.token();
  if (kind == "LOAD") {
    while (!token.IsEnd() && !token.IsWord("TABLE")) sql_.Skip();
  }
  while (token.IsWord("LOW_PRIORITY") || token.IsWord("QUICK") || token.IsWord("IGNORE") ||
         token.IsWord("FROM") || token.IsWord("TABLE")) {
    sql_.Next();
  }
  TableName table;
  if (ReadTableName(&sql_, &table)) consumer_->SkippedChange(Qualified(table), kind);
  SkipCounted(std::string(kind));
}

TableName SqlDumpReader::Qualified(TableName name) const {
  if (name.database.empty()) name.database = database_;
  return name;
}

// Rows

Status SqlDumpReader::ReadInsert() {
  const std::string verb = Upper(sql_.token().text);
  const SqlToken& token = sql_.Next();
  while (token.IsWord("LOW_PRIORITY") || token.IsWord("HIGH_PRIORITY") || token.IsWord("DELAYED") ||
         token.IsWord("IGNORE") || token.IsWord("INTO")) {
    sql_.Next();
  }
  TableName table;
  if (!ReadTableName(&sql_, &table)) {
    SkipCounted(verb + " not understood");
    return Status::Ok();
  }
  table = Qualified(std::move(table));
  if (token.IsWord("PARTITION")) {
    while (!token.IsEnd() && !token.Is(')')) sql_.Next();
    if (!token.IsEnd()) sql_.Next();
  }
  columns_.clear();
  bool columns_listed = false;
  if (token.Is('(')) {
    if (!ReadColumnList()) {
      SkipCounted(verb + " SELECT");
      return Status::Ok();
    }
    columns_listed = true;
  }
  if (token.IsWord("VALUES") || token.IsWord("VALUE")) return ReadRows(table, columns_listed);
  if (token.IsWord("SET") && !columns_listed) return ReadSetForm(table);
  if (!token.IsEnd()) {
    consumer_->SkippedChange(table, verb + " SELECT");
    SkipCounted(verb + " SELECT");
  }
  return Status::Ok();
}

// "(a, b)", to the token behind; false when it is something else, such as "(SELECT ...".
bool SqlDumpReader::ReadColumnList() {
  if (sql_.Next().Is(')')) {
    sql_.Next();
    return true;
  }
  while (true) {
    if (!sql_.token().IsIdentifier() || columns_.size() == RowCells::kColumnsMax) return false;
    columns_.emplace_back(sql_.token().text);
    sql_.Next();
    while (sql_.token().Is('.')) {  // t.column
      if (!sql_.Next().IsIdentifier()) return false;
      columns_.back() = sql_.token().text;
      sql_.Next();
    }
    if (sql_.token().Is(')')) break;
    if (!sql_.token().Is(',')) return false;
    sql_.Next();
  }
  sql_.Next();
  return true;
}

Status SqlDumpReader::Begin(const TableName& table, bool columns_listed) {
  plan_.take = false;
  plan_.wanted.clear();
  RowsHeader header;
  header.input = name_;
  header.table = &table;
  header.schema = FindSchema(*catalog_, table);
  header.columns = columns_listed ? &columns_ : nullptr;
  header.time_zone = session_.time_zone();
  if (Status begin = consumer_->BeginRows(header, &plan_); !begin.ok()) return begin;
  if (plan_.take) row_count_ = &rows_[table];
  if (plan_.take && session_.client_charset() == Charset::kUnsafe) {
    return {ErrorCode::kInternal,
            std::string(name_) + ": SET NAMES " + *session_.client_charset_name() +
                ": in this character set a backslash may be half of a character; dump again with "
                "--default-character-set=utf8mb4"};
  }
  return Status::Ok();
}

Status SqlDumpReader::ReadRows(const TableName& table, bool columns_listed) {
  if (Status begin = Begin(table, columns_listed); !begin.ok()) return begin;
  if (!plan_.take) {
    uint64_t rows = 0;
    if (!sql_.SkipRows(&rows)) ++skipped_["INSERT cut short"];
    if (rows > 0) consumer_->SkippedRows(table, rows);
    sql_.SkipStatement();
    return Status::Ok();
  }
  skipped_rows_ = 0;
  Status status;
  while (status.ok()) {
    if (!sql_.Skip().Is('(') && sql_.token().IsWord("ROW")) sql_.Skip();
    if (!sql_.token().Is('(')) break;
    uint64_t offset = sql_.token().offset;
    if (!ReadRow()) {
      if (sql_.token().kind == SqlTokenKind::kDelimiter) ++skipped_["INSERT cut short"];
      break;
    }
    status = GiveRow(offset);
    if (!sql_.Skip().Is(',')) break;
  }
  if (skipped_rows_ > 0) consumer_->SkippedRows(table, skipped_rows_);
  // What may follow, such as ON DUPLICATE KEY UPDATE, changes no row that is new.
  sql_.SkipStatement();
  return status;
}

Status SqlDumpReader::ReadSetForm(const TableName& table) {
  // Which columns there are is known behind the last value only: all are kept.
  cells_.Clear();
  uint64_t offset = sql_.token().offset;
  do {
    if (!sql_.Next().IsIdentifier() || columns_.size() == RowCells::kColumnsMax) break;
    columns_.emplace_back(sql_.token().text);
    while (sql_.Next().Is('.')) {
      if (sql_.Next().IsIdentifier()) columns_.back() = sql_.token().text;
    }
    if (!sql_.token().Is('=')) break;
    sql_.Next();
    ReadValue(true);
  } while (sql_.token().Is(','));
  // A row that is cut short by the end of the input is none.
  if (sql_.token().kind == SqlTokenKind::kEnd) return Status::Ok();
  if (cells_.size() != columns_.size() ||
      (sql_.token().kind != SqlTokenKind::kDelimiter && !sql_.token().IsWord("ON"))) {
    SkipCounted("INSERT cut short");
    return Status::Ok();
  }
  if (Status begin = Begin(table, true); !begin.ok()) return begin;
  skipped_rows_ = 0;
  Status status = GiveRow(offset);
  if (skipped_rows_ > 0) consumer_->SkippedRows(table, skipped_rows_);
  sql_.SkipStatement();
  return status;
}

Status SqlDumpReader::GiveRow(uint64_t offset) {
  if (plan_.take) return consumer_->Row(cells_.Finish(), {name_, ++*row_count_, offset});
  ++skipped_rows_;
  return Status::Ok();
}

bool SqlDumpReader::ReadRow() {
  cells_.Clear();
  // The first token decides between () and values, so it is read before it is known as wanted.
  bool wanted = plan_.take && !plan_.wanted.empty() && plan_.wanted[0] != 0;
  if (wanted ? sql_.Next().Is(')') : sql_.Skip().Is(')')) return true;
  while (true) {
    ReadValue(wanted);
    if (sql_.token().Is(')')) break;
    if (!sql_.token().Is(',')) return false;
    size_t column = cells_.size();
    wanted = plan_.take && column < plan_.wanted.size() && plan_.wanted[column] != 0;
    if (wanted) {
      sql_.Next();
    } else {
      sql_.Skip();
    }
  }
  return true;
}

void SqlDumpReader::ReadValue(bool wanted) {
  Cell& cell = cells_.Open();
  int depth = 0;
  bool literal = ReadLiteral(&cell, wanted, &depth);
  if (!literal || !(sql_.token().Is(',') || sql_.token().Is(')') || sql_.token().IsEnd() ||
                    sql_.token().IsWord("ON"))) {
    // A function, an operator: to the comma or parenthesis that ends the value.
    for (; !sql_.token().IsEnd(); sql_.Skip()) {
      if (depth == 0 && (sql_.token().Is(',') || sql_.token().Is(')'))) break;
      depth += sql_.token().Is('(') ? 1 : sql_.token().Is(')') ? -1 : 0;
    }
    cell.kind = CellKind::kExpression;
    cells_.Drop();
  }
  if (!wanted) cell.kind = CellKind::kSkipped;
  cells_.Close();
}

// [_charset] 'a' ['b' ...] | 0x.. | b'..' | [+-]number | NULL | TRUE | FALSE | CONVERT('a' USING x)
bool SqlDumpReader::ReadLiteral(Cell* cell, bool wanted, int* depth) {
  auto next = [this, wanted]() -> const SqlToken& { return wanted ? sql_.Next() : sql_.Skip(); };
  const SqlToken& token = sql_.token();
  cell->charset = session_.client_charset();
  switch (token.kind) {
    case SqlTokenKind::kNumber:
      cell->kind = CellKind::kNumber;
      cells_.Keep(token.text);
      next();
      return true;
    case SqlTokenKind::kPunct: {
      bool minus = false;
      while (token.Is('-') || token.Is('+')) {
        if (token.Is('-')) minus = !minus;
        sql_.Next();
      }
      if (token.kind != SqlTokenKind::kNumber) return false;
      cell->kind = CellKind::kNumber;
      if (minus) cells_.Keep("-");
      cells_.Keep(token.text);
      next();
      return true;
    }
    case SqlTokenKind::kWord: {
      if (token.IsWord("NULL")) {
        cell->kind = CellKind::kNull;
        next();
        return true;
      }
      if (token.IsWord("TRUE") || token.IsWord("FALSE")) {
        cell->kind = CellKind::kNumber;
        cells_.Keep(token.IsWord("TRUE") ? "1" : "0");
        next();
        return true;
      }
      if (token.IsWord("CONVERT")) {
        // mydumper's way to write JSON: CONVERT("..." USING UTF8MB4).
        if (!next().Is('(')) return false;
        ++*depth;
        next();
        if (!ReadLiteral(cell, wanted, depth) || !token.IsWord("USING")) return false;
        if (!next().IsIdentifier() || !next().Is(')')) return false;
        --*depth;
        next();
        return true;
      }
      if (!token.text.starts_with('_')) return false;
      Charset introduced = ParseCharset(token.text.substr(1));
      next();
      if (token.kind != SqlTokenKind::kString && token.kind != SqlTokenKind::kHex &&
          token.kind != SqlTokenKind::kBit) {
        return false;
      }
      if (!ReadLiteral(cell, wanted, depth)) return false;
      // Text that was introduced as bytes is bytes, bytes introduced as text are text.
      cell->charset = introduced;
      cell->kind = introduced == Charset::kBinary ? CellKind::kBytes : CellKind::kText;
      return true;
    }
    case SqlTokenKind::kString:
      cell->kind = CellKind::kText;
      while (token.kind == SqlTokenKind::kString) {
        cell->overlong |= token.overlong;
        cells_.Keep(token.text);
        next();
      }
      return true;
    case SqlTokenKind::kHex:
    case SqlTokenKind::kBit:
      cell->kind = CellKind::kBytes;
      cell->charset = Charset::kBinary;
      cell->overlong = token.overlong;
      cells_.Keep(token.text);
      next();
      return true;
    default:
      return false;
  }
}

}  // namespace tokend
