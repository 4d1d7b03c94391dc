#include "import/input_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/import_fixture.h"

namespace tokend {
namespace {

TEST(DetectFormatTest, GoesByTheFirstBytesAndThenByTheName) {
  const auto detect = DetectFormat;
  EXPECT_EQ(detect("a.sql", "INSERT INTO"), InputFormat::kSql);
  EXPECT_EQ(detect("-", "1\t2"), InputFormat::kSql);
  EXPECT_EQ(detect("a.csv.gz", "1,2"), InputFormat::kCsv);
  EXPECT_EQ(detect("a.CSV", ""), InputFormat::kCsv);
  EXPECT_EQ(detect("a.tsv", "id\ttoken"), InputFormat::kBatch);
  EXPECT_EQ(detect("a.txt", "1\t2"), InputFormat::kOutfile);
  EXPECT_EQ(detect("a.txt", "\n-- MySQL dump"), InputFormat::kSql);
  EXPECT_EQ(detect("a.txt", "insert into t"), InputFormat::kSql);
  EXPECT_EQ(detect("a.txt", "set\ttoken"), InputFormat::kOutfile);
  EXPECT_EQ(detect("a.sql", "<?xml version"), InputFormat::kXml);
  EXPECT_EQ(detect("-", "\n<mysqldump>"), InputFormat::kXml);
}

TEST(TableNameOfFileTest, DecodesWhatTabEncodes) {
  EXPECT_EQ(TableNameOfFile("/x/api_token.txt"), "api_token");
  EXPECT_EQ(TableNameOfFile("api@0060token@003b@0020v2.txt.gz"), "api`token; v2");
  EXPECT_EQ(TableNameOfFile("a@b@00"), "a@b@00");
}

TEST(AddInputTest, TakesAFileAsItIs) {
  InputSet set;
  ASSERT_TRUE(AddInput("/nowhere/t.csv", InputFormat::kAuto, &set).ok());
  ASSERT_TRUE(AddInput("-", InputFormat::kXml, &set).ok());
  ASSERT_EQ(set.files.size(), 2u);
  EXPECT_EQ(set.files[0].table.name, "t");
  EXPECT_EQ(set.files[1].format, InputFormat::kXml);
  EXPECT_EQ(set.files[1].table.name, "");
}

std::string PathOf(const std::string& file) {
  return std::filesystem::path(file).parent_path().string();
}

TEST(AddInputTest, RefusesWhatMydumperDidNotFinish) {
  TempDirectory directory;
  directory.Write("d.t.sql", "");
  const std::string path = PathOf(directory.Write("metadata.partial", ""));
  InputSet set;
  const Status status = AddInput(path, InputFormat::kAuto, &set);
  EXPECT_EQ(status.code(), ErrorCode::kBadParams);
  EXPECT_NE(status.message().find("metadata.partial"), std::string::npos);
}

TEST(AddInputTest, RefusesOtherDirectories) {
  TempDirectory directory;
  const std::string path = PathOf(directory.Write("t.txt", ""));
  InputSet set;
  EXPECT_EQ(AddInput(path, InputFormat::kAuto, &set).code(), ErrorCode::kBadParams);
  directory.Write("metadata", "");
  EXPECT_EQ(AddInput(path, InputFormat::kAuto, &set).code(), ErrorCode::kBadParams);
  directory.Write("d.t.dat", "");
  EXPECT_NE(AddInput(path, InputFormat::kAuto, &set).message().find("--load-data"),
            std::string::npos);
}

TEST(AddInputTest, ReadsNewerMetadataAndChunks) {
  TempDirectory directory;
  for (const char* name :
       {"d.t-schema.sql.gz", "d-schema-create.sql.gz", "d.t-schema-triggers.sql.gz",
        "d.t.00001.00002.sql.gz", "d.t.00000.sql.gz", "d.v-schema-view.sql.gz", "other"}) {
    directory.Write(name, "");
  }
  const std::string path = PathOf(directory.Write(
      "metadata",
      "# Started dump at: 2026-01-01 00:00:00\n[config]\nquote-character = BACKTICK\n\n[source]\n"
      "File = binlog.000007\nPosition = 154\nExecuted_Gtid_Set = \"a:1-5\"\n\n"
      "[`D`.`t`]\nreal_table_name=t\nrows = 2\n# Finished dump at: 2026-01-01 00:00:01\n"));
  InputSet set;
  ASSERT_TRUE(AddInput(path, InputFormat::kAuto, &set).ok());
  ASSERT_EQ(set.files.size(), 3u);
  EXPECT_TRUE(set.files[0].is_schema);
  EXPECT_EQ(set.files[0].table.Text(), "d.t");
  EXPECT_EQ(set.files[1].path, path + "/d.t.00000.sql.gz");
  EXPECT_EQ(set.files[2].table.Text(), "d.t");
  ASSERT_TRUE(set.metadata && set.metadata->position);
  EXPECT_TRUE(set.metadata->complete);
  EXPECT_EQ(set.metadata->position->file, "binlog.000007");
  EXPECT_EQ(set.metadata->position->offset, 154u);
  EXPECT_EQ(set.metadata->position->gtid, "a:1-5");
  EXPECT_EQ(set.rows, (std::map<TableName, uint64_t>{{{"D", "t"}, 2}}));
}

TEST(MydumperImportTest, ComparesRowsWithTheMetadata) {
  TempDirectory directory;
  directory.Write("d.t-schema.sql", "CREATE TABLE `t` (token text);");
  directory.Write("d.t.sql", "INSERT INTO `t` VALUES (\"a\"),(\"b\");");
  const std::string metadata = "[`d`.`t`]\nrows = ";
  for (const char* rows : {"2", "3"}) {
    const std::string path = PathOf(directory.Write(
        "metadata", metadata + rows + "\n# Finished dump at: 2026-01-01 00:00:01\n"));
    ImportOptions options;
    options.inputs = {path};
    options.tables = {"t"};
    options.columns = "token=token";
    Outcome outcome;
    outcome.status = RunImport(options, &outcome.sink, {}, &outcome.report);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    EXPECT_EQ(outcome.keys(), (std::vector<std::string>{KeyOf("a"), KeyOf("b")}));
    EXPECT_EQ(outcome.table().table.database, "d");
    const std::string note = "d.t should have 3 rows, as the metadata says; 2 came";
    const auto& notes = outcome.report.notes;
    EXPECT_EQ(std::count(notes.begin(), notes.end(), note), rows == std::string("3") ? 1 : 0);
  }
}

TEST(TabImportTest, ReadsDefinitionsAndTextOfEachTable) {
  TempDirectory directory;
  const std::string path = PathOf(
      directory.Write("t.sql",
                      "-- Host: localhost    Database: d\n/*!40103 SET TIME_ZONE='+02:00' */;\n"
                      "CREATE TABLE t (id int PRIMARY KEY, token varchar(9) CHARACTER SET latin1, "
                      "e timestamp);"));
  directory.Write("t.txt", "7\tgr\xfc\xdf\t1970-01-01 02:00:05\n");
  ImportOptions options;
  options.inputs = {path};
  options.tables = {"t"};
  options.columns = "token=token,expires_at=e";
  Outcome outcome;
  outcome.status = RunImport(options, &outcome.sink, {}, &outcome.report);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  ASSERT_EQ(outcome.rows().size(), 1u);
  EXPECT_EQ(outcome.rows()[0].key, KeyOf("grüß"));
  EXPECT_EQ(outcome.rows()[0].expires_at_ms, 5000u);
  EXPECT_EQ(outcome.rows()[0].source_id, "7");
  EXPECT_EQ(outcome.table().table.database, "d");
}

}  // namespace
}  // namespace tokend
