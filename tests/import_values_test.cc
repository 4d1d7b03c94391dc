// Values of a table: what they say of a token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/import_fixture.h"

namespace tokend {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Optional;
using testing::Pair;

using namespace std::string_literals;

// Tokens and keys

TEST(TokenTest, IsTakenToTheByte) {
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token) VALUES ('a'),('A'),('a '),(' a'),('a\\n'),('a\\0'),('12|x');");
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("A"), KeyOf("a "), KeyOf(" a"),
                                          KeyOf("a\n"), KeyOf("a\0"s), KeyOf("12|x")));
}

TEST(TokenTest, IsRefusedWhenItIsNone) {
  std::string longest(65536, 'x');
  Outcome outcome =
      ImportMapped("INSERT INTO t (token) VALUES (NULL),(''),('"s + longest + "'),('" + longest +
                   "x'),"
                   "('$2y$10$" +
                   std::string(53, 'x') +
                   "'),('pbkdf2_sha256$1$a$b'),('$argon2id$v=19$'),"
                   "('$P$" +
                   std::string(31, 'x') + "'),('a'),(NULL);");
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf(longest), KeyOf("a")));
  EXPECT_THAT(outcome.refusals(),
              ElementsAre("null_token:2", "empty_token:1", "token_too_long:1", "password_hash:4"));
  EXPECT_EQ(outcome.table().rows_read, 10u);
  EXPECT_EQ(outcome.table().rows_taken, 2u);
  EXPECT_EQ(outcome.table().rows_refused, 8u);
  const RefusalReport& null_token = outcome.table().refusals[0];
  ASSERT_EQ(null_token.first.size(), 2u);
  EXPECT_EQ(null_token.first[0].row, 1u);
  EXPECT_EQ(null_token.first[0].offset, 29u);
  EXPECT_EQ(null_token.first[1].row, 10u);
}

TEST(TokenTest, MayBeADigestInHex) {
  std::string upper(64, 'A');
  Outcome outcome = ImportMapped("INSERT INTO t (token) VALUES ('" + upper + "'),('" + kHexB +
                                     "'),('" + kHexB.substr(1) + "'),('" + kHexB + "b'),('" +
                                     kHexB.substr(1) + "g'),(''),(NULL);",
                                 "key_hex=token");
  EXPECT_THAT(outcome.keys(), ElementsAre(kHexA, kHexB));
  EXPECT_THAT(outcome.refusals(), ElementsAre("bad_key:3", "empty_token:1", "null_token:1"));
}

TEST(TokenTest, MayBeADigestInBytes) {
  std::string quoted = "'" + std::string(29, '\xbb') + "\\0\\'\\\\'";
  std::string want;
  for (int i = 0; i < 29; ++i) want += "bb";
  want += "00275c";
  // Text settings do not touch bytes.
  Outcome outcome = ImportMapped("SET NAMES latin1;INSERT INTO t (token) VALUES (" + quoted +
                                     "),(_binary " + quoted + "),(0x" + kHexA + "),(X'" + kHexA +
                                     "'),('short'),(0x" + kHexA + "00),(''),(NULL);",
                                 "key_binary=token");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.keys(), ElementsAre(want, want, kHexA, kHexA));
  EXPECT_THAT(outcome.refusals(), ElementsAre("bad_key:2", "empty_token:1", "null_token:1"));
}

TEST(TokenTest, FollowsTheScheme) {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token";
  options.scheme = DigestScheme::kSha256AfterBar;
  Outcome outcome = ImportText("INSERT INTO t (token) VALUES ('12|abc');", options);
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("abc")));
  EXPECT_EQ(outcome.table().table.scheme, DigestScheme::kSha256AfterBar);
}

TEST(TokenTest, FollowsASchemeWithItsSecret) {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token";
  options.scheme = DigestScheme::kHmacSha512WithSecret;
  options.secret = Secret("s3cr3t");
  Outcome outcome = ImportText("INSERT INTO t (token) VALUES ('abc');", options);
  // hmac.new(b"s3cr3t", b"abc", hashlib.sha512).hexdigest()[:64] in Python.
  EXPECT_THAT(outcome.keys(),
              ElementsAre("4542f901fe3f584d12bbbb94338b899c127a6d137e1bf39755aa95db2272fc7f"));
  EXPECT_THAT(outcome.report.notes,
              Contains("t: its tokens are unavailable until the server's configuration has "
                       "[[namespace]] name = \"t\", scheme = \"hmac-sha512-with-secret\", "
                       "secret_file = the path of a file with the secret"));
}

