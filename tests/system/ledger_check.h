// What a crash test has written, and whether a server says the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "client/client.h"
#include "tests/system/crash_plan.h"
#include "tests/system/failures.h"
#include "tests/system/ledger.h"

namespace tokend::testing {

struct Written {
  const CrashPlan* plan;
  Ledger ledger;
  uint64_t next_batch = 0;
  // Cut batches whose owner's revocation was sent: all of its tokens are dead, or none.
  std::set<uint64_t> cut_batches = {};

  uint64_t tokens() const { return next_batch * kBatchTokens; }
};

class LedgerCheck {
 public:
  // Both outlive it.
  LedgerCheck(Written* written, Failures* failures) : written_(*written), failures_(*failures) {}

  // Every token, by validate_many; what was open is settled as it is found. Gives how many there
  // are. Throws std::runtime_error where the server does not answer.
  uint64_t CheckAll(client::Client* client);
  // Some tokens by chance, while it loads or after CheckAll: "unavailable" is no answer; any other
  // must be right. False where the server is gone.
  bool CheckSome(client::Client* client, std::mt19937_64* random);
  // After CheckAll: what `get` reads from disk says the same as memory does.
  void CheckRecords(client::Client* client, std::mt19937_64* random, int count);
  // A token whose fate is certain, any of them.
  std::optional<uint64_t> TokenThatIs(TokenFate fate, std::mt19937_64* random) const;

 private:
  // Of cut batches, how many tokens whose fate was open were found revoked.
  using RevokedByBatch = std::map<uint64_t, uint64_t>;
  // False where the token is not there.
  bool CheckVerdict(uint64_t token, const client::Verdict& verdict, RevokedByBatch* cut_revoked);

  Written& written_;
  Failures& failures_;
};

}  // namespace tokend::testing
