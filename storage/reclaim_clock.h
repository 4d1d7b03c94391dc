// The clock that decides what leaves the disk. It is persisted and never runs faster than uptime,
// so that no jump of the wall clock can destroy live tokens: where the wall clock is ahead (the
// machine was off, or the clock jumped), the gap is taken over only once it has lasted, or when an
// operator says so. Where the wall clock is behind, this one waits.
//
// Not thread-safe, except now_ms().
#pragma once

#include <atomic>
#include <cstdint>

namespace tokend {

class ReclaimClock {
 public:
  struct State {
    uint64_t now_ms = 0;
    uint64_t gap_age_ms = 0;  // uptime since the wall clock was first seen ahead
  };
  // A gap below this is the tick's own jitter and is followed at once.
  static constexpr uint64_t kGapMinMs = 1000;

  explicit ReclaimClock(uint64_t gap_accept_ms) : gap_accept_ms_(gap_accept_ms) {}

  // `state` as persisted; a new store starts with {wall_ms, 0}.
  void Start(const State& state, uint64_t steady_ms);
  // How large a gap it has taken over; most often none.
  uint64_t Tick(uint64_t wall_ms, uint64_t steady_ms);
  void Accept(uint64_t wall_ms);

  // Any thread.
  uint64_t now_ms() const { return now_ms_.load(std::memory_order_relaxed); }
  State state() const { return {now_ms(), gap_age_ms_}; }

 private:
  const uint64_t gap_accept_ms_;
  std::atomic<uint64_t> now_ms_{0};
  uint64_t steady_ms_ = 0;
  uint64_t gap_age_ms_ = 0;
};

}  // namespace tokend
