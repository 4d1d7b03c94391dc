#include "storage/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "storage/crash_point.h"
#include "storage/crash_point_rocksdb.h"
#include "storage/database_options.h"
#include "storage/log_claim.h"
#include "storage/rows.h"

namespace tokend {
namespace {

// Times as many that have not been compacted yet, while compactions are deferred. A run of an
// import adds two to level 0: its own, and one of what the memtable had before.
constexpr int kDeferredFiles = 16;
// The disk begins with a run's file while it is still being written: less to wait for at its end.
constexpr uint64_t kRunBytesPerSync = 2 << 20;

Status OpenError(const rocksdb::Status& status, const std::string& data_dir) {
  const std::string text = RocksDbText(status);
  if (status.IsIOError() && text.find("/LOCK") != std::string::npos) {
    return {ErrorCode::kInternal, "data directory " + data_dir +
                                      " is in use by another tokend; stop that one, or give this "
                                      "one its own with --data-dir"};
  }
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return {ErrorCode::kInternal,
            "data directory " + data_dir + " is damaged: " + text + "; " + kDamageAdvice};
  }
  return {ErrorCode::kInternal, "cannot open data directory " + data_dir + ": " + text};
}

bool HoldsData(rocksdb::Env* env, const std::string& path) {
  std::vector<std::string> names;
  if (!env->GetChildren(path, &names).ok()) return false;
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    uint64_t bytes = 0;
    return name.ends_with(".sst") ||
           (name.ends_with(".log") && env->GetFileSize(path + "/" + name, &bytes).ok() &&
            bytes != 0);
  });
}

// What was to become the database of this directory when a crash came. An empty one in its place
// would not know a single token.
Status CutShort(rocksdb::Env* env, const std::string& data_dir) {
  for (const char* doing : {"repair", "restore"}) {
    if (!env->FileExists(std::string(data_dir).append("/").append(doing)).ok()) continue;
    return {ErrorCode::kInternal, std::string("a ").append(doing).append(" of data directory ") +
                                      data_dir +
                                      " was cut short and left no database; run it again"};
  }
  return {};
}

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

std::string RocksDbText(const rocksdb::Status& status) {
  std::string text = status.ToString();
  // Between what it says of a file that is too short and the file's name it puts nothing.
  constexpr std::string_view kTooShort = "to be an sstable";
  const size_t at = text.find(kTooShort);
  if (at != std::string::npos) text.insert(at + kTooShort.size(), ": ");
  return text;
}

std::string UtcText(uint64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc)};
}

Status FromRocksDb(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return {};
  std::string message = std::string(doing) + ": " + RocksDbText(status);
  if (status.IsCorruption()) message.append("; ").append(kDamageAdvice);
  return {ErrorCode::kInternal, std::move(message)};
}

