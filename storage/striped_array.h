// StripedArray: one shard's array inside memory that many shards share, in runs of 64 elements:
//
//   | shard 0: 0..63 | shard 1: 0..63 | ... | shard 0: 64..127 | shard 1: 64..127 | ...
//
// Hashing fills shards evenly, so together they fill the memory from its start, and it can have
// huge pages: half the time a look-up took with 4 KiB pages at 10 million tokens was spent in
// address translation. An array a shard would leave most of a huge page empty in each of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tokend {

template <typename T>
class StripedArray {
 public:
  static constexpr uint32_t kRunBits = 6;
  static constexpr uint32_t kRun = 1u << kRunBits;

  // Elements of the shared memory that 2^shard_bits arrays of `size` need.
  static size_t SharedSize(size_t size, uint32_t shard_bits) {
    return ((size + kRun - 1) >> kRunBits << kRunBits) << shard_bits;
  }

  StripedArray() = default;
  // One of 2^shard_bits arrays.
  StripedArray(T* shared, uint32_t shard_bits, uint32_t shard)
      : first_(shared + (size_t{shard} << kRunBits)), shift_(kRunBits + shard_bits) {}

  T& operator[](uint32_t i) const {
    return first_[(size_t{i >> kRunBits} << shift_) + (i & (kRun - 1))];
  }

 private:
  T* first_ = nullptr;
  uint32_t shift_ = 0;
};

}  // namespace tokend
