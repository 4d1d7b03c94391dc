// RecordBatch: records on their way from the disk into the table; of each only what memory holds.
// What the Committer has put meanwhile is newer and stays.
//
// Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "storage/key_filter.h"
#include "storage/store_parts.h"
#include "storage/stored_record.h"

namespace tokend {

class RecordBatch {
 public:
  // Enough for each shard to get several at a time, few enough for all of them to stay in the
  // second-level cache.
  static constexpr size_t kRecords = 2048;

  // What has expired does not get into memory; it is added to *forgotten (may be null).
  explicit RecordBatch(const StoreParts& parts, KeyFilter* forgotten = nullptr);

  // Requires !full(). False where the record is damaged.
  bool Add(std::string_view row_key, std::string_view row_value);
  bool full() const { return read_ == kRecords; }
  size_t read() const { return read_; }

  // Leaves it empty. Adds to *put how many are in memory now.
  Status Put(uint64_t* put);

 private:
  // Owners and scopes of a batch, most often; what is more comes from the heap.
  static constexpr size_t kBlockBytes = kRecords * 64;

  // A set of scopes that came in this batch already.
  struct ScopeSet {
    std::string_view stored, encoded;
  };

  // Encoded; most often the same view for the same scopes, which the table acquires once then.
  std::string_view ScopesOf(const StoredRecordView& stored);
  std::string_view Keep(std::string_view bytes);
  bool IsDenied(size_t i) const;

  const StoreParts& parts_;
  KeyFilter* const forgotten_;
  size_t read_ = 0;
  uint64_t now_ms_ = 0;  // when its first was read
  std::vector<char> first_block_;
  std::pmr::monotonic_buffer_resource bytes_{first_block_.data(), first_block_.size()};
  std::vector<TokenEntry> entries_;
  std::vector<uint64_t> inserted_sequences_;  // of each entry
  std::array<ScopeSet, 64> scope_sets_;       // by their hash, the last that came
  std::string scopes_encoded_;
};

}  // namespace tokend
