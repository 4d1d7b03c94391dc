// A disk that runs full, fails, or gives back other bytes than it was given. Validate goes on from
// memory; what cannot be written is refused with the reason; nothing pretends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fault_file_system.h"
#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

using rocksdb::IOStatus;
using testing::FaultFileSystem;
using Operation = FaultFileSystem::Operation;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kLog = ".log";  // of RocksDB: what a commit writes
constexpr uint64_t kRecoveryMs = 1000;

class DiskFaultTest : public StoreFixture {
 protected:
  DiskFaultTest()
      : files_(std::make_shared<FaultFileSystem>()), env_(rocksdb::NewCompositeEnv(files_)) {}

  ~DiskFaultTest() override { CloseStore(); }  // before its files

  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.env = env_.get();
    options.durability = Durability::kSync;
    return options;
  }

  void PassRecoveryInterval() {
    clock_.Advance(kRecoveryMs);
    store_->Maintain();
  }
  std::string ReadOnlyReason() const { return store_->stats().read_only_reason; }

  // Writes what is in memory only into files, as RocksDB does by itself sooner or later.
  void FillFiles() {
    for (int i = 0; i < 2000; ++i) {
      Insert("filler " + std::to_string(i), {.name = std::string(1000, 'n')});
    }
    Reopen();
  }
  std::vector<std::filesystem::path> Files(const std::string& extension) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path() + "/data/db")) {
      if (entry.path().extension() == extension && entry.file_size() != 0) {
        found.push_back(entry.path());
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  // Opens it again, and says what is wrong: at once, or with its loading.
  std::string ReopenError() {
    CloseStore();
    const Status status = Store::Open(Options(), &store_);
    if (!status.ok()) return status.message();
    store_->WaitUntilLoaded();
    reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
    return store_->stats().load_error;
  }

  std::shared_ptr<FaultFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_F(DiskFaultTest, TheLastRoomOnADiskIsForRevokes) {
  Insert("a");
  Insert("owned", {.owner = "bob"});
  files_->SetFreeBytes(100 << 20);
  store_->Maintain();
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);
  const Outcome refused = Insert("b");
  EXPECT_EQ(refused.status.code(), ErrorCode::kReadOnly);
  EXPECT_THAT(refused.status.message(), AllOf(HasSubstr("256 MiB"), HasSubstr("make room")));
  EXPECT_TRUE(Revoke("a").status.ok());
  EXPECT_EQ(RevokeOwner("bob").count, 1u);
  // Not at once again, or it would go to and fro.
  files_->SetFreeBytes(300 << 20);
  store_->Maintain();
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);
  files_->SetFreeBytes(330 << 20);
  store_->Maintain();
  EXPECT_EQ(store_->state(), StoreState::kReady);
  EXPECT_EQ(ReadOnlyReason(), "");
  EXPECT_TRUE(Insert("b").status.ok());
  Reopen();
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  EXPECT_EQ(Validate("owned"), Verdict::kRevoked);
  EXPECT_EQ(Validate("b"), Verdict::kValid);
}

TEST_F(DiskFaultTest, AFullDiskRefusesWritesAndTakesThemAgainWhenThereIsRoom) {
  Insert("a");
  Insert("owned", {.owner = "bob"});
  Insert("by id");
  files_->Fail(Operation::kAppend, IOStatus::NoSpace("no space left"));
  const Outcome refused = Insert("b");
  EXPECT_EQ(refused.status.code(), ErrorCode::kReadOnly);
  EXPECT_THAT(refused.status.message(), AllOf(HasSubstr("no space left"), HasSubstr("make room")));
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  EXPECT_EQ(Validate("b"), Verdict::kUnknown);

  EXPECT_EQ(Revoke("a").status.code(), ErrorCode::kNotDurable);
  EXPECT_EQ(RevokeOwner("bob").status.code(), ErrorCode::kNotDurable);
  EXPECT_EQ(Do(RevokeIdMutation{TokenId::Of(Key("by id"))}).status.code(), ErrorCode::kNotDurable);
  for (const char* token : {"a", "owned", "by id"}) EXPECT_EQ(Validate(token), Verdict::kRevoked);
  PassRecoveryInterval();
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);

  files_->Heal();
  PassRecoveryInterval();
  EXPECT_EQ(store_->state(), StoreState::kReady) << ReadOnlyReason();
  EXPECT_EQ(ReadOnlyReason(), "");
  EXPECT_TRUE(Insert("b").status.ok());
  EXPECT_EQ(Validate("b"), Verdict::kValid);
  // What was revoked meanwhile is durable by now.
  Reopen();
  for (const char* token : {"a", "owned", "by id"}) EXPECT_EQ(Validate(token), Verdict::kRevoked);
  EXPECT_EQ(Validate("b"), Verdict::kValid);
  store_->table().CheckInvariants();
}

