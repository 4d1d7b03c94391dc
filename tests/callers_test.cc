#include "server/callers.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "server/failed_tries.h"
#include "tests/support/manual_clock.h"

namespace tokend {
namespace {

// printf %s one | sha256sum, and so on.
constexpr char kOne[] = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
constexpr char kTwo[] = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";

CallerConfig Config(const std::string& name) {
  CallerConfig config;
  config.name = name;
  config.roles = {"validate"};
  return config;
}

TEST(CallersTest, WithoutAnyEverybodyMayDoEverything) {
  const Callers callers({});
  EXPECT_FALSE(callers.enabled());
  EXPECT_TRUE(callers.Find({}).Has(Right::kAdmin));
  EXPECT_TRUE(callers.Find({}).MayUse("any"));
}

TEST(CallersTest, ASecretIsGoodForItsCallerAlone) {
  CallerConfig gateway = Config("gateway"), app = Config("app");
  gateway.secrets_sha256 = {kTwo, kOne};
  app.secrets_sha256 = {"0000000000000000000000000000000000000000000000000000000000000000"};
  ASSERT_TRUE(CheckCallers({gateway, app}).ok());
  const Callers callers({gateway, app});
  EXPECT_EQ(callers.Find(Identity::OfSecret("gateway", SecretView("one"))).name(), "gateway");
  EXPECT_EQ(callers.Find(Identity::OfSecret("gateway", SecretView("two"))).name(), "gateway");
  EXPECT_EQ(callers.Find(Identity::OfSecret("", SecretView("one"))).name(), "gateway");
  for (const auto& [name, secret] : {std::pair("gateway", "three"),
                                     {"app", "one"},
                                     {"", "three"},
                                     {"gateway", ""},
                                     {"nobody", "one"}}) {
    EXPECT_FALSE(callers.Knows(Identity::OfSecret(name, SecretView(secret))))
        << name << " " << secret;
    EXPECT_FALSE(callers.Find(Identity::OfSecret(name, SecretView(secret))).Has(Right::kValidate));
  }
}

TEST(CallersTest, ACallerHasItsRolesAndNoOthers) {
  CallerConfig config = Config("c");
  config.roles = {"issue", "read"};
  config.namespaces = {"a", "b"};
  config.owners = {"o"};
  const Caller caller(config);
  EXPECT_TRUE(caller.Has(Right::kNone));
  EXPECT_TRUE(caller.Has(Right::kIssue));
  EXPECT_TRUE(caller.Has(Right::kRead));
  for (const Right right : {Right::kValidate, Right::kIntrospect, Right::kRevoke, Right::kAdmin}) {
    EXPECT_FALSE(caller.Has(right));
  }
  EXPECT_TRUE(caller.MayUse("b"));
  EXPECT_FALSE(caller.MayUse("c"));
  EXPECT_TRUE(caller.MayManage("o"));
  EXPECT_FALSE(caller.MayManage("p"));
  EXPECT_FALSE(caller.MayManage(std::nullopt));
}

TEST(CallersTest, WhoShowsNothing) {
  CallerConfig known = Config("known"), anonymous = Config("all");
  known.secrets_sha256 = {kOne};
  anonymous.anonymous = true;
  EXPECT_FALSE(Callers({known}).Find({}).is_known());
  EXPECT_FALSE(Callers({known}).Find({}).Has(Right::kValidate));
  EXPECT_TRUE(Callers({known, anonymous}).Find({}).Has(Right::kValidate));
  EXPECT_FALSE(Callers({known, anonymous}).Find({}).Has(Right::kRead));
}

TEST(CallersTest, PeersOnUnixSockets) {
  CallerConfig config = Config("www");
  config.unix_users = {"12345"};
  const Callers callers({config});
  const auto of = [&](uid_t uid) -> const Caller& {
    Identity identity;
    identity.kind = Identity::Kind::kUnixUser;
    identity.uid = uid;
    return callers.Find(identity);
  };
  EXPECT_EQ(of(12345).name(), "www");
  EXPECT_FALSE(of(12345).Has(Right::kAdmin));
  EXPECT_FALSE(of(12346).is_known());
  // Theirs are the files.
  EXPECT_TRUE(of(0).Has(Right::kAdmin));
  EXPECT_TRUE(of(geteuid()).Has(Right::kAdmin));
}

TEST(CallersTest, WhatIsWrongIsNamed) {
  const auto error_of = [](const std::function<void(CallerConfig*)>& change, bool twice = false) {
    CallerConfig config = Config("c");
    config.secrets_sha256 = {kOne};
    change(&config);
    std::vector<CallerConfig> all{config};
    if (twice) {
      config.name = "d";
      all.push_back(config);
    }
    return CheckCallers(all).message();
  };
  const auto nothing = [](CallerConfig*) {};
  EXPECT_EQ(error_of(nothing), "");
  EXPECT_EQ(error_of(nothing, true), "caller \"d\": secrets_sha256: a secret is there twice");
  EXPECT_EQ(
      error_of([](CallerConfig* c) { c->roles = {"root"}; }),
      "caller \"c\": roles: must be validate, introspect, issue, revoke, read, reveal or admin");
  EXPECT_EQ(error_of([](CallerConfig* c) { c->roles.clear(); }),
            "caller \"c\": roles: missing; without it may do nothing");
  EXPECT_NE(error_of([](CallerConfig* c) { c->secrets_sha256 = {"abc"}; }), "");
  EXPECT_NE(error_of([](CallerConfig* c) { c->secrets_sha256.clear(); }), "");
  EXPECT_EQ(error_of([](CallerConfig* c) { c->unix_users = {"no-such-user"}; }),
            "caller \"c\": unix_users: there is no user \"no-such-user\"");
  const auto anonymous = [](CallerConfig* c) {
    c->secrets_sha256.clear();
    c->anonymous = true;
  };
  EXPECT_EQ(error_of(anonymous), "");
  EXPECT_EQ(error_of(anonymous, true), "caller \"d\": anonymous: only one can be");
}

TEST(FailedTriesTest, EachWaitsLongerThanTheOneBefore) {
  ManualClock clock;
  FailedTries tries(clock);
  for (const uint64_t delay_ms : {100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
    EXPECT_EQ(tries.Add("10.0.0.1"), delay_ms);
  }
  EXPECT_EQ(tries.Add("10.0.0.2"), 100u);
  clock.Advance(59'999);
  EXPECT_EQ(tries.Add("10.0.0.1"), 5000u);
  clock.Advance(60'000);
  EXPECT_EQ(tries.Add("10.0.0.1"), 100u);
  EXPECT_EQ(tries.total(), 11u);
}

TEST(FailedTriesTest, AddressesAreBounded) {
  ManualClock clock;
  FailedTries tries(clock);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(tries.Add(std::to_string(i)), 100u);
  EXPECT_EQ(tries.Add("one more"), 5000u);
  EXPECT_EQ(tries.Add("5"), 200u);
  clock.Advance(60'000);
  EXPECT_EQ(tries.Add("one more"), 100u);
}

}  // namespace
}  // namespace tokend
