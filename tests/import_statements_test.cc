// Statements of a dump: which of them are rows, and of what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/import_fixture.h"

namespace tokend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using namespace std::string_literals;

// Forms of INSERT

TEST(InsertTest, IsTakenInAllItsForms) {
  for (std::string_view verb :
       {"INSERT INTO", "insert  into", "INSERT", "INSERT IGNORE INTO", "INSERT LOW_PRIORITY INTO",
        "INSERT DELAYED IGNORE", "REPLACE INTO", "REPLACE", "/*!40000 INSERT */ INTO"}) {
    for (std::string_view values : {"VALUES", "VALUE", "values\n\t"}) {
      std::string sql = std::string(kTable) + std::string(verb) + " t " + std::string(values) +
                        "(1,'a',NULL),( 2 , 'b' , 'y' );";
      Outcome outcome = ImportMapped(sql);
      ASSERT_TRUE(outcome.status.ok()) << sql << outcome.status.message();
      EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("b"))) << sql;
      EXPECT_TRUE(outcome.report.complete());
    }
  }
}

TEST(InsertTest, IsTakenWithColumnLists) {
  Outcome outcome =
      ImportMapped(std::string(kTable) +
                   "INSERT INTO `t` (`Token`,`id`) VALUES ('a',1);INSERT INTO t (t.id, "
                   "db.t.token) VALUES (2,'b');"
                   "INSERT INTO t PARTITION (p0, p1) (token) VALUES ROW('c'), ROW('d');"
                   "INSERT INTO t () VALUES ();");
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);  // of the last: no token in it
  EXPECT_THAT(outcome.status.message(), HasSubstr("no column token"));
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("b"), KeyOf("c"), KeyOf("d")));
  EXPECT_EQ(outcome.rows()[1].source_id, "2");
  EXPECT_EQ(outcome.rows()[2].source_id, "");
}

TEST(InsertTest, IsTakenAsSet) {
  Outcome outcome =
      ImportMapped(std::string(kTable) +
                   "INSERT INTO t SET id=1, token='a', x=now();"
                   "REPLACE t SET `token` = 'b', t.x = '' ON DUPLICATE KEY UPDATE x='c';");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("b")));
  EXPECT_EQ(outcome.rows()[0].source_id, "1");
}

TEST(InsertTest, MayUpdateDuplicates) {
  Outcome outcome = ImportMapped(
      std::string(kTable) +
      "INSERT INTO t VALUES (1,'a',''),(2,'b','') AS n ON DUPLICATE KEY UPDATE token='(3,\\'x\\')',"
      "x=VALUES(x);INSERT INTO t VALUES (3,'c','') RETURNING id;");
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("b"), KeyOf("c")));
}

TEST(InsertTest, IsNotExecutedWithSelect) {
  Outcome outcome =
      ImportMapped(std::string(kTable) +
                   "INSERT INTO t SELECT * FROM u;INSERT INTO t (token) SELECT 'x';"
                   "INSERT INTO t (SELECT 1,'y','');INSERT INTO t VALUES (1,'a','');");
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a")));
  EXPECT_EQ(outcome.skipped("INSERT SELECT"), 3u);
  EXPECT_THAT(outcome.report.notes, testing::Contains(HasSubstr("INSERT SELECT of t")));
}

TEST(InsertTest, IsFoundBehindMessagesAndBareUse) {
  Outcome outcome = ImportMapped("mysqldump: [Warning] it's insecure\nUSE a\n" +
                                 std::string(kTable) + "INSERT INTO t VALUES (1,'a','');");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a")));
  EXPECT_EQ(outcome.table().table.database, "a");
  EXPECT_THAT(outcome.report.notes, testing::Contains(HasSubstr("[Warning] it's insecure")));
}

// Values

