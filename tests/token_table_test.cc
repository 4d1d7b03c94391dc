#include "storage/token_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/token_table_case.h"

namespace tokend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using TokenTableTest = TokenTableCase;

TEST_F(TokenTableTest, FindsWhatWasPut) {
  EXPECT_EQ(Ask(1), Verdict::kUnknown);
  EXPECT_EQ(Put(1), PutResult::kPut);
  const Lookup found = Find(1);
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(found.expires_at_ms, kNever);
  EXPECT_EQ(found.owner_encoded, "\xc0");
  EXPECT_EQ(found.scopes_encoded, "\x90");
  EXPECT_EQ(Ask(2), Verdict::kUnknown);
}

TEST_F(TokenTableTest, GivesOwnerAndScopesAsTheyGoToTheWire) {
  const std::string scopes = EncodedScopes({"read", "write"});
  TokenEntry entry = Entry(1, 5000);
  entry.owner = "alice";
  entry.scopes_encoded = scopes;
  EXPECT_EQ(table_->Put(entry, PutMode::kReset), PutResult::kPut);
  const Lookup found = Find(1);
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(found.expires_at_ms, 5000u);
  EXPECT_EQ(found.owner_encoded, EncodedStr("alice"));
  EXPECT_EQ(found.scopes_encoded, scopes);
}

TEST_F(TokenTableTest, EmptyOwnerIsAnOwner) {
  PutOwned(1, "");
  EXPECT_EQ(Find(1).owner_encoded, EncodedStr(""));
  table_->DenyOwner(kNs, "");
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
}

TEST_F(TokenTableTest, LongestNamesFit) {
  const std::string owner(1024, 'o');
  const std::string scopes = EncodedScopes(std::vector<std::string>(64, std::string(128, 's')));
  TokenEntry entry = Entry(1);
  entry.owner = owner;
  entry.scopes_encoded = scopes;
  EXPECT_EQ(table_->Put(entry, PutMode::kReset), PutResult::kPut);
  EXPECT_EQ(Find(1).owner_encoded, EncodedStr(owner));
  EXPECT_EQ(Find(1).scopes_encoded, scopes);
}

TEST_F(TokenTableTest, NamespacesAreSeparate) {
  Put(1);
  EXPECT_EQ(Ask(1, 1000, kNs + 1), Verdict::kUnknown);
  TokenEntry entry = Entry(1);
  entry.namespace_id = kNs + 1;
  entry.owner = "other";
  table_->Put(entry, PutMode::kReset);
  EXPECT_EQ(Find(1).owner_encoded, "\xc0");
  EXPECT_EQ(Find(1, 1000, kNs + 1).owner_encoded, EncodedStr("other"));
  EXPECT_TRUE(table_->Erase(kNs, KeyOf(1)));
  EXPECT_EQ(Ask(1), Verdict::kUnknown);
  EXPECT_EQ(Ask(1, 1000, kNs + 1), Verdict::kValid);
}

TEST_F(TokenTableTest, FirstAndLastNamespace) {
  for (const NamespaceId ns : {NamespaceId{0}, NamespaceId{65535}}) {
    TokenEntry entry = Entry(1);
    entry.namespace_id = ns;
    table_->Put(entry, PutMode::kReset);
    EXPECT_EQ(Ask(1, 1000, ns), Verdict::kValid);
    const auto usage = TakeAllUsage();
    ASSERT_THAT(usage, SizeIs(1));
    EXPECT_EQ(usage[0].namespace_id, ns);
  }
}

TEST_F(TokenTableTest, KeysThatDifferInOneBitAreOthers) {
  const TokenKey key = KeyOf(1);
  Put(1);
  for (size_t bit = 0; bit < 256; ++bit) {
    Lookup lookup;
    lookup.namespace_id = kNs;
    lookup.key = key;
    lookup.key.bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    table_->FindBatch(reader_.get(), {&lookup, 1}, 1000);
    EXPECT_EQ(lookup.verdict, Verdict::kUnknown) << bit;
  }
}

