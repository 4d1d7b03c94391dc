// The power goes while imports run, row by row and in whole files. What an import's end has
// acknowledged is there afterwards, whatever the level; of one that was cut short each row is there
// wholly or not at all, it can be repeated, and what was revoked meanwhile stays revoked.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fault_file_system.h"
#include "tests/support/store_fixture.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

constexpr const char* kImported = "imported";
constexpr int kOwners = 13;
constexpr int kRows = 2000;  // of an import
constexpr int kBatch = 50;

class PowerLossImportTest : public StoreFixture, public ::testing::WithParamInterface<Durability> {
 protected:
  PowerLossImportTest()
      : files_(std::make_shared<testing::FaultFileSystem>()),
        env_(rocksdb::NewCompositeEnv(files_)) {}
  ~PowerLossImportTest() override { CloseStore(); }  // before its files

  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.env = env_.get();
    options.durability = GetParam();
    options.sync_interval_ms = 5;
    options.write_buffer_bytes = 1 << 20;
    options.import_direct_rows = 300;
    options.import_run_bytes = 128 << 10;  // some 400 tokens
    return options;
  }

  static std::string Name(int i) { return "t" + std::to_string(i); }
  static std::string Owner(int i) { return "owner" + std::to_string(i % kOwners); }
  static ImportRowsMutation RowsOf(const std::string& id, int from) {
    ImportRowsMutation rows;
    rows.import_id = id;
    for (int i = from; i < from + kBatch; ++i) {
      ImportedRow& row = rows.rows.emplace_back();
      row.record.key = Key(Name(i));
      row.record.owner = Owner(i);
      row.record.name = Name(i);
      row.record.expires_at_ms = ManualClock::kStartMs + (uint64_t{1} << 30) + i;
      row.record.use_count = 1;
    }
    return rows;
  }
  // Whether it ended. What is acknowledged as revoked on the way is added to *revoked.
  bool Import(int from, std::mt19937_64* random, std::set<int>* revoked) {
    const Outcome begun = Do(ImportBeginMutation{}, kImported);
    if (!begun.status.ok()) return false;
    for (int i = from; i < from + kRows; i += kBatch) {
      if (!Do(RowsOf(begun.import_id, i), kImported).status.ok()) return false;
      if (random == nullptr) continue;
      const int chosen = from + static_cast<int>((*random)() % (i + kBatch - from));
      // Its rows have been sent, so that it is known, staged or not.
      const Outcome outcome = Do(RevokeMutation{Key(Name(chosen))}, kImported);
      if (!outcome.status.ok()) return false;
      if (!outcome.was_live && !revoked->contains(chosen)) {
        // Unknown, since the disk fails already and what was staged is gone: then so is the import.
        EXPECT_FALSE(Do(ImportEndMutation{begun.import_id}, kImported).status.ok()) << chosen;
        return false;
      }
      revoked->insert(chosen);
    }
    return Do(ImportEndMutation{begun.import_id}, kImported).status.ok();
  }
  // Every row up to `rows`: there as it was sent, in the lists that it belongs to, or not at all.
  int CheckRows(int rows, const std::set<int>& revoked) {
    std::vector<uint64_t> of_owner(kOwners);
    int there = 0;
    for (int i = 0; i < rows; ++i) {
      const std::optional<Record> record = Get(Name(i), kImported);
      const Verdict verdict = Validate(Name(i), kImported);
      if (!record) {
        EXPECT_EQ(verdict, Verdict::kUnknown) << i;
        EXPECT_FALSE(revoked.contains(i)) << i << " was revoked, and that is forgotten";
        continue;
      }
      ++there;
      ++of_owner[i % kOwners];
      EXPECT_EQ(verdict, revoked.contains(i) ? Verdict::kRevoked : Verdict::kValid) << i;
      EXPECT_EQ(record->name, Name(i));
      EXPECT_EQ(record->owner, Owner(i));
    }
    ListParams params;
    params.namespace_name = kImported;
    EXPECT_EQ(Count(params), static_cast<uint64_t>(there));
    for (int owner = 0; owner < kOwners; ++owner) {
      const std::string name = Owner(owner);
      params.owner = name;
      EXPECT_EQ(Count(params), of_owner[owner]) << name;
    }
    store_->table().CheckInvariants();
    return there;
  }

  std::shared_ptr<testing::FaultFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_P(PowerLossImportTest, WhatHasEndedIsOnTheDisk) {
  std::mt19937_64 random(TestSeed());
  std::set<int> revoked;
  ASSERT_TRUE(Import(0, &random, &revoked));
  files_->Cut();
  CloseStore();
  files_->Lose(&random);
  OpenStore();
  EXPECT_EQ(CheckRows(kRows, revoked), kRows);
}

TEST_P(PowerLossImportTest, WhatIsCutShortCanBeRepeatedAndRevokesStay) {
  std::mt19937_64 random(TestSeed());
  std::set<int> revoked;
  int ended = 0;
  // A namespace that was lost with the power is not there to be looked at. A revoke that changes
  // something takes all that came before it to the disk, at any level.
  ASSERT_TRUE(Do(CreateNamespaceMutation{}, kImported).status.ok());
  ASSERT_TRUE(Insert("any").status.ok());
  ASSERT_TRUE(Revoke("any").status.ok());
  for (int round = 0; round < 6 && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::thread importing([&, seed = random()] {
      std::mt19937_64 chosen(seed);
      while (Import(ended * kRows, &chosen, &revoked)) ++ended;
    });
    // Real time: the moment is what chance is for.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 400'000));
    files_->Cut();
    importing.join();
    CloseStore();
    files_->Lose(&random);
    OpenStore();
    EXPECT_GE(CheckRows((ended + 1) * kRows, revoked), ended * kRows);
    ASSERT_TRUE(Import(ended * kRows, nullptr, nullptr));
    ++ended;
    EXPECT_EQ(CheckRows(ended * kRows, revoked), ended * kRows);
  }
}

std::string LevelName(const ::testing::TestParamInfo<Durability>& level) {
  return level.param == Durability::kSync ? "Sync" : "None";
}

INSTANTIATE_TEST_SUITE_P(Levels, PowerLossImportTest,
                         ::testing::Values(Durability::kSync, Durability::kNone), LevelName);

}  // namespace
}  // namespace tokend