TEST(ValueTest, IsAnyLiteral) {
  const std::pair<std::string, std::string> cases[] = {
      {"'a' 'b'", "ab"},
      {"'a'\n/* c */ 'b'", "ab"},
      {"0x6162", "ab"},
      {"X'6162'", "ab"},
      {"b'0110000101100010'", "ab"},
      {"_utf8mb4 'ab'", "ab"},
      {"_utf8mb4'caf\xc3\xa9'", "caf\xc3\xa9"},
      {"_latin1 'caf\xe9'", "caf\xc3\xa9"},
      {"_latin1 0x636166e9", "caf\xc3\xa9"},
      {"_binary 'ab'", "ab"},
      {"N'ab'", "ab"},
      {"12", "12"},
      {"-12", "-12"},
      {"+1.50", "1.50"},
      {"TRUE", "1"},
      {"CONVERT('ab' USING utf8mb4)", "ab"},
      {R"('\\\'\"\n')", "\\'\"\n"},
      {R"('\0')", "\0"s},
  };
  for (const auto& [literal, want] : cases) {
    Outcome outcome = ImportOneRow("token text, x int", literal + ", 1", "token=token,use_count=x");
    ASSERT_TRUE(outcome.status.ok()) << literal << outcome.status.message();
    ASSERT_THAT(outcome.keys(), ElementsAre(KeyOf(want))) << literal;
    EXPECT_EQ(outcome.rows()[0].use_count, 1u);
  }
}

TEST(ValueTest, MayBeAnExpressionWhereNobodyLooks) {
  for (const char* value :
       {"NOW()", "f(1,'),(',g(2))", "(1)", "(SELECT max(x) FROM t)", "DEFAULT", "1+1", "-x",
        "NULL IS NULL", "'a' COLLATE utf8mb4_bin", "CONVERT('a', CHAR(3))", "ST_GeomFromText('x')",
        "_utf8 x", "INTERVAL 1 DAY", "@x", "-(-1)", "CASE WHEN 1 THEN (2) END",
        "{d '2020-01-01'}"}) {
    SCOPED_TRACE(value);
    std::string sql = "INSERT INTO t (x,token,y) VALUES (" + std::string(value) + ",'a'," + value +
                      "),(1,'b',2);";
    EXPECT_THAT(ImportMapped(sql).keys(), ElementsAre(KeyOf("a"), KeyOf("b")));
    Outcome wanted = ImportMapped(sql, "token=token,owner=x");
    EXPECT_THAT(wanted.keys(), ElementsAre(KeyOf("b")));
    EXPECT_THAT(wanted.refusals(), ElementsAre("expression:1"));
  }
}

TEST(ValueTest, IsReadByTheModeInForce) {
  Outcome outcome = ImportMapped(
      "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, "
      "SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES' "
      "*/;INSERT INTO t (token) VALUES ('a\\'),('it''s');SET sql_mode=@old_sql_mode;"
      "INSERT INTO t (token) VALUES ('a\\'');SET SESSION sql_mode='ANSI_QUOTES';"
      "INSERT INTO \"t\" (\"token\") VALUES ('b');set @@sql_mode := 1048576;"
      "INSERT INTO t (token) VALUES ('c\\');SET SQL_MODE=DEFAULT;"
      "INSERT INTO t (token) VALUES (\"d\\n\");SET GLOBAL sql_mode='NO_BACKSLASH_ESCAPES';"
      "INSERT INTO t (token) VALUES ('e\\n');");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a\\"), KeyOf("it's"), KeyOf("a'"), KeyOf("b"),
                                          KeyOf("c\\"), KeyOf("d\n"), KeyOf("e\n")));
}

TEST(ValueTest, HasAsManyCellsAsThereAreColumns) {
  Outcome outcome = ImportMapped(
      std::string(kTable) + "INSERT INTO t VALUES (1,'a',''),(2,'b'),(3,'c','',''),(),(4,'d','');");
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("d")));
  EXPECT_THAT(outcome.refusals(), ElementsAre("column_count:3"));
  EXPECT_EQ(outcome.rows()[1].row, 5u);
}