// Notes a failed fsync of any file, which RocksDB's status does not tell from other errors, and a
// log that has failed in any way.
class Database::SyncWatch : public rocksdb::EventListener {
 public:
  bool ShouldBeNotifiedOnFileIO() override { return true; }
  void OnIOError(const rocksdb::IOErrorInfo& info) override {
    using Operation = rocksdb::FileOperationType;
    if (info.operation == Operation::kSync || info.operation == Operation::kFsync ||
        info.operation == Operation::kRangeSync) {
      failed_.store(true, std::memory_order_release);
    }
    if (info.operation != Operation::kRead && info.file_path.ends_with(".log")) {
      log_failed_.store(true, std::memory_order_release);
    }
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    // Where RocksDB finds an error fatal, it takes nothing more until it is opened again.
    if (error->severity() > rocksdb::Status::Severity::kHardError) {
      failed_.store(true, std::memory_order_release);
    }
    if (reason != rocksdb::BackgroundErrorReason::kFlush) AwaitFlushThread();
  }
  // From when on the database is open.
  void Watch(rocksdb::DB* db) { db_.store(db, std::memory_order_release); }
  void OnLogBegunAnew() { log_failed_.store(false, std::memory_order_release); }
  // When to try again is for the Committer to say.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  void OnFileSyncFinish(const rocksdb::FileOperationInfo& info) override {
    if (!info.path.ends_with(".log")) return;
    log_syncs_total_.fetch_add(1, std::memory_order_relaxed);
    log_sync_us_total_.fetch_add(
        static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(info.duration).count()),
        std::memory_order_relaxed);
  }
  uint64_t log_syncs_total() const { return log_syncs_total_.load(std::memory_order_relaxed); }
  uint64_t log_sync_us_total() const { return log_sync_us_total_.load(std::memory_order_relaxed); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  bool log_failed() const { return log_failed_.load(std::memory_order_acquire); }

 private:
  static constexpr std::chrono::seconds kFlushThreadPatience{5};

  // Once this error is known to RocksDB, a flush that was given to its thread, and has not begun
  // there, never does, nor is it begun anew: Resume() would wait for it without an end. A log fails
  // just then most often, since with the first flush comes a new one, for which there is no room.
  void AwaitFlushThread() {
    rocksdb::DB* const db = db_.load(std::memory_order_acquire);
    if (db == nullptr) return;
    const auto deadline = std::chrono::steady_clock::now() + kFlushThreadPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      uint64_t pending = 0;
      uint64_t running = 0;  // one at most
      db->GetAggregatedIntProperty(rocksdb::DB::Properties::kMemTableFlushPending, &pending);
      db->GetIntProperty(rocksdb::DB::Properties::kNumRunningFlushes, &running);
      if (pending == 0 || running != 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::atomic<rocksdb::DB*> db_{nullptr};
  std::atomic<bool> failed_{false};
  std::atomic<bool> log_failed_{false};
  std::atomic<uint64_t> log_syncs_total_{0}, log_sync_us_total_{0};
};

Database::Database(const DatabaseOptions& options)
    : reclaim_before_ms_(options.reclaim_before_ms),
      path_(options.data_dir + "/db"),
      runs_path_(options.data_dir + "/import"),
      sync_watch_(std::make_shared<SyncWatch>()),
      block_cache_(rocksdb::NewLRUCache(options.block_cache_bytes)) {}

Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  if (db_ != nullptr) db_->Close().PermitUncheckedError();
}

Status Database::Open(const DatabaseOptions& options, std::unique_ptr<Database>* database) {
  rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  // Compactions give way to answers. Flushes do not: on a busy machine writes would wait for them.
  (void)env->LowerThreadPoolCPUPriority(rocksdb::Env::Priority::LOW, rocksdb::CpuPriority::kLow);
  std::unique_ptr<Database> opened(new Database(options));
  const std::string& path = opened->path_;
  if (const auto made = env->CreateDirIfMissing(options.data_dir); !made.ok()) {
    return {ErrorCode::kInternal, "cannot make data directory " + options.data_dir + ": " +
                                      made.ToString() +
                                      "; give one that can be written with "
                                      "--data-dir"};
  }
  const bool is_new = !env->FileExists(path + "/CURRENT").ok();
  // RocksDB would make a new database here, and delete what it takes for left over.
  if (is_new && HoldsData(env, path)) {
    return {ErrorCode::kInternal, "data directory " + options.data_dir +
                                      " is damaged: db/CURRENT is missing; " + kDamageAdvice};
  }
  if (Status cut_short = CutShort(env, options.data_dir); is_new && !cut_short.ok()) {
    return cut_short;
  }
  if (!is_new) {
    std::vector<std::string> names;
    rocksdb::DBOptions list_options;
    list_options.env = env;
    const auto listed = rocksdb::DB::ListColumnFamilies(list_options, path, &names);
    if (!listed.ok()) return OpenError(listed, options.data_dir);
    for (const std::string& name : names) {
      if (std::find(std::begin(kFamilyNames), std::end(kFamilyNames), name) ==
          std::end(kFamilyNames)) {
        return {ErrorCode::kInternal,
                "data directory " + options.data_dir + " has a column family \"" + name +
                    "\" that this tokend does not know: it is of a newer version or of another "
                    "program; use that one, or give another directory with --data-dir"};
      }
    }
  }

  if (const std::string missing = MissingLog(options); !missing.empty()) {
    return {ErrorCode::kInternal, "data directory " + options.data_dir + " is damaged: " + missing +
                                      "; put it back, " + kDamageAdvice};
  }

  rocksdb::DBOptions db_options = MakeDbOptions(options);
  db_options.listeners = {opened->sync_watch_};
  AddCrashPoints(&db_options);
  const auto families = MakeFamilies(options, opened->block_cache_);
  // Any fault of the log is an error at first, so that there is a look at what kind it is.
  db_options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  rocksdb::DB* db = nullptr;
  auto status = rocksdb::DB::Open(db_options, path, families, &opened->handles_, &db);
  if (status.IsCorruption()) {
    const std::string lost = LostFromLogs(options);
    if (!lost.empty()) {
      return {ErrorCode::kInternal,
              "data directory " + options.data_dir + " is damaged: " + lost + "; " + kDamageAdvice};
    }
    db_options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    status = rocksdb::DB::Open(db_options, path, families, &opened->handles_, &db);
  }
  if (!status.ok()) return OpenError(status, options.data_dir);
  opened->db_.reset(db);
  opened->sync_watch_->Watch(db);
  TOKEND_CRASH_POINT("open.recovered");
  if (Status format = opened->CheckFormat(is_new); !format.ok()) return format;
  if (Status cleared = opened->ClearRuns(); !cleared.ok()) return cleared;
  *database = std::move(opened);
  return {};
}

rocksdb::Status Database::OpenReadOnly(const DatabaseOptions& options, const std::string& path,
                                       Reading reading, std::unique_ptr<Database>* database) {
  std::unique_ptr<Database> opened(new Database(options));
  rocksdb::DBOptions db_options = MakeDbOptions(options);
  db_options.info_log.reset();
  db_options.paranoid_checks = reading == Reading::kStrict;
  db_options.create_if_missing = false;
  db_options.create_missing_column_families = false;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(
      db_options, path, MakeFamilies(options, opened->block_cache_), &opened->handles_, &db);
  if (!status.ok()) return status;
  opened->db_.reset(db);
  *database = std::move(opened);
  return status;
}

std::string Database::MissingLog(const DatabaseOptions& options) {
  rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  const std::string path = options.data_dir + "/db";
  const uint64_t number = NewestLogAtLeast(path, env);
  if (number == 0 || HasLogFrom(path, number, env)) return {};
  return "the newest of its logs, db/" + LogName(number) +
         " or a later one, is missing, and with it what was changed last";
}

std::string Database::LostFromLogs(const DatabaseOptions& options) {
  const std::string path = options.data_dir + "/db";
  const LogClaims claims =
      ReadLogClaims(path, options.env != nullptr ? options.env : rocksdb::Env::Default());
  std::unique_ptr<Database> database;
  std::optional<std::string> row;
  SequenceRow sequence;
  // Strictly: else RocksDB passes over what it cannot read, and goes on behind it.
  if (OpenReadOnly(options, path, Reading::kStrict, &database).ok()) {
    if (!database->ReadMeta(kSequenceRow, &row).ok() ||
        (row && !DecodeSequenceRow(*row, &sequence))) {
      return "its sequence row cannot be read";
    }
  } else {
    // For the sake of another file: then all there is to tell from is the log itself.
    if (!claims.is_broken || claims.last_before == 0) return {};
    sequence.last = claims.last_before;
  }
  if (sequence.last >= claims.synced) return {};
  const std::string from = claims.before_ms == 0 ? "its beginning" : UtcText(claims.before_ms);
  const std::string until = claims.after_ms == 0 ? "its end" : UtcText(claims.after_ms + 999);
  return "changes " + std::to_string(sequence.last + 1) + " to " + std::to_string(claims.synced) +
         ", which were acknowledged, cannot be read from its log, or some of them; they were made "
         "between " +
         from + " and " + until;
}

Status Database::CheckFormat(bool is_new) {
  std::optional<std::string> version;
  if (Status status = ReadMeta(kFormatRow, &version); !status.ok()) return status;
  const std::string ours = std::to_string(kFormatVersion);
  if (version) {
    if (*version == ours) return {};
    return {ErrorCode::kInternal, "the data directory has format " + *version +
                                      " and this tokend knows format " + ours +
                                      "; use the tokend that wrote it"};
  }
  // A crash between making the database and writing this row leaves an empty database.
  if (!is_new && EstimateTokens() != 0) {
    return {ErrorCode::kInternal,
            "the data directory holds a database that is not tokend's; give another directory "
            "with --data-dir"};
  }
  TOKEND_CRASH_POINT("open.created");
  return WriteMeta(kFormatRow, ours);
}

Status Database::ReadRecord(NamespaceId ns, const TokenKey& key,
                            std::optional<StoredRecord>* stored) {
  stored->reset();
  rocksdb::PinnableSlice value;
  const auto status =
      db_->Get(rocksdb::ReadOptions(), handles_[kTokens], TokenRowKey(ns, key), &value);
  if (status.IsNotFound()) return {};
  if (!status.ok()) return FromRocksDb(status, "cannot read a record");
  StoredRecord& read = stored->emplace();
  read.record.key = key;
  if (!DecodeStoredRecord(View(value), &read)) {
    stored->reset();
    return {ErrorCode::kInternal, "record " + ToHex(TokenId::Of(key)) + " on disk is damaged"};
  }
  return {};
}

Status Database::ReadMeta(std::string_view row_key, std::optional<std::string>* value) {
  value->reset();
  std::string read;
  const auto status = db_->Get(rocksdb::ReadOptions(), handles_[kMeta],
                               rocksdb::Slice(row_key.data(), row_key.size()), &read);
  if (status.IsNotFound()) return {};
  if (!status.ok()) return FromRocksDb(status, "cannot read the data directory");
  *value = std::move(read);
  return {};
}

Status Database::WriteMeta(std::string_view row_key, std::string_view value) {
  rocksdb::WriteOptions options;
  options.sync = true;
  return FromRocksDb(
      db_->Put(options, handles_[kMeta], rocksdb::Slice(row_key.data(), row_key.size()),
               rocksdb::Slice(value.data(), value.size())),
      "cannot write to the data directory");
}

bool Database::HasRoom(uint64_t free_bytes) const {
  uint64_t free = 0;
  return !db_->GetEnv()->GetFreeSpace(path_, &free).ok() || free >= free_bytes;
}

rocksdb::Status Database::SyncLog() {
  // RocksDB syncs logs in the background, too. To sync one again that has failed is a bug to it:
  // where it is built with assertions, as Debian's is, it ends the process.
  if (sync_watch_->log_failed()) return rocksdb::Status::IOError("the log has failed before");
  return db_->SyncWAL();
}

bool Database::MayRecover(const rocksdb::Status& status) const {
  // RocksDB begins a new log with a new memtable, and takes that up only where the old one has
  // something to flush. To the log that failed it must not write again.
  return status.IsNoSpace() && !sync_watch_->failed() && RowsInMemory() != 0;
}

rocksdb::Status Database::Recover() {
  rocksdb::Status status = db_->Resume();
  if (!status.ok()) return status;
  if (sync_watch_->log_failed() && RowsInMemory() != 0) {
    return rocksdb::Status::IOError("the log that failed could not be begun anew");
  }
  sync_watch_->OnLogBegunAnew();
  return status;
}

uint64_t Database::RowsInMemory() const {
  uint64_t rows = 0;
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kNumEntriesActiveMemTable, &rows);
  return rows;
}

