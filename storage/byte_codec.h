// Primitives of the stored formats (docs/storage.md): LEB128 varints and length-prefixed strings.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "protocol/big_endian.h"

namespace tokend {

inline void PutVarint(uint64_t value, std::string* out) {
  while (value >= uint64_t{1} << 56) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  // Eight bytes of seven bits each, all but the last of them marked, as one number.
  value = (value & 0xfffffff) | (value & 0xfffffff0000000) << 4;
  value = (value & 0x3fff00003fff) | (value & 0xfffc0000fffc000) << 2;
  value = (value & 0x7f007f007f007f) | (value & 0x3f803f803f803f80) << 1;
  const int last = (63 - std::countl_zero(value | 1)) / 8;
  const uint64_t bytes = value | (0x8080808080808080 & ((uint64_t{1} << 8 * last) - 1));
  out->append(reinterpret_cast<const char*>(&bytes), static_cast<size_t>(last) + 1);
}

inline void PutBytes(std::string_view bytes, std::string* out) {
  PutVarint(bytes.size(), out);
  out->append(bytes);
}

// The first eight bytes as a number that compares as they do, zeros for what is missing.
inline uint64_t HeadOf(std::string_view bytes) {
  if (bytes.size() >= 8) return LoadBigEndian(bytes.data(), 8);
  uint64_t head = 0;
  std::memcpy(&head, bytes.data(), bytes.size());
  return __builtin_bswap64(head);
}

// The first sixteen: with a namespace and a time in front they still tell most keys apart.
using LongHead = unsigned __int128;
inline LongHead LongHeadOf(std::string_view bytes) {
  const uint64_t low = bytes.size() > 8 ? HeadOf(bytes.substr(8)) : 0;
  return LongHead{HeadOf(bytes)} << 64 | low;
}

// Takes values off the front of `bytes`; every call is false once one has failed.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool Varint(uint64_t* value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) return Fail();
      *value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return Fail();
  }
  bool Bytes(std::string_view* value) {
    uint64_t size = 0;
    if (!Varint(&size) || size > rest_.size()) return Fail();
    *value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool BigEndian(size_t bytes, uint64_t* value) {
    if (rest_.size() < bytes) return Fail();
    *value = LoadBigEndian(rest_.data(), bytes);
    rest_.remove_prefix(bytes);
    return true;
  }
  bool Byte(uint8_t* value) {
    uint64_t wide = 0;
    if (!BigEndian(1, &wide)) return false;
    *value = static_cast<uint8_t>(wide);
    return true;
  }
  // Whether everything was taken and nothing failed.
  bool Done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  bool Fail() {
    ok_ = false;
    rest_ = {};
    return false;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace tokend