TEST(TokenTest, ThatLooksLikeADigestIsRemarkedUpon) {
  auto notes = [](const std::string& values) {
    return ImportMapped("INSERT INTO t (token) VALUES " + values + ";").report.notes;
  };
  EXPECT_THAT(notes("('" + kHexA + "'),('" + kHexB + "')"), Contains(HasSubstr("key_hex=")));
  EXPECT_THAT(notes("('" + kHexA + "'),('x')"), Not(Contains(HasSubstr("key_hex="))));
}

// Nothing that is told of a refused row may hold its token.
TEST(TokenTest, IsInNoMessage) {
  Outcome outcome = ImportMapped(
      "CREATE TABLE t (token text, x int);INSERT INTO t VALUES ('SECRET1',0),('SECRET2'),"
      "('$2y$10$SECRET" +
          std::string(47, 'x') +
          "',1),('SECRET3',now());UPDATE t SET token='SECRET4';"
          "garbage 'SECRET5';SET x = concat('SECRET6');INSERT INTO t SELECT 'SECRET7';",
      "token=token,expires_at=x");
  std::string all = outcome.status.message();
  for (const std::string& note : outcome.report.notes) all += note;
  for (const SkippedStatements& kind : outcome.report.skipped_statements) all += kind.kind;
  for (const TableReport& table : outcome.report.tables) {
    for (const FieldUse& use : table.table.fields) all += use.field + use.column + use.reading;
  }
  EXPECT_EQ(all.find("SECRET"), std::string::npos) << all;
  EXPECT_EQ(outcome.table().rows_refused, 4u);
}

// Character sets

TEST(CharsetTest, IsThatOfTheClient) {
  auto token = [](const std::string& set, const std::string& value) {
    return ImportMapped(set + "CREATE TABLE t (token text) CHARSET=latin1;INSERT INTO t VALUES (" +
                        value + ");");
  };
  const std::string utf8 = KeyOf("caf\xc3\xa9");
  EXPECT_THAT(token("SET NAMES utf8mb4;", "'caf\xc3\xa9'").keys(), ElementsAre(utf8));
  EXPECT_THAT(token("", "'caf\xc3\xa9'").keys(), ElementsAre(utf8));
  EXPECT_THAT(token("SET NAMES latin1 COLLATE latin1_bin;", "'caf\xe9'").keys(), ElementsAre(utf8));
  EXPECT_THAT(token("SET NAMES 'latin1';", "'caf\xe9'").keys(), ElementsAre(utf8));
  EXPECT_THAT(token("SET character_set_client = latin1;", "'caf\xe9'").keys(), ElementsAre(utf8));
  EXPECT_THAT(token("SET CHARACTER SET latin1;", "'caf\xe9'").keys(), ElementsAre(utf8));
  // Bytes as the column has them.
  EXPECT_THAT(token("SET NAMES binary;", "'caf\xe9'").keys(), ElementsAre(utf8));
  EXPECT_THAT(token("SET NAMES utf8mb4;", "0x636166e9").keys(), ElementsAre(utf8));
  EXPECT_THAT(token("SET NAMES utf8mb4;", "_binary 'caf\xe9'").keys(), ElementsAre(utf8));
  // Saved and restored as dumps do it.
  EXPECT_THAT(
      token("SET NAMES latin1;SET @c=@@character_set_client;SET character_set_client=utf8mb4;"
            "SET character_set_client=@c;",
            "'caf\xe9'")
          .keys(),
      ElementsAre(utf8));
  EXPECT_THAT(token("SET NAMES utf8mb4;", "'caf\xe9'").refusals(), ElementsAre("bad_text:1"));
  EXPECT_THAT(token("SET NAMES koi8r;", "'caf\xc3'").refusals(), ElementsAre("bad_charset:1"));
  EXPECT_THAT(token("SET NAMES koi8r;", "'cafe'").keys(), ElementsAre(KeyOf("cafe")));
}

TEST(CharsetTest, IsThatOfTheColumnBeforeThatOfTheTable) {
  for (const char* table :
       {"(token text CHARACTER SET latin1) DEFAULT CHARSET=utf8mb4",
        "(token text COLLATE latin1_bin) CHARSET utf8mb4", "(token text CHARSET latin1)",
        "(token text) COLLATE=latin1_swedish_ci", "(token text) DEFAULT CHARACTER SET = latin1",
        "(token text CHARSET latin1 COLLATE latin1_bin) CHARSET=utf8mb4 COLLATE=utf8mb4_bin"}) {
    Outcome outcome = ImportMapped("SET NAMES binary;CREATE TABLE t " + std::string(table) +
                                   ";INSERT INTO t VALUES (\"caf\xe9\");");
    EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("caf\xc3\xa9"))) << table;
  }
}

