#include "server/idempotency.h"

#include <openssl/rand.h>

#include <cstring>
#include <stdexcept>

#include "protocol/digest.h"
#include "protocol/issued_token.h"
#include "server/wipe.h"

namespace tokend {
namespace {

constexpr size_t kSecretBytes = 32;

std::array<uint8_t, 32> Sha256(std::string_view bytes) {
  Digester digester;
  return digester.Sha256(bytes).bytes;
}

}  // namespace

Idempotency::Idempotency(const Clock& clock) : clock_(clock), secret_(kSecretBytes, '\0') {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(secret_.data()), kSecretBytes) != 1) {
    throw std::runtime_error("the system has no randomness to give");
  }
}

Idempotency::~Idempotency() { WipeAll(&secret_); }

size_t Idempotency::NameHash::operator()(const Name& name) const {
  size_t hash = 0;
  std::memcpy(&hash, name.digest.data(), sizeof hash);
  return hash;
}

Idempotency::Name Idempotency::NameOf(std::string_view caller, std::string_view namespace_name,
                                      std::string_view key) {
  std::string text;
  // None of them holds a zero byte but the last, perhaps.
  text.append(caller).push_back('\0');
  text.append(namespace_name).push_back('\0');
  text.append(key);
  return {Sha256(text)};
}

std::optional<Idempotency::First> Idempotency::Begin(const Name& name, std::string_view request,
                                                     std::optional<uint64_t> expires_at_ms) {
  const auto digest = Sha256(request);
  const uint64_t steady_ms = clock_.SteadyMs();
  const MutexLock lock(&mutex_);
  while (!order_.empty()) {
    const auto oldest = entries_.find(order_.front());
    const bool is_over = steady_ms >= oldest->second.at_steady_ms + kLifetimeMs;
    if (!is_over && entries_.size() < kRequestsMax) break;
    entries_.erase(oldest);
    order_.pop_front();
  }
  const auto [entry, is_new] =
      entries_.try_emplace(name, Entry{digest, expires_at_ms, steady_ms, order_.end()});
  if (is_new) entry->second.place = order_.insert(order_.end(), name);
  if (entry->second.request_digest != digest) return std::nullopt;
  return First{entry->second.expires_at_ms, !is_new};
}

void Idempotency::Forget(const Name& name) {
  const MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  order_.erase(found->second.place);
  entries_.erase(found);
}

std::string Idempotency::TokenOf(const Name& name, std::string_view prefix) const {
  return DeriveIssuedToken(prefix, secret_,
                           {reinterpret_cast<const char*>(name.digest.data()), name.digest.size()});
}

}  // namespace tokend
