// What RocksDB says of itself, for whoever watches.
#pragma once

#include <cstdint>

namespace tokend {

struct RocksDbNumbers {
  uint64_t memtable_bytes = 0, block_cache_bytes = 0;
  uint64_t level0_files = 0;              // of the family that has most
  uint64_t pending_compaction_bytes = 0;  // an estimate
  bool write_stalled = false;             // it slows writes down, or has stopped them
  uint64_t log_syncs_total = 0, log_sync_us_total = 0;
};

}  // namespace tokend
