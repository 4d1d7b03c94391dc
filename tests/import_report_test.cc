// The report and the progress of an import as people and programs see them.
#include "client/tokenctl/import_report.h"

#include <gtest/gtest.h>

#include <sstream>

#include "client/json.h"
#include "client/tokenctl/import_progress.h"

namespace tokend::tokenctl {
namespace {

ImportReport FullReport() {
  ImportReport report;
  InputReport input;
  input.path = "dump\x1b.sql";
  input.format = "sql";
  input.compression = "gzip";
  input.producer = "MariaDB dump 10.19";
  input.bytes = 1234;
  input.text_bytes = 5678;
  input.position = BinlogPosition{"binlog.000001", 42, "0-1-7", false};
  input.incomplete_reason = "it ends within a statement";
  report.inputs.push_back(input);

  TableReport table;
  table.table.database = "portal";
  table.table.name = "api_token";
  table.table.namespace_name = "api_token";
  table.table.mapping = "preset api_token";
  table.table.fields = {{"key_hex", "token", "sha256 in hexadecimal digits"},
                        {"owner", "account_id", ""}};
  table.table.ignored_columns = {"flags", "payload"};
  table.rows_read = 1160;
  table.rows_taken = 1155;
  table.rows_refused = 5;
  table.rows_revoked = 31;
  table.rows_never = 45;
  RefusalReport refusal;
  refusal.reason = RefusalReason::kZeroDate;
  refusal.count = 5;
  refusal.first = {{"a.sql", 29, 78540}, {"a.sql", 58, 82398}, {"b.sql", 1, 7}};
  table.refusals.push_back(refusal);
  table.left_out.push_back({"name", 3});
  table.loose_collation = "utf8mb4_general_ci";
  table.equal_tokens = 7;
  table.equal_tokens_are_all = false;
  table.first_equal_tokens = {{"a.sql", 9, "a.sql", 5}, {"b.sql", 1, "a.sql", 5}};
  report.tables.push_back(table);
  report.skipped_tables.push_back({"portal", "users", 19, "not a known token table"});
  report.skipped_statements.push_back({"CREATE VIEW", 2});
  report.notes.push_back("read as UTC");
  return report;
}

std::optional<client::ImportTotals> SomeTotals(size_t) {
  return client::ImportTotals{1100, 5, 50, 0};
}
std::optional<client::ImportTotals> NoTotals(size_t) { return std::nullopt; }

TEST(ImportReport, ForPeople) {
  const std::string expected =
      "input dump\\x1b.sql: sql in gzip, 1,234 bytes (MariaDB dump 10.19); binlog binlog.000001:42 "
      "gtid 0-1-7\n"
      "portal.api_token -> namespace api_token (sha256, preset api_token)\n"
      "  key_hex <- token (sha256 in hexadecimal digits)\n"
      "  owner <- account_id\n"
      "  ignored columns: flags payload\n"
      "  rows: 1,160 read, 1,155 taken (31 revoked, 45 without expiry), 5 refused\n"
      "  refused: 5 zero_date (the expiry is a zero date); first: a.sql row 29 (byte 78540), row "
      "58 "
      "(byte 82398), b.sql row 1 (byte 7)\n"
      "  taken without name: 3\n"
      "  equal by utf8mb4_general_ci: 7 or more; first: a.sql row 5 and row 9, a.sql row 5 and "
      "b.sql "
      "row 1\n"
      "  server: 1,100 taken, 5 replaced, 50 unchanged, 0 refused\n"
      "skipped portal.users: 19 rows, not a known token table\n"
      "not executed: 2 CREATE VIEW\n"
      "note: read as UTC\n"
      "incomplete: dump\\x1b.sql: it ends within a statement\n";
  EXPECT_EQ(ImportReportText(FullReport(), SomeTotals), expected);
  std::string dry = ImportReportText(FullReport(), NoTotals);
  EXPECT_EQ(dry.find("server:"), std::string::npos);
}

TEST(ImportReport, ForPrograms) {
  const nlohmann::ordered_json json = ImportReportJson(FullReport(), SomeTotals);
  EXPECT_EQ(json["complete"], false);
  EXPECT_EQ(json["inputs"][0]["position"]["offset"], 42);
  EXPECT_EQ(json["inputs"][0]["incomplete_reason"], "it ends within a statement");
  const auto& table = json["tables"][0];
  EXPECT_EQ(table["rows_read"], 1160);
  EXPECT_EQ(table["rows_taken"], 1155);
  EXPECT_EQ(table["rows_refused"], 5);
  EXPECT_EQ(table["refusals"][0]["reason"], "zero_date");
  EXPECT_EQ(table["refusals"][0]["rows"], 5);
  EXPECT_EQ(table["refusals"][0]["first"][2]["input"], "b.sql");
  EXPECT_EQ(table["left_out"]["name"], 3);
  EXPECT_EQ(table["loose_collation"], "utf8mb4_general_ci");
  EXPECT_EQ(table["equal_tokens"], 7);
  EXPECT_EQ(table["equal_tokens_are_all"], false);
  EXPECT_EQ(table["first_equal_tokens"][1]["earlier_row"], 5);
  EXPECT_EQ(table["server"]["taken"], 1100);
  EXPECT_EQ(json["skipped_tables"][0]["table"], "users");
  EXPECT_EQ(json["skipped_statements"]["CREATE VIEW"], 2);
  EXPECT_EQ(json["notes"][0], "read as UTC");

  EXPECT_TRUE(ImportReportJson(FullReport(), NoTotals)["tables"][0]["server"].is_null());
  ImportReport complete = FullReport();
  complete.inputs[0].complete = true;
  EXPECT_EQ(ImportReportJson(complete, NoTotals)["complete"], true);
  EXPECT_TRUE(ImportReportJson(complete, NoTotals)["inputs"][0]["incomplete_reason"].is_null());
}

ImportProgress Progress(uint64_t rows, uint64_t bytes, std::optional<uint64_t> total) {
  ImportProgress progress;
  progress.rows_read = rows;
  progress.bytes_read = bytes;
  progress.bytes_total = total;
  return progress;
}

TEST(ImportProgressText, SaysRowsRateAndTimeLeft) {
  EXPECT_EQ(ProgressText(Progress(1234567, 45, 100), 10'000),
            "1,234,567 rows  123,456/s  45%  0:12 left");
  EXPECT_EQ(ProgressText(Progress(10, 1, 3601), 1000), "10 rows  10/s  0%  1:00:00 left");
  EXPECT_EQ(ProgressText(Progress(10, 100, 100), 1000), "10 rows  10/s  100%  0:00 left");
}

TEST(ImportProgressText, LeavesOutWhatCannotBeKnown) {
  EXPECT_EQ(ProgressText(Progress(10, 5, std::nullopt), 1000), "10 rows  10/s");
  EXPECT_EQ(ProgressText(Progress(0, 0, 0), 0), "0 rows");
  EXPECT_EQ(ProgressText(Progress(5, 0, 100), 1000), "5 rows  5/s");
  // A file that grew while it was read.
  EXPECT_EQ(ProgressText(Progress(5, 200, 100), 1000), "5 rows  5/s  100%  0:00 left");
}

TEST(ProgressLine, IsDrawnOverOnATerminal) {
  std::ostringstream out;
  uint64_t now_ms = 1000;
  ProgressLine line(&out, true, [&] { return now_ms; });
  line.Update(Progress(1, 1, 10));
  EXPECT_EQ(out.str(), "");  // too early to say anything
  now_ms = 2000;
  line.Update(Progress(2, 2, 10));
  EXPECT_EQ(out.str(), "\r\x1b[K2 rows  2/s  20%  0:04 left");
  now_ms = 2100;
  line.Update(Progress(3, 3, 10));
  EXPECT_EQ(out.str(), "\r\x1b[K2 rows  2/s  20%  0:04 left");
  line.Clear();
  EXPECT_EQ(out.str(), "\r\x1b[K2 rows  2/s  20%  0:04 left\r\x1b[K");
}

TEST(ProgressLine, IsALineNowAndThenInAPipe) {
  std::ostringstream out;
  uint64_t now_ms = 0;
  ProgressLine line(&out, false, [&] { return now_ms; });
  for (now_ms = 100; now_ms <= 25'000; now_ms += 100)
    line.Update(Progress(now_ms, 1, std::nullopt));
  line.Clear();
  EXPECT_EQ(out.str(), "10,000 rows  1,000/s\n20,000 rows  1,000/s\n");
}

}  // namespace
}  // namespace tokend::tokenctl
