#include "storage/hash_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "storage/mapped_memory.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

using Bucket = HashIndex::Bucket;

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// An index whose ids have any hash that the test gives them.
class HashIndexTest : public ::testing::Test {
 protected:
  HashIndexTest() { Make(/*primary_max=*/8192, /*overflow_max=*/8192); }
  ~HashIndexTest() override { Check(); }

  void Make(uint32_t primary_max, uint32_t overflow_max) {
    meter_ = std::make_unique<MemoryMeter>(0);
    const size_t buckets = StripedArray<Bucket>::SharedSize(primary_max + overflow_max, 0);
    memory_ = std::make_unique<MappedMemory>(buckets * sizeof(Bucket), "a test");
    index_ = std::make_unique<HashIndex>(StripedArray<Bucket>(memory_->as<Bucket>(), 0, 0),
                                         primary_max, overflow_max, meter_.get());
    hashes_.clear();
  }
  bool Insert(uint32_t id, uint64_t hash) {
    hashes_[id] = hash;
    const bool inserted =
        index_->Insert(hash, id, [this](uint32_t other) { return hashes_.at(other); });
    if (!inserted) hashes_.erase(id);
    return inserted;
  }
  void Erase(uint32_t id) {
    index_->Erase(hashes_.at(id), id);
    hashes_.erase(id);
  }
  uint32_t Find(uint32_t id, uint64_t hash) const {
    return index_->Find(hash, [id](uint32_t other) { return other == id; });
  }
  void Check() const {
    std::set<uint32_t> seen;
    index_->CheckInvariants([this](uint32_t id) { return hashes_.at(id); },
                            [&](uint32_t id) { EXPECT_TRUE(seen.insert(id).second) << id; });
    EXPECT_EQ(seen.size(), hashes_.size());
    EXPECT_EQ(index_->size(), hashes_.size());
    EXPECT_EQ(index_->touched_bytes(), meter_->bytes());
    for (const auto& [id, hash] : hashes_) ASSERT_EQ(Find(id, hash), id);
  }

  std::unique_ptr<MemoryMeter> meter_;
  std::unique_ptr<MappedMemory> memory_;
  std::unique_ptr<HashIndex> index_;
  std::unordered_map<uint32_t, uint64_t> hashes_;
};

TEST_F(HashIndexTest, FindsWhatIsThere) {
  EXPECT_EQ(Find(1, 77), 0u);
  EXPECT_TRUE(Insert(1, 77));
  EXPECT_EQ(Find(1, 77), 1u);
  EXPECT_EQ(Find(2, 77), 0u);
  Erase(1);
  EXPECT_EQ(Find(1, 77), 0u);
}

TEST_F(HashIndexTest, FirstAndLastId) {
  EXPECT_TRUE(Insert(1, 5));
  EXPECT_TRUE(Insert(HashIndex::kIdMax, 5));
  EXPECT_EQ(Find(1, 5), 1u);
  EXPECT_EQ(Find(HashIndex::kIdMax, 5), HashIndex::kIdMax);
}

TEST_F(HashIndexTest, EveryTag) {
  for (uint64_t bits = 0; bits < 1024; ++bits) {
    const uint32_t id = static_cast<uint32_t>(bits) + 1;
    EXPECT_NE(HashIndex::TagOf(bits << 40), 0u);
    ASSERT_TRUE(Insert(id, bits << 40 | Mix(bits) % 1000));
  }
  Check();
}

TEST_F(HashIndexTest, MatchesFindEachPlaceInABucketAndNotTheLink) {
  // The link's upper bits can look like a tag; it is no entry.
  Bucket bucket;
  for (uint32_t place = 0; place < HashIndex::kBucketEntries; ++place) {
    EXPECT_EQ(HashIndex::Matches(&bucket, 9), 0u);
    bucket.entries[place] = 9u << HashIndex::kIdBits | 1;
    EXPECT_EQ(HashIndex::Matches(&bucket, 9), 1u << place);
    EXPECT_EQ(HashIndex::Matches(&bucket, 8), 0u);
    bucket.entries[place] = 0;
  }
  bucket.overflow = 9u << HashIndex::kIdBits | 1;
  EXPECT_EQ(HashIndex::Matches(&bucket, 9), 0u);
  for (auto& entry : bucket.entries) entry = 1023u << HashIndex::kIdBits | 5;
  EXPECT_EQ(HashIndex::Matches(&bucket, 1023), (1u << HashIndex::kBucketEntries) - 1);
}

