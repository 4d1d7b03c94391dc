#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

#include "storage/database.h"
#include "storage/rows.h"
#include "tests/support/null_store_listener.h"
#include "tests/support/store_fixture.h"
#include "tests/support/stored_rows.h"

namespace tokend {
namespace {

class StoreRestartTest : public StoreFixture {
 protected:
  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.durability = Durability::kSync;
    return options;
  }
  static constexpr uint64_t kHour = 3600 * 1000;
  static constexpr uint64_t kDay = 24 * kHour;
};

TEST_F(StoreRestartTest, EverythingAcknowledgedIsThereAgain) {
  Insert("live", {.owner = "bob", .ttl_ms = kDay, .scopes = {"r"}});
  Insert("never");
  Insert("revoked", {.owner = "bob"});
  Revoke("revoked");
  Insert("cut", {.owner = "eve"});
  RevokeOwner("eve");
  Insert("after", {.owner = "eve"});
  Insert("elsewhere", {.ns = "other"});
  Insert("short", {.ttl_ms = 10});
  clock_.Advance(20);
  Reopen();
  EXPECT_EQ(store_->state(), StoreState::kReady);
  EXPECT_EQ(Find("live").owner_encoded,
            "\xa3"
            "bob");
  EXPECT_EQ(Find("live").scopes_encoded, "\x91\xa1r");
  EXPECT_EQ(Validate("never"), Verdict::kValid);
  EXPECT_EQ(Validate("revoked"), Verdict::kRevoked);
  EXPECT_EQ(Validate("cut"), Verdict::kRevoked);
  EXPECT_EQ(Validate("after"), Verdict::kValid);
  EXPECT_EQ(Validate("elsewhere", "other"), Verdict::kValid);
  EXPECT_EQ(Validate("elsewhere"), Verdict::kUnknown);
  EXPECT_EQ(Validate("short"), Verdict::kUnknown);
  EXPECT_EQ(Get("short")->StateAt(clock_.NowMs()), TokenState::kExpired);
  // Numbers go on where they were: a cut-off must hit all that came before it.
  EXPECT_EQ(RevokeOwner("eve").count, 1u);
  store_->table().CheckInvariants();
}

TEST_F(StoreRestartTest, ASweepThatACrashCutShortGoesOn) {
  Insert("a", {.owner = "bob"});
  Insert("b", {.owner = "bob", .ttl_ms = kDay});
  CloseStore();
  {
    // What a crash leaves between the cut-off's commit and its sweep.
    std::unique_ptr<Database> database;
    DatabaseOptions options;
    options.data_dir = Options().data_dir;
    options.reclaim_before_ms = [] { return uint64_t{0}; };
    ASSERT_TRUE(Database::Open(options, &database).ok());
    ASSERT_TRUE(database->db()
                    ->Put(rocksdb::WriteOptions(), database->family(Database::kMeta),
                          CutoffRowKey(0, "bob"), EncodeCutoffRow({100, clock_.NowMs(), false}))
                    .ok());
    ASSERT_TRUE(database->db()
                    ->Put(rocksdb::WriteOptions(), database->family(Database::kMeta), "sequence",
                          EncodeSequenceRow({100, 100}))
                    .ok());
  }
  OpenStore();
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  EXPECT_EQ(Validate("b"), Verdict::kRevoked);
  store_->Maintain();
  EXPECT_TRUE(Get("a")->revoked);
  EXPECT_EQ(Count({.owner = "bob", .state = TokenState::kRevoked}), 2u);
  Insert("c", {.owner = "bob"});
  Reopen();
  EXPECT_EQ(Validate("c"), Verdict::kValid);
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
}

TEST_F(StoreRestartTest, ASecondStoreOnTheDirectoryIsRefused) {
  std::unique_ptr<Store> second;
  const Status status = Store::Open(Options(), &second);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("in use by another tokend"), std::string::npos)
      << status.message();
}

TEST_F(StoreRestartTest, ADirectoryThatIsNotOursIsRefused) {
  CloseStore();
  StoreOptions options = Options();
  options.data_dir = dir_.path() + "/other";
  std::filesystem::create_directories(options.data_dir);
  rocksdb::DB* other = nullptr;
  rocksdb::Options db_options;
  db_options.create_if_missing = true;
  ASSERT_TRUE(rocksdb::DB::Open(db_options, options.data_dir + "/db", &other).ok());
  rocksdb::ColumnFamilyHandle* family = nullptr;
  ASSERT_TRUE(other->CreateColumnFamily({}, "users", &family).ok());
  other->DestroyColumnFamilyHandle(family);
  delete other;
  std::unique_ptr<Store> store;
  Status status = Store::Open(options, &store);
  EXPECT_NE(status.message().find("another program"), std::string::npos) << status.message();

  options.data_dir = dir_.path() + "/file";
  std::ofstream(options.data_dir) << "x";
  status = Store::Open(options, &store);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("--data-dir"), std::string::npos) << status.message();
}

