#include <gtest/gtest.h>

#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

class StoreImportTest : public StoreFixture {
 protected:
  std::string Begin(const std::string& ns = "imported") {
    ImportBeginMutation begin;
    begin.source = "test";
    const Outcome outcome = Do(begin, ns);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.message();
    return outcome.import_id;
  }
  struct RowFields {
    std::optional<std::string> owner = std::nullopt;
    uint64_t expires_at_ms = kNever;
    uint64_t updated_at_ms = 0;
    bool revoked = false;
    uint64_t use_count = 0;
  };
  static ImportedRow Row(const std::string& token, const RowFields& fields) {
    ImportedRow row;
    row.record.key = Key(token);
    row.record.owner = fields.owner;
    row.record.expires_at_ms = fields.expires_at_ms;
    row.record.updated_at_ms = fields.updated_at_ms;
    row.has_updated_at = fields.updated_at_ms != 0;
    row.record.revoked = fields.revoked;
    row.record.use_count = fields.use_count;
    row.record.source_id = "7";
    return row;
  }
  static ImportedRow Row(const std::string& token) { return Row(token, RowFields{}); }
  Outcome Rows(const std::string& id, std::vector<ImportedRow> rows) {
    ImportRowsMutation mutation;
    mutation.import_id = id;
    mutation.rows = std::move(rows);
    return Do(std::move(mutation), "imported");
  }
  Outcome End(const std::string& id) { return Do(ImportEndMutation{id}, "imported"); }
};

TEST_F(StoreImportTest, TakesRowsAndTheSameAgainChangesNothing) {
  for (const bool again : {false, true}) {
    const std::string id = Begin();
    std::vector<ImportedRow> rows = {
        Row("a", {.owner = "bob", .updated_at_ms = 500, .use_count = 9}),
        Row("expired", {.expires_at_ms = 1000}), Row("revoked", {.revoked = true})};
    const Outcome taken = Rows(id, rows);
    ASSERT_TRUE(taken.status.ok()) << taken.status.message();
    EXPECT_EQ(taken.taken, again ? 0u : 3u);
    EXPECT_EQ(taken.unchanged, again ? 3u : 0u);
    EXPECT_EQ(taken.replaced, 0u);
    const Outcome ended = End(id);
    EXPECT_EQ(ended.taken + ended.unchanged, 3u);
    EXPECT_EQ(End(id).status.code(), ErrorCode::kBadParams);
    EXPECT_EQ(Validate("a", "imported"), Verdict::kValid);
    EXPECT_EQ(Validate("revoked", "imported"), Verdict::kRevoked);
    EXPECT_EQ(Get("expired", "imported")->expires_at_ms, 1000u);
    EXPECT_EQ(Get("a", "imported")->source_id, "7");
    EXPECT_EQ(Get("a", "imported")->use_count, again ? 11u : 10u);  // 9, and each Validate
    EXPECT_EQ(Get("a", "imported")->updated_at_ms, 500u);
    if (!again) Reopen();
  }
}

TEST_F(StoreImportTest, ARevokeBeforeDuringAndAfterWins) {
  std::string id = Begin();
  Rows(id, {Row("before")});
  End(id);
  Do(RevokeMutation{Key("before")}, "imported");
  id = Begin();
  EXPECT_FALSE(Do(RevokeMutation{Key("during")}, "imported").was_live);
  Rows(id, {Row("before", {.updated_at_ms = kTimeMsMax}), Row("during"), Row("free")});
  EXPECT_EQ(Validate("before", "imported"), Verdict::kRevoked);
  EXPECT_EQ(Validate("during", "imported"), Verdict::kRevoked);
  EXPECT_EQ(Validate("free", "imported"), Verdict::kValid);
  End(id);
}

TEST_F(StoreImportTest, ARevokeByIdDuringAnImportHitsARowToCome) {
  const std::string id = Begin();
  EXPECT_FALSE(Do(RevokeIdMutation{TokenId::Of(Key("during"))}, "imported").was_live);
  Rows(id, {Row("during"), Row("free")});
  EXPECT_EQ(Validate("during", "imported"), Verdict::kRevoked);
  EXPECT_EQ(Validate("free", "imported"), Verdict::kValid);
  End(id);
  Reopen();
  EXPECT_EQ(Validate("during", "imported"), Verdict::kRevoked);
}

TEST_F(StoreImportTest, ARevokeOfTheOwnerDuringAnImportHitsRowsToCome) {
  const std::string id = Begin();
  Rows(id, {Row("early", {.owner = "bob"})});
  EXPECT_EQ(Do(RevokeOwnerMutation{"bob"}, "imported").count, 1u);
  Rows(id, {Row("late", {.owner = "bob"}), Row("other", {.owner = "eve"})});
  EXPECT_EQ(Validate("early", "imported"), Verdict::kRevoked);
  EXPECT_EQ(Validate("late", "imported"), Verdict::kRevoked);
  EXPECT_EQ(Validate("other", "imported"), Verdict::kValid);
  End(id);
  // An insert that comes later is not of the import and lives.
  Insert("new", {.owner = "bob", .ns = "imported"});
  EXPECT_EQ(Validate("new", "imported"), Verdict::kValid);
}

