// An import as a whole: which tables it takes, what it says of them, and how it ends.
#include "import/importer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <string>

#include "tests/import_fixture.h"

namespace tokend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

using namespace std::string_literals;

// Which tables

TEST(PickTest, TakesPresetsByThemselves) {
  Outcome outcome = ImportText(
      "CREATE TABLE users (id int);INSERT INTO users VALUES (1),(2);"
      "INSERT INTO api_token (token,account_id,expires_at) VALUES ('" +
          kHexA +
          "',7,NULL);"
          "CREATE TABLE pm_api_token (id int, token text, expires datetime);",
      {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys("api_token"), ElementsAre(kHexA));
  EXPECT_EQ(outcome.rows("api_token")[0].owner, "7");
  EXPECT_EQ(outcome.table("api_token").table.mapping, "preset api_token");
  // One without rows is told of, too.
  EXPECT_EQ(outcome.table("pm_api_token").rows_read, 0u);
  EXPECT_EQ(outcome.sink.tables.size(), 1u);
  ASSERT_EQ(outcome.report.skipped_tables.size(), 1u);
  EXPECT_EQ(outcome.report.skipped_tables[0].name, "users");
  EXPECT_EQ(outcome.report.skipped_tables[0].rows, 2u);
  EXPECT_EQ(outcome.report.skipped_tables[0].reason, "not a known token table");
}

TEST(PickTest, LeavesATableThatOnlyHasTheName) {
  const std::string sql =
      "CREATE TABLE api_token (token text, user int);"
      "INSERT INTO api_token VALUES ('x',1);"
      "INSERT INTO pm_api_token (token,expires) VALUES ('a','2031-01-01');";
  Outcome outcome = ImportText(sql, {});
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.sink.rows.count("api_token"), 0u);
  ASSERT_EQ(outcome.report.skipped_tables.size(), 1u);
  EXPECT_THAT(outcome.report.skipped_tables[0].reason,
              HasSubstr("no column account_id, expires_at; there are token, user"));
  EXPECT_EQ(outcome.report.skipped_tables[0].rows, 1u);
  // Asked for by name, that is an error.
  ImportOptions options;
  options.tables = {"api_token"};
  outcome = ImportText(sql, options);
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(), HasSubstr("no column account_id"));
}

TEST(PickTest, TakesOnlyWhatIsNamed) {
  const std::string sql = "INSERT INTO api_token (token,account_id,expires_at) VALUES ('" + kHexA +
                          "',7,NULL);"
                          "INSERT INTO pm_api_token (token,expires) VALUES ('a','2031-01-01');";
  ImportOptions options;
  options.tables = {"pm_api_token"};
  options.namespace_name = "prod";
  Outcome outcome = ImportText(sql, options);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.sink.rows.count("api_token"), 0u);
  EXPECT_THAT(outcome.keys("pm_api_token"), ElementsAre(KeyOf("a")));
  EXPECT_EQ(outcome.table("pm_api_token").table.namespace_name, "prod");
  EXPECT_EQ(outcome.report.skipped_tables[0].reason, "not picked");
}

TEST(SealTest, TokensInClearAreGivenOn) {
  ImportOptions options;
  options.seal = true;
  options.tables = {"pm_api_token"};
  const std::string digests =
      "INSERT INTO api_token (token,account_id,expires_at) VALUES ('" + kHexA + "',7,NULL);";
  Outcome outcome = ImportText(
      digests +
          "INSERT INTO pm_api_token (token,expires) VALUES ('a','2031-01-01'),('','2031-01-01')"
          ",('it''s','2031-01-01');",
      options);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  ASSERT_EQ(outcome.rows("pm_api_token").size(), 2u);
  EXPECT_EQ(outcome.rows("pm_api_token")[0].token, "a");
  EXPECT_EQ(outcome.rows("pm_api_token")[1].token, "it's");
  EXPECT_THAT(outcome.refusals("pm_api_token"), ElementsAre("empty_token:1"));

  options.tables = {"api_token"};
  outcome = ImportText(digests, options);
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(), HasSubstr("--seal: the table holds digests"));
  EXPECT_TRUE(outcome.sink.rows.empty());
}

