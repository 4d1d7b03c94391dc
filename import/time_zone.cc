#include "import/time_zone.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

namespace tokend {
namespace {

constexpr int64_t kDay = 86400;
constexpr size_t kFileBytesMax = 1 << 20;

int64_t YearOf(int64_t utc) {
  // 400 years are a whole number of days; one step each way mends the estimate.
  int64_t days = utc / kDay - (utc % kDay < 0 ? 1 : 0);
  int64_t year = 1970 + days * 400 / 146097;
  while (DaysFromCivil(year + 1, 1, 1) <= days) ++year;
  while (DaysFromCivil(year, 1, 1) > days) --year;
  return year;
}

bool IsLeap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

uint64_t BigEndian(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

bool TakeNumber(std::string_view* text, int64_t max, int64_t* value) {
  size_t digits = 0;
  *value = 0;
  while (digits < text->size() && digits < 6 && (*text)[digits] >= '0' && (*text)[digits] <= '9') {
    *value = *value * 10 + ((*text)[digits++] - '0');
  }
  text->remove_prefix(digits);
  return digits > 0 && *value <= max;
}

bool Take(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

// [+-]h[h][:mm[:ss]] in seconds, as it stands.
bool TakeTime(std::string_view* text, int64_t hours_max, int64_t* seconds) {
  bool minus = Take(text, '-');
  if (!minus) Take(text, '+');
  int64_t hours = 0, minutes = 0, rest = 0;
  if (!TakeNumber(text, hours_max, &hours)) return false;
  if (Take(text, ':')) {
    if (!TakeNumber(text, 59, &minutes)) return false;
    if (Take(text, ':') && !TakeNumber(text, 59, &rest)) return false;
  }
  *seconds = hours * 3600 + minutes * 60 + rest;
  if (minus) *seconds = -*seconds;
  return true;
}

// "CET" or "<+03>".
bool TakeAbbreviation(std::string_view* text) {
  if (Take(text, '<')) {
    size_t end = text->find('>');
    if (end == std::string_view::npos) return false;
    text->remove_prefix(end + 1);
    return true;
  }
  size_t letters = 0;
  while (letters < text->size() && std::isalpha(static_cast<unsigned char>((*text)[letters]))) {
    ++letters;
  }
  text->remove_prefix(letters);
  return letters >= 3;
}

Status Unknown(std::string_view name) {
  return {ErrorCode::kBadParams, "time zone '" + std::string(name) +
                                     "': it should be UTC, +HH:MM, -HH:MM or a name of the "
                                     "system's time zone database such as Europe/Berlin"};
}

}  // namespace

int64_t DaysFromCivil(int64_t year, int month, int day) {
  // Years from March on, so that the leap day is the last one.
  if (month <= 2) --year;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

Status TimeZone::Load(std::string_view name, TimeZone* zone, const std::string& directory) {
  *zone = TimeZone();
  if (name == "UTC" || name == "utc" || name == "Z") return Status::Ok();
  if (!name.empty() && (name.front() == '+' || name.front() == '-')) {
    std::string_view rest = name;
    int64_t offset = 0;
    if (!TakeTime(&rest, 14, &offset) || !rest.empty() ||
        name.find(':') == std::string_view::npos) {
      return Unknown(name);
    }
    zone->name_ = name;
    zone->first_offset_ = offset;
    return Status::Ok();
  }
  bool fits = !name.empty() && name.size() < 100 && name.front() != '/' &&
              name.find("..") == std::string_view::npos &&
              std::all_of(name.begin(), name.end(), [](unsigned char c) {
                return std::isalnum(c) || c == '/' || c == '_' || c == '-' || c == '+';
              });
  if (!fits) return Unknown(name);
  std::ifstream file(directory + "/" + std::string(name), std::ios::binary);
  if (!file) return Unknown(name);
  std::string bytes;
  char buffer[4096];
  while (bytes.size() <= kFileBytesMax && (file.read(buffer, sizeof buffer), file.gcount() > 0)) {
    bytes.append(buffer, static_cast<size_t>(file.gcount()));
  }
  return Parse(name, bytes, zone);
}

// TZif: a header of 44 bytes and a block with 32-bit times; since version 2 the same again with
// 64-bit times, and a POSIX TZ string between newlines for what comes after.
Status TimeZone::Parse(std::string_view name, std::string_view tzif, TimeZone* zone) {
  constexpr size_t kHeader = 44;
  *zone = TimeZone();
  size_t at = 0;
  size_t time_bytes = 4;
  uint64_t isut = 0, isstd = 0, leaps = 0, times = 0, types = 0, chars = 0;
  for (int block = 0; block < 2; ++block) {
    if (tzif.size() < at + kHeader || tzif.substr(at, 4) != "TZif") return Unknown(name);
    char version = tzif[at + 4];
    isut = BigEndian(tzif, at + 20, 4);
    isstd = BigEndian(tzif, at + 24, 4);
    leaps = BigEndian(tzif, at + 28, 4);
    times = BigEndian(tzif, at + 32, 4);
    types = BigEndian(tzif, at + 36, 4);
    chars = BigEndian(tzif, at + 40, 4);
    at += kHeader;
    if (block == 1 || version < '2') break;
    at += times * 5 + types * 6 + chars + leaps * 8 + isstd + isut;
    time_bytes = 8;
  }
  uint64_t body =
      times * (time_bytes + 1) + types * 6 + chars + leaps * (time_bytes + 4) + isstd + isut;
  if (types == 0 || at > tzif.size() || body > tzif.size() - at) return Unknown(name);

  size_t indices = at + times * time_bytes;
  size_t records = indices + times;
  auto offset_of = [&](uint64_t type) {
    return static_cast<int64_t>(static_cast<int32_t>(BigEndian(tzif, records + type * 6, 4)));
  };
  for (uint64_t i = 0; i < times; ++i) {
    uint64_t raw = BigEndian(tzif, at + i * time_bytes, time_bytes);
    uint64_t type = BigEndian(tzif, indices + i, 1);
    if (type >= types) return Unknown(name);
    zone->transitions_.push_back(time_bytes == 8 ? static_cast<int64_t>(raw)
                                                 : static_cast<int32_t>(raw));
    zone->offsets_.push_back(offset_of(type));
  }
  if (!std::is_sorted(zone->transitions_.begin(), zone->transitions_.end())) return Unknown(name);
  zone->first_offset_ = offset_of(0);
  zone->name_ = name;

  std::string_view footer = tzif.substr(at + body);
  if (time_bytes == 8 && Take(&footer, '\n')) {
    footer = footer.substr(0, footer.find('\n'));
    if (!footer.empty()) {
      if (!ParseRule(footer, &zone->rule_)) return Unknown(name);
      zone->has_rule_ = true;
    }
  }
  return Status::Ok();
}

// std offset [dst [offset] , date [/time] , date [/time]], where offsets count west of UTC.
bool TimeZone::ParseRule(std::string_view text, Rule* rule) {
  int64_t west = 0;
  if (!TakeAbbreviation(&text) || !TakeTime(&text, 24, &west)) return false;
  rule->standard_offset = -west;
  if (text.empty()) return true;
  rule->daylight = true;
  rule->daylight_offset = rule->standard_offset + 3600;
  if (!TakeAbbreviation(&text)) return false;
  if (!text.empty() && text.front() != ',') {
    if (!TakeTime(&text, 24, &west)) return false;
    rule->daylight_offset = -west;
  }
  return ParseRuleDate(&text, &rule->begin) && ParseRuleDate(&text, &rule->end) && text.empty();
}

bool TimeZone::ParseRuleDate(std::string_view* text, RuleDate* date) {
  if (!Take(text, ',')) return false;
  int64_t month = 0, week = 0, day = 0;
  if (Take(text, 'M')) {
    if (!TakeNumber(text, 12, &month) || !Take(text, '.') || !TakeNumber(text, 5, &week) ||
        !Take(text, '.') || !TakeNumber(text, 6, &day) || month < 1 || week < 1) {
      return false;
    }
  } else if (Take(text, 'J')) {
    date->kind = RuleDate::kJulian;
    if (!TakeNumber(text, 365, &day) || day < 1) return false;
  } else {
    date->kind = RuleDate::kDayOfYear;
    if (!TakeNumber(text, 365, &day)) return false;
  }
  date->month = static_cast<int>(month);
  date->week = static_cast<int>(week);
  date->day = static_cast<int>(day);
  return !Take(text, '/') || TakeTime(text, 167, &date->time);
}

int64_t TimeZone::RuleDate::SecondsInYear(int64_t year) const {
  if (kind == kDayOfYear) return day * kDay + time;
  if (kind == kJulian) return (day - 1 + (day >= 60 && IsLeap(year) ? 1 : 0)) * kDay + time;
  int64_t first = DaysFromCivil(year, month, 1);
  int64_t next = month == 12 ? DaysFromCivil(year + 1, 1, 1) : DaysFromCivil(year, month + 1, 1);
  int64_t weekday = ((first + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
  int64_t wanted = first + (day - weekday + 7) % 7 + (week - 1) * 7;
  while (wanted >= next) wanted -= 7;  // week 5 is the last one
  return (wanted - DaysFromCivil(year, 1, 1)) * kDay + time;
}

int64_t TimeZone::RuleOffsetAt(int64_t utc) const {
  if (!rule_.daylight) return rule_.standard_offset;
  // In local standard time, so that the year is that of the rules.
  int64_t year = YearOf(utc + rule_.standard_offset);
  int64_t year_begin = DaysFromCivil(year, 1, 1) * kDay;
  int64_t begin = year_begin + rule_.begin.SecondsInYear(year) - rule_.standard_offset;
  int64_t end = year_begin + rule_.end.SecondsInYear(year) - rule_.daylight_offset;
  bool daylight = begin < end ? utc >= begin && utc < end : utc < end || utc >= begin;
  return daylight ? rule_.daylight_offset : rule_.standard_offset;
}

int64_t TimeZone::OffsetAt(int64_t utc) const {
  auto after = std::upper_bound(transitions_.begin(), transitions_.end(), utc);
  if (after == transitions_.end() && has_rule_) return RuleOffsetAt(utc);
  if (after == transitions_.begin()) return first_offset_;
  return offsets_[static_cast<size_t>(after - transitions_.begin()) - 1];
}

int64_t TimeZone::ToUtc(int64_t local) const {
  // Offsets are less than a day, so the two days around hold every candidate.
  int64_t before = OffsetAt(local - kDay);
  int64_t after = OffsetAt(local + kDay);
  if (before == after) return local - before;
  bool before_fits = OffsetAt(local - before) == before;
  bool after_fits = OffsetAt(local - after) == after;
  if (before_fits && after_fits) return std::min(local - before, local - after);
  return after_fits ? local - after : local - before;
}

}  // namespace tokend
