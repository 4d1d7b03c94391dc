#include "storage/repair.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "storage/clock.h"
#include "storage/crash_point.h"
#include "storage/database.h"
#include "storage/database_options.h"
#include "storage/directory_lock.h"
#include "storage/rows.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBatchBytes = 1 << 20;
constexpr size_t kBlockCacheBytes = 32 << 20;
constexpr size_t kWriteBufferBytes = 64 << 20;
// After an unreadable place the next one tried begins with another value of so many bytes of the
// key: keys are digests, so that is one 65,536th of a namespace.
constexpr size_t kSkipBytes = kNamespaceIdBytes + 2;

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// The least key that begins otherwise than `key` in its first `bytes`; empty if there is none.
std::string After(std::string_view key, size_t bytes) {
  std::string next(key.substr(0, bytes));
  next.resize(bytes, '\0');
  while (!next.empty() && next.back() == '\xff') next.pop_back();
  if (!next.empty()) next.back() = static_cast<char>(next.back() + 1);
  return next;
}

Status Cannot(const std::string& doing, const rocksdb::Status& status) {
  return {ErrorCode::kInternal, "cannot " + doing + ": " + status.ToString()};
}

class Repair {
 public:
  Repair(const std::string& data_dir, RepairReport* report)
      : data_dir_(data_dir),
        old_path_(data_dir + "/db"),
        work_dir_(data_dir + "/repair"),
        aside_path_(work_dir_ + "/aside"),
        report_(report) {}
  ~Repair() {
    target_.reset();
    source_.reset();
    if (database_lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(database_lock_);
    if (lock_ == nullptr) return;  // what is there may be another's
    std::error_code ignored;
    fs::remove_all(work_dir_, ignored);
  }
  Repair(const Repair&) = delete;
  Repair& operator=(const Repair&) = delete;

  Status Run() {
    if (!fs::exists(old_path_) && !fs::exists(aside_path_)) {
      return {ErrorCode::kInternal, "there is no database in " + data_dir_ + " to repair"};
    }
    if (Status status = DirectoryLock::Take(data_dir_, &lock_); !status.ok()) return status;
    if (!fs::exists(old_path_)) UndoSwap();
    if (!rocksdb::Env::Default()->LockFile(old_path_ + "/LOCK", &database_lock_).ok()) {
      return {ErrorCode::kInternal,
              "data directory " + data_dir_ + " is in use; stop its tokend first"};
    }
    fs::remove_all(work_dir_);  // of a repair that was cut short
    fs::create_directory(work_dir_);
    Status status = OpenSource();
    if (status.ok()) status = OpenTarget();
    if (status.ok()) status = CopyMeta();
    if (status.ok()) status = CopyTokens();
    if (status.ok()) status = CopyUsage();
    if (status.ok()) status = WriteBatch();
    if (status.ok()) status = CloseTarget();
    if (status.ok()) status = Swap();
    return status;
  }

 private:
  DatabaseOptions Options(const std::string& data_dir) const {
    DatabaseOptions options;
    options.data_dir = data_dir;
    options.block_cache_bytes = kBlockCacheBytes;
    options.write_buffer_bytes = kWriteBufferBytes;
    options.reclaim_before_ms = [] { return uint64_t{0}; };  // reclaiming is not its business
    return options;
  }

  Status OpenSource() {
    if (const std::string lost = Database::LostFromLogs(Options(data_dir_)); !lost.empty()) {
      report_->losses.push_back(lost + "; revoke again what was revoked then");
    }
    const auto opened = Database::OpenReadOnly(Options(data_dir_), old_path_,
                                               Database::Reading::kTolerant, &source_);
    if (opened.ok()) return {};
    // The list of the files is damaged, or names some that are gone. It is made anew from those
    // that are there, on a copy: RocksDB's own repair moves and deletes files.
    const std::string salvage = work_dir_ + "/salvage";
    LinkFiles(salvage + "/db");
    const DatabaseOptions options = Options(salvage);
    const auto repaired =
        rocksdb::RepairDB(salvage + "/db", MakeDbOptions(options),
                          MakeFamilies(options, rocksdb::NewLRUCache(kBlockCacheBytes)));
    if (!repaired.ok()) return Cannot("read any of the database", repaired);
    // To be written to, since families of which no file is left have to be made.
    if (Status status = Database::Open(options, &source_); !status.ok()) return status;
    report_->losses.push_back(
        "the list of the database's files could not be used (" + opened.ToString() +
        ") and was made anew: what was revoked or changed last may be as it was before; revoke "
        "again what was revoked since the last backup");
    return {};
  }

  void LinkFiles(const std::string& to) {
    fs::create_directories(to);
    for (const auto& entry : fs::directory_iterator(old_path_)) {
      const fs::path copy = fs::path(to) / entry.path().filename();
      // The repair writes to the log's files; the others never change.
      if (entry.path().extension() == ".sst") fs::create_hard_link(entry.path(), copy);
      if (entry.path().extension() == ".log") fs::copy_file(entry.path(), copy);
    }
  }

  Status OpenTarget() {
    report_->tokens_estimate = source_->EstimateTokens();
    return Database::Open(Options(work_dir_), &target_);
  }

  std::unique_ptr<rocksdb::Iterator> NewIterator(Database::Family family) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    return std::unique_ptr<rocksdb::Iterator>(
        source_->db()->NewIterator(options, source_->family(family)));
  }