TEST_F(TokenTableTest, KeysOfAllZerosAndAllOnes) {
  for (const uint8_t byte : {0x00, 0xff}) {
    TokenEntry entry = Entry(0);
    entry.key.bytes.fill(byte);
    Lookup lookup;
    lookup.key = entry.key;
    lookup.namespace_id = kNs;
    table_->FindBatch(reader_.get(), {&lookup, 1}, 1000);
    EXPECT_EQ(lookup.verdict, Verdict::kUnknown);
    table_->Put(entry, PutMode::kReset);
    table_->FindBatch(reader_.get(), {&lookup, 1}, 1000);
    EXPECT_EQ(lookup.verdict, Verdict::kValid);
  }
}

// --- denying ---

TEST_F(TokenTableTest, DenyAndLift) {
  EXPECT_FALSE(table_->Deny(kNs, KeyOf(1)));
  EXPECT_FALSE(table_->LiftDenial(kNs, KeyOf(1)));
  Put(1);
  EXPECT_FALSE(table_->Deny(kNs + 1, KeyOf(1)));
  EXPECT_TRUE(table_->Deny(kNs, KeyOf(1)));
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  EXPECT_TRUE(table_->Peek(kNs, KeyOf(1))->denied);
  EXPECT_FALSE(table_->Peek(kNs, KeyOf(1))->revoked);
  EXPECT_TRUE(table_->LiftDenial(kNs, KeyOf(1)));
  EXPECT_EQ(Ask(1), Verdict::kValid);
}

TEST_F(TokenTableTest, LiftingADenialDoesNotUndoARevoke) {
  Put(1);
  EXPECT_TRUE(table_->MarkRevoked(kNs, KeyOf(1)));
  EXPECT_TRUE(table_->Deny(kNs, KeyOf(1)));
  EXPECT_TRUE(table_->LiftDenial(kNs, KeyOf(1)));
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  EXPECT_TRUE(table_->Peek(kNs, KeyOf(1))->revoked);
  EXPECT_FALSE(table_->MarkRevoked(kNs, KeyOf(2)));
}

TEST_F(TokenTableTest, RevokedWinsOverExpired) {
  Put(1, 5000);
  Put(2, 5000);
  PutOwned(3, "alice");
  TokenEntry entry = Entry(3, 5000);
  entry.owner = "alice";
  table_->Put(entry, PutMode::kKeep);
  table_->Deny(kNs, KeyOf(1));
  table_->MarkRevoked(kNs, KeyOf(2));
  table_->DenyOwner(kNs, "alice");
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(Ask(i, 6000), Verdict::kRevoked) << i;
}

TEST_F(TokenTableTest, PutRevoked) {
  TokenEntry entry = Entry(1);
  entry.revoked = true;
  table_->Put(entry, PutMode::kReset);
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  EXPECT_TRUE(table_->Peek(kNs, KeyOf(1))->revoked);
}

TEST_F(TokenTableTest, DenyOwnerHitsWhatIsHereAndNothingLater) {
  PutOwned(1, "alice");
  PutOwned(2, "alice");
  PutOwned(3, "bob");
  TokenEntry elsewhere = Entry(4);
  elsewhere.namespace_id = kNs + 1;
  elsewhere.owner = "alice";
  table_->Put(elsewhere, PutMode::kReset);
  table_->DenyOwner(kNs, "nobody");
  table_->DenyOwner(kNs, "alice");
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  EXPECT_EQ(Ask(2), Verdict::kRevoked);
  EXPECT_EQ(Ask(3), Verdict::kValid);
  EXPECT_EQ(Ask(4, 1000, kNs + 1), Verdict::kValid);
  EXPECT_TRUE(table_->Peek(kNs, KeyOf(1))->denied);
  PutOwned(5, "alice");
  EXPECT_EQ(Ask(5), Verdict::kValid);
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  table_->DenyOwner(kNs, "alice");
  EXPECT_EQ(Ask(5), Verdict::kRevoked);
  PutOwned(5, "alice");  // replaced: a new token of the name
  EXPECT_EQ(Ask(5), Verdict::kValid);
  EXPECT_EQ(table_->stats().owners, 4u);  // two dead alices, a live one, two others less token 5's
}

