// The hash that spreads tokens, owners and scope sets over shards and buckets. Seeded, so that
// nobody outside can aim at one; it never stands in for a key.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string_view>

#include "protocol/token.h"

namespace tokend {

// The namespace goes into the seed and not behind the bytes: a key is then hashed where it lies, at
// a length known when compiling.
inline uint64_t NamespaceSeed(uint64_t seed, uint16_t namespace_id) {
  return seed + namespace_id * uint64_t{0x9E3779B97F4A7C15};
}

inline uint64_t HashKey(const void* key, uint16_t namespace_id, uint64_t seed) {
  return XXH3_64bits_withSeed(key, kTokenKeyBytes, NamespaceSeed(seed, namespace_id));
}

inline uint64_t HashBytes(std::string_view bytes, uint16_t namespace_id, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), NamespaceSeed(seed, namespace_id));
}

// A shard is chosen by the highest bits; HashIndex uses lower ones. Requires a power of two.
inline uint32_t ShardOf(uint64_t hash, uint32_t shard_bits) {
  return static_cast<uint32_t>((hash >> 1) >> (63 - shard_bits));
}

}  // namespace tokend
