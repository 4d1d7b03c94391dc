#include "storage/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

using StoreTest = StoreFixture;

struct Ignored : Submission {
  void Done(std::unique_ptr<Submission> /*self*/) override {}
};

TEST_F(StoreTest, AnInsertedTokenIsGoodAndItsRecordSaysWhose) {
  const Outcome inserted = Insert("a", {.owner = "bob", .ttl_ms = 1000, .scopes = {"r", "w"}});
  ASSERT_TRUE(inserted.status.ok()) << inserted.status.message();
  EXPECT_EQ(inserted.id, TokenId::Of(Key("a")));
  EXPECT_EQ(inserted.expires_at_ms, clock_.NowMs() + 1000);
  const Lookup found = Find("a");
  EXPECT_EQ(found.verdict, Verdict::kValid);
  EXPECT_EQ(found.owner_encoded,
            "\xa3"
            "bob");
  EXPECT_EQ(found.scopes_encoded, "\x92\xa1r\xa1w");
  const auto record = Get("a");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->owner, "bob");
  EXPECT_EQ(record->namespace_name, "default");
  EXPECT_EQ(record->generation, 1u);
  EXPECT_EQ(record->created_at_ms, clock_.NowMs());
  EXPECT_EQ(Validate("b"), Verdict::kUnknown);
  EXPECT_FALSE(Get("b"));
}

TEST_F(StoreTest, ExpiryIsExactToTheMillisecond) {
  Insert("a", {.ttl_ms = 1000});
  clock_.Advance(999);
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  clock_.Advance(1);
  EXPECT_EQ(Validate("a"), Verdict::kExpired);
  EXPECT_EQ(Get("a")->StateAt(clock_.NowMs()), TokenState::kExpired);
  clock_.Advance(60000);
  store_->Maintain();
  EXPECT_EQ(Validate("a"), Verdict::kUnknown);  // memory gave it back; the disk still tells
  EXPECT_TRUE(Get("a"));
  EXPECT_EQ(store_->stats().table.tokens, 0u);
}

TEST_F(StoreTest, InsertOfATokenThatIsThere) {
  ASSERT_TRUE(Insert("a", {.owner = "x"}).status.ok());
  Outcome again = Insert("a");
  EXPECT_EQ(again.status.code(), ErrorCode::kExists);
  EXPECT_EQ(again.id, TokenId::Of(Key("a")));
  EXPECT_TRUE(Revoke("a").was_live);
  again = Insert("a");
  EXPECT_EQ(again.status.code(), ErrorCode::kRevoked);
  EXPECT_EQ(again.id, TokenId::Of(Key("a")));
  ASSERT_TRUE(Insert("a", {.owner = "y", .replace = true}).status.ok());
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  EXPECT_EQ(Get("a")->generation, 2u);
  EXPECT_EQ(Get("a")->owner, "y");
}

TEST_F(StoreTest, AnExpiredTokenCountsAsAbsentReclaimedOrNot) {
  for (const bool reclaimed : {false, true}) {
    Insert("a", {.owner = "x", .ttl_ms = 10, .replace = true});
    clock_.Advance(reclaimed ? 100000 : 10);
    if (reclaimed) store_->Maintain();
    ASSERT_TRUE(Insert("a", {.owner = "y"}).status.ok());
    EXPECT_EQ(Get("a")->generation, 1u);
    EXPECT_EQ(Validate("a"), Verdict::kValid);
  }
}

TEST_F(StoreTest, RevokeIsStickyAndSaysWhetherItWasLive) {
  Insert("a", {.ttl_ms = 1000});
  EXPECT_TRUE(Revoke("a").was_live);
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  EXPECT_FALSE(Revoke("a").was_live);
  EXPECT_FALSE(Revoke("unknown").was_live);
  EXPECT_FALSE(Get("unknown"));
  Insert("b", {.ttl_ms = 10});
  clock_.Advance(10);
  EXPECT_FALSE(Revoke("b").was_live);  // expired: marked all the same
  EXPECT_EQ(Get("b")->StateAt(clock_.NowMs()), TokenState::kRevoked);
}

