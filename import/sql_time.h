// Times as tables write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "import/time_zone.h"

namespace tokend {

enum class TimeResult : uint8_t {
  kOk,
  kZero,   // 0000-00-00, with or without a time; or 0 as a number
  kBad,    // no time
  kRange,  // a time that milliseconds up to 2^53 do not hold
};

// "YYYY-MM-DD[( |T)HH:MM[:SS[.fraction]]][Z|+HH:MM|-HH:MM]", "YYYYMMDD", "YYYYMMDDHHMMSS". A zone
// in the text wins over `zone`. Milliseconds since 1970, below which digits are cut off; before
// 1970: 0.
TimeResult ReadDateTime(std::string_view text, const TimeZone& zone, uint64_t* ms);

enum class EpochUnit : uint8_t {
  kAuto,  // seconds, or milliseconds above 10^11 (which as seconds is the year 5138)
  kSeconds,
  kMilliseconds,
};

// "[-]digits[.digits]"; negative: 0.
TimeResult ReadEpoch(std::string_view text, EpochUnit unit, uint64_t* ms);

}  // namespace tokend
