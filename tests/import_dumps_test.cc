// Every sample dump against what has to come out of it.
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <set>

#include "import/importer.h"
#include "tests/import_fixture.h"

namespace tokend {
namespace {

const std::string kDumps = std::string(TOKEND_TEST_DATA) + "/dumps/";
// 2027-06-01; nothing in the data expires from 2024 to 2030.
constexpr uint64_t kNowMs = 1811808000000;

struct Expected {
  std::string id, digest, state;
  std::optional<std::string> owner;
  uint64_t expires_at_ms = kNever;
};

uint64_t DecimalSecondsToMs(const std::string& text) {
  size_t dot = text.find('.');
  std::string fraction = dot == std::string::npos ? "" : text.substr(dot + 1);
  fraction.resize(3, '0');
  return std::stoull(text.substr(0, dot)) * 1000 + std::stoull(fraction);
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// By digest, which no two rows share.
std::map<std::string, Expected> ReadExpected(const std::string& table) {
  std::istringstream lines(ReadFile(kDumps + "expected/" + table + ".tsv"));
  std::map<std::string, Expected> all;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::vector<std::string> fields(1);
    for (char c : line) {
      if (c == '\t') {
        fields.emplace_back();
      } else {
        fields.back() += c;
      }
    }
    EXPECT_EQ(fields.size(), 7u) << line;
    Expected row;
    row.id = fields[0];
    row.digest = fields[3];
    row.state = fields[6];
    if (fields[4].starts_with("hex:")) {
      row.owner = FromHex(fields[4].substr(4));
    } else if (!fields[4].empty()) {
      row.owner = fields[4];
    }
    if (!fields[5].empty() && fields[5] != "zero")
      row.expires_at_ms = DecimalSecondsToMs(fields[5]);
    EXPECT_TRUE(all.emplace(row.digest, row).second) << line;
  }
  EXPECT_EQ(all.size(), 160u);
  return all;
}

const std::vector<std::string> kAll = {"api_token", "api_token_bin", "auth_user_tokens",
                                       "pm_api_token"};

struct Sample {
  std::string file;
  std::vector<std::string> tables;
  std::string schema;
  std::string time_zone;
  uint64_t ids_max = UINT64_MAX;
  // Of text: picked where the file does not name the table.
  std::string table;
  std::string columns;  // as --columns
  TextOptions text;
};

std::ostream& operator<<(std::ostream& out, const Sample& sample) { return out << sample.file; }

Sample Text(const std::string& file, const std::string& table, const std::string& schema = "",
            const TextOptions& text = {}, const std::string& time_zone = "") {
  return {file, {table}, schema, time_zone, UINT64_MAX, table, "", text};
}

class DumpTest : public testing::TestWithParam<Sample> {};

TEST_P(DumpTest, GivesEveryRowAndNoOther) {
  const Sample& sample = GetParam();
  ImportOptions options;
  options.inputs = {kDumps + sample.file};
  if (!sample.schema.empty()) options.schema_files = {kDumps + sample.schema};
  options.time_zone = sample.time_zone;
  if (!sample.table.empty()) options.tables = {sample.table};
  options.columns = sample.columns;
  options.text = sample.text;
  KeepingSink sink;
  ImportReport report;
  Status status = RunImport(options, &sink, {}, &report);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(report.complete()) << report.inputs.at(0).incomplete_reason;

  std::vector<std::string> tables;
  for (const auto& [name, rows] : sink.rows) tables.push_back(name);
  EXPECT_EQ(tables, sample.tables);
  for (const std::string& table : sample.tables) {
    SCOPED_TRACE(table);
    const bool has_id = table != "api_token_bin" && !sample.file.starts_with("61_");
    std::map<std::string, Expected> expected = ReadExpected(table);
    uint64_t zero_dates = 0;
    for (auto row = expected.begin(); row != expected.end();) {
      const bool has_number = table != "api_token_bin";
      const bool zero = row->second.state == "zerodate";
      const bool there = !has_number || std::stoull(row->second.id) <= sample.ids_max;
      if (zero && there) ++zero_dates;
      row = zero || !there ? expected.erase(row) : std::next(row);
    }
    std::set<std::string> seen;
    for (const GotRow& got : sink.rows[table]) {
      auto found = expected.find(got.key);
      ASSERT_NE(found, expected.end()) << "row " << got.row << " has a key that nobody has";
      EXPECT_TRUE(seen.insert(got.key).second) << "row " << got.row << " came twice";
      const Expected& want = found->second;
      SCOPED_TRACE("id " + want.id);
      EXPECT_EQ(got.owner, want.owner);
      EXPECT_EQ(got.expires_at_ms, want.expires_at_ms);
      EXPECT_EQ(got.source_id, has_id ? want.id : "");
      std::string state = got.revoked                   ? "revoked"
                          : got.expires_at_ms <= kNowMs ? "expired"
                                                        : "active";
      EXPECT_EQ(state, want.state);
    }
    EXPECT_EQ(seen.size(), expected.size());

    auto told = std::find_if(report.tables.begin(), report.tables.end(),
                             [&](const TableReport& known) { return known.table.name == table; });
    ASSERT_NE(told, report.tables.end());
    EXPECT_EQ(told->rows_taken, expected.size());
    EXPECT_EQ(told->rows_refused, zero_dates);
    EXPECT_EQ(told->rows_read, expected.size() + zero_dates);
    if (zero_dates > 0) {
      ASSERT_EQ(told->refusals.size(), 1u);
      EXPECT_EQ(told->refusals[0].reason, RefusalReason::kZeroDate);
      EXPECT_EQ(told->refusals[0].count, zero_dates);
      EXPECT_EQ(told->refusals[0].first.size(), 5u);
      EXPECT_EQ(told->refusals[0].first[0].row, 29u);
      EXPECT_TRUE(told->refusals[0].first[0].input.starts_with(options.inputs[0]));
    }
    EXPECT_EQ(told->table.namespace_name, table);
    EXPECT_TRUE(told->left_out.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Samples, DumpTest,
    testing::Values(
        Sample{"01_default.sql", kAll, "", ""},
        Sample{"02_skip_extended.sql", {"api_token", "auth_user_tokens"}, "", ""},
        Sample{"03_complete_insert.sql", kAll, "", ""}, Sample{"04_hex_blob.sql", kAll, "", ""},
        Sample{"06_ansi_utf8.sql", kAll, "", ""},
        Sample{"07_no_create_info.sql", kAll, "07_schema_only.sql", ""},
        Sample{"08_master_data2.sql", kAll, "", ""},
        Sample{"09_master_data1_gtid.sql", {"api_token", "pm_api_token"}, "", ""},
        Sample{"10_dump_slave.sql", {"api_token"}, "", ""},
        Sample{"12_databases_routines.sql", kAll, "", ""},
        Sample{"13_insert_ignore.sql", {"api_token"}, "", ""},
        Sample{"13_replace.sql", {"api_token"}, "", ""}, Sample{"14_compact.sql", kAll, "", ""},
        Sample{"15_unquoted_no_comments.sql", {"api_token", "auth_user_tokens"}, "", ""},
        Sample{"16_where_noautocommit.sql", {"api_token"}, "", "", 50},
        Sample{"20_mysql8_layout.sql", kAll, "", ""},
        Sample{"21_mysql8_hexblob_one_line.sql", kAll, "", ""},
        Sample{"22_no_backslash_escapes.sql", kAll, "ddl.sql", ""},
        Sample{"30_master_data2.sql.gz", kAll, "", ""},
        Sample{"30_master_data2.sql.zst", kAll, "", ""},
        Sample{"30_master_data2.sql.xz", kAll, "", ""},
        Sample{"40_skip_tz_utc.sql", {"api_token"}, "", "+05:30"},
        Sample{"41_tz_utc.sql", {"api_token"}, "", ""},
        // What the dump says of its own zone wins over the option for TIMESTAMP.
        Sample{"41_tz_utc.sql", {"api_token"}, "", "+05:30"}, Sample{"05_tab", kAll, "", ""},
        Sample{"11_xml.xml", {"api_token", "api_token_bin"}, "", ""},
        Sample{"11_xml_hexblob.xml", {"api_token_bin"}, "", ""},
        Sample{"50_mydumper", kAll, "", ""},
        Sample{"51_mydumper_gz", {"api_token", "pm_api_token"}, "", ""},
        Text("42_batch_server_zone.tsv", "api_token", "", {}, "+05:30"),
        Text("60_batch.tsv", "api_token"), Text("60_batch_pm.tsv", "pm_api_token"),
        Sample{.file = "61_batch_noheader_epoch.tsv",
               .tables = {"api_token"},
               .table = "api_token",
               .columns = "key_hex=token,owner=account_id,expires_at=until:epoch_s",
               .text = {.header = false, .columns = {"token", "account_id", "until"}}},
        Text("62_outfile_default.tsv", "api_token", "ddl.sql"),
        Text("63_outfile_csv_optenc.csv", "api_token", "ddl.sql", {.escape = '\\'}),
        Text("64_outfile_csv_rfc4180.csv", "auth_user_tokens", "ddl.sql"),
        Text("65_outfile_csv_noescape.csv", "pm_api_token", "ddl.sql", {.escape = '\0'})),
    [](const testing::TestParamInfo<Sample>& sample) {
      std::string name = sample.param.file + sample.param.time_zone;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

// Names, scopes and the other times: the samples have them in every table, expected/ has not. What
// one row of each must be was read in the dump by eye.
TEST(DumpFieldsTest, TakeNamesScopesAndTimes) {
  ImportOptions options;
  options.inputs = {kDumps + "01_default.sql"};
  KeepingSink sink;
  ImportReport report;
  ASSERT_TRUE(RunImport(options, &sink, {}, &report).ok());
  const GotRow& api = sink.rows["api_token"].at(6);
  EXPECT_EQ(api.source_id, "7");
  EXPECT_EQ(api.name, "quote at end'");
  EXPECT_EQ(api.created_at_ms, 1592950764000u);  // 2020-06-23 22:19:24
  EXPECT_EQ(api.updated_at_ms, 1592950764000u);
  EXPECT_EQ(api.last_used_at_ms, 1704892956000u);  // 2024-01-10 13:22:36
  EXPECT_EQ(api.row, 7u);

  std::map<std::vector<std::string>, int> scopes;
  for (const GotRow& row : sink.rows["auth_user_tokens"]) ++scopes[row.scopes];
  std::map<std::vector<std::string>, int> want = {{{}, 67}, {{"*"}, 48}, {{"read", "wri\"te"}, 45}};
  EXPECT_EQ(scopes, want);
}

TEST(DumpReportTest, SaysWhatWasSkipped) {
  ImportOptions options;
  options.inputs = {kDumps + "12_databases_routines.sql"};
  KeepingSink sink;
  ImportReport report;
  ASSERT_TRUE(RunImport(options, &sink, {}, &report).ok());
  ASSERT_EQ(report.skipped_tables.size(), 2u);
  EXPECT_EQ(report.skipped_tables[0].name, "token_audit_log");
  EXPECT_EQ(report.skipped_tables[0].database, "portal");
  EXPECT_EQ(report.skipped_tables[0].rows, 11u);
  EXPECT_EQ(report.skipped_tables[1].name, "users");
  EXPECT_EQ(report.skipped_tables[1].rows, 19u);
  std::map<std::string, uint64_t> skipped;
  for (const SkippedStatements& kind : report.skipped_statements) skipped[kind.kind] = kind.count;
  std::map<std::string, uint64_t> want = {
      {"CREATE EVENT", 1}, {"CREATE PROCEDURE", 1}, {"CREATE TRIGGER", 1}, {"CREATE VIEW", 2}};
  EXPECT_EQ(skipped, want);
  EXPECT_TRUE(report.inputs[0].footer);
  EXPECT_EQ(report.inputs[0].format, "sql");
  EXPECT_TRUE(report.inputs[0].producer.starts_with("MariaDB dump 10.19"))
      << report.inputs[0].producer;
}

struct PositionCase {
  std::string file;
  std::optional<BinlogPosition> want;
};

TEST(DumpReportTest, FindsBinlogPositions) {
  const PositionCase cases[] = {
      {"01_default.sql", std::nullopt},
      {"08_master_data2.sql", BinlogPosition{"binlog.000001", 15341452, "0-991-11273", false}},
      {"09_master_data1_gtid.sql", BinlogPosition{"binlog.000001", 15341452, "0-991-11273", false}},
      {"10_dump_slave.sql", BinlogPosition{"mysql-bin.000042", 1337, "", true}},
      {"20_mysql8_layout.sql", BinlogPosition{"binlog.000017", 48211,
                                              "22726bdf-1e1c-11f1-94b2-d2e4c1d3ba99:1-36,"
                                              "95bb5859-1eec-11f1-a9f4-2e9f35b469b4:1-125:127-130",
                                              false}},
  };
  for (const PositionCase& test : cases) {
    SCOPED_TRACE(test.file);
    ImportOptions options;
    options.inputs = {kDumps + test.file};
    KeepingSink sink;
    ImportReport report;
    ASSERT_TRUE(RunImport(options, &sink, {}, &report).ok());
    const std::optional<BinlogPosition>& got = report.inputs.at(0).position;
    ASSERT_EQ(got.has_value(), test.want.has_value());
    if (!got) continue;
    EXPECT_EQ(got->file, test.want->file);
    EXPECT_EQ(got->offset, test.want->offset);
    EXPECT_EQ(got->gtid, test.want->gtid);
    EXPECT_EQ(got->upstream, test.want->upstream);
  }
}

// Counted by another program.
constexpr size_t kWholeRowsOf70 = 70;
constexpr size_t kWholeRowsOf71 = 97;

// A cut dump gives what stands before the cut, and says so.
TEST(TruncatedDumpTest, GivesTheRowsBeforeTheCut) {
  KeepingSink whole;
  ImportReport report;
  ImportOptions options;
  options.inputs = {kDumps + "08_master_data2.sql"};
  ASSERT_TRUE(RunImport(options, &whole, {}, &report).ok());
  for (const char* file : {"70_truncated.sql", "71_truncated.sql.gz"}) {
    SCOPED_TRACE(file);
    KeepingSink cut;
    options.inputs = {kDumps + file};
    Status status = RunImport(options, &cut, {}, &report);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_FALSE(report.complete());
    EXPECT_FALSE(report.inputs[0].incomplete_reason.empty());
    EXPECT_EQ(cut.rows["api_token"], whole.rows["api_token"]);
    EXPECT_EQ(cut.rows["auth_user_tokens"], whole.rows["auth_user_tokens"]);
    const std::vector<GotRow>& some = cut.rows["api_token_bin"];
    ASSERT_GT(some.size(), 0u);
    ASSERT_LT(some.size(), 160u);
    EXPECT_EQ(some.size(), file[1] == '0' ? kWholeRowsOf70 : kWholeRowsOf71);
    for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i], whole.rows["api_token_bin"][i]);
    EXPECT_EQ(cut.rows.count("pm_api_token"), 0u);
  }
}

}  // namespace
}  // namespace tokend