TEST_F(StoreTest, ARevokedTokenOfThePastStaysRevokedForInsert) {
  Insert("a", {.ttl_ms = 10});
  Revoke("a");
  clock_.Advance(100000);
  store_->Maintain();
  EXPECT_EQ(Insert("a").status.code(), ErrorCode::kRevoked);
}

TEST_F(StoreTest, RevokeByIdFindsTheToken) {
  const Outcome inserted = Insert("a");
  EXPECT_TRUE(Do(RevokeIdMutation{inserted.id}).was_live);
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  EXPECT_FALSE(Do(RevokeIdMutation{inserted.id}).was_live);
  EXPECT_FALSE(Do(RevokeIdMutation{TokenId::Of(Key("none"))}).was_live);
}

TEST_F(StoreTest, RevokeOwnerEndsWhatWasThereAndNothingElse) {
  for (int i = 0; i < 1500; ++i) {  // more than one step of the sweep
    Insert("bob" + std::to_string(i), {.owner = "bob"});
  }
  Insert("short", {.owner = "bob", .ttl_ms = 1});
  Insert("gone", {.owner = "bob"});
  Revoke("gone");
  Insert("other", {.owner = "bobby"});
  Insert("none");
  clock_.Advance(1);
  EXPECT_EQ(RevokeOwner("bob").count, 1500u);
  EXPECT_EQ(Validate("bob7"), Verdict::kRevoked);
  EXPECT_EQ(Validate("bob1499"), Verdict::kRevoked);
  EXPECT_EQ(Validate("other"), Verdict::kValid);
  EXPECT_EQ(Validate("none"), Verdict::kValid);
  EXPECT_TRUE(Get("bob3")->revoked);
  EXPECT_EQ(RevokeOwner("bob").count, 0u);
  EXPECT_EQ(RevokeOwner("nobody").count, 0u);
  ASSERT_TRUE(Insert("later", {.owner = "bob"}).status.ok());
  EXPECT_EQ(Validate("later"), Verdict::kValid);
  EXPECT_EQ(Count({.owner = "bob", .state = TokenState::kActive}), 1u);
  EXPECT_EQ(Count({.owner = "bob", .state = TokenState::kRevoked}), 1502u);
  store_->table().CheckInvariants();
}

TEST_F(StoreTest, ExtendMovesTheEndOfALiveToken) {
  Insert("a", {.ttl_ms = 1000});
  EXPECT_TRUE(Do(ExtendMutation{Key("a"), clock_.NowMs() + 5000}).was_live);
  clock_.Advance(4999);
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  EXPECT_TRUE(Do(ExtendMutation{Key("a"), kNever}).was_live);
  clock_.Advance(uint64_t{1} << 40);
  store_->Maintain();
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  EXPECT_TRUE(Do(ExtendMutation{Key("a"), 5}).was_live);  // it may shorten
  EXPECT_EQ(Validate("a"), Verdict::kExpired);
  EXPECT_FALSE(Do(ExtendMutation{Key("a"), kNever}).was_live);
  EXPECT_FALSE(Do(ExtendMutation{Key("none"), kNever}).was_live);
}

TEST_F(StoreTest, UpdateChangesWhatIsGivenAndKeepsUsage) {
  const Outcome inserted = Insert("a", {.owner = "bob", .scopes = {"r"}, .name = "old"});
  Validate("a");
  UpdateMutation update;
  update.id = inserted.id;
  update.scopes = {"w"};
  EXPECT_TRUE(Do(update).was_live);
  EXPECT_EQ(Find("a").scopes_encoded, "\x91\xa1w");
  const auto record = Get("a");
  EXPECT_EQ(record->name, "old");
  EXPECT_EQ(record->scopes, std::vector<std::string>{"w"});
  EXPECT_EQ(record->use_count, 2u);
  Revoke("a");
  EXPECT_FALSE(Do(update).was_live);
}

