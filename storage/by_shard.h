// ByShard: numbers 0..n-1 in the order of the shards that their hashes choose, so that whoever
// works on many items takes each shard's mutex once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/seeded_hash.h"

namespace tokend {

class ByShard {
 public:
  // hash_of(i) for i below `count`.
  template <typename HashOf>
  ByShard(size_t count, uint32_t shard_bits, HashOf&& hash_of)
      : order_(count), starts_(size_t{1} << shard_bits) {
    for (size_t i = 0; i < count; ++i) ++starts_[ShardOf(hash_of(i), shard_bits)];
    uint32_t end = 0;
    for (uint32_t& start : starts_) end = start += end;
    // From ends down to starts.
    for (size_t i = count; i-- > 0;) {
      order_[--starts_[ShardOf(hash_of(i), shard_bits)]] = static_cast<uint32_t>(i);
    }
  }

  // In ascending order.
  std::span<const uint32_t> Of(uint32_t shard) const {
    const size_t end = shard + 1 < starts_.size() ? starts_[shard + 1] : order_.size();
    return {order_.data() + starts_[shard], end - starts_[shard]};
  }
  uint32_t shards() const { return static_cast<uint32_t>(starts_.size()); }

 private:
  std::vector<uint32_t> order_;
  std::vector<uint32_t> starts_;
};

}  // namespace tokend
