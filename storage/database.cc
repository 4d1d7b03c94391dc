#include "storage/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <utility>

#include "storage/retention_filter.h"
#include "storage/row_tree_memtable.h"
#include "storage/rows.h"
#include "storage/usage_merge.h"

namespace tokend {
namespace {

// In the order of Database::Family. Persisted.
constexpr const char* kFamilyNames[] = {"default", "tokens", "owners", "expiry", "usage"};
static_assert(std::size(kFamilyNames) == Database::kFamilyCount);

// The log is replayed at a start after a crash; more of it is a longer start.
constexpr uint64_t kWalBytesMax = 256 << 20;

class RetentionFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  RetentionFilterFactory(RowKind kind, std::function<uint64_t()> reclaim_before_ms)
      : kind_(kind), reclaim_before_ms_(std::move(reclaim_before_ms)) {}
  const char* Name() const override { return "tokend.retention"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& /*context*/) override {
    return MakeRetentionFilter(kind_, reclaim_before_ms_);
  }

 private:
  const RowKind kind_;
  const std::function<uint64_t()> reclaim_before_ms_;
};

rocksdb::ColumnFamilyOptions FamilyOptions(Database::Family family, const DatabaseOptions& options,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family_options;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 16 << 10;
  table.format_version = 5;
  // Keys are digests: they do not compress, and a look-up by key either hits or is for nothing.
  if (family == Database::kTokens || family == Database::kUsage) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    family_options.memtable_prefix_bloom_size_ratio = 0.02;
    family_options.memtable_whole_key_filtering = true;
  }
  family_options.memtable_factory = MakeRowTreeMemtables();
  family_options.compression = rocksdb::kNoCompression;
  if (family == Database::kUsage) family_options.merge_operator = MakeUsageMergeOperator();
  if (family != Database::kMeta) {
    const RowKind kind = family == Database::kTokens  ? RowKind::kToken
                         : family == Database::kUsage ? RowKind::kUsage
                                                      : RowKind::kIndex;
    family_options.compaction_filter_factory =
        std::make_shared<RetentionFilterFactory>(kind, options.reclaim_before_ms);
    // A file that nothing else would touch is compacted within a retention or so.
    family_options.periodic_compaction_seconds = uint64_t{3} * 24 * 3600;
  }
  family_options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family_options;
}

Status OpenError(const rocksdb::Status& status, const std::string& data_dir) {
  const std::string text = status.ToString();
  if (text.find("LOCK") != std::string::npos || text.find("lock") != std::string::npos) {
    return {ErrorCode::kInternal, "data directory " + data_dir +
                                      " is in use by another tokend; stop that one, or give this "
                                      "one its own with --data-dir"};
  }
  if (status.IsCorruption()) {
    return {ErrorCode::kInternal,
            "data directory " + data_dir + " is damaged: " + text + "; restore it from a backup"};
  }
  return {ErrorCode::kInternal, "cannot open data directory " + data_dir + ": " + text};
}

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

Status FromRocksDb(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return {};
  return {ErrorCode::kInternal, std::string(doing) + ": " + status.ToString()};
}

Database::Database(const DatabaseOptions& options)
    : reclaim_before_ms_(options.reclaim_before_ms),
      block_cache_(rocksdb::NewLRUCache(options.block_cache_bytes)) {}

Database::~Database() {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  if (db_ != nullptr) db_->Close().PermitUncheckedError();
}

Status Database::Open(const DatabaseOptions& options, std::unique_ptr<Database>* database) {
  rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  // Compactions give way to answers. Flushes do not: on a busy machine writes would wait for them.
  (void)env->LowerThreadPoolCPUPriority(rocksdb::Env::Priority::LOW, rocksdb::CpuPriority::kLow);
  const std::string path = options.data_dir + "/db";
  if (const auto made = env->CreateDirIfMissing(options.data_dir); !made.ok()) {
    return {ErrorCode::kInternal, "cannot make data directory " + options.data_dir + ": " +
                                      made.ToString() +
                                      "; give one that can be written with "
                                      "--data-dir"};
  }
  const bool is_new = !env->FileExists(path + "/CURRENT").ok();
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

  std::unique_ptr<Database> opened(new Database(options));
  rocksdb::DBOptions db_options;
  db_options.env = env;
  db_options.create_if_missing = true;
  db_options.create_missing_column_families = true;
  db_options.db_write_buffer_size = options.write_buffer_bytes;
  db_options.max_total_wal_size = kWalBytesMax;
  db_options.max_background_jobs = 2;
  db_options.allow_concurrent_memtable_write = false;  // the Committer alone writes
  db_options.keep_log_file_num = 4;
  db_options.info_log_level = rocksdb::WARN_LEVEL;
  db_options.max_open_files = 1024;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(kFamilyCount);
  for (int i = 0; i < kFamilyCount; ++i) {
    families.emplace_back(kFamilyNames[i],
                          FamilyOptions(static_cast<Family>(i), options, opened->block_cache_));
  }
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(db_options, path, families, &opened->handles_, &db);
  if (!status.ok()) return OpenError(status, options.data_dir);
  opened->db_.reset(db);
  if (Status format = opened->CheckFormat(is_new); !format.ok()) return format;
  *database = std::move(opened);
  return {};
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
  rocksdb::WriteOptions options;
  options.sync = true;
  return FromRocksDb(db_->Put(options, handles_[kMeta],
                              rocksdb::Slice(kFormatRow.data(), kFormatRow.size()), ours),
                     "cannot write to the data directory");
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

rocksdb::Iterator* Database::NewIterator(Family family, const rocksdb::Slice* upper_bound) {
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = upper_bound;
  return db_->NewIterator(options, handles_[family]);
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

}  // namespace tokend
