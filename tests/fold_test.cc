#include "storage/fold.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <optional>
#include <variant>
#include <vector>

namespace tokend {
namespace {

constexpr uint64_t kNow = 1000000;

StoredRecord Existing(uint64_t expires_at_ms, bool revoked) {
  StoredRecord stored;
  stored.record.expires_at_ms = expires_at_ms;
  stored.record.revoked = revoked;
  stored.record.generation = 4;
  stored.record.updated_at_ms = 500;
  stored.record.owner = "old";
  stored.inserted_sequence = stored.sequence = 10;
  return stored;
}

TEST(FoldTest, InsertMeetsEachState) {
  struct Case {
    std::optional<StoredRecord> current;
    bool replace;
    ErrorCode code;
    uint64_t generation;
  };
  const Case cases[] = {
      {std::nullopt, false, ErrorCode::kOk, 1},
      {std::nullopt, true, ErrorCode::kOk, 1},
      {Existing(kNow + 1, false), false, ErrorCode::kExists, 0},
      {Existing(kNow + 1, false), true, ErrorCode::kOk, 5},
      {Existing(kNever, false), false, ErrorCode::kExists, 0},
      {Existing(kNow, false), false, ErrorCode::kOk, 1},  // expired counts as absent
      {Existing(kNow, false), true, ErrorCode::kOk, 5},
      {Existing(kNow + 1, true), false, ErrorCode::kRevoked, 0},
      {Existing(kNow, true), false, ErrorCode::kRevoked, 0},  // revoked wins over expired
      {Existing(kNow + 1, true), true, ErrorCode::kOk, 5},
  };
  for (const Case& c : cases) {
    InsertMutation insert;
    insert.replace = c.replace;
    insert.owner = "new";
    StoredRecord next;
    const FoldResult result =
        FoldInsert(insert, {11, kNow}, c.current ? &*c.current : nullptr, &next);
    EXPECT_EQ(result.code, c.code);
    EXPECT_EQ(result.changed, c.code == ErrorCode::kOk);
    if (!result.changed) continue;
    EXPECT_EQ(next.record.generation, c.generation);
    EXPECT_EQ(next.record.owner, "new");
    EXPECT_FALSE(next.record.revoked);
    EXPECT_EQ(next.inserted_sequence, 11u);
    EXPECT_EQ(next.record.created_at_ms, kNow);
  }
}

TEST(FoldTest, AnExpiryCountsFromTheStampAndStaysInRange) {
  EXPECT_EQ((ExpirySpec{ExpirySpec::Kind::kAfter, 5}).Resolve(10), 15u);
  EXPECT_EQ((ExpirySpec{ExpirySpec::Kind::kAfter, kTimeMsMax}).Resolve(10), kTimeMsMax);
  EXPECT_EQ((ExpirySpec{ExpirySpec::Kind::kAt, 7}).Resolve(10), 7u);
  EXPECT_EQ(ExpirySpec{}.Resolve(10), kNever);
}

TEST(FoldTest, RevokeSaysWhetherItWasLive) {
  StoredRecord next;
  EXPECT_FALSE(FoldRevoke({11, kNow}, nullptr, &next).changed);
  StoredRecord live = Existing(kNow + 1, false);
  FoldResult result = FoldRevoke({11, kNow}, &live, &next);
  EXPECT_TRUE(result.changed && result.was_live && next.record.revoked);
  StoredRecord expired = Existing(kNow, false);
  result = FoldRevoke({11, kNow}, &expired, &next);
  EXPECT_TRUE(result.changed && !result.was_live && next.record.revoked);
  StoredRecord revoked = Existing(kNow + 1, true);
  EXPECT_FALSE(FoldRevoke({11, kNow}, &revoked, &next).changed);
}

TEST(FoldTest, OnlyALiveTokenIsExtendedUpdatedOrRotated) {
  const StoredRecord states[] = {Existing(kNow, false), Existing(kNow + 1, true)};
  StoredRecord next;
  for (const StoredRecord& state : states) {
    EXPECT_FALSE(FoldExtend(kNever, {11, kNow}, &state, &next).changed);
    EXPECT_FALSE(FoldUpdate({}, {11, kNow}, &state, &next).changed);
    EXPECT_FALSE(FoldRotateOld({}, {11, kNow}, &state, &next).changed);
  }
  const StoredRecord live = Existing(kNow + 100, false);
  RotateMutation rotate;
  rotate.overlap_ms = 30;
  ASSERT_TRUE(FoldRotateOld(rotate, {11, kNow}, &live, &next).changed);
  EXPECT_EQ(next.record.expires_at_ms, kNow + 30);
  rotate.overlap_ms = 200;  // its own end comes first
  ASSERT_TRUE(FoldRotateOld(rotate, {11, kNow}, &live, &next).changed);
  EXPECT_EQ(next.record.expires_at_ms, kNow + 100);
  const StoredRecord made = FoldRotateNew(rotate, {11, kNow}, live);
  EXPECT_EQ(made.record.owner, "old");
  EXPECT_EQ(made.record.expires_at_ms, kNow + 100);
  EXPECT_EQ(made.record.generation, 1u);
}

// --- import ---

ImportedRow Row(uint64_t updated_at_ms, uint64_t expires_at_ms, bool revoked = false) {
  ImportedRow row;
  row.has_updated_at = updated_at_ms != 0;
  row.record.updated_at_ms = updated_at_ms;
  row.record.expires_at_ms = expires_at_ms;
  row.record.revoked = revoked;
  row.record.owner = "imported";
  return row;
}

TEST(FoldTest, AnImportedRowMerges) {
  const Stamp begin{20, kNow};
  StoredRecord next;
  EXPECT_EQ(FoldImport(Row(5, 9), begin, kNow, false, nullptr, &next), MergeResult::kTaken);
  EXPECT_EQ(next.inserted_sequence, 20u);
  EXPECT_EQ(next.KeptFromMs(), kNow);  // had expired: kept from now on

  const StoredRecord have = Existing(kNow + 100, false);  // updated at 500
  ASSERT_EQ(FoldImport(Row(501, kNow + 200), begin, kNow, false, &have, &next),
            MergeResult::kReplaced);
  EXPECT_EQ(next.record.owner, "imported");  // the later wins whole
  EXPECT_EQ(next.record.expires_at_ms, kNow + 200);
  EXPECT_EQ(next.record.generation, 4u);

  EXPECT_EQ(FoldImport(Row(499, kNow + 5), begin, kNow, false, &have, &next),
            MergeResult::kUnchanged);
  ASSERT_EQ(FoldImport(Row(499, kNow + 5, true), begin, kNow, false, &have, &next),
            MergeResult::kReplaced);
  EXPECT_TRUE(next.record.revoked);  // revoked if either is
  EXPECT_EQ(next.record.owner, "old");
  EXPECT_EQ(next.record.expires_at_ms, kNow + 100);

  for (const uint64_t updated : {0, 500}) {  // a tie, or no time of its own: the stricter expiry
    ASSERT_EQ(FoldImport(Row(updated, kNow + 5), begin, kNow, false, &have, &next),
              MergeResult::kReplaced);
    EXPECT_EQ(next.record.expires_at_ms, kNow + 5);
    EXPECT_EQ(next.record.owner, "old");
    EXPECT_EQ(FoldImport(Row(updated, kNever), begin, kNow, false, &have, &next),
              MergeResult::kUnchanged);
  }

  const StoredRecord revoked = Existing(kNow + 100, true);
  ASSERT_EQ(FoldImport(Row(900, kNever), begin, kNow, false, &revoked, &next),
            MergeResult::kReplaced);
  EXPECT_TRUE(next.record.revoked);
}

TEST(FoldTest, TheStricterExpiryWinsAlwaysWhereThatWasAskedFor) {
  const Stamp begin{20, kNow};
  const StoredRecord have = Existing(kNow + 100, false);  // updated at 500
  for (const uint64_t updated : {499, 500, 501}) {
    StoredRecord next;
    ASSERT_EQ(FoldImport(Row(updated, kNow + 5), begin, kNow, true, &have, &next),
              MergeResult::kReplaced);
    EXPECT_EQ(next.record.expires_at_ms, kNow + 5);
    EXPECT_EQ(next.record.owner, updated == 501 ? "imported" : "old");
    const MergeResult later = FoldImport(Row(updated, kNever), begin, kNow, true, &have, &next);
    EXPECT_EQ(later, updated == 501 ? MergeResult::kReplaced : MergeResult::kUnchanged);
    if (later == MergeResult::kReplaced) {
      EXPECT_EQ(next.record.expires_at_ms, kNow + 100);
    }
  }
}

TEST(FoldTest, WhatWasInsertedDuringAnImportWins) {
  StoredRecord have = Existing(kNow + 100, false);
  have.inserted_sequence = have.sequence = 21;
  StoredRecord next;
  EXPECT_EQ(FoldImport(Row(kTimeMsMax, 5, true), {20, kNow}, kNow, false, &have, &next),
            MergeResult::kUnchanged);
}

// As SealKeyIdOf sees it.
std::string Sealed(char key, char nonce) {
  return "\1" + std::string(8, key) + std::string(12, nonce) + std::string(20, 'x');
}

TEST(FoldTest, ASealedTokenIsOfItsGeneration) {
  StoredRecord have = Existing(kNow + 100, false);
  have.sealed = Sealed('a', 1);
  StoredRecord next;
  FoldRevoke({11, kNow}, &have, &next);
  EXPECT_EQ(next.sealed, have.sealed);
  FoldExtend(kNever, {11, kNow}, &have, &next);
  EXPECT_EQ(next.sealed, have.sealed);

  InsertMutation insert;
  insert.replace = true;
  FoldInsert(insert, {11, kNow}, &have, &next);
  EXPECT_EQ(next.sealed, "");
  insert.sealed = Sealed('a', 2);
  FoldInsert(insert, {11, kNow}, &have, &next);
  EXPECT_EQ(next.sealed, insert.sealed);

  RotateMutation rotate;
  rotate.sealed = Sealed('b', 1);
  EXPECT_EQ(FoldRotateNew(rotate, {11, kNow}, have).sealed, rotate.sealed);
  FoldRotateOld(rotate, {11, kNow}, &have, &next);
  EXPECT_EQ(next.sealed, have.sealed);
}

TEST(FoldTest, AnImportSealsWhatIsNotSealedByThatKey) {
  struct Case {
    std::string have, row, result;
  };
  const Case cases[] = {
      {"", Sealed('a', 1), Sealed('a', 1)},
      {Sealed('a', 1), "", Sealed('a', 1)},  // given as a key
      {Sealed('a', 1), Sealed('a', 2), Sealed('a', 1)},
      {Sealed('a', 1), Sealed('b', 2), Sealed('b', 2)},  // the old key may be lost
  };
  for (const uint64_t updated : {499, 500, 501}) {
    for (const Case& c : cases) {
      StoredRecord have = Existing(kNow + 100, false);  // updated at 500
      have.sealed = c.have;
      ImportedRow row = Row(updated, kNow + 100);
      row.sealed = c.row;
      StoredRecord next;
      const MergeResult merged =
          FoldImport(ImportedRow(row), {20, kNow}, kNow, false, &have, &next);
      const bool changes = updated == 501 || c.result != c.have;
      EXPECT_EQ(merged, changes ? MergeResult::kReplaced : MergeResult::kUnchanged);
      if (changes) {
        EXPECT_EQ(next.sealed, c.result);
      }
    }
  }
}

// --- the fold is a join ---

using Op = std::variant<InsertMutation, RevokeMutation, ExtendMutation, UpdateMutation>;

void ApplyOp(const Op& op, const Stamp& stamp, std::optional<StoredRecord>* state) {
  const StoredRecord* current = *state ? &**state : nullptr;
  StoredRecord next;
  FoldResult result;
  if (const auto* insert = std::get_if<InsertMutation>(&op)) {
    result = FoldInsert(*insert, stamp, current, &next);
  } else if (std::holds_alternative<RevokeMutation>(op)) {
    result = FoldRevoke(stamp, current, &next);
  } else if (const auto* extend = std::get_if<ExtendMutation>(&op)) {
    result = FoldExtend(extend->expires_at_ms, stamp, current, &next);
  } else {
    result = FoldUpdate(std::get<UpdateMutation>(op), stamp, current, &next);
  }
  if (result.changed) *state = next;
}

TEST(FoldTest, ReplayingAnyPartAgainChangesNothing) {
  EXPECT_TRUE(rc::check("a prefix replayed onto the final state gives the final state", [] {
    const auto kinds = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6));
    std::vector<std::pair<Op, Stamp>> log;
    for (size_t i = 0; i < kinds.size(); ++i) {
      const Stamp stamp{i + 1, kNow + 10 * *rc::gen::inRange<uint64_t>(0, 5)};
      InsertMutation insert;
      insert.replace = kinds[i] == 1;
      insert.expiry = {ExpirySpec::Kind::kAfter, 25};
      if (i % 2 == 0) insert.sealed = Sealed('a', static_cast<char>(i));
      UpdateMutation update;
      update.name = std::to_string(i);
      Op op = insert;
      if (kinds[i] == 2) op = RevokeMutation{};
      if (kinds[i] == 3) op = ExtendMutation{{}, stamp.at_ms + 15};
      if (kinds[i] == 4) op = update;
      log.emplace_back(op, stamp);
    }
    std::optional<StoredRecord> state;
    for (const auto& [op, stamp] : log) ApplyOp(op, stamp, &state);
    std::string before, after;
    if (state) EncodeStoredRecord(*state, &before);
    // Those that changed something, replayed, are known by their number. (One that changed nothing
    // was refused, is answered so, and is not kept.)
    std::optional<StoredRecord> again = state;
    for (const auto& [op, stamp] : log) {
      if (again && stamp.sequence <= again->sequence) ApplyOp(op, stamp, &again);
    }
    if (again) EncodeStoredRecord(*again, &after);
    RC_ASSERT(before == after);
  }));
}

}  // namespace
}  // namespace tokend
