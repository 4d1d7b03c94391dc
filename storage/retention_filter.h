// What makes expired rows leave the disk: compaction filters that judge each row by its own bytes.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace tokend {

enum class RowKind : uint8_t { kToken, kIndex, kUsage };

// Rows kept from `reclaim_before_ms()` or earlier go. A row that cannot be read stays: throwing
// away is never the answer to damage.
std::unique_ptr<rocksdb::CompactionFilter> MakeRetentionFilter(
    RowKind kind, std::function<uint64_t()> reclaim_before_ms);

}  // namespace tokend
