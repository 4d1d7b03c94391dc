// Local times to UTC: fixed offsets and the system's time zone database.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"

namespace tokend {

class TimeZone {
 public:
  TimeZone() : name_("UTC") {}  // UTC

  // "UTC", "+HH:MM", "-H:MM" or a name such as "Europe/Berlin", read from TZif files (RFC 8536)
  // below `directory`. kBadParams for what is none of them.
  static Status Load(std::string_view name, TimeZone* zone,
                     const std::string& directory = "/usr/share/zoneinfo");
  // The bytes of a TZif file.
  static Status Parse(std::string_view name, std::string_view tzif, TimeZone* zone);

  const std::string& name() const { return name_; }

  // `local` and the result in seconds since 1970-01-01 00:00:00, there and in UTC. A time that
  // occurs twice is its first occurrence; one that does not occur is read with the offset before
  // the gap.
  int64_t ToUtc(int64_t local) const;
  // Seconds east of UTC at a UTC time.
  int64_t OffsetAt(int64_t utc) const;

 private:
  // A day of the year and a time on it, as in a POSIX TZ string.
  struct RuleDate {
    enum Kind : uint8_t { kMonthWeekDay, kJulian, kDayOfYear } kind = kMonthWeekDay;
    int month = 0, week = 0, day = 0;
    int64_t time = 2 * 3600;

    int64_t SecondsInYear(int64_t year) const;  // local, from the year's first
  };
  // What holds after the last transition: standard time, and daylight time if `daylight`.
  struct Rule {
    int64_t standard_offset = 0;
    bool daylight = false;
    int64_t daylight_offset = 0;
    RuleDate begin, end;
  };

  static bool ParseRule(std::string_view text, Rule* rule);
  static bool ParseRuleDate(std::string_view* text, RuleDate* date);
  int64_t RuleOffsetAt(int64_t utc) const;

  std::string name_;
  std::vector<int64_t> transitions_;  // UTC, ascending
  std::vector<int64_t> offsets_;      // offsets_[i] holds from transitions_[i] on
  int64_t first_offset_ = 0;          // before the first transition
  bool has_rule_ = false;
  Rule rule_;
};

// Days since 1970-01-01 of a date in the Gregorian calendar.
int64_t DaysFromCivil(int64_t year, int month, int day);

}  // namespace tokend
