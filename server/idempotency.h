// Requests that may be sent again: a client that names its request by an Idempotency-Key makes one
// token by it, however often it asks.
//
// The token is derived from the key under a secret that nobody else has, so that it can be given
// again and is kept nowhere. The secret, and what is known of requests, lasts as long as the
// process: a request that is sent again after a restart makes another token.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/clock.h"
#include "storage/mutex.h"

namespace tokend {

class Idempotency {
 public:
  static constexpr uint64_t kLifetimeMs = 24ull * 3600 * 1000;
  // Beyond, the oldest are forgotten.
  static constexpr size_t kRequestsMax = 100'000;

  explicit Idempotency(const Clock& clock);
  ~Idempotency();
  Idempotency(const Idempotency&) = delete;
  Idempotency& operator=(const Idempotency&) = delete;

  // A request of a caller, by its key.
  struct Name {
    std::array<uint8_t, 32> digest;
    friend bool operator==(const Name&, const Name&) = default;
  };
  static Name NameOf(std::string_view caller, std::string_view namespace_name,
                     std::string_view key);

  // The expiry of the first request of that name, which this one is told too; nullopt where that
  // one asked for something else. Any thread.
  struct First {
    std::optional<uint64_t> expires_at_ms;
    bool is_repeated = false;
  };
  std::optional<First> Begin(const Name& name, std::string_view request,
                             std::optional<uint64_t> expires_at_ms);
  // It was refused, and the name is free again.
  void Forget(const Name& name);
  // The token of that name. Requires a valid prefix.
  std::string TokenOf(const Name& name, std::string_view prefix) const;

 private:
  struct NameHash {
    size_t operator()(const Name& name) const;
  };
  struct Entry {
    std::array<uint8_t, 32> request_digest;
    std::optional<uint64_t> expires_at_ms;
    uint64_t at_steady_ms;
    std::list<Name>::iterator place;  // in order_
  };

  const Clock& clock_;
  std::string secret_;
  Mutex mutex_;
  std::unordered_map<Name, Entry, NameHash> entries_ TOKEND_GUARDED_BY(mutex_);
  std::list<Name> order_ TOKEND_GUARDED_BY(mutex_);  // of the entries, oldest first
};

}  // namespace tokend