TEST(CharsetTest, ThatHidesBackslashesEndsTheImport) {
  Outcome outcome = ImportMapped("SET NAMES gbk;INSERT INTO t (token) VALUES ('a');");
  EXPECT_FALSE(outcome.status.ok());
  EXPECT_THAT(outcome.status.message(), HasSubstr("SET NAMES gbk"));
  // Around triggers only it does no harm.
  EXPECT_TRUE(
      ImportMapped("SET NAMES gbk;SET NAMES utf8;INSERT INTO t (token) VALUES ('a');").status.ok());
}

TEST(CharsetTest, LeavesBinaryColumnsAlone) {
  Outcome outcome = ImportMapped(
      "SET NAMES utf8mb4;CREATE TABLE t (token varbinary(20), owner binary(3), name varbinary(9));"
      "INSERT INTO t VALUES ('\xff\xfe','\\0\xab\xcd','n'),(0xff,0x000102,'\xff');",
      "token=token,owner=owner,name=name");
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("\xff\xfe"), KeyOf("\xff")));
  EXPECT_EQ(outcome.rows()[0].owner, "00abcd");
  EXPECT_EQ(outcome.rows()[0].name, "n");
  EXPECT_EQ(outcome.rows()[1].owner, "000102");
  EXPECT_EQ(outcome.rows()[1].name, std::nullopt);
  ASSERT_EQ(outcome.table().left_out.size(), 1u);
  EXPECT_EQ(outcome.table().left_out[0].field, "name");
}

// Times

TEST(ExpiryTest, IsReadByTheColumnsType) {
  const uint64_t want = 1924997400000;  // 2031-01-01 01:30:00 UTC
  const std::pair<std::string, std::string> cases[] = {
      {"datetime", "'2031-01-01 01:30:00'"},
      {"datetime(6)", "'2031-01-01 01:30:00.000999'"},
      {"timestamp NULL", "'2031-01-01 01:30:00'"},
      {"datetime", "20310101013000"},
      {"varchar(30)", "'2031-01-01T01:30:00Z'"},
      {"varchar(30)", "'1924997400'"},
      {"varchar(30)", "'20310101013000'"},
      {"int unsigned", "1924997400"},
      {"int(11)", "'1924997400'"},
      {"bigint", "1924997400000"},
      {"decimal(16,3)", "1924997400.000"},
      {"double", "1924997400"},
  };
  for (const auto& [type, value] : cases) {
    Outcome outcome =
        ImportOneRow("token text, e " + type, "'a'," + value, "token=token,expires_at=e");
    ASSERT_EQ(outcome.rows().size(), 1u) << type << " " << value;
    EXPECT_EQ(outcome.rows()[0].expires_at_ms, want) << type << " " << value;
  }
  auto expiry = [](const std::string& type, const std::string& value,
                   const std::string& reading = "") {
    Outcome outcome =
        ImportOneRow("token text, e " + type, "'a'," + value, "token=token,expires_at=e" + reading);
    return outcome.rows().empty() ? outcome.refusals()[0]
                                  : std::to_string(outcome.rows()[0].expires_at_ms);
  };
  EXPECT_EQ(expiry("date", "'2031-01-01'"), "1924992000000");
  EXPECT_EQ(expiry("datetime", "'9999-12-31 23:59:59'"), "253402300799000");
  EXPECT_EQ(expiry("datetime", "'1969-01-01 00:00:00'"), "0");
  EXPECT_EQ(expiry("bigint", "5000", ":epoch_ms"), "5000");
  EXPECT_EQ(expiry("bigint", "500000000000", ":epoch_s"), "500000000000000");
  EXPECT_EQ(expiry("bigint", "20310101013000", ":datetime"), "1924997400000");
  EXPECT_EQ(expiry("bigint", "-5"), "0");
  EXPECT_EQ(expiry("datetime", "NULL"), std::to_string(kNever));
  EXPECT_EQ(expiry("datetime", "'0000-00-00 00:00:00'"), "zero_date:1");
  EXPECT_EQ(expiry("int", "0"), "zero_date:1");
  EXPECT_EQ(expiry("varchar(9)", "''"), "bad_time:1");
  EXPECT_EQ(expiry("varchar(9)", "'soon'"), "bad_time:1");
  EXPECT_EQ(expiry("bigint unsigned", "18446744073709551615"), "bad_time:1");
  EXPECT_EQ(expiry("datetime", "DEFAULT"), "expression:1");
}

