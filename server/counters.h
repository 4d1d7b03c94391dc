// What a loop counts. Each counter has one writer, its loop, and any thread may read it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "storage/token_table.h"

namespace tokend {

class Counter {
 public:
  // One writer, so a load and a store do: no locked instruction on the read path. Relaxed: a number
  // that says nothing about any other memory.
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Subtract(uint64_t n = 1) { Add(~n + 1); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

inline constexpr size_t kMethodsMax = 32;

// How long things took: how many of them by an upper bound.
class TimeCounter {
 public:
  // Upper bounds in microseconds; longer ones come last.
  static constexpr std::array<uint64_t, 15> kBoundsUs = {
      1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 20000, 50000};

  // `count` things that took as long each.
  void Add(uint64_t us, uint64_t count = 1) {
    size_t bucket = 0;
    while (bucket < kBoundsUs.size() && us > kBoundsUs[bucket]) ++bucket;
    counts_[bucket].Add(count);
    sum_us_.Add(us * count);
    if (us > max_us_.load(std::memory_order_relaxed)) max_us_.store(us, std::memory_order_relaxed);
  }
  // Of bucket i: at most kBoundsUs[i], and more than the bound before it.
  uint64_t count(size_t bucket) const { return counts_[bucket].value(); }
  uint64_t total() const {
    uint64_t total = 0;
    for (const Counter& count : counts_) total += count.value();
    return total;
  }
  uint64_t sum_us() const { return sum_us_.value(); }
  uint64_t max_us() const { return max_us_.load(std::memory_order_relaxed); }

 private:
  std::array<Counter, kBoundsUs.size() + 1> counts_;
  Counter sum_us_;
  std::atomic<uint64_t> max_us_{0};
};

// A cache line of its own, so that loops do not slow each other down by counting.
struct alignas(64) LoopCounters {
  Counter connections;  // open now
  Counter connections_total;
  Counter connections_refused;  // over connections_max
  Counter timeouts;             // closed by idle, message or write time-out
  Counter bytes_in, bytes_out;
  Counter requests, notifications;
  Counter errors;  // requests answered with an error
  Counter notifications_failed;
  Counter protocol_errors;  // connections closed for what they sent
  Counter http_requests;
  Counter tls_handshakes;  // that came to a good end
  Counter tls_resumed;     // of those
  Counter tls_failed;
  std::array<Counter, kVerdicts> verdicts;   // by Verdict
  std::array<Counter, kMethodsMax> methods;  // requests and notifications, by MethodIndex
  TimeCounter turns;  // processor time of the loop's turns: what all its connections waited for
  TimeCounter
      validates;  // from when the loop woke up for a validate to when its answer was written
};

}  // namespace tokend
