// The power goes while several threads write. What was acknowledged is there afterwards, as far as
// the durability level promises it; what was under way is there wholly or not at all; and of what a
// weaker level loses, no revoke is part.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fault_file_system.h"
#include "tests/support/store_fixture.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

constexpr int kWriters = 3;
constexpr int kTokensEach = 40;
constexpr int kOwnersEach = 2;

// What can be seen of a token. Each change gives it an expiry that it never had, so that no two of
// its states look alike.
struct Seen {
  bool there = false;
  bool revoked = false;
  uint64_t expires_at_ms = 0;

  friend bool operator==(const Seen&, const Seen&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    if (!seen.there) return out << "absent";
    return out << (seen.revoked ? "revoked" : "live") << " until " << seen.expires_at_ms;
  }
};

struct Token {
  std::string name, owner;
  std::vector<Seen> states = {Seen()};  // in the order in which they were written
  size_t acknowledged = 0;              // the last one that was
  size_t certain = 0;                   // the last one that no level may lose
};

// One thread's tokens, which no other thread touches, so that their order is known.
class Writer {
 public:
  Writer(int number, uint64_t seed) : random_(seed + number) {
    for (int i = 0; i < kTokensEach; ++i) {
      Token& token = tokens_.emplace_back();
      token.name = "t" + std::to_string(number) + "-" + std::to_string(i);
      token.owner = "o" + std::to_string(number) + "-" + std::to_string(i % kOwnersEach);
    }
  }

  // Until the first write that is not acknowledged.
  void Run(Store* store, bool synced) {
    while (true) {
      Mutation mutation{"default", {}};
      std::vector<Token*> touched;
      Choose(&mutation, &touched);
      if (touched.empty()) continue;
      last_ = std::holds_alternative<RevokeOwnerMutation>(mutation.op) ? touched
                                                                       : std::vector<Token*>();
      Outcome outcome;
      const Status status = store->SubmitAndWait(mutation, &outcome);
      if (!status.ok() || !outcome.status.ok()) return;
      const bool ends = std::holds_alternative<RevokeMutation>(mutation.op) ||
                        std::holds_alternative<RevokeOwnerMutation>(mutation.op);
      for (Token* token : touched) token->acknowledged = token->states.size() - 1;
      if (ends || synced) {
        // With it, all that was acknowledged to this thread before.
        for (Token& token : tokens_) token.certain = token.acknowledged;
      }
      ++acknowledged_;
    }
  }

  // Gives what each token looks like as the only state that it has, for the next round.
  void Check(const std::function<Seen(const Token&)>& look) {
    for (Token& token : tokens_) {
      const Seen seen = look(token);
      const auto found = std::find(token.states.begin() + static_cast<ptrdiff_t>(token.certain),
                                   token.states.end(), seen);
      EXPECT_NE(found, token.states.end())
          << token.name << " is " << seen << "; the last that may not be lost is "
          << token.states[token.certain] << ", the last acknowledged "
          << token.states[token.acknowledged];
    }
    CheckWholeness(look);
    for (Token& token : tokens_) {
      token.states = {look(token)};
      token.acknowledged = token.certain = 0;
    }
    last_.clear();
  }

  uint64_t acknowledged() const { return acknowledged_; }

 private:
  // What an owner's cut-off, if that was the last write, would have hit is hit wholly or not at
  // all.
  void CheckWholeness(const std::function<Seen(const Token&)>& look) {
    size_t hit = 0, missed = 0;
    for (const Token* token : last_) {
      const Seen seen = look(*token);
      if (seen == token->states.back()) ++hit;
      if (seen == token->states[token->states.size() - 2]) ++missed;
    }
    EXPECT_TRUE(hit == 0 || missed == 0) << hit << " hit and " << missed << " not";
  }

  void Choose(Mutation* mutation, std::vector<Token*>* touched) {
    Token& token = tokens_[random_() % tokens_.size()];
    const Seen now = token.states.back();
    const uint64_t expires_at_ms = next_expiry_ms_++;
    const auto next = [&](Token* changed, const Seen& seen) {
      changed->states.push_back(seen);
      touched->push_back(changed);
    };
    const uint64_t choice = random_() % 100;
    if (choice < 60) {
      InsertMutation insert;
      insert.key = KeyOfName(token.name);
      insert.owner = token.owner;
      insert.expiry = {ExpirySpec::Kind::kAt, expires_at_ms};
      insert.replace = true;
      mutation->op = insert;
      next(&token, {true, false, expires_at_ms});
    } else if (choice < 80) {
      if (!now.there || now.revoked) return;
      mutation->op = ExtendMutation{KeyOfName(token.name), expires_at_ms};
      next(&token, {true, false, expires_at_ms});
    } else if (choice < 95) {
      if (!now.there || now.revoked) return;
      mutation->op = RevokeMutation{KeyOfName(token.name)};
      next(&token, {true, true, now.expires_at_ms});
    } else {
      mutation->op = RevokeOwnerMutation{token.owner};
      for (Token& other : tokens_) {
        const Seen& was = other.states.back();
        if (other.owner == token.owner && was.there && !was.revoked) {
          next(&other, {true, true, was.expires_at_ms});
        }
      }
    }
  }

