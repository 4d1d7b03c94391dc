#include "client/tokenctl/time_arg.h"

#include <gtest/gtest.h>

namespace tokend::tokenctl {
namespace {

using Kind = TimeArg::Kind;

// The kind and number of what is a time, or the message of what is none.
std::string Parsed(const std::string& text) {
  client::Result<TimeArg> time = ParseTime(text);
  if (!time) return time.error().message;
  std::string kind = time->kind == Kind::kNever ? "never "
                     : time->kind == Kind::kAt  ? "at "
                                                : "in ";
  return kind + std::to_string(time->ms);
}

TEST(TimeArg, Words) {
  EXPECT_EQ(Parsed("never"), "never 0");
  EXPECT_EQ(Parsed("now"), "in 0");
}

TEST(TimeArg, UnixMilliseconds) {
  EXPECT_EQ(Parsed("0"), "at 0");
  EXPECT_EQ(Parsed("1900000000000"), "at 1900000000000");
  EXPECT_EQ(Parsed("100000000000"), "at 100000000000");
  EXPECT_EQ(Parsed("9007199254740991"), "at 9007199254740991");
}

TEST(TimeArg, RefusesWhatIsMostLikelySeconds) {
  EXPECT_EQ(Parsed("1900000000"),
            "\"1900000000\" should be Unix milliseconds; it looks like seconds (a duration has a "
            "unit, as in 15m)");
  EXPECT_NE(Parsed("99999999999").find("looks like seconds"), std::string::npos);
  EXPECT_NE(Parsed("15").find("looks like seconds"), std::string::npos);
}

TEST(TimeArg, Iso8601) {
  EXPECT_EQ(Parsed("1970-01-01"), "at 0");
  EXPECT_EQ(Parsed("2031-05-01"), "at 1935360000000");
  EXPECT_EQ(Parsed("2031-05-01T12:30"), "at 1935405000000");
  EXPECT_EQ(Parsed("2031-05-01T12:30Z"), "at 1935405000000");
  EXPECT_EQ(Parsed("2031-05-01 12:30:15"), "at 1935405015000");
  EXPECT_EQ(Parsed("2031-05-01T12:30:15.25Z"), "at 1935405015250");
  EXPECT_EQ(Parsed("2031-05-01T12:30:15.123999999Z"), "at 1935405015123");
  EXPECT_EQ(Parsed("2031-05-01T12:30:15+05:30"), "at 1935385215000");
  EXPECT_EQ(Parsed("2031-05-01T12:30:15-0800"), "at 1935433815000");
  EXPECT_EQ(Parsed("2028-02-29"), "at 1835395200000");
  EXPECT_EQ(Parsed("9999-12-31T23:59:59.999Z"), "at 253402300799999");
}

TEST(TimeArg, Durations) {
  EXPECT_EQ(Parsed("30d"), "in 2592000000");
  EXPECT_EQ(Parsed("+15m"), "in 900000");
  EXPECT_EQ(Parsed("-7d"), "in -604800000");
  EXPECT_EQ(Parsed("1h30m"), "in 5400000");
  EXPECT_EQ(Parsed("2w"), "in 1209600000");
  EXPECT_EQ(Parsed("90s"), "in 90000");
  EXPECT_EQ(Parsed("250ms"), "in 250");
  EXPECT_EQ(Parsed("1m1ms"), "in 60001");
  EXPECT_EQ(Parsed("0s"), "in 0");
}

TEST(TimeArg, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "tomorrow",
                           "30",
                           "30 d",
                           "30y",
                           "d",
                           "+",
                           "-",
                           "--7d",
                           "1h30",
                           "1.5h",
                           "NEVER",
                           "-1900000000000",
                           "1e12",
                           "2031-5-1",
                           "2031-02-29",
                           "2031-13-01",
                           "2031-00-10",
                           "2031-05-01T",
                           "2031-05-01T24:00",
                           "2031-05-01T12",
                           "2031-05-01T12:60",
                           "2031-05-01T12:30:60",
                           "2031-05-01T12:30:15.",
                           "2031-05-01T12:30+24:00",
                           "2031-05-01T12:30+5",
                           "2031-05-01T12:30 UTC",
                           "2031-05-01Z",
                           "1969-12-31",
                           "1970-01-01T00:00+00:01",
                           "9007199254740992",
                           "99999999999999999999",
                           "104249991375d"}) {
    EXPECT_FALSE(ParseTime(text)) << text;
  }
}

TEST(TimeArg, DurationAlone) {
  EXPECT_EQ(*ParseDuration("15m"), 900000u);
  EXPECT_EQ(*ParseDuration("0ms"), 0u);
  for (const char* text : {"", "15", "-15m", "+15m", "now", "9007199254740992ms"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(TimeArg, ResolvesWithinTheProtocolsRange) {
  EXPECT_EQ(ResolveTime({Kind::kAt, 5}, 1000), 5u);
  EXPECT_EQ(ResolveTime({Kind::kRelative, 5}, 1000), 1005u);
  EXPECT_EQ(ResolveTime({Kind::kRelative, -5}, 1000), 995u);
  EXPECT_EQ(ResolveTime({Kind::kRelative, -5000}, 1000), 0u);
  EXPECT_EQ(ResolveTime({Kind::kRelative, int64_t{1} << 52}, uint64_t{3} << 51),
            (uint64_t{1} << 53) - 1);
}

TEST(TimeArg, Formats) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(1935405015000), "2031-05-01T12:30:15Z");
  EXPECT_EQ(FormatTime(1935405015025), "2031-05-01T12:30:15.025Z");
  EXPECT_EQ(FormatTimeSeconds(1935405015999), "2031-05-01T12:30:15Z");
  EXPECT_EQ(FormatTime(253402300799999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatTime((uint64_t{1} << 53) - 1), "9007199254740991ms");
}

TEST(TimeArg, WhatIsFormattedParsesToTheSame) {
  for (int64_t ms = 1; ms < 250'000'000'000'000; ms = ms * 7 + 123) {
    std::string text = FormatTime(static_cast<uint64_t>(ms));
    EXPECT_EQ(Parsed(text), "at " + std::to_string(ms)) << text;
  }
}

}  // namespace
}  // namespace tokend::tokenctl
