// The soak test's criterion: what counts as growth and what does not.
#include "tests/system/flatness.h"

#include <gtest/gtest.h>

#include <functional>

namespace tokend::testing {
namespace {

std::vector<Sample> Series(const std::function<double(double)>& value) {
  std::vector<Sample> samples;
  for (int second = 100; second <= 400; ++second) {
    samples.push_back({static_cast<double>(second), value(second)});
  }
  return samples;
}

TEST(FlatnessTest, ASlopeIsItsRise) {
  EXPECT_NEAR(RiseOf(Series([](double at_s) { return 7 + 2 * at_s; })), 600, 1e-6);
  EXPECT_NEAR(RiseOf(Series([](double at_s) { return -at_s; })), -300, 1e-6);
  EXPECT_EQ(RiseOf({}), 0);
  EXPECT_EQ(RiseOf({{1, 5}}), 0);
  EXPECT_EQ(RiseOf({{1, 5}, {1, 9}}), 0);
}

TEST(FlatnessTest, ALeakIsNotFlatAndASawIs) {
  const auto saw = [](double at_s) { return 1000 + static_cast<int>(at_s) % 40 * 20.0; };
  EXPECT_TRUE(IsFlat(Series(saw), 0));
  EXPECT_FALSE(IsFlat(Series([&](double at_s) { return saw(at_s) + at_s; }), 0));
  EXPECT_TRUE(IsFlat(Series([&](double at_s) { return saw(at_s) - at_s; }), 0));
}

TEST(FlatnessTest, ATenthOfTheMeanOrTheFloorIsLetPass) {
  const auto rising_by = [](double rise) {
    return Series([=](double at_s) { return 1000 + (at_s - 250) / 300 * rise; });
  };
  EXPECT_TRUE(IsFlat(rising_by(99), 0));
  EXPECT_FALSE(IsFlat(rising_by(101), 0));
  EXPECT_TRUE(IsFlat(rising_by(101), 102));
  EXPECT_FALSE(IsFlat(rising_by(103), 102));
}

}  // namespace
}  // namespace tokend::testing