  static TokenKey KeyOfName(const std::string& name) {
    Digester digester;
    return digester.Digest(DigestScheme::kSha256, name);
  }

  std::mt19937_64 random_;
  std::vector<Token> tokens_;
  std::vector<Token*> last_;  // what the last write was to touch, if that was an owner's cut-off
  uint64_t next_expiry_ms_ = ManualClock::kStartMs + (uint64_t{1} << 30);
  uint64_t acknowledged_ = 0;
};

class PowerLossTest : public StoreFixture, public ::testing::WithParamInterface<Durability> {
 protected:
  PowerLossTest()
      : files_(std::make_shared<testing::FaultFileSystem>()),
        env_(rocksdb::NewCompositeEnv(files_)) {}

  ~PowerLossTest() override { CloseStore(); }  // before its files

  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.env = env_.get();
    options.durability = GetParam();
    options.sync_interval_ms = 5;
    options.write_buffer_bytes = 1 << 20;  // so that files are written as well
    return options;
  }

  Seen Look(const Token& token) {
    const std::optional<Record> record = Get(token.name);
    const Verdict verdict = Validate(token.name);
    if (!record) {
      EXPECT_EQ(verdict, Verdict::kUnknown) << token.name;
      return {};
    }
    EXPECT_EQ(verdict, record->revoked ? Verdict::kRevoked : Verdict::kValid) << token.name;
    return {true, record->revoked, record->expires_at_ms};
  }

  std::shared_ptr<testing::FaultFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_P(PowerLossTest, LosesNoMoreThanItsLevelSays) {
  const uint64_t seed = TestSeed();
  std::mt19937_64 random(seed);
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < kWriters; ++i) writers.push_back(std::make_unique<Writer>(i, seed));
  const int rounds = 12;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    std::vector<std::thread> threads;
    for (auto& writer : writers) {
      threads.emplace_back([&] { writer->Run(store_.get(), GetParam() == Durability::kSync); });
    }
    // Real time: the moment is what chance is for.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    clock_.Advance(10);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    files_->Cut();
    for (std::thread& thread : threads) thread.join();
    CloseStore();
    files_->Lose(&random);
    OpenStore();
    for (auto& writer : writers) {
      writer->Check([this](const Token& token) { return Look(token); });
    }
    store_->table().CheckInvariants();
  }
  for (auto& writer : writers) EXPECT_GT(writer->acknowledged(), 0u);
}

TEST_P(PowerLossTest, ARevokeIsOnTheDiskAtEveryLevel) {
  std::mt19937_64 random(TestSeed());
  Insert("by token");
  Insert("by owner", {.owner = "bob"});
  Insert("rotated");
  EXPECT_TRUE(Revoke("by token").status.ok());
  EXPECT_EQ(RevokeOwner("bob").count, 1u);
  EXPECT_TRUE(Do(RotateMutation{Key("rotated"), Key("new")}).status.ok());
  files_->Cut();
  CloseStore();
  files_->Lose(&random);
  OpenStore();
  EXPECT_EQ(Validate("by token"), Verdict::kRevoked);
  EXPECT_EQ(Validate("by owner"), Verdict::kRevoked);
  EXPECT_EQ(Validate("rotated"), Verdict::kUnknown);
  EXPECT_EQ(Validate("new"), Verdict::kValid);
}

TEST_P(PowerLossTest, APurgeIsOnTheDiskAtEveryLevel) {
  std::mt19937_64 random(TestSeed());
  Insert("expired", {.ttl_ms = 1});
  clock_.Advance(10);
  store_->Maintain();
  EXPECT_EQ(Do(PurgeExpiredMutation{clock_.NowMs()}).count, 1u);
  files_->Cut();
  CloseStore();
  files_->Lose(&random);
  OpenStore();
  EXPECT_FALSE(Get("expired"));
}

TEST_P(PowerLossTest, AfterACleanStopNothingIsLost) {
  std::mt19937_64 random(TestSeed());
  Insert("a", {.ttl_ms = 1000});
  CloseStore();
  files_->Cut();
  files_->Lose(&random);
  OpenStore();
  EXPECT_EQ(Validate("a"), Verdict::kValid);
}

class IntervalTest : public PowerLossTest {};

TEST_P(IntervalTest, WhatIsOlderThanTheIntervalIsOnTheDisk) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 10; ++round) {
    const std::string name = "token " + std::to_string(round);
    Insert(name);
    clock_.Advance(Options().sync_interval_ms);
    store_->Maintain();
    Insert("later " + std::to_string(round));
    files_->Cut();
    CloseStore();
    files_->Lose(&random);
    OpenStore();
    EXPECT_EQ(Validate(name), Verdict::kValid);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, IntervalTest, ::testing::Values(Durability::kInterval));

std::string LevelName(const ::testing::TestParamInfo<Durability>& level) {
  switch (level.param) {
    case Durability::kSync:
      return "Sync";
    case Durability::kInterval:
      return "Interval";
    case Durability::kNone:
      return "None";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(Levels, PowerLossTest,
                         ::testing::Values(Durability::kSync, Durability::kInterval,
                                           Durability::kNone),
                         LevelName);

}  // namespace
}  // namespace tokend
