// Searches that decide how fast a dump is read.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace tokend {

// The first `a` or `b` in [at, end), else end. Eight bytes a step: a byte that equals one of the
// two becomes zero under xor, and zero bytes are found by the usual borrow trick, exact for the
// lowest.
inline const char* FindEither(const char* at, const char* end, char a, char b) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  if constexpr (std::endian::native == std::endian::little) {
    const uint64_t all_a = kOnes * static_cast<unsigned char>(a);
    const uint64_t all_b = kOnes * static_cast<unsigned char>(b);
    while (end - at >= 8) {
      uint64_t word;
      std::memcpy(&word, at, 8);
      uint64_t xa = word ^ all_a;
      uint64_t xb = word ^ all_b;
      uint64_t hits = ((xa - kOnes) & ~xa & kHighs) | ((xb - kOnes) & ~xb & kHighs);
      if (hits != 0) return at + (std::countr_zero(hits) >> 3);
      at += 8;
    }
  }
  while (at < end && *at != a && *at != b) ++at;
  return at;
}

}  // namespace tokend
