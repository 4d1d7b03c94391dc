// Each race between a look-up and a writer, run step by step: at a point inside the look-up the
// test writes, on the same thread. See storage/race_point.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/race_point.h"
#include "storage/seeded_hash.h"
#include "storage/token_table.h"
#include "tests/token_table_case.h"

namespace tokend {
namespace {

constexpr uint64_t kNow = 1'000'000;

class TokenTableRaceTest : public TokenTableCase {
 protected:
  TokenTableRaceTest() { NewTable(); }
  ~TokenTableRaceTest() override { race_hook = nullptr; }

  void NewTable() {
    TokenTableOptions options = SmallOptions();
    options.shards = 1;
    Make(options);
  }
  void Erase(uint64_t number) { EXPECT_TRUE(table_->Erase(kNs, KeyOf(number))); }
  Lookup Find(uint64_t number, uint64_t now_ms = kNow) {
    return TokenTableCase::Find(number, now_ms);
  }
  // Runs `write` the next time that a look-up passes the point; every time if `always`.
  static void At(RacePoint point, std::function<void()> write, bool always = false) {
    race_hook = [point, write = std::move(write), always](RacePoint passed) {
      if (passed != point) return;
      const auto hook = std::move(race_hook);  // not from inside itself
      race_hook = nullptr;
      write();
      if (always) race_hook = hook;
    };
  }
  // A look-up during which `write` has run.
  Lookup FindDuring(uint64_t number, RacePoint point, const std::function<void()>& write,
                    uint64_t now_ms = kNow) {
    bool ran = false;
    At(point, [&] {
      ran = true;
      write();
    });
    const Lookup lookup = Find(number, now_ms);
    EXPECT_TRUE(ran);
    race_hook = nullptr;
    return lookup;
  }
  // Numbers whose tokens all fall into the first bucket while there are eight or fewer: a chain.
  static std::vector<uint64_t> Chain(size_t size) {
    std::vector<uint64_t> chain;
    for (uint64_t number = 0; chain.size() < size; ++number) {
      if (HashKey(KeyOf(number).bytes.data(), kNs, SmallOptions().hash_seed) % 8 == 0) {
        chain.push_back(number);
      }
    }
    return chain;
  }
  uint64_t retries() const { return table_->stats().read_retries_total; }
  uint64_t locks() const { return table_->stats().read_locks_total; }
};

// --- a slot's content ---

TEST_F(TokenTableRaceTest, ATokenIsReadWhole) {
  PutOwned(1, "before");
  const Lookup found = FindDuring(1, RacePoint::kSlotHalfRead, [&] {
    TokenEntry entry = Entry(1, kNow + 1);
    entry.owner = "after";
    table_->Put(entry, PutMode::kKeep);
  });
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(found.expires_at_ms, kNow + 1);
  EXPECT_EQ(found.owner_encoded, EncodedStr("after"));
  EXPECT_EQ(locks(), 0u);
}

TEST_F(TokenTableRaceTest, AReaderThatIsDisturbedForEverTakesTheLock) {
  PutOwned(1, "somebody");
  At(
      RacePoint::kSlotHalfRead, [&] { PutOwned(1, "somebody", PutMode::kKeep); }, /*always=*/true);
  const Lookup found = Find(1);
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(found.owner_encoded, EncodedStr("somebody"));
  EXPECT_EQ(locks(), 1u);
  EXPECT_EQ(retries(), 16u);
}

TEST_F(TokenTableRaceTest, DenyingBetweenReadingAndAnswering) {
  PutOwned(1, "alice");
  // Either answer is right for this look-up; an owner's cut-off is still seen, as is the next one.
  EXPECT_EQ(FindDuring(1, RacePoint::kSlotRead, [&] { table_->DenyOwner(kNs, "alice"); }).verdict,
            Verdict::kRevoked);
  PutOwned(2, "bob");
  FindDuring(2, RacePoint::kSlotRead, [&] { table_->Deny(kNs, KeyOf(2)); });
  EXPECT_EQ(Find(2).verdict, Verdict::kRevoked);
}

// --- the index ---

TEST_F(TokenTableRaceTest, ATokenWhoseBucketIsSplitIsFound) {
  // Each number is looked up while the table grows tenfold around it.
  for (uint64_t number = 0; number < 200; number += 7) {
    Put(number);
    uint64_t next = 1000 * (number + 1);
    const Lookup found = FindDuring(number, RacePoint::kBucketChosen, [&] {
      for (int i = 0; i < 400; ++i) Put(next++);
    });
    EXPECT_EQ(found.verdict, Verdict::kValid) << number;
  }
  EXPECT_EQ(locks(), 0u);
}

TEST_F(TokenTableRaceTest, ATokenThatMovesForwardInItsChainIsFound) {
  const std::vector<uint64_t> chain = Chain(40);
  for (const uint64_t number : chain) Put(number);
  // The last of the chain takes the place of the first, which the reader has passed.
  const Lookup found =
      FindDuring(chain.back(), RacePoint::kBetweenBuckets, [&] { Erase(chain.front()); });
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(retries(), 1u);
}

TEST_F(TokenTableRaceTest, AMissInAChainThatMovesIsLookedAtAgain) {
  std::vector<uint64_t> chain = Chain(41);
  const uint64_t absent = chain.back();
  chain.pop_back();
  for (const uint64_t number : chain) Put(number);
  EXPECT_EQ(FindDuring(absent, RacePoint::kBetweenBuckets, [&] { Erase(chain.front()); }).verdict,
            Verdict::kUnknown);
  EXPECT_EQ(retries(), 1u);
  // Disturbed every time, it takes the lock, and is still a miss.
  At(
      RacePoint::kBetweenBuckets,
      [&] {
        if (locks() != 0) return;  // it holds the lock by now
        Erase(chain[1]);
        Put(chain[1]);
      },
      /*always=*/true);
  EXPECT_EQ(Find(absent).verdict, Verdict::kUnknown);
  EXPECT_EQ(locks(), 1u);
}

TEST_F(TokenTableRaceTest, AnOverflowBucketThatWentToAnotherChainMisleadsNobody) {
  struct Row {
    size_t chain;  // the last of it is in the second bucket, or in the third
    RacePoint point;
  };
  for (const Row& row : {Row{17, RacePoint::kOverflowChosen}, Row{32, RacePoint::kOverflowChosen},
                         Row{32, RacePoint::kBetweenBuckets}}) {
    NewTable();
    const std::vector<uint64_t> chain = Chain(row.chain);
    for (const uint64_t number : chain) Put(number);
    // The reader stands before the second bucket; its chain loses a bucket, and tokens of other
    // buckets come until they need overflow buckets of their own.
    const Lookup found = FindDuring(chain.back(), row.point, [&] {
      Erase(chain[0]);
      Erase(chain[1]);
      for (uint64_t number = 100'000; number < 100'400; ++number) Put(number);
    });
    EXPECT_EQ(found.verdict, Verdict::kValid) << row.chain;
  }
}

TEST_F(TokenTableRaceTest, ATokenPutBesideALookUpIsFoundOrNot) {
  Put(1);
  const Lookup found = FindDuring(2, RacePoint::kBucketChosen, [&] { Put(2); });
  EXPECT_EQ(found.verdict, Verdict::kValid);  // the bucket was not read yet
  EXPECT_EQ(FindDuring(3, RacePoint::kBucketRead, [&] { Put(3); }).verdict, Verdict::kUnknown);
  EXPECT_EQ(Find(3).verdict, Verdict::kValid);
}

// --- slots and names that go ---

TEST_F(TokenTableRaceTest, AnErasedTokenIsNotFoundThroughItsOldEntry) {
  Put(1);
  EXPECT_EQ(FindDuring(1, RacePoint::kBucketRead, [&] { Erase(1); }).verdict, Verdict::kUnknown);
}

TEST_F(TokenTableRaceTest, AnErasedTokenIsNotFoundInItsChain) {
  const std::vector<uint64_t> chain = Chain(35);
  for (const uint64_t number : chain) Put(number);
  // So far down the chain, it is looked for the careful way.
  const Lookup found =
      FindDuring(chain.back(), RacePoint::kTokenFound, [&] { Erase(chain.back()); });
  EXPECT_EQ(found.verdict, Verdict::kUnknown);
  EXPECT_EQ(retries(), 1u);
}

TEST_F(TokenTableRaceTest, AReplacedTokenIsFoundInItsNewSlot) {
  PutOwned(1, "before");
  const Lookup found = FindDuring(1, RacePoint::kBucketRead, [&] {
    Erase(1);
    PutOwned(1, "after");
  });
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(found.owner_encoded, EncodedStr("after"));
}

TEST_F(TokenTableRaceTest, ASlotIsNotUsedAgainWhileAReaderMayHaveIt) {
  PutOwned(1, "before");
  for (const RacePoint point :
       {RacePoint::kBucketRead, RacePoint::kSlotHalfRead, RacePoint::kSlotRead}) {
    const uint64_t slot_bytes = table_->stats().slot_bytes;
    FindDuring(1, point, [&] {
      Erase(1);
      table_->Reclaim(0, 100);
      PutOwned(2, "other");
    });
    // Token 2 had to take a fresh one.
    EXPECT_EQ(table_->stats().slot_bytes, slot_bytes + 64);
    EXPECT_EQ(table_->Peek(kNs, KeyOf(2))->usage.use_count, 0u);
    PutOwned(1, "before");
    Erase(2);
  }
}

TEST_F(TokenTableRaceTest, NamesStayWhereTheyAreUntilTheReaderIsQuiescent) {
  const std::string scopes = EncodedScopes({"read", "write"});
  TokenEntry entry = Entry(1);
  entry.owner = "before";
  entry.scopes_encoded = scopes;
  table_->Put(entry, PutMode::kReset);
  const Lookup found = FindDuring(1, RacePoint::kSlotRead, [&] {
    Erase(1);
    for (uint64_t number = 2; number < 300; ++number) {
      table_->Reclaim(0, 100);
      TokenEntry other = Entry(number);
      const std::string owner = "other" + std::to_string(number % 10);
      const std::string other_scopes = EncodedScopes({"none", "of 3"});
      other.owner = owner;
      other.scopes_encoded = other_scopes;
      table_->Put(other, PutMode::kReset);
    }
  });
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(found.owner_encoded, EncodedStr("before"));
  EXPECT_EQ(found.scopes_encoded, scopes);
}

// --- what cannot be said ---

TEST_F(TokenTableRaceTest, LoadingEndsBetweenAMissAndItsAnswer) {
  table_->SetMissesUnavailable(true);
  const Lookup found = FindDuring(1, RacePoint::kSlotRead, [&] {
    Put(1);
    table_->SetMissesUnavailable(false);
  });
  EXPECT_EQ(found.verdict, Verdict::kUnavailable);
}

TEST_F(TokenTableRaceTest, ReadingBackBeginsBeforeAMiss) {
  Put(1);
  const Lookup found = FindDuring(1, RacePoint::kBucketChosen, [&] {
    table_->SetMissesUnavailable(true);
    Erase(1);
  });
  EXPECT_EQ(found.verdict, Verdict::kUnavailable);
}

// Two steps of a writer in one look-up: the token goes before the bucket is read, and is back
// before the answer.
TEST_F(TokenTableRaceTest, AWholeRoundOfReadingBackInOneLookUp) {
  Put(1);
  Lookup found = FindDuring(1, RacePoint::kBucketChosen, [&] {
    table_->SetMissesUnavailable(true);
    Erase(1);
    At(RacePoint::kSlotRead, [&] {
      Put(1);
      table_->SetMissesUnavailable(false);
    });
  });
  EXPECT_EQ(found.verdict, Verdict::kUnavailable);
  EXPECT_EQ(Find(1).verdict, Verdict::kValid);
}

TEST_F(TokenTableRaceTest, AWholeRoundOfDroppingAndPuttingBackInOneLookUp) {
  Put(1, kNow + 1);
  Lookup found = FindDuring(1, RacePoint::kBucketChosen, [&] {
    table_->Reclaim(kNow + 1, 1000);
    At(RacePoint::kSlotRead, [&] {
      Put(1, kNow + 1);
      table_->ForgetReclaimedAfter(kNow);
    });
  });
  EXPECT_EQ(found.verdict, Verdict::kUnavailable);
  EXPECT_EQ(Find(1).verdict, Verdict::kValid);
}

TEST_F(TokenTableRaceTest, ATokenIsDroppedUnderAReaderWhoseClockIsBehind) {
  for (const RacePoint point : {RacePoint::kBucketChosen, RacePoint::kBucketRead}) {
    Put(1, kNow + 1);
    const Lookup found =
        FindDuring(1, point, [&] { EXPECT_GT(table_->Reclaim(kNow + 1, 1000), 0u); });
    EXPECT_EQ(found.verdict, Verdict::kUnavailable);
    EXPECT_EQ(table_->stats().tokens, 0u);
    table_->ForgetReclaimedAfter(0);
  }
}

TEST_F(TokenTableRaceTest, ATokenIsMissedInTheVeryMomentItIsDropped) {
  Put(1, kNow);
  std::optional<Verdict> verdict;
  At(RacePoint::kTokenDropped, [&] { verdict = Find(1, kNow - 1).verdict; });
  table_->Reclaim(kNow, 1000);
  EXPECT_EQ(verdict, Verdict::kUnavailable);
}

TEST_F(TokenTableRaceTest, DroppedTokensAreBackBetweenAMissAndItsAnswer) {
  table_->NoteDropped(kNow + 1);
  const Lookup found = FindDuring(1, RacePoint::kSlotRead, [&] {
    Put(1, kNow + 1);
    table_->ForgetReclaimedAfter(kNow);
  });
  EXPECT_EQ(found.verdict, Verdict::kUnavailable);
  EXPECT_EQ(Find(1).verdict, Verdict::kValid);
}

}  // namespace
}  // namespace tokend
