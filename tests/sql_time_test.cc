#include "import/sql_time.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/record.h"

namespace tokend {
namespace {

// "1234" for a time, else the result's name.
std::string DateTime(std::string_view text, const std::string& zone_name = "UTC") {
  TimeZone zone;
  EXPECT_TRUE(TimeZone::Load(zone_name, &zone).ok());
  uint64_t ms = 0;
  switch (ReadDateTime(text, zone, &ms)) {
    case TimeResult::kOk:
      return std::to_string(ms);
    case TimeResult::kZero:
      return "zero";
    case TimeResult::kBad:
      return "bad";
    case TimeResult::kRange:
      return "range";
  }
  return "?";
}

std::string Epoch(std::string_view text, EpochUnit unit = EpochUnit::kAuto) {
  uint64_t ms = 0;
  switch (ReadEpoch(text, unit, &ms)) {
    case TimeResult::kOk:
      return std::to_string(ms);
    case TimeResult::kZero:
      return "zero";
    case TimeResult::kBad:
      return "bad";
    case TimeResult::kRange:
      return "range";
  }
  return "?";
}

TEST(ReadDateTimeTest, TakesTheFormsThatTablesHold) {
  const std::string want = "1924997400000";  // 2031-01-01 01:30:00 UTC
  for (std::string_view text :
       {"2031-01-01 01:30:00", "2031-01-01T01:30:00", "2031-01-01 01:30", "20310101013000",
        "2031-1-1 1:30:0", "2031/01/01 01:30:00", " 2031-01-01 01:30:00 ", "2031-01-01T01:30:00Z",
        "2031-01-01 01:30:00.000000", "2031-01-01T03:30:00+02:00", "2030-12-31 20:30:00 -05:00",
        "2031-01-01 01:30:00 UTC", "20310101013000.0"}) {
    EXPECT_EQ(DateTime(text), want) << text;
  }
  EXPECT_EQ(DateTime("2031-01-01"), "1924992000000");
  EXPECT_EQ(DateTime("20310101"), "1924992000000");
  EXPECT_EQ(DateTime("9999-12-31 23:59:59"), "253402300799000");
  EXPECT_EQ(DateTime("2038-01-19 03:14:08"), "2147483648000");
  EXPECT_EQ(DateTime("2028-02-29 00:00:00"), "1835395200000");
}

// What stands where it mostly does is read in one go; a blank behind it has it read the long way.
TEST(ReadDateTimeTest, ReadsTheCommonFormAsAnyOther) {
  const std::string common = "2031-10-21 11:35:59";
  EXPECT_EQ(DateTime(common), DateTime(common + " "));
  for (size_t place = 0; place < common.size(); ++place) {
    for (int c = 1; c < 256; ++c) {
      std::string text = common;
      text[place] = static_cast<char>(c);
      ASSERT_EQ(DateTime(text), DateTime(text + " ")) << text;
    }
  }
}

TEST(ReadDateTimeTest, CutsDigitsBelowMilliseconds) {
  EXPECT_EQ(DateTime("1970-01-01 00:00:01.999999"), "1999");
  EXPECT_EQ(DateTime("1970-01-01 00:00:01.0009"), "1000");
  EXPECT_EQ(DateTime("1970-01-01 00:00:01.5"), "1500");
  EXPECT_EQ(DateTime("19700101000001.25"), "1250");
}

TEST(ReadDateTimeTest, ReadsBefore1970AsTheBeginning) {
  EXPECT_EQ(DateTime("1969-12-31 23:59:59.9"), "0");
  EXPECT_EQ(DateTime("1000-01-01 00:00:00"), "0");
  EXPECT_EQ(DateTime("1970-01-01 00:00:00"), "0");
}

TEST(ReadDateTimeTest, ReadsInTheZone) {
  EXPECT_EQ(DateTime("2031-01-01 07:00:00", "+05:30"), "1924997400000");
  EXPECT_EQ(DateTime("2031-01-01 02:30:00", "Europe/Berlin"), "1924997400000");
  EXPECT_EQ(DateTime("2031-07-01 02:00:00", "Europe/Berlin"), "1940630400000");
  EXPECT_EQ(DateTime("2031-01-01T01:30:00Z", "+05:30"), "1924997400000");
}

TEST(ReadDateTimeTest, TellsZeroDates) {
  for (std::string_view text : {"0000-00-00 00:00:00", "0000-00-00", "0000-00-00 00:00:00.000000",
                                "00000000000000", "00000000"}) {
    EXPECT_EQ(DateTime(text), "zero") << text;
  }
}

TEST(ReadDateTimeTest, RefusesTheRest) {
  for (std::string_view text : {"",
                                "x",
                                "never",
                                "2031",
                                "2031-01",
                                "2031-13-01",
                                "2031-00-01",
                                "2031-01-00",
                                "2031-02-30",
                                "2027-02-29",
                                "2031-01-01 24:00:00",
                                "2031-01-01 00:60:00",
                                "2031-01-01 00:00:60",
                                "2031-01-01 00",
                                "2031-01-01x",
                                "2031-01-01 00:00:00 Europe/Berlin",
                                "2031-01-01 00:00:00x",
                                "2031-01-01 00:00:00+",
                                "31-01-01",
                                "2031-01-01 00:00:",
                                "0000-00-00 x",
                                "2031010101",
                                "0000-01-00",
                                "-2031-01-01"}) {
    EXPECT_EQ(DateTime(text), "bad") << text;
  }
}

TEST(ReadEpochTest, TakesSecondsAndMilliseconds) {
  EXPECT_EQ(Epoch("1924997400"), "1924997400000");
  EXPECT_EQ(Epoch("1924997400123"), "1924997400123");
  EXPECT_EQ(Epoch("1924997400.5"), "1924997400500");
  EXPECT_EQ(Epoch("1924997400.9999"), "1924997400999");
  EXPECT_EQ(Epoch("100000000000"), "100000000000000");  // the last one in seconds
  EXPECT_EQ(Epoch("100000000001"), "100000000001");
  EXPECT_EQ(Epoch("5", EpochUnit::kMilliseconds), "5");
  EXPECT_EQ(Epoch("200000000000", EpochUnit::kSeconds), "200000000000000");
  EXPECT_EQ(Epoch("-1"), "0");
  EXPECT_EQ(Epoch("0.001"), "1");
}

TEST(ReadEpochTest, RefusesTheRest) {
  for (std::string_view zero : {"0", "00", "0.0", "-0"}) EXPECT_EQ(Epoch(zero), "zero") << zero;
  for (std::string_view bad : {"", "-", ".", "x", "1x", "1e9", "1.2.3", " 1", "+1"}) {
    EXPECT_EQ(Epoch(bad), "bad") << bad;
  }
  EXPECT_EQ(Epoch(std::to_string(kTimeMsMax)), std::to_string(kTimeMsMax));
  EXPECT_EQ(Epoch(std::to_string(kTimeMsMax + 1)), "range");
  EXPECT_EQ(Epoch("9007199254740", EpochUnit::kSeconds), "9007199254740000");
  EXPECT_EQ(Epoch("9007199254741", EpochUnit::kSeconds), "range");
  EXPECT_EQ(Epoch("9007199254740.995", EpochUnit::kSeconds), "range");
  EXPECT_EQ(Epoch("18446744073709551615"), "range");
  EXPECT_EQ(Epoch(std::string(100, '9')), "range");
}

}  // namespace
}  // namespace tokend
