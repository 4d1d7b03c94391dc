#include "import/input_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>

#include "import/sql_text.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kCompressed = {".gz", ".zst", ".xz", ".zstd"};
// What a file of SQL may begin with, and a space or a line's end behind it.
constexpr std::array<std::string_view, 14> kSqlWords = {
    "--",   "INSERT", "REPLACE", "CREATE", "DROP",      "SET",    "USE",
    "LOCK", "ALTER",  "START",   "BEGIN",  "DELIMITER", "DELETE", "TRUNCATE"};

Status Bad(const std::string& message) { return {ErrorCode::kBadParams, message}; }

std::string WithoutCompression(const std::string& path) {
  for (std::string_view suffix : kCompressed) {
    if (path.ends_with(suffix)) return path.substr(0, path.size() - suffix.size());
  }
  return path;
}

std::string Extension(const std::string& path) {
  return ToLowerAscii(fs::path(WithoutCompression(path)).extension().string());
}

bool LooksLikeSql(std::string_view head) {
  if (head.starts_with("/*") || head.starts_with("#")) return true;
  return std::any_of(kSqlWords.begin(), kSqlWords.end(), [&](std::string_view word) {
    if (head.size() <= word.size() || !EqualsIgnoreCase(head.substr(0, word.size()), word)) {
      return false;
    }
    const char behind = head[word.size()];
    return behind == ' ' || behind == '\n' || behind == '\r';
  });
}

// MySQL writes bytes of a table's name that a file's cannot have as @ and four digits.
std::string DecodeFileName(std::string_view name) {
  std::string table;
  for (size_t i = 0; i < name.size(); ++i) {
    unsigned code = 0;
    const char* digits = name.data() + i + 1;
    if (name[i] == '@' && i + 5 <= name.size() &&
        std::from_chars(digits, digits + 4, code, 16).ptr == digits + 4 && code < 0x80) {
      table += static_cast<char>(code);
      i += 4;
    } else {
      table += name[i];
    }
  }
  return table;
}

Status ListFiles(const std::string& path, std::set<std::string>* names) {
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    names->insert(at->path().filename().string());
  }
  if (error) return {ErrorCode::kInternal, "cannot read " + path + ": " + error.message()};
  return Status::Ok();
}

// "db.table.00001.sql.gz" and "db.table-schema.sql".
bool ParseMydumperName(const std::string& file, TableName* table, bool* is_schema) {
  std::string name = WithoutCompression(file);
  if (!name.ends_with(".sql")) return false;
  name.resize(name.size() - 4);
  *is_schema = name.ends_with("-schema");
  if (*is_schema) name.resize(name.size() - 7);
  const size_t dot = name.find('.');
  if (dot == std::string::npos) return false;
  table->database = DecodeFileName(name.substr(0, dot));
  name.erase(0, dot + 1);
  const size_t chunk = name.find('.');
  if (chunk != std::string::npos &&
      name.find_first_not_of("0123456789.", chunk) == std::string::npos) {
    name.resize(chunk);
  }
  // -schema-create, -schema-triggers, -schema-view and the like bring no rows.
  if (name.empty() || name.find("-schema-") != std::string::npos) return false;
  table->name = DecodeFileName(name);
  return true;
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\"");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\"") - begin + 1);
}

// Both forms: "\tLog: f" under "SHOW MASTER STATUS:", and INI with "File = f" under "[source]".
void ReadMetadata(const std::string& path, InputSet* set) {
  InputReport& report = set->metadata.emplace();
  report.path = path;
  report.format = "mydumper";
  report.compression = "none";
  report.incomplete_reason = "it does not say that the dump was finished";
  std::ifstream file(path);
  BinlogPosition position;
  std::string section, line;
  while (std::getline(file, line)) {
    report.bytes += line.size() + 1;
    std::string_view text = Trim(line);
    if (text.find("Finished dump at") != std::string_view::npos) report.complete = true;
    if (text.starts_with("#")) continue;
    if (text.ends_with("STATUS:") || text.starts_with("[")) {
      section = text;
      continue;
    }
    const size_t separator = text.find_first_of(":=");
    if (separator == std::string_view::npos) continue;
    const std::string key = ToLowerAscii(Trim(text.substr(0, separator)));
    const std::string_view value = Trim(text.substr(separator + 1));
    const bool is_source =
        section == "SHOW MASTER STATUS:" || section == "[source]" || section == "[master]";
    if (is_source && (key == "log" || key == "file" || key == "source_log_file")) {
      position.file = value;
    } else if (is_source && (key == "pos" || key == "position" || key == "source_log_pos")) {
      std::from_chars(value.data(), value.data() + value.size(), position.offset);
    } else if (is_source && (key == "gtid" || key == "executed_gtid_set")) {
      position.gtid = value;
    } else if (key == "rows" && section.starts_with("[`")) {
      // [`db`.`table`]
      const size_t middle = section.find("`.`");
      uint64_t rows = 0;
      if (middle != std::string::npos &&
          std::from_chars(value.data(), value.data() + value.size(), rows).ec == std::errc()) {
        set->rows[{section.substr(2, middle - 2),
                   section.substr(middle + 3, section.size() - middle - 5)}] = rows;
      }
    }
  }
  report.text_bytes = report.bytes;
  if (!position.file.empty() || !position.gtid.empty()) report.position = position;
}

