#include "storage/interner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/test_seed.h"

namespace tokend {
namespace {

class InternerTest : public ::testing::Test {
 protected:
  InternerTest() { Make(/*shard_bits=*/0); }
  ~InternerTest() override {
    Check();
    populator_->Stop();  // before the memory that it touches goes
  }

  void Make(uint32_t shard_bits) {
    if (populator_) populator_->Stop();
    interner_.reset();
    references_.clear();
    epochs_ = std::make_unique<EpochDomain>();
    meter_ = std::make_unique<MemoryMeter>(0);
    populator_ = std::make_unique<Populator>();
    interner_ = std::make_unique<Interner>(
        Interner::Options{.what = "a test", .shard_bits = shard_bits, .seed = 1}, epochs_.get(),
        meter_.get(), populator_.get());
  }
  uint32_t Acquire(std::string_view bytes, uint16_t ns = 1) {
    const uint32_t id = interner_->Acquire(ns, bytes);
    if (id != 0) ++references_[id];
    return id;
  }
  void Release(uint32_t id) {
    interner_->Release(id);
    if (--references_[id] == 0) references_.erase(id);
  }
  void Check() const {
    interner_->CheckInvariants([this](uint32_t id) {
      const auto found = references_.find(id);
      return found == references_.end() ? 0 : found->second;
    });
    EXPECT_EQ(interner_->entries(), references_.size());
    EXPECT_EQ(interner_->touched_bytes(), meter_->bytes());
  }

