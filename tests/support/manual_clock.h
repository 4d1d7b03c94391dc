// A clock that tests move.
#pragma once

#include <atomic>
#include <cstdint>

#include "storage/clock.h"

namespace tokend {

class ManualClock : public Clock {
 public:
  static constexpr uint64_t kStartMs = 1800000000000;

  uint64_t NowMs() const override { return now_ms_.load(); }
  uint64_t SteadyMs() const override { return steady_ms_.load(); }
  // Time passes.
  void Advance(uint64_t ms) {
    now_ms_ += ms;
    steady_ms_ += ms;
  }
  // The wall clock jumps and uptime goes on.
  void SetWall(uint64_t now_ms) { now_ms_ = now_ms; }

 private:
  std::atomic<uint64_t> now_ms_{kStartMs};
  std::atomic<uint64_t> steady_ms_{1000};
};

}  // namespace tokend