Status AddMydumper(const std::string& path, const std::set<std::string>& names, InputSet* set) {
  std::vector<InputFile> schemas, rows;
  for (const std::string& name : names) {
    InputFile file;
    bool is_schema = false;
    if (WithoutCompression(name).ends_with(".dat")) {
      return Bad(path +
                 ": made with mydumper --load-data, which is not read; dump again without it");
    }
    if (!ParseMydumperName(name, &file.table, &is_schema)) continue;
    file.path = (fs::path(path) / name).string();
    file.format = InputFormat::kSql;
    file.is_schema = is_schema;
    file.table_is_sure = true;
    (is_schema ? schemas : rows).push_back(std::move(file));
  }
  if (rows.empty()) return Bad(path + ": mydumper has left no rows there");
  ReadMetadata(path + "/metadata", set);
  set->files.insert(set->files.end(), schemas.begin(), schemas.end());
  set->files.insert(set->files.end(), rows.begin(), rows.end());
  return Status::Ok();
}

// mysqldump --tab: t.sql with the definition, t.txt with the rows.
bool AddTab(const std::string& path, const std::set<std::string>& names, InputSet* set) {
  bool found = false;
  for (const std::string& name : names) {
    const std::string plain = WithoutCompression(name);
    if (!plain.ends_with(".txt")) continue;
    const std::string stem = plain.substr(0, plain.size() - 4);
    const auto schema = std::find_if(names.begin(), names.end(), [&](const std::string& other) {
      return WithoutCompression(other) == stem + ".sql";
    });
    if (schema == names.end()) continue;
    found = true;
    set->files.push_back({.path = (fs::path(path) / *schema).string(),
                          .format = InputFormat::kSql,
                          .is_schema = true,
                          .table = {"", DecodeFileName(stem)},
                          .table_is_sure = true});
    set->files.push_back({.path = (fs::path(path) / name).string(),
                          .format = InputFormat::kOutfile,
                          .table = {"", DecodeFileName(stem)},
                          .table_is_sure = true});
  }
  return found;
}

}  // namespace

std::string TableNameOfFile(const std::string& path) {
  return DecodeFileName(fs::path(WithoutCompression(path)).stem().string());
}

InputFormat DetectFormat(const std::string& path, std::string_view head) {
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  if (head.starts_with("<?xml") || head.starts_with("<mysqldump") ||
      head.starts_with("<resultset")) {
    return InputFormat::kXml;
  }
  const std::string extension = Extension(path);
  if (extension == ".csv") return InputFormat::kCsv;
  if (extension == ".tsv") return InputFormat::kBatch;
  if (extension == ".txt" && !LooksLikeSql(head)) return InputFormat::kOutfile;
  return InputFormat::kSql;
}

Status AddInput(const std::string& path, InputFormat format, InputSet* set) {
  std::error_code error;
  if (path == "-" || !fs::is_directory(path, error)) {
    InputFile file{.path = path, .format = format};
    if (path != "-") file.table.name = TableNameOfFile(path);
    set->files.push_back(std::move(file));
    return Status::Ok();
  }
  std::set<std::string> names;
  if (Status status = ListFiles(path, &names); !status.ok()) return status;
  if (names.contains("metadata.partial")) {
    return Bad(path + ": mydumper did not finish this dump (metadata.partial); dump again");
  }
  if (names.contains("metadata")) return AddMydumper(path, names, set);
  if (AddTab(path, names, set)) return Status::Ok();
  return Bad(path +
             ": a directory should be one of mydumper (with its metadata) or of mysqldump --tab "
             "(with a .sql and a .txt of each table); else name its files");
}

}  // namespace tokend
