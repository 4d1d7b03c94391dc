// Zipf's law as drawn, against its probabilities as summed up.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "bench/zipf.h"

namespace tokend::bench {
namespace {

std::vector<double> Probabilities(uint64_t count, double exponent) {
  std::vector<double> probabilities(count);
  double sum = 0;
  for (uint64_t rank = 0; rank < count; ++rank) {
    probabilities[rank] = std::pow(static_cast<double>(rank + 1), -exponent);
    sum += probabilities[rank];
  }
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

// Whether draws of `drawn` look as if they were of the law with that exponent: Pearson's test, at a
// level where one right law in some 100,000 fails.
bool LooksLike(double exponent, const Zipf& drawn, uint64_t count, uint64_t draws) {
  std::mt19937_64 random(7);
  std::vector<uint64_t> seen(count);
  for (uint64_t i = 0; i < draws; ++i) {
    const uint64_t rank = drawn.Draw([&] { return random(); });
    EXPECT_LT(rank, count);
    ++seen[rank];
  }
  const std::vector<double> probabilities = Probabilities(count, exponent);
  double statistic = 0;
  double groups = 0;
  // Rare ranks are taken together, so that each group is expected at least 20 times.
  double expected = 0;
  double observed = 0;
  double expected_later = static_cast<double>(draws);
  for (uint64_t rank = 0; rank < count; ++rank) {
    const double mean = probabilities[rank] * static_cast<double>(draws);
    expected += mean;
    expected_later -= mean;
    observed += static_cast<double>(seen[rank]);
    if (rank + 1 < count && (expected < 20 || expected_later < 20)) continue;
    statistic += (observed - expected) * (observed - expected) / expected;
    ++groups;
    expected = observed = 0;
  }
  // The quantile by Wilson and Hilferty, 4.27 standard deviations out.
  const double freedom = groups - 1;
  const double width = 2 / (9 * freedom);
  return statistic < freedom * std::pow(1 - width + 4.27 * std::sqrt(width), 3);
}

TEST(ZipfTest, RanksComeWithTheirProbabilities) {
  for (const double exponent : {0.1, 0.5, 0.99, 1.0, 1.01, 2.0, 4.0}) {
    for (const uint64_t count : {uint64_t{2}, uint64_t{3}, uint64_t{50}, uint64_t{100000}}) {
      EXPECT_TRUE(LooksLike(exponent, Zipf(count, exponent), count, 300000))
          << "exponent " << exponent << ", " << count << " ranks";
    }
  }
}

TEST(ZipfTest, TheTestTellsLawsApart) {
  EXPECT_FALSE(LooksLike(0.99, Zipf(50, 1.02), 50, 300000));
  EXPECT_FALSE(LooksLike(0.99, Zipf(100000, 1.02), 100000, 300000));
  EXPECT_FALSE(LooksLike(0.99, Zipf(49, 0.99), 50, 300000));
}

TEST(ZipfTest, OneRankIsAlwaysTheFirst) {
  const Zipf zipf(1, 0.99);
  std::mt19937_64 random(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(zipf.Draw([&] { return random(); }), 0u);
}

TEST(ZipfTest, ExtremeNumbersStayInRange) {
  for (const uint64_t bits : {uint64_t{0}, UINT64_MAX}) {
    for (const uint64_t count : {uint64_t{1}, uint64_t{10}, uint64_t{1} << 40}) {
      for (const double exponent : {0.01, 1.0, 10.0}) {
        const Zipf zipf(count, exponent);
        // A number that is refused is followed by another.
        uint64_t next = bits;
        EXPECT_LT(zipf.Draw([&] { return std::exchange(next, uint64_t{1} << 63); }), count);
      }
    }
  }
}

}  // namespace
}  // namespace tokend::bench