TEST(PickTest, SaysWhenATableIsNotThere) {
  ImportOptions options;
  options.tables = {"pm_api_token", "api_token"};
  Outcome outcome = ImportText(
      "INSERT INTO pm_api_token (token,expires) VALUES ('a',NULL);CREATE TABLE u (a int);",
      options);
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(),
              HasSubstr("api_token is not in the input; there are pm_api_token, u"));
  EXPECT_EQ(outcome.keys("pm_api_token").size(), 1u);  // the report stands all the same

  outcome = ImportText("CREATE TABLE u (a int);", {});
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(),
              HasSubstr("no known token table is in the input; there are u."));
  outcome = ImportText("", {});
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(), HasSubstr("no tables at all"));
}

TEST(PickTest, KeepsDatabasesApart) {
  const std::string sql =
      "CREATE DATABASE a;USE `a`;CREATE TABLE t (x int, token text);INSERT INTO t VALUES (1,'a');"
      "USE `b`;CREATE TABLE t (token text, x int);INSERT INTO t VALUES ('b',1);"
      "INSERT INTO a.t VALUES (2,'a2');";
  ImportOptions options;
  options.columns = "token=token";
  options.tables = {"b.t"};
  Outcome outcome = ImportText(sql, options);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("b")));
  EXPECT_EQ(outcome.table().table.database, "b");
  options.tables = {"a.t"};
  EXPECT_THAT(ImportText(sql, options).keys(), ElementsAre(KeyOf("a"), KeyOf("a2")));
  // The name alone could mean either: production's tokens and staging's must not get mixed.
  options.tables = {"t"};
  outcome = ImportText(sql, options);
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(), HasSubstr("as b.t and as a.t"));

  const std::string presets =
      "USE a;INSERT INTO pm_api_token (token,expires) VALUES ('a',NULL);"
      "USE b;INSERT INTO pm_api_token (token,expires) VALUES ('b',NULL);";
  EXPECT_EQ(ImportText(presets, {}).status.code(), ErrorCode::kBadParams);
  options = {};
  options.tables = {"a.pm_api_token", "b.pm_api_token"};
  outcome = ImportText(presets, options);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_EQ(outcome.report.tables.size(), 2u);
}

TEST(PickTest, ChecksTheOptionsFirst) {
  const std::pair<ImportOptions, std::string> cases[] = {
      {{}, "inputs"},
      {{.inputs = {"-", "-"}}, "standard input"},
      {{.inputs = {"x"}, .tables = {"users"}},
       "table users is not one that is known: name one of --presets"},
      {{.inputs = {"x"}, .columns = "token=a"}, "exactly one --table"},
      {{.inputs = {"x"}, .tables = {"a", "b"}, .columns = "token=a"}, "exactly one --table"},
      {{.inputs = {"x"}, .tables = {"a"}, .columns = "owner=a"}, "exactly one of token="},
      {{.inputs = {"x"}, .namespace_name = ""}, "namespace"},
      {{.inputs = {"x"}, .namespace_name = "a\nb"}, "namespace"},
      {{.inputs = {"x"}, .scheme = DigestScheme::kSha256}, "scheme"},
      {{.inputs = {"x"},
        .tables = {"a"},
        .columns = "token=a",
        .scheme = DigestScheme::kSha512WithSecret},
       "tokens in clear become keys of sha512-with-secret with it: name a file"},
      {{.inputs = {"x"},
        .tables = {"a"},
        .columns = "key_hex=a",
        .scheme = DigestScheme::kSha512WithSecret,
        .secret = Secret("s")},
       "secret: should come with token= in --columns"},
      {{.inputs = {"x"}, .tables = {"a"}, .columns = "token=a", .secret = Secret("s")},
       "secret: should come with token= in --columns and a --scheme that takes one"},
      {{.inputs = {"x"}, .secret = Secret("s")}, "tables of presets have digests already"},
      {{.inputs = {"x"}, .time_zone = "Mars/Base"}, "time zone 'Mars/Base'"},
  };
  for (const auto& [options, want] : cases) {
    Status status = CheckImportOptions(options);
    EXPECT_EQ(status.code(), ErrorCode::kBadParams) << want;
    EXPECT_THAT(status.message(), HasSubstr(want));
    KeepingSink sink;
    ImportReport report;
    EXPECT_EQ(RunImport(options, &sink, {}, &report).message(), status.message());
  }
  EXPECT_TRUE(CheckImportOptions({.inputs = {"x"}, .tables = {"db.api_token"}}).ok());
}

