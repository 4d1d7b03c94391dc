// RocksDB's file system on a disk that does what disks do: it forgets what was not synced when the
// power goes, runs full, and fails.
//
// It writes into real files and never syncs them: what it says is synced is what a test finds after
// Lose(). Thread-safe.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tokend::testing {

class FaultFileSystem : public rocksdb::FileSystemWrapper {
 public:
  enum class Operation : uint8_t { kCreate, kAppend, kSync, kRead };

  FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "FaultFileSystem"; }

  // The power goes: from now on nothing reaches the disk, and every write is an error.
  void Cut();
  // The same for a process that is as good as gone: a sync does nothing and says that it was done.
  // What the process acknowledges from now on means nothing.
  void CutUnseen();
  // After Cut(), with everything closed: what was not synced is lost, or torn. A file made or
  // renamed in a directory that was not synced since is not there, or not under its new name. A
  // file's unsynced end is cut at random, and pages of what is left may hold zeros. The power is
  // back then.
  void Lose(std::mt19937_64* random);
  // After Cut(), with everything closed: it was only the process that ended, and all it wrote is
  // there, synced or not.
  void Keep();

  // From now on that operation fails on files whose path contains `in`, until Heal(); but for the
  // first `spared` of them.
  void Fail(Operation operation, const rocksdb::IOStatus& status, std::string in = {},
            uint64_t spared = 0);
  // And there is plenty of room again.
  void Heal();
  // How many operations have failed so.
  uint64_t failures() const { return failures_; }
  // A disk that is slow: each sync takes so long.
  void SetSyncTime(std::chrono::microseconds time) { sync_time_us_ = time.count(); }
  // A file system without direct writes: to open a file for them is an error. How often it was.
  void RefuseDirectWrites() { refuses_direct_ = true; }
  uint64_t direct_refusals() const { return direct_refusals_; }
  // What the disk says it has free, whatever it has. Less with each append.
  void SetFreeBytes(uint64_t bytes) { free_bytes_ = bytes; }

  // --- what RocksDB calls ---
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 uint64_t* bytes, rocksdb::IODebugContext* debug) override;
  // Where RocksDB makes a log of what it does, that is a file of this disk, too.
  rocksdb::IOStatus NewLogger(const std::string& path, const rocksdb::IOOptions& options,
                              std::shared_ptr<rocksdb::Logger>* logger,
                              rocksdb::IODebugContext* debug) override {
    return FileSystem::NewLogger(path, options, logger, debug);
  }
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

 private:
  // A file that was written since the last loss.
  struct File {
    uint64_t size = 0;
    uint64_t synced = 0;
  };
  // A change to a directory that was not synced yet.
  struct Change {
    std::string made;                     // goes again
    std::string renamed_from;             // gets its name back; empty for a new file
    std::optional<std::string> replaced;  // the content of what stood under `made`
  };
  class WritableFile;
  class SequentialFile;
  class RandomAccessFile;
  class Directory;

  // Held shared by each operation, so that Cut() is between two of them.
  std::shared_lock<std::shared_mutex> Begin() { return std::shared_lock(power_); }
  rocksdb::IOStatus Check(Operation operation, std::string_view path);
  void NoteMade(const std::string& path, std::optional<std::string> replaced,
                const std::string& renamed_from = {});
  void NoteSynced(const std::string& directory);

  struct Fault {
    Operation operation;
    rocksdb::IOStatus status;
    std::string in;
    uint64_t spared;
  };

  std::atomic<uint64_t> failures_{0};
  std::atomic<int64_t> sync_time_us_{0};
  std::atomic<bool> refuses_direct_{false};
  std::atomic<uint64_t> direct_refusals_{0};
  std::atomic<uint64_t> free_bytes_{uint64_t{1} << 40};
  mutable std::shared_mutex power_;
  bool cut_ = false, unseen_ = false;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Fault> faults_;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::map<std::string, std::vector<Change>> changes_;  // by directory, in their order
};

}  // namespace tokend::testing
