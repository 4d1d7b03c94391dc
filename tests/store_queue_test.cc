// What the queue promises: a revoke takes effect at once and hits inserts ahead of it, order holds,
// groups are bounded, and full is an answer.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/support/fault_file_system.h"
#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

class StoreQueueTest : public StoreFixture {
 protected:
  // Holds the Committer inside Done() until released, so that the queue fills behind it.
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool entered = false;
    bool open = false;
  };
  struct Blocker : Submission {
    explicit Blocker(Gate* gate_in) : gate(gate_in) {}
    void Done(std::unique_ptr<Submission> /*self*/) override {
      std::unique_lock lock(gate->mutex);
      gate->entered = true;
      gate->changed.notify_all();
      gate->changed.wait(lock, [this] { return gate->open; });
    }
    Gate* const gate;
  };
  struct Noted : Submission {
    Noted(std::vector<Outcome>* out_in, std::atomic<int>* done_in) : out(out_in), done(done_in) {}
    void Done(std::unique_ptr<Submission> /*self*/) override {
      out->push_back(outcomes.front());
      ++*done;
    }
    std::vector<Outcome>* const out;
    std::atomic<int>* const done;
  };

  template <typename Op>
  static Mutation MakeMutation(Op op) {
    Mutation mutation;
    mutation.namespace_name = kNs;
    mutation.op = std::move(op);
    return mutation;
  }
  void Block() {
    std::unique_ptr<Submission> blocker = std::make_unique<Blocker>(&gate_);
    blocker->mutations.push_back(MakeMutation(RevokeMutation{Key("no such")}));
    ASSERT_TRUE(store_->Submit(blocker).ok());
    std::unique_lock lock(gate_.mutex);
    gate_.changed.wait(lock, [this] { return gate_.entered; });
  }
  void Unblock() {
    const std::lock_guard lock(gate_.mutex);
    gate_.open = true;
    gate_.changed.notify_all();
  }
  template <typename Op>
  Status Queue(Op op) {
    std::unique_ptr<Submission> submission = std::make_unique<Noted>(&outcomes_, &done_);
    submission->mutations.push_back(MakeMutation(std::move(op)));
    Status status = store_->Submit(submission);
    if (status.ok()) ++queued_;
    return status;
  }
  void WaitForAll() {
    while (done_.load() != queued_) std::this_thread::yield();
  }
  // In how many groups they are committed, where all of them wait while the first one is written.
  uint64_t GroupsOf(const std::vector<InsertMutation>& inserts) {
    Block();
    const uint64_t before = store_->stats().commits_total;
    for (const InsertMutation& insert : inserts) EXPECT_TRUE(Queue(insert).ok());
    Unblock();
    WaitForAll();
    gate_.entered = gate_.open = false;
    return store_->stats().commits_total - before;
  }

  Gate gate_;
  std::vector<Outcome> outcomes_;
  std::atomic<int> done_{0};
  int queued_ = 0;
};

TEST_F(StoreQueueTest, ARevokeTakesEffectBeforeItIsDurable) {
  Insert("a");
  Insert("b", {.owner = "bob"});
  Block();
  ASSERT_TRUE(Queue(RevokeMutation{Key("a")}).ok());
  ASSERT_TRUE(Queue(RevokeOwnerMutation{"bob"}).ok());
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  EXPECT_EQ(Validate("b"), Verdict::kRevoked);
  EXPECT_TRUE(Get("a")->revoked);  // the stricter of memory and disk
  EXPECT_TRUE(Get("b")->revoked);
  Unblock();
  WaitForAll();
  EXPECT_TRUE(outcomes_[0].was_live);
  EXPECT_EQ(outcomes_[1].count, 1u);
}

