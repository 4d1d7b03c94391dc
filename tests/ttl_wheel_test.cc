#include "storage/ttl_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "protocol/record.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr size_t kUnlimited = SIZE_MAX;

// A wheel with its links, and nodes that know when they are due.
class Wheel {
 public:
  explicit Wheel(uint32_t nodes = 1000)
      : links_(TtlWheelLinks(nodes)), due_(nodes + 1), wheel_({links_.data(), 0, 0}) {}

  void Insert(uint32_t node, uint64_t due_ms) {
    due_[node] = due_ms;
    wheel_.Insert(node, due_ms);
  }
  void Remove(uint32_t node) { wheel_.Remove(node); }
  // Nodes given out, in order.
  std::vector<uint32_t> Advance(uint64_t now_ms, size_t budget = kUnlimited) {
    std::vector<uint32_t> due;
    progress_ = wheel_.Advance(
        now_ms, budget, [this](uint32_t node) { return due_[node]; },
        [&](uint32_t node) { due.push_back(node); });
    EXPECT_EQ(progress_.due, due.size());
    EXPECT_LE(progress_.due + progress_.moved, budget);
    return due;
  }
  std::set<uint32_t> Check() const {
    std::set<uint32_t> nodes;
    wheel_.CheckInvariants([this](uint32_t node) { return due_[node]; },
                           [&](uint32_t node) { EXPECT_TRUE(nodes.insert(node).second); });
    return nodes;
  }
  const TtlWheel::Progress& progress() const { return progress_; }
  size_t size() const { return wheel_.size(); }
  uint64_t now_ms() const { return wheel_.now_ms(); }

 private:
  static std::vector<TtlWheel::Link> TtlWheelLinks(uint32_t nodes) {
    return std::vector<TtlWheel::Link>(
        StripedArray<TtlWheel::Link>::SharedSize(size_t{nodes} + 1, 0));
  }

  std::vector<TtlWheel::Link> links_;
  std::vector<uint64_t> due_;
  TtlWheel wheel_;
  TtlWheel::Progress progress_;
};

TEST(TtlWheelTest, GivesANodeOutWhenItIsDueAndNotBefore) {
  Wheel wheel;
  wheel.Insert(1, 1000);
  EXPECT_THAT(wheel.Advance(999), IsEmpty());
  EXPECT_TRUE(wheel.progress().done);
  EXPECT_THAT(wheel.Advance(1000), ElementsAre(1));
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_THAT(wheel.Advance(2000), IsEmpty());
}

TEST(TtlWheelTest, TheEdgesOfEachLevel) {
  // Around each power of 64, from several starts: one before, at and after each edge.
  for (const uint64_t start :
       {uint64_t{0}, uint64_t{1}, uint64_t{63}, uint64_t{64}, uint64_t{4095},
        uint64_t{1'800'000'000'000}, (uint64_t{1} << 48) - 1, (uint64_t{1} << 53) - 1}) {
    for (uint32_t bit = 0; bit <= 53; ++bit) {
      for (const uint64_t off : {uint64_t{0}, uint64_t{1}, uint64_t{2}}) {
        const uint64_t due = start + (uint64_t{1} << bit) + off - 1;
        if (due >= TtlWheel::kTimeEnd) continue;
        Wheel wheel(2);
        wheel.Advance(start);
        wheel.Insert(1, due);
        wheel.Check();
        if (due > 0) {
          EXPECT_THAT(wheel.Advance(due - 1), IsEmpty()) << start << " " << due;
        }
        wheel.Check();
        EXPECT_THAT(wheel.Advance(due), ElementsAre(1)) << start << " " << due;
        EXPECT_EQ(wheel.size(), 0u);
      }
    }
  }
}

TEST(TtlWheelTest, EveryTimeThatATokenCanHave) {
  Wheel wheel;
  wheel.Insert(1, 0);
  wheel.Insert(2, 1);
  wheel.Insert(3, kTimeMsMax - 1);
  wheel.Insert(4, kTimeMsMax);
  EXPECT_THAT(wheel.Advance(0), ElementsAre(1));
  EXPECT_THAT(wheel.Advance(1), ElementsAre(2));
  EXPECT_THAT(wheel.Advance(kTimeMsMax - 2), IsEmpty());
  EXPECT_THAT(wheel.Advance(kTimeMsMax - 1), ElementsAre(3));
  EXPECT_THAT(wheel.Advance(kTimeMsMax), ElementsAre(4));
}

TEST(TtlWheelTest, TimesTooLateAreDueAtTheEnd) {
  Wheel wheel;
  wheel.Insert(1, TtlWheel::kTimeEnd);
  wheel.Insert(2, UINT64_MAX);
  wheel.Check();
  EXPECT_THAT(wheel.Advance(TtlWheel::kTimeEnd - 2), IsEmpty());
  EXPECT_THAT(wheel.Advance(UINT64_MAX), UnorderedElementsAre(1, 2));
}

