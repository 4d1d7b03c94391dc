#include <gtest/gtest.h>

#include "client/tokenctl/pacer.h"

namespace tokend::tokenctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr Pacer::Time kStart(std::chrono::hours(1));

TEST(PacerTest, SpreadsRowsEvenly) {
  Pacer pacer(1000);
  EXPECT_EQ(pacer.Wait(10, kStart), nanoseconds(0));
  EXPECT_EQ(pacer.Wait(20, kStart), milliseconds(10));
  EXPECT_EQ(pacer.Wait(1, kStart + milliseconds(10)), milliseconds(20));
}

TEST(PacerTest, DoesNotMakeUpForAPause) {
  Pacer pacer(1000);
  pacer.Wait(10, kStart);
  EXPECT_EQ(pacer.Wait(10, kStart + std::chrono::hours(1)), nanoseconds(0));
  EXPECT_EQ(pacer.Wait(10, kStart + std::chrono::hours(1)), milliseconds(10));
}

TEST(PacerTest, WithoutABoundThereIsNoWait) {
  Pacer pacer(0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pacer.Wait(1'000'000, kStart), nanoseconds(0));
}

}  // namespace
}  // namespace tokend::tokenctl