TEST_F(StoreQueueTest, ARevokeHitsInsertsQueuedAheadOfItAndNotThoseBehind) {
  Block();
  ASSERT_TRUE(Queue(MakeInsert("ahead", {.owner = "bob"})).ok());
  ASSERT_TRUE(Queue(MakeInsert("owned", {.owner = "bob"})).ok());
  ASSERT_TRUE(Queue(RevokeMutation{Key("ahead")}).ok());
  ASSERT_TRUE(Queue(RevokeOwnerMutation{"bob"}).ok());
  ASSERT_TRUE(Queue(MakeInsert("behind", {.owner = "bob"})).ok());
  ASSERT_TRUE(Queue(MakeInsert("ahead", {.owner = "eve", .replace = true})).ok());
  std::atomic<bool> stop{false};
  std::atomic<int> seen_valid{0};
  std::thread watcher([&] {
    TokenTable::Reader reader(&store_->table());
    while (!stop.load()) {
      Lookup lookup;
      lookup.key = Key("owned");
      store_->table().FindBatch(&reader, {&lookup, 1}, clock_.NowMs());
      if (lookup.verdict == Verdict::kValid) ++seen_valid;
      reader.Quiesce();
    }
  });
  Unblock();
  WaitForAll();
  stop = true;
  watcher.join();
  EXPECT_EQ(seen_valid.load(), 0);  // it never became visible
  for (const Outcome& outcome : outcomes_) EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(Validate("owned"), Verdict::kRevoked);
  EXPECT_EQ(Validate("behind"), Verdict::kValid);
  EXPECT_EQ(Validate("ahead"), Verdict::kValid);
  EXPECT_EQ(Find("ahead").owner_encoded,
            "\xa3"
            "eve");
  Reopen();
  EXPECT_EQ(Validate("owned"), Verdict::kRevoked);
  EXPECT_EQ(Validate("behind"), Verdict::kValid);
  EXPECT_EQ(Validate("ahead"), Verdict::kValid);
}

// Memory denies it when the revoke is asked for; so the disk has to say the same, though the row is
// committed first, in the revoke's group or in one before.
TEST_F(StoreQueueTest, ARevokeOfAnOwnerHitsWhatARowAheadOfItMovesAway) {
  for (const bool in_one_group : {true, false}) {
    SCOPED_TRACE(in_one_group);
    const std::string moved = in_one_group ? "moved" : "moved before";
    Insert(moved, {.owner = "bob"});
    Insert("stays " + moved, {.owner = "bob"});
    const std::string replaced = "replaced " + moved;
    Insert(replaced, {.owner = "bob"});
    const Outcome begun = Do(ImportBeginMutation{});
    ImportRowsMutation rows;
    rows.import_id = begun.import_id;
    // As many as take steps, the first of which has those two; or few.
    for (int i = 0; i < (in_one_group ? 2 : 4095); ++i) {
      ImportedRow row;
      row.record.key = Key(i == 0 ? moved : i == 1 ? replaced : "row " + std::to_string(i));
      row.record.owner = "eve";
      row.record.updated_at_ms = clock_.NowMs() + 1000;
      row.has_updated_at = true;
      rows.rows.push_back(row);
    }
    outcomes_.clear();
    Block();
    ASSERT_TRUE(Queue(rows).ok());
    ASSERT_TRUE(Queue(MakeInsert(replaced, {.owner = "eve", .replace = true})).ok());
    ASSERT_TRUE(Queue(RevokeOwnerMutation{"bob"}).ok());
    EXPECT_EQ(Validate(moved), Verdict::kRevoked);
    Unblock();
    WaitForAll();
    gate_.entered = gate_.open = false;
    // What takes steps is answered last.
    EXPECT_EQ(outcomes_[in_one_group ? 0 : 2].replaced, 2u);
    EXPECT_EQ(outcomes_[in_one_group ? 2 : 1].count, 2u);
    for (const bool again : {false, true}) {
      if (again) Reopen();
      EXPECT_EQ(Validate(moved), Verdict::kRevoked);
      EXPECT_TRUE(Get(moved)->revoked);
      EXPECT_EQ(Get(moved)->owner, "eve");
      EXPECT_EQ(Validate(replaced), Verdict::kValid);
    }
    // The next revoke of the owner has nothing to do with it any more.
    Insert(moved, {.owner = "eve", .replace = true});
    EXPECT_EQ(RevokeOwner("bob").count, 0u);
    EXPECT_EQ(Validate(moved), Verdict::kValid);
  }
}

