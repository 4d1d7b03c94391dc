// What tokend --repair keeps of a damaged data directory: what can be read, as it was, and nothing
// else; and what it says of the rest.
#include "storage/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "storage/directory_lock.h"
#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kTokens = 3000;

class RepairTest : public StoreFixture {
 protected:
  // Every third token is revoked, every third that is left is of an owner that was cut off.
  static Verdict Expected(int i) {
    return i % 3 == 0 || i % 3 == 1 ? Verdict::kRevoked : Verdict::kValid;
  }
  static std::string Name(int i) { return "t" + std::to_string(i); }

  void Fill() {
    for (int i = 0; i < kTokens; ++i) {
      Insert(Name(i), {.owner = i % 3 == 1 ? "cut" : "owner", .name = std::string(300, 'n')});
    }
    Insert("elsewhere", {.ns = "other"});
    Reopen();  // into files
    for (int i = 0; i < kTokens; i += 3) Revoke(Name(i));
    RevokeOwner("cut");
    Validate("t2");
    store_->FlushUsage();
    CloseStore();
  }

  RepairReport Repair() {
    RepairReport report;
    const Status status = RepairDataDirectory(Options().data_dir, &report);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(fs::exists(report.old_database));
    EXPECT_FALSE(fs::exists(Options().data_dir + "/repair"));
    return report;
  }
  // How many are there; those that are must be as they were, and the indexes say the same.
  int CountRightTokens() {
    int there = 0;
    for (int i = 0; i < kTokens; ++i) {
      const Verdict verdict = Validate(Name(i));
      if (verdict == Verdict::kUnknown) continue;
      ++there;
      EXPECT_EQ(verdict, Expected(i)) << i;
    }
    const uint64_t others = Validate("elsewhere", "other") == Verdict::kValid ? 0 : 1;
    EXPECT_EQ(others, 0u);
    EXPECT_EQ(Count({}), static_cast<uint64_t>(there));
    ListParams by_owner;
    by_owner.owner = "owner";
    ListParams by_cut_owner;
    by_cut_owner.owner = "cut";
    EXPECT_EQ(Count(by_owner) + Count(by_cut_owner), static_cast<uint64_t>(there));
    return there;
  }
  std::vector<fs::path> Tables() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(dir_.path() + "/data/db")) {
      if (entry.path().extension() == ".sst") found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
      return fs::file_size(a) > fs::file_size(b);
    });
    return found;
  }
};

TEST_F(RepairTest, WhatIsNotDamagedStaysWhole) {
  Fill();
  const RepairReport report = Repair();
  EXPECT_EQ(report.tokens, kTokens + 1u);
  EXPECT_THAT(report.losses, IsEmpty());
  OpenStore();
  EXPECT_EQ(Get("t2")->use_count, 1u);
  EXPECT_EQ(CountRightTokens(), kTokens);
  // Numbers go on: a later cut-off hits what was there before.
  EXPECT_GT(RevokeOwner("owner").count, 0u);
  EXPECT_EQ(Validate("t2"), Verdict::kRevoked);
}

TEST_F(RepairTest, OfADamagedFileTheRestIsKept) {
  Fill();
  {
    const fs::path table = Tables().front();
    std::fstream file(table, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(fs::file_size(table) / 3));
    file << std::string(64, '\x55');
  }
  const RepairReport report = Repair();
  EXPECT_LT(report.tokens, kTokens + 1u);
  EXPECT_GT(report.tokens, kTokens / 2u);
  EXPECT_THAT(report.losses, ElementsAre(HasSubstr("of the tokens could not be read")));
  OpenStore();
  EXPECT_EQ(static_cast<uint64_t>(CountRightTokens()) + 1, report.tokens);
}

TEST_F(RepairTest, WithoutTheListOfFilesThoseThatAreThereAreTaken) {
  Fill();
  fs::remove(dir_.path() + "/data/db/CURRENT");
  const RepairReport report = Repair();
  EXPECT_EQ(report.tokens, kTokens + 1u);
  EXPECT_THAT(report.losses, ElementsAre(HasSubstr("revoke again")));
  OpenStore();
  EXPECT_EQ(CountRightTokens(), kTokens);
}

TEST_F(RepairTest, TheOldDatabaseIsKept) {
  Fill();
  const RepairReport report = Repair();
  fs::remove_all(dir_.path() + "/data/db");
  fs::rename(report.old_database, dir_.path() + "/data/db");
  OpenStore();
  EXPECT_EQ(CountRightTokens(), kTokens);
}

TEST_F(RepairTest, WhatIsInUseOrNotThereIsRefused) {
  Insert("a");
  RepairReport report;
  EXPECT_THAT(RepairDataDirectory(Options().data_dir, &report).message(),
              HasSubstr("stop its tokend first"));
  EXPECT_THAT(RepairDataDirectory(dir_.path(), &report).message(), HasSubstr("no database"));
  EXPECT_EQ(Validate("a"), Verdict::kValid);
}

// A crash between putting the old database aside and the new one in its place (the crash point
// repair.renamed) left neither: the next start began with no tokens.
TEST_F(RepairTest, CutShortBetweenTheDatabasesItIsRunAgain) {
  Fill();
  const RepairReport first = Repair();
  const std::string data_dir = Options().data_dir;
  fs::create_directory(data_dir + "/repair");
  fs::rename(data_dir + "/db", data_dir + "/repair/db");
  std::ofstream(data_dir + "/repair/aside") << fs::path(first.old_database).filename().string();

  EXPECT_THAT(Store::Open(Options(), &store_).message(),
              AllOf(HasSubstr("repair"), HasSubstr("run it again")));
  EXPECT_FALSE(fs::exists(data_dir + "/db"));
  EXPECT_EQ(Repair().tokens, kTokens + 1u);
  OpenStore();
  EXPECT_EQ(CountRightTokens(), kTokens);
}

// The second one removed what the first had made so far.
TEST_F(RepairTest, LeavesAnotherRepairAlone) {
  Fill();
  const std::string data_dir = Options().data_dir;
  fs::create_directory(data_dir + "/repair");
  std::unique_ptr<DirectoryLock> others;
  ASSERT_TRUE(DirectoryLock::Take(data_dir, &others).ok());
  RepairReport report;
  EXPECT_THAT(RepairDataDirectory(data_dir, &report).message(), HasSubstr("in use"));
  EXPECT_TRUE(fs::exists(data_dir + "/repair"));
}

}  // namespace
}  // namespace tokend