TEST_F(TokenTableTest, ADeadOwnerGoesWithItsLastToken) {
  PutOwned(1, "alice");
  PutOwned(2, "alice");
  table_->DenyOwner(kNs, "alice");
  EXPECT_EQ(table_->stats().owners, 1u);
  table_->Erase(kNs, KeyOf(1));
  EXPECT_EQ(table_->stats().owners, 1u);
  table_->Erase(kNs, KeyOf(2));
  EXPECT_EQ(table_->stats().owners, 0u);
}

// --- ways of putting ---

TEST_F(TokenTableTest, ResetLiftsDenialAndStartsUsageAgain) {
  PutOwned(1, "alice");
  Ask(1);
  table_->Deny(kNs, KeyOf(1));
  table_->DenyOwner(kNs, "alice");
  PutOwned(1, "alice");
  EXPECT_EQ(table_->Peek(kNs, KeyOf(1))->usage.use_count, 0u);
  EXPECT_FALSE(table_->Peek(kNs, KeyOf(1))->denied);
  EXPECT_EQ(Ask(1), Verdict::kValid);
}

TEST_F(TokenTableTest, KeepKeepsUsageAndDenial) {
  Put(1);
  Ask(1, 1234);
  table_->Deny(kNs, KeyOf(1));
  TokenEntry entry = Entry(1, 9000);
  entry.owner = "alice";
  EXPECT_EQ(table_->Put(entry, PutMode::kKeep), PutResult::kPut);
  const TokenTable::Peeked peeked = *table_->Peek(kNs, KeyOf(1));
  EXPECT_TRUE(peeked.denied);
  EXPECT_EQ(peeked.expires_at_ms, 9000u);
  EXPECT_EQ(peeked.usage.use_count, 1u);
  EXPECT_EQ(peeked.usage.last_used_at_ms, 1234u);
  table_->LiftDenial(kNs, KeyOf(1));
  EXPECT_EQ(Find(1).owner_encoded, EncodedStr("alice"));
}

TEST_F(TokenTableTest, KeepStaysWithADeadOwner) {
  PutOwned(1, "alice");
  PutOwned(2, "alice");
  table_->DenyOwner(kNs, "alice");
  PutOwned(3, "alice");
  PutOwned(1, "alice", PutMode::kKeep);
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  PutOwned(2, "bob", PutMode::kKeep);  // leaving it does not bring the token back either
  EXPECT_EQ(Ask(2), Verdict::kRevoked);
  Put(1, kNever, PutMode::kKeep);  // nor does having none
  EXPECT_EQ(Ask(1), Verdict::kRevoked);
  EXPECT_EQ(Ask(3), Verdict::kValid);
}

TEST_F(TokenTableTest, KeepOfATokenThatIsNotHerePutsIt) {
  EXPECT_EQ(Put(1, 5000, PutMode::kKeep), PutResult::kPut);
  EXPECT_EQ(Find(1).expires_at_ms, 5000u);
}

TEST_F(TokenTableTest, IfAbsentChangesNothingThatIsHere) {
  Put(1, 5000);
  EXPECT_EQ(Put(1, 9000, PutMode::kIfAbsent), PutResult::kPresent);
  EXPECT_EQ(Find(1).expires_at_ms, 5000u);
  EXPECT_EQ(Put(2, 9000, PutMode::kIfAbsent), PutResult::kPut);
  EXPECT_EQ(Find(2).expires_at_ms, 9000u);
}