TEST(ValueTest, IsPassedOverWhateverItsSize) {
  const std::string huge(18 << 20, 'x');
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token,owner=owner";
  Outcome outcome =
      ImportText("INSERT INTO t (token,blob_,owner) VALUES ('a','" + huge + "','o'),('b','','" +
                     huge + "'),('" + huge + "','',NULL),('c','',NULL);",
                 options);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("c")));
  EXPECT_THAT(outcome.refusals(), ElementsAre("value_too_long:2"));
}

// Definitions

TEST(DefinitionTest, NamesColumnsInOrder) {
  // Generated and invisible columns count; keys and the like do not.
  Outcome outcome = ImportMapped(
      "CREATE TABLE IF NOT EXISTS `db`.`t` (\n"
      "  `a` enum('x','it''s (,)') CHARACTER SET latin1 DEFAULT 'x' COMMENT 'token,',\n"
      "  `g` varchar(8) GENERATED ALWAYS AS (left(`token`,8)) STORED,\n"
      "  h int AS (1 + (2)) VIRTUAL, i int /*!80023 INVISIBLE */,\n"
      "  period int, `key` int, `token` text NOT NULL CHECK (json_valid(`token`)),\n"
      "  id bigint(20) unsigned NOT NULL DEFAULT (uuid()), j int DEFAULT NULL,\n"
      "  PRIMARY KEY (`id`,`j`) USING BTREE, UNIQUE KEY token (`token`(10) DESC),\n"
      "  KEY k (a,h), FULLTEXT INDEX f (a), CONSTRAINT `c` FOREIGN KEY (a) REFERENCES u (b),\n"
      "  CONSTRAINT CHECK (h > 0), PERIOD FOR SYSTEM_TIME (a, b), INDEX ((a + 1))\n"
      ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='a, b'\n"
      "/*!50100 PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10)) */;\n"
      "INSERT INTO db.t VALUES ('x','g',1,2,3,4,'a',5,6);");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a")));
  EXPECT_EQ(outcome.rows()[0].source_id, "5,6");
  EXPECT_THAT(outcome.table().table.ignored_columns,
              ElementsAre("a", "g", "h", "i", "period", "key"));
}

TEST(DefinitionTest, TellsTheSourceId) {
  EXPECT_EQ(ImportOneRow("id int, token text, PRIMARY KEY (id)", "1,'a'", "token=token")
                .rows()[0]
                .source_id,
            "1");
  EXPECT_EQ(
      ImportOneRow("id int PRIMARY KEY, token text", "1,'a'", "token=token").rows()[0].source_id,
      "1");
  // Never what holds the token.
  EXPECT_EQ(ImportOneRow("id int, token text, PRIMARY KEY (token)", "1,'a'", "token=token")
                .rows()[0]
                .source_id,
            "");
  EXPECT_EQ(ImportOneRow("id int, token text, PRIMARY KEY (id, token)", "1,'a'", "token=token")
                .rows()[0]
                .source_id,
            "");
  EXPECT_EQ(ImportOneRow("id binary(2), token text, PRIMARY KEY (id)", "0x01ff,'a'", "token=token")
                .rows()[0]
                .source_id,
            "01ff");
  EXPECT_EQ(ImportOneRow("id int, token text, x text, PRIMARY KEY (id)", "1,'a','n'",
                         "token=token,source_id=x")
                .rows()[0]
                .source_id,
            "n");
}

TEST(DefinitionTest, KeepsTheTokenToItself) {
  for (const char* field : {"owner", "name", "source_id", "scopes"}) {
    Outcome outcome =
        ImportOneRow("token text", "'secret'", "token=token," + std::string(field) + "=TOKEN");
    EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
    EXPECT_THAT(outcome.status.message(), HasSubstr("holds the token")) << field;
    EXPECT_TRUE(outcome.keys().empty());
  }
}