TEST(TtlWheelTest, WhatIsPastIsDueAtOnce) {
  Wheel wheel;
  wheel.Advance(5000);
  wheel.Insert(1, 4000);
  wheel.Insert(2, 5000);
  wheel.Insert(3, 5001);
  wheel.Check();
  EXPECT_THAT(wheel.Advance(5000), UnorderedElementsAre(1, 2));
  EXPECT_THAT(wheel.Advance(5001), ElementsAre(3));
}

TEST(TtlWheelTest, RemovesFirstMiddleLastAndOnly) {
  for (const uint64_t due : {uint64_t{0}, uint64_t{10}, uint64_t{100'000}}) {
    for (uint32_t removed = 1; removed <= 3; ++removed) {
      Wheel wheel;
      for (uint32_t node = 1; node <= 3; ++node) wheel.Insert(node, due);
      wheel.Remove(removed);
      wheel.Check();
      std::vector<uint32_t> expected = {1, 2, 3};
      expected.erase(expected.begin() + removed - 1);
      EXPECT_THAT(wheel.Advance(due), ::testing::ElementsAreArray(expected));
    }
    Wheel wheel;
    wheel.Insert(1, due);
    wheel.Remove(1);
    wheel.Check();
    EXPECT_THAT(wheel.Advance(due), IsEmpty());
  }
}

TEST(TtlWheelTest, StopsAfterAnyNodeAndGoesOn) {
  for (size_t budget = 1; budget <= 7; ++budget) {
    Wheel wheel;
    for (uint32_t node = 1; node <= 100; ++node) wheel.Insert(node, 100'000 + node);
    std::vector<uint32_t> due;
    size_t turns = 0;
    do {
      for (const uint32_t node : wheel.Advance(100'050, budget)) due.push_back(node);
      wheel.Check();
      ASSERT_LT(++turns, 1000u);
    } while (!wheel.progress().done);
    EXPECT_EQ(due.size(), 50u);
    EXPECT_EQ(wheel.size(), 50u);
    std::sort(due.begin(), due.end());
    EXPECT_EQ(due.back(), 50u);
  }
}

TEST(TtlWheelTest, WithoutBudgetItMovesUpToTheFirstList) {
  Wheel wheel;
  wheel.Advance(123456, 0);
  EXPECT_EQ(wheel.now_ms(), 123456u);
  wheel.Insert(1, 200'000);
  EXPECT_THAT(wheel.Advance(300'000, 0), IsEmpty());
  EXPECT_FALSE(wheel.progress().done);
  EXPECT_THAT(wheel.Advance(300'000), ElementsAre(1));
}

TEST(TtlWheelTest, InsertsAndRemovesBetweenTurnsOfAnUnfinishedOne) {
  Wheel wheel;
  for (uint32_t node = 1; node <= 10; ++node) wheel.Insert(node, 5000 + node);
  wheel.Advance(5005, 3);  // in the middle of moving a list nearer
  EXPECT_FALSE(wheel.progress().done);
  wheel.Remove(10);
  wheel.Remove(1);
  wheel.Insert(20, 1);
  wheel.Insert(21, 5003);
  wheel.Insert(22, 5008);
  wheel.Check();
  EXPECT_THAT(wheel.Advance(5005), UnorderedElementsAre(2, 3, 4, 5, 20, 21));
  EXPECT_THAT(wheel.Advance(6000), UnorderedElementsAre(6, 7, 8, 9, 22));
}

TEST(TtlWheelTest, TheCallbackMayInsertAndRemove) {
  std::vector<TtlWheel::Link> links(64);
  TtlWheel wheel({links.data(), 0, 0});
  std::vector<uint64_t> due(64);
  const auto insert = [&](uint32_t node, uint64_t ms) { wheel.Insert(node, due[node] = ms); };
  insert(1, 100);
  insert(2, 100);
  insert(3, 100);
  std::vector<uint32_t> given;
  wheel.Advance(
      200, kUnlimited, [&](uint32_t node) { return due[node]; },
      [&](uint32_t node) {
        given.push_back(node);
        if (node == 1) {
          wheel.Remove(2);
          insert(4, 150);   // due in this very turn
          insert(5, 9000);  // not yet
        }
      });
  EXPECT_THAT(given, ElementsAre(1, 3, 4));
  EXPECT_EQ(wheel.size(), 1u);
}

TEST(TtlWheelTest, TheClockGoesBack) {
  Wheel wheel;
  wheel.Insert(1, 5000);
  wheel.Insert(2, 1'000'000);
  wheel.Insert(3, 2'000'000'000);
  EXPECT_THAT(wheel.Advance(999'999), ElementsAre(1));
  wheel.Insert(4, 5000);
  EXPECT_THAT(wheel.Advance(4999), IsEmpty());  // not even what was inserted as overdue
  wheel.Check();
  wheel.Insert(5, 6000);
  EXPECT_THAT(wheel.Advance(5000), ElementsAre(4));
  EXPECT_THAT(wheel.Advance(999'999), ElementsAre(5));
  EXPECT_THAT(wheel.Advance(1'000'000), ElementsAre(2));
  EXPECT_THAT(wheel.Advance(0), IsEmpty());
  wheel.Check();
  EXPECT_THAT(wheel.Advance(1'999'999'999), IsEmpty());
  EXPECT_THAT(wheel.Advance(2'000'000'000), ElementsAre(3));
}

TEST(TtlWheelTest, TheClockGoesBackOverEachLevel) {
  for (uint32_t bit = 0; bit < 53; ++bit) {
    Wheel wheel;
    const uint64_t far = uint64_t{1} << bit;
    wheel.Advance(far);
    for (uint32_t node = 1; node <= 53; ++node) wheel.Insert(node, far + (uint64_t{1} << node));
    wheel.Advance(far / 2);
    wheel.Check();
    for (uint32_t node = 1; node <= 53; ++node) {
      EXPECT_THAT(wheel.Advance(far + (uint64_t{1} << node) - 1), IsEmpty());
      EXPECT_THAT(wheel.Advance(far + (uint64_t{1} << node)), ElementsAre(node));
    }
  }
}

TEST(TtlWheelTest, AJumpOfAgesCostsNoMoreThanItsNodes) {
  Wheel wheel;
  for (uint32_t node = 1; node <= 10; ++node) wheel.Insert(node, uint64_t{node} << 48);
  std::vector<uint32_t> due = wheel.Advance(TtlWheel::kTimeEnd);
  EXPECT_EQ(due.size(), 10u);
  // From its first list each node is moved nearer at most once a level.
  EXPECT_LE(wheel.progress().moved, 10u * 9);
}

TEST(TtlWheelTest, ANodeIsMovedAtMostOnceALevel) {
  Wheel wheel;
  wheel.Insert(1, kTimeMsMax);
  size_t moved = 0;
  for (uint64_t now = 1; now < kTimeMsMax; now += now / 8 + 1) {
    wheel.Advance(now);
    moved += wheel.progress().moved;
  }
  wheel.Advance(kTimeMsMax);
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_LE(moved, 8u);
}

// Random operations against a multimap, with the time moving both ways and budgets of all sizes.
TEST(TtlWheelTest, AgreesWithAModel) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 30; ++round) {
    constexpr uint32_t kNodes = 300;
    Wheel wheel(kNodes);
    std::multimap<uint64_t, uint32_t> model;
    std::unordered_map<uint32_t, uint64_t> due_of;
    uint64_t now = random() % 2 ? random() >> (random() % 64) : 0;
    now = std::min(now, kTimeMsMax);
    const uint32_t spread_bits = 1 + random() % 53;
    const auto near = [&](uint64_t time) {
      const uint64_t off = random() >> (64 - 1 - random() % spread_bits);
      if (random() % 2) return time > off ? time - off : 0;
      return std::min(time + off, kTimeMsMax);
    };
    const auto forget = [&](uint32_t node) {
      auto [it, end] = model.equal_range(due_of[node]);
      while (it->second != node) {
        ASSERT_NE(it, end);
        ++it;
      }
      model.erase(it);
      due_of.erase(node);
    };
    for (int step = 0; step < 2000; ++step) {
      const uint32_t node = 1 + random() % kNodes;
      switch (random() % 4) {
        case 0:
        case 1:
          if (due_of.contains(node)) {
            wheel.Remove(node);
            forget(node);
          }
          due_of[node] = near(now);
          model.emplace(due_of[node], node);
          wheel.Insert(node, due_of[node]);
          break;
        case 2:
          if (due_of.contains(node)) {
            wheel.Remove(node);
            forget(node);
          }
          break;
        default:
          now = near(now);
          const size_t budget = random() % 3 ? random() % 20 : kUnlimited;
          for (const uint32_t due : wheel.Advance(now, budget)) {
            ASSERT_TRUE(due_of.contains(due));
            ASSERT_LE(due_of[due], now);
            forget(due);
          }
          if (wheel.progress().done) {
            ASSERT_TRUE(model.empty() || model.begin()->first > now);
          }
      }
      ASSERT_EQ(wheel.size(), due_of.size());
      if (step % 50 == 0) {
        ASSERT_EQ(wheel.Check().size(), due_of.size());
      }
    }
    std::vector<uint32_t> rest = wheel.Advance(kTimeMsMax);
    ASSERT_EQ(rest.size(), due_of.size());
    for (const uint32_t node : rest) ASSERT_TRUE(due_of.contains(node));
  }
}

// The checker is what other tests lean on: it has to notice.
TEST(TtlWheelTest, CheckerNoticesDamage) {
  std::vector<TtlWheel::Link> links(64);
  TtlWheel wheel({links.data(), 0, 0});
  wheel.Insert(1, 1000);
  wheel.Insert(2, 1000);
  const auto check = [&](uint64_t due) {
    wheel.CheckInvariants([&](uint32_t) { return due; }, [](uint32_t) {});
  };
  EXPECT_NO_THROW(check(1000));
  EXPECT_THROW(check(100'000), std::logic_error);  // in a wrong list
  const TtlWheel::Link saved = links[2];
  links[2].prev = 7;
  EXPECT_THROW(check(1000), std::logic_error);
  links[2] = saved;
  links[1].next = saved.next;  // loses node 2
  EXPECT_THROW(check(1000), std::logic_error);
}

}  // namespace
}  // namespace tokend
