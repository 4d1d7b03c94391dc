// What a test found to be wrong; any thread adds to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>

namespace tokend::testing {

class Failures {
 public:
  void Add(const std::string& what) {
    if (count_.fetch_add(1) < kShown) std::fprintf(stderr, "WRONG: %s\n", what.c_str());
  }
  uint64_t count() const { return count_.load(); }

 private:
  static constexpr uint64_t kShown = 20;
  std::atomic<uint64_t> count_{0};
};

}  // namespace tokend::testing
