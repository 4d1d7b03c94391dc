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
  // Whether it was answered before; it is from now on.
  bool IsRepeated(std::string_view key, std::string_view request = "request") {
    const Idempotency::Request known = requests_.Begin(Name(key), request, 5).value();
    requests_.Settle(Name(key), known.number, "id");
    return !known.id_hex.empty();
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
  EXPECT_EQ(first->id_hex, "");
  // Nobody knows what came of it: it is tried again, and is the same.
  const auto again = requests_.Begin(Name("k"), "request", 99);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->number, first->number);
  EXPECT_EQ(again->expires_at_ms, 5u);
  requests_.Settle(Name("k"), first->number, "id");
  EXPECT_EQ(requests_.Begin(Name("k"), "request", 99)->id_hex, "id");
  EXPECT_FALSE(requests_.Begin(Name("k"), "another", 5));
}

TEST_F(IdempotencyTest, ARequestThatCameToNothingMakesRoom) {
  const auto refused = requests_.Begin(Name("k"), "request", 5);
  const auto other = requests_.Begin(Name("k"), "another", 6);
  ASSERT_TRUE(other);
  EXPECT_NE(other->number, refused->number);
  EXPECT_EQ(other->expires_at_ms, 6u);
  // Should the first have made a token after all, that is not this one's.
  requests_.Settle(Name("k"), refused->number, "late");
  EXPECT_EQ(requests_.Begin(Name("k"), "another", 6)->id_hex, "");
}

TEST_F(IdempotencyTest, ItIsForgottenAfterADay) {
  EXPECT_FALSE(IsRepeated("a"));
  clock_.Advance(Idempotency::kLifetimeMs - 1);
  EXPECT_FALSE(IsRepeated("b"));
  EXPECT_TRUE(IsRepeated("a"));
  const uint64_t number = requests_.Begin(Name("a"), "request", 5)->number;
  clock_.Advance(1);
  // It is another request by now, with another token.
  EXPECT_NE(requests_.Begin(Name("a"), "request", 5)->number, number);
  EXPECT_FALSE(IsRepeated("a"));
  EXPECT_TRUE(IsRepeated("b"));
}

TEST_F(IdempotencyTest, TheOldestGoFirst) {
  for (size_t i = 0; i < Idempotency::kRequestsMax + 1; ++i) IsRepeated(std::to_string(i));
  EXPECT_TRUE(IsRepeated(std::to_string(Idempotency::kRequestsMax)));
  EXPECT_FALSE(IsRepeated("0"));
}

TEST_F(IdempotencyTest, ATokenBelongsToARequestAndToAProcess) {
  const std::string token(requests_.TokenOf(Name("k"), 1, "tk").bytes());
  EXPECT_TRUE(HasIssuedChecksum(token));
  EXPECT_EQ(requests_.TokenOf(Name("k"), 1, "tk").bytes(), token);
  EXPECT_NE(requests_.TokenOf(Name("k"), 2, "tk").bytes(), token);
  EXPECT_NE(requests_.TokenOf(Name("l"), 1, "tk").bytes(), token);
  EXPECT_NE(Idempotency(clock_).TokenOf(Name("k"), 1, "tk").bytes(), token);
}

}  // namespace
}  // namespace tokend