TEST_F(StoreImportTest, AReplaceDuringAnImportWins) {
  std::string id = Begin();
  Rows(id, {Row("a", {.owner = "old"})});
  Insert("a", {.owner = "new", .replace = true, .ns = "imported"});
  const Outcome outcome =
      Rows(id, {Row("a", {.owner = "dump", .updated_at_ms = kTimeMsMax, .revoked = true})});
  EXPECT_EQ(outcome.unchanged, 1u);
  EXPECT_EQ(Get("a", "imported")->owner, "new");
  EXPECT_EQ(Validate("a", "imported"), Verdict::kValid);
}

TEST_F(StoreImportTest, DuplicatesWithinAnImportMerge) {
  const std::string id = Begin();
  const Outcome outcome = Rows(id, {Row("a", {.owner = "x", .updated_at_ms = 5}),
                                    Row("a", {.owner = "y", .updated_at_ms = 6}),
                                    Row("a", {.owner = "z", .updated_at_ms = 4, .revoked = true})});
  EXPECT_EQ(outcome.taken, 1u);
  EXPECT_EQ(outcome.replaced, 2u);
  EXPECT_EQ(Get("a", "imported")->owner, "y");
  EXPECT_TRUE(Get("a", "imported")->revoked);
}

TEST_F(StoreImportTest, ASchemeOfAnotherKindIsRefused) {
  std::string id = Begin();
  ImportedRow row = Row("a");
  row.scheme = DigestScheme::kSha256AfterBar;
  EXPECT_EQ(Rows(id, {row, Row("b")}).refused, 1u);
  End(id);
  ImportBeginMutation begin;
  begin.scheme = DigestScheme::kSha256AfterBar;
  const Outcome outcome = Do(begin, "imported");
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_NE(outcome.status.message().find("use another namespace"), std::string::npos);
}

TEST_F(StoreImportTest, AnUnknownImportIsAnErrorThatSaysWhatToDo) {
  const Outcome outcome = Rows("import-99", {Row("a")});
  EXPECT_EQ(outcome.status.code(), ErrorCode::kBadParams);
  EXPECT_NE(outcome.status.message().find("begin it again"), std::string::npos);
}

TEST_F(StoreImportTest, AThousandMayBeOpen) {
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(Begin());
  EXPECT_EQ(Do(ImportBeginMutation{}, "imported").status.code(), ErrorCode::kBusy);
  EXPECT_EQ(Rows(ids[0], {Row("a")}).taken, 1u);
  End(ids[999]);
  EXPECT_TRUE(Do(ImportBeginMutation{}, "imported").status.ok());
}

TEST_F(StoreImportTest, OneThatWasLeftGivesItsPlaceToAnother) {
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(Begin());
  clock_.Advance(3'599'999);
  EXPECT_EQ(Do(ImportBeginMutation{}, "imported").status.code(), ErrorCode::kBusy);
  for (int i = 1; i < 1000; ++i) EXPECT_TRUE(Rows(ids[i], {Row("a")}).status.ok());
  clock_.Advance(1);
  const std::string another = Begin();
  EXPECT_EQ(Rows(ids[0], {Row("b")}).status.code(), ErrorCode::kBadParams);
  EXPECT_EQ(Rows(another, {Row("b")}).taken, 1u);
  EXPECT_TRUE(End(ids[1]).status.ok());
  EXPECT_TRUE(Do(ImportBeginMutation{}, "imported").status.ok());
  EXPECT_EQ(Do(ImportBeginMutation{}, "imported").status.code(), ErrorCode::kBusy);
}

TEST_F(StoreImportTest, RevokesThatItMustRememberAreBoundedAndNoneIsRefused) {
  std::string id;
  for (int i = 0; i < 100; ++i) id = Begin();  // each of them remembers all
  ImportBeginMutation elsewhere;
  const std::string other = Do(elsewhere, "another").import_id;
  const std::string owner(16'000, 'o');  // longer than the protocol lets any be
  // 128 MiB may be remembered: 83 such owners.
  const auto revoke = [&](int i) {
    return Do(RevokeOwnerMutation{owner + std::to_string(i)}, "imported").status;
  };
  for (int i = 0; i < 80; ++i) ASSERT_TRUE(revoke(i).ok());
  EXPECT_EQ(Rows(id, {Row("a", {.owner = owner + "7"})}).taken, 1u);
  EXPECT_EQ(Validate("a", "imported"), Verdict::kRevoked);
  for (int i = 80; i < 90; ++i) ASSERT_TRUE(revoke(i).ok());
  EXPECT_EQ(Rows(id, {Row("b", {.owner = owner + "7"})}).status.code(), ErrorCode::kBadParams);
  EXPECT_EQ(Rows(other, {Row("a")}).taken, 1u);
  EXPECT_EQ(Rows(Begin(), {Row("b")}).taken, 1u);
}

TEST_F(StoreImportTest, AnImportSurvivesARestartOnceItHasEnded) {
  const std::string id = Begin();
  std::vector<ImportedRow> rows;
  rows.reserve(5000);
  for (int i = 0; i < 5000; ++i) rows.push_back(Row("t" + std::to_string(i)));
  EXPECT_EQ(Rows(id, rows).taken, 5000u);
  End(id);
  Reopen();
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(Validate("t" + std::to_string(i), "imported"), Verdict::kValid);
  }
}

}  // namespace
}  // namespace tokend
