// Backups: made beside writes, incremental, compared with their checksums, restored whole.
#include "storage/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BackupTest : public StoreFixture {
 protected:
  std::string Directory() const { return dir_.path() + "/backup"; }

  BackupInfo Backup(uint32_t keep = 0) {
    BackupInfo backup;
    const Status status = store_->Backup({.directory = Directory(), .keep = keep}, &backup);
    EXPECT_TRUE(status.ok()) << status.message();
    return backup;
  }
  // In the place of the store's own directory.
  void Restore(std::optional<uint32_t> id = std::nullopt) {
    CloseStore();
    fs::remove_all(Options().data_dir);
    BackupInfo backup;
    const Status status = RestoreBackup(Directory(), id, Options().data_dir, &backup);
    ASSERT_TRUE(status.ok()) << status.message();
    OpenStore();
  }
  uint64_t BytesOnDisk() const {
    uint64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(Directory())) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
  }
  void Fill(int from, int to) {
    for (int i = from; i < to; ++i) {
      Insert("t" + std::to_string(i), {.owner = "bob", .name = std::string(500, 'n')});
    }
  }
};

TEST_F(BackupTest, HasAllThatWasAcknowledged) {
  Insert("live", {.owner = "bob", .scopes = {"r"}});
  Insert("revoked");
  Revoke("revoked");
  Insert("cut", {.owner = "eve"});
  RevokeOwner("eve");
  Insert("elsewhere", {.ns = "other"});
  Validate("live");
  store_->FlushUsage();
  Backup();
  Insert("later");
  Revoke("live");
  Restore();
  EXPECT_EQ(Get("live")->owner, "bob");
  EXPECT_EQ(Get("live")->use_count, 1u);
  EXPECT_EQ(Validate("live"), Verdict::kValid);
  EXPECT_EQ(Validate("revoked"), Verdict::kRevoked);
  EXPECT_EQ(Validate("cut"), Verdict::kRevoked);
  EXPECT_EQ(Validate("elsewhere", "other"), Verdict::kValid);
  EXPECT_EQ(Validate("later"), Verdict::kUnknown);
}

// It has no log then, and one that is missing is damage.
TEST_F(BackupTest, OfALogWithNothingInItIsWhole) {
  Insert("a");
  Reopen();
  Backup();
  Restore();
  EXPECT_EQ(Validate("a"), Verdict::kValid);
}

TEST_F(BackupTest, AnEarlierOneIsStillThere) {
  Insert("a");
  const BackupInfo first = Backup();
  Insert("b");
  const BackupInfo second = Backup();
  EXPECT_EQ(second.id, first.id + 1);
  std::vector<BackupInfo> backups;
  ASSERT_TRUE(ListBackups(Directory(), &backups).ok());
  ASSERT_EQ(backups.size(), 2u);
  Restore(first.id);
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  EXPECT_EQ(Validate("b"), Verdict::kUnknown);
  Restore(second.id);
  EXPECT_EQ(Validate("b"), Verdict::kValid);
}

TEST_F(BackupTest, CopiesAFileOnce) {
  Fill(0, 4000);
  Reopen();  // into files
  const uint64_t first = Backup().bytes;
  const uint64_t before = BytesOnDisk();
  Insert("one more");
  EXPECT_GE(Backup().bytes, first);
  EXPECT_LT(BytesOnDisk() - before, first / 10);
}

TEST_F(BackupTest, KeepsAsManyAsItIsTold) {
  for (int i = 0; i < 4; ++i) {
    Insert("t" + std::to_string(i));
    Backup(/*keep=*/2);
  }
  std::vector<BackupInfo> backups;
  ASSERT_TRUE(ListBackups(Directory(), &backups).ok());
  ASSERT_EQ(backups.size(), 2u);
  EXPECT_EQ(backups[0].id, 3u);
  BackupInfo backup;
  EXPECT_THAT(VerifyBackup(Directory(), 1, &backup).message(),
              AllOf(HasSubstr("there is no backup 1"), HasSubstr("from 3 to 4")));
}

