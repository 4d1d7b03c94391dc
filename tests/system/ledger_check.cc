#include "tests/system/ledger_check.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/system/connect.h"

namespace tokend::testing {

uint64_t LedgerCheck::CheckAll(client::Client* client) {
  constexpr uint64_t kAsk = 1000;
  RevokedByBatch cut_revoked;
  uint64_t present = 0;
  for (uint64_t first = 0; first < written_.tokens(); first += kAsk) {
    const uint64_t end = std::min(first + kAsk, written_.tokens());
    std::vector<std::string> texts;
    for (uint64_t token = first; token < end; ++token) texts.push_back(written_.plan->Token(token));
    const std::vector<client::Token> asked(texts.begin(), texts.end());
    const auto verdicts = client->ValidateMany(asked);
    if (!verdicts) throw std::runtime_error("validate_many: " + verdicts.error().message);
    if (verdicts->size() != asked.size()) throw std::runtime_error("validate_many fell short");
    for (uint64_t token = first; token < end; ++token) {
      present += CheckVerdict(token, (*verdicts)[token - first], &cut_revoked) ? 1 : 0;
    }
  }
  for (const auto& [batch, count] : cut_revoked) {
    if (count != 0 && count != kCutTokens) {
      failures_.Add("revoke_owner under way at the kill took " + std::to_string(count) +
                    " tokens of " + std::to_string(kCutTokens));
    }
  }
  return present;
}

bool LedgerCheck::CheckVerdict(uint64_t token, const client::Verdict& verdict,
                               RevokedByBatch* cut_revoked) {
  TokenFate fate = TokenFate::kAbsent;
  if (!written_.plan->FateOf(token, verdict, &fate)) {
    failures_.Add("token " + std::to_string(token) + " has a field that was never written (" +
                  verdict.owner.value_or("no owner") + ")");
    return true;
  }
  if (!written_.ledger.MayBe(token, fate)) {
    failures_.Add("token " + std::to_string(token) + " is " +
                  (verdict.valid() ? "valid" : verdict.reason) + " and should not be");
    return fate != TokenFate::kAbsent;
  }
  const uint64_t batch = token / kBatchTokens;
  if (CrashPlan::IsCut(token) && !written_.ledger.IsCertain(token) &&
      written_.cut_batches.contains(batch)) {
    (*cut_revoked)[batch] += fate == TokenFate::kRevoked ? 1 : 0;
  }
  written_.ledger.Settle(token, fate);
  return fate != TokenFate::kAbsent;
}

bool LedgerCheck::CheckSome(client::Client* client, std::mt19937_64* random) {
  for (int i = 0; i < 20 && written_.tokens() != 0; ++i) {
    const uint64_t token = (*random)() % written_.tokens();
    const auto verdict = client->Validate(written_.plan->Token(token));
    if (!verdict && IsGone(verdict.error())) return false;
    if (!verdict) throw std::runtime_error("validate: " + verdict.error().message);
    // The disk is whole, so what memory does not have yet is looked up there.
    if (verdict->kind == client::Verdict::Kind::kCannotSay) {
      failures_.Add("nothing can be said of token " + std::to_string(token) + ": " +
                    verdict->reason);
      continue;
    }
    TokenFate fate = TokenFate::kAbsent;
    if (!written_.plan->FateOf(token, *verdict, &fate) || !written_.ledger.MayBe(token, fate)) {
      failures_.Add("token " + std::to_string(token) + " is " +
                    (verdict->valid() ? "valid" : verdict->reason) + " and should not be");
    }
  }
  return true;
}

void LedgerCheck::CheckRecords(client::Client* client, std::mt19937_64* random, int count) {
  for (int i = 0; i < count && written_.tokens() != 0; ++i) {
    const uint64_t token = (*random)() % written_.tokens();
    const auto record = client->Get(written_.plan->Token(token));
    if (!record) throw std::runtime_error("get: " + record.error().message);
    TokenFate fate = TokenFate::kAbsent;
    for (const TokenFate candidate :
         {TokenFate::kLive, TokenFate::kExtended, TokenFate::kReplaced, TokenFate::kRevoked}) {
      if (written_.ledger.Is(token, candidate)) fate = candidate;
    }
    bool is_right = record->has_value() == (fate != TokenFate::kAbsent);
    if (is_right && record->has_value()) {
      const client::TokenInfo& info = **record;
      const CrashPlan& plan = *written_.plan;
      is_right = info.state == (fate == TokenFate::kRevoked ? "revoked" : "active") &&
                 info.owner == plan.Owner(token, fate) && info.scopes == plan.Scopes(token) &&
                 info.expires_at_ms == plan.ExpiresAtMs(token, fate) &&
                 info.generation == (fate == TokenFate::kReplaced ? 2 : 1);
    }
    if (!is_right) failures_.Add("the record of token " + std::to_string(token));
  }
}

std::optional<uint64_t> LedgerCheck::TokenThatIs(TokenFate fate, std::mt19937_64* random) const {
  const uint64_t tokens = written_.tokens();
  const uint64_t start = tokens == 0 ? 0 : (*random)() % tokens;
  for (uint64_t i = 0; i < tokens; ++i) {
    const uint64_t token = (start + i) % tokens;
    if (written_.ledger.Is(token, fate)) return token;
  }
  return std::nullopt;
}

}  // namespace tokend::testing
