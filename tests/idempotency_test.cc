#include "server/idempotency.h"

#include <gtest/gtest.h>

#include "protocol/issued_token.h"
#include "tests/support/manual_clock.h"

namespace tokend {
namespace {

class IdempotencyTest : public ::testing::Test {
 protected:
  static Idempotency::Name Name(std::string_view key) {
    return Idempotency::NameOf("app", "default", key);
  }
  bool IsRepeated(std::string_view key, std::string_view request = "request") {
    return requests_.Begin(Name(key), request, 5).value().is_repeated;
  }

  ManualClock clock_;
  Idempotency requests_{clock_};
};

TEST_F(IdempotencyTest, NamesAreOfCallerNamespaceAndKey) {
  EXPECT_EQ(Idempotency::NameOf("a", "b", "c"), Idempotency::NameOf("a", "b", "c"));
  EXPECT_NE(Idempotency::NameOf("a", "b", "c"), Idempotency::NameOf("a", "b", "d"));
  EXPECT_NE(Idempotency::NameOf("a", "b", "c"), Idempotency::NameOf("ab", "", "c"));
  EXPECT_NE(Idempotency::NameOf("a", "b", "c"), Idempotency::NameOf("a", "bc", ""));
}

TEST_F(IdempotencyTest, ARequestIsKnownAgain) {
  const auto first = requests_.Begin(Name("k"), "request", 5);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->is_repeated);
  const auto again = requests_.Begin(Name("k"), "request", 99);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->is_repeated);
  EXPECT_EQ(again->expires_at_ms, 5u);
  EXPECT_FALSE(requests_.Begin(Name("k"), "another", 5));
  requests_.Forget(Name("k"));
  requests_.Forget(Name("k"));
  EXPECT_FALSE(IsRepeated("k", "another"));
  EXPECT_TRUE(IsRepeated("k", "another"));
}

TEST_F(IdempotencyTest, ItIsForgottenAfterADay) {
  EXPECT_FALSE(IsRepeated("a"));
  clock_.Advance(Idempotency::kLifetimeMs - 1);
  EXPECT_FALSE(IsRepeated("b"));
  EXPECT_TRUE(IsRepeated("a"));
  clock_.Advance(1);
  EXPECT_FALSE(IsRepeated("a"));
  EXPECT_TRUE(IsRepeated("b"));
}

TEST_F(IdempotencyTest, TheOldestGoFirst) {
  for (size_t i = 0; i < Idempotency::kRequestsMax + 1; ++i) IsRepeated(std::to_string(i));
  EXPECT_TRUE(IsRepeated(std::to_string(Idempotency::kRequestsMax)));
  EXPECT_FALSE(IsRepeated("0"));
}

TEST_F(IdempotencyTest, ATokenBelongsToANameAndToAProcess) {
  const std::string token = requests_.TokenOf(Name("k"), "tk");
  EXPECT_TRUE(HasIssuedChecksum(token));
  EXPECT_EQ(requests_.TokenOf(Name("k"), "tk"), token);
  EXPECT_NE(requests_.TokenOf(Name("l"), "tk"), token);
  EXPECT_NE(Idempotency(clock_).TokenOf(Name("k"), "tk"), token);
}

}  // namespace
}  // namespace tokend