rocksdb::Iterator* Database::NewIterator(Family family, const rocksdb::Slice* upper_bound) {
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = upper_bound;
  return db_->NewIterator(options, handles_[family]);
}

Status Database::ClearRuns() {
  rocksdb::Env* env = db_->GetEnv();
  rocksdb::Status status = env->CreateDirIfMissing(runs_path_);
  std::vector<std::string> names;
  if (status.ok()) status = env->GetChildren(runs_path_, &names);
  for (const std::string& name : names) {
    if (status.ok() && name.ends_with(".sst")) status = env->DeleteFile(runs_path_ + "/" + name);
  }
  return FromRocksDb(status, "cannot use " + runs_path_);
}

std::string Database::NewRunFile(Family family) {
  const uint64_t number = run_files_made_.fetch_add(1, std::memory_order_relaxed);
  return runs_path_ + "/" + std::to_string(number) + "-" + kFamilyNames[family] + ".sst";
}

rocksdb::Status Database::OpenRunFile(Family family, const std::string& path,
                                      std::unique_ptr<rocksdb::SstFileWriter>* writer) {
  rocksdb::Status status;
  // Past the system's cache, which it would cost an eighth of the writing to be copied into, and
  // others their pages; through it on a file system that knows no such writes.
  for (const bool is_direct : {true, false}) {
    rocksdb::EnvOptions env_options;
    env_options.use_direct_writes = is_direct;
    if (!is_direct) env_options.bytes_per_sync = kRunBytesPerSync;
    *writer = std::make_unique<rocksdb::SstFileWriter>(
        env_options, db_->GetOptions(handles_[family]), handles_[family],
        /*invalidate_page_cache=*/false);
    status = (*writer)->Open(path);
    if (status.ok()) break;
  }
  return status;
}