  std::unique_ptr<EpochDomain> epochs_;
  std::unique_ptr<MemoryMeter> meter_;
  std::unique_ptr<Populator> populator_;
  std::unique_ptr<Interner> interner_;
  std::map<uint32_t, uint32_t> references_;
};

TEST_F(InternerTest, EqualBytesAreOneEntry) {
  const uint32_t alice = Acquire("alice");
  const uint32_t bob = Acquire("bob");
  EXPECT_NE(alice, 0u);
  EXPECT_NE(alice, bob);
  EXPECT_EQ(Acquire("alice"), alice);
  EXPECT_EQ(interner_->BytesOf(alice), "alice");
  EXPECT_EQ(interner_->BytesOf(bob), "bob");
  EXPECT_EQ(interner_->entries(), 2u);
}

TEST_F(InternerTest, NamespacesAreSeparate) {
  const uint32_t here = Acquire("alice", 0);
  const uint32_t there = Acquire("alice", 65535);
  EXPECT_NE(here, there);
  EXPECT_TRUE(interner_->Kill(65535, "alice"));
  EXPECT_FALSE(interner_->IsKilled(here));
  EXPECT_TRUE(interner_->IsKilled(there));
}

TEST_F(InternerTest, AnEntryGoesWithItsLastReference) {
  const uint32_t id = Acquire("alice");
  Acquire("alice");
  Release(id);
  EXPECT_EQ(interner_->entries(), 1u);
  Release(id);
  EXPECT_EQ(interner_->entries(), 0u);
  EXPECT_EQ(interner_->Reclaim(10), 1u);
  EXPECT_EQ(interner_->Reclaim(10), 0u);
  EXPECT_EQ(Acquire("bob 56"), id);  // of the same size class, so in its place
}

TEST_F(InternerTest, BytesStayUntilReadersHavePassed) {
  EpochDomain::Record* reader = epochs_->Register();
  epochs_->GoOnline(reader);
  const uint32_t id = Acquire("alice");
  const std::string_view held = interner_->BytesOf(id);
  Release(id);
  EXPECT_EQ(interner_->Reclaim(10), 0u);
  const uint32_t other = Acquire("carol");
  EXPECT_NE(other, id);
  EXPECT_EQ(held, "alice");
  epochs_->Quiesce(reader);
  EXPECT_EQ(interner_->Reclaim(10), 1u);
  EXPECT_EQ(Acquire("david"), id);
  epochs_->Unregister(reader);
}

TEST_F(InternerTest, KilledEntriesAreNotFoundAgainAndStayKilled) {
  EpochDomain::Record* reader = epochs_->Register();
  epochs_->GoOnline(reader);
  const uint32_t id = Acquire("alice");
  EXPECT_FALSE(interner_->IsKilled(id));
  EXPECT_FALSE(interner_->Kill(1, "nobody"));
  EXPECT_TRUE(interner_->Kill(1, "alice"));
  EXPECT_FALSE(interner_->Kill(1, "alice"));
  EXPECT_TRUE(interner_->IsKilled(id));
  EXPECT_EQ(interner_->BytesOf(id), "alice");
  const uint32_t fresh = Acquire("alice");
  EXPECT_NE(fresh, id);
  EXPECT_FALSE(interner_->IsKilled(fresh));
  Check();
  Release(id);
  EXPECT_TRUE(interner_->IsKilled(id));  // a reader may still ask
  epochs_->Unregister(reader);
  EXPECT_EQ(interner_->Reclaim(10), 1u);
  const uint32_t reused = Acquire("bobby");
  EXPECT_EQ(reused, id);
  EXPECT_FALSE(interner_->IsKilled(reused));
}

TEST_F(InternerTest, EveryLength) {
  std::map<size_t, uint32_t> ids;
  for (size_t length = 0; length <= Interner::kBytesMax; length += length < 700 ? 1 : 61) {
    ids[length] = Acquire(std::string(length, 'x'));
    ASSERT_NE(ids[length], 0u) << length;
  }
  ids[Interner::kBytesMax] = Acquire(std::string(Interner::kBytesMax, 'x'));
  ASSERT_NE(ids[Interner::kBytesMax], 0u);
  Check();
  for (const auto& [length, id] : ids) ASSERT_EQ(interner_->BytesOf(id).size(), length);
  for (const auto& [length, id] : ids) Release(id);
  EXPECT_EQ(interner_->Reclaim(SIZE_MAX), ids.size());
  Check();
  // All again, in the other order: their memory is there already.
  const uint64_t bytes = meter_->bytes();
  for (auto it = ids.rbegin(); it != ids.rend(); ++it) {
    it->second = Acquire(std::string(it->first, 'x'));
  }
  Check();
  EXPECT_EQ(meter_->bytes(), bytes);
}

TEST_F(InternerTest, TooLongIsRefused) {
  EXPECT_EQ(Acquire(std::string(Interner::kBytesMax + 1, 'x')), 0u);
  EXPECT_EQ(interner_->entries(), 0u);
}

TEST_F(InternerTest, BytesThatHoldZeros) {
  const std::string one("a\0b", 3), two("a\0c", 3);
  const uint32_t first = Acquire(one);
  EXPECT_NE(Acquire(two), first);
  EXPECT_EQ(interner_->BytesOf(first), one);
}

TEST_F(InternerTest, SaysWhereAShardIsFull) {
  // 64 MiB, in entries that take a sixteenth of a run each or so.
  uint32_t taken = 0;
  uint32_t last = 0;
  while (const uint32_t id = Acquire(std::to_string(taken) + std::string(2000, 'x'))) {
    last = id;
    ++taken;
  }
  EXPECT_GT(taken, 30000u);
  EXPECT_LE(taken, (64u << 20) / 2000);
  EXPECT_EQ(Acquire(std::string(2000, 'y')), 0u);
  EXPECT_EQ(interner_->Acquire(1, interner_->BytesOf(last)), last);  // what is there is found
  ++references_[last];
  Release(last);
  Release(last);
  interner_->Reclaim(1);
  EXPECT_EQ(Acquire(std::string(2000, 'y')), last);
  Check();
}

TEST_F(InternerTest, TakesFewBytesForEach) {
  Make(/*shard_bits=*/4);
  constexpr uint64_t kEntries = 200000;
  for (uint64_t i = 0; i < kEntries; ++i) Acquire("user:" + std::to_string(1000000 + i));
  EXPECT_LT(meter_->bytes(), kEntries * 40);
}

TEST_F(InternerTest, ReclaimKeepsToItsBudget) {
  std::vector<uint32_t> ids;
  ids.reserve(100);
  for (int i = 0; i < 100; ++i) ids.push_back(Acquire(std::to_string(i)));
  for (const uint32_t id : ids) Release(id);
  EXPECT_EQ(interner_->Reclaim(0), 0u);
  size_t freed = 0;
  for (int turn = 0; turn < 10; ++turn) {
    const size_t now_freed = interner_->Reclaim(10);
    EXPECT_LE(now_freed, 10u);
    freed += now_freed;
    Check();
  }
  EXPECT_EQ(freed, 100u);
}

TEST_F(InternerTest, AgreesWithAModel) {
  Make(/*shard_bits=*/2);
  std::mt19937_64 random(TestSeed());
  EpochDomain::Record* reader = epochs_->Register();
  epochs_->GoOnline(reader);
  std::map<std::pair<uint16_t, std::string>, uint32_t> live;  // those that can be found
  std::vector<std::pair<uint32_t, std::string>> held;         // one for each reference
  std::map<uint32_t, bool> killed;
  for (int step = 0; step < 30000; ++step) {
    const uint16_t ns = static_cast<uint16_t>(random() % 2);
    std::string bytes = std::to_string(random() % 300);
    bytes.append(std::stoul(bytes) * std::stoul(bytes) % 3000, 'x');
    switch (random() % 8) {
      case 0:
      case 1:
      case 2: {
        const uint32_t id = Acquire(bytes, ns);
        ASSERT_NE(id, 0u);
        const auto [it, is_new] = live.emplace(std::pair(ns, bytes), id);
        ASSERT_EQ(it->second, id);
        if (is_new) killed[id] = false;
        held.emplace_back(id, bytes);
        break;
      }
      case 3:
      case 4:
      case 5: {
        if (held.empty()) break;
        const size_t at = random() % held.size();
        const auto [id, name] = held[at];
        held[at] = held.back();
        held.pop_back();
        Release(id);
        if (!references_.contains(id) && !killed[id]) {
          for (const uint16_t in : {0, 1}) {
            const auto it = live.find(std::pair(in, name));
            if (it != live.end() && it->second == id) live.erase(it);
          }
        }
        break;
      }
      case 6: {
        if (random() % 10 != 0) break;
        const auto it = live.find(std::pair(ns, bytes));
        ASSERT_EQ(interner_->Kill(ns, bytes), it != live.end());
        if (it != live.end()) {
          killed[it->second] = true;
          live.erase(it);
        }
        break;
      }
      default:
        if (random() % 2) epochs_->Quiesce(reader);
        interner_->Reclaim(random() % 5);
    }
    if (step % 1000 == 0) {
      Check();
      for (const auto& [id, name] : held) {
        ASSERT_EQ(interner_->BytesOf(id), name);
        ASSERT_EQ(interner_->IsKilled(id), killed[id]);
      }
    }
  }
  epochs_->Unregister(reader);
}

TEST_F(InternerTest, ManyWritersShareEntries) {
  Make(/*shard_bits=*/1);
  constexpr int kThreads = 3, kRounds = 3000;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      std::vector<uint32_t> held;
      for (int i = 0; i < kRounds; ++i) {
        const std::string bytes = "name " + std::to_string(random() % 50);
        const uint32_t id = interner_->Acquire(1, bytes);
        if (interner_->BytesOf(id) != bytes) ADD_FAILURE() << "another's entry";
        held.push_back(id);
        if (random() % 2) {
          interner_->Release(held.front());
          held.erase(held.begin());
        }
        if (i % 100 == 0) interner_->Reclaim(10);
        if (i % 500 == 0) interner_->Kill(1, bytes);
      }
      for (const uint32_t id : held) interner_->Release(id);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(interner_->entries(), 0u);
}

}  // namespace
}  // namespace tokend
