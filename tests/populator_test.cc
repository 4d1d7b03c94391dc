#include "storage/populator.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <chrono>
#include <thread>
#include <vector>

namespace tokend {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kBytes = 64 << 20;

size_t ResidentBytes(const MappedMemory& memory, size_t from, size_t to) {
  std::vector<unsigned char> pages((to - from) / kPageBytes);
  EXPECT_EQ(mincore(memory.as<char>() + from, to - from, pages.data()), 0);
  size_t resident = 0;
  for (const unsigned char page : pages) resident += page & 1;
  return resident * kPageBytes;
}

// The thread works on its own time; a machine that is busy may need a while.
bool BecomesReady(const Populator& populator, Populator::Area area, size_t bytes) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (populator.ready_bytes(area) < bytes) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TEST(PopulatorTest, SmallAreasTakeNoMemory) {
  MappedMemory memory(kBytes, "a test");
  Populator populator;
  const Populator::Area area = populator.AddArea(&memory, 0, kBytes);
  populator.Reached(area, Populator::kSmallBytes - Populator::kAheadBytes / 2);
  EXPECT_EQ(populator.ready_bytes(area), Populator::kSmallBytes);
  populator.Stop();
  EXPECT_EQ(ResidentBytes(memory, 0, kBytes), 0u);
}

TEST(PopulatorTest, AreasThatCannotGrowLargeAreLeftAlone) {
  MappedMemory memory(kBytes, "a test");
  Populator populator;
  const Populator::Area area = populator.AddArea(&memory, 0, Populator::kSmallBytes);
  populator.Reached(area, Populator::kSmallBytes);
  populator.Stop();
  EXPECT_EQ(ResidentBytes(memory, 0, kBytes), 0u);
}

TEST(PopulatorTest, KeepsAheadOfUse) {
  MappedMemory memory(2 * kBytes, "a test");
  Populator populator;
  const Populator::Area other = populator.AddArea(&memory, 0, kBytes);
  const Populator::Area area = populator.AddArea(&memory, kBytes, 2 * kBytes);
  for (size_t used = Populator::kSmallBytes; used < kBytes; used += 1 << 20) {
    populator.Reached(area, used);
    ASSERT_TRUE(BecomesReady(populator, area, std::min(used + (1 << 20), kBytes)));
  }
  populator.Stop();
  EXPECT_EQ(ResidentBytes(memory, kBytes + Populator::kSmallBytes, 2 * kBytes),
            kBytes - Populator::kSmallBytes);
  EXPECT_EQ(ResidentBytes(memory, 0, kBytes), 0u);
  EXPECT_EQ(populator.ready_bytes(other), Populator::kSmallBytes);
}

TEST(PopulatorTest, LeavesContentAlone) {
  MappedMemory memory(kBytes, "a test");
  Populator populator;
  const Populator::Area area = populator.AddArea(&memory, 0, kBytes);
  memory.as<char>()[Populator::kSmallBytes + 1] = 'x';
  populator.Reached(area, Populator::kSmallBytes);
  ASSERT_TRUE(BecomesReady(populator, area, Populator::kSmallBytes + Populator::kAheadBytes));
  EXPECT_EQ(memory.as<char>()[Populator::kSmallBytes + 1], 'x');
  EXPECT_EQ(memory.as<char>()[Populator::kSmallBytes + 2], 0);
}

TEST(PopulatorTest, StoppedItDoesNothing) {
  MappedMemory memory(kBytes, "a test");
  Populator populator;
  const Populator::Area area = populator.AddArea(&memory, 0, kBytes);
  populator.Stop();
  populator.Reached(area, Populator::kSmallBytes);
  populator.Stop();
  EXPECT_EQ(ResidentBytes(memory, 0, kBytes), 0u);
}

}  // namespace
}  // namespace tokend
