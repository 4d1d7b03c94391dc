#include "storage/reclaim_clock.h"

#include <gtest/gtest.h>

namespace tokend {
namespace {

constexpr uint64_t kDay = 24ull * 3600 * 1000;
constexpr uint64_t kWall = 1800000000000;

class ReclaimClockTest : public ::testing::Test {
 protected:
  ReclaimClockTest() { clock_.Start({kWall, 0}, steady_); }
  // Uptime passes, and the wall clock with it.
  void Pass(uint64_t ms) {
    steady_ += ms;
    wall_ += ms;
    clock_.Tick(wall_, steady_);
  }

  ReclaimClock clock_{kDay};
  uint64_t wall_ = kWall;
  uint64_t steady_ = 77;
};

TEST_F(ReclaimClockTest, FollowsTheWallClockWhileBothRunAlike) {
  Pass(50);
  Pass(12345);
  EXPECT_EQ(clock_.now_ms(), wall_);
}

TEST_F(ReclaimClockTest, NeverRunsFasterThanUptime) {
  wall_ += 365 * kDay;
  Pass(1000);
  EXPECT_EQ(clock_.now_ms(), kWall + 1000);
  for (int hour = 0; hour < 23; ++hour) Pass(3600 * 1000);
  EXPECT_EQ(clock_.now_ms(), kWall + 1000 + 23ull * 3600 * 1000);
}

TEST_F(ReclaimClockTest, TakesAGapOverOnceItHasLasted) {
  wall_ += 365 * kDay;
  Pass(kDay - 1);
  EXPECT_LT(clock_.now_ms(), wall_ - kDay);
  Pass(1);
  EXPECT_EQ(clock_.now_ms(), wall_);
}

TEST_F(ReclaimClockTest, AGapThatClosesStartsAnew) {
  wall_ += 10 * kDay;
  Pass(kDay / 2);
  wall_ -= 10 * kDay;
  Pass(1);
  wall_ += 10 * kDay;
  Pass(kDay - 1);
  EXPECT_LT(clock_.now_ms(), wall_ - kDay);
}

TEST_F(ReclaimClockTest, WaitsWhileTheWallClockIsBehind) {
  Pass(1000);
  const uint64_t reached = clock_.now_ms();
  wall_ -= 3600 * 1000;
  Pass(1800 * 1000);
  EXPECT_EQ(clock_.now_ms(), reached);
  Pass(1800 * 1000 + 5);
  EXPECT_EQ(clock_.now_ms(), wall_);
}

TEST_F(ReclaimClockTest, AnOperatorTakesAGapOver) {
  wall_ += 365 * kDay;
  clock_.Accept(wall_);
  EXPECT_EQ(clock_.now_ms(), wall_);
  clock_.Accept(kWall);  // never back
  EXPECT_EQ(clock_.now_ms(), wall_);
}

TEST_F(ReclaimClockTest, DowntimeIsAGapThatAgesOverRestarts) {
  wall_ += 3 * kDay;  // off for three days
  clock_.Start({kWall, 0}, steady_);
  Pass(kDay / 2);
  const ReclaimClock::State state = clock_.state();
  ReclaimClock after(kDay);
  after.Start(state, 5);
  after.Tick(wall_ + kDay / 2, 5 + kDay / 2);
  EXPECT_EQ(after.now_ms(), wall_ + kDay / 2);
}

}  // namespace
}  // namespace tokend
