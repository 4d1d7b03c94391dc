// A wall clock that is set, by an hour or a year, ahead or back, while the store runs or while it
// is closed: nothing that lives is lost, nothing is accepted that has expired as the clock has it,
// and whoever listens is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "storage/database.h"
#include "tests/support/null_store_listener.h"
#include "tests/support/store_fixture.h"
#include "tests/support/stored_rows.h"

namespace tokend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kHour = 3600 * 1000;
constexpr uint64_t kDay = 24 * kHour;

class StoreClockTest : public StoreFixture {
 protected:
  ~StoreClockTest() override { CloseStore(); }  // before its listener

  struct Heard : NullStoreListener {
    void OnClockJumped(int64_t ms, bool while_closed) override {
      const std::lock_guard lock(mutex);
      jumps.emplace_back(ms, while_closed);
    }
    void OnClockGapAccepted(uint64_t ms) override {
      const std::lock_guard lock(mutex);
      accepted_ms.push_back(ms);
    }
    void OnClockWentBack(uint64_t ms) override {
      const std::lock_guard lock(mutex);
      back_ms.push_back(ms);
    }
    std::mutex mutex;
    std::vector<std::pair<int64_t, bool>> jumps;
    std::vector<uint64_t> accepted_ms, back_ms;
  };
  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.listener = &heard_;
    return options;
  }

  Heard heard_;
};

TEST_F(StoreClockTest, AJumpOfTheClockDestroysNothing) {
  Insert("a", {.ttl_ms = 30 * kDay});
  const uint64_t before = clock_.NowMs();
  clock_.SetWall(before + 365 * kDay);
  EXPECT_EQ(Validate("a"), Verdict::kExpired);
  store_->Maintain();
  EXPECT_EQ(Validate("a"), Verdict::kUnknown);
  EXPECT_EQ(Do(PurgeExpiredMutation{kTimeMsMax}).count, 0u);  // held back by the reclaim clock
  for (const bool restart : {false, true}) {
    if (restart) Reopen();
    clock_.SetWall(before + kHour);
    if (!restart) {
      EXPECT_EQ(Validate("a"), Verdict::kUnavailable);  // not known yet: never "unknown"
    }
    store_->Maintain();
    EXPECT_EQ(Validate("a"), Verdict::kValid);
    EXPECT_EQ(Validate("b"), Verdict::kUnknown);
    clock_.SetWall(before + 365 * kDay);
    store_->Maintain();
  }
  CloseStore();
  EXPECT_EQ(RowsOnDisk(Options().data_dir, Database::kTokens, before), 1u);
}

TEST_F(StoreClockTest, WhatIsWrittenWithTheClockSetBackIsKept) {
  Insert("before", {.owner = "bob", .ttl_ms = 30 * kDay});
  store_->Maintain();
  const uint64_t right_ms = clock_.NowMs();
  clock_.SetWall(right_ms - 365 * kDay);
  store_->Maintain();
  Insert("a", {.owner = "bob", .ttl_ms = kDay});
  Insert("extended", {.ttl_ms = 1000});
  Do(ExtendMutation{Key("extended"), clock_.NowMs() + kDay});
  Insert("revoked", {.ttl_ms = kDay});
  Revoke("revoked");
  Insert("past", {.ttl_ms = 1000});
  clock_.Advance(2000);
  for (const bool restart : {false, true}) {
    if (restart) Reopen();
    EXPECT_EQ(Validate("a"), Verdict::kValid);
    EXPECT_EQ(Validate("extended"), Verdict::kValid);
    EXPECT_EQ(Validate("revoked"), Verdict::kRevoked);
    for (const char* token : {"a", "extended", "revoked", "past"}) EXPECT_TRUE(Get(token)) << token;
    EXPECT_EQ(Insert("a").status.code(), ErrorCode::kExists);
  }
  store_->FlushUsage();
  CloseStore();
  EXPECT_EQ(RowsOnDisk(Options().data_dir, Database::kUsage, right_ms - kHour), 2u);
  EXPECT_EQ(RowsOnDisk(Options().data_dir, Database::kTokens, right_ms - kHour), 5u);
  EXPECT_EQ(RowsOnDisk(Options().data_dir, Database::kExpiry, right_ms - kHour), 5u);
  OpenStore();
  // An owner's revocation, which is worked in later, takes nothing of that time away.
  EXPECT_EQ(RevokeOwner("bob").count, 2u);
  store_->Maintain();
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  EXPECT_TRUE(Get("a"));
}

// Whatever a wall clock shows at the second start: the first one has kept its own.
TEST_F(StoreClockTest, AStoreThatWasKilledAtOnceBelievesNoJumpEither) {
  Insert("a", {.ttl_ms = kDay});
  const std::string copy = dir_.path() + "/killed";
  std::filesystem::copy(dir_.path() + "/data", copy, std::filesystem::copy_options::recursive);
  CloseStore();
  const uint64_t right_ms = clock_.NowMs();
  clock_.SetWall(right_ms + 365 * kDay);
  StoreOptions options = Options();
  options.data_dir = copy;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  store_->WaitUntilLoaded();
  EXPECT_LT(store_->stats().reclaim_clock_ms, right_ms + kDay);
  EXPECT_TRUE(Get("a"));
}

