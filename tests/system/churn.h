// Churn: tokens that come and go. One connection inserts tokens that live for a second or so,
// validates, extends and revokes them, by token and by owner, and holds every answer against a
// ledger of its own, to the millisecond: what has not expired and was not revoked is valid, what
// has or was is not.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/system/failures.h"

namespace tokend::testing {

struct ChurnOptions {
  uint64_t seed = 0;
  uint64_t ttl_ms_min = 200;
  uint64_t ttl_ms_max = 1500;
  size_t held_max = 500;  // tokens that are asked about; they are live but for the last second
  uint64_t owners = 20;
  size_t writes_a_step = 16;  // and as many validates
  uint64_t pause_ms = 5;      // between two steps
};

class Churn {
 public:
  // `failures` outlives it.
  Churn(const ChurnOptions& options, Failures* failures);

  // Until the server is gone or `stop`. The ledger stays, for the next server.
  void Run(client::Client client, const std::atomic<bool>& stop);
  // After a restart: every token. Throws std::runtime_error where the server does not answer.
  void CheckAll(client::Client* client);

  // Any thread.
  uint64_t writes() const { return writes_.load(std::memory_order_relaxed); }
  uint64_t checks() const { return checks_.load(std::memory_order_relaxed); }

 private:
  // What may be true of a token. A write that was sent adds to it, its answer and every verdict
  // leave less.
  struct Held {
    uint64_t owner = 0;
    bool may_be_absent = true;
    bool may_be_live = true;
    bool may_be_revoked = false;
    // The second one while an extension is under way; else as the first.
    std::array<uint64_t, 2> expires_at_ms{};

    uint64_t FirstExpiryMs() const { return std::min(expires_at_ms[0], expires_at_ms[1]); }
    uint64_t LastExpiryMs() const { return std::max(expires_at_ms[0], expires_at_ms[1]); }
  };
  using Tokens = std::map<uint64_t, Held>;  // by number, so the oldest are in front

  // Each gives false once the server is gone.
  bool Step(client::Client* client);
  bool RevokeAnOwner(client::Client* client);
  bool Purge(client::Client* client);
  void Insert(client::Client* client, std::vector<std::function<bool()>>* answers);
  void Change(client::Client* client, Tokens::iterator token,
              std::vector<std::function<bool()>>* answers);
  bool IsAnswered(const client::Error& error, const std::string& what);
  // Holds a verdict that was asked for and given between two times against what may be.
  void Judge(Tokens::iterator token, const client::Verdict& verdict, uint64_t asked_ms,
             uint64_t answered_ms);
  void ForgetOld();

  std::string Text(uint64_t number) const;
  std::string Owner(uint64_t owner) const;

  const ChurnOptions options_;
  Failures& failures_;
  std::mt19937_64 random_;
  Tokens tokens_;
  uint64_t next_token_ = 0;
  uint64_t steps_ = 0;
  std::atomic<uint64_t> writes_{0};
  std::atomic<uint64_t> checks_{0};
};

}  // namespace tokend::testing