TEST_F(TokenTableTest, PutManyPutsWhatIsNotHere) {
  Put(1, 5000);
  std::vector<TokenEntry> entries;
  for (uint64_t i = 0; i < 3000; ++i) entries.push_back(Entry(i, 9000 + i));
  entries.push_back(Entry(7, 3000));  // a second time
  for (size_t i = 10; i < 20; ++i) entries[i].owner = "alice";
  const std::string scopes = EncodedScopes({"read"});
  entries[15].scopes_encoded = scopes;
  EXPECT_EQ(table_->PutMany(entries, [](size_t i) { return i == 99; }), PutResult::kPut);
  for (uint64_t i = 0; i < 3000; ++i) {
    const Lookup found = Find(i);
    if (i == 99) {
      EXPECT_EQ(found.verdict, Verdict::kRevoked);
      continue;
    }
    ASSERT_EQ(found.verdict, Verdict::kValid) << i;
    EXPECT_EQ(found.expires_at_ms, i == 1 ? 5000 : 9000 + i);
    EXPECT_EQ(found.owner_encoded, i >= 10 && i < 20 ? EncodedStr("alice") : "\xc0");
    EXPECT_EQ(found.scopes_encoded, i == 15 ? scopes : kNoScopes);
  }
  table_->DenyOwner(kNs, "alice");
  EXPECT_EQ(Ask(15), Verdict::kRevoked);
  EXPECT_EQ(table_->PutMany({}, [](size_t) { return false; }), PutResult::kPut);
}

TEST_F(TokenTableTest, PutManyCountsEachTokenOfTheSameScopes) {
  const std::string read = EncodedScopes({"read"});
  const std::string read_elsewhere = read;
  std::vector<std::string> others;
  for (int i = 0; i < 200; ++i) others.push_back(EncodedScopes({std::to_string(i)}));
  std::vector<TokenEntry> entries;
  for (uint64_t i = 0; i < 600; ++i) {
    entries.push_back(Entry(i, 9000));
    entries[i].scopes_encoded = i % 3 == 0   ? read
                                : i % 3 == 1 ? read_elsewhere
                                             : others[i % others.size()];
  }
  EXPECT_EQ(table_->PutMany(entries, [](size_t) { return false; }), PutResult::kPut);
  for (uint64_t i = 0; i < 600; ++i) EXPECT_EQ(Find(i).scopes_encoded, entries[i].scopes_encoded);
  table_->CheckInvariants();
  EXPECT_EQ(table_->stats().scope_sets, 1 + others.size());
  for (uint64_t i = 0; i < 600; ++i) EXPECT_TRUE(table_->Erase(kNs, KeyOf(i)));
  EXPECT_EQ(table_->stats().scope_sets, 0u);
}

TEST_F(TokenTableTest, TheQueueIsAskedForNewAndResetTokensOnly) {
  int asked = 0;
  bool answer = true;
  const std::function<bool()> denied = [&] {
    ++asked;
    return answer;
  };
  for (const PutMode mode : {PutMode::kReset, PutMode::kKeep, PutMode::kIfAbsent}) {
    const uint64_t number = 10 + static_cast<uint64_t>(mode);
    asked = 0;
    table_->Put(Entry(number), mode, &denied);
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(Ask(number), Verdict::kRevoked);
    EXPECT_TRUE(table_->Peek(kNs, KeyOf(number))->denied);
  }
  asked = 0;
  answer = false;
  table_->Put(Entry(10), PutMode::kKeep, &denied);
  table_->Put(Entry(10), PutMode::kIfAbsent, &denied);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(Ask(10), Verdict::kRevoked);
  table_->Put(Entry(10), PutMode::kReset, &denied);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(Ask(10), Verdict::kValid);
}

TEST_F(TokenTableTest, PeekOfWhatIsNotHere) {
  EXPECT_FALSE(table_->Peek(kNs, KeyOf(1)).has_value());
  Put(1);
  EXPECT_FALSE(table_->Peek(kNs + 1, KeyOf(1)).has_value());
}

// --- usage ---

TEST_F(TokenTableTest, CountsUsesOfValidTokensAlone) {
  Put(1);
  Put(2, 500);
  Put(3);
  table_->Deny(kNs, KeyOf(3));
  for (uint64_t now : {1000, 1001, 1002}) {
    for (uint64_t i = 1; i <= 4; ++i) Ask(i, now);
  }
  const auto usage = TakeAllUsage();
  ASSERT_THAT(usage, SizeIs(1));
  EXPECT_EQ(usage[0].key, KeyOf(1));
  EXPECT_EQ(usage[0].namespace_id, kNs);
  EXPECT_EQ(usage[0].expires_at_ms, kNever);
  EXPECT_EQ(usage[0].usage.use_count, 3u);
  EXPECT_EQ(usage[0].usage.last_used_at_ms, 1002u);
  EXPECT_THAT(TakeAllUsage(), IsEmpty());
  EXPECT_EQ(table_->Peek(kNs, KeyOf(1))->usage.use_count, 0u);
  EXPECT_EQ(table_->Peek(kNs, KeyOf(1))->usage.last_used_at_ms, 0u);
}

