#include "storage/thread_role.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

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

}  // namespace
}  // namespace tokend
