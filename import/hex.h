// Hexadecimal digits of either case.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tokend {

inline constexpr uint8_t kNoHexDigit = 0xff;
inline constexpr std::array<uint8_t, 256> kHexValues = [] {
  std::array<uint8_t, 256> values{};
  values.fill(kNoHexDigit);
  for (uint8_t i = 0; i < 10; ++i) values['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) values['a' + i] = values['A' + i] = static_cast<uint8_t>(10 + i);
  return values;
}();

inline uint8_t HexValue(char c) { return kHexValues[static_cast<uint8_t>(c)]; }

// Eight digits to four bytes, all at once; false as below. In memory the first digit comes first.
inline bool DecodeEightHex(const char* digits, uint8_t* out) {
  constexpr uint64_t kOnes = 0x0101010101010101, kTops = kOnes << 7;
  uint64_t word;
  std::memcpy(&word, digits, sizeof word);
  // The top bit of each byte that is at least `low` and no more than `high`, of bytes below 0x80.
  const auto within = [](uint64_t bytes, uint64_t low, uint64_t high) {
    return (bytes + (0x80 - low) * kOnes) & ~(bytes + (0x7f - high) * kOnes) & kTops;
  };
  const uint64_t lower = word | 0x20 * kOnes;
  if ((word & kTops) != 0 || (within(word, '0', '9') | within(lower, 'a', 'f')) != kTops) {
    return false;
  }
  word = (word & 0x0f * kOnes) + (word >> 6 & kOnes) * 9;
  word = (word << 4 | word >> 8) & 0x00ff00ff00ff00ff;
  word = (word | word >> 8) & 0x0000ffff0000ffff;
  const auto bytes = static_cast<uint32_t>(word | word >> 16);
  std::memcpy(out, &bytes, sizeof bytes);
  return true;
}

// `digits` has twice as many as `bytes` bytes. False: one is no digit; what is in `out` is of no
// use.
inline bool DecodeHex(std::string_view digits, size_t bytes, uint8_t* out) {
  size_t i = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; i + 4 <= bytes; i += 4) {
      if (!DecodeEightHex(digits.data() + 2 * i, out + i)) return false;
    }
  }
  uint8_t all = 0;
  for (; i < bytes; ++i) {
    const uint8_t high = HexValue(digits[2 * i]);
    const uint8_t low = HexValue(digits[2 * i + 1]);
    all |= high | low;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return all < 16;
}

}  // namespace tokend