TEST(ExpiryTest, OfZeroMayMeanNever) {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token,expires_at=e";
  options.zero_dates = ZeroDates::kTakeAsNever;
  Outcome outcome =
      ImportText("INSERT INTO t (token,e) VALUES ('a','0000-00-00'),('b',0),('c','x');", options);
  ASSERT_EQ(outcome.rows().size(), 2u);
  EXPECT_EQ(outcome.rows()[0].expires_at_ms, kNever);
  EXPECT_EQ(outcome.rows()[1].expires_at_ms, kNever);
  EXPECT_EQ(outcome.table().rows_never, 2u);
  EXPECT_THAT(outcome.refusals(), ElementsAre("bad_time:1"));
}

TEST(TokenTest, ThatItsDatabaseTakesForAnotherIsListed) {
  const auto import = [](const std::string& column, const std::string& options) {
    return ImportMapped("CREATE TABLE t (id int, token " + column + ") " + options +
                        ";INSERT INTO t (token) VALUES ('aB1'),('x'),('ab1'),('aB1'),('AB1  ');");
  };
  const struct {
    std::string column, options, collation;
  } loose[] = {
      {"varchar(64)", "", "the default collation"},
      {"text", "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", "utf8mb4"},
      {"varchar(64)", "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci", "utf8mb4_0900_ai_ci"},
      {"varchar(64) COLLATE utf8mb4_unicode_ci", "COLLATE=utf8mb4_bin", "utf8mb4_unicode_ci"},
      {"varchar(64) CHARACTER SET latin1", "COLLATE=utf8mb4_bin", "latin1"},
  };
  for (const auto& test : loose) {
    SCOPED_TRACE(test.column + " " + test.options);
    const Outcome outcome = import(test.column, test.options);
    const TableReport& report = outcome.report.tables.at(0);
    EXPECT_EQ(report.rows_taken, 5u);  // all of them are tokens
    EXPECT_EQ(report.loose_collation, test.collation);
    ASSERT_EQ(report.equal_tokens, 2u);
    EXPECT_TRUE(report.equal_tokens_are_all);
    EXPECT_EQ(report.first_equal_tokens[0].row, 3u);
    EXPECT_EQ(report.first_equal_tokens[0].earlier_row, 1u);
    EXPECT_EQ(report.first_equal_tokens[1].row, 5u);
    EXPECT_EQ(report.first_equal_tokens[1].earlier_row, 1u);
    EXPECT_THAT(outcome.report.notes, Contains(HasSubstr(test.collation)));
  }
  for (const auto& [column, options] : std::vector<std::pair<std::string, std::string>>{
           {"varchar(64) COLLATE utf8mb4_bin", ""},
           {"varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "COLLATE=utf8mb4_general_ci"},
           {"varchar(64)", "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"},
           {"varchar(64)", "COLLATE=latin1_general_cs"},
           {"varbinary(64)", ""},
           {"varchar(64) CHARACTER SET binary", ""}}) {
    SCOPED_TRACE(column + " " + options);
    const TableReport report = import(column, options).report.tables.at(0);
    EXPECT_EQ(report.loose_collation, "");
    EXPECT_EQ(report.equal_tokens, 0u);
  }
}

TEST(NamespaceTest, IsNamedByAColumn) {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token,namespace=tenant";
  const std::string sql =
      "CREATE TABLE t (token varchar(9) COLLATE utf8mb4_bin, tenant varchar(300));INSERT INTO t "
      "VALUES ('a','acme'),('b','other'),('c',NULL),('d',''),('e','acme'),('f',7),('g','x\x01');";
  Outcome outcome = ImportText(sql, options);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
  EXPECT_THAT(outcome.sink.keys_in, ElementsAre(Pair("7", ElementsAre(KeyOf("f"))),
                                                Pair("acme", ElementsAre(KeyOf("a"), KeyOf("e"))),
                                                Pair("other", ElementsAre(KeyOf("b")))));
  const TableReport& report = outcome.table();
  EXPECT_EQ(report.table.namespace_name, "");
  EXPECT_EQ(report.rows_read, 7u);
  EXPECT_EQ(report.rows_taken, 4u);
  EXPECT_THAT(outcome.refusals(), ElementsAre("bad_namespace:3"));
  ASSERT_EQ(report.namespaces.size(), 3u);
  EXPECT_EQ(report.namespaces[0].name, "acme");
  EXPECT_EQ(report.namespaces[0].rows_taken, 2u);
  // Each is an import of its own.
  ASSERT_EQ(outcome.sink.tables.size(), 3u);
  std::set<size_t> indexes{report.table.index};
  for (const TableInfo& info : outcome.sink.tables) indexes.insert(info.index);
  for (const TableReport::Namespace& part : report.namespaces) {
    EXPECT_EQ(indexes.count(part.index), 1u);
  }
  EXPECT_EQ(indexes.size(), 4u);
}

TEST(NamespaceTest, IsNamedByAColumnOfAKnownTableToo) {
  ImportOptions options;
  options.namespace_column = "account_id";
  const std::string sql =
      "CREATE TABLE pm_api_token (id int, token text COLLATE utf8mb4_bin, expires datetime, "
      "created_at datetime, updated_at datetime, account_id int);INSERT INTO pm_api_token VALUES "
      "(1,'a','2031-01-01 00:00:00',NULL,NULL,5),(2,'b','2031-01-01 00:00:00',NULL,NULL,6);";
  EXPECT_THAT(ImportText(sql, options).sink.keys_in,
              ElementsAre(Pair("5", ElementsAre(KeyOf("a"))), Pair("6", ElementsAre(KeyOf("b")))));
  options.namespace_column = "no_such";
  EXPECT_THAT(ImportText(sql, options).report.skipped_tables.at(0).reason,
              HasSubstr("no column no_such"));
  options.namespace_name = "n";
  EXPECT_THAT(ImportText(sql, options).status.message(), HasSubstr("--namespace-column"));
}

// A column of the wrong kind, such as the token's id, is noticed before there are millions.
TEST(NamespaceTest, OneColumnNamesAThousandAtTheMost) {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token,namespace=id";
  for (const int count : {1000, 1001}) {
    std::string sql = "CREATE TABLE t (token varchar(9) COLLATE utf8mb4_bin, id int);";
    for (int i = 0; i < count; ++i) {
      sql += "INSERT INTO t VALUES ('t" + std::to_string(i) + "'," + std::to_string(i) + ");";
    }
    const Outcome outcome = ImportText(sql, options);
    EXPECT_EQ(outcome.status.ok(), count == 1000) << outcome.status.message();
  }
}

TEST(ExpiryTest, IsInTheZoneThatHoldsForItsType) {
  const std::string table =
      "CREATE TABLE t (token text COLLATE utf8mb4_bin, s timestamp NULL, d datetime);"
      "INSERT INTO t VALUES ('a','2031-01-01 02:30:00','2031-01-01 02:30:00');";
  constexpr uint64_t kUtc = 1925001000000;
  constexpr uint64_t kHour = 3600 * 1000;
  struct Case {
    std::string set, option;
    uint64_t timestamp, datetime;
    size_t notes;
  };
  for (const Case& test : {
           Case{"", "", kUtc, kUtc, 2},
           Case{"", "+01:00", kUtc - kHour, kUtc - kHour, 0},
           Case{"/*!40103 SET TIME_ZONE='+00:00' */;", "", kUtc, kUtc, 1},
           Case{"/*!40103 SET TIME_ZONE='+00:00' */;", "+01:00", kUtc, kUtc - kHour, 0},
           Case{"SET time_zone='Europe/Berlin';", "", kUtc - kHour, kUtc, 1},
           Case{"SET time_zone='SYSTEM';", "+01:00", kUtc - kHour, kUtc - kHour, 0},
           Case{
               "SET TIME_ZONE='+02:00';SET @z=@@TIME_ZONE;SET TIME_ZONE='+03:00';SET TIME_ZONE=@z;",
               "", kUtc - 2 * kHour, kUtc, 1},
       }) {
    ImportOptions options;
    options.tables = {"t"};
    options.time_zone = test.option;
    SCOPED_TRACE(test.set + " " + test.option);
    options.columns = "token=token,expires_at=s,created_at=d";
    Outcome outcome = ImportText(test.set + table, options);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    EXPECT_EQ(outcome.rows()[0].expires_at_ms, test.timestamp);
    EXPECT_THAT(outcome.rows()[0].created_at_ms, Optional(test.datetime));
    EXPECT_EQ(outcome.report.notes.size(), test.notes);
  }
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token,expires_at=s";
  EXPECT_EQ(ImportText("SET time_zone='Nowhere/Land';" + table, options).status.code(),
            ErrorCode::kBadParams);
  options.columns = "token=token,expires_at=d";
  EXPECT_TRUE(ImportText("SET time_zone='Nowhere/Land';" + table, options).status.ok());
}

TEST(ExpiryTest, IsDescribed) {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token,expires_at=s,created_at=d,updated_at=i";
  Outcome outcome = ImportText(
      "SET TIME_ZONE='+00:00';CREATE TABLE t (token text, s timestamp NULL, d datetime(3), i int);"
      "INSERT INTO t VALUES ('a',NULL,NULL,NULL);",
      options);
  std::vector<std::string> readings;
  for (const FieldUse& use : outcome.table().table.fields) readings.push_back(use.reading);
  EXPECT_THAT(readings,
              ElementsAre("in clear; kept as sha256", "timestamp in +00:00 (as the dump says)",
                          "datetime in UTC (not told otherwise)",
                          "int, epoch seconds, or milliseconds above 100000000000"));
}

TEST(OtherTimesTest, AreLeftOutWhenOfNoUse) {
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token,c,u,l,n) VALUES ('a','2031-01-01','x','0000-00-00','-1'),"
      "('b',NULL,NULL,NULL,'5');",
      "token=token,created_at=c,updated_at=u,last_used_at=l,use_count=n");
  ASSERT_EQ(outcome.rows().size(), 2u);
  EXPECT_THAT(outcome.rows()[0].created_at_ms, Optional(1924992000000u));
  EXPECT_EQ(outcome.rows()[0].updated_at_ms, std::nullopt);
  EXPECT_EQ(outcome.rows()[0].last_used_at_ms, std::nullopt);
  EXPECT_EQ(outcome.rows()[0].use_count, 0u);
  EXPECT_EQ(outcome.rows()[1].use_count, 5u);
  std::vector<std::string> left_out;
  for (const TableReport::LeftOut& field : outcome.table().left_out) {
    left_out.push_back(field.field + ":" + std::to_string(field.rows));
  }
  EXPECT_THAT(left_out, ElementsAre("updated_at:1", "use_count:1"));
}