TEST_F(BackupTest, IsWholeWhenMadeBesideWrites) {
  std::atomic<int> acknowledged{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      if (!Insert("w" + std::to_string(i), {.owner = "o" + std::to_string(i % 7)}).status.ok())
        return;
      acknowledged = i + 1;
    }
  });
  while (acknowledged < 500) std::this_thread::yield();
  std::vector<int> before;
  for (int i = 0; i < 3; ++i) {
    before.push_back(acknowledged);
    Backup();
  }
  stop = true;
  writer.join();
  for (int backup = 0; backup < 3; ++backup) {
    Restore(static_cast<uint32_t>(backup + 1));
    for (int i = 0; i < before[backup]; ++i) {
      ASSERT_EQ(Validate("w" + std::to_string(i)), Verdict::kValid) << backup << " " << i;
    }
    store_->table().CheckInvariants();
  }
}

TEST_F(BackupTest, DamageIsFoundAndNotRestored) {
  Fill(0, 2000);
  Reopen();
  Backup();
  CloseStore();
  for (const auto& entry : fs::recursive_directory_iterator(Directory())) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(100);
    file << "damage";
  }
  BackupInfo backup;
  EXPECT_THAT(VerifyBackup(Directory(), std::nullopt, &backup).message(),
              AllOf(HasSubstr("backup 1"), HasSubstr("is damaged"), HasSubstr("use another one")));
  EXPECT_FALSE(RestoreBackup(Directory(), std::nullopt, dir_.path() + "/new", &backup).ok());
  EXPECT_FALSE(fs::exists(dir_.path() + "/new/db"));
}

// RocksDB leaves such a backup out, as if it were not there, and gave the one before it instead.
TEST_F(BackupTest, AFileThatIsMissingIsNamed) {
  Insert("a");
  Backup();
  Insert("b");
  Backup();
  CloseStore();
  BackupInfo backup;
  const auto error = [&](std::optional<uint32_t> id) {
    return VerifyBackup(Directory(), id, &backup).message();
  };
  fs::remove(Directory() + "/private/2/CURRENT");
  const auto named = AllOf(HasSubstr("backup 2"), HasSubstr("private/2/CURRENT is missing"),
                           HasSubstr("backup 1"));
  EXPECT_THAT(error(std::nullopt), named);
  EXPECT_THAT(error(2), named);
  EXPECT_EQ(error(1), "");
  EXPECT_THAT(RestoreBackup(Directory(), std::nullopt, dir_.path() + "/new", &backup).message(),
              named);
  fs::remove(Directory() + "/private/1/CURRENT");
  EXPECT_THAT(error(std::nullopt), HasSubstr("there is no other one"));
}

TEST_F(BackupTest, NothingIsOverwrittenAndWhatIsMissingIsNamed) {
  Insert("a");
  Backup();
  CloseStore();
  BackupInfo backup;
  EXPECT_THAT(RestoreBackup(Directory(), std::nullopt, Options().data_dir, &backup).message(),
              HasSubstr("already; move"));
  EXPECT_THAT(VerifyBackup(dir_.path() + "/nowhere", std::nullopt, &backup).message(),
              HasSubstr("there are no backups in"));
  fs::create_directory(dir_.path() + "/empty");
  EXPECT_THAT(VerifyBackup(dir_.path() + "/empty", std::nullopt, &backup).message(),
              HasSubstr("there are no backups in"));
  OpenStore();
  EXPECT_EQ(Validate("a"), Verdict::kValid);
}

// The start after it began with no tokens, and the restore was refused from then on.
TEST_F(BackupTest, ARestoreThatWasCutShortIsRunAgain) {
  Insert("a");
  Backup();
  CloseStore();
  const std::string data_dir = Options().data_dir;
  fs::remove_all(data_dir + "/db");
  fs::create_directories(data_dir + "/restore");
  EXPECT_THAT(Store::Open(Options(), &store_).message(),
              AllOf(HasSubstr("restore"), HasSubstr("run it again")));
  BackupInfo backup;
  ASSERT_TRUE(RestoreBackup(Directory(), std::nullopt, data_dir, &backup).ok());
  OpenStore();
  EXPECT_EQ(Validate("a"), Verdict::kValid);
}

TEST_F(BackupTest, CanBeGivenUp) {
  Fill(0, 20'000);  // more than what is copied between two looks
  Reopen();
  const std::atomic<bool> stop{true};
  BackupInfo backup;
  const Status status = store_->Backup({.directory = Directory(), .stop = &stop}, &backup);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Backup().id, 1u);
}

}  // namespace
}  // namespace tokend
