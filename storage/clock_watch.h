// ClockWatch: notices a wall clock that does not run like uptime.
//
// Not thread-safe.
#pragma once

#include <cstdint>

namespace tokend {

class ClockWatch {
 public:
  // What clocks may differ by without anybody having set one: ticks, slewing, a thread that waits.
  static constexpr uint64_t kJumpMinMs = 1000;

  ClockWatch(uint64_t wall_ms, uint64_t steady_ms) : wall_ms_(wall_ms), steady_ms_(steady_ms) {}

  // How far the wall clock has jumped since the last call, ahead or (negative) back; else 0.
  int64_t Jump(uint64_t wall_ms, uint64_t steady_ms) {
    const int64_t jump =
        static_cast<int64_t>(wall_ms - wall_ms_) - static_cast<int64_t>(steady_ms - steady_ms_);
    wall_ms_ = wall_ms;
    steady_ms_ = steady_ms;
    return static_cast<uint64_t>(jump < 0 ? -jump : jump) < kJumpMinMs ? 0 : jump;
  }

 private:
  uint64_t wall_ms_;
  uint64_t steady_ms_;
};

}  // namespace tokend
