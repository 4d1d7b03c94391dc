// Crash points (storage/crash_point.h): how one is chosen, and that it kills where it should.
#include "storage/crash_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <string>

namespace tokend {
namespace {

using ::testing::HasSubstr;
using ::testing::KilledBySignal;

TEST(CrashPointTest, KillsAtThePassageThatWasNamed) {
  const auto pass_two = [] {
    TOKEND_CRASH_POINT("load.row");
    TOKEND_CRASH_POINT("commit.written");
    TOKEND_CRASH_POINT("commit.applied");
    TOKEND_CRASH_POINT("commit.written");
    std::exit(0);
  };
  const auto armed = [&](const std::string& at) {
    if (!ArmCrashPoint(at).empty()) std::exit(1);
    pass_two();
  };
  EXPECT_EXIT(armed("commit.written"), KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(armed("commit.written:2"), KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(armed("commit.written:3"), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(armed("load.done"), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(pass_two(), ::testing::ExitedWithCode(0), "");
}

TEST(CrashPointTest, WhatIsNotThereIsRefusedWithWhatIs) {
  const std::string wrong = ArmCrashPoint("commit.begun");
  EXPECT_THAT(wrong, HasSubstr("'commit.begun'"));
  for (const std::string_view name : kCrashPoints) EXPECT_THAT(wrong, HasSubstr(std::string(name)));
  for (const char* at : {"", "load.row:", "load.row:0", "load.row:x", "load.row:1x", "load.row:-1",
                         "load.row:18446744073709551616"}) {
    EXPECT_FALSE(ArmCrashPoint(at).empty()) << at;
  }
  EXPECT_EQ(armed_crash_point.load(), kCrashPoints.size());
}

}  // namespace
}  // namespace tokend
