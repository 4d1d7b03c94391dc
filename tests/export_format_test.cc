#include "client/tokenctl/export_format.h"

#include <gtest/gtest.h>

#include "import/text_reader.h"

namespace tokend::tokenctl {
namespace {

client::TokenInfo Record(const std::string& source_id) {
  client::TokenInfo record;
  record.id = "0123456789abcdef01234567";
  record.source_id = source_id;
  record.namespace_name = "n";
  record.state = "active";
  record.created_at_ms = 1893456000001;
  record.updated_at_ms = 1893456000001;
  return record;
}

std::string All(ExportFormat format, const ExportTable& table,
                const std::vector<client::TokenInfo>& records) {
  ExportWriter writer(format, table);
  std::string text = writer.Begin();
  text += writer.Write(records);
  return text + writer.End();
}

std::vector<client::TokenInfo> Hard() {
  client::TokenInfo full = Record("7");
  full.owner = "O'Neil \"x\"";
  full.name = "tab\there\nline\\end,";
  full.scopes = {"read", "wri\"te"};
  full.expires_at_ms = 1893456000999;
  full.last_used_at_ms = 1893456001000;
  full.use_count = 3;
  full.attributes = "\x81\xa4type\xa1x";
  return {full, Record("")};
}

TEST(ExportWriterTest, WritesTextThatIsReadAsItWas) {
  for (const ExportFormat format : {ExportFormat::kTsv, ExportFormat::kCsv}) {
    struct Rows : RowsConsumer {
      std::vector<std::string> columns;
      std::vector<std::vector<std::string>> rows;
      bool OnTable(const TableName&) override { return true; }
      Status BeginRows(const RowsHeader& header, RowsPlan* plan) override {
        columns = *header.columns;
        plan->take = true;
        plan->wanted.assign(columns.size(), 1);
        return {};
      }
      Status Row(const std::vector<Cell>& cells, const RowPosition&) override {
        auto& row = rows.emplace_back();
        for (const Cell& cell : cells) {
          row.push_back(cell.kind == CellKind::kNull ? "(null)" : std::string(cell.bytes));
        }
        return {};
      }
      void SkippedRows(const TableName&, uint64_t) override {}
      void SkippedChange(const TableName&, std::string_view) override {}
    } rows;
    const std::string text = All(format, {}, Hard());
    MemorySource source(text);
    InputReport report;
    const InputFormat input =
        format == ExportFormat::kTsv ? InputFormat::kBatch : InputFormat::kCsv;
    TextReader reader(&source, "in", MakeTextFormat(input, {}), {.name = {"", "t"}, .header = true},
                      1 << 20, &rows);
    ASSERT_TRUE(reader.Run(&report).ok());
    EXPECT_EQ(rows.columns,
              (std::vector<std::string>{"id", "source_id", "owner", "name", "scopes", "state",
                                        "expires_at", "created_at", "updated_at", "last_used_at",
                                        "use_count", "attributes"}));
    EXPECT_EQ(
        rows.rows,
        (std::vector<std::vector<std::string>>{
            {"0123456789abcdef01234567", "7", "O'Neil \"x\"", "tab\there\nline\\end,",
             "[\"read\",\"wri\\\"te\"]", "active", "2030-01-01 00:00:00.999",
             "2030-01-01 00:00:00.001", "2030-01-01 00:00:00.001", "2030-01-01 00:00:01.000", "3",
             "{\"type\":\"x\"}"},
            {"0123456789abcdef01234567", "(null)", "(null)", "(null)", "[]", "active", "(null)",
             "2030-01-01 00:00:00.001", "2030-01-01 00:00:00.001", "(null)", "0", "(null)"}}));
  }
}

TEST(ExportWriterTest, WritesJsonLines) {
  const std::string text = All(ExportFormat::kJsonLines, {}, Hard());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text.find("{\"id\":\"0123456789abcdef01234567\",\"source_id\":\"7\","), 0u);
}

constexpr char kHead[] =
    "SET time_zone = '+00:00';\n"
    "SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '');\n";

TEST(ExportWriterTest, TellsATableOfUsesAndEnds) {
  client::TokenInfo number = Record("7"), text = Record("a'b\\c"), unused = Record("8"),
                    revoked = Record("09"), expired = Record("18446744073709551615");
  number.last_used_at_ms = 1893456001500;
  number.use_count = 3;
  text.use_count = 4;
  revoked.state = "revoked";
  revoked.last_used_at_ms = 1893456001500;
  expired.state = "expired";
  const std::vector<client::TokenInfo> all = {number, text, unused, revoked, expired, Record("")};
  ExportTable table;
  table.name = "portal.api`token";
  table.id_column = "id";
  table.last_used_column = "last_accessed";
  EXPECT_EQ(All(ExportFormat::kSql, table, all),
            std::string(kHead) +
                "UPDATE `portal`.`api``token` SET `last_accessed` = CASE `id` WHEN 7 THEN "
                "'2030-01-01 00:00:01.500' WHEN '09' THEN '2030-01-01 00:00:01.500' ELSE "
                "`last_accessed` END WHERE `id` IN (7, '09');\n");
  table.use_count_column = "uses";
  table.updated_column = "updated_at";
  table.times = ExportTable::Times::kEpochSeconds;
  table.deletes = true;
  EXPECT_EQ(All(ExportFormat::kSql, table, all),
            std::string(kHead) +
                "UPDATE `portal`.`api``token` SET `last_accessed` = CASE `id` WHEN 7 THEN "
                "1893456001 ELSE `last_accessed` END, `uses` = CASE `id` WHEN 7 THEN 3 WHEN "
                "'a''b\\\\c' THEN 4 ELSE `uses` END, `updated_at` = `updated_at` WHERE `id` IN "
                "(7, 'a''b\\\\c');\n"
                "DELETE FROM `portal`.`api``token` WHERE `id` IN ('09', 18446744073709551615);\n");
  ExportWriter writer(ExportFormat::kSql, table);
  writer.Write(all);
  EXPECT_EQ(writer.without_source(), 1u);
}

TEST(ExportWriterTest, CutsStatements) {
  ExportTable table{.name = "t", .id_column = "id", .last_used_column = "l"};
  table.times = ExportTable::Times::kEpochMilliseconds;
  std::vector<client::TokenInfo> records;
  for (int i = 0; i < 1001; ++i) {
    records.push_back(Record(std::to_string(i)));
    records.back().last_used_at_ms = 5;
  }
  const std::string text = All(ExportFormat::kSql, table, records);
  size_t updates = 0;
  for (size_t at = text.find("UPDATE"); at != std::string::npos; at = text.find("UPDATE", at + 1)) {
    ++updates;
  }
  EXPECT_EQ(updates, 3u);
  EXPECT_EQ(All(ExportFormat::kSql, table, {}), kHead);
}

}  // namespace
}  // namespace tokend::tokenctl
