#include "server/idempotency.h"

#include <openssl/rand.h>

#include <cstring>
#include <stdexcept>

#include "protocol/digest.h"
#include "protocol/issued_token.h"

namespace tokend {
namespace {

constexpr size_t kSecretBytes = 32;

std::array<uint8_t, 32> Sha256(std::string_view bytes) {
  Digester digester;
  return digester.Sha256(bytes).bytes;
}

}  // namespace

Idempotency::Idempotency(const Clock& clock)
    : clock_(clock), secret_(std::string(kSecretBytes, '\0')) {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(secret_.mutable_bytes()->data()), kSecretBytes) !=
      1) {
    throw std::runtime_error("the system has no randomness to give");
  }
}

Idempotency::~Idempotency() = default;

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

std::optional<Idempotency::Request> Idempotency::Begin(const Name& name, std::string_view request,
                                                       std::optional<uint64_t> expires_at_ms) {
  const auto digest = Sha256(request);
  const MutexLock lock(&mutex_);
  const uint64_t steady_ms = clock_.SteadyMs();
  while (!order_.empty()) {
    const auto oldest = entries_.find(order_.front());
    const bool is_over = steady_ms >= oldest->second.at_steady_ms + kLifetimeMs;
    if (!is_over && entries_.size() < kRequestsMax) break;
    entries_.erase(oldest);
    order_.pop_front();
  }
  const auto [found, is_new] = entries_.try_emplace(name);
  Entry& entry = found->second;
  if (is_new) entry.place = order_.insert(order_.end(), name);
  if (!is_new && entry.request_digest != digest && !entry.request.id_hex.empty()) {
    return std::nullopt;
  }
  if (is_new || entry.request_digest != digest) {
    entry.request_digest = digest;
    entry.request = {++last_number_, expires_at_ms, {}};
    if (is_new) entry.at_steady_ms = steady_ms;
  }
  return entry.request;
}

void Idempotency::Settle(const Name& name, uint64_t number, std::string_view id_hex) {
  const MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.request.number != number) return;
  found->second.request.id_hex = id_hex;
}

Secret Idempotency::TokenOf(const Name& name, uint64_t number, std::string_view prefix) const {
  std::string of(reinterpret_cast<const char*>(name.digest.data()), name.digest.size());
  return DeriveIssuedToken(prefix, secret_, of + std::to_string(number));
}

}  // namespace tokend
