#include "protocol/issued_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "protocol/random.h"

namespace tokend {
namespace {

// PREFIX_ | body (30) | checksum (6)
constexpr size_t kPrefixBytesMax = 20;
constexpr size_t kBodyBytes = 30;     // 178 bits
constexpr size_t kChecksumBytes = 6;  // 62^6 > 2^32
constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static_assert(kBase62.size() == 62);

bool IsBase62(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// CRC-32/ISO-HDLC, bit by bit: some fifty bytes for each token issued.
uint32_t Crc32(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

std::array<char, kChecksumBytes> Checksum(std::string_view prefix_and_body) {
  std::array<char, kChecksumBytes> digits;
  uint32_t rest = Crc32(prefix_and_body);
  for (size_t i = kChecksumBytes; i-- > 0; rest /= 62) digits[i] = kBase62[rest % 62];
  return digits;
}

// `fill` gives as many random bytes as it is asked for, other ones each time.
template <typename Fill>
Secret TokenOf(std::string_view prefix, const Fill& fill) {
  std::string token;
  // Reserved whole, so that no half of a token is left behind in a buffer grown out of.
  token.reserve(prefix.size() + 1 + kBodyBytes + kChecksumBytes);
  token.append(prefix).push_back('_');
  // A byte below 248 = 4 * 62 gives each character equally often; 31 in 32 bytes are.
  std::array<uint8_t, 40> random;
  for (size_t made = 0; made < kBodyBytes;) {
    fill(std::span(random));
    for (const uint8_t byte : random) {
      if (byte >= 248) continue;
      token.push_back(kBase62[byte % 62]);
      if (++made == kBodyBytes) break;
    }
  }
  OPENSSL_cleanse(random.data(), random.size());
  const auto checksum = Checksum(token);
  token.append(checksum.data(), checksum.size());
  return Secret(std::move(token));
}

}  // namespace

bool IsValidIssuedPrefix(std::string_view prefix) {
  return !prefix.empty() && prefix.size() <= kPrefixBytesMax &&
         std::all_of(prefix.begin(), prefix.end(), IsBase62);
}

Secret MakeIssuedToken(std::string_view prefix) {
  return TokenOf(prefix, [](std::span<uint8_t> out) {
    if (!FillRandom(out)) throw std::runtime_error("the system has no randomness to give");
  });
}

Secret DeriveIssuedToken(std::string_view prefix, SecretView secret, std::string_view name) {
  std::string block(name);
  block.push_back('\0');
  return TokenOf(prefix, [&](std::span<uint8_t> out) {
    // Of block after block, should the first have too few.
    ++block.back();
    std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    if (HMAC(EVP_sha512(), secret.bytes().data(), static_cast<int>(secret.size()),
             reinterpret_cast<const uint8_t*>(block.data()), block.size(), digest.data(),
             &size) == nullptr) {
      throw std::runtime_error("HMAC-SHA-512 cannot be computed");
    }
    std::copy_n(digest.begin(), out.size(), out.begin());
    OPENSSL_cleanse(digest.data(), digest.size());
  });
}

bool HasIssuedChecksum(std::string_view token) {
  const size_t bar = token.find('_');
  if (bar == std::string_view::npos || !IsValidIssuedPrefix(token.substr(0, bar))) return false;
  const std::string_view tail = token.substr(bar + 1);
  if (tail.size() != kBodyBytes + kChecksumBytes) return false;
  if (!std::all_of(tail.begin(), tail.end(), IsBase62)) return false;
  const auto checksum = Checksum(token.substr(0, token.size() - kChecksumBytes));
  return token.ends_with(std::string_view(checksum.data(), checksum.size()));
}

}  // namespace tokend