// Completeness

constexpr std::string_view kWhole =
    "-- MariaDB dump 10.19  Distrib 10.11\n--\n-- Host: localhost    Database: db\n"
    "/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  `token` "
    "text,\n"
    "  PRIMARY KEY (`id`)\n);\nINSERT INTO `t` VALUES\n(1,'a(\\'),\\n'),\n(2,_binary 'b''c'),\n"
    "(3,0x64);\nINSERT INTO `t` VALUES (4,'e');\n-- Dump completed on 2026-11-20 12:18:33\n";

TEST(CompleteTest, IsADumpWithItsFooter) {
  Outcome outcome = ImportMapped(kWhole);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_TRUE(outcome.report.complete());
  EXPECT_EQ(outcome.keys().size(), 4u);
  EXPECT_EQ(outcome.report.inputs[0].text_bytes, kWhole.size());
  EXPECT_EQ(outcome.report.inputs[0].bytes, kWhole.size());
}

TEST(CompleteTest, IsNoDumpCutAnywhere) {
  Outcome whole = ImportMapped(kWhole);
  const size_t table_end = kWhole.find(";\nINSERT");
  const size_t header_end = kWhole.find(" 10.19");
  const size_t footer_end = kWhole.find(" on 2026");
  for (size_t cut = header_end + 1; cut < kWhole.size(); ++cut) {
    SCOPED_TRACE(std::string(kWhole.substr(0, cut)));
    Outcome outcome = ImportMapped(kWhole.substr(0, cut));
    ASSERT_EQ(outcome.report.complete(), cut >= footer_end);
    // The rows before the cut, and those only.
    const std::vector<GotRow>& some = outcome.rows();
    size_t closed = 0;
    for (const GotRow& row : whole.rows()) {
      size_t end = row.row == 1   ? kWhole.find("),\n(2")
                   : row.row == 2 ? kWhole.find("),\n(3")
                   : row.row == 3 ? kWhole.find(");\nINSERT INTO `t` VALUES (4")
                                  : kWhole.find(");\n-- Dump");
      if (end < cut) ++closed;
    }
    ASSERT_EQ(some.size(), closed);
    for (size_t i = 0; i < some.size(); ++i) ASSERT_EQ(some[i], whole.rows()[i]);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    ASSERT_EQ(outcome.report.tables.size(), cut > table_end ? 1u : 0u);
  }
}

TEST(CompleteTest, IsNoDumpWithTheFooterInAValue) {
  Outcome outcome = ImportMapped(
      "-- MySQL dump 10.13\nINSERT INTO t (token,x) VALUES ('a','\n-- Dump completed\n');\n"
      "INSERT INTO t (token,x) VALUES\n-- Dump completed\n('b','');\n");
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_FALSE(outcome.report.complete());
  EXPECT_THAT(outcome.report.inputs[0].incomplete_reason, HasSubstr("Dump completed"));
  EXPECT_EQ(outcome.keys().size(), 2u);
}