TEST(DefinitionTest, ComesFromSchemaFiles) {
  TempDirectory directory;
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token";
  // Another database's name, or none, does not matter while the table's is unique.
  for (const char* use : {"", "USE other;", "USE same;"}) {
    options.schema_files = {directory.Write("schema.sql", "USE same;" + std::string(kTable))};
    Outcome outcome = ImportText(std::string(use) + "INSERT INTO t VALUES (1,'a','');", options);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a")));
  }
  // What stands before the rows wins.
  Outcome other = ImportText("CREATE TABLE t (token text);INSERT INTO t VALUES ('b');", options);
  EXPECT_THAT(other.keys(), ElementsAre(KeyOf("b")));

  options.schema_files = {directory.Write("empty.sql", "-- nothing\n")};
  Outcome empty = ImportText("INSERT INTO t VALUES (1,'a','');", options);
  EXPECT_EQ(empty.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(empty.status.message(), HasSubstr("no CREATE TABLE"));
}

TEST(DefinitionTest, IsAskedForWhenMissing) {
  Outcome outcome = ImportMapped("INSERT INTO t VALUES ('a');");
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(outcome.status.message(), HasSubstr("--schema"));
  outcome = ImportMapped("CREATE TABLE t LIKE u;INSERT INTO t VALUES ('a');");
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
}

TEST(DefinitionTest, MayChangeOnTheWay) {
  Outcome outcome = ImportMapped(
      "CREATE TABLE t (token text, x int);INSERT INTO t VALUES ('a',1);DROP TABLE t;"
      "CREATE TABLE t (x int, y int, token text);INSERT INTO t VALUES (1,2,'b');"
      "INSERT INTO t (token) VALUES ('c');INSERT INTO t VALUES (1,2,'d');");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("b"), KeyOf("c"), KeyOf("d")));
  EXPECT_THAT(outcome.report.notes, testing::Contains(HasSubstr("created anew")));
}

// Statements that are not rows

TEST(StatementTest, IsCountedWhenNotExecuted) {
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token) VALUES ('a');UPDATE t SET token='b';DELETE FROM t WHERE token='a';"
      "TRUNCATE TABLE t;ALTER TABLE t ADD x int;ALTER TABLE t DISABLE KEYS;UPDATE u SET x=1;"
      "LOAD DATA INFILE 'x' INTO TABLE t;GRANT ALL ON *.* TO x;LOCK TABLES t WRITE;COMMIT;");
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.skipped("UPDATE"), 2u);
  EXPECT_EQ(outcome.skipped("DELETE"), 1u);
  EXPECT_EQ(outcome.skipped("TRUNCATE"), 1u);
  EXPECT_EQ(outcome.skipped("ALTER TABLE"), 1u);
  EXPECT_EQ(outcome.skipped("GRANT"), 1u);
  EXPECT_EQ(outcome.report.skipped_statements.size(), 6u);
  EXPECT_THAT(outcome.report.notes,
              testing::UnorderedElementsAre(HasSubstr("no column says when"),
                                            HasSubstr("UPDATE of t"), HasSubstr("DELETE of t"),
                                            HasSubstr("TRUNCATE of t"), HasSubstr("LOAD of t")));
  // Emptying a table before its rows is no loss.
  EXPECT_THAT(ImportMapped("DELETE FROM t;INSERT INTO t (token) VALUES ('a');").report.notes,
              ElementsAre(HasSubstr("no column says when")));
}

TEST(StatementTest, OfProgramsGivesNoRows) {
  Outcome outcome = ImportMapped(
      std::string(kTable) +
      "INSERT INTO t VALUES (1,'a','');\nDELIMITER $$\n"
      "CREATE DEFINER=`r`@`l` PROCEDURE p() BEGIN INSERT INTO t VALUES (2,'b',''); END $$\n"
      "CREATE FUNCTION f() RETURNS int BEGIN INSERT INTO t VALUES (3,'c',''); RETURN 1; END$$\n"
      "DELIMITER ;\n/*!50003 CREATE*/ /*!50020 TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET x=1 "
      "*/;\n"
      "CREATE OR REPLACE ALGORITHM=MERGE VIEW v AS SELECT 'INSERT INTO t VALUES "
      "(4,\\'d\\',\\'\\');';"
      "INSERT INTO u VALUES ('x;\nINSERT INTO t VALUES (5,\\'e\\',\\'\\');\n-- Dump completed'),"
      "(\"/* \"),('*/');");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a")));
  EXPECT_EQ(outcome.skipped("CREATE PROCEDURE"), 1u);
  EXPECT_EQ(outcome.skipped("CREATE FUNCTION"), 1u);
  EXPECT_EQ(outcome.skipped("CREATE TRIGGER"), 1u);
  EXPECT_EQ(outcome.skipped("CREATE VIEW"), 1u);
}

