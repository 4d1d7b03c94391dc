#include "server/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <thread>

namespace tokend {
namespace {

class TestJob final : public Job {
 public:
  TestJob(std::function<void()> run, std::atomic<int>* destroyed)
      : run_(std::move(run)), destroyed_(destroyed) {}
  ~TestJob() override { ++*destroyed_; }
  void Run(std::unique_ptr<Job>) override { run_(); }

 private:
  std::function<void()> run_;
  std::atomic<int>* destroyed_;
};

TEST(WorkerPoolTest, FullIsAResultAndTheJobStaysWithTheCaller) {
  std::atomic<int> destroyed{0};
  std::latch running(1), go_on(1);
  WorkerPool pool("query", ThreadRole::kServing, 1, 2, SIZE_MAX);
  std::unique_ptr<Job> blocker = std::make_unique<TestJob>(
      [&] {
        running.count_down();
        go_on.wait();
      },
      &destroyed);
  ASSERT_TRUE(pool.TrySubmit(blocker));
  running.wait();
  std::unique_ptr<Job> waiting[2];
  for (auto& job : waiting) {
    job = std::make_unique<TestJob>([] {}, &destroyed);
    EXPECT_TRUE(pool.TrySubmit(job));
    EXPECT_EQ(job, nullptr);
  }
  std::unique_ptr<Job> refused = std::make_unique<TestJob>([] {}, &destroyed);
  EXPECT_FALSE(pool.TrySubmit(refused));
  EXPECT_NE(refused, nullptr);
  go_on.count_down();
}

TEST(WorkerPoolTest, StopDropsWhatWaitsAndLetsWhatRunsEnd) {
  std::atomic<int> destroyed{0}, ran{0};
  std::latch running(1);
  WorkerPool pool("query", ThreadRole::kServing, 1, 10, SIZE_MAX);
  std::unique_ptr<Job> first = std::make_unique<TestJob>(
      [&] {
        running.count_down();
        // Until the others are gone: so Stop() is under way.
        while (destroyed < 3) std::this_thread::yield();
        ++ran;
      },
      &destroyed);
  ASSERT_TRUE(pool.TrySubmit(first));
  running.wait();
  for (int i = 0; i < 3; ++i) {
    std::unique_ptr<Job> job = std::make_unique<TestJob>([&] { ++ran; }, &destroyed);
    ASSERT_TRUE(pool.TrySubmit(job));
  }
  pool.Stop();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(destroyed, 4);
  std::unique_ptr<Job> late = std::make_unique<TestJob>([] {}, &destroyed);
  EXPECT_FALSE(pool.TrySubmit(late));
}

TEST(WorkerPoolTest, NoJobBeginsWhileResultsWaitToBeTaken) {
  std::atomic<int> destroyed{0}, ran{0};
  WorkerPool pool("query", ThreadRole::kServing, 2, 100, /*results_bytes_max=*/10);
  const auto submit = [&](size_t bytes) {
    std::unique_ptr<Job> job = std::make_unique<TestJob>(
        [&pool, &ran, bytes] {
          pool.AddResult(bytes);
          ++ran;
        },
        &destroyed);
    ASSERT_TRUE(pool.TrySubmit(job));
  };
  const auto wait_for = [&](int jobs) {
    while (ran < jobs) std::this_thread::yield();
  };
  submit(9);
  wait_for(1);
  submit(1);  // one below the bound another begins
  wait_for(2);
  for (int i = 0; i < 20; ++i) submit(1);
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_EQ(ran, 2);
  pool.TakeResult(1);
  wait_for(3);
  // Two threads may have begun at once.
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_LE(ran, 4);
  pool.TakeResult(9);
  wait_for(5);
}

}  // namespace
}  // namespace tokend
