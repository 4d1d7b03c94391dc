#include "import/sql_time.h"

#include <algorithm>

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

}  // namespace

TimeResult ReadDateTime(std::string_view text, const TimeZone& zone, uint64_t* ms) {
  while (TakeAny(&text, " \t")) {
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction = 0;
  const bool compact =
      (text.size() == 8 || text.size() == 14 || (text.size() > 14 && text[14] == '.')) &&
      std::all_of(text.begin(), text.begin() + (text.size() == 8 ? 8 : 14), IsDigit);
  bool has_time = false;
  if (compact) {
    has_time = text.size() > 8;
    TakeDigits(&text, 4, false, &year);
    TakeDigits(&text, 2, false, &month);
    TakeDigits(&text, 2, false, &day);
    if (has_time) {
      TakeDigits(&text, 2, false, &hour);
      TakeDigits(&text, 2, false, &minute);
      TakeDigits(&text, 2, false, &second);
    }
  } else {
    if (!TakeDigits(&text, 4, false, &year) || !TakeAny(&text, "-/.") ||
        !TakeDigits(&text, 2, true, &month) || !TakeAny(&text, "-/.") ||
        !TakeDigits(&text, 2, true, &day)) {
      return TimeResult::kBad;
    }
    if (!text.empty()) {
      has_time = true;
      if (!TakeAny(&text, " T") || !TakeDigits(&text, 2, true, &hour) || !TakeAny(&text, ":") ||
          !TakeDigits(&text, 2, true, &minute)) {
        return TimeResult::kBad;
      }
      if (TakeAny(&text, ":") && !TakeDigits(&text, 2, true, &second)) return TimeResult::kBad;
    }
  }
  if (has_time && TakeAny(&text, ".,")) fraction = TakeMilliseconds(&text);

  TimeZone own;
  bool own_zone = false;
  if (has_time && !text.empty()) {
    TakeAny(&text, " ");
    // An offset or UTC; names of zones would be looked up in files.
    bool offset =
        !text.empty() && std::string_view("+-Z").find(text.front()) != std::string_view::npos;
    if ((!offset && text != "UTC") || !TimeZone::Load(text, &own).ok()) return TimeResult::kBad;
    own_zone = true;
  }
  if (year == 0 && month == 0 && day == 0) return TimeResult::kZero;
  constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (month < 1 || month > 12 || day < 1 || day > kDays[month - 1] ||
      (month == 2 && day == 29 && !leap) || hour > 23 || minute > 59 || second > 59) {
    return TimeResult::kBad;
  }
  int64_t local = DaysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  return Finish((own_zone ? own : zone).ToUtc(local), fraction, ms);
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
