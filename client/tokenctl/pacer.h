// Pacer: spreads rows evenly over time, so many a second at most.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tokend::tokenctl {

class Pacer {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // 0 = as fast as it goes.
  explicit Pacer(uint64_t rows_per_second) : rows_per_second_(rows_per_second) {}

  // How long to wait before `rows` more are sent. What was not sent while nobody asked is not made
  // up for.
  std::chrono::nanoseconds Wait(size_t rows, Time now) {
    if (rows_per_second_ == 0) return {};
    const Time due = std::max(next_, now);
    next_ = due + std::chrono::nanoseconds(rows * uint64_t{1'000'000'000} / rows_per_second_);
    return due - now;
  }

 private:
  const uint64_t rows_per_second_;
  Time next_;
};

}  // namespace tokend::tokenctl
