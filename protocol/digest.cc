#include "protocol/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <stdexcept>

#include "protocol/sha256_ni.h"

namespace tokend {
namespace {

struct SchemeName {
  DigestScheme scheme;
  std::string_view name;
};

constexpr SchemeName kSchemeNames[] = {
    {DigestScheme::kSha256, "sha256"},
    {DigestScheme::kSha256AfterBar, "sha256-after-bar"},
    {DigestScheme::kSha512, "sha512"},
    {DigestScheme::kHmacWcApi, "hmac-sha256-wc-api"},
    {DigestScheme::kSha256WithSecret, "sha256-with-secret"},
    {DigestScheme::kSha512WithSecret, "sha512-with-secret"},
    {DigestScheme::kHmacSha512WithSecret, "hmac-sha512-with-secret"},
};

}  // namespace

std::string_view DigestSchemeName(DigestScheme scheme) {
  for (const SchemeName& row : kSchemeNames) {
    if (row.scheme == scheme) return row.name;
  }
  return "unknown";
}

std::optional<DigestScheme> ParseDigestScheme(std::string_view name) {
  for (const SchemeName& row : kSchemeNames) {
    if (row.name == name) return row.scheme;
  }
  return std::nullopt;
}

std::string DigestSchemeNames() {
  std::string names;
  for (const SchemeName& row : kSchemeNames) {
    const bool is_last = &row == std::end(kSchemeNames) - 1;
    names += (names.empty() ? "" : is_last ? " or " : ", ") + std::string(row.name);
  }
  return names;
}

size_t DigestBytes(DigestScheme scheme) {
  switch (scheme) {
    case DigestScheme::kSha512:
    case DigestScheme::kSha512WithSecret:
    case DigestScheme::kHmacSha512WithSecret:
      return 64;
    default:
      return kTokenKeyBytes;
  }
}

std::string_view DigestedPart(DigestScheme scheme, std::string_view token) {
  if (scheme == DigestScheme::kSha256AfterBar) {
    const size_t bar = token.find('|');
    if (bar != std::string_view::npos) return token.substr(bar + 1);
  }
  return token;
}

// A fetched algorithm and a context that is used again: OpenSSL 3 looks the algorithm up and
// allocates in each one-shot call, which takes several times as long as the digest itself.
class OpenSslDigest {
 public:
  explicit OpenSslDigest(const char* name)
      : md_(EVP_MD_fetch(nullptr, name, nullptr)), context_(EVP_MD_CTX_new()) {
    if (md_ == nullptr || context_ == nullptr) {
      Free();
      throw std::runtime_error(std::string("OpenSSL has no ") + name);
    }
  }
  ~OpenSslDigest() { Free(); }
  OpenSslDigest(const OpenSslDigest&) = delete;
  OpenSslDigest& operator=(const OpenSslDigest&) = delete;

  void Begin() { Check(EVP_DigestInit_ex2(context_, md_, nullptr)); }
  void Add(std::string_view part) { Check(EVP_DigestUpdate(context_, part.data(), part.size())); }
  TokenKey Finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    Check(EVP_DigestFinal_ex(context_, digest.data(), nullptr));
    return FirstOf(digest);
  }
  TokenKey Of(std::string_view part, std::string_view more = {}) {
    Begin();
    Add(part);
    if (!more.empty()) Add(more);
    return Finish();
  }

  // A digest that failed must never become a key that all such tokens share.
  static void Check(int result) {
    if (result != 1) throw std::runtime_error("a digest failed");
  }
  static TokenKey FirstOf(const std::array<unsigned char, EVP_MAX_MD_SIZE>& digest) {
    TokenKey key;
    std::copy_n(digest.begin(), kTokenKeyBytes, key.bytes.begin());
    return key;
  }

 private:
  void Free() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(md_);
  }

  EVP_MD* md_;
  EVP_MD_CTX* context_;
};

namespace {

TokenKey Hmac(const EVP_MD* md, std::string_view key, std::string_view token) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  const unsigned char* const done = HMAC(md, key.data(), static_cast<int>(key.size()),
                                         reinterpret_cast<const unsigned char*>(token.data()),
                                         token.size(), digest.data(), nullptr);
  OpenSslDigest::Check(done != nullptr ? 1 : 0);
  return OpenSslDigest::FirstOf(digest);
}

}  // namespace

Digester::Digester() : sha256_(std::make_unique<OpenSslDigest>("SHA256")) {}
Digester::~Digester() = default;

TokenKey Digester::Sha256(std::string_view part) {
  if (!HasSha256Ni()) return sha256_->Of(part);
  TokenKey key;
  Sha256Ni(part, &key);
  return key;
}

OpenSslDigest& Digester::Sha512() {
  if (sha512_ == nullptr) sha512_ = std::make_unique<OpenSslDigest>("SHA512");
  return *sha512_;
}

TokenKey Digester::DigestOther(DigestScheme scheme, std::string_view token,
                               std::string_view secret) {
  assert(!TakesSecret(scheme) || !secret.empty());
  switch (scheme) {
    case DigestScheme::kSha512:
      return Sha512().Of(token);
    case DigestScheme::kSha256WithSecret:
      return sha256_->Of(token, secret);
    case DigestScheme::kSha512WithSecret:
      return Sha512().Of(token, secret);
    case DigestScheme::kHmacSha512WithSecret:
      return Hmac(EVP_sha512(), secret, token);
    default:
      return Hmac(EVP_sha256(), "wc-api", token);
  }
}

void Digester::Sha256Pair(std::string_view part_a, std::string_view part_b, TokenKey* key_a,
                          TokenKey* key_b) {
  if (HasSha256Ni()) {
    Sha256NiPair(part_a, part_b, key_a, key_b);
  } else {
    *key_a = Sha256(part_a);
    *key_b = Sha256(part_b);
  }
}

PartwiseSha256::PartwiseSha256() : sha256_(std::make_unique<OpenSslDigest>("SHA256")) {
  sha256_->Begin();
}
PartwiseSha256::~PartwiseSha256() = default;

void PartwiseSha256::Add(std::string_view part) { sha256_->Add(part); }

TokenKey PartwiseSha256::Finish() {
  const TokenKey key = sha256_->Finish();
  sha256_->Begin();
  return key;
}

}  // namespace tokend
