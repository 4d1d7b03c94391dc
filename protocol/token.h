// Keys and ids of tokens.
//
// A token itself is never kept: its *key*, a 32-byte digest (see digest.h), stands for it. The *id*
// is the key's first 12 bytes, so it needs no counter and no index.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace tokend {

inline constexpr size_t kTokenKeyBytes = 32;
inline constexpr size_t kTokenIdBytes = 12;
inline constexpr size_t kTokenBytesMax = 65536;

struct TokenKey {
  std::array<uint8_t, kTokenKeyBytes> bytes{};

  friend auto operator<=>(const TokenKey&, const TokenKey&) = default;
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // Requires raw.size() == kTokenKeyBytes.
  static TokenKey FromBytes(std::string_view raw) {
    TokenKey key;
    std::memcpy(key.bytes.data(), raw.data(), kTokenKeyBytes);
    return key;
  }
};

struct TokenId {
  std::array<uint8_t, kTokenIdBytes> bytes{};

  friend auto operator<=>(const TokenId&, const TokenId&) = default;
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  static TokenId Of(const TokenKey& key) {
    TokenId id;
    std::memcpy(id.bytes.data(), key.bytes.data(), kTokenIdBytes);
    return id;
  }
};

// 24 lower-case hexadecimal digits, as the id stands on the wire.
std::string ToHex(const TokenId& id);
// Takes exactly 24 lower-case hexadecimal digits.
std::optional<TokenId> ParseTokenId(std::string_view hex);

}  // namespace tokend