// As the programs write them, shortened.
struct Layout {
  const char* program;
  std::string sql;
};

TEST(LayoutTest, OfOtherProgramsAreRead) {
  const Layout layouts[] = {
      {"phpMyAdmin",
       "-- phpMyAdmin SQL Dump\n-- version 5.2.1\n-- https://www.phpmyadmin.net/\n--\n"
       "-- Host: 127.0.0.1:3306\n\nSET SQL_MODE = \"NO_AUTO_VALUE_ON_ZERO\";\n"
       "START TRANSACTION;\nSET time_zone = \"+00:00\";\n\n"
       "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n"
       "/*!40101 SET NAMES utf8mb4 */;\n\n--\n-- Database: `portal`\n--\n\n"
       "CREATE TABLE `api_token` (\n  `id` int(11) NOT NULL,\n  `token` char(64) NOT NULL,\n"
       "  `account_id` bigint(20) NOT NULL,\n  `name` varchar(255) NOT NULL,\n"
       "  `expires_at` timestamp NULL DEFAULT NULL\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n\n"
       "--\n-- Dumping data for table `api_token`\n--\n\n"
       "INSERT INTO `api_token` (`id`, `token`, `account_id`, `name`, `expires_at`) VALUES\n"
       "(1, '" +
           kHexA +
           "', 7, 'it\\'s', '2030-01-01 00:00:00'),\n"
           "(2, '" +
           kHexB +
           "', 8, 'x;\\n', NULL);\n\n"
           "ALTER TABLE `api_token`\n  ADD PRIMARY KEY (`id`),\n  ADD UNIQUE KEY `token` "
           "(`token`);\n"
           "ALTER TABLE `api_token`\n  MODIFY `id` int(11) NOT NULL AUTO_INCREMENT, "
           "AUTO_INCREMENT=3;\n"
           "COMMIT;\n"},
      {"HeidiSQL",
       "-- --------------------------------------------------------\n-- Host:        127.0.0.1\n"
       "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n"
       "/*!40101 SET NAMES utf8 */;\n/*!50503 SET NAMES utf8mb4 */;\n"
       "/*!40103 SET TIME_ZONE='+00:00' */;\n"
       "-- Dumping database structure for portal\nCREATE DATABASE IF NOT EXISTS `portal`;\n"
       "USE `portal`;\n\nCREATE TABLE IF NOT EXISTS `api_token` (\n  `id` int(11) NOT NULL,\n"
       "  `token` char(64) NOT NULL,\n  `account_id` bigint(20) NOT NULL,\n"
       "  `name` varchar(255) NOT NULL,\n  `expires_at` timestamp NULL DEFAULT NULL,\n"
       "  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n\n"
       "-- Dumping data for table portal.api_token: ~2 rows (approximately)\n"
       "DELETE FROM `api_token`;\n"
       "INSERT INTO `api_token` (`id`, `token`, `account_id`, `name`, `expires_at`) VALUES\n"
       "\t(1, '" +
           kHexA +
           "', 7, 'it\\'s', '2030-01-01 00:00:00'),\n"
           "\t(2, '" +
           kHexB + "', 8, 'x;\\n', NULL);\n"},
      {"Navicat",
       "/*\n Navicat Premium Data Transfer\n\n Source Server : x\n Source Schema : portal\n*/\n\n"
       "SET NAMES utf8mb4;\nSET FOREIGN_KEY_CHECKS = 0;\n\n"
       "-- ----------------------------\n-- Table structure for api_token\n"
       "-- ----------------------------\nDROP TABLE IF EXISTS `api_token`;\n"
       "CREATE TABLE `api_token`  (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n"
       "  `token` char(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,\n"
       "  `account_id` bigint(20) NOT NULL,\n  `name` varchar(255) NOT NULL,\n"
       "  `expires_at` timestamp(0) NULL DEFAULT NULL,\n  PRIMARY KEY (`id`) USING BTREE\n"
       ") ENGINE = InnoDB AUTO_INCREMENT = 3 CHARACTER SET = utf8mb4;\n\n"
       "INSERT INTO `api_token` VALUES ('1', '" +
           kHexA +
           "', '7', 'it\\'s', '2030-01-01 00:00:00');\n"
           "INSERT INTO `api_token` VALUES ('2', '" +
           kHexB +
           "', '8', 0x783b0a, NULL);\n"
           "SET FOREIGN_KEY_CHECKS = 1;\n"},
      {"SQLyog",
       "/*\nSQLyog Ultimate v13.1.1 (64 bit)\nMySQL - 5.7.26 : Database - portal\n*/\n\n"
       "/*!40101 SET NAMES utf8 */;\n\n/*!40101 SET SQL_MODE=''*/;\n\n"
       "/*Table structure for table `api_token` */\n\nDROP TABLE IF EXISTS `api_token`;\n\n"
       "CREATE TABLE `api_token` (\n  `id` int(11) NOT NULL,\n  `token` char(64) NOT NULL,\n"
       "  `account_id` bigint(20) NOT NULL,\n  `name` varchar(255) NOT NULL,\n"
       "  `expires_at` timestamp NULL DEFAULT NULL,\n  PRIMARY KEY (`id`)\n);\n\n"
       "/*Data for the table `api_token` */\n\n"
       "insert  into `api_token`(`id`,`token`,`account_id`,`name`,`expires_at`) values \n"
       "(1,'" +
           kHexA +
           "',7,'it\\'s','2030-01-01 00:00:00'),\n"
           "(2,'" +
           kHexB + "',8,'x;\\n',NULL);\n"},
      {"Adminer",
       "-- Adminer 4.8.1 MySQL 8.0.30 dump\n\nSET NAMES utf8;\nSET time_zone = '+00:00';\n"
       "SET foreign_key_checks = 0;\n\nUSE `portal`;\n\n"
       "INSERT INTO `api_token` (`id`, `token`, `account_id`, `name`, `expires_at`) VALUES\n"
       "(1,\t'" +
           kHexA +
           "',\t7,\t'it\\'s',\t'2030-01-01 00:00:00'),\n"
           "(2,\t'" +
           kHexB +
           "',\t8,\t'x;\\n',\tNULL)\n"
           "ON DUPLICATE KEY UPDATE `id` = VALUES(`id`), `token` = VALUES(`token`);\n\n"
           "-- 2026-01-01 00:00:00\n"},
  };
  for (const Layout& layout : layouts) {
    SCOPED_TRACE(layout.program);
    Outcome outcome = ImportText(layout.sql, {});
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    EXPECT_TRUE(outcome.report.complete()) << outcome.report.inputs[0].incomplete_reason;
    const auto& rows = outcome.rows("api_token");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].key, kHexA);
    EXPECT_EQ(rows[0].owner, "7");
    EXPECT_EQ(rows[0].name, "it's");
    EXPECT_EQ(rows[0].expires_at_ms, 1893456000000u);
    EXPECT_EQ(rows[0].source_id, "1");
    EXPECT_EQ(rows[1].key, kHexB);
    EXPECT_EQ(rows[1].name, "x;\n");
    EXPECT_EQ(rows[1].expires_at_ms, kNever);
    EXPECT_EQ(rows[1].source_id, "2");
  }
}

}  // namespace
}  // namespace tokend
