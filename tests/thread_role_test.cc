#include "storage/thread_role.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <future>
#include <string>
#include <thread>

#include "storage/two_threads.h"

namespace tokend {
namespace {

struct Seen {
  std::string name;
  int nice = 0;
};

Seen SeenIn(const char* name, ThreadRole role) {
  Seen seen;
  std::thread([&] {
    BeginThread(name, role);
    char text[16] = {};
    pthread_getname_np(pthread_self(), text, sizeof text);
    seen.name = text;
    seen.nice = getpriority(PRIO_PROCESS, 0);
  }).join();
  return seen;
}

TEST(ThreadRoleTest, ThreadsHaveNames) {
  EXPECT_EQ(SeenIn("loop-0", ThreadRole::kServing).name, "loop-0");
  EXPECT_EQ(SeenIn("populator", ThreadRole::kBackground).name, "populator");
}

TEST(ThreadRoleTest, BackgroundGivesWayAndNobodyElseIsMoved) {
  const int before = getpriority(PRIO_PROCESS, 0);
  EXPECT_EQ(SeenIn("a", ThreadRole::kServing).nice, before);
  EXPECT_GT(SeenIn("b", ThreadRole::kBackground).nice, before);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

// Its slice of the processor, where Linux tells: from 6.12 on.
uint64_t SliceNs() {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
  } attributes{};
  EXPECT_EQ(syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0), 0);
  return attributes.runtime_ns;
}

TEST(ThreadRoleTest, WhoAnswersHasShortSlicesAndNoMoreOfTheProcessor) {
  const uint64_t usual_ns = SliceNs();
  if (usual_ns == 0) GTEST_SKIP() << "this Linux has no slices of a thread's own";
  uint64_t slice_ns = 0;
  int nice = -1;
  std::thread([&] {
    BeginThread("loop-0", ThreadRole::kAnswering);
    slice_ns = SliceNs();
    nice = getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_LT(slice_ns, usual_ns);
  EXPECT_EQ(nice, getpriority(PRIO_PROCESS, 0));
  EXPECT_EQ(SliceNs(), usual_ns);
}

TEST(TwoThreadsTest, BothGiveWayUntilTheyAreHurried) {
  const int idle = MayIdle() ? SCHED_IDLE : SCHED_OTHER;
  const int before = sched_getscheduler(0);
  const int nice_before = getpriority(PRIO_PROCESS, 0);
  std::thread([&] {
    TwoThreads threads;
    threads.Begin("first");
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0) == nice_before, MayIdle());
    EXPECT_EQ(sched_getscheduler(0), idle);
    pid_t second = 0;
    const auto look = [&] {
      second = gettid();
      EXPECT_EQ(sched_getscheduler(0), idle);
    };
    threads.Run([] {}, look);

    std::promise<void> began, may_end;
    threads.Run(
        [&] {
          began.get_future().wait();
          threads.Hurry(true);
          EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
          EXPECT_EQ(sched_getscheduler(second), SCHED_OTHER);
          may_end.set_value();
        },
        [&] {
          second = gettid();
          began.set_value();
          may_end.get_future().wait();
        });
    threads.Run([] {}, [] { EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER); });
    threads.Hurry(false);
    EXPECT_EQ(sched_getscheduler(0), idle);
    threads.Run([] {}, look);
  }).join();
  EXPECT_EQ(sched_getscheduler(0), before);
}

// Root may do all, others what their limit allows. In a process of its own, which asks first then.
TEST(TwoThreadsTest, ThoseThatCouldNotComeBackStayInTheBackground) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto look_without_rights = [] {
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_NICE, &none) != 0) _exit(1);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(2);
    if (MayIdle()) _exit(3);
    TwoThreads threads;
    threads.Begin("first");
    const bool in_the_background = getpriority(PRIO_PROCESS, 0) > 0;
    _exit(sched_getscheduler(0) == SCHED_OTHER && in_the_background ? 0 : 4);
  };
  EXPECT_EXIT(look_without_rights(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tokend