TEST(CompleteTest, IsEachOfSeveralDumpsInOneFile) {
  const std::string one =
      "-- MySQL dump 10.13\nINSERT INTO t (token) VALUES ('a');\n-- Dump completed\n";
  EXPECT_TRUE(ImportMapped(one + one).report.complete());
  EXPECT_FALSE(ImportMapped(one + one.substr(0, 54)).report.complete());
  // Programs that write no such line are not asked for it.
  EXPECT_TRUE(ImportMapped("-- phpMyAdmin SQL Dump\nINSERT INTO t (token) VALUES ('a');\n")
                  .report.complete());
}

// With --force and 2>&1 a dump may go on to its footer after it lost rows on the way.
TEST(CompleteTest, IsNoDumpWhoseProgramFailedOnTheWay) {
  Outcome outcome = ImportMapped(
      "-- MySQL dump 10.13\nINSERT INTO t (token) VALUES ('a'),\n('b'),\n"
      "mysqldump: Error 2013: Lost connection, it's gone, when dumping table `t` at row: 2\n"
      "UNLOCK TABLES;\nINSERT INTO t (token) VALUES ('c');\n-- Dump completed\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_FALSE(outcome.report.complete());
  EXPECT_THAT(outcome.report.inputs[0].incomplete_reason, HasSubstr("message of the dump program"));
  EXPECT_THAT(outcome.report.notes, testing::Contains(HasSubstr("Error 2013")));
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("b"), KeyOf("c")));
}

// What a file makes the import remember is bounded, whatever stands in it.
TEST(CompleteTest, StandsAnyNumberOfTables) {
  std::string sql = "INSERT INTO t (token) VALUES ('a');";
  for (int i = 0; i < 12000; ++i) {
    std::string name = "x" + std::to_string(i);
    sql.append("CREATE TABLE ").append(name).append(" (a int);");
    sql.append("INSERT INTO ").append(name).append(" VALUES (1),(2);");
  }
  Outcome outcome = ImportMapped(sql + "INSERT INTO t (token) VALUES ('b');");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("b")));
  EXPECT_EQ(outcome.report.skipped_tables.size(), 1000u);
  EXPECT_THAT(outcome.report.notes, ElementsAre(HasSubstr("no column says when tokens expire"),
                                                "8999 more tables were skipped and are not listed",
                                                "4002 rows of further tables were skipped"));
}

TEST(CompleteTest, TakesSeveralInputs) {
  TempDirectory directory;
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token";
  // A definition carries over, session settings do not.
  options.inputs = {
      directory.Write("1.sql", "SET sql_mode='NO_BACKSLASH_ESCAPES';" + std::string(kTable) +
                                   "INSERT INTO t VALUES (1,'a\\','');"),
      directory.Write("2.sql", "INSERT INTO t VALUES (2,'b\\'','');INSERT INTO t VALUES (3,'c"),
  };
  KeepingSink sink;
  ImportReport report;
  std::vector<ImportProgress> said;
  std::vector<std::string> said_of;
  const auto say = [&](const ImportProgress& progress) {
    said.push_back(progress);
    said_of.emplace_back(progress.input);
  };
  Status status = RunImport(options, &sink, say, &report);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(sink.rows["t"].size(), 2u);
  EXPECT_EQ(sink.rows["t"][0].key, KeyOf("a\\"));
  EXPECT_EQ(sink.rows["t"][1].key, KeyOf("b'"));
  EXPECT_EQ(sink.rows["t"][1].row, 1u);  // of its input
  ASSERT_EQ(report.inputs.size(), 2u);
  EXPECT_TRUE(report.inputs[0].complete);
  EXPECT_FALSE(report.inputs[1].complete);
  EXPECT_THAT(report.inputs[1].incomplete_reason, HasSubstr("within a statement"));
  EXPECT_FALSE(report.complete());

  ASSERT_EQ(said.size(), 2u);
  const uint64_t total =
      std::filesystem::file_size(options.inputs[0]) + std::filesystem::file_size(options.inputs[1]);
  EXPECT_EQ(said_of, options.inputs);
  EXPECT_EQ(said[0].rows_taken, 1u);
  EXPECT_EQ(said[1].bytes_read, total);
  EXPECT_THAT(said[1].bytes_total, Optional(total));
  EXPECT_EQ(said[1].rows_taken, 2u);
}