// Revocation

TEST(RevokedTest, IsToldByFlagsOfAnyKind) {
  auto state = [](const std::string& type, const std::string& value, const std::string& field) {
    Outcome outcome = ImportOneRow("token text, f " + type, "'a'," + value, "token=token," + field);
    if (outcome.rows().empty()) return outcome.refusals()[0];
    return outcome.rows()[0].revoked ? "revoked"s : "live"s;
  };
  for (const auto& [type, value] :
       std::vector<std::pair<std::string, std::string>>{{"tinyint(1)", "1"},
                                                        {"tinyint(1)", "'1'"},
                                                        {"tinyint", "-1"},
                                                        {"bit(1)", "_binary '\x01'"},
                                                        {"bit(1)", "'\x01'"},
                                                        {"bit(1)", "0x01"},
                                                        {"bit(1)", "b'1'"},
                                                        {"bit(8)", "'0'"},
                                                        {"bool", "TRUE"},
                                                        {"varchar(5)", "'true'"},
                                                        {"char(1)", "'Y'"},
                                                        {"enum('t','f')", "'t'"}}) {
    EXPECT_EQ(state(type, value, "revoked=f"), "revoked") << type << value;
    EXPECT_EQ(state(type, value, "active=f"), "live") << type << value;
  }
  for (const auto& [type, value] :
       std::vector<std::pair<std::string, std::string>>{{"tinyint(1)", "0"},
                                                        {"tinyint(1)", "'0'"},
                                                        {"bit(1)", "_binary '\\0'"},
                                                        {"bit(1)", "'\\0'"},
                                                        {"bit(1)", "0x00"},
                                                        {"bit(1)", "b'0'"},
                                                        {"bit(4)", "''"},
                                                        {"bool", "FALSE"},
                                                        {"varchar(5)", "'No'"},
                                                        {"varchar(5)", "''"},
                                                        {"tinyint", "NULL"}}) {
    EXPECT_EQ(state(type, value, "revoked=f"), "live") << type << value;
    EXPECT_EQ(state(type, value, "active=f"), "revoked") << type << value;
  }
  EXPECT_EQ(state("varchar(9)", "'maybe'", "revoked=f"), "bad_flag:1");
  EXPECT_EQ(state("int", "'x'", "revoked=f"), "bad_flag:1");

  EXPECT_EQ(state("datetime", "NULL", "revoked_at=f"), "live");
  EXPECT_EQ(state("datetime", "'0000-00-00 00:00:00'", "revoked_at=f"), "live");
  EXPECT_EQ(state("int", "0", "revoked_at=f"), "live");
  EXPECT_EQ(state("datetime", "'2020-01-01 00:00:00'", "revoked_at=f"), "revoked");
  EXPECT_EQ(state("datetime", "'2099-01-01 00:00:00'", "revoked_at=f"), "revoked");
  EXPECT_EQ(state("datetime", "'garbage'", "revoked_at=f"), "revoked");

  EXPECT_EQ(state("varchar(9)", "'active'", "status=f"), "live");
  EXPECT_EQ(state("varchar(9)", "'Revoked'", "status=f"), "revoked");
  EXPECT_EQ(state("varchar(9)", "'pending'", "status=f"), "bad_flag:1");
  EXPECT_EQ(state("varchar(9)", "NULL", "status=f"), "bad_flag:1");
  EXPECT_EQ(state("varchar(9)", "'on'", "status=f:on/OK"), "live");
  EXPECT_EQ(state("varchar(9)", "'ok'", "status=f:on/OK"), "live");
  EXPECT_EQ(state("varchar(9)", "'active'", "status=f:on/OK"), "revoked");
  EXPECT_EQ(state("varchar(9)", "NULL", "status=f:on/OK"), "revoked");
}

