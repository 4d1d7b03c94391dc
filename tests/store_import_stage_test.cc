// Imports whose rows are staged and written as files: they leave on disk and in memory what rows
// that are written one by one leave, and a change that comes meanwhile wins.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/rows.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/null_store_listener.h"
#include "tests/support/store_fixture.h"
#include "tests/support/stored_rows.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

using testing::FaultFileSystem;

constexpr const char* kImported = "imported";

class StoreImportStageTest : public StoreFixture {
 protected:
  class Listener : public NullStoreListener {
   public:
    void OnImportFailed(const std::string& reason) override { failed = reason; }
    void OnReadOnly(const std::string& reason) override { read_only = reason; }
    std::string failed, read_only;
  };

  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.import_direct_rows = direct_rows_;
    options.import_run_bytes = run_bytes_;
    options.env = env_.get();
    options.listener = &listener_;
    options.table.memory_bytes_max = memory_bytes_max_;
    return options;
  }
  void Restart(size_t direct_rows, size_t run_bytes) {
    CloseStore();
    direct_rows_ = direct_rows;
    run_bytes_ = run_bytes;
    OpenStore();
  }

  std::string Begin() {
    const Outcome outcome = Do(ImportBeginMutation{}, kImported);
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.message();
    return outcome.import_id;
  }
  Outcome Rows(const std::string& id, std::vector<ImportedRow> rows) {
    ImportRowsMutation mutation;
    mutation.import_id = id;
    mutation.rows = std::move(rows);
    return Do(std::move(mutation), kImported);
  }
  Outcome End(const std::string& id) { return Do(ImportEndMutation{id}, kImported); }

  static std::string Name(int i) { return "t" + std::to_string(i); }
  static ImportedRow Row(int i) {
    ImportedRow row;
    row.record.key = Key(Name(i));
    row.record.owner = "owner" + std::to_string(i % 97);
    row.record.source_id = std::to_string(i);
    return row;
  }
  static std::vector<ImportedRow> RowsOf(int from, int to) {
    std::vector<ImportedRow> rows;
    for (int i = from; i < to; ++i) rows.push_back(Row(i));
    return rows;
  }
  // Of `keys` tokens, so that some come more than once.
  ImportedRow RandomRow(std::mt19937_64* random, int keys) {
    const auto one_in = [&](uint64_t n) { return (*random)() % n == 0; };
    ImportedRow row = Row(static_cast<int>((*random)() % keys));
    Record& record = row.record;
    if (one_in(5)) record.owner.reset();
    if (one_in(3)) record.name = "name " + std::to_string((*random)() % 10);
    if (one_in(2)) record.scopes = {"read", "write:" + std::to_string((*random)() % 5)};
    if (one_in(2)) record.expires_at_ms = clock_.NowMs() + 1'000'000 + (*random)() % 1000;
    if (one_in(6)) record.expires_at_ms = 1 + (*random)() % 1'000'000;  // long expired
    if (one_in(2)) record.created_at_ms = 1000 + (*random)() % 100;
    if (one_in(2)) record.updated_at_ms = 2000 + (*random)() % 3;
    row.has_updated_at = record.updated_at_ms != 0;
    if (one_in(2)) record.use_count = (*random)() % 100;
    if (one_in(2)) record.last_used_at_ms = 3000 + (*random)() % 100;
    record.revoked = one_in(9);
    if (one_in(4)) record.attributes = "\x81\xa1k\x01";
    return row;
  }

  size_t direct_rows_ = 0;
  size_t run_bytes_ = 32 << 10;  // about a hundred tokens
  uint64_t memory_bytes_max_ = 0;
  std::unique_ptr<rocksdb::Env> env_;
  Listener listener_;
};

using StoredRows = std::array<std::map<std::string, std::string>, Database::kFamilyCount>;

