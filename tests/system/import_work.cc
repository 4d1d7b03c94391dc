#include "tests/system/import_work.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/system/connect.h"

namespace tokend::testing {
namespace {

// Made by the first import, so that a crash may come between the two.
constexpr const char* kNamespace = "imported";

constexpr uint64_t kDayMs = 24 * 3600 * 1000;

}  // namespace

ImportWork::ImportWork(uint64_t runs, uint64_t seed, uint64_t now_ms, Failures* failures)
    : seed_(seed),
      expires_base_ms_(now_ms + kDayMs),
      failures_(*failures),
      ledger_(runs * kImportsPerRun * kRows) {}

std::string ImportWork::Token(uint64_t row) const {
  return "import-" + std::to_string(seed_) + "-" + std::to_string(row);
}

void ImportWork::Run(client::Client client, const std::atomic<bool>& stop) {
  const uint64_t last = std::min(begun_ + kImportsPerRun, ledger_.size() / kRows);
  while (!stop.load(std::memory_order_relaxed) && begun_ < last) {
    const uint64_t import = begun_++;
    if (!Import(&client, import, /*with_revokes=*/true)) return;
    ended_ = begun_;
  }
}

bool ImportWork::Import(client::Client* client, uint64_t import, bool with_revokes) {
  client::ImportBeginRequest begin;
  begin.namespace_name = kNamespace;
  begin.source = "import " + std::to_string(import);
  const auto id = client->ImportBegin(begin);
  if (!id) return IsAnswered(id.error(), "import_begin");
  const uint64_t first = import * kRows;
  for (uint64_t batch = 0; batch < kBatches; ++batch) {
    client::ImportBatch rows;
    for (uint64_t row = first + batch * kBatchRows; row < first + (batch + 1) * kBatchRows; ++row) {
      const std::string token = Token(row);
      const std::string owner = Owner(row);
      client::ImportRow sent;
      sent.token = client::Token(token);
      sent.owner = owner;
      sent.scopes = {"read", "write"};
      sent.expires_at_ms = ExpiresAtMs(row);
      sent.created_at_ms = sent.updated_at_ms = expires_base_ms_ - 2 * kDayMs;
      if (!rows.Add(sent)) throw std::runtime_error("a row cannot be encoded");
      // What was revoked the import does not bring back.
      if (!ledger_.Is(row, TokenFate::kRevoked)) ledger_.Sent(row, TokenFate::kLive);
    }
    const auto totals = client->ImportRows(*id, rows);
    if (!totals) return IsAnswered(totals.error(), "import_rows");
    if (with_revokes && !RevokeARow(client, first + batch * kBatchRows + import % kBatchRows)) {
      return false;
    }
  }
  const auto totals = client->ImportEnd(*id);
  if (!totals) return IsAnswered(totals.error(), "import_end");
  CheckTotals(import, *totals);
  for (uint64_t row = first; row < first + kRows; ++row) {
    if (!ledger_.Is(row, TokenFate::kRevoked)) ledger_.Settle(row, TokenFate::kLive);
  }
  return true;
}

void ImportWork::CheckTotals(uint64_t import, const client::ImportTotals& totals) {
  if (totals.taken + totals.replaced + totals.unchanged != kRows || totals.refused != 0) {
    failures_.Add("import " + std::to_string(import) + " was answered with " +
                  std::to_string(totals.taken) + " taken, " + std::to_string(totals.replaced) +
                  " replaced, " + std::to_string(totals.unchanged) + " unchanged, " +
                  std::to_string(totals.refused) + " refused");
  }
}

bool ImportWork::RevokeARow(client::Client* client, uint64_t row) {
  ledger_.Sent(row, TokenFate::kRevoked);
  const auto was_live = client->Revoke(Token(row), kNamespace);
  if (!was_live) return IsAnswered(was_live.error(), "revoke of an imported token");
  if (!*was_live) failures_.Add(Token(row) + ": revoke was answered false");
  ledger_.Settle(row, TokenFate::kRevoked);
  return true;
}

bool ImportWork::IsAnswered(const client::Error& error, const std::string& what) {
  if (!IsGone(error)) failures_.Add(what + ": " + error.code + ": " + error.message);
  return false;
}

void ImportWork::CheckRow(uint64_t row, const client::Verdict& verdict) {
  TokenFate fate = TokenFate::kAbsent;
  if (verdict.valid()) {
    fate = TokenFate::kLive;
    if (verdict.owner != Owner(row) || verdict.expires_at_ms != ExpiresAtMs(row) ||
        verdict.scopes.size() != 2) {
      failures_.Add(Token(row) + " has a field that was never written");
    }
  } else if (verdict.reason == "revoked") {
    fate = TokenFate::kRevoked;
  }
  if (!ledger_.MayBe(row, fate)) {
    failures_.Add(Token(row) + " is " + (verdict.valid() ? "valid" : verdict.reason) +
                  " and should not be");
  }
  ledger_.Settle(row, fate);
}

void ImportWork::CheckAll(client::Client* client) {
  constexpr uint64_t kAsk = 1000;
  const uint64_t rows = begun_ * kRows;
  for (uint64_t first = 0; first < rows; first += kAsk) {
    std::vector<std::string> texts;
    for (uint64_t row = first; row < std::min(first + kAsk, rows); ++row) {
      texts.push_back(Token(row));
    }
    const auto verdicts =
        client->ValidateMany(std::vector<client::Token>(texts.begin(), texts.end()), kNamespace);
    if (!verdicts && verdicts.error().code == "unknown_namespace") {
      client::Verdict unknown;
      unknown.kind = client::Verdict::Kind::kInvalid;
      unknown.reason = "unknown";
      for (uint64_t i = 0; i < texts.size(); ++i) CheckRow(first + i, unknown);
      continue;
    }
    if (!verdicts) throw std::runtime_error("validate_many: " + verdicts.error().message);
    if (verdicts->size() != texts.size()) throw std::runtime_error("validate_many fell short");
    for (uint64_t i = 0; i < texts.size(); ++i) CheckRow(first + i, (*verdicts)[i]);
  }
  if (ended_ == begun_) return;
  if (!Import(client, ended_, /*with_revokes=*/false)) {
    throw std::runtime_error("the server is gone while an import is repeated");
  }
  ended_ = begun_;
  CheckAll(client);
}

}  // namespace tokend::testing