TEST(RevokedTest, HoldsWhenAnyColumnSaysSo) {
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token,r,s,d) VALUES ('a',0,'active',NULL),('b',1,'active',NULL),"
      "('c',0,'revoked',NULL),('d',0,'active','2020-01-01');",
      "token=token,revoked=r,status=s,revoked_at=d");
  std::vector<bool> revoked;
  for (const GotRow& row : outcome.rows()) revoked.push_back(row.revoked);
  EXPECT_THAT(revoked, ElementsAre(false, true, true, true));
  EXPECT_EQ(outcome.table().rows_revoked, 3u);
}

// Owners, names, scopes

TEST(OwnerTest, IsTextOrNumberOrBytes) {
  std::string longest(1024, 'o');
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token,o) VALUES ('a',18446744073709551615),('b','x y'),"
      "('c',''),('d',NULL),('e',0x00ff),('f','" +
          longest + "'),('g','" + longest + "o'),('h','\xff');",
      "token=token,owner=o");
  ASSERT_EQ(outcome.rows().size(), 6u);
  EXPECT_THAT(outcome.rows()[0].owner, Optional("18446744073709551615"s));
  EXPECT_THAT(outcome.rows()[1].owner, Optional("x y"s));
  EXPECT_THAT(outcome.rows()[2].owner, Optional(""s));
  EXPECT_EQ(outcome.rows()[3].owner, std::nullopt);
  EXPECT_THAT(outcome.rows()[4].owner, Optional("00ff"s));
  EXPECT_THAT(outcome.rows()[5].owner, Optional(longest));
  EXPECT_THAT(outcome.refusals(), ElementsAre("owner_too_long:1", "bad_text:1"));
  EXPECT_EQ(ImportOneRow("token text, o varbinary(9)", "'a','bc'", "token=token,owner=o:hex")
                .rows()[0]
                .owner,
            "6263");
  EXPECT_EQ(ImportOneRow("token text, o binary(2)", "'a','bc'", "token=token,owner=o:text")
                .rows()[0]
                .owner,
            "bc");
}