TEST_F(StoreImportStageTest, LeavesOnDiskWhatRowByRowLeaves) {
  const uint64_t seed = TestSeed();
  StoredRows stored[2];
  Outcome totals[2];
  std::map<std::string, bool> valid[2];
  for (const bool staged : {false, true}) {
    CloseStore();
    std::filesystem::remove_all(dir_.path() + "/data");
    direct_rows_ = staged ? 0 : SIZE_MAX;
    clock_.SetWall(ManualClock::kStartMs);  // the same times for both
    OpenStore();
    std::mt19937_64 random(seed);
    // Some are there before: live, revoked, and expired and gone from memory.
    for (int i = 0; i < 60; ++i) {
      Insert(Name(i), {.owner = "before", .ttl_ms = i % 3 == 0 ? 5 : 500'000, .ns = kImported});
      if (i % 4 == 0) Do(RevokeMutation{Key(Name(i))}, kImported);
    }
    clock_.Advance(5000);
    store_->Maintain();
    for (int import = 0; import < 2; ++import) {
      const std::string id = Begin();
      for (int message = 0; message < 40; ++message) {
        std::vector<ImportedRow> rows;
        for (int i = 0; i < 50; ++i) rows.push_back(RandomRow(&random, 3000));
        const Outcome outcome = Rows(id, std::move(rows));
        ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
        ASSERT_EQ(outcome.taken + outcome.replaced + outcome.unchanged, 50u);
      }
      totals[staged] = End(id);
      ASSERT_TRUE(totals[staged].status.ok()) << totals[staged].status.message();
    }
    for (int i = 0; i < 3000; ++i) {
      valid[staged][Name(i)] = Validate(Name(i), kImported) == Verdict::kValid;
    }
    store_->table().CheckInvariants();
    CloseStore();
    for (const auto family :
         {Database::kTokens, Database::kOwners, Database::kExpiry, Database::kUsage}) {
      stored[staged][family] = ReadRows(dir_.path() + "/data", family);
    }
    // How long they are kept depends on what came in one group.
    for (auto& [row_key, value] : stored[staged][Database::kUsage]) {
      UsageRow usage;
      ASSERT_TRUE(DecodeUsageRow(value, &usage));
      value = std::to_string(usage.last_used_at_ms) + " " + std::to_string(usage.use_count);
    }
    std::erase_if(stored[staged][Database::kUsage],
                  [](const auto& row) { return row.second == "0 0"; });
    OpenStore();
    for (const auto& [name, is_valid] : valid[staged]) {
      EXPECT_EQ(Validate(name, kImported) == Verdict::kValid, is_valid) << name;
    }
  }
  EXPECT_EQ(totals[true].taken, totals[false].taken);
  EXPECT_EQ(totals[true].replaced, totals[false].replaced);
  EXPECT_EQ(totals[true].unchanged, totals[false].unchanged);
  EXPECT_EQ(valid[true], valid[false]);
  for (size_t family = 0; family < Database::kFamilyCount; ++family) {
    EXPECT_EQ(stored[true][family].size(), stored[false][family].size()) << family;
    for (const auto& [row_key, row_value] : stored[false][family]) {
      ASSERT_EQ(stored[true][family][row_key], row_value)
          << "family " << family << ": " << ::testing::PrintToString(row_key);
    }
  }
}

TEST_F(StoreImportStageTest, IsSeenAtItsEndWholly) {
  const std::string id = Begin();
  EXPECT_EQ(Rows(id, RowsOf(0, 1000)).taken, 1000u);
  const Outcome totals = End(id);
  EXPECT_EQ(totals.taken, 1000u);
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    for (int i = 0; i < 1000; ++i) {
      ASSERT_EQ(Validate(Name(i), kImported), Verdict::kValid) << i;
    }
    ListParams params;
    params.namespace_name = kImported;
    EXPECT_EQ(Count(params), 1000u);
    params.owner = "owner5";
    EXPECT_EQ(Count(params), 11u);
  }
}

TEST_F(StoreImportStageTest, IsSeenAfterASecondWithoutAnEnd) {
  const std::string id = Begin();
  Rows(id, RowsOf(0, 20));
  clock_.Advance(1001);
  store_->Maintain();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Validate(Name(i), kImported), Verdict::kValid);
  EXPECT_EQ(Rows(id, RowsOf(0, 20)).unchanged, 20u);
  End(id);
}

