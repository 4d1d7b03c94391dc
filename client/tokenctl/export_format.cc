#include "client/tokenctl/export_format.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "client/json.h"
#include "client/tokenctl/records.h"

namespace tokend::tokenctl {

namespace {

using client::TokenInfo;

constexpr std::string_view kColumns[] = {"id",         "source_id",    "owner",      "name",
                                         "scopes",     "state",        "expires_at", "created_at",
                                         "updated_at", "last_used_at", "use_count",  "attributes"};

std::string DateTime(uint64_t ms) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", fmt::gmtime(static_cast<std::time_t>(ms / 1000)),
                     ms % 1000);
}

// Missing: NULL.
using Field = std::optional<std::string>;

Field TimeField(const std::optional<uint64_t>& ms) {
  return ms ? Field(DateTime(*ms)) : std::nullopt;
}

std::vector<Field> FieldsOf(const TokenInfo& record) {
  return {record.id,
          record.source_id.empty() ? Field() : record.source_id,
          record.owner,
          record.name,
          nlohmann::json(record.scopes).dump(),
          record.state,
          TimeField(record.expires_at_ms),
          DateTime(record.created_at_ms),
          DateTime(record.updated_at_ms),
          TimeField(record.last_used_at_ms),
          std::to_string(record.use_count),
          record.attributes.empty() ? Field() : client::MsgpackToJson(record.attributes)};
}

// As mariadb --batch escapes.
std::string TsvField(const Field& field) {
  if (!field) return "NULL";
  std::string out;
  for (const char c : *field) {
    switch (c) {
      case '\0':
        out += "\\0";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string CsvField(const Field& field) {
  if (!field) return "NULL";
  std::string out = "\"";
  for (const char c : *field) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string Identifier(std::string_view name) {
  std::string out = "`";
  for (const char c : name) {
    if (c == '`') out += '`';
    out += c;
  }
  return out + "`";
}

// "db.table" is two names.
std::string TableIdentifier(std::string_view name) {
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return Identifier(name);
  return Identifier(name.substr(0, dot)) + "." + Identifier(name.substr(dot + 1));
}

// A number where it is one, so that an index on a number is used.
std::string Literal(std::string_view text) {
  const bool is_number =
      !text.empty() && text.size() <= 20 && (text.size() == 1 || text.front() != '0') &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_number) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\0') {
      out += "\\0";
      continue;
    }
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + "'";
}

std::string TimeLiteral(uint64_t ms, ExportTable::Times times) {
  switch (times) {
    case ExportTable::Times::kEpochSeconds:
      return std::to_string(ms / 1000);
    case ExportTable::Times::kEpochMilliseconds:
      return std::to_string(ms);
    case ExportTable::Times::kDateTime:
      break;
  }
  return "'" + DateTime(ms) + "'";
}

}  // namespace

ExportWriter::ExportWriter(ExportFormat format, ExportTable table)
    : format_(format), table_(std::move(table)) {}

std::string ExportWriter::Begin() const {
  if (format_ == ExportFormat::kSql) {
    // Whatever the session that runs it is set to.
    return "SET time_zone = '+00:00';\n"
           "SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '');\n";
  }
  if (format_ == ExportFormat::kJsonLines) return "";
  std::string line;
  for (const std::string_view column : kColumns) {
    if (!line.empty()) line += format_ == ExportFormat::kTsv ? '\t' : ',';
    line += column;
  }
  return line + "\n";
}

std::string ExportWriter::Row(const TokenInfo& record) const {
  if (format_ == ExportFormat::kJsonLines) return RecordJson(record).dump() + "\n";
  std::string line;
  for (const Field& field : FieldsOf(record)) {
    if (format_ == ExportFormat::kTsv) {
      line += (line.empty() ? "" : "\t") + TsvField(field);
    } else {
      line += (line.empty() ? "" : ",") + CsvField(field);
    }
  }
  return line + "\n";
}

void ExportWriter::Keep(const TokenInfo& record) {
  if (record.source_id.empty()) {
    ++without_source_;
    return;
  }
  if (table_.deletes && record.state != "active") {
    ended_.push_back(Literal(record.source_id));
    return;
  }
  const bool is_used = (!table_.last_used_column.empty() && record.last_used_at_ms) ||
                       (!table_.use_count_column.empty() && record.use_count > 0);
  if (is_used) used_.push_back(record);
}

std::string ExportWriter::Write(const std::vector<TokenInfo>& records) {
  std::string text;
  for (const TokenInfo& record : records) {
    if (format_ != ExportFormat::kSql) {
      text += Row(record);
      continue;
    }
    Keep(record);
    if (used_.size() >= kSqlRows || ended_.size() >= kSqlRows) text += Flush();
  }
  return text;
}

std::string ExportWriter::End() { return format_ == ExportFormat::kSql ? Flush() : ""; }

std::string ExportWriter::Flush() {
  const std::string table = TableIdentifier(table_.name);
  const std::string id = Identifier(table_.id_column);
  std::string text;
  if (!used_.empty()) {
    std::string last_used, use_count, ids;
    for (const TokenInfo& record : used_) {
      const std::string literal = Literal(record.source_id);
      ids += (ids.empty() ? "" : ", ") + literal;
      if (record.last_used_at_ms) {
        last_used +=
            " WHEN " + literal + " THEN " + TimeLiteral(*record.last_used_at_ms, table_.times);
      }
      use_count += " WHEN " + literal + " THEN " + std::to_string(record.use_count);
    }
    std::string sets;
    const auto set = [&](const std::string& name, const std::string& cases) {
      if (name.empty() || cases.empty()) return;
      const std::string column = Identifier(name);
      sets += (sets.empty() ? "" : ", ") + column + " = CASE " + id + cases + " ELSE " + column +
              " END";
    };
    set(table_.last_used_column, last_used);
    set(table_.use_count_column, use_count);
    if (!table_.updated_column.empty()) {
      const std::string column = Identifier(table_.updated_column);
      sets += ", " + column + " = " + column;
    }
    text += "UPDATE " + table + " SET " + sets + " WHERE " + id + " IN (" + ids + ");\n";
  }
  if (!ended_.empty()) {
    text += fmt::format("DELETE FROM {} WHERE {} IN ({});\n", table, id, fmt::join(ended_, ", "));
  }
  used_.clear();
  ended_.clear();
  return text;
}

}  // namespace tokend::tokenctl
