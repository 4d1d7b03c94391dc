#include "server/discard_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

namespace tokend {
namespace {

TEST(DiscardQueueTest, WhatIsLongGoesASliceATurnAndIsCountedUntilThen) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  std::atomic<uint64_t> buffered{7};
  {
    DiscardQueue queue(buffered);
    ASSERT_EQ(queue.Open(&loop), 0);
    queue.Add(std::string(1'000, 'x'));
    EXPECT_EQ(buffered, 7u);
    queue.Add(std::string(300'000, 'x'));
    queue.Add(std::string(100'000, 'y'));
    uint64_t before = buffered;
    EXPECT_EQ(before, 400'007u);
    int turns = 0;
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0 && buffered != 7) {
      ++turns;
      EXPECT_LT(buffered, before);
      EXPECT_LE(before - buffered, 128u << 10);
      before = buffered;
    }
    EXPECT_EQ(turns, 3);  // and the fourth was the last
    EXPECT_EQ(buffered, 7u);
    // Idle again: nothing keeps the loop from sleeping.
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    queue.Add(std::string(1'000'000, 'z'));
    queue.Close();
    queue.Add(std::string(1'000'000, 'z'));
    EXPECT_EQ(buffered, 2'000'007u);
  }
  EXPECT_EQ(buffered, 7u);
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

}  // namespace
}  // namespace tokend