TEST_F(StoreTest, RotateHandsOverAndEndsTheOldOneAfterTheOverlap) {
  Insert("old", {.owner = "bob", .ttl_ms = 10000, .scopes = {"r"}});
  RotateMutation rotate;
  rotate.old_key = Key("old");
  rotate.new_key = Key("new");
  rotate.overlap_ms = 100;
  const Outcome rotated = Do(rotate);
  EXPECT_TRUE(rotated.was_live);
  EXPECT_EQ(rotated.id, TokenId::Of(Key("new")));
  EXPECT_EQ(rotated.expires_at_ms, clock_.NowMs() + 10000);
  EXPECT_EQ(Find("new").owner_encoded,
            "\xa3"
            "bob");
  clock_.Advance(99);
  EXPECT_EQ(Validate("old"), Verdict::kValid);
  clock_.Advance(1);
  EXPECT_EQ(Validate("old"), Verdict::kExpired);
  EXPECT_EQ(Validate("new"), Verdict::kValid);
  rotate.new_key = Key("newer");
  EXPECT_FALSE(Do(rotate).was_live);
  EXPECT_EQ(Validate("newer"), Verdict::kUnknown);
}

class UsageOffTest : public StoreFixture {
  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.usage_flush_interval_ms = 0;
    return options;
  }
};

TEST_F(UsageOffTest, NoUsageIsKept) {
  Insert("a");
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  EXPECT_EQ(Get("a")->use_count, 0u);
  EXPECT_FALSE(Get("a")->last_used_at_ms);
  store_->FlushUsage();
  Reopen();
  EXPECT_EQ(Get("a")->use_count, 0u);
}

TEST_F(StoreTest, UsageIsCountedAndWrittenBehind) {
  Insert("a");
  EXPECT_FALSE(Get("a")->last_used_at_ms);
  EXPECT_EQ(Get("a")->use_count, 0u);
  for (int i = 0; i < 3; ++i) Validate("a");
  EXPECT_EQ(Get("a")->use_count, 3u);
  EXPECT_EQ(Get("a")->last_used_at_ms, clock_.NowMs());
  store_->FlushUsage();
  EXPECT_EQ(Get("a")->use_count, 3u);
  clock_.Advance(5);
  Validate("a");
  EXPECT_EQ(Get("a")->use_count, 4u);
  Reopen();
  EXPECT_EQ(Get("a")->use_count, 4u);
  EXPECT_EQ(Get("a")->last_used_at_ms, clock_.NowMs());
  Insert("a", {.replace = true});
  EXPECT_EQ(Get("a")->use_count, 0u);
  EXPECT_FALSE(Get("a")->last_used_at_ms);
}

TEST_F(StoreTest, UsageOfATokenThatMemoryGaveBackIsKept) {
  Insert("a", {.ttl_ms = 10});
  Validate("a");
  clock_.Advance(100000);
  store_->Maintain();
  ASSERT_EQ(store_->stats().table.tokens, 0u);
  store_->FlushUsage();
  EXPECT_EQ(Get("a")->use_count, 1u);
}

TEST_F(StoreTest, NamespacesKeepTokensApart) {
  ASSERT_TRUE(Insert("a", {.owner = "x", .ns = "one"}).status.ok());
  ASSERT_TRUE(Insert("a", {.owner = "y", .ns = "two"}).status.ok());
  EXPECT_EQ(Find("a", "one").owner_encoded, "\xa1x");
  EXPECT_EQ(Find("a", "two").owner_encoded, "\xa1y");
  EXPECT_EQ(Validate("a"), Verdict::kUnknown);
  Do(RevokeMutation{Key("a")}, "one");
  EXPECT_EQ(Validate("a", "one"), Verdict::kRevoked);
  EXPECT_EQ(Validate("a", "two"), Verdict::kValid);
}

TEST_F(StoreTest, AnUnknownNamespaceIsAnErrorOfItsOwn) {
  EXPECT_EQ(Do(RevokeMutation{Key("a")}, "typo").status.code(), ErrorCode::kUnknownNamespace);
  EXPECT_EQ(Do(ExtendMutation{Key("a"), kNever}, "typo").status.code(),
            ErrorCode::kUnknownNamespace);
  std::optional<Record> record;
  EXPECT_EQ(store_->Get("typo", Key("a"), &record).code(), ErrorCode::kUnknownNamespace);
  ListPage page;
  EXPECT_EQ(store_->List({.namespace_name = "typo"}, &page).code(), ErrorCode::kUnknownNamespace);
  EXPECT_FALSE(store_->namespaces()->contains("typo"));
}

