#include "import/sql_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace tokend {
namespace {

using testing::ElementsAre;

using namespace std::string_literals;

// Tokens as short text: w:INSERT n:`name` s:string h:hex b:bits #:number @:variable, one byte as it
// is, and ";" for a delimiter, whatever it is.
std::string Show(const SqlToken& token) {
  std::string text(token.text);
  switch (token.kind) {
    case SqlTokenKind::kEnd:
      return "END";
    case SqlTokenKind::kDelimiter:
      return ";";
    case SqlTokenKind::kWord:
      return "w:" + text;
    case SqlTokenKind::kName:
      return "n:" + text;
    case SqlTokenKind::kString:
      return "s:" + text;
    case SqlTokenKind::kHex:
      return "h:" + text;
    case SqlTokenKind::kBit:
      return "b:" + text;
    case SqlTokenKind::kNumber:
      return "#:" + text;
    case SqlTokenKind::kVariable:
      return "@:" + text;
    case SqlTokenKind::kPunct:
      return std::string(1, token.punct);
  }
  return "?";
}

struct Options {
  size_t step = SIZE_MAX;
  size_t value_bytes_max = 1 << 20;
  bool backslash_escapes = true;
  bool ansi_quotes = false;
};

struct Reading {
  std::vector<std::string> tokens;
  std::vector<std::string> remarks;  // "-" in front of those within a statement
  std::vector<std::string> messages;
  std::vector<uint64_t> offsets;
  bool ended_within = false;

  friend bool operator==(const Reading&, const Reading&) = default;
};

class Listener : public SqlListener {
 public:
  explicit Listener(Reading* reading) : reading_(reading) {}
  void OnComment(std::string_view text, bool between) override {
    reading_->remarks.push_back((between ? "" : "-") + std::string(text));
  }
  void OnMessage(std::string_view line, bool between) override {
    reading_->messages.push_back((between ? "" : "-") + std::string(line));
  }