TEST_F(StoreImportStageTest, AChangeOfWhatIsStagedWins) {
  Restart(/*direct_rows=*/0, /*run_bytes=*/64 << 20);
  const std::string id = Begin();
  Rows(id, RowsOf(0, 500));
  EXPECT_EQ(Validate(Name(1), kImported), Verdict::kUnknown);
  EXPECT_TRUE(Do(RevokeMutation{Key(Name(1))}, kImported).was_live);
  EXPECT_EQ(Validate(Name(1), kImported), Verdict::kRevoked);
  EXPECT_TRUE(Do(RevokeIdMutation{TokenId::Of(Key(Name(2)))}, kImported).was_live);
  EXPECT_EQ(Do(RevokeOwnerMutation{"owner7"}, kImported).count, 6u);
  EXPECT_EQ(Insert(Name(3), {.owner = "new", .ns = kImported}).status.code(), ErrorCode::kExists);
  Insert(Name(4), {.owner = "newer", .replace = true, .ns = kImported});
  Do(RevokeMutation{Key(Name(4))}, kImported);
  EXPECT_TRUE(Do(ExtendMutation{Key(Name(5)), kTimeMsMax}, kImported).was_live);
  RotateMutation rotate;
  rotate.old_key = Key(Name(6));
  rotate.new_key = Key("rotated");
  EXPECT_TRUE(Do(rotate, kImported).was_live);
  EXPECT_EQ(End(id).taken, 500u);
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    for (int i = 0; i < 500; ++i) {
      const bool revoked = i == 1 || i == 2 || i == 4 || i % 97 == 7;
      EXPECT_EQ(Validate(Name(i), kImported) == Verdict::kValid, !revoked && i != 6) << i;
    }
    EXPECT_TRUE(Get(Name(1), kImported)->revoked);
    EXPECT_EQ(Get(Name(4), kImported)->owner, "newer");
    EXPECT_EQ(Get(Name(5), kImported)->expires_at_ms, kTimeMsMax);
    EXPECT_EQ(Get("rotated", kImported)->owner, "owner6");
  }
}

// What was acknowledged before a crash holds after it, and when the import is repeated.
TEST_F(StoreImportStageTest, ARevokeOfWhatIsStagedOutlivesTheImport) {
  Restart(/*direct_rows=*/0, /*run_bytes=*/64 << 20);
  Rows(Begin(), RowsOf(0, 500));
  EXPECT_TRUE(Do(RevokeMutation{Key(Name(1))}, kImported).was_live);
  Do(RevokeOwnerMutation{"owner7"}, kImported);
  Reopen();  // the import has not ended
  EXPECT_EQ(Validate(Name(0), kImported), Verdict::kUnknown);
  EXPECT_EQ(Validate(Name(1), kImported), Verdict::kRevoked);
  const std::string id = Begin();
  Rows(id, RowsOf(0, 500));
  End(id);
  EXPECT_EQ(Validate(Name(0), kImported), Verdict::kValid);
  EXPECT_EQ(Validate(Name(1), kImported), Verdict::kRevoked);
  EXPECT_EQ(Validate(Name(7), kImported), Verdict::kRevoked);
}