TEST_F(StoreTest, ASchemeIsFixedOnceThereIsAToken) {
  ASSERT_TRUE(Do(CreateNamespaceMutation{DigestScheme::kSha256AfterBar}, "s").status.ok());
  EXPECT_EQ(store_->namespaces()->at("s").scheme, DigestScheme::kSha256AfterBar);
  ASSERT_TRUE(Do(CreateNamespaceMutation{DigestScheme::kSha256}, "s").status.ok());
  EXPECT_EQ(store_->namespaces()->at("s").scheme, DigestScheme::kSha256);
  ASSERT_TRUE(Insert("a", {.ns = "s"}).status.ok());
  EXPECT_EQ(Do(CreateNamespaceMutation{DigestScheme::kSha256AfterBar}, "s").status.code(),
            ErrorCode::kBadParams);
  InsertMutation insert = MakeInsert("b", {});
  insert.scheme = DigestScheme::kSha256AfterBar;
  EXPECT_EQ(Do(insert, "s").status.code(), ErrorCode::kBadParams);
  insert.scheme.reset();  // a key as such
  EXPECT_TRUE(Do(insert, "s").status.ok());
}

TEST_F(StoreTest, ANamespaceMadeBesideAChangeOfSchemeHasANumberOfItsOwn) {
  Do(CreateNamespaceMutation{DigestScheme::kSha256}, "a");
  std::unique_ptr<Submission> both = std::make_unique<Ignored>();
  for (const auto& [name, scheme] :
       {std::pair{"a", DigestScheme::kSha256AfterBar}, {"b", DigestScheme::kSha256}}) {
    both->mutations.push_back({name, CreateNamespaceMutation{scheme}});
  }
  ASSERT_TRUE(store_->Submit(both).ok());
  Do(CreateNamespaceMutation{DigestScheme::kSha256}, "c");
  std::set<NamespaceId> ids;
  for (const auto& [name, info] : *store_->namespaces()) ids.insert(info.id);
  EXPECT_EQ(ids.size(), 4u);
}

TEST_F(StoreTest, PurgeDropsWhatExpiredBefore) {
  for (int i = 0; i < 1200; ++i) Insert("old" + std::to_string(i), {.ttl_ms = 100});
  Insert("revoked", {.ttl_ms = 100});
  Revoke("revoked");
  Insert("later", {.ttl_ms = 500});
  Insert("live", {.ttl_ms = 5000});
  Insert("never");
  clock_.Advance(1000);
  store_->Maintain();
  EXPECT_EQ(Do(PurgeExpiredMutation{clock_.NowMs() - 900}).count, 0u);  // exclusive
  EXPECT_EQ(Do(PurgeExpiredMutation{clock_.NowMs() - 899}).count, 1201u);
  EXPECT_FALSE(Get("old5"));
  EXPECT_FALSE(Get("revoked"));
  EXPECT_TRUE(Get("later"));
  EXPECT_EQ(Do(PurgeExpiredMutation{kTimeMsMax}).count, 1u);  // never what is live
  EXPECT_EQ(Validate("live"), Verdict::kValid);
  EXPECT_EQ(Validate("never"), Verdict::kValid);
  EXPECT_EQ(Count({}), 2u);
}

TEST_F(StoreTest, ElementsOfOneSubmissionApplyInOrder) {
  struct Many : Submission {
    void Done(std::unique_ptr<Submission> /*self*/) override {
      *out = std::move(outcomes);
      done->store(true);
    }
    std::vector<Outcome>* out = nullptr;
    std::atomic<bool>* done = nullptr;
  };
  std::vector<Outcome> outcomes;
  std::atomic<bool> done{false};
  auto many = std::make_unique<Many>();
  many->out = &outcomes;
  many->done = &done;
  for (const auto& [token, replace] : {std::pair{"a", false}, {"b", false}, {"a", false}}) {
    Mutation mutation;
    mutation.namespace_name = "default";
    mutation.op = MakeInsert(token, {.owner = token, .replace = replace});
    many->mutations.push_back(mutation);
  }
  std::unique_ptr<Submission> submission = std::move(many);
  ASSERT_TRUE(store_->Submit(submission).ok());
  while (!done.load()) std::this_thread::yield();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_TRUE(outcomes[0].status.ok());
  EXPECT_TRUE(outcomes[1].status.ok());
  EXPECT_EQ(outcomes[2].status.code(), ErrorCode::kExists);
}