TEST_F(StoreQueueTest, NobodyWaitsForAllRowsOfAnImportsMessage) {
  Insert("other");
  const Outcome begun = Do(ImportBeginMutation{});
  ImportRowsMutation rows;
  rows.import_id = begun.import_id;
  rows.refused = 3;
  for (int i = 0; i < 1000; ++i) {
    rows.rows.emplace_back().record.key = Key("row " + std::to_string(i % 900));
  }
  ImportRowsMutation next;
  next.import_id = begun.import_id;
  ImportedRow& row = next.rows.emplace_back();
  row.record.key = Key("row 890");  // which is in one of the last steps
  row.record.owner = "later";
  row.record.updated_at_ms = clock_.NowMs() + 1000;
  row.has_updated_at = true;
  Block();
  ASSERT_TRUE(Queue(rows).ok());
  ASSERT_TRUE(Queue(RevokeMutation{Key("other")}).ok());
  ASSERT_TRUE(Queue(next).ok());
  ASSERT_TRUE(Queue(ImportEndMutation{begun.import_id}).ok());
  Unblock();
  WaitForAll();
  ASSERT_EQ(outcomes_.size(), 4u);
  EXPECT_TRUE(outcomes_[0].was_live);
  EXPECT_EQ(outcomes_[1].taken, 900u);
  EXPECT_EQ(outcomes_[1].unchanged, 100u);
  EXPECT_EQ(outcomes_[1].refused, 3u);
  EXPECT_EQ(outcomes_[2].replaced, 1u);  // after all rows of the message before
  EXPECT_EQ(outcomes_[3].taken, 900u);
  EXPECT_EQ(outcomes_[3].refused, 3u);
  EXPECT_EQ(Get("row 890")->owner, "later");
}

TEST_F(StoreQueueTest, AFullQueueIsBusyAndNothingHasHappened) {
  CloseStore();
  StoreOptions options = Options();
  options.queue_mutations_max = 3;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  store_->WaitUntilLoaded();
  reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
  Insert("a");
  Block();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Queue(MakeInsert("t" + std::to_string(i), {})).ok());
  EXPECT_EQ(Queue(RevokeMutation{Key("a")}).code(), ErrorCode::kBusy);
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  EXPECT_EQ(store_->stats().queue_mutations, 3u);
  Unblock();
  WaitForAll();
  EXPECT_TRUE(Revoke("a").was_live);
}

TEST_F(StoreQueueTest, BytesThatWaitAreBoundedWhateverTheyAreOf) {
  CloseStore();
  StoreOptions options = Options();
  options.queue_bytes_max = 20'000;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  store_->WaitUntilLoaded();
  reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
  const std::string longest(1024, 'x');
  InsertMutation insert = MakeInsert("a", {});
  insert.attributes = std::string(4096, 'a');
  ImportBeginMutation begin;
  begin.position = std::string(4096, 'p');
  UpdateMutation update;
  update.name = longest;
  // Of each, what is over the bound with one more is refused, and what is below is taken.
  const auto fill = [&](const auto& op, size_t op_bytes) {
    Block();
    size_t taken = 0;
    Status status;
    while ((status = Queue(op)).ok()) ++taken;
    EXPECT_EQ(status.code(), ErrorCode::kBusy);
    EXPECT_LE(store_->stats().queue_bytes, options.queue_bytes_max);
    EXPECT_GT(store_->stats().queue_bytes,
              options.queue_bytes_max - sizeof(Mutation) - op_bytes - 16);
    EXPECT_LE(taken, options.queue_bytes_max / op_bytes);
    EXPECT_GT(taken, 1u);
    Unblock();
    WaitForAll();
    gate_.entered = gate_.open = false;
  };
  fill(insert, 4096);
  fill(begin, 4096);
  fill(update, 1024);
  fill(RevokeOwnerMutation{longest}, 1024);
}

TEST_F(StoreQueueTest, AGroupIsOf4096WritesAndNotOneMore) {
  const auto groups_of = [&](size_t count) {
    return GroupsOf(std::vector<InsertMutation>(count, MakeInsert("a", {.replace = true})));
  };
  EXPECT_EQ(groups_of(4095), 1u);
  EXPECT_EQ(groups_of(4096), 1u);
  EXPECT_EQ(groups_of(4097), 2u);
  EXPECT_EQ(groups_of(2 * 4096), 2u);
  EXPECT_EQ(groups_of(2 * 4096 + 1), 3u);
}

