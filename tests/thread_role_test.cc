#include "storage/thread_role.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <thread>

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

}  // namespace
}  // namespace tokend
