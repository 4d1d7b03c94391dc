#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

class StoreListTest : public StoreFixture {
 protected:
  // 300 tokens: a third of each owner, every tenth never ends, every fifth is revoked, half of the
  // others have expired by the time this returns.
  void Fill() {
    for (int i = 0; i < 300; ++i) {
      Fields fields;
      fields.owner = "owner" + std::to_string(i % 3);
      if (i % 10 != 0) fields.ttl_ms = i % 2 == 0 ? 10 + i : 100000 + i / 7;
      const std::string token = "t" + std::to_string(i);
      ASSERT_TRUE(Insert(token, fields).status.ok());
      if (i % 5 == 1) {
        Revoke(token);
      }
      all_.push_back(*Get(token));
    }
    clock_.Advance(1000);
    for (Record& record : all_) record = Reread(record);
  }
  Record Reread(const Record& record) {
    std::optional<Record> again;
    EXPECT_TRUE(store_->Get(kNs, record.key, &again).ok());
    return *again;
  }
  static bool Before(ListOrder order, const Record& a, const Record& b) {
    if (order == ListOrder::kKey) return a.key < b.key;
    const auto by_expiry = [](const Record& r) { return std::pair(r.expires_at_ms, r.key); };
    return order == ListOrder::kExpiresAt ? by_expiry(a) < by_expiry(b)
                                          : by_expiry(b) < by_expiry(a);
  }
  std::vector<TokenKey> Expected(const ListParams& params) {
    std::vector<Record> matching;
    for (const Record& r : all_) {
      if (params.owner && r.owner != *params.owner) continue;
      if (params.state && r.StateAt(clock_.NowMs()) != *params.state) continue;
      if (params.expires_after_ms && r.expires_at_ms < *params.expires_after_ms) continue;
      if (params.expires_before_ms && r.expires_at_ms >= *params.expires_before_ms) continue;
      matching.push_back(r);
    }
    std::sort(matching.begin(), matching.end(),
              [&](const Record& a, const Record& b) { return Before(params.order, a, b); });
    std::vector<TokenKey> keys;
    keys.reserve(matching.size());
    for (const Record& r : matching) keys.push_back(r.key);
    return keys;
  }
  std::vector<TokenKey> Paged(ListParams params) {
    std::vector<TokenKey> keys;
    std::string cursor;
    do {
      params.cursor = cursor;
      const ListPage page = List(params);
      EXPECT_LE(page.records.size(), params.limit);
      for (const Record& record : page.records) keys.push_back(record.key);
      cursor = page.cursor;
    } while (!cursor.empty());
    return keys;
  }

  std::vector<Record> all_;
};

TEST_F(StoreListTest, EveryFilterInEveryOrderInEveryPageSize) {
  Fill();
  const uint64_t now = clock_.NowMs();
  const std::optional<std::string_view> owners[] = {std::nullopt, "owner1", "nobody"};
  const std::optional<TokenState> states[] = {std::nullopt, TokenState::kActive,
                                              TokenState::kExpired, TokenState::kRevoked};
  const std::pair<std::optional<uint64_t>, std::optional<uint64_t>> windows[] = {
      {std::nullopt, std::nullopt},
      {now - 900, std::nullopt},
      {std::nullopt, now + 99020},
      {now - 900, now + 99020},
      {now, now},
      {now + 99010, now + 99011}};
  for (const auto& owner : owners) {
    for (const auto& state : states) {
      for (const auto& [after, before] : windows) {
        ListParams params;
        params.owner = owner;
        params.state = state;
        params.expires_after_ms = after;
        params.expires_before_ms = before;
        for (const ListOrder order :
             {ListOrder::kKey, ListOrder::kExpiresAt, ListOrder::kExpiresAtDescending}) {
          params.order = order;
          const std::vector<TokenKey> expected = Expected(params);
          for (const uint32_t limit : {7u, 1000u}) {
            params.limit = limit;
            ASSERT_EQ(Paged(params), expected)
                << owner.value_or("-") << " state " << (state ? static_cast<int>(*state) : -1)
                << " order " << static_cast<int>(order) << " limit " << limit;
          }
          ASSERT_EQ(Count(params), expected.size());
        }
      }
    }
  }
}

TEST_F(StoreListTest, TheLatestValidTokenOfANamespace) {
  Fill();
  ListParams params;
  params.state = TokenState::kActive;
  params.order = ListOrder::kExpiresAtDescending;
  params.limit = 1;
  EXPECT_EQ(List(params).records.at(0).expires_at_ms, kNever);
  params.expires_before_ms = kTimeMsMax;
  const std::vector<TokenKey> expected = Expected(params);
  EXPECT_EQ(List(params).records.at(0).key, expected.at(0));
}