TEST_F(StoreQueueTest, AGroupIsOf4MiBAndNotAByteMore) {
  InsertMutation insert = MakeInsert("a", {.replace = true});
  insert.attributes = std::string(4096, 'a');
  Block();
  ASSERT_TRUE(Queue(insert).ok());
  const uint64_t insert_bytes = store_->stats().queue_bytes;
  Unblock();
  WaitForAll();
  gate_.entered = gate_.open = false;
  // As many of them as fit, the last one shorter.
  const auto groups_of = [&](uint64_t bytes) {
    std::vector<InsertMutation> inserts(bytes / insert_bytes + 1, insert);
    const uint64_t too_many = inserts.size() * insert_bytes - bytes;
    const uint64_t shorter = too_many / 2;  // of each of two, since neither may be without any
    inserts[0].attributes.resize(4096 - shorter);
    inserts[1].attributes.resize(4096 - (too_many - shorter));
    return GroupsOf(inserts);
  };
  constexpr uint64_t kBound = 4 << 20;
  EXPECT_EQ(groups_of(kBound - 1), 1u);
  EXPECT_EQ(groups_of(kBound), 1u);
  EXPECT_EQ(groups_of(kBound + 1), 2u);
}

// It waits for nothing that could make it smaller.
TEST_F(StoreQueueTest, WhatIsLargerThanAGroupIsOneByItself) {
  Block();
  const uint64_t before = store_->stats().commits_total;
  ASSERT_TRUE(Queue(MakeInsert("a", {})).ok());
  std::unique_ptr<Submission> large = std::make_unique<Noted>(&outcomes_, &done_);
  large->mutations.assign(4097, MakeMutation(MakeInsert("b", {.replace = true})));
  ASSERT_TRUE(store_->Submit(large).ok());
  ++queued_;
  ASSERT_TRUE(Queue(MakeInsert("c", {})).ok());
  Unblock();
  WaitForAll();
  EXPECT_EQ(store_->stats().commits_total - before, 3u);
  for (const char* token : {"a", "b", "c"}) EXPECT_EQ(Validate(token), Verdict::kValid);
}

TEST_F(StoreQueueTest, WhatIsQueuedAtTheEndIsCommitted) {
  Block();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Queue(MakeInsert("t" + std::to_string(i), {.owner = "bob"})).ok());
  }
  ASSERT_TRUE(Queue(RevokeOwnerMutation{"bob"}).ok());
  Unblock();
  Reopen();
  EXPECT_EQ(done_.load(), 101);
  EXPECT_EQ(Validate("t99"), Verdict::kRevoked);
  EXPECT_EQ(Count({.state = TokenState::kRevoked}), 100u);
}

// On a disk that is full.
class StoreFullTest : public StoreQueueTest {
 protected:
  StoreFullTest()
      : files_(std::make_shared<testing::FaultFileSystem>()),
        env_(rocksdb::NewCompositeEnv(files_)) {}
  ~StoreFullTest() override { CloseStore(); }  // before its files

  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.env = env_.get();
    return options;
  }
  // As one request, so that it does not take long.
  void RevokeUnknown(size_t count) {
    std::unique_ptr<Submission> submission = std::make_unique<Noted>(&outcomes_, &done_);
    submission->mutations.assign(count, MakeMutation(RevokeMutation{Key("no such")}));
    ASSERT_TRUE(store_->Submit(submission).ok());
    ++queued_;
    WaitForAll();
    EXPECT_EQ(outcomes_.back().status.code(), ErrorCode::kNotDurable);
  }

  std::shared_ptr<testing::FaultFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_F(StoreFullTest, RevokesAreKeptForALaterWriteUpTo200000) {
  for (const char* token : {"below", "at", "above"}) Insert(token);
  files_->Fail(testing::FaultFileSystem::Operation::kAppend,
               rocksdb::IOStatus::NoSpace("no space left"));
  EXPECT_EQ(Insert("new").status.code(), ErrorCode::kReadOnly);
  RevokeUnknown(199'998);
  for (const char* token : {"below", "at", "above"}) {
    EXPECT_EQ(Revoke(token).status.code(), ErrorCode::kNotDurable);
  }
  files_->Heal();
  clock_.Advance(1000);
  store_->Maintain();
  ASSERT_EQ(store_->state(), StoreState::kReady);
  EXPECT_EQ(Validate("above"),
            Verdict::kRevoked);  // as was answered: it may come back at a restart
  Reopen();
  EXPECT_EQ(Validate("below"), Verdict::kRevoked);
  EXPECT_EQ(Validate("at"), Verdict::kRevoked);
  EXPECT_EQ(Validate("above"), Verdict::kValid);
}

}  // namespace
}  // namespace tokend
