#include "tests/system/crash_writer.h"

#include <utility>

#include "tests/system/connect.h"

namespace tokend::testing {
namespace {

// Fewer than the batches between a cut and the late token that its owner gets afterwards, so that
// the revocation is always sent first.
constexpr size_t kBatchesUnderWay = 8;
static_assert(kBatchesUnderWay < kPlanBatches - 1);

}  // namespace

CrashWriter::CrashWriter(Written* written, client::Client client, uint64_t end_batch)
    : written_(*written),
      plan_(*written->plan),
      ledger_(written->ledger),
      client_(std::move(client)),
      end_batch_(end_batch) {}

std::vector<std::string> CrashWriter::Run(const std::function<void(uint64_t)>& on_acknowledged) {
  bool is_connected = true;
  while (true) {
    while (is_connected && batches_under_way_ < kBatchesUnderWay &&
           written_.next_batch < end_batch_) {
      SendBatch();
    }
    if (under_way_.empty()) break;
    AnyWrite write = std::move(under_way_.front());
    under_way_.pop_front();
    // After the break too: what was acknowledged before it still counts.
    const uint64_t acknowledged_before = tokens_acknowledged_;
    const bool is_answered = std::visit([this](auto& one) { return Take(std::move(one)); }, write);
    is_connected = is_connected && is_answered;
    if (tokens_acknowledged_ != acknowledged_before) on_acknowledged(tokens_acknowledged_);
  }
  return std::move(failures_);
}

void CrashWriter::SendBatch() {
  const uint64_t first = written_.next_batch * kBatchTokens;
  std::vector<std::string> tokens;
  std::vector<client::InsertRequest> requests;
  tokens.reserve(kBatchTokens);
  requests.reserve(kBatchTokens);
  for (uint64_t token = first; token < first + kBatchTokens; ++token) {
    client::InsertRequest request;
    request.token = client::Token(tokens.emplace_back(plan_.Token(token)));
    request.expires_at_ms = plan_.ExpiresAtMs(token, TokenFate::kLive);
    request.owner = plan_.Owner(token, TokenFate::kLive);
    request.scopes = plan_.Scopes(token);
    requests.push_back(std::move(request));
    ledger_.Sent(token, TokenFate::kLive);
  }
  under_way_.push_back(Insert{{written_.next_batch, client_.SendInsertMany(requests)}});
  ++batches_under_way_;
  ++written_.next_batch;
}

void CrashWriter::SendSecondWrites(uint64_t batch) {
  const SecondWrite kind = CrashPlan::SecondWriteOf(batch);
  const uint64_t first = batch * kBatchTokens;
  if (kind == SecondWrite::kNone) return;
  if (kind == SecondWrite::kRevokeOwner) {
    for (uint64_t token = first; token < first + kBatchTokens; ++token) {
      if (CrashPlan::IsCut(token)) ledger_.Sent(token, TokenFate::kRevoked);
    }
    written_.cut_batches.insert(batch);
    under_way_.push_back(RevokeOwner{{batch, client_.SendRevokeOwner(CrashPlan::CutOwner(batch))}});
    return;
  }
  for (uint64_t token = first; token < first + kBatchTokens; token += kSecondWriteEvery) {
    if (kind == SecondWrite::kRevoke) {
      ledger_.Sent(token, TokenFate::kRevoked);
      under_way_.push_back(Revoke{{token, client_.SendRevoke(plan_.Token(token))}});
    } else if (kind == SecondWrite::kRevokeId) {
      ledger_.Sent(token, TokenFate::kRevoked);
      under_way_.push_back(Revoke{{token, client_.SendRevokeId(IdOf(token))}});
    } else if (kind == SecondWrite::kExtend) {
      ledger_.Sent(token, TokenFate::kExtended);
      under_way_.push_back(
          Extend{{token, client_.SendExtend(plan_.Token(token),
                                            plan_.ExpiresAtMs(token, TokenFate::kExtended))}});
    } else {
      ledger_.Sent(token, TokenFate::kReplaced);
      const std::string text = plan_.Token(token);
      client::InsertRequest request;
      request.token = client::Token(text);
      request.expires_at_ms = plan_.ExpiresAtMs(token, TokenFate::kReplaced);
      request.owner = plan_.Owner(token, TokenFate::kReplaced);
      request.scopes = plan_.Scopes(token);
      request.replace = true;
      under_way_.push_back(Replace{{token, client_.SendInsert(request)}});
    }
  }
}

std::string CrashWriter::IdOf(uint64_t token) {
  return ToHex(TokenId::Of(digester_.Digest(DigestScheme::kSha256, plan_.Token(token))));
}

bool CrashWriter::Take(Insert write) {
  --batches_under_way_;
  const auto result = write.answer.Wait();
  if (!result) return !IsBroken(result.error(), "insert_many");
  const uint64_t first = write.number * kBatchTokens;
  if (result->size() != kBatchTokens) {
    failures_.push_back("insert_many of 500 was answered with " + std::to_string(result->size()));
    return true;
  }
  for (uint64_t i = 0; i < kBatchTokens; ++i) {
    const client::InsertOutcome& outcome = (*result)[i];
    if (outcome.error || outcome.id != IdOf(first + i)) {
      failures_.push_back("insert of token " + std::to_string(first + i) + ": " +
                          (outcome.error ? outcome.error->code : "id " + outcome.id));
    }
    ledger_.Settle(first + i, TokenFate::kLive);
  }
  tokens_acknowledged_ += kBatchTokens;
  SendSecondWrites(write.number);
  return true;
}

bool CrashWriter::Take(Revoke write) {
  const auto result = write.answer.Wait();
  return TakeSecond(write.number, result ? nullptr : &result.error(), result && *result,
                    TokenFate::kRevoked);
}

bool CrashWriter::Take(Extend write) {
  const auto result = write.answer.Wait();
  return TakeSecond(write.number, result ? nullptr : &result.error(), result && *result,
                    TokenFate::kExtended);
}

bool CrashWriter::Take(Replace write) {
  const auto result = write.answer.Wait();
  return TakeSecond(write.number, result ? nullptr : &result.error(),
                    result && *result == IdOf(write.number), TokenFate::kReplaced);
}

bool CrashWriter::Take(RevokeOwner write) {
  const auto result = write.answer.Wait();
  if (!result) return !IsBroken(result.error(), "revoke_owner");
  if (*result != kCutTokens) {
    failures_.push_back("revoke_owner of 250 tokens was answered with " + std::to_string(*result));
  }
  const uint64_t first = write.number * kBatchTokens;
  for (uint64_t token = first; token < first + kBatchTokens; ++token) {
    if (CrashPlan::IsCut(token)) ledger_.Settle(token, TokenFate::kRevoked);
  }
  return true;
}

bool CrashWriter::TakeSecond(uint64_t token, const client::Error* error, bool is_right,
                             TokenFate fate) {
  if (error != nullptr) return !IsBroken(*error, "write to token " + std::to_string(token));
  if (!is_right) {
    failures_.push_back("write to token " + std::to_string(token) + " was answered wrong");
  }
  ledger_.Settle(token, fate);
  return true;
}

// An error that the server answers is a failure.
bool CrashWriter::IsBroken(const client::Error& error, const std::string& what) {
  if (IsGone(error)) return true;
  failures_.push_back(what + ": " + error.code + ": " + error.message);
  return false;
}

}  // namespace tokend::testing
