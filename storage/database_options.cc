#include "storage/database_options.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "storage/retention_filter.h"
#include "storage/rocksdb_log.h"
#include "storage/row_tree_memtable.h"
#include "storage/usage_merge.h"

namespace tokend {
namespace {

// The log is replayed at a start after a crash; more of it is a longer start.
constexpr uint64_t kWalBytesMax = 128 << 20;
// RocksDB appends each flush and each compaction to the list of its files; beyond this it writes
// the list anew. Left to itself it lets it grow to 1 GiB.
constexpr uint64_t kManifestBytesMax = 16 << 20;
// A family's memtable takes its memory in blocks, and each has one from its first row on.
constexpr size_t kMemtableBlockBytesMax = 1 << 20;
constexpr size_t kMemtableBlocksOfBuffer = 64;

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
  // In proportion to what all families have together: what an empty memtable of RocksDB's own sizes
  // takes (its first block, its filter) is more than a small buffer, and then every write would be
  // followed by a flush.
  family_options.write_buffer_size = options.write_buffer_bytes;
  family_options.arena_block_size =
      std::min(kMemtableBlockBytesMax, options.write_buffer_bytes / kMemtableBlocksOfBuffer);
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

}  // namespace

rocksdb::DBOptions MakeDbOptions(const DatabaseOptions& options) {
  rocksdb::DBOptions db_options;
  db_options.env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  db_options.create_if_missing = true;
  db_options.create_missing_column_families = true;
  db_options.db_write_buffer_size = options.write_buffer_bytes;
  db_options.max_total_wal_size = kWalBytesMax;
  db_options.max_manifest_file_size = kManifestBytesMax;
  db_options.max_background_jobs = 2;
  db_options.allow_concurrent_memtable_write = false;  // the Committer alone writes
  db_options.info_log = MakeRocksDbLog(options.data_dir + "/db/LOG");
  db_options.max_open_files = 1024;
  return db_options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies(
    const DatabaseOptions& options, const std::shared_ptr<rocksdb::Cache>& block_cache) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(Database::kFamilyCount);
  for (int i = 0; i < Database::kFamilyCount; ++i) {
    families.emplace_back(kFamilyNames[i],
                          FamilyOptions(static_cast<Database::Family>(i), options, block_cache));
  }
  return families;
}

}  // namespace tokend
