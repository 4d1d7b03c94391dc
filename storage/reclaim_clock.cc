#include "storage/reclaim_clock.h"

#include <algorithm>

namespace tokend {

void ReclaimClock::Start(const State& state, uint64_t steady_ms) {
  now_ms_.store(state.now_ms, std::memory_order_relaxed);
  gap_age_ms_ = state.gap_age_ms;
  steady_ms_ = steady_ms;
}

uint64_t ReclaimClock::Tick(uint64_t wall_ms, uint64_t steady_ms) {
  const uint64_t elapsed = steady_ms > steady_ms_ ? steady_ms - steady_ms_ : 0;
  steady_ms_ = std::max(steady_ms_, steady_ms);
  const uint64_t now = now_ms();
  if (wall_ms <= now) {
    gap_age_ms_ = 0;
    return 0;
  }
  const uint64_t reached = std::min(now + elapsed, wall_ms);
  if (wall_ms - reached < kGapMinMs) {
    gap_age_ms_ = 0;
  } else {
    gap_age_ms_ += elapsed;
    if (gap_age_ms_ >= gap_accept_ms_) {
      Accept(wall_ms);
      return wall_ms - now;
    }
  }
  now_ms_.store(reached, std::memory_order_relaxed);
  return 0;
}

void ReclaimClock::Accept(uint64_t wall_ms) {
  now_ms_.store(std::max(now_ms(), wall_ms), std::memory_order_relaxed);
  gap_age_ms_ = 0;
}

}  // namespace tokend
