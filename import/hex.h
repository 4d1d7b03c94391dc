// Hexadecimal digits of either case.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
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

// `digits` has twice as many as `bytes` bytes. False: one is no digit; what is in `out` is of no
// use.
inline bool DecodeHex(std::string_view digits, size_t bytes, uint8_t* out) {
  uint8_t all = 0;
  for (size_t i = 0; i < bytes; ++i) {
    const uint8_t high = HexValue(digits[2 * i]);
    const uint8_t low = HexValue(digits[2 * i + 1]);
    all |= high | low;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return all < 16;
}

}  // namespace tokend