 private:
  Reading* reading_;
};

// Each read lands in a block of its exact size's window, so that reading past it is caught.
Reading ReadAll(std::string_view sql, const Options& options = {}) {
  auto exact = std::make_unique<char[]>(sql.size());
  sql.copy(exact.get(), sql.size());
  MemorySource source({exact.get(), sql.size()}, options.step);
  Reading reading;
  Listener listener(&reading);
  SqlTokenizer::Options limits;
  limits.window_bytes = 1;
  limits.value_bytes_max = options.value_bytes_max;
  SqlTokenizer tokenizer(&source, limits, &listener);
  tokenizer.set_backslash_escapes(options.backslash_escapes);
  tokenizer.set_ansi_quotes(options.ansi_quotes);
  while (tokenizer.Next().kind != SqlTokenKind::kEnd) {
    reading.tokens.push_back(Show(tokenizer.token()));
    reading.offsets.push_back(tokenizer.token().offset);
  }
  EXPECT_TRUE(tokenizer.status().ok());
  EXPECT_EQ(tokenizer.Next().kind, SqlTokenKind::kEnd) << "the end is not final";
  reading.ended_within = tokenizer.ended_within();
  return reading;
}

std::vector<std::string> Tokens(std::string_view sql, const Options& options = {}) {
  return ReadAll(sql, options).tokens;
}

TEST(SqlTokenizerTest, TellsKindsApart) {
  EXPECT_THAT(Tokens("INSERT `a``b` 'x' 12 @v @@GLOBAL.x ,;"),
              ElementsAre("w:INSERT", "n:a`b", "s:x", "#:12", "@:@v", "@:@@GLOBAL.x", ",", ";"));
}

TEST(SqlTokenizerTest, DecodesEscapes) {
  EXPECT_THAT(Tokens(R"('\0\n\r\t\b\Z\\\'\"\%\_\x')"),
              ElementsAre("s:\0\n\r\t\b\x1a\\'\"\\%\\_x"s));
  EXPECT_THAT(Tokens("'a''b' \"a\"\"b\" 'a\"b'"), ElementsAre("s:a'b", "s:a\"b", "s:a\"b"));
  EXPECT_THAT(Tokens("'\xff\x01\t'"), ElementsAre("s:\xff\x01\t"));
  EXPECT_THAT(Tokens("''''"), ElementsAre("s:'"));
  EXPECT_THAT(Tokens("''"), ElementsAre("s:"));
  EXPECT_THAT(Tokens("'a' 'b'"), ElementsAre("s:a", "s:b"));
}

TEST(SqlTokenizerTest, KeepsBackslashesWhenTheModeSaysSo) {
  Options options;
  options.backslash_escapes = false;
  EXPECT_THAT(Tokens(R"('a\' 'it''s' '\\' "\")", options),
              ElementsAre("s:a\\", "s:it's", "s:\\\\", "s:\\"));
}

TEST(SqlTokenizerTest, ReadsDoubleQuotesAsNamesUnderAnsiQuotes) {
  Options options;
  options.ansi_quotes = true;
  EXPECT_THAT(Tokens(R"("a""b" 'c\'d' "x\")", options), ElementsAre("n:a\"b", "s:c'd", "n:x\\"));
}

TEST(SqlTokenizerTest, ReadsHexAndBits) {
  EXPECT_THAT(Tokens("0x4a4B X'4A' x'' 0xABC 0x X'zz'"),
              ElementsAre("h:JK", "h:J", "h:", "h:\x0a\xbc", "#:0", "w:x", "h:"));
  EXPECT_THAT(Tokens("0b1 b'0' B'100000001' b'' 0b2"),
              ElementsAre("b:\x01", "b:\0"s, "b:\x01\x01", "b:", "#:0", "w:b2"));
}

TEST(SqlTokenizerTest, ReadsNumbers) {
  EXPECT_THAT(Tokens("0 -1 +2.50 .5 1e3 1E-3 2e+1 1e 7.)"),
              ElementsAre("#:0", "-", "#:1", "+", "#:2.50", "#:.5", "#:1e3", "#:1E-3", "#:2e+1",
                          "#:1", "w:e", "#:7.", ")"));
}

TEST(SqlTokenizerTest, ReadsIntroducersAsWordsBeforeStrings) {
  EXPECT_THAT(Tokens("_binary'a\\0' _utf8mb4 'b' N'c' n'd'"),
              ElementsAre("w:_binary", "s:a\0"s, "w:_utf8mb4", "s:b", "s:c", "s:d"));
}

TEST(SqlTokenizerTest, ReadsVariablesInQuotes) {
  EXPECT_THAT(Tokens("DEFINER=`root`@`local;host` @'a b'"),
              ElementsAre("w:DEFINER", "=", "n:root", "@:@local;host", "@:@a b"));
}

TEST(SqlTokenizerTest, PassesCommentsOver) {
  Reading reading = ReadAll(
      "-- one\n# two\n/* three; * */ a --5 -- four\n--\tfive\n/*M!100616 SET x */ b;--\n-- last");
  EXPECT_THAT(reading.tokens, ElementsAre("w:a", "-", "-", "#:5", "w:b", ";"));
  EXPECT_THAT(reading.remarks, ElementsAre(" one", " two", " three; * ", "- four", "-\tfive",
                                           "-M!100616 SET x ", "", " last"));
  EXPECT_FALSE(reading.ended_within);
}

TEST(SqlTokenizerTest, ReadsExecutableComments) {
  EXPECT_THAT(Tokens("/*!40101 SET NAMES x */;/*!50003 CREATE*/ /*!50017 D*/ /*! T '*/' */;"),
              ElementsAre("w:SET", "w:NAMES", "w:x", ";", "w:CREATE", "w:D", "w:T", "s:*/", ";"));
  EXPECT_THAT(Tokens("/*!1 a /* b */ c */ * /d"), ElementsAre("w:a", "w:c", "*", "/", "w:d"));
  Reading sandbox = ReadAll("/*!999999\\- enable the sandbox mode */ a;/*M!999999\\- x */");
  EXPECT_THAT(sandbox.tokens, ElementsAre("w:a", ";"));
}

TEST(SqlTokenizerTest, FollowsDelimiterCommands) {
  EXPECT_THAT(Tokens("a;DELIMITER ;;\nCREATE x; y END */;;\n  delimiter ;\nb; DELIMITERS c;"),
              ElementsAre("w:a", ";", "w:CREATE", "w:x", ";", "w:y", "w:END", "*", "/", ";", "w:b",
                          ";", "w:DELIMITERS", "w:c", ";"));
  // A word ends where the delimiter begins.
  EXPECT_THAT(Tokens("DELIMITER $$\r\nEND$$ x$y '$$' -- $$\n$$DELIMITER //\na//"),
              ElementsAre("w:END", ";", "w:x$y", "s:$$", ";", "w:a", ";"));
  // In a statement it is a word as any other.
  EXPECT_THAT(Tokens("a DELIMITER x;"), ElementsAre("w:a", "w:DELIMITER", "w:x", ";"));
}

TEST(SqlTokenizerTest, HearsMessagesOfTheDumpProgram) {
  Reading reading = ReadAll(
      "mysqldump: [Warning] Using a password on the command line interface can be insecure.\n"
      "Enter password: -- MySQL dump\n"
      "mysqldump: Couldn't execute 'x': y\n"
      "SET a;\nmariadb-dump: Error: it's over\nSET\nmysqldump: it's b\nb;"
      "'mysqldump: c';mysqldump: no; newline");
  EXPECT_THAT(reading.tokens,
              ElementsAre("w:SET", "w:a", ";", "w:SET", "w:b", ";", "s:mysqldump: c", ";"));
  EXPECT_THAT(
      reading.messages,
      ElementsAre("mysqldump: [Warning] Using a password on the command line interface can be "
                  "insecure.",
                  "mysqldump: Couldn't execute 'x': y", "mariadb-dump: Error: it's over",
                  "-mysqldump: it's b", "mysqldump: no; newline"));
  EXPECT_THAT(reading.remarks, ElementsAre(" MySQL dump"));
}

TEST(SqlTokenizerTest, CutsWhatIsTooLong) {
  MemorySource source("'abcdef' 0x616263646566 'abcd' b'000000000000000000000000000000001'");
  SqlTokenizer::Options limits;
  limits.value_bytes_max = 4;
  SqlTokenizer tokenizer(&source, limits, nullptr);
  EXPECT_EQ(tokenizer.Next().text, "abcd");
  EXPECT_TRUE(tokenizer.token().overlong);
  EXPECT_EQ(tokenizer.Next().text, "abcd");
  EXPECT_TRUE(tokenizer.token().overlong);
  EXPECT_EQ(tokenizer.Next().text, "abcd");
  EXPECT_FALSE(tokenizer.token().overlong);
  EXPECT_TRUE(tokenizer.Next().overlong);
  EXPECT_EQ(tokenizer.Next().kind, SqlTokenKind::kEnd);
}

TEST(SqlTokenizerTest, SkipsWithoutText) {
  MemorySource source("'a\\'b' 0xff b'1' 12 word;x;y");
  SqlTokenizer tokenizer(&source, {}, nullptr);
  EXPECT_EQ(tokenizer.Skip().kind, SqlTokenKind::kString);
  EXPECT_EQ(tokenizer.token().text, "");
  EXPECT_EQ(tokenizer.Skip().kind, SqlTokenKind::kHex);
  EXPECT_EQ(tokenizer.token().text, "");
  EXPECT_EQ(tokenizer.Skip().kind, SqlTokenKind::kBit);
  EXPECT_EQ(tokenizer.Skip().text, "12");
  EXPECT_EQ(tokenizer.Skip().text, "word");
  tokenizer.Unread();
  EXPECT_EQ(tokenizer.Next().text, "word");
  tokenizer.SkipStatement();
  EXPECT_EQ(tokenizer.Next().text, "x");
  EXPECT_EQ(tokenizer.Next().kind, SqlTokenKind::kDelimiter);
  tokenizer.SkipStatement();  // which is over already
  EXPECT_EQ(tokenizer.Next().text, "y");
}

TEST(SqlTokenizerTest, GivesOffsets) {
  Reading reading = ReadAll("a  'b'; -- x\n/*!1 c */");
  EXPECT_THAT(reading.offsets, ElementsAre(0, 3, 6, 18));
}

// A gigabyte in quotes.
class Endless : public ByteSource {
 public:
  Status Read(char* out, size_t capacity, size_t* bytes) override {
    *bytes = 0;
    if (left_ == 0) return Status::Ok();
    *bytes = std::min<uint64_t>(capacity, left_);
    std::fill_n(out, *bytes, 'x');
    if (left_ == kBytes) out[0] = '\'';
    left_ -= *bytes;
    if (left_ == 0) out[*bytes - 1] = '\'';
    return Status::Ok();
  }