TEST_F(TokenTableTest, UsageTrackingCanBeOff) {
  Put(1);
  table_->SetUsageTracking(false);
  EXPECT_EQ(Ask(1), Verdict::kValid);
  EXPECT_THAT(TakeAllUsage(), IsEmpty());
  table_->SetUsageTracking(true);
  EXPECT_EQ(Ask(1), Verdict::kValid);
  EXPECT_THAT(TakeAllUsage(), SizeIs(1));
}

TEST_F(TokenTableTest, UsageIsTakenInPiecesAndOnce) {
  std::map<TokenKey, uint64_t> expected;
  for (uint64_t i = 0; i < 10000; ++i) {
    Put(i);
    if (i % 3 == 0) {
      Ask(i, i + 1);
      expected[KeyOf(i)] = i + 1;
    }
  }
  for (const auto& entry : TakeAllUsage(100)) {
    ASSERT_TRUE(expected.contains(entry.key));
    EXPECT_EQ(entry.usage.last_used_at_ms, expected[entry.key]);
    EXPECT_EQ(entry.usage.use_count, 1u);
    expected.erase(entry.key);
  }
  EXPECT_THAT(expected, IsEmpty());
}

TEST_F(TokenTableTest, TokensAreCountedByStateAndByHowSoonTheyExpire) {
  constexpr uint64_t kHourMs = TokenCounts::kHourMs;
  constexpr uint64_t kNowMs = 1000;
  Put(1);
  Put(2, kNowMs + kHourMs);
  Put(3, kNowMs + kHourMs + 1);
  Put(4, kNowMs + 7 * 24 * kHourMs);
  Put(5, kNowMs + 7 * 24 * kHourMs + 1);
  Put(6, kNowMs);      // expires at this moment
  Put(7, kNowMs + 5);  // and is revoked
  table_->MarkRevoked(kNs, KeyOf(7));
  Put(8);
  table_->Deny(kNs, KeyOf(8));
  Put(9);
  table_->Erase(kNs, KeyOf(9));
  TokenEntry other = Entry(1, kNowMs + 1);
  other.namespace_id = 300;
  table_->Put(other, PutMode::kReset);
  // More than a call looks at.
  for (uint64_t number = 1000; number < 1000 + 3 * 4096; ++number) Put(number);

  std::vector<TokenCounts> counts;
  for (size_t shard = 0; shard < table_->shard_count(); ++shard) {
    uint64_t cursor = 0;
    do {
      table_->CountTokens(shard, &cursor, kNowMs, &counts);
    } while (cursor != 0);
  }
  ASSERT_THAT(counts, SizeIs(301));
  EXPECT_EQ(counts[kNs].live, 5u + 3 * 4096);
  EXPECT_EQ(counts[kNs].revoked, 2u);
  EXPECT_EQ(counts[kNs].expired, 1u);
  EXPECT_THAT(counts[kNs].expiring, ElementsAre(1, 2, 3));
  EXPECT_EQ(counts[300].live, 1u);
  EXPECT_THAT(counts[300].expiring, ElementsAre(1, 1, 1));
  EXPECT_EQ(counts[299].live, 0u);
}

TEST_F(TokenTableTest, ListUsedKeepsToItsLimit) {
  for (uint64_t i = 0; i < 100; ++i) {
    Put(i);
    Ask(i);
  }
  std::vector<TokenName> used;
  uint64_t cursor = 0;
  table_->ListUsed(0, &cursor, 5, &used);
  EXPECT_THAT(used, SizeIs(5));
  EXPECT_NE(cursor, 0u);
}

