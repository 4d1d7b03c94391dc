#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "bench/histogram.h"

namespace tokend::bench {
namespace {

TEST(HistogramTest, EmptyIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.PercentileNs(0.5), 0u);
  EXPECT_EQ(histogram.max_ns(), 0u);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.PercentileNs(0.5), 50u);
  EXPECT_EQ(histogram.PercentileNs(0.99), 99u);
  EXPECT_EQ(histogram.PercentileNs(1), 100u);
}

TEST(HistogramTest, OneValueIsEveryPercentile) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{255},
                               uint64_t{256}, uint64_t{1} << 40}) {
    Histogram histogram;
    histogram.Record(value);
    // The maximum is exact, and no percentile is above it.
    EXPECT_EQ(histogram.PercentileNs(0), std::min(value, histogram.PercentileNs(1)));
    EXPECT_LE(histogram.PercentileNs(0.5), value);
    EXPECT_EQ(histogram.max_ns(), value);
  }
}

TEST(HistogramTest, TellsWhatCameSince) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Record(1000 * value);
  const Histogram earlier = histogram;
  EXPECT_EQ(histogram.Since(earlier).count(), 0u);
  EXPECT_EQ(histogram.Since(earlier).max_ns(), 0u);
  for (uint64_t value = 1; value <= 10; ++value) histogram.Record(value);
  Histogram since = histogram.Since(earlier);
  EXPECT_EQ(since.count(), 10u);
  EXPECT_EQ(since.PercentileNs(0.5), 5u);
  EXPECT_EQ(since.max_ns(), 10u) << "not that of before";
  histogram.Record(200'123);
  since = histogram.Since(earlier);
  EXPECT_EQ(since.max_ns(), 200'123u) << "the greatest of all is exact";
  EXPECT_EQ(histogram.Since({}).PercentileNs(0.9), histogram.PercentileNs(0.9));
}

TEST(HistogramTest, PercentilesAreWithinOnePercentOfTheTruth) {
  std::mt19937_64 random(42);
  std::lognormal_distribution<double> latencies(12, 2);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 100000; ++i) {
    values.push_back(static_cast<uint64_t>(latencies(random)));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double fraction : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const auto truth = static_cast<double>(
        values[static_cast<size_t>(fraction * static_cast<double>(values.size())) - 1]);
    const auto said = static_cast<double>(histogram.PercentileNs(fraction));
    EXPECT_GE(said, truth) << fraction;
    EXPECT_LE(said, truth * 1.01) << fraction;
  }
}

}  // namespace
}  // namespace tokend::bench
