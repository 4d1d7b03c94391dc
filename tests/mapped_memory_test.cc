#include "storage/mapped_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace tokend {
namespace {

TEST(MappedMemoryTest, ReadsAsZeroAndHoldsWhatIsWritten) {
  constexpr size_t kBytes = 1 << 20;
  MappedMemory memory(kBytes, "a test");
  EXPECT_EQ(memory.bytes(), kBytes);
  char* bytes = memory.as<char>();
  EXPECT_EQ(std::count(bytes, bytes + kBytes, 0), static_cast<ptrdiff_t>(kBytes));
  bytes[0] = bytes[kBytes - 1] = 1;
  EXPECT_EQ(std::count(bytes, bytes + kBytes, 1), 2);
}

TEST(MappedMemoryTest, AdviceChangesNoContent) {
  constexpr size_t kBytes = 8 << 20;
  MappedMemory memory(kBytes, "a test");
  memory.as<char>()[kBytes - 1] = 1;
  memory.AdviseHugePages(0, kBytes);
  memory.AdviseHugePages(4096, 8192);  // no whole huge page in it
  EXPECT_EQ(memory.as<char>()[kBytes - 1], 1);
  EXPECT_EQ(memory.as<char>()[0], 0);
}

TEST(MappedMemoryTest, SaysWhatCannotBeReserved) {
  try {
    MappedMemory memory(size_t{1} << 60, "a test (lower something)");
    FAIL() << "no machine has so much address space";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("a test (lower something)"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("Cannot allocate memory"));
  }
}

}  // namespace
}  // namespace tokend