TEST_F(TokenTableTest, UsageIsTakenOnceAndOnlyOfWhatIsThere) {
  Put(1);
  Put(2);
  Ask(1, 500);
  Ask(1, 700);
  const auto taken = table_->TakeUsage({kNs, KeyOf(1)});
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->key, KeyOf(1));
  EXPECT_EQ(taken->usage.use_count, 2u);
  EXPECT_EQ(taken->usage.last_used_at_ms, 700u);
  EXPECT_EQ(table_->TakeUsage({kNs, KeyOf(1)}), std::nullopt);
  EXPECT_EQ(table_->TakeUsage({kNs, KeyOf(2)}), std::nullopt);
  EXPECT_EQ(table_->TakeUsage({kNs, KeyOf(3)}), std::nullopt);
}

TEST_F(TokenTableTest, ASlotUsedAgainStartsWithoutUsage) {
  Put(1);
  Ask(1);
  table_->Erase(kNs, KeyOf(1));
  QuiesceAndReclaim();
  Put(2);
  Put(3);
  EXPECT_THAT(TakeAllUsage(), IsEmpty());
}

TEST_F(TokenTableTest, TimesOfUseStopAtTheLastOneThatFits) {
  Put(1);
  Ask(1, (uint64_t{1} << 48) + 5);
  EXPECT_EQ(table_->Peek(kNs, KeyOf(1))->usage.last_used_at_ms, (uint64_t{1} << 48) - 1);
}

// --- many ---

TEST_F(TokenTableTest, BatchesOfEverySize) {
  for (uint64_t i = 0; i < 300; i += 2) Put(i, 5000 + i);
  for (const size_t size : {0, 1, 2, 63, 64, 65, 128, 129, 300}) {
    std::vector<Lookup> lookups(size);
    for (size_t i = 0; i < size; ++i) {
      lookups[i].key = KeyOf(i);
      lookups[i].namespace_id = kNs;
    }
    table_->FindBatch(reader_.get(), lookups, 1000);
    for (size_t i = 0; i < size; ++i) {
      ASSERT_EQ(lookups[i].verdict, i % 2 == 0 ? Verdict::kValid : Verdict::kUnknown);
      if (i % 2 == 0) {
        ASSERT_EQ(lookups[i].expires_at_ms, 5000 + i);
      }
    }
  }
}

TEST_F(TokenTableTest, OneTokenManyTimesInABatch) {
  Put(1);
  std::vector<Lookup> lookups(64);
  for (Lookup& lookup : lookups) {
    lookup.key = KeyOf(1);
    lookup.namespace_id = kNs;
  }
  table_->FindBatch(reader_.get(), lookups, 1000);
  for (const Lookup& lookup : lookups) EXPECT_EQ(lookup.verdict, Verdict::kValid);
  EXPECT_EQ(table_->Peek(kNs, KeyOf(1))->usage.use_count, 64u);
}

TEST_F(TokenTableTest, GrowsThroughManySplitsAndShrinksToNothing) {
  constexpr uint64_t kTokens = 50000;
  for (uint64_t i = 0; i < kTokens; ++i) ASSERT_EQ(Put(i, 1000 + i), PutResult::kPut);
  table_->CheckInvariants();
  for (uint64_t i = 0; i < kTokens; ++i) ASSERT_EQ(Ask(i, 500), Verdict::kValid) << i;
  for (uint64_t i = kTokens; i < 2 * kTokens; ++i) ASSERT_EQ(Ask(i, 500), Verdict::kUnknown);
  for (uint64_t i = 0; i < kTokens; i += 2) ASSERT_TRUE(table_->Erase(kNs, KeyOf(i)));
  table_->CheckInvariants();
  for (uint64_t i = 0; i < kTokens; ++i) {
    ASSERT_EQ(Ask(i, 500), i % 2 == 0 ? Verdict::kUnknown : Verdict::kValid);
  }
  EXPECT_EQ(Reclaim(1000 + kTokens), kTokens / 2);
  EXPECT_EQ(table_->stats().tokens, 0u);
  EXPECT_EQ(table_->reclaimed_expiry_max_ms(), 1000 + kTokens - 1);
}

}  // namespace
}  // namespace tokend