// Revokes and replaces come while runs are filled, sorted, written and put into memory.
TEST_F(StoreImportStageTest, NothingRevokedMeanwhileComesBack) {
  CloseStore();
  run_bytes_ = 256 << 10;
  OpenStore();
  constexpr int kTokens = 20'000;
  std::atomic<int> sent{0};
  std::atomic<bool> over{false};
  std::vector<int> revoked, replaced;
  std::thread other([&] {
    std::mt19937_64 random(TestSeed());
    while (!over) {
      // What was sent last, most often: it is on its way.
      const int i = std::max(0, sent - static_cast<int>(random() % 600));
      const TokenKey key = Key(Name(i));
      switch (random() % 3) {
        case 0:
          Do(RevokeMutation{key}, kImported);
          revoked.push_back(i);
          break;
        case 1:
          Do(RevokeIdMutation{TokenId::Of(key)}, kImported);
          revoked.push_back(i);
          break;
        default: {
          const Outcome outcome =
              Insert(Name(i), {.owner = "replaced", .replace = true, .ns = kImported});
          if (outcome.status.ok()) replaced.push_back(i);
          break;
        }
      }
    }
  });
  const std::string id = Begin();
  for (int i = 0; i < kTokens; i += 100) {
    ASSERT_TRUE(Rows(id, RowsOf(i, i + 100)).status.ok());
    sent = i + 99;
  }
  const Outcome totals = End(id);
  over = true;
  other.join();
  ASSERT_TRUE(totals.status.ok()) << totals.status.message();
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    std::map<int, bool> was_replaced;
    for (const int i : replaced) was_replaced[i] = true;
    for (const int i : replaced) EXPECT_EQ(Get(Name(i), kImported)->owner, "replaced") << i;
    for (const int i : revoked) {
      if (was_replaced.contains(i)) continue;  // before the revoke or after it
      EXPECT_EQ(Validate(Name(i), kImported), Verdict::kRevoked) << i;
      EXPECT_TRUE(Get(Name(i), kImported)->revoked) << i;
    }
    ListParams params;
    params.namespace_name = kImported;
    EXPECT_EQ(Count(params), static_cast<uint64_t>(kTokens));
  }
}

TEST_F(StoreImportStageTest, AnOwnerRevokedMeanwhileHasNoTokenLeft) {
  constexpr int kTokens = 10'000;
  const std::string id = Begin();
  for (int i = 0; i < kTokens; i += 100) {
    ASSERT_TRUE(Rows(id, RowsOf(i, i + 100)).status.ok());
    if (i % 1000 == 500) Do(RevokeOwnerMutation{"owner" + std::to_string(i / 1000)}, kImported);
  }
  End(id);
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    for (int i = 0; i < kTokens; ++i) {
      EXPECT_EQ(Validate(Name(i), kImported), i % 97 < 10 ? Verdict::kRevoked : Verdict::kValid);
    }
  }
}

