#include "storage/key_filter.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tokend {
namespace {

TEST(KeyFilterTest, KnowsWhatWasAddedAndHardlyAnythingElse) {
  std::mt19937_64 random(7);
  constexpr size_t kHashes = 10'000;
  KeyFilter filter(kHashes * 16 / 8);
  std::vector<uint64_t> hashes(kHashes);
  for (uint64_t& hash : hashes) hash = random();
  for (const uint64_t hash : hashes) EXPECT_FALSE(KeyFilter(64).MayHold(hash));
  for (const uint64_t hash : hashes) filter.Add(hash);
  for (const uint64_t hash : hashes) EXPECT_TRUE(filter.MayHold(hash));
  int wrong = 0;
  for (int i = 0; i < 100'000; ++i) wrong += filter.MayHold(random()) ? 1 : 0;
  EXPECT_LT(wrong, 100'000 / 100);
}

TEST(KeyFilterTest, TheSmallestWorks) {
  KeyFilter filter(0);
  filter.Add(42);
  EXPECT_TRUE(filter.MayHold(42));
  EXPECT_FALSE(filter.MayHold(~uint64_t{42}));
}

}  // namespace
}  // namespace tokend