TEST(ScopesTest, AreRefusedWhenNotUnderstood) {
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token,s) VALUES ('a','r w'),('b','[\\\"x\\\"]'),('c',NULL),('d','[1]');",
      "token=token,scopes=s");
  ASSERT_EQ(outcome.rows().size(), 3u);
  EXPECT_THAT(outcome.rows()[0].scopes, ElementsAre("r", "w"));
  EXPECT_THAT(outcome.rows()[1].scopes, ElementsAre("x"));
  EXPECT_THAT(outcome.rows()[2].scopes, IsEmpty());
  EXPECT_THAT(outcome.refusals(), ElementsAre("bad_scopes:1"));
}

TEST(ExpiresInTest, CountsFromCreation) {
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token,c,s) VALUES ('a','2030-01-01 00:00:00',7200),"
      "('b','2030-01-01 00:00:00',NULL),('c','2030-01-01 00:00:00','0'),('d',NULL,5),"
      "('e','2030-01-01 00:00:00',-1),('f','2030-01-01 00:00:00','1h'),"
      "('g','2030-01-01 00:00:00',99999999999999999),('h','0000-00-00 00:00:00',5);",
      "token=token,created_at=c,expires_in=s");
  ASSERT_EQ(outcome.rows().size(), 3u);
  constexpr uint64_t kCreatedMs = 1893456000000;
  EXPECT_EQ(outcome.rows()[0].expires_at_ms, kCreatedMs + 7'200'000);
  EXPECT_EQ(outcome.rows()[1].expires_at_ms, kNever);
  EXPECT_EQ(outcome.rows()[2].expires_at_ms, kCreatedMs);
  EXPECT_THAT(outcome.refusals(), ElementsAre("bad_time:5"));
}

