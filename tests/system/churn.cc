#include "tests/system/churn.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/system/connect.h"

namespace tokend::testing {
namespace {

// A token is asked about for so long after its expiry.
constexpr uint64_t kAskedAfterExpiryMs = 1000;
constexpr uint64_t kRevokeOwnerEvery = 20;  // steps
constexpr uint64_t kPurgeEvery = 40;
// What has expired so long ago has left the server's memory by itself.
constexpr uint64_t kPurgedAfterExpiryMs = 1500;

uint64_t NowMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

Churn::Churn(const ChurnOptions& options, Failures* failures)
    : options_(options), failures_(*failures), random_(options.seed) {}

std::string Churn::Text(uint64_t number) const {
  return "churn-" + std::to_string(options_.seed) + "-" + std::to_string(number);
}

std::string Churn::Owner(uint64_t owner) const {
  return "churn-" + std::to_string(options_.seed) + "-owner-" + std::to_string(owner);
}

void Churn::Run(client::Client client, const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
    ForgetOld();
    if (!Step(&client)) return;
    ++steps_;
    if (steps_ % kRevokeOwnerEvery == 0 && !RevokeAnOwner(&client)) return;
    if (steps_ % kPurgeEvery == 0 && !Purge(&client)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(options_.pause_ms));
  }
}

// Writes and validates, all of different tokens, under way at once.
bool Churn::Step(client::Client* client) {
  std::vector<Tokens::iterator> chosen;
  for (size_t i = 0; i < 2 * options_.writes_a_step && !tokens_.empty(); ++i) {
    const uint64_t oldest = tokens_.begin()->first;
    const auto token = tokens_.lower_bound(oldest + random_() % (next_token_ - oldest));
    if (token != tokens_.end()) chosen.push_back(token);
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const auto& a, const auto& b) { return a->first < b->first; });
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());

  std::vector<std::function<bool()>> answers;
  for (const auto token : chosen) {
    if (random_() % 8 == 0) {
      Change(client, token, &answers);
      continue;
    }
    const uint64_t asked_ms = NowMs();
    auto pending = std::make_shared<client::Pending<client::Verdict>>(
        client->SendValidate(Text(token->first)));
    answers.push_back([this, token, asked_ms, pending] {
      const auto verdict = pending->Wait();
      if (!verdict) return IsAnswered(verdict.error(), "validate");
      Judge(token, *verdict, asked_ms, NowMs());
      return true;
    });
  }
  for (size_t i = 0; i < options_.writes_a_step && tokens_.size() < options_.held_max; ++i) {
    Insert(client, &answers);
  }
  // After the break too: what was answered before it still counts.
  bool is_there = true;
  for (const auto& take : answers) is_there = take() && is_there;
  return is_there;
}

void Churn::Insert(client::Client* client, std::vector<std::function<bool()>>* answers) {
  const uint64_t number = next_token_++;
  const uint64_t ttl_ms =
      options_.ttl_ms_min + random_() % (options_.ttl_ms_max - options_.ttl_ms_min + 1);
  const uint64_t expires_at_ms = NowMs() + ttl_ms;
  const auto token = tokens_
                         .emplace(number, Held{.owner = random_() % options_.owners,
                                               .expires_at_ms = {expires_at_ms, expires_at_ms}})
                         .first;
  const std::string text = Text(number);
  client::InsertRequest request;
  request.token = client::Token(text);
  request.expires_at_ms = expires_at_ms;
  request.owner = Owner(token->second.owner);
  request.scopes = {"read"};
  auto pending = std::make_shared<client::Pending<std::string>>(client->SendInsert(request));
  answers->push_back([this, token, pending] {
    const auto id = pending->Wait();
    if (!id) return IsAnswered(id.error(), "insert");
    token->second.may_be_absent = false;
    writes_.fetch_add(1, std::memory_order_relaxed);
    return true;
  });
}

void Churn::Change(client::Client* client, Tokens::iterator token,
                   std::vector<std::function<bool()>>* answers) {
  Held& held = token->second;
  const Held before = held;
  const bool revokes = random_() % 2 == 0;
  const uint64_t later_ms = held.LastExpiryMs() + options_.ttl_ms_min;
  if (revokes) {
    held.may_be_revoked = true;
  } else {
    held.expires_at_ms[1] = later_ms;
  }
  const std::string text = Text(token->first);
  auto pending = std::make_shared<client::Pending<bool>>(
      revokes ? client->SendRevoke(text) : client->SendExtend(text, later_ms));
  answers->push_back([this, token, pending, revokes, before, later_ms] {
    const auto done = pending->Wait();
    if (!done) return IsAnswered(done.error(), revokes ? "revoke" : "extend");
    writes_.fetch_add(1, std::memory_order_relaxed);
    const bool was_live = !before.may_be_absent && before.may_be_live && !before.may_be_revoked &&
                          NowMs() < before.FirstExpiryMs();
    if (*done ? !before.may_be_live : was_live) {
      failures_.Add(Text(token->first) + (revokes ? ": revoke" : ": extend") + " was answered " +
                    (*done ? "true" : "false"));
    }
    Held& after = token->second;
    if (revokes) {
      after.may_be_live = false;
    } else if (*done) {
      after.expires_at_ms.fill(later_ms);
    } else {
      after.expires_at_ms = before.expires_at_ms;
    }
    return true;
  });
}

