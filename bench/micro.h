// What the micro-benchmark programs share: their main() and how they check.
//
// Each first compares what it is about to time with a reference and throws if it differs, so that a
// figure for a wrong answer cannot be printed.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace tokend::bench {

inline void Require(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error("the answer is wrong: " + what);
}

// Each program has its own: checks and registers its benchmarks. Data sets have at most
// `tokens_max` tokens (--tokens=N, a million unless given; the test suite takes a few, so that they
// cannot rot).
void RegisterBenchmarks(size_t tokens_max);

// How many tokens the data sets of a benchmark have: a thousand are in the first cache, ten
// thousand in the second, and tokens_max is to be in none.
inline std::vector<size_t> DataSetSizes(size_t tokens_max) {
  std::vector<size_t> sizes;
  for (const size_t size : {size_t{1000}, size_t{10000}}) {
    if (size < tokens_max) sizes.push_back(size);
  }
  sizes.push_back(tokens_max);
  return sizes;
}

}  // namespace tokend::bench
