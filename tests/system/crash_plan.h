// What the crash test writes, as functions of a token's number: so the program that checks knows
// all of it without having kept it.
//
// Tokens go in batches of 500, one insert_many each. Once a batch is acknowledged, some of its
// tokens get a second write; which kind, its number says (SecondWriteOf). Every sixteenth batch is
// a "cut" batch: every other token of it belongs to an owner of its own, who is then revoked.
// Fifteen batches later one token is inserted under that same owner, after the revocation, which
// must not touch it.
#pragma once

#include <cstdint>
#include <string>

#include "bench/tokens.h"
#include "client/client.h"
#include "tests/system/ledger.h"

namespace tokend::testing {

inline constexpr uint64_t kBatchTokens = 500;
inline constexpr uint64_t kSecondWriteEvery = 50;  // of the tokens of a batch
inline constexpr uint64_t kPlanBatches = 16;
inline constexpr uint64_t kCutTokens = kBatchTokens / 2;

enum class SecondWrite : uint8_t { kRevokeOwner, kRevoke, kRevokeId, kExtend, kReplace, kNone };

class CrashPlan {
 public:
  CrashPlan(uint64_t seed, uint64_t expires_base_ms) : tokens_(seed, expires_base_ms) {}

  static SecondWrite SecondWriteOf(uint64_t batch) {
    const uint64_t number = batch % kPlanBatches;
    if (number == 0) return SecondWrite::kRevokeOwner;
    if (number <= 4) return SecondWrite::kRevoke;
    if (number <= 8) return SecondWrite::kRevokeId;
    if (number <= 11) return SecondWrite::kExtend;
    if (number <= 13) return SecondWrite::kReplace;
    return SecondWrite::kNone;
  }
  static bool IsCut(uint64_t token) {
    return token / kBatchTokens % kPlanBatches == 0 && token % 2 == 1;
  }
  static std::string CutOwner(uint64_t batch) { return "cut-" + std::to_string(batch); }

  std::string Token(uint64_t token) const { return tokens_.Token(token); }
  const std::vector<std::string>& Scopes(uint64_t token) const { return tokens_.Scopes(token); }
  std::string Owner(uint64_t token, TokenFate fate) const {
    if (fate == TokenFate::kReplaced) return "new-" + std::to_string(token);
    const uint64_t batch = token / kBatchTokens;
    if (IsCut(token)) return CutOwner(batch);
    const bool is_late = batch % kPlanBatches == kPlanBatches - 1 && token % kBatchTokens == 0;
    if (is_late) return CutOwner(batch - (kPlanBatches - 1));
    return std::string(tokens_.Owner(token));
  }
  uint64_t ExpiresAtMs(uint64_t token, TokenFate fate) const {
    return tokens_.ExpiresAtMs(token) + (fate == TokenFate::kExtended ? 3600000 : 0);
  }

  // Which fate a verdict shows; false where it shows none: a field of it is wrong.
  bool FateOf(uint64_t token, const client::Verdict& verdict, TokenFate* fate) const {
    if (verdict.invalid()) {
      *fate = verdict.reason == "revoked" ? TokenFate::kRevoked : TokenFate::kAbsent;
      return verdict.reason == "revoked" || verdict.reason == "unknown";
    }
    if (!verdict.valid()) return false;
    for (const TokenFate candidate :
         {TokenFate::kLive, TokenFate::kExtended, TokenFate::kReplaced}) {
      if (verdict.owner == Owner(token, candidate) &&
          verdict.expires_at_ms == ExpiresAtMs(token, candidate) &&
          verdict.scopes == Scopes(token)) {
        *fate = candidate;
        return true;
      }
    }
    return false;
  }

 private:
  bench::TokenSpace tokens_;
};

}  // namespace tokend::testing
