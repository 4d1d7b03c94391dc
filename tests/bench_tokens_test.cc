#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "bench/tokens.h"
#include "protocol/msgpack.h"

namespace tokend::bench {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;
using ::testing::MatchesRegex;

constexpr uint64_t kBaseMs = 1'800'000'000'000;

TEST(TokenSpaceTest, TokensAreShapedAsSaidAndDiffer) {
  const TokenSpace space(7, kBaseMs);
  std::set<std::string> seen;
  for (uint64_t i = 0; i < 20000; ++i) {
    const std::string token = space.Token(i);
    EXPECT_THAT(token, MatchesRegex("tk_[0-9A-Za-z]{40}"));
    EXPECT_TRUE(seen.insert(token).second) << "token " << i << " repeats";
  }
}

TEST(TokenSpaceTest, IsAFunctionOfSeedAndIndex) {
  const TokenSpace a(1, kBaseMs), same(1, kBaseMs), other(2, kBaseMs);
  for (const uint64_t i : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 48}) {
    EXPECT_EQ(a.Token(i), same.Token(i));
    EXPECT_EQ(a.Owner(i), same.Owner(i));
    EXPECT_EQ(a.ExpiresAtMs(i), same.ExpiresAtMs(i));
    EXPECT_NE(a.Token(i), other.Token(i));
  }
}

TEST(TokenSpaceTest, OwnersMayBeDistinct) {
  constexpr uint64_t kTokens = 30000;
  const TokenSpace space(3, ExpiryRange::DayAfter(kBaseMs), kTokens);
  std::set<std::string_view> owners;
  for (uint64_t i = 0; i < kTokens; ++i) owners.insert(space.Owner(12345 + i));
  EXPECT_EQ(owners.size(), kTokens);
  EXPECT_THAT(space.Owner(0).size(), AllOf(Ge(8u), Le(12u)));
}

TEST(TokenSpaceTest, OwnersScopesAndExpiriesAreWithinTheirRanges) {
  const TokenSpace space(3, kBaseMs);
  std::set<std::string_view> owners;
  std::set<std::string_view> scope_sets;
  uint64_t earliest = UINT64_MAX;
  uint64_t latest = 0;
  for (uint64_t i = 0; i < 50000; ++i) {
    EXPECT_THAT(space.Owner(i).size(), AllOf(Ge(8u), Le(12u)));
    owners.insert(space.Owner(i));
    scope_sets.insert(space.ScopesEncoded(i));
    earliest = std::min(earliest, space.ExpiresAtMs(i));
    latest = std::max(latest, space.ExpiresAtMs(i));
  }
  // 100,000 owners asked for 50,000 times at random: 39,347 of them are expected.
  EXPECT_THAT(owners.size(), AllOf(Ge(38500u), Le(40200u)));
  EXPECT_EQ(scope_sets.size(), kScopeSets);
  constexpr uint64_t kDayMs = 86'400'000;
  EXPECT_THAT(earliest, AllOf(Ge(kBaseMs + kDayMs * 84 / 100), Le(kBaseMs + kDayMs * 85 / 100)));
  EXPECT_THAT(latest, AllOf(Ge(kBaseMs + kDayMs * 115 / 100), Le(kBaseMs + kDayMs * 116 / 100)));
}

TEST(TokenSpaceTest, ExpiryIsSpreadOverItsRange) {
  const TokenSpace space(3, ExpiryRange{.from_ms = kBaseMs, .spread_ms = 10});
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 1000; ++i) seen.insert(space.ExpiresAtMs(i));
  EXPECT_EQ(*seen.begin(), kBaseMs);
  EXPECT_EQ(*seen.rbegin(), kBaseMs + 9);
  EXPECT_EQ(seen.size(), 10u);
}

TEST(TokenSpaceTest, EncodedScopesAreTheScopes) {
  const TokenSpace space(3, kBaseMs);
  for (uint64_t i = 0; i < 200; ++i) {
    msgpack_io::Reader reader(space.ScopesEncoded(i));
    uint32_t count = 0;
    ASSERT_TRUE(reader.ReadArrayHeader(&count));
    ASSERT_EQ(count, space.Scopes(i).size());
    for (const std::string& scope : space.Scopes(i)) {
      std::string_view text;
      ASSERT_TRUE(reader.ReadStr(&text));
      EXPECT_EQ(text, scope);
    }
    EXPECT_TRUE(reader.AtEnd());
  }
}

}  // namespace
}  // namespace tokend::bench
