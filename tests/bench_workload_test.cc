#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "bench/workload.h"

namespace tokend::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// The tokens of the next `requests` requests.
std::vector<uint64_t> Draw(Workload* workload, int requests, uint32_t batch = 1) {
  std::vector<uint64_t> room(batch);
  Operation operation;
  operation.indexes = room.data();
  std::vector<uint64_t> indexes;
  for (int i = 0; i < requests && workload->Next(&operation); ++i) {
    for (uint32_t j = 0; j < operation.count; ++j) indexes.push_back(operation.IndexAt(j));
  }
  return indexes;
}
std::vector<uint64_t> Draw(const WorkloadOptions& options, int requests) {
  Workload workload(options);
  return Draw(&workload, requests, options.batch);
}

TEST(WorkloadTest, UniformReachesEachTokenAboutAsOften) {
  constexpr uint64_t kKeys = 100;
  std::map<uint64_t, int> seen;
  for (const uint64_t index : Draw({.first = 5000, .keys = kKeys}, 100000)) ++seen[index];
  EXPECT_EQ(seen.begin()->first, 5000u);
  EXPECT_EQ(seen.rbegin()->first, 5099u);
  ASSERT_EQ(seen.size(), kKeys);
  double chi_square = 0;
  for (const auto& [index, count] : seen) chi_square += (count - 1000.0) * (count - 1000.0) / 1000;
  // 99 degrees of freedom: beyond 149 in one case of a thousand.
  EXPECT_LT(chi_square, 149);
}

TEST(WorkloadTest, IsAFunctionOfItsSeed) {
  for (const bool is_zipf : {false, true}) {
    WorkloadOptions options{.seed = 3, .keys = 1000000, .hit_ratio = 0.5};
    if (is_zipf) options.zipf_exponent = 0.99;
    const std::vector<uint64_t> once = Draw(options, 1000);
    EXPECT_EQ(once, Draw(options, 1000));
    options.seed = 4;
    EXPECT_NE(once, Draw(options, 1000));
  }
}

TEST(WorkloadTest, SharesAreAsAskedFor) {
  constexpr int kRequests = 100000;
  for (const double hit_ratio : {0.0, 0.8, 1.0}) {
    for (const double revoke_ratio : {0.0, 0.01}) {
      Workload workload({.keys = 1000,
                         .hit_ratio = hit_ratio,
                         .revoke_ratio = revoke_ratio,
                         .revoke_first = 5000,
                         .revoke_count = kRequests});
      double hits = 0;
      double revokes = 0;
      Operation operation;
      for (int i = 0; i < kRequests; ++i) {
        ASSERT_TRUE(workload.Next(&operation));
        if (operation.kind == OperationKind::kRevoke) {
          EXPECT_EQ(operation.index, 5000 + revokes) << "each once, in order";
          ++revokes;
          continue;
        }
        EXPECT_EQ(operation.kind, OperationKind::kValidate);
        EXPECT_LT(operation.index % kNeverStored, 1000u);
        if (operation.index < kNeverStored) ++hits;
      }
      const double validates = kRequests - revokes;
      // Within five standard deviations; none at all where there is no chance.
      const auto spread = [](double share, double count) {
        return 5 * std::sqrt(share * (1 - share) * count);
      };
      EXPECT_NEAR(hits, hit_ratio * validates, spread(hit_ratio, validates));
      EXPECT_NEAR(revokes, revoke_ratio * kRequests, spread(revoke_ratio, kRequests));
    }
  }
}

TEST(WorkloadTest, SaysThatThereIsNothingLeftToRevoke) {
  Workload workload({.revoke_ratio = 1, .revoke_first = 10, .revoke_count = 3});
  EXPECT_EQ(Draw(&workload, 3), (std::vector<uint64_t>{10, 11, 12}));
  EXPECT_THAT([&] { Draw(&workload, 1); },
              ThrowsMessage<std::runtime_error>(HasSubstr("all 3 tokens to revoke are used up")));
}

TEST(WorkloadTest, BatchesHaveWhatSinglesWouldHave) {
  WorkloadOptions options{.keys = 1000, .hit_ratio = 0.5};
  const std::vector<uint64_t> singles = Draw(options, 640);
  options.batch = 64;
  EXPECT_EQ(Draw(options, 10), singles);
}

TEST(WorkloadTest, InsertsEachTokenOnceAndEnds) {
  for (const uint32_t batch : {1u, 3u, 10u, 16u}) {
    const std::vector<uint64_t> indexes =
        Draw({.kind = OperationKind::kInsert, .batch = batch, .first = 100, .keys = 10}, 1000);
    EXPECT_EQ(indexes, (std::vector<uint64_t>{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}));
  }
}

TEST(WorkloadTest, ReplacesStoredTokensAlone) {
  Workload workload({.kind = OperationKind::kReplace, .first = 100, .keys = 10, .hit_ratio = 0.1});
  Operation operation;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(workload.Next(&operation));
    EXPECT_EQ(operation.kind, OperationKind::kReplace);
    seen.insert(operation.index);
  }
  EXPECT_EQ(seen.size(), 10u);
  EXPECT_EQ(*seen.begin(), 100u);
  EXPECT_EQ(*seen.rbegin(), 109u);
}

TEST(WorkloadTest, ZipfScattersItsRanks) {
  for (const uint64_t keys : {uint64_t{1}, uint64_t{2}, uint64_t{6}, uint64_t{1000}}) {
    std::map<uint64_t, int> seen;
    for (const uint64_t index : Draw({.keys = keys, .zipf_exponent = 0.5}, 200000)) ++seen[index];
    EXPECT_EQ(seen.size(), keys) << "no two ranks fall on one token";
  }
  std::map<uint64_t, int> seen;
  const WorkloadOptions options{.first = 7000, .keys = 1000, .zipf_exponent = 0.99};
  for (const uint64_t index : Draw(options, 200000)) ++seen[index];
  std::vector<std::pair<int, uint64_t>> hottest;
  for (const auto& [index, count] : seen) {
    EXPECT_LT(index - 7000, 1000u);
    hottest.emplace_back(count, index);
  }
  std::sort(hottest.rbegin(), hottest.rend());
  // The sum of 1/r^0.99 over 1,000 ranks is 7.73: the first has 12.9 % of all, the second half of
  // it.
  EXPECT_NEAR(hottest[0].first, 200000 / 7.73, 1000);
  EXPECT_NEAR(hottest[1].first, 200000 / 7.73 / std::pow(2, 0.99), 1000);
  for (int i = 0; i < 5; ++i) {
    const auto here = static_cast<int64_t>(hottest[static_cast<size_t>(i)].second);
    const auto next = static_cast<int64_t>(hottest[static_cast<size_t>(i) + 1].second);
    EXPECT_GT(std::abs(here - next), 50) << "hot tokens are no neighbours";
  }
}

}  // namespace
}  // namespace tokend::bench
