// Requests that may be sent again: a client that names its request by an Idempotency-Key makes one
// token by it, however often it asks.
//
// The token is derived under a secret that nobody else has, from the key and a number of the
// request that has it, so that it can be given again and is kept nowhere. The secret, and what is
// known of requests, lasts as long as the process: a request that is sent again after a restart, or
// after it was forgotten, makes another token.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocol/secret.h"
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

  // What is known of the request that has the name.
  struct Request {
    uint64_t number = 0;
    std::optional<uint64_t> expires_at_ms;
    std::string id_hex;  // of the token that it has made; empty = it may not have made one
  };
  // Of the request that has the name, which is this one if there was none, or one that has made
  // nothing that anybody knows of. nullopt where that one asked for something else. Any thread.
  std::optional<Request> Begin(const Name& name, std::string_view request,
                               std::optional<uint64_t> expires_at_ms);
  // Its token is there.
  void Settle(const Name& name, uint64_t number, std::string_view id_hex);
  // The token of that request. Requires a valid prefix.
  Secret TokenOf(const Name& name, uint64_t number, std::string_view prefix) const;

 private:
  struct NameHash {
    size_t operator()(const Name& name) const;
  };
  struct Entry {
    std::array<uint8_t, 32> request_digest;
    Request request;
    uint64_t at_steady_ms;
    std::list<Name>::iterator place;  // in order_
  };

  const Clock& clock_;
  Secret secret_;
  Mutex mutex_;
  uint64_t last_number_ TOKEND_GUARDED_BY(mutex_) = 0;
  std::unordered_map<Name, Entry, NameHash> entries_ TOKEND_GUARDED_BY(mutex_);
  std::list<Name> order_ TOKEND_GUARDED_BY(mutex_);  // of the entries, oldest first
};

}  // namespace tokend
