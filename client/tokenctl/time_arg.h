// Times and durations as people write them on a command line, and times as they read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/client.h"

namespace tokend::tokenctl {

// A time: TIME in every --help.
struct TimeArg {
  enum class Kind : uint8_t {
    kNever,
    kAt,        // ms is Unix milliseconds
    kRelative,  // ms from now; negative = ago
  };
  Kind kind = Kind::kNever;
  int64_t ms = 0;
};

// Takes
//   never | now
//   Unix milliseconds: 0, or at least 100000000000 (1973-03-03): less are most likely seconds
//   ISO-8601: 2031-05-01, 2031-05-01T12:30[:15[.250]][Z | +05:30]; UTC where no zone is given, and
//     a space may stand for the T
//   a duration, from now on: 30d, +15m, 1h30m; with a minus sign, ago: -7d
// Units of durations are ms, s, m, h, d (24 h) and w. kCaller, saying what it should be, for all
// else and for times outside of 1970 ... 2^53-1 ms.
client::Result<TimeArg> ParseTime(std::string_view text);

// A duration without a sign, in milliseconds.
client::Result<uint64_t> ParseDuration(std::string_view text);

// Unix milliseconds of a time that is not kNever, kept within 0 ... 2^53-1.
uint64_t ResolveTime(const TimeArg& time, uint64_t now_ms);

// 2031-05-01T12:30:15Z, with milliseconds where there are any.
std::string FormatTime(uint64_t time_ms);
// The same, milliseconds cut off.
std::string FormatTimeSeconds(uint64_t time_ms);

}  // namespace tokend::tokenctl