 private:
  static constexpr uint64_t kBytes = uint64_t{1} << 30;
  uint64_t left_ = kBytes;
};

// A value of any length that nobody wants costs no memory; see also the limit above.
TEST(SqlTokenizerTest, SkipsAGigabyteInOneWindow) {
  Endless source;
  SqlTokenizer tokenizer(&source, {}, nullptr);
  EXPECT_EQ(tokenizer.Skip().kind, SqlTokenKind::kString);
  EXPECT_EQ(tokenizer.token().text.size(), 0u);
  EXPECT_EQ(tokenizer.offset(), uint64_t{1} << 30);
  EXPECT_EQ(tokenizer.Skip().kind, SqlTokenKind::kEnd);
}

// One of everything.
const std::string& Sample() {
  static const std::string* sample = new std::string(
      "/*M!999999\\- enable the sandbox mode */ \n"
      "-- MariaDB dump 10.19\n--\n"
      "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n"
      "CREATE TABLE `t``x` (id int(10) DEFAULT 1.5e3, # remark\n b blob COMMENT 'it''s');\n"
      "INSERT INTO t VALUES (1,'a\\'b\\\\',_binary 'x\\0y',0x4A4b4C,b'101',X'4d',N'n',NULL,-1.5),\n"
      "(2,\"q\"\"u\",'','--',' /* */ ; ',0b11,.5,TRUE);\n"
      "mysqldump: Error: it's\n"
      "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ /*!50003 TRIGGER x BEGIN a; "
      "INSERT INTO t VALUES (9); END */;;\nDELIMITER ;\n"
      "-- Dump completed\n");
  return *sample;
}

TEST(SqlTokenizerTest, ReadsTheSameInPiecesOfAnySize) {
  Reading whole = ReadAll(Sample());
  ASSERT_GT(whole.tokens.size(), 80u);
  EXPECT_FALSE(whole.ended_within);
  for (size_t step = 1; step <= 130; ++step) {
    Options options;
    options.step = step;
    ASSERT_EQ(ReadAll(Sample(), options), whole) << "in pieces of " << step;
  }
}

// Every prefix gives a prefix of the tokens, and says whether it stops within a statement.
TEST(SqlTokenizerTest, StandsACutAnywhere) {
  const std::string& sql = Sample();
  Reading whole = ReadAll(sql);
  for (size_t cut = 0; cut < sql.size(); ++cut) {
    Reading some = ReadAll(std::string_view(sql).substr(0, cut), {.step = 7});
    SCOPED_TRACE(sql.substr(0, cut));
    // Half a word is a word, and half of 1e3 is a number and a word: no more than the last two
    // differ.
    ASSERT_LE(some.tokens.size(), whole.tokens.size() + 1);
    for (size_t i = 0; i + 2 < some.tokens.size(); ++i) ASSERT_EQ(some.tokens[i], whole.tokens[i]);
    if (!some.tokens.empty() && some.tokens.back() != ";") {
      ASSERT_TRUE(some.ended_within);
    }
  }
}

// Any bytes at all are read to their end, the same in pieces as in one.
TEST(SqlTokenizerTest, StandsAnyBytes) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string_view alphabet = "'\"`\\;-#/*!@0xXbN \n.e9aD$_%\xff";
  for (int round = 0; round < 3000; ++round) {
    std::string sql;
    if (round % 2 == 0) {
      sql = Sample();
      for (int i = 0; i < 3; ++i) sql[random() % sql.size()] = alphabet[random() % alphabet.size()];
    } else {
      for (size_t size = random() % 60; sql.size() < size;) {
        sql += alphabet[random() % alphabet.size()];
      }
    }
    Options options;
    options.ansi_quotes = random() % 2 == 0;
    options.backslash_escapes = random() % 2 == 0;
    Reading whole = ReadAll(sql, options);
    options.step = 1 + random() % 9;
    ASSERT_EQ(ReadAll(sql, options), whole) << sql;
  }
}

