// Database: the RocksDB under a store. Opens it, knows its column families and their options, and
// turns RocksDB's words into ours.
//
// Threads: everything after Open may be called from any thread. Ownership: owns the handles; views
// and iterators must be gone before it is destroyed.
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/error.h"
#include "storage/rocksdb_numbers.h"
#include "storage/stored_record.h"
#include "storage/token_table.h"

namespace rocksdb {
class SstFileWriter;
}

namespace tokend {

struct DatabaseOptions {
  std::string data_dir;
  rocksdb::Env* env = nullptr;  // null = rocksdb::Env::Default()
  size_t block_cache_bytes = 0;
  size_t write_buffer_bytes = 0;
  // Rows kept from a time at or before this one have served their retention. Any thread.
  std::function<uint64_t()> reclaim_before_ms;
};

class Database {
 public:
  enum Family : uint8_t { kMeta, kTokens, kOwners, kExpiry, kUsage, kFamilyCount };

  static Status Open(const DatabaseOptions& options, std::unique_ptr<Database>* database);
  // The one in `path`, changing nothing. kStrict: nothing behind a fault, in the log or in the list
  // of its files; kTolerant: what can be read, whatever is missing before it.
  enum class Reading : uint8_t { kStrict, kTolerant };
  static rocksdb::Status OpenReadOnly(const DatabaseOptions& options, const std::string& path,
                                      Reading reading, std::unique_ptr<Database>* database);
  // Says which log is not there; empty where none is missing.
  static std::string MissingLog(const DatabaseOptions& options);
  // Says what the log has lost although it had been synced; empty where that is nothing.
  static std::string LostFromLogs(const DatabaseOptions& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB* db() { return db_.get(); }
  rocksdb::ColumnFamilyHandle* family(Family family) { return handles_[family]; }

  // Of one token, as the disk has it, past its retention or not; nullopt where there is none. The
  // record's namespace_name is left empty; usage is not in it.
  Status ReadRecord(NamespaceId ns, const TokenKey& key, std::optional<StoredRecord>* stored);
  Status ReadMeta(std::string_view row_key, std::optional<std::string>* value);
  // On the disk when it returns.
  Status WriteMeta(std::string_view row_key, std::string_view value);
  // Past its retention: counts as absent, compacted away yet or not.
  bool IsReclaimable(uint64_t kept_from_ms) const {
    return kept_from_ms != kNever && kept_from_ms <= reclaim_before_ms_();
  }
  // Whether so much is free on the disk, as far as the system says.
  bool HasRoom(uint64_t free_bytes) const;
  // Everything that was written is on the disk when it returns.
  rocksdb::Status SyncLog();
  // After a write failed: whether that may end by itself. A disk that was full may have room again;
  // after a failed fsync nobody knows what is on the disk, until a restart has read it.
  bool MayRecover(const rocksdb::Status& status) const;
  // Tries to take writes again. Nothing may be written meanwhile.
  rocksdb::Status Recover();
  rocksdb::Iterator* NewIterator(Family family, const rocksdb::Slice* upper_bound = nullptr);

  // Files that are written beside the database and then become part of it. Their paths by family;
  // empty where there is none.
  using RunFiles = std::array<std::string, kFamilyCount>;
  // A new file's path. Those that a crash leaves go when the database is opened.
  std::string NewRunFile(Family family);
  rocksdb::Status OpenRunFile(Family family, const std::string& path,
                              std::unique_ptr<rocksdb::SstFileWriter>* writer);
  // All of them or none, on the disk when it returns. Their rows are newer than what is there.
  rocksdb::Status TakeRun(const RunFiles& files);
  // Leaves *files empty.
  void DeleteRun(RunFiles* files);
  // While many runs come, compactions wait until there are more files for each of them: else the
  // same rows are written again and again. May take some milliseconds.
  void DeferCompactions(bool defer);

  uint64_t EstimateTokens();
  uint64_t DiskBytes();
  uint64_t MemoryBytes();  // block cache, write buffers, table readers
  RocksDbNumbers numbers();

 private:
  explicit Database(const DatabaseOptions& options);
  Status CheckFormat(bool is_new);
  // Makes the directory of run files, without any.
  Status ClearRuns();
  uint64_t RowsInMemory() const;  // and in no file, nor on its way into one

  class SyncWatch;

  const std::function<uint64_t()> reclaim_before_ms_;
  const std::string path_;
  const std::string runs_path_;
  std::atomic<uint64_t> run_files_made_{0};
  const std::shared_ptr<SyncWatch> sync_watch_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::shared_ptr<rocksdb::Cache> block_cache_;
};

// What to do about damage, for the end of a message.
inline constexpr const char* kDamageAdvice =
    "restore it from a backup, or keep what can be read with tokend --repair";

// A time for a message, to the second.
std::string UtcText(uint64_t unix_ms);

// RocksDB's own words, for a message.
std::string RocksDbText(const rocksdb::Status& status);

// RocksDB's status as one of ours, with what was being done in front.
Status FromRocksDb(const rocksdb::Status& status, std::string_view doing);

}  // namespace tokend