// RocksDB begins no new log where there is nothing in memory only.
TEST_F(DiskFaultTest, ALogThatFailedAtItsFirstWriteNeedsARestart) {
  Insert("a");
  Reopen();  // nothing is left in memory only
  files_->Fail(Operation::kAppend, IOStatus::NoSpace("no space left"));
  const Outcome refused = Insert("b");
  EXPECT_EQ(refused.status.code(), ErrorCode::kReadOnly);
  EXPECT_THAT(refused.status.message(), HasSubstr("restart"));
  EXPECT_EQ(Revoke("a").status.code(), ErrorCode::kNotDurable);
  files_->Heal();
  PassRecoveryInterval();
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  Reopen();
  EXPECT_EQ(store_->state(), StoreState::kReady);
  EXPECT_TRUE(Revoke("a").status.ok());
  EXPECT_TRUE(Insert("b").status.ok());
}

// RocksDB's own log of what it does ended the process where two appends to it failed, five seconds
// apart.
TEST_F(DiskFaultTest, NoFileAtAllTakesBytesAndTheServerGoesOn) {
  for (int i = 0; i < 100; ++i) Insert("t" + std::to_string(i));
  std::this_thread::sleep_for(std::chrono::seconds(6));
  files_->Fail(Operation::kAppend, IOStatus::NoSpace("no space left"));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Revoke("t" + std::to_string(i)).status.code(), ErrorCode::kNotDurable);
    if (i % 10 == 0) PassRecoveryInterval();  // flushes, in vain
  }
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);
  files_->Heal();
  PassRecoveryInterval();
  EXPECT_EQ(store_->state(), StoreState::kReady) << ReadOnlyReason();
  Reopen();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Validate("t" + std::to_string(i)), Verdict::kRevoked);
}

// What a recovery writes into files may take the disk to where it would not have recovered.
TEST_F(DiskFaultTest, WhatARecoveryTakesDoesNotUndoIt) {
  for (int i = 0; i < 2000; ++i) {
    Insert("t" + std::to_string(i), {.name = std::string(1000, 'n')});
  }
  files_->SetFreeBytes(100 << 20);
  store_->Maintain();
  files_->Fail(Operation::kAppend, IOStatus::NoSpace("no space left"));
  EXPECT_EQ(Revoke("t1").status.code(), ErrorCode::kNotDurable);
  files_->Heal();
  files_->SetFreeBytes(321 << 20);
  PassRecoveryInterval();
  EXPECT_EQ(store_->state(), StoreState::kReady) << ReadOnlyReason();
  EXPECT_TRUE(Insert("a").status.ok());
}

TEST_F(DiskFaultTest, ADiskThatIsFullForFilesRecoversToo) {
  files_->Fail(Operation::kAppend, IOStatus::NoSpace("no space left"), ".sst");
  int taken = 0;
  while (taken < 100'000 &&
         Insert("t" + std::to_string(taken), {.name = std::string(1000, 'n')}).status.ok()) {
    ++taken;
  }
  ASSERT_LT(taken, 100'000);
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);
  files_->Heal();
  PassRecoveryInterval();
  EXPECT_EQ(store_->state(), StoreState::kReady) << ReadOnlyReason();
  EXPECT_TRUE(Insert("after").status.ok());
  Reopen();
  for (int i = 0; i < taken; ++i) {
    ASSERT_EQ(Validate("t" + std::to_string(i)), Verdict::kValid) << i;
  }
  EXPECT_EQ(Validate("after"), Verdict::kValid);
}

TEST_F(DiskFaultTest, AfterAFailedSyncOrAnyOtherErrorOfTheLogItStaysReadOnly) {
  const struct {
    Operation operation;
    IOStatus status;
  } faults[] = {
      {Operation::kSync, IOStatus::IOError("the disk is gone")},
      {Operation::kSync, IOStatus::NoSpace("no space left")},  // what is on the disk, nobody knows
      {Operation::kAppend, IOStatus::IOError("the disk is gone")},
  };
  int round = 0;
  for (const auto& fault : faults) {
    SCOPED_TRACE(++round);
    const std::string before = "before " + std::to_string(round);
    EXPECT_TRUE(Insert(before).status.ok());
    files_->Fail(fault.operation, fault.status, kLog);
    const Outcome refused = Insert("during " + std::to_string(round));
    EXPECT_EQ(refused.status.code(), ErrorCode::kReadOnly);
    EXPECT_THAT(refused.status.message(), HasSubstr("restart"));
    files_->Heal();
    PassRecoveryInterval();
    PassRecoveryInterval();
    EXPECT_EQ(store_->state(), StoreState::kReadOnly);
    EXPECT_EQ(Insert("after").status.code(), ErrorCode::kReadOnly);
    EXPECT_EQ(Validate(before), Verdict::kValid);
    Reopen();
    EXPECT_EQ(store_->state(), StoreState::kReady);
    EXPECT_EQ(Validate(before), Verdict::kValid);
  }
}

