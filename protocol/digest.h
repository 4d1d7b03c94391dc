// Digest schemes: how a presented token becomes its key. A namespace has exactly one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "protocol/token.h"

namespace tokend {

// Persisted and on the wire by name; a number or a name never changes its meaning.
enum class DigestScheme : uint8_t {
  kSha256 = 1,          // "sha256": of the whole token
  kSha256AfterBar = 2,  // "sha256-after-bar": of what follows the first '|', else of the whole
};

std::string_view DigestSchemeName(DigestScheme scheme);
std::optional<DigestScheme> ParseDigestScheme(std::string_view name);

// The part of a token that its scheme digests.
std::string_view DigestedPart(DigestScheme scheme, std::string_view token);

struct OpenSslSha256;

// Computes keys. Not thread-safe: one for each thread, kept, since making one is the expensive
// part.
class Digester {
 public:
  Digester();
  ~Digester();
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;

  TokenKey Digest(DigestScheme scheme, std::string_view token) {
    return Sha256(DigestedPart(scheme, token));
  }
  TokenKey Sha256(std::string_view part);
  // Two of them, in little more time than one where the processor has SHA instructions.
  void Sha256Pair(std::string_view part_a, std::string_view part_b, TokenKey* key_a,
                  TokenKey* key_b);

 private:
  std::unique_ptr<OpenSslSha256> openssl_;
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
  std::unique_ptr<OpenSslSha256> openssl_;
};

}  // namespace tokend
