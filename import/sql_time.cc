#include "import/sql_time.h"

#include <algorithm>
#include <optional>

#include "protocol/record.h"

namespace tokend {
namespace {

constexpr uint64_t kSecondsMax = 100'000'000'000;  // above it a number without unit is milliseconds

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Exactly `digits` digits, or 1 ... digits with `short_too`.
bool TakeDigits(std::string_view* text, size_t digits, bool short_too, int* value) {
  size_t have = 0;
  *value = 0;
  while (have < digits && have < text->size() && IsDigit((*text)[have])) {
    *value = *value * 10 + ((*text)[have++] - '0');
  }
  text->remove_prefix(have);
  return short_too ? have > 0 : have == digits;
}

bool TakeAny(std::string_view* text, std::string_view set) {
  if (text->empty() || set.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

// Any number of digits; the first three count.
int TakeMilliseconds(std::string_view* text) {
  int ms = 0;
  int scale = 100;
  while (!text->empty() && IsDigit(text->front())) {
    ms += (text->front() - '0') * scale;
    scale /= 10;
    text->remove_prefix(1);
  }
  return ms;
}

TimeResult Finish(int64_t seconds, int64_t ms_part, uint64_t* ms) {
  int64_t value = seconds * 1000 + ms_part;
  if (value > static_cast<int64_t>(kTimeMsMax)) return TimeResult::kRange;
  *ms = value < 0 ? 0 : static_cast<uint64_t>(value);
  return TimeResult::kOk;
}

struct DateTime {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, milliseconds = 0;
  std::optional<TimeZone> zone;  // that it names itself
};

// "2026-11-23 04:30:00", as nearly all of them are written.
bool ReadPlain(std::string_view text, DateTime* at) {
  if (text.size() != 19 || text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' ||
      text[16] != ':') {
    return false;
  }
  bool are_digits = true;
  const auto two = [&](size_t place) {
    are_digits = are_digits && IsDigit(text[place]) && IsDigit(text[place + 1]);
    return (text[place] - '0') * 10 + (text[place + 1] - '0');
  };
  at->year = two(0) * 100 + two(2);
  at->month = two(5);
  at->day = two(8);
  at->hour = two(11);
  at->minute = two(14);
  at->second = two(17);
  return are_digits;
}

bool ReadAnyForm(std::string_view text, DateTime* at) {
  *at = {};
  while (TakeAny(&text, " \t")) {
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  const bool compact =
      (text.size() == 8 || text.size() == 14 || (text.size() > 14 && text[14] == '.')) &&
      std::all_of(text.begin(), text.begin() + (text.size() == 8 ? 8 : 14), IsDigit);
  bool has_time = false;
  if (compact) {
    has_time = text.size() > 8;
    TakeDigits(&text, 4, false, &at->year);
    TakeDigits(&text, 2, false, &at->month);
    TakeDigits(&text, 2, false, &at->day);
    if (has_time) {
      TakeDigits(&text, 2, false, &at->hour);
      TakeDigits(&text, 2, false, &at->minute);
      TakeDigits(&text, 2, false, &at->second);
    }
  } else {
    if (!TakeDigits(&text, 4, false, &at->year) || !TakeAny(&text, "-/.") ||
        !TakeDigits(&text, 2, true, &at->month) || !TakeAny(&text, "-/.") ||
        !TakeDigits(&text, 2, true, &at->day)) {
      return false;
    }
    if (!text.empty()) {
      has_time = true;
      if (!TakeAny(&text, " T") || !TakeDigits(&text, 2, true, &at->hour) || !TakeAny(&text, ":") ||
          !TakeDigits(&text, 2, true, &at->minute)) {
        return false;
      }
      if (TakeAny(&text, ":") && !TakeDigits(&text, 2, true, &at->second)) return false;
    }
  }
  if (has_time && TakeAny(&text, ".,")) at->milliseconds = TakeMilliseconds(&text);
  if (!has_time || text.empty()) return true;
  TakeAny(&text, " ");
  // An offset or UTC; names of zones would be looked up in files.
  const bool offset =
      !text.empty() && std::string_view("+-Z").find(text.front()) != std::string_view::npos;
  return (offset || text == "UTC") && TimeZone::Load(text, &at->zone.emplace()).ok();
}

}  // namespace

TimeResult ReadDateTime(std::string_view text, const TimeZone& zone, uint64_t* ms) {
  DateTime at;
  if (!ReadPlain(text, &at) && !ReadAnyForm(text, &at)) return TimeResult::kBad;
  if (at.year == 0 && at.month == 0 && at.day == 0) return TimeResult::kZero;
  constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (at.year % 4 == 0 && at.year % 100 != 0) || at.year % 400 == 0;
  if (at.month < 1 || at.month > 12 || at.day < 1 || at.day > kDays[at.month - 1] ||
      (at.month == 2 && at.day == 29 && !leap) || at.hour > 23 || at.minute > 59 ||
      at.second > 59) {
    return TimeResult::kBad;
  }
  const int64_t local = DaysFromCivil(at.year, at.month, at.day) * 86400 + at.hour * 3600 +
                        at.minute * 60 + at.second;
  return Finish((at.zone ? *at.zone : zone).ToUtc(local), at.milliseconds, ms);
}

TimeResult ReadEpoch(std::string_view text, EpochUnit unit, uint64_t* ms) {
  bool minus = TakeAny(&text, "-");
  uint64_t whole = 0;
  size_t digits = 0;
  while (!text.empty() && IsDigit(text.front())) {
    // 20 digits may not fit; anything near that is out of range anyway.
    if (++digits > 18) return TimeResult::kRange;
    whole = whole * 10 + static_cast<uint64_t>(text.front() - '0');
    text.remove_prefix(1);
  }
  int fraction = 0;
  if (TakeAny(&text, ".")) fraction = TakeMilliseconds(&text);
  if (digits == 0 || !text.empty()) return TimeResult::kBad;
  if (whole == 0 && fraction == 0) return TimeResult::kZero;
  *ms = 0;
  if (minus) return TimeResult::kOk;
  bool milliseconds =
      unit == EpochUnit::kMilliseconds || (unit == EpochUnit::kAuto && whole > kSecondsMax);
  if (milliseconds) {
    if (whole > kTimeMsMax) return TimeResult::kRange;
    *ms = whole;
    return TimeResult::kOk;
  }
  if (whole > kTimeMsMax / 1000) return TimeResult::kRange;
  return Finish(static_cast<int64_t>(whole), fraction, ms);
}

}  // namespace tokend