TEST_F(StoreTest, AtTheMemoryLimitNewTokensAreRefusedAndTheOthersLiveOn) {
  CloseStore();
  StoreOptions options = Options();
  options.table.memory_bytes_max = 1 << 20;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  store_->WaitUntilLoaded();
  reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
  int inserted = 0;
  Outcome outcome;
  for (; inserted < 100000; ++inserted) {
    outcome = Insert("t" + std::to_string(inserted));
    if (!outcome.status.ok()) break;
  }
  EXPECT_EQ(outcome.status.code(), ErrorCode::kMemoryLimit);
  EXPECT_GT(inserted, 1000);
  for (int i = 0; i < inserted; ++i) {
    ASSERT_EQ(Validate("t" + std::to_string(i)), Verdict::kValid) << i;
  }
  EXPECT_TRUE(Insert("t0", {.replace = true}).status.ok());
  EXPECT_TRUE(Revoke("t1").was_live);
}

TEST_F(StoreTest, AtTheMemoryLimitATokenGetsNoNewNamesAndKeepsThoseItHas) {
  CloseStore();
  StoreOptions options = Options();
  options.table.memory_bytes_max = 1 << 20;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  store_->WaitUntilLoaded();
  reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
  Insert("named", {.owner = "bob", .scopes = {"read"}});
  // Sets of scopes of 8 KiB, no two alike: in one group they are foreseen, too.
  const auto scopes = [](int i) {
    std::vector<std::string> all(64, std::string(120, 's'));
    all[0] += std::to_string(i);
    return all;
  };
  int inserted = 0;
  while (Insert("t" + std::to_string(inserted), {.scopes = scopes(inserted)}).status.ok()) {
    ASSERT_LT(++inserted, 1000);
  }
  EXPECT_GT(inserted, 50);
  const auto memory_bytes = [&] {
    const TokenTableStats stats = store_->stats().table;
    return stats.slot_bytes + stats.index_bytes + stats.wheel_bytes + stats.owner_bytes;
  };
  EXPECT_LE(memory_bytes(), options.table.memory_bytes_max);
  for (int i = 0; i < 100; ++i) {
    UpdateMutation update;
    update.id = TokenId::Of(Key("named"));
    update.scopes = scopes(1000 + i);
    EXPECT_EQ(Do(update).status.code(), ErrorCode::kMemoryLimit);
    EXPECT_EQ(Insert("named", {.scopes = scopes(1000 + i), .replace = true}).status.code(),
              ErrorCode::kMemoryLimit);
  }
  EXPECT_LE(memory_bytes(), options.table.memory_bytes_max);
  EXPECT_EQ(Get("named")->scopes, std::vector<std::string>{"read"});
  EXPECT_TRUE(Do(ExtendMutation{Key("named"), kTimeMsMax}).was_live);
  EXPECT_TRUE(Insert("named", {.owner = "bob", .scopes = {"read"}, .replace = true}).status.ok());
}

TEST_F(StoreTest, AtTheMemoryLimitWhatHasExpiredNeedsRoomToComeBack) {
  CloseStore();
  StoreOptions options = Options();
  options.table.memory_bytes_max = 256 << 10;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  store_->WaitUntilLoaded();
  reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
  for (int i = 0; i < 500; ++i) Insert("old" + std::to_string(i), {.ttl_ms = 1000});
  clock_.Advance(2000);
  store_->Maintain();
  reader_->Quiesce();
  store_->Maintain();
  int inserted = 0;
  while (Insert("new" + std::to_string(inserted)).status.ok()) ASSERT_LT(++inserted, 100000);
  const uint64_t tokens = store_->stats().table.tokens;
  // Their records are on the disk still.
  ASSERT_TRUE(Get("old0"));
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(Insert("old" + std::to_string(i)).status.code(), ErrorCode::kMemoryLimit);
  }
  EXPECT_EQ(store_->stats().table.tokens, tokens);
}

}  // namespace
}  // namespace tokend