rocksdb::Status Database::TakeRun(const RunFiles& files) {
  std::vector<rocksdb::IngestExternalFileArg> args;
  for (size_t family = 0; family < files.size(); ++family) {
    if (files[family].empty()) continue;
    rocksdb::IngestExternalFileArg& arg = args.emplace_back();
    arg.column_family = handles_[family];
    arg.external_files = {files[family]};
    arg.options.move_files = true;
    arg.options.snapshot_consistency = true;
  }
  return args.empty() ? rocksdb::Status() : db_->IngestExternalFiles(args);
}

void Database::DeleteRun(RunFiles* files) {
  for (const std::string& path : *files) {
    if (!path.empty()) db_->GetEnv()->DeleteFile(path).PermitUncheckedError();
  }
  files->fill({});
}

void Database::DeferCompactions(bool defer) {
  const rocksdb::ColumnFamilyOptions usual;
  const auto bound = [&](uint64_t usually) {
    return std::to_string(defer ? usually * kDeferredFiles : usually);
  };
  for (const Family family : {kTokens, kOwners, kExpiry, kUsage}) {
    // Where this fails compactions are only done as ever.
    db_->SetOptions(
           handles_[family],
           {{"level0_file_num_compaction_trigger", bound(usual.level0_file_num_compaction_trigger)},
            {"level0_slowdown_writes_trigger", bound(usual.level0_slowdown_writes_trigger)},
            {"level0_stop_writes_trigger", bound(usual.level0_stop_writes_trigger)},
            // So many bytes in level 0 are a reason, too, however few the files.
            {"max_bytes_for_level_base", bound(usual.max_bytes_for_level_base)}})
        .PermitUncheckedError();
  }
}

