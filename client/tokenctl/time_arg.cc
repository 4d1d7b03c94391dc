#include "client/tokenctl/time_arg.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "protocol/record.h"

namespace tokend::tokenctl {

namespace {

using client::Error;
using client::Result;

constexpr int64_t kMsMax = static_cast<int64_t>(kTimeMsMax);
constexpr int64_t kUnixMsPlausible = 100'000'000'000;

Error Bad(std::string_view text, std::string_view wanted) {
  return {Error::Source::kCaller, "bad_params", fmt::format("\"{}\" should be {}", text, wanted),
          ""};
}

constexpr std::string_view kTimeWanted =
    "a time: Unix milliseconds, 2031-05-01T12:30:00Z, a duration such as 30d or -15m, now or never";
constexpr std::string_view kDurationWanted = "a duration such as 90s, 15m, 1h30m, 30d or 500ms";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads from the front of `text`, as it is taken apart.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool AtEnd() const { return text_.empty(); }
  bool Take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool Take(std::string_view word) {
    if (text_.substr(0, word.size()) != word) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  // Exactly so many digits.
  std::optional<int> Digits(size_t count) {
    if (text_.size() < count) return std::nullopt;
    int value = 0;
    for (char c : text_.substr(0, count)) {
      if (!IsDigit(c)) return std::nullopt;
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(count);
    return value;
  }
  std::optional<int64_t> Number() {
    int64_t value = 0;
    if (text_.empty() || !IsDigit(text_.front())) return std::nullopt;
    auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc()) return std::nullopt;
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return value;
  }

 private:
  std::string_view text_;
};

// One or more of NUMBER UNIT. nullopt beyond 2^53-1 ms, too.
std::optional<int64_t> ReadDuration(std::string_view text) {
  struct Unit {
    std::string_view name;
    int64_t ms;
  };
  // "ms" before "m".
  constexpr Unit kUnits[] = {{"ms", 1},        {"s", 1000},       {"m", 60'000},
                             {"h", 3'600'000}, {"d", 86'400'000}, {"w", 604'800'000}};
  Cursor cursor(text);
  int64_t total = 0;
  do {
    std::optional<int64_t> number = cursor.Number();
    if (!number.has_value()) return std::nullopt;
    const Unit* unit = std::ranges::find_if(
        kUnits, [&](const Unit& candidate) { return cursor.Take(candidate.name); });
    if (unit == std::end(kUnits) || *number > (kMsMax - total) / unit->ms) return std::nullopt;
    total += *number * unit->ms;
  } while (!cursor.AtEnd());
  return total;
}

// Z, +HH:MM, -HH:MM or nothing, in minutes east of UTC.
std::optional<int> ReadZone(Cursor& cursor) {
  if (cursor.AtEnd() || cursor.Take('Z')) return 0;
  int sign = cursor.Take('-') ? -1 : cursor.Take('+') ? 1 : 0;
  if (sign == 0) return std::nullopt;
  std::optional<int> hours = cursor.Digits(2);
  cursor.Take(':');
  std::optional<int> minutes = cursor.Digits(2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

std::optional<int64_t> ReadIso(std::string_view text) {
  Cursor cursor(text);
  std::optional<int> year = cursor.Digits(4);
  if (!year || !cursor.Take('-')) return std::nullopt;
  std::optional<int> month = cursor.Digits(2);
  if (!month || !cursor.Take('-')) return std::nullopt;
  std::optional<int> day = cursor.Digits(2);
  if (!day) return std::nullopt;
  std::chrono::year_month_day date(std::chrono::year(*year),
                                   std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  int64_t ms = std::chrono::sys_days(date).time_since_epoch().count() * int64_t{86'400'000};
  if (cursor.AtEnd()) return ms;

  if (!cursor.Take('T') && !cursor.Take(' ')) return std::nullopt;
  std::optional<int> hour = cursor.Digits(2);
  if (!hour || !cursor.Take(':')) return std::nullopt;
  std::optional<int> minute = cursor.Digits(2);
  std::optional<int> second = 0;
  int fraction_ms = 0;
  if (cursor.Take(':')) {
    second = cursor.Digits(2);
    if (second && cursor.Take('.')) {
      int scale = 100;
      std::optional<int> digit = cursor.Digits(1);
      if (!digit) return std::nullopt;
      for (; digit; digit = cursor.Digits(1), scale /= 10) fraction_ms += *digit * scale;
    }
  }
  if (!minute || !second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  std::optional<int> zone_minutes = ReadZone(cursor);
  if (!zone_minutes || !cursor.AtEnd()) return std::nullopt;
  return ms + ((*hour * 60 + *minute - *zone_minutes) * int64_t{60} + *second) * 1000 + fraction_ms;
}

}  // namespace

Result<TimeArg> ParseTime(std::string_view text) {
  if (text == "never") return TimeArg{TimeArg::Kind::kNever, 0};
  if (text == "now") return TimeArg{TimeArg::Kind::kRelative, 0};
  if (!text.empty() && std::ranges::all_of(text, IsDigit)) {
    std::optional<int64_t> ms = Cursor(text).Number();
    if (!ms.has_value() || *ms > kMsMax) return Bad(text, "at most 2^53-1 Unix milliseconds");
    if (*ms != 0 && *ms < kUnixMsPlausible) {
      return Bad(text,
                 "Unix milliseconds; it looks like seconds (a duration has a unit, as in 15m)");
    }
    return TimeArg{TimeArg::Kind::kAt, *ms};
  }
  Cursor cursor(text);
  bool negative = cursor.Take('-');
  bool has_sign = negative || cursor.Take('+');
  if (std::optional<int64_t> ms = ReadDuration(text.substr(has_sign ? 1 : 0))) {
    return TimeArg{TimeArg::Kind::kRelative, negative ? -*ms : *ms};
  }
  if (std::optional<int64_t> ms = ReadIso(text)) {
    if (*ms < 0) return Bad(text, "a time from 1970 on");
    return TimeArg{TimeArg::Kind::kAt, *ms};
  }
  return Bad(text, kTimeWanted);
}

Result<uint64_t> ParseDuration(std::string_view text) {
  std::optional<int64_t> ms = ReadDuration(text);
  if (!ms.has_value()) return Bad(text, kDurationWanted);
  return static_cast<uint64_t>(*ms);
}

uint64_t ResolveTime(const TimeArg& time, uint64_t now_ms) {
  if (time.kind == TimeArg::Kind::kAt) return static_cast<uint64_t>(time.ms);
  int64_t ms = static_cast<int64_t>(now_ms) + time.ms;
  return static_cast<uint64_t>(std::clamp<int64_t>(ms, 0, kMsMax));
}

std::string FormatTimeSeconds(uint64_t time_ms) {
  int64_t seconds = static_cast<int64_t>(time_ms / 1000);
  std::chrono::sys_days days{std::chrono::days(seconds / 86400)};
  std::chrono::year_month_day date(days);
  int64_t of_day = seconds % 86400;
  // Beyond the year 32767 the calendar ends; such a time is only a number.
  if (seconds > int64_t{32767 - 1970} * 365 * 86400) return fmt::format("{}ms", time_ms);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     of_day / 3600, of_day / 60 % 60, of_day % 60);
}

std::string FormatTime(uint64_t time_ms) {
  std::string text = FormatTimeSeconds(time_ms);
  if (time_ms % 1000 != 0 && text.back() == 'Z') {
    text.insert(text.size() - 1, fmt::format(".{:03}", time_ms % 1000));
  }
  return text;
}

}  // namespace tokend::tokenctl