TEST_F(StoreRestartTest, ANewerFormatIsRefused) {
  CloseStore();
  {
    std::unique_ptr<Database> database;
    DatabaseOptions options;
    options.data_dir = Options().data_dir;
    options.reclaim_before_ms = [] { return uint64_t{0}; };
    ASSERT_TRUE(Database::Open(options, &database).ok());
    ASSERT_TRUE(database->db()
                    ->Put(rocksdb::WriteOptions(), database->family(Database::kMeta), "format", "2")
                    .ok());
  }
  std::unique_ptr<Store> store;
  const Status status = Store::Open(Options(), &store);
  EXPECT_NE(status.message().find("format 2"), std::string::npos) << status.message();
}

// --- what leaves the disk, and when ---

TEST_F(StoreRestartTest, ExpiredRowsLeaveEveryFamilyByCompactionOnceRetentionIsOver) {
  const uint64_t begun = clock_.NowMs();
  Insert("short", {.owner = "bob", .ttl_ms = 1000});
  Insert("revoked", {.owner = "bob", .ttl_ms = 1000});
  Insert("forgood", {.owner = "bob"});
  Insert("live", {.owner = "bob", .ttl_ms = 30 * kDay});
  Revoke("revoked");
  Revoke("forgood");
  Validate("short");
  Validate("live");
  store_->FlushUsage();
  CloseStore();
  const std::string dir = Options().data_dir;
  for (const auto family : {Database::kTokens, Database::kOwners, Database::kExpiry}) {
    EXPECT_EQ(RowsOnDisk(dir, family, begun + 999), 4u);
    EXPECT_EQ(RowsOnDisk(dir, family, begun + 1000), 2u);
  }
  EXPECT_EQ(RowsOnDisk(dir, Database::kUsage, begun + 1000), 1u);
  OpenStore();
  EXPECT_EQ(Validate("forgood"), Verdict::kRevoked);
  EXPECT_EQ(Validate("live"), Verdict::kValid);
}

TEST_F(StoreRestartTest, WhatIsPastItsRetentionCountsAsAbsentCompactedOrNot) {
  Insert("a", {.owner = "x", .ttl_ms = 1000});
  Revoke("a");
  clock_.Advance(1000 + 7 * kDay - 1);
  store_->Maintain();
  EXPECT_TRUE(Get("a"));
  EXPECT_EQ(Insert("a").status.code(), ErrorCode::kRevoked);
  clock_.Advance(1);
  store_->Maintain();
  EXPECT_FALSE(Get("a"));
  EXPECT_EQ(Count({}), 0u);
  EXPECT_TRUE(Insert("a", {.owner = "y"}).status.ok());
  EXPECT_EQ(Count({}), 1u);
  EXPECT_EQ(Count({.owner = "x"}), 0u);
}

TEST_F(StoreRestartTest, ItTellsOfLoading) {
  struct Heard : NullStoreListener {
    void OnLoaded(const LoadProgress& progress, const std::string& error) override {
      loaded = progress.records;
      load_error = error;
    }
    uint64_t loaded = 0;
    std::string load_error = "not loaded";
  };
  for (int i = 0; i < 300; ++i) Insert("t" + std::to_string(i), {.ttl_ms = kDay});
  CloseStore();
  Heard heard;
  StoreOptions options = Options();
  options.listener = &heard;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  store_->WaitUntilLoaded();
  EXPECT_EQ(heard.loaded, 300u);
  EXPECT_EQ(heard.load_error, "");
  store_.reset();
}

// The empty memtables were larger than a write buffer of less than some 10 MiB, and so each write
// was followed by a flush: 150 files a second.
TEST_F(StoreRestartTest, ASmallWriteBufferIsFilledBeforeItIsFlushed) {
  CloseStore();
  StoreOptions options = Options();
  options.durability = Durability::kNone;
  options.write_buffer_bytes = 1 << 20;
  ASSERT_TRUE(Store::Open(options, &store_).ok());
  const auto last_file = [&] {
    uint64_t last = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options.data_dir + "/db")) {
      if (entry.path().extension() != ".sst") continue;
      last = std::max<uint64_t>(last, std::stoull(entry.path().stem().string()));
    }
    return last;
  };
  const uint64_t before = last_file();
  for (int i = 0; i < 200; ++i) Insert("t" + std::to_string(i), {.owner = "bob"});
  EXPECT_EQ(last_file(), before);
  for (int i = 0; i < 5000; ++i) Insert("u" + std::to_string(i), {.owner = "bob"});
  EXPECT_GT(last_file(), before);
}

}  // namespace
}  // namespace tokend
