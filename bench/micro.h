// What the micro-benchmark programs share: their main() and how they check.
//
// Each first compares what it is about to time with a reference and throws if it differs, so that a
// figure for a wrong answer cannot be printed.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace tokend::bench {

inline void Require(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error("the answer is wrong: " + what);
}

// Each program has its own: checks and registers its benchmarks. Data sets have at most
// `tokens_max` tokens (--tokens=N, a million unless given; the test suite takes a few, so that they
// cannot rot).
void RegisterBenchmarks(size_t tokens_max);

}  // namespace tokend::bench
