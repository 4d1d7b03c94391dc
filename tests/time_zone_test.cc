#include "import/time_zone.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <random>
#include <string>

namespace tokend {
namespace {

constexpr int64_t kDay = 86400;

TimeZone Load(const std::string& name) {
  TimeZone zone;
  Status status = TimeZone::Load(name, &zone);
  EXPECT_TRUE(status.ok()) << status.message();
  return zone;
}

int64_t Seconds(int year, int month, int day, int hour, int minute, int second = 0) {
  return DaysFromCivil(year, month, day) * kDay + hour * 3600 + minute * 60 + second;
}

TEST(DaysFromCivilTest, AgreesWithTheLibrary) {
  for (int64_t days = -200000; days < 3000000; days += 13) {
    time_t seconds = days * kDay;
    struct tm date;
    ASSERT_NE(gmtime_r(&seconds, &date), nullptr);
    ASSERT_EQ(DaysFromCivil(date.tm_year + 1900, date.tm_mon + 1, date.tm_mday), days);
  }
}

TEST(TimeZoneTest, TakesOffsets) {
  EXPECT_EQ(TimeZone().ToUtc(1000), 1000);
  EXPECT_EQ(Load("UTC").ToUtc(1000), 1000);
  EXPECT_EQ(Load("+00:00").ToUtc(1000), 1000);
  EXPECT_EQ(Load("+05:30").ToUtc(100000), 100000 - 19800);
  EXPECT_EQ(Load("-3:30").ToUtc(100000), 100000 + 12600);
  EXPECT_EQ(Load("+14:00").ToUtc(0), -14 * 3600);
  EXPECT_EQ(Load("-12:00").name(), "-12:00");
}

TEST(TimeZoneTest, RefusesWhatIsNone) {
  for (const char* name :
       {"", "+", "+5", "+0530", "+15:00", "+05:60", "+05:30x", "5:30", "Europe/Nowhere", "Europe",
        "../../etc/passwd", "/etc/localtime", "Europe/../UTC", "zone.tab", "SYSTEM", "a b"}) {
    TimeZone zone;
    Status status = TimeZone::Load(name, &zone);
    EXPECT_EQ(status.code(), ErrorCode::kBadParams) << name;
    EXPECT_NE(status.message().find("time zone '" + std::string(name) + "'"), std::string::npos);
  }
}

// The C library reads the same files.
TEST(TimeZoneTest, AgreesWithTheLibrary) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const char* name :
       {"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Tehran",
        "America/Sao_Paulo", "Pacific/Apia", "Europe/Dublin", "Africa/Casablanca", "Asia/Gaza",
        "America/Nuuk", "Antarctica/Troll", "Pacific/Chatham", "America/Asuncion",
        "Africa/Cairo"}) {
    SCOPED_TRACE(name);
    TimeZone zone = Load(name);
    setenv("TZ", name, 1);
    tzset();
    for (int i = 0; i < 20000; ++i) {
      // 1940 to 2240: from before the first transitions of most to long after the last.
      time_t utc = static_cast<time_t>(random() % (300 * 366 * kDay)) - 30 * 365 * kDay;
      struct tm local;
      localtime_r(&utc, &local);
      ASSERT_EQ(zone.OffsetAt(utc), local.tm_gmtoff) << utc;
      int64_t there = utc + local.tm_gmtoff;
      int64_t back = zone.ToUtc(there);
      // Another time only where the local one occurs twice: then it is the earlier of the two.
      if (back != utc) {
        ASSERT_LT(back, utc) << utc;
        ASSERT_EQ(back + zone.OffsetAt(back), there) << utc;
      }
    }
  }
  unsetenv("TZ");
}

TEST(TimeZoneTest, TakesTheFirstOfTwo) {
  // 2026-10-25 03:00 CEST becomes 02:00 CET, so 02:30 comes at 00:30 and at 01:30 UTC.
  TimeZone berlin = Load("Europe/Berlin");
  EXPECT_EQ(berlin.ToUtc(Seconds(2026, 10, 25, 2, 30)), Seconds(2026, 10, 25, 0, 30));
  EXPECT_EQ(berlin.ToUtc(Seconds(2026, 10, 25, 2, 0)), Seconds(2026, 10, 25, 0, 0));
  EXPECT_EQ(berlin.ToUtc(Seconds(2026, 10, 25, 3, 0)), Seconds(2026, 10, 25, 2, 0));
  // Far behind the file's last transition the rule holds.
  EXPECT_EQ(berlin.ToUtc(Seconds(2090, 7, 1, 12, 0)), Seconds(2090, 7, 1, 10, 0));
  EXPECT_EQ(berlin.ToUtc(Seconds(2090, 1, 1, 12, 0)), Seconds(2090, 1, 1, 11, 0));
}

TEST(TimeZoneTest, ReadsATimeInAGapAsBeforeIt) {
  // 2026-03-29 02:00 CET becomes 03:00 CEST: 02:30 is read as CET.
  TimeZone berlin = Load("Europe/Berlin");
  EXPECT_EQ(berlin.ToUtc(Seconds(2026, 3, 29, 2, 30)), Seconds(2026, 3, 29, 1, 30));
  EXPECT_EQ(berlin.ToUtc(Seconds(2026, 3, 29, 1, 59, 59)), Seconds(2026, 3, 29, 0, 59, 59));
  EXPECT_EQ(berlin.ToUtc(Seconds(2026, 3, 29, 3, 0)), Seconds(2026, 3, 29, 1, 0));
  // Samoa had no 2011-12-30.
  TimeZone apia = Load("Pacific/Apia");
  EXPECT_EQ(apia.ToUtc(Seconds(2011, 12, 29, 23, 59)), Seconds(2011, 12, 30, 9, 59));
  EXPECT_EQ(apia.ToUtc(Seconds(2011, 12, 31, 0, 0)), Seconds(2011, 12, 30, 10, 0));
}

TEST(TimeZoneTest, StandsDamagedFiles) {
  std::string file;
  {
    FILE* in = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    ASSERT_NE(in, nullptr);
    char buffer[8192];
    file.assign(buffer, fread(buffer, 1, sizeof buffer, in));
    fclose(in);
  }
  TimeZone zone;
  ASSERT_TRUE(TimeZone::Parse("x", file, &zone).ok());
  EXPECT_EQ(zone.ToUtc(Seconds(2026, 7, 1, 12, 0)), Seconds(2026, 7, 1, 10, 0));
  // A cut within the rule at the end may leave a good one.
  size_t body = file.rfind('\n', file.size() - 2);
  for (size_t cut = 0; cut < body; ++cut) {
    EXPECT_FALSE(TimeZone::Parse("x", std::string_view(file).substr(0, cut), &zone).ok()) << cut;
  }
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = file;
    for (int i = 0; i < 4; ++i) {
      damaged[random() % (i < 2 ? 90 : damaged.size())] = static_cast<char>(random());
    }
    if (TimeZone::Parse("x", damaged, &zone).ok()) zone.ToUtc(Seconds(2030, 1, 1, 0, 0));
  }
}

}  // namespace
}  // namespace tokend
