// Digest schemes: how a presented token becomes its key. A namespace has exactly one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/token.h"

namespace tokend {

// Persisted and on the wire by name; a number or a name never changes its meaning.
enum class DigestScheme : uint8_t {
  kSha256 = 1,          // "sha256": of the whole token
  kSha256AfterBar = 2,  // "sha256-after-bar": of what follows the first '|', else of the whole
  kSha512 = 3,          // "sha512": the first 32 bytes of the whole token's
  kHmacWcApi = 4,       // "hmac-sha256-wc-api": HMAC-SHA-256 with the key "wc-api", WooCommerce's
  // With a secret of the application's that stands in no table:
  kSha256WithSecret = 5,  // "sha256-with-secret": of the token and then the secret
  kSha512WithSecret = 6,  // "sha512-with-secret": the first 32 bytes of the same in SHA-512
  kHmacSha512WithSecret =
      7,  // "hmac-sha512-with-secret": the first 32 bytes; the secret is the key
};

std::string_view DigestSchemeName(DigestScheme scheme);
std::optional<DigestScheme> ParseDigestScheme(std::string_view name);
// "sha256, sha256-after-bar, ... or ...": for messages.
std::string DigestSchemeNames();
// Whether keys are SHA-256 of DigestedPart().
inline bool IsSha256(DigestScheme scheme) { return scheme <= DigestScheme::kSha256AfterBar; }
// Whether a key is made of the token and a secret.
inline bool TakesSecret(DigestScheme scheme) { return scheme >= DigestScheme::kSha256WithSecret; }
// A longer secret is a mistake, such as the wrong file.
inline constexpr size_t kSecretBytesMax = 4096;
// What tables that were made elsewhere keep; the key is the first kTokenKeyBytes of it.
size_t DigestBytes(DigestScheme scheme);

// The part of a token that its scheme digests. Requires IsSha256(scheme).
std::string_view DigestedPart(DigestScheme scheme, std::string_view token);

class OpenSslDigest;

// Computes keys. Not thread-safe: one for each thread, kept, since making one is the expensive
// part.
class Digester {
 public:
  Digester();
  ~Digester();
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;

  // `secret` is not empty where TakesSecret(scheme), and not looked at elsewhere.
  TokenKey Digest(DigestScheme scheme, std::string_view token, std::string_view secret = {}) {
    return IsSha256(scheme) ? Sha256(DigestedPart(scheme, token))
                            : DigestOther(scheme, token, secret);
  }
  TokenKey Sha256(std::string_view part);
  // Two of them, in little more time than one where the processor has SHA instructions.
  void Sha256Pair(std::string_view part_a, std::string_view part_b, TokenKey* key_a,
                  TokenKey* key_b);

 private:
  TokenKey DigestOther(DigestScheme scheme, std::string_view token, std::string_view secret);
  OpenSslDigest& Sha512();

  std::unique_ptr<OpenSslDigest> sha256_;
  std::unique_ptr<OpenSslDigest> sha512_;  // once it is needed
};

// SHA-256 of what is given part by part, for who cannot take all of it at once. Not thread-safe.
class PartwiseSha256 {
 public:
  PartwiseSha256();
  ~PartwiseSha256();
  PartwiseSha256(const PartwiseSha256&) = delete;
  PartwiseSha256& operator=(const PartwiseSha256&) = delete;

  void Add(std::string_view part);
  // Of all parts since the last time.
  TokenKey Finish();

 private:
  std::unique_ptr<OpenSslDigest> sha256_;
};

}  // namespace tokend