TEST(SkipRowsTest, CountsRowsAndStopsBehindThem) {
  struct Case {
    std::string_view text;
    uint64_t rows;
    bool whole;
    SqlTokenKind next;
    std::string_view next_text;
  };
  const Case cases[] = {
      {"(1),(2);", 2, true, SqlTokenKind::kDelimiter, ""},
      {" (1, (2), f(3))\n,\n( ) x", 2, true, SqlTokenKind::kWord, "x"},
      {"('a)(;\\'(', \"b\"\"(\", `c)`, N'(', X'28', _utf8'(');", 1, true, SqlTokenKind::kDelimiter,
       ""},
      {"ROW(1), row (2) ON DUPLICATE KEY UPDATE a=VALUES(a);", 2, true, SqlTokenKind::kWord, "ON"},
      {"(1 -- ) ( ;\n, 2 /* ( ; */ # ) ;\n) /* ( */ , (3) -- (\n;", 2, true,
       SqlTokenKind::kDelimiter, ""},
      {"(1 - 2 * 3 / 4, m, W);", 1, true, SqlTokenKind::kDelimiter, ""},
      {"(1),(2;", 1, false, SqlTokenKind::kDelimiter, ""},
      {"(1),(2", 1, true, SqlTokenKind::kEnd, ""},
      {"(1),('2", 1, true, SqlTokenKind::kEnd, ""},
      {"(1),", 1, true, SqlTokenKind::kEnd, ""},
      {"", 0, true, SqlTokenKind::kEnd, ""},
      {"x", 0, true, SqlTokenKind::kWord, "x"},
  };
  for (const Case& one : cases) {
    for (size_t step : {size_t{1}, size_t{3}, SIZE_MAX}) {
      MemorySource source(one.text, step);
      SqlTokenizer sql(&source, {.window_bytes = 64}, nullptr);
      uint64_t rows = 99;
      EXPECT_EQ(sql.SkipRows(&rows), one.whole) << one.text;
      EXPECT_EQ(rows, one.rows) << one.text;
      EXPECT_EQ(sql.Next().kind, one.next) << one.text;
      EXPECT_EQ(sql.token().text, one.next_text) << one.text;
    }
  }
}

TEST(SkipRowsTest, KnowsModesAndDelimiters) {
  MemorySource plain("('a\\'),('b');");
  SqlTokenizer sql(&plain, {}, nullptr);
  sql.set_backslash_escapes(false);
  uint64_t rows = 0;
  EXPECT_TRUE(sql.SkipRows(&rows));
  EXPECT_EQ(rows, 2u);

  MemorySource other("DELIMITER //\nx (1;2),(3)// y");
  SqlTokenizer with_delimiter(&other, {}, nullptr);
  EXPECT_EQ(with_delimiter.Next().text, "x");
  EXPECT_TRUE(with_delimiter.SkipRows(&rows));
  EXPECT_EQ(rows, 2u);
  EXPECT_EQ(with_delimiter.Next().kind, SqlTokenKind::kDelimiter);
}

}  // namespace
}  // namespace tokend
