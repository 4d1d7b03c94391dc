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

#include "storage/database.h"
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

  // The same, with the tokens in three files; the revokes are in the last of them.
  void FillInThree() {
    for (int i = 0; i < kTokens; ++i) {
      if (i == kTokens / 2) Reopen();  // into files
      Insert(Name(i), {.owner = i % 3 == 1 ? "cut" : "owner", .name = std::string(300, 'n')});
    }
    Insert("elsewhere", {.ns = "other"});
    Reopen();
    for (int i = 0; i < kTokens; i += 3) Revoke(Name(i));
    RevokeOwner("cut");
    Reopen();
    CloseStore();
  }
  // The files of a family, the newest last.
  std::vector<fs::path> TablesOf(const std::string& family) {
    DatabaseOptions options;
    options.data_dir = Options().data_dir;
    options.block_cache_bytes = options.write_buffer_bytes = 1 << 20;
    std::unique_ptr<Database> database;
    std::vector<rocksdb::LiveFileMetaData> tables;
    const auto opened = Database::OpenReadOnly(options, options.data_dir + "/db",
                                               Database::Reading::kStrict, &database);
    EXPECT_TRUE(opened.ok()) << opened.ToString();
    database->db()->GetLiveFilesMetaData(&tables);
    std::vector<fs::path> found;
    for (const rocksdb::LiveFileMetaData& table : tables) {
      if (table.column_family_name == family) found.push_back(table.directory + table.name);
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  fs::path Log() const {
    fs::path largest;
    for (const auto& entry : fs::directory_iterator(dir_.path() + "/data/db")) {
      if (entry.path().extension() != ".log") continue;
      if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
    }
    return largest;
  }
  static std::string Gone(const RepairReport& report) {
    return std::to_string(report.tokens_estimate - report.tokens) + " tokens that stood there";
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
    EXPECT_EQ(Count({}), static_cast<uint64_t>(there));
    ListParams by_owner;
    by_owner.owner = "owner";
    ListParams by_cut_owner;
    by_cut_owner.owner = "cut";
    EXPECT_EQ(Count(by_owner) + Count(by_cut_owner), static_cast<uint64_t>(there));
    const Verdict elsewhere = Validate("elsewhere", "other");
    if (elsewhere == Verdict::kUnknown) return there;
    EXPECT_EQ(elsewhere, Verdict::kValid);
    return there + 1;
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
  EXPECT_EQ(CountRightTokens(), kTokens + 1);
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
  EXPECT_THAT(report.losses,
              ElementsAre(HasSubstr("parts of the records"), HasSubstr(Gone(report))));
  OpenStore();
  EXPECT_EQ(static_cast<uint64_t>(CountRightTokens()), report.tokens);
}

// Each file of tokens in turn, in each way: the others are kept, and nothing of theirs that the
// lost one was newer than.
TEST_F(RepairTest, WithoutAFileOfTokensTheOthersAreKept) {
  FillInThree();
  const std::string db = dir_.path() + "/data/db";
  fs::copy(db, dir_.path() + "/whole");
  const std::vector<fs::path> tables = TablesOf("tokens");
  ASSERT_EQ(tables.size(), 3u);
  int kept_sum = 0;
  for (const fs::path& table : tables) {
    for (const bool cut : {false, true}) {
      SCOPED_TRACE(table.filename().string() + (cut ? " cut" : " removed"));
      fs::remove_all(db);
      fs::copy(dir_.path() + "/whole", db);
      if (cut) {
        fs::resize_file(table, fs::file_size(table) / 2);
      } else {
        fs::remove(table);
      }
      const RepairReport report = Repair();
      EXPECT_EQ(report.tokens_estimate, kTokens + 1u);
      EXPECT_THAT(report.losses,
                  ElementsAre(AllOf(HasSubstr(table.filename().string()),
                                    HasSubstr(cut ? "bytes and should have" : "is missing")),
                              HasSubstr(Gone(report)), HasSubstr("scopes")));
      OpenStore();
      const int kept = CountRightTokens();
      EXPECT_EQ(static_cast<uint64_t>(kept), report.tokens);
      EXPECT_LT(kept, kTokens);
      kept_sum += kept;
      CloseStore();
      fs::remove_all(report.old_database);
    }
  }
  EXPECT_GE(kept_sum, 3 * kTokens);  // of six times
}

TEST_F(RepairTest, AnIndexIsMadeAnew) {
  FillInThree();
  const fs::path expiry = TablesOf("expiry").front(), owners = TablesOf("owners").front();
  fs::remove(expiry);
  fs::remove(owners);
  const RepairReport report = Repair();
  EXPECT_EQ(report.tokens, kTokens + 1u);
  EXPECT_THAT(report.losses, IsEmpty());
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("index"), HasSubstr("index")));
  OpenStore();
  EXPECT_EQ(CountRightTokens(), kTokens + 1);
}

TEST_F(RepairTest, WithoutAnIndexThatTellsOlderRecordsItSaysSo) {
  FillInThree();
  const fs::path expiry = TablesOf("expiry").front(), tokens = TablesOf("tokens").front();
  fs::remove(expiry);
  fs::remove(tokens);
  const RepairReport report = Repair();
  EXPECT_GT(report.tokens, kTokens / 3u);
  EXPECT_THAT(report.losses, ElementsAre(HasSubstr("is missing"), HasSubstr("are gone"),
                                         AllOf(HasSubstr("revoke again"), HasSubstr(" UTC"))));
  OpenStore();
  // Cut-offs are kept elsewhere.
  store_->Maintain();
  for (int i = 1; i < kTokens; i += 3) EXPECT_NE(Validate(Name(i)), Verdict::kValid) << i;
}

