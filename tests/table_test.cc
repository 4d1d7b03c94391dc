#include "client/tokenctl/table.h"

#include <gtest/gtest.h>

namespace tokend::tokenctl {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"ID"}, {"USES", Table::Align::kRight}, {"OWNER"}});
  table.Add({"abc", "7", "alice"});
  table.Add({"d", "12345", ""});
  EXPECT_EQ(table.ToString(0),
            "ID    USES  OWNER\n"
            "abc      7  alice\n"
            "d    12345  -\n");
}

TEST(Table, HasNoHeaderWithoutTitles) {
  Table table({{}, {}});
  table.Add({"id", "1"});
  table.Add({"owner", "alice"});
  EXPECT_EQ(table.ToString(0),
            "id     1\n"
            "owner  alice\n");
}

TEST(Table, CutsTheWidestColumnsToFit) {
  Table table({{"ID"}, {"OWNER"}});
  table.Add({"0123456789", "abcdefghijklmnopqrstuvwxyz"});
  EXPECT_EQ(table.ToString(30),
            "ID          OWNER\n"
            "0123456789  abcdefghijklmnopq…\n");
  // Wide enough, and without a limit.
  EXPECT_EQ(table.ToString(38), table.ToString(0));
  // No column goes below eight.
  EXPECT_EQ(table.ToString(5),
            "ID        OWNER\n"
            "0123456…  abcdefg…\n");
}

TEST(Table, CountsCharactersAndNotBytes) {
  Table table({{"NAME"}, {"X"}});
  table.Add({"Zoë", "1"});
  table.Add({"Zora", "2"});
  EXPECT_EQ(table.ToString(0),
            "NAME  X\n"
            "Zoë   1\n"
            "Zora  2\n");
  EXPECT_EQ(DisplayWidth("Zoë"), 3u);
}

TEST(Table, CutsBetweenCharacters) {
  Table table({{""}});
  table.Add({"ëëëëëëëëëëëë"});
  EXPECT_EQ(table.ToString(8), "ëëëëëëë…\n");
}

TEST(Printable, LeavesTextAlone) {
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable("alice@example.org"), "alice@example.org");
  EXPECT_EQ(Printable("Zoë 日本 🙂"), "Zoë 日本 🙂");
}

TEST(Printable, CannotSteerATerminal) {
  EXPECT_EQ(Printable("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(Printable("a\nb\tc\rd"), "a\\nb\\tc\\x0dd");
  EXPECT_EQ(Printable(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\u009b");  // CSI in one character
  EXPECT_EQ(Printable("\xc2\xa0"), "\xc2\xa0");
}

TEST(Printable, ShowsWhatIsNotUtf8AsBytes) {
  EXPECT_EQ(Printable("a\xff"), "a\\xff");
  EXPECT_EQ(Printable("\xc3"), "\\xc3");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
}

TEST(WithCommas, GroupsByThree) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
  EXPECT_EQ(WithCommas(UINT64_MAX), "18,446,744,073,709,551,615");
}

}  // namespace
}  // namespace tokend::tokenctl