bool Churn::RevokeAnOwner(client::Client* client) {
  const uint64_t owner = random_() % options_.owners;
  for (auto& [number, held] : tokens_) {
    if (held.owner == owner) held.may_be_revoked = true;
  }
  const auto count = client->RevokeOwner(Owner(owner));
  if (!count) return IsAnswered(count.error(), "revoke_owner");
  for (auto& [number, held] : tokens_) {
    if (held.owner == owner) held.may_be_live = false;
  }
  writes_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Churn::Purge(client::Client* client) {
  // Without it a purge would go by a clock that stands still while the server does.
  if (const auto accepted = client->ClockAccept(); !accepted) {
    return IsAnswered(accepted.error(), "clock_accept");
  }
  const auto dropped = client->PurgeExpired(NowMs() - kPurgedAfterExpiryMs);
  return dropped || IsAnswered(dropped.error(), "purge_expired");
}

bool Churn::IsAnswered(const client::Error& error, const std::string& what) {
  if (IsGone(error)) return false;
  failures_.Add(what + ": " + error.code + ": " + error.message);
  return true;
}

void Churn::Judge(Tokens::iterator token, const client::Verdict& verdict, uint64_t asked_ms,
                  uint64_t answered_ms) {
  if (verdict.kind == client::Verdict::Kind::kCannotSay) {
    failures_.Add("nothing can be said of " + Text(token->first) + ": " + verdict.reason);
    return;
  }
  Held& held = token->second;
  const bool may_have_expired = answered_ms >= held.FirstExpiryMs();
  bool is_right = false;
  if (verdict.valid()) {
    const uint64_t expires_at_ms = verdict.expires_at_ms.value_or(0);
    is_right = held.may_be_live && asked_ms < expires_at_ms &&
               (expires_at_ms == held.expires_at_ms[0] || expires_at_ms == held.expires_at_ms[1]) &&
               verdict.owner == Owner(held.owner) && verdict.scopes.size() == 1;
  } else if (verdict.reason == "revoked") {
    is_right = held.may_be_revoked;
  } else if (verdict.reason == "expired") {
    is_right = held.may_be_live && may_have_expired;
  } else if (verdict.reason == "unknown") {
    is_right = held.may_be_absent || may_have_expired;
  }
  checks_.fetch_add(1, std::memory_order_relaxed);
  if (!is_right) {
    failures_.Add(Text(token->first) + " is " + (verdict.valid() ? "valid" : verdict.reason) +
                  " and should not be; it may be" + (held.may_be_absent ? " absent" : "") +
                  (held.may_be_live ? " live" : "") + (held.may_be_revoked ? " revoked" : "") +
                  ", expires " + std::to_string(held.expires_at_ms[0]) + " or " +
                  std::to_string(held.expires_at_ms[1]) + ", was asked at " +
                  std::to_string(asked_ms) + ", answered at " + std::to_string(answered_ms));
    return;
  }
  // Seen is settled: its writes were all answered, or the server that did not answer is gone.
  if (verdict.valid()) {
    held.may_be_absent = held.may_be_revoked = false;
    held.expires_at_ms.fill(*verdict.expires_at_ms);
  } else if (verdict.reason == "revoked") {
    held.may_be_absent = held.may_be_live = false;
  } else if (!may_have_expired) {
    held.may_be_live = held.may_be_revoked = false;
  }
}

void Churn::CheckAll(client::Client* client) {
  std::vector<std::string> texts;
  std::vector<Tokens::iterator> asked;
  for (auto token = tokens_.begin(); token != tokens_.end(); ++token) {
    asked.push_back(token);
    texts.push_back(Text(token->first));
  }
  constexpr size_t kAsk = 1000;
  for (size_t first = 0; first < texts.size(); first += kAsk) {
    const size_t end = std::min(first + kAsk, texts.size());
    const std::vector<client::Token> some(texts.begin() + static_cast<ptrdiff_t>(first),
                                          texts.begin() + static_cast<ptrdiff_t>(end));
    const uint64_t asked_ms = NowMs();
    const auto verdicts = client->ValidateMany(some);
    if (!verdicts) throw std::runtime_error("validate_many: " + verdicts.error().message);
    if (verdicts->size() != some.size()) throw std::runtime_error("validate_many fell short");
    const uint64_t answered_ms = NowMs();
    for (size_t i = first; i < end; ++i) {
      Judge(asked[i], (*verdicts)[i - first], asked_ms, answered_ms);
    }
  }
}

void Churn::ForgetOld() {
  const uint64_t now_ms = NowMs();
  std::erase_if(tokens_, [&](const auto& entry) {
    const Held& held = entry.second;
    const bool is_nothing = !held.may_be_live && !held.may_be_revoked;
    return is_nothing || held.LastExpiryMs() + kAskedAfterExpiryMs < now_ms;
  });
}

}  // namespace tokend::testing
