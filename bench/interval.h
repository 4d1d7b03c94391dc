// Figures for each so many milliseconds of a run, besides those of the whole.
#pragma once

#include <cstdint>
#include <functional>

#include "bench/histogram.h"

namespace tokend::bench {

// What was answered until some moment.
struct Progress {
  uint64_t answers = 0;
  uint64_t tokens = 0;
  uint64_t wrong = 0;
  uint64_t beside_answers = 0;
};

struct Interval {
  uint64_t end_ns = 0;     // since measuring began
  uint64_t length_ns = 0;  // the last one of a run may be shorter than the others
  uint64_t answers = 0;    // the measured stream's, in the interval, like the next two
  uint64_t tokens = 0;
  uint64_t beside_answers = 0;  // those of the streams beside it
  uint64_t wrong = 0;           // of all streams, since the run began
  uint64_t p50_ns = 0;
  uint64_t p99_ns = 0;
  uint64_t max_ns = 0;
};

struct IntervalObserver {
  uint64_t length_ns = 0;  // >= 1
  std::function<void(const Interval&)> on_end;
};

// Cuts a run into intervals. An answer belongs to the interval that is open when it is counted; so
// one that nobody could count in time leaves its intervals empty, and falls in the next.
class IntervalMeter {
 public:
  IntervalMeter(IntervalObserver observer, uint64_t begin_ns);

  uint64_t next_end_ns() const { return begin_ns_ + last_end_ns_ + observer_.length_ns; }
  // Ends the intervals whose time is over; the first of them has whatever was answered.
  void Advance(uint64_t now_ns, const Progress& progress, const Histogram& latency);
  // Ends the last one, short as it is, unless it is empty.
  void Finish(uint64_t now_ns, const Progress& progress, const Histogram& latency);

 private:
  void End(uint64_t end_ns, const Progress& progress, const Histogram& latency);

  const IntervalObserver observer_;
  const uint64_t begin_ns_;
  uint64_t last_end_ns_ = 0;  // since begin_ns_
  Progress last_;
  Histogram last_latency_;
};

}  // namespace tokend::bench
