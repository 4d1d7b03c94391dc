#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/token_table.h"
#include "tests/token_table_case.h"

namespace tokend {
namespace {

using ::testing::SizeIs;

using TokenTableReclaimTest = TokenTableCase;

// --- time ---

TEST_F(TokenTableReclaimTest, ExpiresExactly) {
  Put(1, 5000);
  EXPECT_EQ(Ask(1, 0), Verdict::kValid);
  EXPECT_EQ(Ask(1, 4999), Verdict::kValid);
  EXPECT_EQ(Ask(1, 5000), Verdict::kExpired);
  EXPECT_EQ(Ask(1, 5001), Verdict::kExpired);
  EXPECT_EQ(Ask(1, 4999), Verdict::kValid);  // a clock set back
}

TEST_F(TokenTableReclaimTest, EdgesOfTime) {
  Put(1, 0);
  EXPECT_EQ(Ask(1, 0), Verdict::kExpired);
  Put(2, 1);
  EXPECT_EQ(Ask(2, 0), Verdict::kValid);
  EXPECT_EQ(Ask(2, 1), Verdict::kExpired);
  Put(3, kTimeMsMax);
  EXPECT_EQ(Find(3, kTimeMsMax - 1).expires_at_ms, kTimeMsMax);
  EXPECT_EQ(Ask(3, kTimeMsMax - 1), Verdict::kValid);
  EXPECT_EQ(Ask(3, kTimeMsMax), Verdict::kExpired);
  Put(4, kNever);
  EXPECT_EQ(Ask(4, kTimeMsMax), Verdict::kValid);
  EXPECT_EQ(Find(4, kTimeMsMax).expires_at_ms, kNever);
  EXPECT_EQ(table_->Peek(kNs, KeyOf(3))->expires_at_ms, kTimeMsMax);
  EXPECT_EQ(table_->Peek(kNs, KeyOf(4))->expires_at_ms, kNever);
}

TEST_F(TokenTableReclaimTest, ReclaimFreesWhatHasExpiredAndNothingElse) {
  for (uint64_t i = 0; i < 100; ++i) Put(i, 1000 + i);
  Put(200, kNever);
  EXPECT_EQ(Reclaim(999), 0u);
  EXPECT_EQ(Reclaim(1000), 1u);
  EXPECT_EQ(Reclaim(1049), 49u);
  EXPECT_EQ(Reclaim(1049), 0u);
  EXPECT_EQ(table_->stats().tokens, 51u);
  EXPECT_EQ(table_->stats().reclaimed_total, 50u);
  EXPECT_EQ(Ask(49, 1049), Verdict::kUnknown);
  EXPECT_EQ(Ask(50, 1049), Verdict::kValid);
  EXPECT_EQ(Reclaim(kTimeMsMax), 50u);
  EXPECT_EQ(Ask(200, kTimeMsMax), Verdict::kValid);
}

TEST_F(TokenTableReclaimTest, ReclaimLeavesTheGracePeriod) {
  TokenTableOptions options = SmallOptions();
  options.reclaim_grace_ms = 1000;
  Make(options);
  Put(1, 0);
  Put(2, 5000);
  EXPECT_EQ(Reclaim(999), 0u);
  EXPECT_EQ(Reclaim(1000), 1u);
  EXPECT_EQ(Reclaim(5999), 0u);
  EXPECT_EQ(Ask(2, 5999), Verdict::kExpired);
  EXPECT_EQ(Reclaim(6000), 1u);
  EXPECT_EQ(Ask(2, 6000), Verdict::kUnknown);
}

TEST_F(TokenTableReclaimTest, ReclaimKeepsToItsBudgetAndServesEachShard) {
  for (uint64_t i = 0; i < 1000; ++i) Put(i, 1000);
  for (size_t calls = 0; table_->Reclaim(2000, 7) == 7; ++calls) {
    ASSERT_LT(calls, 1000u);  // each token is moved twice on its way from time 0
  }
  EXPECT_EQ(table_->Reclaim(2000, 7), 0u);
  EXPECT_EQ(table_->stats().tokens, 0u);
}

TEST_F(TokenTableReclaimTest, ReclaimWithoutBudgetSetsTheTime) {
  table_->Reclaim(1'000'000, 0);
  for (uint64_t i = 0; i < 100; ++i) Put(i, 1'000'001);
  // So near, none has to be moved: all that is handled is freed.
  EXPECT_EQ(table_->Reclaim(1'000'001, 1000), 100u);
  EXPECT_EQ(table_->stats().reclaimed_total, 100u);
}

TEST_F(TokenTableReclaimTest, ReclaimDropsRevokedTokensOnceExpired) {
  Put(1, 2000);
  table_->MarkRevoked(kNs, KeyOf(1));
  EXPECT_EQ(Reclaim(1999), 0u);
  EXPECT_EQ(Ask(1, 1999), Verdict::kRevoked);
  EXPECT_EQ(Reclaim(2000), 1u);
  EXPECT_EQ(Ask(1, 2000), Verdict::kUnknown);
}

TEST_F(TokenTableReclaimTest, ReclaimFollowsAChangedExpiry) {
  Put(1, 2000);
  Put(1, 3000, PutMode::kKeep);
  EXPECT_EQ(Reclaim(2999), 0u);
  Put(1, kNever, PutMode::kKeep);
  EXPECT_EQ(Reclaim(kTimeMsMax), 0u);
  Put(1, 100, PutMode::kKeep);  // long past by now
  EXPECT_EQ(Reclaim(kTimeMsMax), 1u);
}

TEST_F(TokenTableReclaimTest, ReclaimGoesOnAfterTheClockWasSetForwardAndBack) {
  Put(1, 5000);
  Reclaim(1'000'000'000);
  Put(2, 6000);
  Put(3, 7000);
  EXPECT_EQ(Reclaim(5999), 0u);
  EXPECT_EQ(Reclaim(6000), 1u);
  EXPECT_EQ(Reclaim(7000), 1u);
}

TEST_F(TokenTableReclaimTest, ReclaimHandsOutUsageThatWasNotTaken) {
  Put(1, 2000);
  Put(2, 2000);
  Ask(1, 1500);
  Ask(1, 1600);
  std::vector<TokenTable::UsageEntry> unsaved;
  while (table_->Reclaim(3000, 10, &unsaved) == 10) {
  }
  ASSERT_THAT(unsaved, SizeIs(1));
  EXPECT_EQ(unsaved[0].key, KeyOf(1));
  EXPECT_EQ(unsaved[0].namespace_id, kNs);
  EXPECT_EQ(unsaved[0].expires_at_ms, 2000u);
  EXPECT_EQ(unsaved[0].usage.use_count, 2u);
  EXPECT_EQ(unsaved[0].usage.last_used_at_ms, 1600u);
}

// --- what cannot be said ---

TEST_F(TokenTableReclaimTest, MissesAreUnavailableWhileLoading) {
  Put(1);
  table_->SetMissesUnavailable(true);
  EXPECT_EQ(Ask(1), Verdict::kValid);
  EXPECT_EQ(Ask(2), Verdict::kUnavailable);
  table_->SetMissesUnavailable(false);
  EXPECT_EQ(Ask(2), Verdict::kUnknown);
}

TEST_F(TokenTableReclaimTest, MissesBeforeADroppedExpiryAreUnavailable) {
  EXPECT_EQ(table_->reclaimed_expiry_max_ms(), 0u);
  Put(1, 5000);
  Put(2, 9000);
  Reclaim(6000);
  EXPECT_EQ(table_->reclaimed_expiry_max_ms(), 5000u);
  EXPECT_EQ(Ask(1, 5000), Verdict::kUnknown);
  EXPECT_EQ(Ask(1, 4999), Verdict::kUnavailable);
  EXPECT_EQ(Ask(3, 4999), Verdict::kUnavailable);
  EXPECT_EQ(Ask(2, 4999), Verdict::kValid);
  table_->ForgetReclaimedAfter(6000);  // later than anything dropped
  EXPECT_EQ(table_->reclaimed_expiry_max_ms(), 5000u);
  table_->ForgetReclaimedAfter(4000);
  EXPECT_EQ(table_->reclaimed_expiry_max_ms(), 4000u);
  EXPECT_EQ(Ask(3, 4000), Verdict::kUnknown);
  EXPECT_EQ(Ask(3, 3999), Verdict::kUnavailable);
}

TEST_F(TokenTableReclaimTest, WhatWasLeftOutCountsAsDropped) {
  table_->NoteDropped(5000);
  table_->NoteDropped(3000);
  EXPECT_EQ(table_->reclaimed_expiry_max_ms(), 5000u);
  EXPECT_EQ(Ask(1, 4999), Verdict::kUnavailable);
  EXPECT_EQ(Ask(1, 5000), Verdict::kUnknown);
}

TEST_F(TokenTableReclaimTest, ErasingIsNotDropping) {
  Put(1, 5000);
  EXPECT_TRUE(table_->Erase(kNs, KeyOf(1)));
  EXPECT_FALSE(table_->Erase(kNs, KeyOf(1)));
  EXPECT_EQ(table_->reclaimed_expiry_max_ms(), 0u);
  EXPECT_EQ(Ask(1, 100), Verdict::kUnknown);
  EXPECT_EQ(Reclaim(kTimeMsMax), 0u);
}

// --- memory ---

TEST_F(TokenTableReclaimTest, SlotsAreUsedAgainOnlyAfterReadersHavePassed) {
  Put(1);
  table_->Erase(kNs, KeyOf(1));
  EXPECT_EQ(table_->stats().tokens_retired, 1u);
  table_->Reclaim(0, 10);
  EXPECT_EQ(table_->stats().tokens_retired, 1u);  // our reader is online and has not passed
  reader_->Quiesce();
  table_->Reclaim(0, 10);
  EXPECT_EQ(table_->stats().tokens_retired, 0u);
}

TEST_F(TokenTableReclaimTest, ASleepingReaderHoldsNothingBack) {
  Put(1);
  reader_->GoOffline();
  table_->Erase(kNs, KeyOf(1));
  table_->Reclaim(0, 10);
  EXPECT_EQ(table_->stats().tokens_retired, 0u);
  reader_->GoOnline();
}

TEST_F(TokenTableReclaimTest, ViewsStayUntilTheReaderIsQuiescent) {
  PutOwned(1, "somebody with a long name, so that the bytes are not in the view itself");
  const std::string expected(Find(1).owner_encoded);
  const Lookup held = Find(1);
  table_->Erase(kNs, KeyOf(1));
  for (uint64_t i = 0; i < 1000; ++i) {
    table_->Reclaim(0, 10);
    PutOwned(2, "another one with a name that is as long, so that it might take the place " +
                    std::to_string(i));
  }
  EXPECT_EQ(held.owner_encoded, expected);
}

TEST_F(TokenTableReclaimTest, MemoryIsUsedAgain) {
  for (int round = 0; round < 20; ++round) {
    for (uint64_t i = 0; i < 1000; ++i) PutOwned(i, "owner " + std::to_string(i));
    for (uint64_t i = 0; i < 1000; ++i) table_->Erase(kNs, KeyOf(i));
    QuiesceAndReclaim();
  }
  const TokenTableStats stats = table_->stats();
  EXPECT_EQ(stats.tokens, 0u);
  EXPECT_EQ(stats.owners, 0u);
  EXPECT_LE(stats.slot_bytes, 1000u * 64);
  EXPECT_LE(stats.owner_bytes, 1000u * 32 + 300 * 64);
}

TEST_F(TokenTableReclaimTest, SlotCapacity) {
  for (const size_t capacity : {1, 2, 3, 100}) {
    TokenTableOptions options = SmallOptions();
    options.shards = 1;
    options.tokens_max = capacity;
    Make(options);
    EXPECT_TRUE(table_->HasRoomFor({capacity}));
    EXPECT_FALSE(table_->HasRoomFor({capacity + 1}));
    for (uint64_t i = 0; i < capacity; ++i) {
      EXPECT_TRUE(table_->HasRoomFor({1}));
      EXPECT_EQ(Put(i, kNever, PutMode::kIfAbsent), PutResult::kPut);
    }
    EXPECT_FALSE(table_->HasRoomFor({1}));
    EXPECT_TRUE(table_->HasRoomFor({0}));
    for (const PutMode mode : {PutMode::kReset, PutMode::kKeep, PutMode::kIfAbsent}) {
      EXPECT_EQ(Put(capacity, kNever, mode), PutResult::kMemoryLimit);
    }
    EXPECT_EQ(Ask(capacity), Verdict::kUnknown);
    EXPECT_EQ(Put(0, 5000), PutResult::kPut);  // what is here can be changed
    table_->CheckInvariants();
    table_->Erase(kNs, KeyOf(0));
    EXPECT_EQ(Put(capacity), PutResult::kMemoryLimit);  // a reader may still hold the slot
    reader_->Quiesce();
    EXPECT_EQ(Put(capacity), PutResult::kPut);
    table_->CheckInvariants();
  }
}

TEST_F(TokenTableReclaimTest, ReservedRoomIsEnoughForEachShard) {
  for (const size_t tokens : {1, 10, 1000, 20000}) {
    TokenTableOptions options = SmallOptions();
    options.shards = 16;
    options.tokens_max = tokens;
    Make(options);
    for (uint64_t i = 0; i < tokens; ++i) ASSERT_EQ(Put(i), PutResult::kPut) << tokens;
    EXPECT_FALSE(table_->HasRoomFor({1}));
  }
}

TEST_F(TokenTableReclaimTest, MemoryLimit) {
  TokenTableOptions options = SmallOptions();
  options.memory_bytes_max = 100'000;
  Make(options);
  uint64_t tokens = 0;
  while (Put(tokens, 5000, PutMode::kIfAbsent) == PutResult::kPut) ++tokens;
  EXPECT_GT(tokens, 1100u);
  EXPECT_LE(tokens, 100'000u / 72);
  EXPECT_FALSE(table_->HasRoomFor({1}));
  EXPECT_EQ(Ask(tokens), Verdict::kUnknown);
  EXPECT_EQ(PutOwned(0, "what is here can be changed", PutMode::kKeep), PutResult::kPut);
  EXPECT_EQ(Ask(0), Verdict::kValid);
  // A write that is durable by now was asked for before, and is not turned away.
  EXPECT_EQ(Put(tokens, kNever, PutMode::kReset), PutResult::kPut);
  table_->Erase(kNs, KeyOf(tokens));

  EXPECT_EQ(Reclaim(6000), tokens - 1);
  EXPECT_FALSE(table_->HasRoomFor({1}));  // readers may hold them still
  QuiesceAndReclaim();
  EXPECT_TRUE(table_->HasRoomFor({tokens - 200}));  // less what index and names keep
  EXPECT_FALSE(table_->HasRoomFor({tokens}));
  EXPECT_EQ(Put(tokens, 5000, PutMode::kIfAbsent), PutResult::kPut);
}

TEST_F(TokenTableReclaimTest, OfManyThoseAreHereThatFit) {
  for (const bool by_memory : {false, true}) {
    TokenTableOptions options = SmallOptions();
    if (by_memory) options.memory_bytes_max = 100'000;
    if (!by_memory) options.tokens_max = 1000;
    Make(options);
    std::vector<TokenEntry> entries;
    for (uint64_t i = 0; i < 2000; ++i) {
      entries.push_back(Entry(i));
      entries.back().owner = "alice";
    }
    const auto not_denied = [](size_t) { return false; };
    EXPECT_EQ(table_->PutMany(std::span(entries).first(500), not_denied), PutResult::kPut);
    EXPECT_EQ(table_->PutMany(entries, not_denied), PutResult::kMemoryLimit);
    const uint64_t tokens = table_->stats().tokens;
    EXPECT_GE(tokens, by_memory ? 1100u : 1000u);
    EXPECT_LT(tokens, 2000u);
    uint64_t found = 0;
    for (uint64_t i = 0; i < 2000; ++i) found += Ask(i) == Verdict::kValid ? 1 : 0;
    EXPECT_EQ(found, tokens);
    if (by_memory) {
      EXPECT_LE(tokens, 100'000u / 72);
    }
    table_->CheckInvariants();
  }
}

TEST_F(TokenTableReclaimTest, ManyWithANameThatDoesNotFit) {
  std::vector<TokenEntry> entries = {Entry(1), Entry(2), Entry(3)};
  const std::string too_long(20'000, 'x');
  entries[0].owner = "alice";
  entries[1].owner = too_long;
  entries[2].owner = "alice";
  entries[2].scopes_encoded = too_long;
  EXPECT_EQ(table_->PutMany(entries, [](size_t i) { return i == 0; }), PutResult::kMemoryLimit);
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  EXPECT_EQ(Ask(2), Verdict::kUnknown);
  EXPECT_EQ(Ask(3), Verdict::kUnknown);
}

TEST_F(TokenTableReclaimTest, WhatHasRoomFits) {
  TokenTableOptions options = SmallOptions();
  options.memory_bytes_max = 50'000;
  Make(options);
  size_t room = 0;
  while (table_->HasRoomFor({room + 1})) ++room;
  EXPECT_GT(room, 500u);
  for (uint64_t i = 0; i < room; ++i) {
    ASSERT_EQ(Put(i, kNever, PutMode::kIfAbsent), PutResult::kPut);
  }
}

TEST_F(TokenTableReclaimTest, RefusesShardCountsThatAreNoPowerOfTwo) {
  TokenTableOptions options = SmallOptions();
  for (const size_t shards : {0, 3, 255, 2048}) {
    options.shards = shards;
    EXPECT_THROW(TokenTable{options}, std::invalid_argument) << shards;
  }
}

}  // namespace
}  // namespace tokend