TEST_F(HashIndexTest, GrowsOneBucketAtATime) {
  uint32_t buckets = index_->bucket_count();
  size_t bytes = index_->touched_bytes();
  for (uint32_t id = 1; id <= 20000; ++id) {
    ASSERT_TRUE(Insert(id, Mix(id)));
    ASSERT_LE(index_->bucket_count(), buckets + 1);
    // A split and an overflow bucket at most.
    ASSERT_LE(index_->touched_bytes(), bytes + 2 * sizeof(Bucket));
    buckets = index_->bucket_count();
    bytes = index_->touched_bytes();
    if (id % 997 == 0) Check();
  }
  EXPECT_EQ(index_->bucket_count(), 20000 / HashIndex::kLoad + 1);
}

TEST_F(HashIndexTest, WhatIsReservedIsNotSplitAgain) {
  const auto hash_of = [this](uint32_t id) { return hashes_.at(id); };
  for (uint32_t id = 1; id <= 300; ++id) ASSERT_TRUE(Insert(id, Mix(id)));
  EXPECT_FALSE(index_->Reserve(5'000, 100, hash_of));
  EXPECT_EQ(index_->bucket_count(), 131u);
  EXPECT_TRUE(index_->Reserve(5'000, 1'000, hash_of));
  const uint32_t buckets = index_->bucket_count();
  EXPECT_EQ(buckets, 501u);
  Check();
  for (uint32_t id = 301; id <= 5'000; ++id) ASSERT_TRUE(Insert(id, Mix(id)));
  EXPECT_EQ(index_->bucket_count(), buckets);
  EXPECT_TRUE(index_->Reserve(1'000, 1'000, hash_of));  // it has them
  EXPECT_TRUE(index_->Reserve(UINT32_MAX, 100'000, hash_of));
  EXPECT_EQ(index_->bucket_count(), 8192u);
}

TEST_F(HashIndexTest, TakesAboutSevenBytesAnIdAtAnySize) {
  // Splits go round: the index is fullest, and has the most overflow, between two powers of two.
  double most = 0;
  for (uint32_t id = 1; id <= 80000; ++id) {
    ASSERT_TRUE(Insert(id, Mix(id)));
    if (id > 20000) most = std::max(most, static_cast<double>(index_->touched_bytes()) / id);
  }
  EXPECT_LT(most, 7.5);
}

TEST_F(HashIndexTest, SameHashGoesIntoOverflow) {
  for (uint32_t id = 1; id <= 200; ++id) ASSERT_TRUE(Insert(id, 12345));
  EXPECT_GE(index_->overflow_in_use(), 200 / HashIndex::kBucketEntries - 1);
  Check();
  // Freed from the front, the middle and the end, chains stay as short as they can be.
  for (uint32_t id = 1; id <= 200; id += 3) Erase(id);
  Check();
  for (uint32_t id = 200; id >= 1; --id) {
    if (hashes_.contains(id)) Erase(id);
  }
  EXPECT_EQ(index_->overflow_in_use(), 0u);
}

TEST_F(HashIndexTest, OverflowBucketsAreUsedAgain) {
  for (int round = 0; round < 10; ++round) {
    for (uint32_t id = 1; id <= 100; ++id) ASSERT_TRUE(Insert(id, round));
    for (uint32_t id = 1; id <= 100; ++id) Erase(id);
  }
  EXPECT_LE(index_->overflow_touched(), 100 / HashIndex::kBucketEntries + 1);
}

TEST_F(HashIndexTest, SplitsChainsLongerThanWasJudgedAhead) {
  // All in one bucket until the split that parts them: hundreds of ids, half with the next bit.
  for (uint32_t id = 1; id <= 600; ++id) {
    ASSERT_TRUE(Insert(id, uint64_t{id % 2} << 5 | uint64_t{id} << 40));
    if (id % 50 == 0) Check();
  }
  Check();
}

TEST_F(HashIndexTest, SaysWhereItIsFull) {
  Make(/*primary_max=*/64, /*overflow_max=*/1);
  uint32_t id = 1;
  while (id < 1000 && Insert(id, 7)) ++id;
  EXPECT_EQ(id - 1, 2 * HashIndex::kBucketEntries);
  Check();
  EXPECT_TRUE(Insert(1000, 8));
  Erase(1);
  EXPECT_TRUE(Insert(1001, 7));
}

TEST_F(HashIndexTest, StopsSplittingWhereThereIsNoBucket) {
  Make(/*primary_max=*/64, /*overflow_max=*/640);
  for (uint32_t id = 1; id <= 5000; ++id) ASSERT_TRUE(Insert(id, Mix(id)));
  EXPECT_EQ(index_->bucket_count(), 64u);
  Check();
}

TEST_F(HashIndexTest, VersionMovesWithEntriesOnly) {
  Insert(1, 1);
  const uint32_t before = index_->version();
  Insert(2, 1);
  Erase(1);
  EXPECT_EQ(index_->version(), before);
  while (index_->bucket_count() == 1)
    Insert(static_cast<uint32_t>(hashes_.size()) + 2, Mix(hashes_.size()));
  EXPECT_GT(index_->version(), before);
  EXPECT_EQ(index_->version() % 2, 0u);
}

TEST_F(HashIndexTest, AgreesWithAModel) {
  std::mt19937_64 random(TestSeed());
  for (const uint64_t hash_mask : {UINT64_MAX, uint64_t{0xff}, uint64_t{0xf000000003f}}) {
    Make(1024, 1024);
    std::vector<uint32_t> ids;
    for (int step = 0; step < 20000; ++step) {
      // Grows and shrinks in turns.
      const bool insert = ids.empty() || random() % 100 < (step / 4000 % 2 == 0 ? 75u : 25u);
      if (insert && ids.size() < 8000) {
        const uint32_t id = 1 + static_cast<uint32_t>(random() % HashIndex::kIdMax);
        if (hashes_.contains(id)) continue;
        ASSERT_TRUE(Insert(id, random() & hash_mask));
        ids.push_back(id);
      } else if (!ids.empty()) {
        const size_t at = random() % ids.size();
        Erase(ids[at]);
        ids[at] = ids.back();
        ids.pop_back();
      }
      if (step % 1000 == 0) Check();
    }
    Check();
  }
}

// Readers beside a writer: what stays is always found, what was never there never is.
TEST_F(HashIndexTest, ReadersFindWhatStaysWhileEntriesMove) {
  constexpr uint32_t kStaying = 2000, kComing = 20000, kAbsent = 1u << 21;
  for (uint32_t id = 1; id <= kStaying; ++id) ASSERT_TRUE(Insert(id, Mix(id)));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> looked{0}, wrong{0};
  const auto read = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!stop.load(std::memory_order_relaxed)) {
      const uint32_t id = 1 + static_cast<uint32_t>(random() % kStaying);
      const uint32_t wanted = random() % 2 ? id : id + kAbsent;
      uint32_t found, version;
      do {  // as hash_index.h says
        version = index_->version();
        found = Find(wanted, Mix(wanted));
      } while (found == 0 && (version % 2 != 0 || index_->version() != version));
      if (found != (wanted == id ? id : 0)) wrong.fetch_add(1);
      looked.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread first(read, 1), second(read, 2);
  for (int round = 0; round < 3; ++round) {
    // Half of them with few hashes, so that chains come and go.
    for (uint32_t i = 1; i <= kComing; ++i) {
      const uint32_t id = kStaying + i;
      ASSERT_TRUE(Insert(id, i % 2 ? Mix(id) : Mix(i % 64)));
    }
    for (uint32_t i = 1; i <= kComing; ++i) Erase(kStaying + i);
  }
  while (looked.load() < 10000) std::this_thread::yield();
  stop.store(true);
  first.join();
  second.join();
  EXPECT_EQ(wrong.load(), 0u);
}

TEST_F(HashIndexTest, CheckerNoticesDamage) {
  for (uint32_t id = 1; id <= 100; ++id) ASSERT_TRUE(Insert(id, Mix(id)));
  const auto check = [this] {
    index_->CheckInvariants([this](uint32_t id) { return hashes_.at(id); }, [](uint32_t) {});
  };
  EXPECT_NO_THROW(check());
  hashes_[50] ^= uint64_t{1} << 40;  // another tag
  EXPECT_THROW(check(), std::logic_error);
  hashes_[50] ^= uint64_t{1} << 40 | 1;  // another bucket
  EXPECT_THROW(check(), std::logic_error);
  hashes_[50] ^= 1;
  Bucket& bucket = memory_->as<Bucket>()[0];
  const uint32_t entry = bucket.entries[0].exchange(0);
  EXPECT_THROW(check(), std::logic_error);  // an id lost
  bucket.entries[0] = entry;
}

}  // namespace
}  // namespace tokend