TEST_F(StoreListTest, ACursorIsGoodAcrossARestartAndForItsOwnFiltersAlone) {
  Fill();
  ListParams params;
  params.owner = "owner1";
  params.order = ListOrder::kExpiresAt;
  params.limit = 40;
  const std::vector<TokenKey> expected = Expected(params);
  const ListPage first = List(params);
  Reopen();
  params.cursor = first.cursor;
  const ListPage second = List(params);
  std::set<TokenKey> seen;
  for (const ListPage* page : {&first, &second}) {
    for (const Record& record : page->records) seen.insert(record.key);
  }
  EXPECT_EQ(seen.size(), 80u);
  ListPage page;
  params.order = ListOrder::kKey;
  EXPECT_EQ(store_->List(params, &page).code(), ErrorCode::kBadParams);
  params.order = ListOrder::kExpiresAt;
  params.owner = "owner2";
  EXPECT_EQ(store_->List(params, &page).code(), ErrorCode::kBadParams);
  params.owner = "owner1";
  for (const std::string& bad :
       {std::string("x"), first.cursor + "00", std::string(98, 'z'), std::string(98, '0')}) {
    params.cursor = bad;
    EXPECT_EQ(store_->List(params, &page).code(), ErrorCode::kBadParams) << bad;
  }
}

TEST_F(StoreListTest, WhatMatchesThroughoutIsGivenOnceWhileOthersComeAndGo) {
  Fill();
  ListParams params;
  params.state = TokenState::kActive;
  params.limit = 10;
  const std::vector<TokenKey> expected = Expected(params);
  std::vector<TokenKey> given;
  std::string cursor;
  int i = 0;
  do {
    params.cursor = cursor;
    const ListPage page = List(params);
    for (const Record& record : page.records) given.push_back(record.key);
    cursor = page.cursor;
    Insert("new" + std::to_string(i), {.owner = "new"});
    Revoke("new" + std::to_string(i++ / 2));
  } while (!cursor.empty());
  for (const TokenKey& key : expected) EXPECT_EQ(std::count(given.begin(), given.end(), key), 1);
  EXPECT_EQ(std::set<TokenKey>(given.begin(), given.end()).size(), given.size());
}

TEST_F(StoreListTest, APageIsBoundedInBytesToo) {
  const std::vector<std::string> scopes(64, std::string(128, 's'));
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(Insert("t" + std::to_string(i), {.owner = "bob", .scopes = scopes}).status.ok());
    all_.push_back(*Get("t" + std::to_string(i)));
  }
  for (const auto& owner :
       {std::optional<std::string_view>(), std::optional<std::string_view>("bob")}) {
    for (const ListOrder order : {ListOrder::kKey, ListOrder::kExpiresAt}) {
      ListParams params;
      params.owner = owner;
      params.order = order;
      params.limit = 1000;
      const ListPage page = List(params);
      EXPECT_LT(page.bytes, size_t{3} << 20);
      EXPECT_LT(page.records.size(), 600u);
      EXPECT_EQ(Paged(params), Expected(params));
    }
  }
}

// As while a revoke waits for the disk: the index has the token still, and the page passes it over.
TEST_F(StoreListTest, WhatAPagePassesOverTakesNothingElseWithIt) {
  for (int i = 0; i < 8; ++i) {
    const std::string token = "t" + std::to_string(i);
    Insert(token, {.owner = "bob"});
    all_.push_back(*Get(token));
  }
  ListParams params;
  params.owner = "bob";
  params.state = TokenState::kActive;
  const std::vector<TokenKey> keys = Expected(params);
  store_->table().Deny(store_->namespaces()->at(kNs).id, keys.front());
  for (const ListOrder order :
       {ListOrder::kKey, ListOrder::kExpiresAt, ListOrder::kExpiresAtDescending}) {
    for (params.limit = 1; params.limit <= 8; ++params.limit) {
      params.order = order;
      EXPECT_EQ(Paged(params).size(), keys.size() - 1) << "limit " << params.limit;
    }
  }
}

// Of the two ranges of an index, one for revoked tokens, it is always in one.
TEST_F(StoreListTest, ATokenThatIsRevokedAndBroughtBackMeanwhileIsThereOnce) {
  // What is past its retention is passed over, which takes a while in which to write.
  for (int i = 0; i < 1000; ++i) Insert("old " + std::to_string(i), {.owner = "bob", .ttl_ms = 1});
  clock_.Advance(Options().retention_ms + 10);
  store_->Maintain();
  Insert("a", {.owner = "bob"});
  std::atomic<bool> done{false};
  std::thread writer([&] {
    while (!done) {
      Revoke("a");
      Insert("a", {.owner = "bob", .replace = true});
    }
  });
  ListParams params;
  params.owner = "bob";
  for (int i = 0; i < 500 && !HasFailure(); ++i) {
    EXPECT_EQ(Count(params), 1u);
    EXPECT_EQ(List(params).records.size(), 1u);
  }
  done = true;
  writer.join();
}

TEST_F(StoreListTest, ByKeyWithoutOwnerFollowsTheTokensThemselves) {
  Fill();
  ListParams params;
  params.limit = 17;
  EXPECT_EQ(Paged(params), Expected(params));
}

}  // namespace
}  // namespace tokend