TEST_F(RepairTest, WithoutItsNamespacesItRefuses) {
  FillInThree();
  fs::remove(TablesOf("default").front());
  RepairReport report;
  EXPECT_THAT(RepairDataDirectory(Options().data_dir, &report).message(),
              AllOf(HasSubstr("is missing"), HasSubstr("restore from a backup")));
  EXPECT_FALSE(fs::exists(Options().data_dir + "/repair"));
}

// What stands behind the damage is kept, and when what is lost was made is said.
TEST_F(RepairTest, OfADamagedLogTheRestIsKept) {
  for (int i = 0; i < kTokens; ++i) Insert(Name(i));
  Reopen();  // into files
  const uint64_t begun_ms = clock_.NowMs();
  for (int i = 0; i < kTokens; ++i) {
    clock_.Advance(1000);
    Revoke(Name(i));
  }
  CloseStore();
  const fs::path log = Log();
  {
    std::fstream file(log, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(fs::file_size(log) / 2));
    file << std::string(64, '\x55');
  }
  const RepairReport report = Repair();
  EXPECT_EQ(report.tokens, static_cast<uint64_t>(kTokens));
  OpenStore();
  int first_good = 0;
  while (first_good < kTokens && Validate(Name(first_good)) == Verdict::kRevoked) ++first_good;
  int after = first_good;
  while (after < kTokens && Validate(Name(after)) == Verdict::kValid) ++after;
  EXPECT_GT(first_good, kTokens / 3);
  EXPECT_LT(after - first_good, 500);  // no more than a block of the log
  for (int i = after; i < kTokens; ++i) ASSERT_EQ(Validate(Name(i)), Verdict::kRevoked) << i;
  const auto at = [&](int i) { return UtcText(begun_ms + 1000 * (uint64_t(i) + 1)); };
  EXPECT_THAT(report.losses, ElementsAre(AllOf(HasSubstr("may be good again: revoke again"),
                                               HasSubstr("between " + at(first_good - 1) + " and "),
                                               HasSubstr(" UTC; tokens"))));
}

// RocksDB does not go on behind such a record, whatever it is told.
TEST_F(RepairTest, BehindADamagedRecordOfSeveralBlocksTheRestIsKept) {
  for (int i = 0; i < 50; ++i) Insert(Name(i));
  Insert("large", {.name = std::string(200'000, 'n')});
  for (int i = 50; i < 100; ++i) Insert(Name(i));
  Revoke(Name(0));
  CloseStore();
  const fs::path log = Log();
  {
    std::fstream file(log, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(fs::file_size(log) / 2));
    file << std::string(64, '\x55');
  }
  EXPECT_EQ(Repair().tokens, 100u);
  OpenStore();
  EXPECT_EQ(Validate(Name(0)), Verdict::kRevoked);
  EXPECT_EQ(Validate(Name(99)), Verdict::kValid);
}

TEST_F(RepairTest, OfALogAndAFileThatAreDamagedTheRestIsKept) {
  FillInThree();
  const fs::path table = TablesOf("tokens")[1];
  OpenStore();
  for (int i = 2; i < kTokens; i += 3) Revoke(Name(i));
  CloseStore();
  const fs::path log = Log();
  {
    std::fstream file(log, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(fs::file_size(log) / 2));
    file << std::string(64, '\x55');
  }
  fs::remove(table);
  const RepairReport report = Repair();
  EXPECT_GT(report.tokens, kTokens / 2u);
  EXPECT_THAT(report.losses, ElementsAre(HasSubstr("may be good again"), HasSubstr("is missing"),
                                         HasSubstr(Gone(report)), HasSubstr("scopes")));
}

TEST_F(RepairTest, WithoutTheNewestLogItSaysSinceWhen) {
  Fill();
  fs::remove(Log());
  const RepairReport report = Repair();
  EXPECT_THAT(report.losses,
              ElementsAre(AllOf(HasSubstr("is missing"),
                                HasSubstr("revoked after " + UtcText(clock_.NowMs())),
                                HasSubstr("revoke again"))));
  OpenStore();
  EXPECT_EQ(Validate("t0"), Verdict::kValid);
}

// One that ends early is one that ends there.
TEST_F(RepairTest, ALogThatIsCutShortEndsThere) {
  Fill();
  const fs::path log = Log();
  fs::resize_file(log, fs::file_size(log) / 2);
  const RepairReport report = Repair();
  EXPECT_EQ(report.tokens, kTokens + 1u);
  OpenStore();
  EXPECT_EQ(Validate(Name(0)), Verdict::kRevoked);
}

TEST_F(RepairTest, WithoutTheListOfFilesThoseThatAreThereAreTaken) {
  Fill();
  fs::remove(dir_.path() + "/data/db/CURRENT");
  const RepairReport report = Repair();
  EXPECT_EQ(report.tokens, kTokens + 1u);
  EXPECT_THAT(report.losses, ElementsAre(HasSubstr("revoke again")));
  OpenStore();
  EXPECT_EQ(CountRightTokens(), kTokens + 1);
}

TEST_F(RepairTest, TheOldDatabaseIsKept) {
  Fill();
  const RepairReport report = Repair();
  fs::remove_all(dir_.path() + "/data/db");
  fs::rename(report.old_database, dir_.path() + "/data/db");
  OpenStore();
  EXPECT_EQ(CountRightTokens(), kTokens + 1);
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
  EXPECT_EQ(CountRightTokens(), kTokens + 1);
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
