#include "protocol/token.h"

namespace tokend {
namespace {

// The value of one lower-case hexadecimal digit, or -1.
int DigitValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

std::string ToHex(const TokenId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex(2 * kTokenIdBytes, '\0');
  for (size_t i = 0; i < kTokenIdBytes; ++i) {
    hex[2 * i] = kDigits[id.bytes[i] >> 4];
    hex[2 * i + 1] = kDigits[id.bytes[i] & 15];
  }
  return hex;
}

std::optional<TokenId> ParseTokenId(std::string_view hex) {
  if (hex.size() != 2 * kTokenIdBytes) return std::nullopt;
  TokenId id;
  for (size_t i = 0; i < kTokenIdBytes; ++i) {
    const int high = DigitValue(hex[2 * i]);
    const int low = DigitValue(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return id;
}

}  // namespace tokend
