// A store on a directory and a clock of the test's own, and short words for what tests do to it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/digest.h"
#include "storage/store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace tokend {

class StoreFixture : public ::testing::Test {
 protected:
  static constexpr const char* kNs = "default";

  void SetUp() override { OpenStore(); }

  virtual StoreOptions Options() {
    StoreOptions options;
    options.data_dir = dir_.path() + "/data";
    options.clock = &clock_;
    options.table.shards = 4;
    options.table.tokens_max = 1 << 20;
    options.usage_flush_interval_ms = uint64_t{1} << 50;
    // What these tests look at does not depend on it; a sync takes milliseconds on some disks.
    options.durability = Durability::kNone;
    return options;
  }
  void OpenStore() {
    const Status status = Store::Open(Options(), &store_);
    ASSERT_TRUE(status.ok()) << status.message();
    store_->WaitUntilLoaded();
    reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
  }
  void CloseStore() {
    reader_.reset();
    store_.reset();
  }
  void Reopen() {
    CloseStore();
    OpenStore();
  }

  static TokenKey Key(const std::string& token) {
    Digester digester;
    return digester.Digest(DigestScheme::kSha256, token);
  }

  template <typename Op>
  Outcome Do(Op op, const std::string& ns = kNs) {
    Mutation mutation;
    mutation.namespace_name = ns;
    mutation.op = std::move(op);
    Outcome outcome;
    const Status status = store_->SubmitAndWait(std::move(mutation), &outcome);
    if (outcome.status.ok() && !status.ok()) outcome.status = status;
    return outcome;
  }

  // Inserting as a story: Insert("a", {.owner = "bob", .ttl_ms = 1000}).
  struct Fields {
    std::optional<std::string> owner = std::nullopt;
    std::optional<uint64_t> ttl_ms = std::nullopt;
    std::optional<uint64_t> expires_at_ms = std::nullopt;
    std::vector<std::string> scopes = {};
    std::optional<std::string> name = std::nullopt;
    bool replace = false;
    std::string ns = kNs;
  };
  static InsertMutation MakeInsert(const std::string& token, const Fields& fields) {
    InsertMutation insert;
    insert.key = Key(token);
    insert.scheme = DigestScheme::kSha256;
    insert.owner = fields.owner;
    insert.name = fields.name;
    insert.scopes = fields.scopes;
    insert.replace = fields.replace;
    if (fields.ttl_ms) insert.expiry = {ExpirySpec::Kind::kAfter, *fields.ttl_ms};
    if (fields.expires_at_ms) insert.expiry = {ExpirySpec::Kind::kAt, *fields.expires_at_ms};
    return insert;
  }
  Outcome Insert(const std::string& token, const Fields& fields) {
    return Do(MakeInsert(token, fields), fields.ns);
  }
  Outcome Insert(const std::string& token) { return Insert(token, Fields{}); }
  Outcome Revoke(const std::string& token) { return Do(RevokeMutation{Key(token)}); }
  Outcome RevokeOwner(const std::string& owner) { return Do(RevokeOwnerMutation{owner}); }

  Lookup Find(const std::string& token, const std::string& ns = kNs) {
    Lookup lookup;
    lookup.key = Key(token);
    lookup.namespace_id = store_->namespaces()->at(ns).id;
    store_->table().FindBatch(reader_.get(), {&lookup, 1}, clock_.NowMs());
    return lookup;
  }
  Verdict Validate(const std::string& token, const std::string& ns = kNs) {
    return Find(token, ns).verdict;
  }
  std::optional<Record> Get(const std::string& token, const std::string& ns = kNs) {
    std::optional<Record> record;
    const Status status = store_->Get(ns, Key(token), &record);
    EXPECT_TRUE(status.ok()) << status.message();
    return record;
  }
  ListPage List(const ListParams& params) {
    ListPage page;
    const Status status = store_->List(params, &page);
    EXPECT_TRUE(status.ok()) << status.message();
    return page;
  }
  uint64_t Count(const ListParams& params) {
    uint64_t count = 0;
    const Status status = store_->Count(params, &count);
    EXPECT_TRUE(status.ok()) << status.message();
    return count;
  }

  ManualClock clock_;
  TempDir dir_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<TokenTable::Reader> reader_;
};

}  // namespace tokend
