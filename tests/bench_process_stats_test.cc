#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>
#include <vector>

#include "bench/process_stats.h"

namespace tokend::bench {
namespace {

// No process has it: beyond the kernel's greatest.
constexpr pid_t kNobody = 1 << 23;

uint64_t ThreadCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

TEST(ProcessStatsTest, CpuTimeGrowsByWhatIsUsed) {
  const uint64_t before_ns = CpuTimeNs(getpid()).value();
  const uint64_t start_ns = ThreadCpuNs();
  while (ThreadCpuNs() - start_ns < 60'000'000) {
  }
  // In clock ticks of 10 ms.
  EXPECT_GE(CpuTimeNs(getpid()).value() - before_ns, 40'000'000u);
}

TEST(ProcessStatsTest, ThreadsOfOneNameAreOneFigure) {
  std::atomic<int> done = 0;
  std::atomic<bool> is_over = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      pthread_setname_np(pthread_self(), "burn (1) er");
      while (ThreadCpuNs() < 50'000'000) {
      }
      ++done;
      // Asleep, so that the kernel has counted what it used.
      while (!is_over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  }
  while (done < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::map<std::string, uint64_t> times_ns = ThreadCpuTimesNs(getpid());
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(times_ns.contains("burn (1) er"));
  EXPECT_GE(times_ns.at("burn (1) er"), 95'000'000u);
  EXPECT_GE(times_ns.size(), 2u) << "the main thread is one too";
}

TEST(ProcessStatsTest, ResidentMemoryGrowsByWhatIsTouched) {
  const uint64_t before = ResidentBytes(getpid()).value();
  const std::vector<char> touched(32 << 20, 'x');
  EXPECT_GE(ResidentBytes(getpid()).value() - before, (uint64_t{32} << 20) * 9 / 10);
}

TEST(ProcessStatsTest, NobodyHasNothing) {
  EXPECT_EQ(CpuTimeNs(kNobody), std::nullopt);
  EXPECT_EQ(ResidentBytes(kNobody), std::nullopt);
  EXPECT_TRUE(ThreadCpuTimesNs(kNobody).empty());
}

}  // namespace
}  // namespace tokend::bench