class DiskFaultBetweenSyncsTest : public DiskFaultTest {
 protected:
  StoreOptions Options() override {
    StoreOptions options = DiskFaultTest::Options();
    options.durability = Durability::kInterval;
    options.write_buffer_bytes = 1 << 20;  // so that a log ends soon
    return options;
  }
};

// The first write to a new log fails while the flush that it came with is on its way to its thread.
// RocksDB forgot that flush, and waited for it.
TEST_F(DiskFaultBetweenSyncsTest, AFlushThatWasAboutToBeginIsDoneWhenThereIsRoom) {
  int taken = 0;
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    const int newest = std::stoi(Files(kLog).back().stem().string());
    for (int number = newest + 1; number < newest + 100; ++number) {
      const std::string digits = std::to_string(number);
      files_->Fail(Operation::kAppend, IOStatus::NoSpace("no space left"), digits + kLog);
    }
    const int before = taken;
    while (taken < before + 10'000 &&
           Insert("t" + std::to_string(taken), {.name = std::string(1000, 'n')}).status.ok()) {
      ++taken;
    }
    ASSERT_EQ(store_->state(), StoreState::kReadOnly);
    files_->Heal();
    PassRecoveryInterval();
    ASSERT_EQ(store_->state(), StoreState::kReady) << ReadOnlyReason();
  }
  Reopen();
  for (int i = 0; i < taken; ++i) ASSERT_EQ(Validate("t" + std::to_string(i)), Verdict::kValid);
}

