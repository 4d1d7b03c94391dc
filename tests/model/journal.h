// The one order of what happens in all threads of the model test, and what the clock showed when.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <vector>

#include "tests/support/manual_clock.h"

namespace tokend::testing {

// Thread-safe.
class Journal {
 public:
  explicit Journal(ManualClock* clock) : clock_(clock), clocks_{{0, kOpen, clock->NowMs()}} {}

  uint64_t Next() { return ++moment_; }

  // The clock is moved through here only.
  void MoveClock(const std::function<void(ManualClock&)>& move) {
    const std::lock_guard lock(mutex_);
    const uint64_t from = Next();
    move(*clock_);
    clocks_.back().to = Next();  // until here some thread may have the old time in its hands
    clocks_.push_back({from, kOpen, clock_->NowMs()});
  }
  std::vector<uint64_t> ClocksBetween(uint64_t from, uint64_t to) const {
    const std::lock_guard lock(mutex_);
    std::vector<uint64_t> shown;
    for (auto it = clocks_.rbegin(); it != clocks_.rend() && it->to >= from; ++it) {
      if (it->from <= to) shown.push_back(it->now_ms);
    }
    return shown;
  }
  uint64_t NowMs() const { return clock_->NowMs(); }

 private:
  static constexpr uint64_t kOpen = std::numeric_limits<uint64_t>::max();
  struct Shown {
    uint64_t from, to;
    uint64_t now_ms;
  };

  ManualClock* const clock_;
  std::atomic<uint64_t> moment_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Shown> clocks_;
};

}  // namespace tokend::testing
