// Random operations against a plain model of what may be observed, with restarts and a moving
// clock. TOKEND_TEST_SEED takes a printed seed back.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

#include "tests/support/store_fixture.h"

namespace tokend {
namespace {

struct ModelToken {
  std::string owner;
  uint64_t expires_at_ms = kNever;
  bool revoked = false;
  uint64_t uses = 0;
};

class StoreModelTest : public StoreFixture, public ::testing::WithParamInterface<int> {
 protected:
  static uint64_t Seed() {
    const char* given = std::getenv("TOKEND_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }
  uint64_t Below(uint64_t n) { return std::uniform_int_distribution<uint64_t>(0, n - 1)(random_); }
  bool IsLive(const ModelToken& token) const {
    return !token.revoked && clock_.NowMs() < token.expires_at_ms;
  }
  void Check(const std::string& name) {
    const auto it = model_.find(name);
    const Verdict verdict = Validate(name);
    if (it == model_.end()) {
      ASSERT_EQ(verdict, Verdict::kUnknown) << name;
      ASSERT_FALSE(Get(name)) << name;
      return;
    }
    ModelToken& token = it->second;
    const bool past = clock_.NowMs() >= token.expires_at_ms;
    if (IsLive(token)) {
      ASSERT_EQ(verdict, Verdict::kValid) << name;
      ++token.uses;
    } else {
      // Once memory has given it back it is unknown, which callers treat alike.
      const Verdict exact = token.revoked ? Verdict::kRevoked : Verdict::kExpired;
      ASSERT_TRUE(verdict == exact || (past && verdict == Verdict::kUnknown)) << name;
    }
    const auto record = Get(name);
    ASSERT_TRUE(record) << name;
    ASSERT_EQ(record->revoked, token.revoked) << name;
    ASSERT_EQ(record->owner, token.owner) << name;
    ASSERT_EQ(record->expires_at_ms, token.expires_at_ms) << name;
    ASSERT_EQ(record->use_count, token.uses) << name;
  }
  void Step();

  std::mt19937_64 random_;
  std::map<std::string, ModelToken> model_;
};

void StoreModelTest::Step() {
  const std::string name = "t" + std::to_string(Below(12));
  const std::string owner = "o" + std::to_string(Below(3));
  const auto it = model_.find(name);
  const uint64_t now = clock_.NowMs();
  switch (Below(16)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const bool replace = Below(3) == 0;
      Fields fields{.owner = owner, .replace = replace};
      ModelToken token{owner};
      if (Below(3) != 0) {
        fields.ttl_ms = 1 + Below(5000);
        token.expires_at_ms = now + *fields.ttl_ms;
      }
      const ErrorCode code = Insert(name, fields).status.code();
      ErrorCode expected = ErrorCode::kOk;
      if (it != model_.end() && !replace) {
        if (it->second.revoked) expected = ErrorCode::kRevoked;
        if (IsLive(it->second)) expected = ErrorCode::kExists;
      }
      ASSERT_EQ(code, expected) << name;
      if (code == ErrorCode::kOk) model_[name] = token;
      break;
    }
    case 4:
    case 5: {
      const bool by_id = Below(2) == 0;
      const bool was_live =
          by_id ? Do(RevokeIdMutation{TokenId::Of(Key(name))}).was_live : Revoke(name).was_live;
      ASSERT_EQ(was_live, it != model_.end() && IsLive(it->second)) << name;
      if (it != model_.end()) it->second.revoked = true;
      break;
    }
    case 6: {
      uint64_t live = 0;
      for (auto& [key, token] : model_) {
        if (token.owner != owner) continue;
        live += IsLive(token) ? 1 : 0;
        token.revoked = true;
      }
      ASSERT_EQ(RevokeOwner(owner).count, live);
      break;
    }
    case 7: {
      const uint64_t expires = Below(4) == 0 ? kNever : now + Below(5000);
      const bool live = it != model_.end() && IsLive(it->second);
      ASSERT_EQ(Do(ExtendMutation{Key(name), expires}).was_live, live);
      if (live) it->second.expires_at_ms = expires;
      break;
    }
    case 8: {
      UpdateMutation update;
      update.id = TokenId::Of(Key(name));
      update.scopes = {"s" + std::to_string(Below(4))};
      ASSERT_EQ(Do(update).was_live, it != model_.end() && IsLive(it->second));
      break;
    }
    case 9: {
      uint64_t dropped = 0;
      const uint64_t before = now - Below(3000);
      for (auto token = model_.begin(); token != model_.end();) {
        const bool drop = token->second.expires_at_ms < before;
        dropped += drop ? 1 : 0;
        token = drop ? model_.erase(token) : std::next(token);
      }
      ASSERT_EQ(Do(PurgeExpiredMutation{before}).count, dropped);
      break;
    }
    case 10:
    case 11:
      clock_.Advance(Below(2000));
      break;
    case 12:
      store_->Maintain();
      store_->table().CheckInvariants();
      break;
    case 13:
      store_->FlushUsage();
      break;
    case 14:
      if (Below(8) == 0) Reopen();
      break;
    case 15: {
      uint64_t live = 0;
      for (const auto& [key, token] : model_) live += token.owner == owner && IsLive(token) ? 1 : 0;
      ASSERT_EQ(Count({.owner = owner, .state = TokenState::kActive}), live);
      break;
    }
  }
  Check(name);
}

TEST_P(StoreModelTest, ObservesWhatTheModelSays) {
  const uint64_t seed = Seed() + static_cast<uint64_t>(GetParam());
  SCOPED_TRACE("TOKEND_TEST_SEED=" + std::to_string(seed - static_cast<uint64_t>(GetParam())));
  random_.seed(seed);
  for (int i = 0; i < 400; ++i) {
    Step();
    if (HasFatalFailure()) return;
    // The reclaim clock follows each move of time, as it would by itself.
    store_->Maintain();
  }
  Reopen();
  for (int i = 0; i < 12 && !HasFatalFailure(); ++i) Check("t" + std::to_string(i));
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreModelTest, ::testing::Range(0, 8));

}  // namespace
}  // namespace tokend