// Some rows of an older log are in no file yet, so that it is still there.
TEST_F(DiskFaultBetweenSyncsTest, AMissingLogIsMissedBesideOthers) {
  const uint64_t in_files = store_->stats().disk_bytes;
  int inserted = 0;
  while (Files(kLog).size() < 2 && inserted < 10'000) {
    Insert("t" + std::to_string(inserted++), {.name = std::string(1000, 'n')});
  }
  // RocksDB's list of files tells of the new log once what the older one had is in a file.
  for (int tries = 0; store_->stats().disk_bytes == in_files; ++tries) {
    ASSERT_LT(tries, 10'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (int i = 0; i < 10; ++i) Revoke("t" + std::to_string(i));
  CloseStore();
  ASSERT_GE(Files(kLog).size(), 2u);
  std::filesystem::remove(Files(kLog).back());
  EXPECT_THAT(ReopenError(), HasSubstr(".log or a later one, is missing"));
}

// RocksDB syncs a log that has ended by itself, once its rows are in files.
TEST_F(DiskFaultBetweenSyncsTest, ASyncThatFailsInTheBackgroundMakesItReadOnly) {
  Insert("a");
  files_->Fail(Operation::kSync, IOStatus::IOError("the disk is gone"), kLog);
  const size_t logs = Files(kLog).size();
  for (int i = 0; Files(kLog).size() == logs && i < 10'000; ++i) {
    Insert("filler " + std::to_string(i), {.name = std::string(1000, 'n')});
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (files_->failures() == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_GT(files_->failures(), 0u);
  clock_.Advance(Options().sync_interval_ms);
  store_->Maintain();
  EXPECT_EQ(store_->state(), StoreState::kReadOnly);
  EXPECT_THAT(ReadOnlyReason(), HasSubstr("restart"));
  EXPECT_EQ(Validate("a"), Verdict::kValid);
  files_->Heal();
  Reopen();
  EXPECT_EQ(Validate("a"), Verdict::kValid);
}

// What RocksDB's own threads write: files of rows, and the list of them.
TEST_F(DiskFaultBetweenSyncsTest, AFileOrAListOfFilesThatCannotBeWrittenMakesItReadOnly) {
  int number = 0;
  for (const Operation operation : {Operation::kAppend, Operation::kSync}) {
    for (const char* file : {".sst", "MANIFEST"}) {
      SCOPED_TRACE(std::string(file) + (operation == Operation::kSync ? " sync" : " append"));
      Insert("live", {.replace = true});
      const int first = number;
      files_->Fail(operation, IOStatus::IOError("the disk is gone"), file);
      Outcome outcome;
      while (outcome.status.ok() && number < first + 100'000) {
        outcome = Insert("t" + std::to_string(number++), {.name = std::string(1000, 'n')});
      }
      ASSERT_EQ(outcome.status.code(), ErrorCode::kReadOnly);
      EXPECT_THAT(outcome.status.message(),
                  AllOf(HasSubstr("the disk is gone"), HasSubstr("restart")));
      EXPECT_EQ(store_->state(), StoreState::kReadOnly);
      EXPECT_EQ(Revoke("live").status.code(), ErrorCode::kNotDurable);
      EXPECT_EQ(Validate("live"), Verdict::kRevoked);
      EXPECT_EQ(Validate("t" + std::to_string(first)), Verdict::kValid);
      files_->Heal();
      PassRecoveryInterval();
      EXPECT_EQ(store_->state(), StoreState::kReadOnly);
      Reopen();
      EXPECT_EQ(store_->state(), StoreState::kReady);
      --number;  // the refused one
      for (int i = 0; i < number; ++i) {
        ASSERT_EQ(Validate("t" + std::to_string(i)), Verdict::kValid) << i;
      }
      EXPECT_EQ(Validate("t" + std::to_string(number)), Verdict::kUnknown);
    }
  }
}

// At whichever read it begins: a start is refused, or says that loading has failed and knows of
// each token what the disk still tells.
TEST_F(DiskFaultTest, AReadThatFailsInAStartMakesNothingUnknown) {
  FillFiles();
  Revoke("filler 3");
  Reopen();
  const auto check = [&](const std::string& token, Verdict expected) {
    Verdict verdict = Validate(token);
    if (verdict == Verdict::kUnavailable) {
      Store::DiskVerdict on_disk;
      const Status status =
          store_->ValidateFromDisk(store_->namespaces()->at(kNs).id, Key(token), &on_disk);
      if (!status.ok()) return;  // cannot say
      verdict = on_disk.verdict;
    }
    EXPECT_EQ(verdict, expected) << token;
  };
  int refused = 0, failed = 0;
  uint64_t reads = 0;
  for (bool all_well = false; !all_well; reads += 7) {
    SCOPED_TRACE(reads);
    ASSERT_LT(reads, 1000u);
    const uint64_t failures = files_->failures();
    files_->Fail(Operation::kRead, IOStatus::IOError("unreadable sector"), ".sst", reads);
    CloseStore();
    const Status status = Store::Open(Options(), &store_);
    if (!status.ok()) {
      ++refused;
      EXPECT_THAT(status.message(), HasSubstr("unreadable sector"));
    } else {
      store_->WaitUntilLoaded();
      reader_ = std::make_unique<TokenTable::Reader>(&store_->table());
      for (const char* token : {"filler 1", "filler 1999"}) check(token, Verdict::kValid);
      check("filler 3", Verdict::kRevoked);
      const std::string error = store_->stats().load_error;
      EXPECT_EQ(error.empty(), store_->state() == StoreState::kReady) << error;
      if (!error.empty()) {
        ++failed;
        EXPECT_THAT(error, HasSubstr("unreadable sector"));
      }
      all_well = files_->failures() == failures;
    }
    files_->Heal();
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(failed, 0);
  std::cout << reads << " reads, starts: " << refused << " refused, " << failed << " not loaded\n";
  EXPECT_THAT(ReopenError(), IsEmpty());
}

TEST_F(DiskFaultTest, WhatCannotBeReadIsRefusedAndValidateGoesOn) {
  Insert("a", {.owner = "bob"});
  FillFiles();
  files_->Fail(Operation::kRead, IOStatus::IOError("unreadable sector"), ".sst");
  std::optional<Record> record;
  const Status status = store_->Get(kNs, Key("a"), &record);
  EXPECT_EQ(status.code(), ErrorCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("unreadable sector"));
  // A revoke holds although its record cannot be read, and its sender knows that it is not durable.
  const Outcome revoked = Revoke("a");
  EXPECT_FALSE(revoked.status.ok());
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
  EXPECT_EQ(Validate("filler 7"), Verdict::kValid);
  files_->Heal();
  EXPECT_TRUE(Revoke("a").status.ok());
  Reopen();
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
}

TEST_F(DiskFaultTest, ADirectoryThatTakesNoFilesIsNamed) {
  files_->Fail(Operation::kCreate, IOStatus::IOError("Read-only file system"));
  const std::string error = ReopenError();
  EXPECT_THAT(error, AllOf(HasSubstr(dir_.path()), HasSubstr("Read-only file system")));
  files_->Heal();
  // It was taken for a lock.
  files_->Fail(Operation::kRead, IOStatus::Corruption("block checksum mismatch"), "MANIFEST");
  EXPECT_THAT(ReopenError(), AllOf(HasSubstr("is damaged"), HasSubstr("--repair")));
  files_->Heal();
  EXPECT_THAT(ReopenError(), IsEmpty());
}

TEST_F(DiskFaultTest, ATornEndOfTheLogIsDroppedAndDamageBeforeItIsNot) {
  for (int i = 0; i < 500; ++i) Insert("t" + std::to_string(i), {.name = std::string(200, 'n')});
  CloseStore();
  const auto log = Files(kLog).front();
  const std::string copy = dir_.path() + "/copy";
  std::filesystem::copy_file(log, copy);
  const uint64_t size = std::filesystem::file_size(log);
  const auto damage = [&](uint64_t at) {
    std::filesystem::copy_file(copy, log, std::filesystem::copy_options::overwrite_existing);
    std::fstream file(log, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file << "\x55\x55\x55\x55";
  };
  // Wherever it is, some later record tells that it had been synced.
  for (const uint64_t at : {uint64_t{100}, size / 3, size / 2, size - 40000}) {
    damage(at);
    EXPECT_THAT(ReopenError(),
                AllOf(HasSubstr("which were acknowledged, cannot be read"), HasSubstr("--repair")))
        << at << " of " << size;
    EXPECT_TRUE(std::filesystem::exists(log));
  }
  // The last record is the clean stop's, which nothing was acknowledged by.
  damage(size - 10);
  EXPECT_THAT(ReopenError(), IsEmpty());
  for (int i = 0; i < 500; ++i) ASSERT_EQ(Validate("t" + std::to_string(i)), Verdict::kValid) << i;
}

TEST_F(DiskFaultTest, AMissingLogIsMissed) {
  Insert("a");
  const auto without_newest_log = [&] {
    CloseStore();
    const auto log = Files(kLog).back();
    const std::string copy = dir_.path() + "/copy";
    std::filesystem::rename(log, copy);
    EXPECT_THAT(ReopenError(), AllOf(HasSubstr(".log or a later one, is missing"),
                                     HasSubstr("--repair"), HasSubstr("backup")));
    CloseStore();
    std::filesystem::rename(copy, log);
    EXPECT_THAT(ReopenError(), IsEmpty());
  };
  without_newest_log();
  Revoke("a");
  without_newest_log();
  without_newest_log();  // with nothing that counts in it
  EXPECT_EQ(Validate("a"), Verdict::kRevoked);
}

TEST_F(DiskFaultTest, DamageIsNamedAndWhatToDoAboutIt) {
  FillFiles();
  const auto what_to_do = AllOf(HasSubstr("--repair"), HasSubstr("backup"));
  const auto with_copy = [&](const std::filesystem::path& path, const auto& damage) {
    SCOPED_TRACE(path);
    CloseStore();
    const std::string copy = dir_.path() + "/copy";
    std::filesystem::copy_file(path, copy);
    damage(path);
    EXPECT_THAT(ReopenError(), AllOf(HasSubstr(path.stem().string()), what_to_do));
    CloseStore();
    std::filesystem::remove(path);
    std::filesystem::rename(copy, path);
    EXPECT_THAT(ReopenError(), IsEmpty());
  };
  const auto remove = [](const std::filesystem::path& path) { std::filesystem::remove(path); };
  const auto truncate = [](const std::filesystem::path& path) {
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  };
  const auto overwrite = [](const std::filesystem::path& path) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(path) / 3));
    file << std::string(64, '\x55');
  };
  const auto largest = [&] {
    std::vector<std::filesystem::path> files = Files(".sst");
    return *std::max_element(files.begin(), files.end(), [](const auto& a, const auto& b) {
      return std::filesystem::file_size(a) < std::filesystem::file_size(b);
    });
  };
  with_copy(largest(), remove);
  with_copy(largest(), truncate);
  with_copy(largest(),
            [](const std::filesystem::path& path) { std::filesystem::resize_file(path, 0); });
  with_copy(largest(), overwrite);
  const std::string db = dir_.path() + "/data/db";
  for (const auto& entry : std::filesystem::directory_iterator(db)) {
    if (entry.path().filename().string().starts_with("MANIFEST-")) {
      with_copy(entry.path(), remove);
      break;
    }
  }
  with_copy(db + "/CURRENT",
            [](const std::filesystem::path& path) { std::ofstream(path) << "not a manifest\n"; });
}

}  // namespace
}  // namespace tokend
