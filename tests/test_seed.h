// The seed of a random test: from TOKEND_TEST_SEED, or from chance; printed, so that a failure can
// be run again.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace tokend {

inline uint64_t TestSeed() {
  const char* given = std::getenv("TOKEND_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("TOKEND_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace tokend