  // Without its namespaces and cut-offs no token means anything.
  Status CopyMeta() {
    const auto it = NewIterator(Database::kMeta);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (View(it->key()) == kFormatRow && View(it->value()) != std::to_string(kFormatVersion)) {
        return {ErrorCode::kInternal, "the data directory has format " + it->value().ToString() +
                                          "; use the tokend that wrote it"};
      }
      Put(Database::kMeta, View(it->key()), View(it->value()));
    }
    if (it->status().ok()) return {};
    return {ErrorCode::kInternal,
            "the namespaces and owners' cut-offs cannot be read (" + it->status().ToString() +
                "), and without them revoked tokens would be good again; restore from a backup"};
  }

  Status CopyTokens() {
    uint64_t undecodable = 0;
    Status written;
    const uint64_t places =
        Walk(Database::kTokens, [&](std::string_view key, std::string_view value) {
          StoredRecord stored;
          if (key.size() != kTokenRowKeyBytes || !DecodeStoredRecord(value, &stored)) {
            ++undecodable;
            return;
          }
          const TokenRowName name = ParseTokenRowKey(key);
          stored.record.key = name.key;
          const std::string index_value = IndexRowValue(stored);
          Put(Database::kTokens, key, value);
          Put(Database::kExpiry, IndexRowKey(ExpiryIndexPrefix(name.ns), IndexEntryOf(stored)),
              index_value);
          if (stored.record.owner) {
            Put(Database::kOwners,
                IndexRowKey(OwnerIndexPrefix(name.ns, *stored.record.owner), IndexEntryOf(stored)),
                index_value);
          }
          ++report_->tokens;
          if (written.ok() && batch_.GetDataSize() >= kBatchBytes) written = WriteBatch();
        });
    if (undecodable != 0) {
      report_->losses.push_back(std::to_string(undecodable) +
                                " records could not be understood; their tokens are gone");
    }
    Lost(places, "tokens", "tokens that stood there are gone");
    return written;
  }

  Status CopyUsage() {
    Status written;
    const uint64_t places =
        Walk(Database::kUsage, [&](std::string_view key, std::string_view value) {
          Put(Database::kUsage, key, value);
          if (written.ok() && batch_.GetDataSize() >= kBatchBytes) written = WriteBatch();
        });
    Lost(places, "usage", "last_used_at and use_count of some tokens are gone");
    return written;
  }

  void Lost(uint64_t places, const std::string& of, const std::string& what) {
    if (places == 0) return;
    report_->losses.push_back(std::to_string(places) + " places of the " + of +
                              " could not be read; " + what);
  }

  // Gives each row that can be read, and how many places could not be.
  template <typename Take>
  uint64_t Walk(Database::Family family, Take take) {
    const auto it = NewIterator(family);
    uint64_t places = 0;
    std::string from;  // where to go on
    do {
      for (it->Seek(from); it->Valid(); it->Next()) {
        from = it->key().ToString();
        take(View(it->key()), View(it->value()));
      }
      if (it->status().ok()) break;
      ++places;
      from = After(from, kSkipBytes);
    } while (!from.empty());
    return places;
  }

  void Put(Database::Family family, std::string_view key, std::string_view value) {
    batch_.Put(target_->family(family), rocksdb::Slice(key.data(), key.size()),
               rocksdb::Slice(value.data(), value.size()));
  }
  Status WriteBatch() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;  // flushed at the end, and nothing before it counts
    const auto status = target_->db()->Write(options, &batch_);
    batch_.Clear();
    return status.ok() ? Status() : Cannot("write the new database", status);
  }

  Status CloseTarget() {
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    families.reserve(Database::kFamilyCount);
    for (int i = 0; i < Database::kFamilyCount; ++i) {
      families.push_back(target_->family(static_cast<Database::Family>(i)));
    }
    const auto status = target_->db()->Flush(rocksdb::FlushOptions(), families);
    target_.reset();
    return status.ok() ? Status() : Cannot("write the new database", status);
  }

  Status Swap() {
    const std::string name = "db.damaged-" + std::to_string(SystemClock().NowMs() / 1000);
    report_->old_database = data_dir_ + "/" + name;
    const auto noted = rocksdb::WriteStringToFile(rocksdb::Env::Default(), name, aside_path_,
                                                  /*should_sync=*/true);
    if (!noted.ok()) return Cannot("put the old database aside", noted);
    TOKEND_CRASH_POINT("repair.copied");
    fs::rename(old_path_, report_->old_database);
    TOKEND_CRASH_POINT("repair.renamed");
    std::error_code error;
    fs::rename(work_dir_ + "/db", old_path_, error);
    if (!error) return {};
    UndoSwap();
    return {ErrorCode::kInternal, "cannot make " + old_path_ + ": " + error.message()};
  }

  // Between the two renames there is no database, and after a crash there nobody has been told what
  // the new one lacks: so the old one comes back, to be repaired again.
  void UndoSwap() {
    std::string name;
    std::ifstream(aside_path_) >> name;
    fs::rename(data_dir_ + "/" + name, old_path_);
  }

  const std::string data_dir_, old_path_, work_dir_;
  const std::string aside_path_;  // a file with the name of the old database while it is put aside
  RepairReport* const report_;
  std::unique_ptr<DirectoryLock> lock_;
  rocksdb::FileLock* database_lock_ = nullptr;  // RocksDB's own
  std::unique_ptr<Database> source_, target_;
  rocksdb::WriteBatch batch_;
};

}  // namespace

Status RepairDataDirectory(const std::string& data_dir, RepairReport* report) {
  *report = RepairReport();
  try {
    return Repair(data_dir, report).Run();
  } catch (const fs::filesystem_error& error) {
    return {ErrorCode::kInternal, std::string("cannot repair: ") + error.what()};
  }
}

}  // namespace tokend