// Failures

TEST(FailureTest, NamesTheFile) {
  ImportOptions options;
  options.inputs = {"/nonexistent/dump.sql"};
  KeepingSink sink;
  ImportReport report;
  Status status = RunImport(options, &sink, {}, &report);
  EXPECT_EQ(status.code(), ErrorCode::kInternal);
  EXPECT_EQ(status.message(), "/nonexistent/dump.sql: No such file or directory");
  TempDirectory directory;
  options.inputs = {directory.Write("x.bz2", "BZh91AY")};
  EXPECT_THAT(RunImport(options, &sink, {}, &report).message(), HasSubstr("bzip2"));
}

TEST(FailureTest, OfTheSinkEndsTheImport) {
  TempDirectory directory;
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token";
  options.inputs = {directory.Write("x.sql", "INSERT INTO t (token) VALUES ('a'),('b'),('c');")};
  KeepingSink sink;
  sink.fail_at = 2;
  sink.fail_with = {ErrorCode::kUnavailable, "the server is gone"};
  ImportReport report;
  Status status = RunImport(options, &sink, {}, &report);
  EXPECT_EQ(status.code(), ErrorCode::kUnavailable);
  EXPECT_EQ(status.message(), "the server is gone");
  EXPECT_EQ(sink.calls, 2u);
  EXPECT_FALSE(report.complete());
  ASSERT_EQ(report.tables.size(), 1u);  // the report stands as far as things went
  EXPECT_EQ(report.tables[0].rows_read, 2u);
}

TEST(ReportTest, HasANameAndATextForEveryReason) {
  std::set<std::string_view> names, texts;
  for (size_t i = 0; i < kRefusalReasons; ++i) {
    names.insert(RefusalName(static_cast<RefusalReason>(i)));
    texts.insert(RefusalText(static_cast<RefusalReason>(i)));
  }
  EXPECT_EQ(names.size(), kRefusalReasons);
  EXPECT_EQ(texts.size(), kRefusalReasons);
  EXPECT_EQ(RefusalName(RefusalReason::kColumnCount), "column_count");
}

// Whatever stands in a file, reading it ends, and no row comes out twice or without a key.
TEST(FuzzTest, StandsAnyBytes) {
  const char* given = std::getenv("TOKEND_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("TOKEND_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string dump =
      ReadFile(std::string(TOKEND_TEST_DATA) + "/dumps/16_where_noautocommit.sql");
  const std::string_view alphabet = "'\"`\\;,()-#/*!@0xXb \n.e9$_%\xff";
  TempDirectory directory;
  for (int round = 0; round < 400; ++round) {
    std::string damaged = dump;
    for (int i = 0; i < 6 && !damaged.empty(); ++i) {
      size_t at = random() % damaged.size();
      switch (random() % 4) {
        case 0:
          damaged[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          damaged.erase(at, random() % 40);
          break;
        case 2:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 200));
          break;
        default:
          damaged.resize(at + 1);
          break;
      }
    }
    ImportOptions options;
    options.inputs = {directory.Write("x.sql", damaged)};
    KeepingSink sink;
    ImportReport report;
    Status status = RunImport(options, &sink, {}, &report);
    ASSERT_TRUE(status.ok() || status.code() == ErrorCode::kBadParams) << status.message();
    for (const TableReport& table : report.tables) {
      ASSERT_EQ(table.rows_read, table.rows_taken + table.rows_refused);
      ASSERT_EQ(table.rows_taken, sink.rows[table.table.name].size());
    }
  }
}

}  // namespace
}  // namespace tokend
