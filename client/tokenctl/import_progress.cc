#include "client/tokenctl/import_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

namespace {

constexpr uint64_t kDrawIntervalMs = 200;
constexpr uint64_t kLineIntervalMs = 10'000;

std::string Clock(uint64_t seconds) {
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

std::string ProgressText(const ImportProgress& progress, uint64_t elapsed_ms) {
  std::string text = WithCommas(progress.rows_read) + " rows";
  if (elapsed_ms == 0) return text;
  text += "  " + WithCommas(progress.rows_read * 1000 / elapsed_ms) + "/s";
  if (!progress.bytes_total || *progress.bytes_total == 0 || progress.bytes_read == 0) return text;
  double done = std::min(
      1.0, static_cast<double>(progress.bytes_read) / static_cast<double>(*progress.bytes_total));
  auto left_s = static_cast<uint64_t>(
      std::llround(static_cast<double>(elapsed_ms) * (1 - done) / done / 1000));
  return text + fmt::format("  {}%  {} left", static_cast<int>(done * 100), Clock(left_s));
}

ProgressLine::ProgressLine(std::ostream* out, bool is_terminal, std::function<uint64_t()> steady_ms)
    : out_(out),
      is_terminal_(is_terminal),
      steady_ms_(std::move(steady_ms)),
      start_ms_(steady_ms_()),
      shown_ms_(start_ms_) {}

void ProgressLine::Update(const ImportProgress& progress) {
  uint64_t now_ms = steady_ms_();
  if (now_ms - shown_ms_ < (is_terminal_ ? kDrawIntervalMs : kLineIntervalMs)) return;
  shown_ms_ = now_ms;
  std::string text = ProgressText(progress, now_ms - start_ms_);
  if (is_terminal_) {
    *out_ << "\r\x1b[K" << text << std::flush;
    is_drawn_ = true;
  } else {
    *out_ << text << std::endl;
  }
}

void ProgressLine::Clear() {
  if (is_drawn_) *out_ << "\r\x1b[K" << std::flush;
  is_drawn_ = false;
}

}  // namespace tokend::tokenctl
