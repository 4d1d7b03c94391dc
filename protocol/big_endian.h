// Integers with their most significant byte first: as MessagePack has them, and as stored keys do,
// whose byte order is then their sort order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace tokend {

// The integer of `size` bytes, 0 to 8, at `from`.
inline uint64_t LoadBigEndian(const char* from, size_t size) {
  switch (size) {
    case 1:
      return static_cast<uint8_t>(*from);
    case 2: {
      uint16_t value;
      std::memcpy(&value, from, sizeof value);
      return __builtin_bswap16(value);
    }
    case 4: {
      uint32_t value;
      std::memcpy(&value, from, sizeof value);
      return __builtin_bswap32(value);
    }
    case 8: {
      uint64_t value;
      std::memcpy(&value, from, sizeof value);
      return __builtin_bswap64(value);
    }
    default:
      uint64_t value = 0;
      for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(from[i]);
      return value;
  }
}

// The lowest `size` bytes of the value, 1 to 8, from the first byte of what it gives on. One number
// and not one byte after the other: who copies them next would wait for each.
inline uint64_t BigEndian(uint64_t value, size_t size) {
  return __builtin_bswap64(value << (64 - 8 * size));
}

inline void AppendBigEndian(uint64_t value, size_t size, std::string* out) {
  const uint64_t bytes = BigEndian(value, size);
  out->append(reinterpret_cast<const char*>(&bytes), size);
}

}  // namespace tokend
