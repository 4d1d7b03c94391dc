#include "storage/repair.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
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
#include "storage/repair_source.h"
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
      report_->losses.push_back(
          lost +
          "; tokens that were revoked then may be good again: revoke again what "
          "was revoked then");
    }
    missing_log_ = Database::MissingLog(Options(data_dir_));
    source_ = std::make_unique<RepairSource>(Options(data_dir_), work_dir_);
    if (Status status = source_->Open(); !status.ok()) return status;
    for (const RepairSource::LostTable& table : source_->lost_tables()) {
      const std::string what = "db/" + table.name + " " + table.fault;
      if (table.family == Database::kMeta) return WithoutMeta(what);
      if (table.family == Database::kOwners || table.family == Database::kExpiry) {
        report_->notes.push_back(what + "; it is an index, which was made anew");
      } else {
        report_->losses.push_back(what + (table.family == Database::kTokens
                                              ? "; it had records of tokens"
                                              : "; it had uses of tokens"));
      }
    }
    if (!source_->lost_list().empty()) {
      report_->losses.push_back(
          "the list of the database's files could not be used (" + source_->lost_list() +
          ") and was made anew: what was revoked or changed last may be as it was before; revoke "
          "again what was revoked since the last backup");
    }
    tokens_lost_ = source_->HasLostTableOf(Database::kTokens);
    index_is_whole_ = source_->lost_list().empty() && !source_->HasLostTableOf(Database::kExpiry);
    return {};
  }

  static Status WithoutMeta(const std::string& why) {
    return {ErrorCode::kInternal,
            "the namespaces and owners' cut-offs cannot be read (" + why +
                "), and without them revoked tokens would be good again; restore from a backup"};
  }

  Status OpenTarget() {
    report_->tokens_estimate = source_->EstimateRows(Database::kTokens);
    return Database::Open(Options(work_dir_), &target_);
  }

  // Without its namespaces and cut-offs no token means anything.
  Status CopyMeta() {
    const auto it = source_->NewIterator(Database::kMeta);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (View(it->key()) == kFormatRow && View(it->value()) != std::to_string(kFormatVersion)) {
        return {ErrorCode::kInternal, "the data directory has format " + it->value().ToString() +
                                          "; use the tokend that wrote it"};
      }
      CopyMetaRow(View(it->key()), View(it->value()));
    }
    return it->status().ok() ? Status() : WithoutMeta(it->status().ToString());
  }

  void CopyMetaRow(std::string_view key, std::string_view value) {
    NamespaceId ns = 0;
    DigestScheme scheme{};
    std::string name;
    if (key.starts_with(kNamespaceRowPrefix) &&
        DecodeNamespaceRow(key, value, &ns, &scheme, &name)) {
      namespaces_.push_back(ns);
    }
    CutoffRow cutoff;
    if (tokens_lost_ && key.starts_with(kCutoffRowPrefix) && DecodeCutoffRow(value, &cutoff)) {
      // Records that are older than the lost ones may not say so: the server sweeps again.
      if (cutoff.swept) cutoff.at_ms = SystemClock().NowMs();
      cutoff.swept = false;
      Put(Database::kMeta, key, EncodeCutoffRow(cutoff));
      return;
    }
    Put(Database::kMeta, key, value);
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
          last_change_ms_ = std::max(last_change_ms_, stored.record.updated_at_ms);
          const TokenRowName name = ParseTokenRowKey(key);
          stored.record.key = name.key;
          const std::string expiry_row =
              IndexRowKey(ExpiryIndexPrefix(name.ns), IndexEntryOf(stored));
          if (tokens_lost_ && index_is_whole_ && !IsInIndex(expiry_row)) return;
          const std::string index_value = IndexRowValue(stored);
          Put(Database::kTokens, key, value);
          Put(Database::kExpiry, expiry_row, index_value);
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
    if (places != 0) report_->losses.push_back("parts of the records of tokens cannot be read");
    if (!missing_log_.empty()) {
      report_->losses.push_back(missing_log_ + ": tokens that were revoked after " +
                                UtcText(last_change_ms_) +
                                ", when the last change was made that is left, are good again: "
                                "revoke again what was revoked since then");
    }
    if (undecodable != 0 || places != 0 || tokens_lost_) SayWhatIsGone();
    return written;
  }

  // Whether this is the newest state of its token, as far as whether it is good goes: a revoke and
  // a change of its expiry move a token's row in the index.
  bool IsInIndex(const std::string& row_key) {
    std::string ignored;
    return source_->Get(Database::kExpiry, row_key, &ignored).ok();
  }

  void SayWhatIsGone() {
    uint64_t rows = 0;
    const bool counted = index_is_whole_ &&
                         Walk(Database::kExpiry, [&](std::string_view /*key*/,
                                                     std::string_view /*value*/) { ++rows; }) == 0;
    if (counted) report_->tokens_estimate = std::max(rows, report_->tokens);
    const std::string count = counted ? std::to_string(report_->tokens_estimate - report_->tokens)
                                      : "an unknown number of";
    report_->losses.push_back(count + " tokens that stood there are gone, and unknown from now on");
    if (!tokens_lost_ || !source_->lost_list().empty()) return;
    uint64_t oldest_ms = UINT64_MAX;
    for (const RepairSource::LostTable& table : source_->lost_tables()) {
      if (table.family == Database::kTokens) oldest_ms = std::min(oldest_ms, table.oldest_ms);
    }
    const std::string since = oldest_ms == 0 ? "the last backup" : UtcText(oldest_ms);
    report_->losses.push_back(
        index_is_whole_
            ? "scopes and attributes of other tokens may be as they were before they were changed, "
              "where that was after " +
                  since
            : "an index is damaged as well, so tokens may be as they were before they were revoked "
              "or changed, where that was after " +
                  since + "; revoke again what was revoked since then");
  }

  Status CopyUsage() {
    Status written;
    const uint64_t places =
        Walk(Database::kUsage, [&](std::string_view key, std::string_view value) {
          Put(Database::kUsage, key, value);
          if (written.ok() && batch_.GetDataSize() >= kBatchBytes) written = WriteBatch();
        });
    if (places != 0 || source_->HasLostTableOf(Database::kUsage)) {
      report_->losses.push_back("last_used_at and use_count of some tokens are gone");
    }
    return written;
  }

  // Gives each row of the namespaces that can be read, and how many places could not be: a 65,536th
  // of a namespace each, or less.
  template <typename Take>
  uint64_t Walk(Database::Family family, Take take) {
    const auto it = source_->NewIterator(family);
    uint64_t places = 0;
    for (const NamespaceId ns : namespaces_) {
      const std::string prefix = NamespacePrefix(ns);
      std::string from = prefix;  // where to go on
      while (from.starts_with(prefix)) {
        for (it->Seek(from); it->Valid() && it->key().starts_with(prefix); it->Next()) {
          from = it->key().ToString();
          take(View(it->key()), View(it->value()));
        }
        if (it->status().ok()) break;
        ++places;
        from = After(from, kSkipBytes);
      }
    }
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
  std::unique_ptr<RepairSource> source_;
  std::unique_ptr<Database> target_;
  std::vector<NamespaceId> namespaces_;
  std::string missing_log_;
  uint64_t last_change_ms_ = 0;  // of those that are left
  bool tokens_lost_ = false;     // a file of their records, and so the newest of some
  bool index_is_whole_ = false;  // that of expiry, by which older ones are told
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