// By how much it is set, and whether the store is closed meanwhile.
class StoreClockJumpTest : public StoreClockTest,
                           public ::testing::WithParamInterface<std::pair<int64_t, bool>> {
 protected:
  void Keep(const std::string& token, const Fields& fields) {
    ASSERT_TRUE(Insert(token, fields).status.ok()) << token;
    expires_at_ms_[token] = fields.ttl_ms ? clock_.NowMs() + *fields.ttl_ms : kNever;
  }
  void SetWall(uint64_t to_ms) {
    const bool closed = GetParam().second;
    if (closed) CloseStore();
    clock_.SetWall(to_ms);
    if (closed) OpenStore();
    // At once nothing is known to be wrong that is right, and the other way round.
    for (const auto& [token, expires_at_ms] : expires_at_ms_) {
      const Verdict verdict = Validate(token);
      if (clock_.NowMs() >= expires_at_ms) {
        EXPECT_NE(verdict, Verdict::kValid) << token;
      } else {
        EXPECT_TRUE(verdict == Verdict::kValid || verdict == Verdict::kUnavailable) << token;
      }
    }
    store_->Maintain();
    for (const auto& [token, expires_at_ms] : expires_at_ms_) {
      EXPECT_EQ(Validate(token) == Verdict::kValid, clock_.NowMs() < expires_at_ms) << token;
      EXPECT_NE(Validate(token), Verdict::kUnavailable) << token;
    }
  }

  std::map<std::string, uint64_t> expires_at_ms_;
};

TEST_P(StoreClockJumpTest, LosesNothingAndAcceptsNothingThatHasExpired) {
  clock_.Advance(10 * kDay);  // the store is no newer than the jump back
  store_->Maintain();
  Reopen();
  Keep("past", {.ttl_ms = 1000});
  clock_.Advance(2000);
  Keep("soon", {.ttl_ms = kHour / 2});
  Keep("later", {.owner = "bob", .ttl_ms = 30 * kDay});
  Keep("for ever", {});
  store_->Maintain();
  const uint64_t right_ms = clock_.NowMs();
  SetWall(right_ms + static_cast<uint64_t>(GetParam().first));
  {
    const std::lock_guard lock(heard_.mutex);
    EXPECT_THAT(heard_.jumps, ElementsAre(GetParam()));
  }
  Keep("meanwhile", {.ttl_ms = kDay});
  EXPECT_TRUE(Insert("revoked").status.ok());
  EXPECT_TRUE(Revoke("revoked").status.ok());
  SetWall(right_ms);
  EXPECT_EQ(Validate("later"), Verdict::kValid);
  EXPECT_EQ(Validate("for ever"), Verdict::kValid);
  EXPECT_EQ(Validate("revoked"), Verdict::kRevoked);
  Reopen();
  for (const auto& [token, expires_at_ms] : expires_at_ms_) {
    EXPECT_EQ(Validate(token) == Verdict::kValid, right_ms < expires_at_ms) << token;
  }
  EXPECT_EQ(Validate("revoked"), Verdict::kRevoked);
  store_->table().CheckInvariants();
}

std::string NameOfJump(const ::testing::TestParamInfo<std::pair<int64_t, bool>>& info) {
  const auto [ms, closed] = info.param;
  return std::string(std::abs(ms) == static_cast<int64_t>(kHour) ? "AnHour" : "AYear") +
         (ms > 0 ? "Ahead" : "Back") + (closed ? "WhileClosed" : "AtRunTime");
}

constexpr auto kAnHour = static_cast<int64_t>(kHour);
constexpr auto kAYear = static_cast<int64_t>(365 * kDay);
INSTANTIATE_TEST_SUITE_P(Jumps, StoreClockJumpTest,
                         ::testing::Values(std::pair(kAnHour, false), std::pair(kAYear, false),
                                           std::pair(-kAnHour, false), std::pair(-kAYear, false),
                                           std::pair(kAnHour, true), std::pair(kAYear, true),
                                           std::pair(-kAnHour, true), std::pair(-kAYear, true)),
                         NameOfJump);

TEST_F(StoreClockTest, ATickThatIsLateIsNoJump) {
  for (const uint64_t ms : {1, 50, 999, 5000, 100'000}) {
    clock_.Advance(ms);
    store_->Maintain();
  }
  clock_.SetWall(clock_.NowMs() + 999);
  store_->Maintain();
  const std::lock_guard lock(heard_.mutex);
  EXPECT_THAT(heard_.jumps, IsEmpty());
}

TEST_F(StoreClockTest, TellsOfWhatIsReadBackAndOfAGapTakenOver) {
  Insert("a", {.ttl_ms = kDay});
  const uint64_t before_ms = clock_.NowMs();
  clock_.SetWall(before_ms + 2 * kDay);
  store_->Maintain();
  clock_.SetWall(before_ms);
  store_->Maintain();
  clock_.SetWall(before_ms + 2 * kDay);
  store_->Maintain();
  clock_.Advance(kDay);  // that it has to last
  store_->Maintain();
  const std::lock_guard lock(heard_.mutex);
  EXPECT_THAT(heard_.back_ms, ElementsAre(kDay));
  EXPECT_THAT(heard_.accepted_ms, ElementsAre(3 * kDay));
}

TEST_F(StoreClockTest, AnOperatorMayTakeAClockGapOver) {
  Insert("a", {.ttl_ms = kDay});
  clock_.SetWall(clock_.NowMs() + 365 * kDay);
  store_->Maintain();
  EXPECT_LT(store_->stats().reclaim_clock_ms, clock_.NowMs() - 300 * kDay);
  EXPECT_TRUE(Do(AcceptClockMutation{}).status.ok());
  EXPECT_EQ(store_->stats().reclaim_clock_ms, clock_.NowMs());
  Reopen();
  EXPECT_EQ(store_->stats().reclaim_clock_ms, clock_.NowMs());
  EXPECT_FALSE(Get("a"));
}

}  // namespace
}  // namespace tokend