uint64_t Database::EstimateTokens() {
  uint64_t count = 0;
  db_->GetIntProperty(handles_[kTokens], rocksdb::DB::Properties::kEstimateNumKeys, &count);
  return count;
}

uint64_t Database::DiskBytes() {
  uint64_t sum = 0;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    uint64_t bytes = 0;
    db_->GetIntProperty(handle, rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    sum += bytes;
  }
  return sum;
}

uint64_t Database::MemoryBytes() {
  uint64_t sum = block_cache_->GetUsage();
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    for (const std::string& property : {rocksdb::DB::Properties::kSizeAllMemTables,
                                        rocksdb::DB::Properties::kEstimateTableReadersMem}) {
      uint64_t bytes = 0;
      db_->GetIntProperty(handle, property, &bytes);
      sum += bytes;
    }
  }
  return sum;
}

RocksDbNumbers Database::numbers() {
  using Properties = rocksdb::DB::Properties;
  RocksDbNumbers numbers;
  numbers.block_cache_bytes = block_cache_->GetUsage();
  numbers.log_syncs_total = sync_watch_->log_syncs_total();
  numbers.log_sync_us_total = sync_watch_->log_sync_us_total();
  db_->GetAggregatedIntProperty(Properties::kSizeAllMemTables, &numbers.memtable_bytes);
  db_->GetAggregatedIntProperty(Properties::kEstimatePendingCompactionBytes,
                                &numbers.pending_compaction_bytes);
  uint64_t stopped = 0;
  uint64_t delayed_rate = 0;
  db_->GetIntProperty(Properties::kIsWriteStopped, &stopped);
  db_->GetIntProperty(Properties::kActualDelayedWriteRate, &delayed_rate);
  numbers.write_stalled = stopped != 0 || delayed_rate != 0;
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    std::string files;
    if (!db_->GetProperty(handle, Properties::kNumFilesAtLevelPrefix + "0", &files)) continue;
    numbers.level0_files = std::max<uint64_t>(numbers.level0_files, std::stoull(files));
  }
  return numbers;
}

}  // namespace tokend