TEST(TypeTest, IsKeptAndToldWhereThereAreSeveral) {
  Outcome outcome = ImportMapped(
      "INSERT INTO t (token,k) VALUES ('a','access'),('b','refresh'),('c',NULL),('d','access');",
      "token=token,type=k");
  ASSERT_EQ(outcome.rows().size(), 4u);
  EXPECT_EQ(outcome.rows()[0].attributes,
            "\x81\xa4type\xa6"
            "access");
  EXPECT_EQ(outcome.rows()[1].attributes, "\x81\xa4type\xa7refresh");
  EXPECT_EQ(outcome.rows()[2].attributes, "");
  EXPECT_THAT(outcome.report.notes,
              Contains("t: k has more than one value (access 2, refresh 1), and rows of each are "
                       "taken; if not all of them are to be let in, say --where k=access"));
  EXPECT_THAT(
      ImportMapped("INSERT INTO t (token,k) VALUES ('a','x'),('b','x');", "token=token,type=k")
          .report.notes,
      Not(Contains(HasSubstr("more than one value"))));
}

TEST(KeyBase64Test, TakesBothAlphabetsPaddedOrNot) {
  // Of 32 bytes 0xfb.
  const std::string hex = [] {
    std::string all;
    for (int i = 0; i < 32; ++i) all += "fb";
    return all;
  }();
  const std::string usual = "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s";
  std::string of_urls = usual;
  for (char& c : of_urls) c = c == '+' ? '-' : c == '/' ? '_' : c;
  for (const std::string& text : {usual, usual + "=", of_urls, of_urls + "="}) {
    Outcome outcome = ImportMapped("INSERT INTO t (k) VALUES ('" + text + "');", "key_base64=k");
    EXPECT_EQ(outcome.keys(), std::vector<std::string>{hex}) << text;
  }
  Outcome outcome = ImportMapped("INSERT INTO t (k) VALUES ('" + usual.substr(1) + "'),('" + usual +
                                     "A'),('*" + usual.substr(1) + "'),(''),(NULL);",
                                 "key_base64=k");
  EXPECT_THAT(outcome.refusals(), ElementsAre("bad_key:3", "empty_token:1", "null_token:1"));
}

TEST(WhereTest, TakesRowsThatMeetEveryCondition) {
  ImportOptions options;
  options.tables = {"t"};
  options.columns = "token=token";
  options.conditions = {"k=access,NULL", "n=1"};
  Outcome outcome = ImportText(
      "INSERT INTO t (token,k,n) VALUES ('a','access',1),('b','refresh',1),('c',NULL,'1'),"
      "('d','access',2),('','refresh',1),('e','access');",
      options);
  EXPECT_THAT(outcome.keys(), ElementsAre(KeyOf("a"), KeyOf("c")));
  EXPECT_EQ(outcome.table().rows_read, 6u);
  EXPECT_EQ(outcome.table().rows_not_selected, 3u);
  EXPECT_THAT(outcome.refusals(), ElementsAre("column_count:1"));
  options.conditions = {"nowhere=1"};
  EXPECT_THAT(ImportText("INSERT INTO t (token) VALUES ('a');", options).status.message(),
              HasSubstr("no column nowhere"));
  for (const char* wrong : {"k", "=x", ""}) {
    options.conditions = {wrong};
    EXPECT_THAT(ImportText("", options).status.message(), HasSubstr("COLUMN=VALUE")) << wrong;
  }
}

}  // namespace
}  // namespace tokend
