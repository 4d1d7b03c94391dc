// What RocksDB is told about our database: its column families and how each is kept.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include <memory>
#include <vector>

#include "storage/database.h"

namespace tokend {

// In the order of Database::Family. Persisted.
inline constexpr const char* kFamilyNames[] = {"default", "tokens", "owners", "expiry", "usage"};
static_assert(std::size(kFamilyNames) == Database::kFamilyCount);

rocksdb::DBOptions MakeDbOptions(const DatabaseOptions& options);
// In that order.
std::vector<rocksdb::ColumnFamilyDescriptor> MakeFamilies(
    const DatabaseOptions& options, const std::shared_ptr<rocksdb::Cache>& block_cache);

}  // namespace tokend
