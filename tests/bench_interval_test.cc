#include <gtest/gtest.h>

#include <vector>

#include "bench/interval.h"

namespace tokend::bench {
namespace {

class IntervalTest : public ::testing::Test {
 protected:
  void Answer(uint64_t latency_ns) {
    ++progress_.answers;
    progress_.tokens += 2;
    latency_.Record(latency_ns);
  }
  void Advance(uint64_t now_ns) { meter_.Advance(now_ns, progress_, latency_); }

  Progress progress_;
  Histogram latency_;
  std::vector<Interval> ended_;
  IntervalMeter meter_{
      {.length_ns = 100, .on_end = [this](const Interval& i) { ended_.push_back(i); }}, 1000};
};

TEST_F(IntervalTest, EachHasItsOwnAnswers) {
  EXPECT_EQ(meter_.next_end_ns(), 1100u);
  Answer(5);
  Answer(50);
  Advance(1099);
  EXPECT_TRUE(ended_.empty());
  Advance(1100);
  Answer(7);
  progress_.wrong = 1;
  progress_.beside_answers = 4;
  Advance(1205);
  ASSERT_EQ(ended_.size(), 2u);
  EXPECT_EQ(ended_[0].end_ns, 100u);
  EXPECT_EQ(ended_[0].length_ns, 100u);
  EXPECT_EQ(ended_[0].answers, 2u);
  EXPECT_EQ(ended_[0].tokens, 4u);
  EXPECT_EQ(ended_[0].p50_ns, 5u);
  EXPECT_EQ(ended_[0].max_ns, 50u);
  EXPECT_EQ(ended_[1].end_ns, 200u);
  EXPECT_EQ(ended_[1].answers, 1u);
  EXPECT_EQ(ended_[1].beside_answers, 4u);
  EXPECT_EQ(ended_[1].wrong, 1u);
  EXPECT_EQ(ended_[1].p99_ns, 7u);
  EXPECT_EQ(ended_[1].max_ns, 7u) << "not the 50 of before";
  EXPECT_EQ(meter_.next_end_ns(), 1300u) << "however late the last one was ended";
}

TEST_F(IntervalTest, WithoutAnswersTheyAreEmpty) {
  Answer(5);
  Advance(1350);
  ASSERT_EQ(ended_.size(), 3u);
  EXPECT_EQ(ended_[0].answers, 1u);
  EXPECT_EQ(ended_[1].answers, 0u);
  EXPECT_EQ(ended_[2].answers, 0u);
  EXPECT_EQ(ended_[2].end_ns, 300u);
  EXPECT_EQ(ended_[2].max_ns, 0u);
}

TEST_F(IntervalTest, TheLastIsAsLongAsItIs) {
  Answer(5);
  meter_.Finish(1130, progress_, latency_);
  ASSERT_EQ(ended_.size(), 1u) << "nothing came in the 30 after it";
  Answer(6);
  meter_.Finish(1170, progress_, latency_);
  ASSERT_EQ(ended_.size(), 2u);
  EXPECT_EQ(ended_[1].end_ns, 170u);
  EXPECT_EQ(ended_[1].length_ns, 70u);
  EXPECT_EQ(ended_[1].answers, 1u);
}

}  // namespace
}  // namespace tokend::bench