TEST_F(StoreImportStageTest, WhatComesSlowlyIsWrittenBeforeARunIsFull) {
  const std::string id = Begin();
  Rows(id, RowsOf(0, 60));  // more than a quarter of a run, less than all of it
  Rows(id, RowsOf(60, 61));
  EXPECT_EQ(Validate(Name(0), kImported), Verdict::kUnknown);
  clock_.Advance(300);
  for (int i = 61; i < 64; ++i) ASSERT_TRUE(Rows(id, {Row(i)}).status.ok());
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (Validate(Name(0), kImported) != Verdict::kValid) {
    ASSERT_LT(std::chrono::steady_clock::now(), patience);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_F(StoreImportStageTest, TheSchemeStaysWhileTokensAreStaged) {
  Restart(/*direct_rows=*/0, /*run_bytes=*/64 << 20);
  Rows(Begin(), RowsOf(0, 10));
  ImportBeginMutation begin;
  begin.scheme = DigestScheme::kSha512;
  EXPECT_EQ(Do(begin, kImported).status.code(), ErrorCode::kBadParams);
}

TEST_F(StoreImportStageTest, WhatCannotBeWrittenEndsTheImportAndNothingElse) {
  CloseStore();
  auto disk = std::make_shared<FaultFileSystem>();
  env_ = rocksdb::NewCompositeEnv(disk);
  OpenStore();
  Insert("other");
  disk->Fail(FaultFileSystem::Operation::kAppend, rocksdb::IOStatus::NoSpace(), "/import/");
  const std::string id = Begin();
  for (int i = 0; i < 3000; i += 100) Rows(id, RowsOf(i, i + 100));
  const Outcome ended = End(id);
  EXPECT_FALSE(ended.status.ok());
  EXPECT_NE(ended.status.message().find("begin it again"), std::string::npos)
      << ended.status.message();
  EXPECT_NE(listener_.failed.find("No space"), std::string::npos) << listener_.failed;
  EXPECT_EQ(listener_.read_only, "");
  EXPECT_TRUE(Insert("another").status.ok());
  EXPECT_EQ(Validate("other"), Verdict::kValid);

  disk->Heal();
  const std::string again = Begin();
  for (int i = 0; i < 3000; i += 100) {
    ASSERT_TRUE(Rows(again, RowsOf(i, i + 100)).status.ok());
  }
  const Outcome totals = End(again);
  EXPECT_EQ(totals.taken + totals.unchanged, 3000u);
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(Validate(Name(i), kImported), Verdict::kValid);
  CloseStore();
}

TEST_F(StoreImportStageTest, AFileSystemWithoutDirectWritesIsWrittenToAllTheSame) {
  CloseStore();
  auto disk = std::make_shared<FaultFileSystem>();
  disk->RefuseDirectWrites();
  env_ = rocksdb::NewCompositeEnv(disk);
  OpenStore();
  const std::string id = Begin();
  for (int i = 0; i < 3000; i += 100) Rows(id, RowsOf(i, i + 100));
  EXPECT_EQ(End(id).taken, 3000u);
  EXPECT_GT(disk->direct_refusals(), 0u);
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(Validate(Name(i), kImported), Verdict::kValid);
  CloseStore();
}

TEST_F(StoreImportStageTest, FilesThatACrashLeftGoAtTheStart) {
  CloseStore();
  const std::string left = dir_.path() + "/data/import/7-tokens.sst";
  ASSERT_TRUE(std::filesystem::is_directory(dir_.path() + "/data/import"));
  std::ofstream(left) << "half a file";
  OpenStore();
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_F(StoreImportStageTest, WhatIsStagedFitsBelowTheMemoryLimit) {
  CloseStore();
  memory_bytes_max_ = 1 << 20;
  run_bytes_ = 64 << 20;  // all of it is staged at once
  OpenStore();
  const std::string id = Begin();
  int taken = 0;
  Outcome outcome;
  while (taken < 100'000) {
    outcome = Rows(id, {Row(taken)});
    if (!outcome.status.ok()) break;
    ++taken;
  }
  EXPECT_EQ(outcome.status.code(), ErrorCode::kMemoryLimit);
  EXPECT_GT(taken, 1000);
  EXPECT_EQ(Insert("another").status.code(), ErrorCode::kMemoryLimit);
  const Outcome totals = End(id);
  EXPECT_TRUE(totals.status.ok()) << totals.status.message();
  EXPECT_EQ(totals.taken, static_cast<uint64_t>(taken));
  for (int i = 0; i < taken; ++i) ASSERT_EQ(Validate(Name(i), kImported), Verdict::kValid) << i;
}

// A run that is too small for files merges row by row, and takes its room but once.
TEST_F(StoreImportStageTest, ASmallRunFitsBelowTheMemoryLimit) {
  CloseStore();
  memory_bytes_max_ = 768 << 10;
  direct_rows_ = 4000;  // and so many a run is worth files for
  run_bytes_ = 64 << 20;
  OpenStore();
  const std::string id = Begin();
  int taken = 0;
  while (Rows(id, {Row(taken)}).status.ok()) ASSERT_LT(++taken, 100'000);
  ASSERT_GT(taken, 4000);
  ASSERT_LT(taken, 8000);
  const Outcome totals = End(id);
  EXPECT_TRUE(totals.status.ok()) << totals.status.message();
  EXPECT_EQ(totals.taken, static_cast<uint64_t>(taken));
  for (int i = 0; i < taken; ++i) ASSERT_EQ(Validate(Name(i), kImported), Verdict::kValid) << i;
}

}  // namespace
}  // namespace tokend
