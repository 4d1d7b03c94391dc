#include "bench/interval.h"

#include <utility>

namespace tokend::bench {

IntervalMeter::IntervalMeter(IntervalObserver observer, uint64_t begin_ns)
    : observer_(std::move(observer)), begin_ns_(begin_ns) {}

void IntervalMeter::Advance(uint64_t now_ns, const Progress& progress, const Histogram& latency) {
  while (now_ns >= next_end_ns()) End(last_end_ns_ + observer_.length_ns, progress, latency);
}

void IntervalMeter::Finish(uint64_t now_ns, const Progress& progress, const Histogram& latency) {
  Advance(now_ns, progress, latency);
  if (progress.answers != last_.answers || progress.beside_answers != last_.beside_answers) {
    End(now_ns - begin_ns_, progress, latency);
  }
}

void IntervalMeter::End(uint64_t end_ns, const Progress& progress, const Histogram& latency) {
  // Not kept up with each answer, but taken from two states of one histogram: costs the generator
  // some µs an interval, and nothing an answer.
  const Histogram since = latency.Since(last_latency_);
  observer_.on_end({.end_ns = end_ns,
                    .length_ns = end_ns - last_end_ns_,
                    .answers = progress.answers - last_.answers,
                    .tokens = progress.tokens - last_.tokens,
                    .beside_answers = progress.beside_answers - last_.beside_answers,
                    .wrong = progress.wrong,
                    .p50_ns = since.PercentileNs(0.5),
                    .p99_ns = since.PercentileNs(0.99),
                    .max_ns = since.max_ns()});
  last_end_ns_ = end_ns;
  last_ = progress;
  last_latency_ = latency;
}

}  // namespace tokend::bench
