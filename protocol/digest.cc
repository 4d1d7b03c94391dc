#include "protocol/digest.h"

#include <openssl/evp.h>

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

std::string_view DigestedPart(DigestScheme scheme, std::string_view token) {
  if (scheme == DigestScheme::kSha256AfterBar) {
    const size_t bar = token.find('|');
    if (bar != std::string_view::npos) return token.substr(bar + 1);
  }
  return token;
}

// A fetched algorithm and a context that is used again: OpenSSL 3 looks the algorithm up and
// allocates in each one-shot call, which takes several times as long as the digest itself.
struct OpenSslSha256 {
  OpenSslSha256() : md(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context(EVP_MD_CTX_new()) {
    if (md == nullptr || context == nullptr) {
      Free();
      throw std::runtime_error("OpenSSL has no SHA-256");
    }
  }
  ~OpenSslSha256() { Free(); }
  OpenSslSha256(const OpenSslSha256&) = delete;
  OpenSslSha256& operator=(const OpenSslSha256&) = delete;

  void Free() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(md);
  }

  // A digest that failed must never become a key that all such tokens share.
  static void Check(int result) {
    if (result != 1) throw std::runtime_error("SHA-256 failed");
  }
  void Begin() { Check(EVP_DigestInit_ex2(context, md, nullptr)); }
  void Add(std::string_view part) { Check(EVP_DigestUpdate(context, part.data(), part.size())); }
  TokenKey Finish() {
    TokenKey key;
    Check(EVP_DigestFinal_ex(context, key.bytes.data(), nullptr));
    return key;
  }

  EVP_MD* md;
  EVP_MD_CTX* context;
};

Digester::Digester() : openssl_(std::make_unique<OpenSslSha256>()) {}
Digester::~Digester() = default;

TokenKey Digester::Sha256(std::string_view part) {
  if (HasSha256Ni()) {
    TokenKey key;
    Sha256Ni(part, &key);
    return key;
  }
  openssl_->Begin();
  openssl_->Add(part);
  return openssl_->Finish();
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

PartwiseSha256::PartwiseSha256() : openssl_(std::make_unique<OpenSslSha256>()) {
  openssl_->Begin();
}
PartwiseSha256::~PartwiseSha256() = default;

void PartwiseSha256::Add(std::string_view part) { openssl_->Add(part); }

TokenKey PartwiseSha256::Finish() {
  const TokenKey key = openssl_->Finish();
  openssl_->Begin();
  return key;
}

}  // namespace tokend
