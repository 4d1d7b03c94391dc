// What tests of imports share: a sink that keeps everything, and imports of SQL text.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "import/importer.h"
#include "protocol/record.h"

namespace tokend {

inline std::string Hex(std::string_view bytes) {
  std::string hex;
  for (char c : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

struct GotRow {
  std::string key;
  std::string token;  // where it came as it is  // in hex
  std::optional<std::string> owner;
  std::optional<std::string> name;
  std::vector<std::string> scopes;
  uint64_t expires_at_ms = kNever;
  bool revoked = false;
  std::optional<uint64_t> created_at_ms, updated_at_ms, last_used_at_ms;
  uint64_t use_count = 0;
  std::string source_id;
  std::string attributes;
  uint64_t row = 0;
  uint64_t offset = 0;

  friend bool operator==(const GotRow&, const GotRow&) = default;
};

class KeepingSink : public RowSink {
 public:
  std::map<std::string, std::vector<GotRow>> rows;  // by table
  std::vector<TableInfo> tables;
  std::map<std::string, std::vector<std::string>> keys_in;  // by namespace
  Status fail_with;                                         // answered to the row `fail_at`
  uint64_t fail_at = 0;
  bool takes_tokens = false;  // of ImportOptions::seal
  uint64_t calls = 0;

  Status BeginTable(const TableInfo& table) override {
    tables.push_back(table);
    rows[table.name];
    return Status::Ok();
  }
  Status Row(const TableInfo& table, const ImportRow& row, const RowPosition& position) override {
    GotRow got;
    if (!row.token.is_key && !takes_tokens) return {ErrorCode::kInternal, "a row with its token"};
    got.key = Hex(row.token.key.view());
    if (!row.token.is_key) got.token = row.token.token.bytes();
    keys_in[table.namespace_name].push_back(got.key);
    got.owner = row.owner;
    got.name = row.name;
    got.scopes.assign(row.scopes.begin(), row.scopes.end());
    got.expires_at_ms = row.expires_at_ms;
    got.revoked = row.revoked;
    got.created_at_ms = row.created_at_ms;
    got.updated_at_ms = row.updated_at_ms;
    got.last_used_at_ms = row.last_used_at_ms;
    got.use_count = row.use_count;
    got.source_id = row.source_id;
    got.attributes = row.attributes;
    got.row = position.row;
    got.offset = position.offset;
    rows[table.name].push_back(std::move(got));
    return ++calls == fail_at ? fail_with : Status::Ok();
  }
};

// A directory of its own, gone with the object.
class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "tokend_import_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  std::string Write(const std::string& name, std::string_view bytes) const {
    std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  std::string path_;
};

// The key of a token in clear.
inline std::string KeyOf(std::string_view token) {
  Digester digester;
  return Hex(digester.Digest(DigestScheme::kSha256, token).view());
}

inline const std::string kHexA(64, 'a');
inline const std::string kHexB(64, 'b');

struct Outcome {
  Status status;
  KeepingSink sink;
  ImportReport report;

  const std::vector<GotRow>& rows(const std::string& table = "t") { return sink.rows[table]; }
  std::vector<std::string> keys(const std::string& table = "t") {
    std::vector<std::string> keys;
    for (const GotRow& row : rows(table)) keys.push_back(row.key);
    return keys;
  }
  const TableReport& table(const std::string& name = "t") {
    for (const TableReport& known : report.tables) {
      if (known.table.name == name) return known;
    }
    static const TableReport* none = new TableReport();
    ADD_FAILURE() << "no table " << name;
    return *none;
  }
  // "reason:count" in the order of first appearance.
  std::vector<std::string> refusals(const std::string& name = "t") {
    std::vector<std::string> all;
    for (const RefusalReport& refusal : table(name).refusals) {
      all.push_back(std::string(RefusalName(refusal.reason)) + ":" + std::to_string(refusal.count));
    }
    return all;
  }
  uint64_t skipped(const std::string& kind) {
    for (const SkippedStatements& known : report.skipped_statements) {
      if (known.kind == kind) return known.count;
    }
    return 0;
  }
};

inline Outcome ImportText(std::string_view sql, ImportOptions options) {
  TempDirectory directory;
  options.inputs = {directory.Write("dump.sql", sql)};
  Outcome outcome;
  outcome.sink.takes_tokens = options.seal;
  outcome.status = RunImport(options, &outcome.sink, {}, &outcome.report);
  return outcome;
}

// Imports table t by these columns.
inline Outcome ImportMapped(std::string_view sql, std::string columns = "token=token") {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = std::move(columns);
  return ImportText(sql, options);
}

// A table t of these columns, one row of these values, and how it came out.
inline Outcome ImportOneRow(const std::string& definition, const std::string& values,
                            std::string columns) {
  return ImportMapped("CREATE TABLE t (" + definition + ");INSERT INTO t VALUES (" + values + ");",
                      std::move(columns));
}

inline constexpr std::string_view kTable =
    "CREATE TABLE t (id int PRIMARY KEY, token text, x text);";

}  // namespace tokend
