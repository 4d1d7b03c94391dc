#include "storage/epoch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "storage/limbo.h"

namespace tokend {
namespace {

// A reader that gives its record back.
class Reader {
 public:
  explicit Reader(EpochDomain* epochs) : epochs_(epochs), record_(epochs->Register()) {
    epochs_->GoOnline(record_);
  }
  ~Reader() { epochs_->Unregister(record_); }
  void Quiesce() { epochs_->Quiesce(record_); }
  void GoOffline() { epochs_->GoOffline(record_); }
  void GoOnline() { epochs_->GoOnline(record_); }
  bool IsOnline() const { return EpochDomain::IsOnline(record_); }
  EpochDomain::Record* record() { return record_; }

 private:
  EpochDomain* epochs_;
  EpochDomain::Record* record_;
};

TEST(EpochTest, WithoutReadersAllHavePassed) {
  EpochDomain epochs;
  EXPECT_TRUE(epochs.Passed(epochs.Advance()));
}

TEST(EpochTest, AStampThatWasNotGivenYetHasNotPassed) {
  EpochDomain epochs;
  const uint64_t stamp = epochs.Advance();
  EXPECT_TRUE(epochs.Passed(stamp));
  EXPECT_FALSE(epochs.Passed(stamp + 1));
}

TEST(EpochTest, WaitsForAReaderUntilItIsQuiescent) {
  EpochDomain epochs;
  Reader reader(&epochs);
  const uint64_t stamp = epochs.Advance();
  EXPECT_FALSE(epochs.Passed(stamp));
  reader.Quiesce();
  EXPECT_TRUE(epochs.Passed(stamp));
  EXPECT_TRUE(epochs.Passed(stamp));
}

TEST(EpochTest, QuiescentBeforeTheStampIsNotEnough) {
  EpochDomain epochs;
  Reader reader(&epochs);
  reader.Quiesce();
  const uint64_t first = epochs.Advance();
  reader.Quiesce();
  const uint64_t second = epochs.Advance();
  EXPECT_TRUE(epochs.Passed(first));
  EXPECT_FALSE(epochs.Passed(second));
}

TEST(EpochTest, WaitsForTheLastOfMany) {
  EpochDomain epochs;
  std::vector<std::unique_ptr<Reader>> readers;
  readers.reserve(10);
  for (int i = 0; i < 10; ++i) readers.push_back(std::make_unique<Reader>(&epochs));
  const uint64_t stamp = epochs.Advance();
  for (auto& reader : readers) {
    EXPECT_FALSE(epochs.Passed(stamp));
    reader->Quiesce();
  }
  EXPECT_TRUE(epochs.Passed(stamp));
}

TEST(EpochTest, AnOfflineReaderHoldsNothing) {
  EpochDomain epochs;
  Reader reader(&epochs);
  EXPECT_TRUE(reader.IsOnline());
  const uint64_t stamp = epochs.Advance();
  reader.GoOffline();
  EXPECT_FALSE(reader.IsOnline());
  EXPECT_TRUE(epochs.Passed(stamp));
  EXPECT_TRUE(epochs.Passed(epochs.Advance()));
  reader.GoOnline();
  EXPECT_FALSE(epochs.Passed(epochs.Advance()));
}

TEST(EpochTest, AReaderThatCameLaterMayBeWaitedForButPasses) {
  EpochDomain epochs;
  const uint64_t stamp = epochs.Advance();
  Reader reader(&epochs);
  reader.Quiesce();
  EXPECT_TRUE(epochs.Passed(stamp));
}

TEST(EpochTest, AReaderThatIsGoneHoldsNothing) {
  EpochDomain epochs;
  auto reader = std::make_unique<Reader>(&epochs);
  const uint64_t stamp = epochs.Advance();
  EXPECT_FALSE(epochs.Passed(stamp));
  reader.reset();
  EXPECT_TRUE(epochs.Passed(stamp));
}

TEST(EpochTest, RecordsAreUsedAgainAndKeepTheirCounts) {
  EpochDomain epochs;
  EpochDomain::Record* first;
  {
    Reader reader(&epochs);
    first = reader.record();
    first->read_retries.store(3);
    first->read_locks.store(2);
  }
  Reader again(&epochs);
  Reader other(&epochs);
  EXPECT_EQ(again.record(), first);
  EXPECT_NE(other.record(), first);
  other.record()->read_retries.store(10);
  EXPECT_EQ(epochs.read_retries_total(), 13u);
  EXPECT_EQ(epochs.read_locks_total(), 2u);
}

TEST(LimboTest, GivesALotBackOnceItHasPassed) {
  EpochDomain epochs;
  Reader reader(&epochs);
  Limbo limbo;
  std::vector<uint32_t> next(10);
  const auto set_next = [&](uint32_t id, uint32_t to) { next[id] = to; };
  EXPECT_EQ(limbo.TakePassed(&epochs).count, 0u);
  limbo.Retire(1, set_next);
  limbo.Retire(2, set_next);
  EXPECT_EQ(limbo.TakePassed(&epochs).count, 0u);
  limbo.Retire(3, set_next);  // later than the lot that waits
  EXPECT_EQ(limbo.count(), 3u);
  reader.Quiesce();
  const Limbo::Chain passed = limbo.TakePassed(&epochs);
  EXPECT_EQ(passed.count, 2u);
  EXPECT_EQ(passed.first, 2u);
  EXPECT_EQ(next[2], 1u);
  EXPECT_EQ(passed.last, 1u);
  EXPECT_EQ(next[1], 0u);
  EXPECT_EQ(limbo.TakePassed(&epochs).count, 0u);
  reader.Quiesce();
  const Limbo::Chain later = limbo.TakePassed(&epochs);
  EXPECT_EQ(later.count, 1u);
  EXPECT_EQ(later.first, 3u);
  EXPECT_EQ(later.last, 3u);
  EXPECT_EQ(limbo.count(), 0u);
}

TEST(LimboTest, WithoutReadersALotIsBackAtOnce) {
  EpochDomain epochs;
  Limbo limbo;
  limbo.Retire(7, [](uint32_t, uint32_t) {});
  EXPECT_EQ(limbo.TakePassed(&epochs).count, 1u);
}

// One value at a time is published; the others are in limbo or free, and free ones are scribbled
// on. A reader that sees a scribble has held something that was not waited for. The values are
// plain memory, so that ThreadSanitizer sees a missing order too.
TEST(EpochTest, WhatAReaderHoldsIsNotUsedAgain) {
  constexpr uint32_t kValues = 64;
  constexpr uint64_t kGood = 0x600d600d600d600d, kScribble = 0xbadbadbadbadbad;
  EpochDomain epochs;
  std::vector<uint64_t> values(kValues, kScribble);
  std::vector<uint32_t> next(kValues);
  std::atomic<uint32_t> published{1};
  values[1] = kGood;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> bad{0}, looked{0};

  const auto read = [&](bool sleeps) {
    Reader reader(&epochs);
    uint64_t turns = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      for (int look = 0; look < 4; ++look) {
        const uint32_t held = published.load(std::memory_order_acquire);
        for (int again = 0; again < 10; ++again) {
          if (values[held] != kGood) bad.fetch_add(1);
        }
      }
      if (sleeps && turns % 2 == 0) {
        reader.GoOffline();
        reader.GoOnline();
      } else {
        reader.Quiesce();
      }
      ++turns;
      looked.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread quiescing(read, false), sleeping(read, true);

  Limbo limbo;
  std::vector<uint32_t> free;
  for (uint32_t i = 2; i < kValues; ++i) free.push_back(i);
  uint64_t published_count = 0;
  while (published_count < 3000 || looked.load() < 1000) {
    if (!free.empty()) {
      const uint32_t fresh = free.back();
      free.pop_back();
      values[fresh] = kGood;
      const uint32_t old = published.exchange(fresh, std::memory_order_acq_rel);
      limbo.Retire(old, [&](uint32_t id, uint32_t to) { next[id] = to; });
      ++published_count;
    }
    const Limbo::Chain passed = limbo.TakePassed(&epochs);
    uint32_t id = passed.first;
    for (uint32_t i = 0; i < passed.count; ++i, id = next[id]) {
      values[id] = kScribble;
      free.push_back(id);
    }
    if (free.empty()) std::this_thread::yield();
  }
  stop.store(true);
  quiescing.join();
  sleeping.join();
  EXPECT_EQ(bad.load(), 0u);
}

}  // namespace
}  // namespace tokend
