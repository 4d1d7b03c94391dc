// Every method of docs/protocol.md over a socket, in all its forms.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "server/methods.h"
#include "tests/encoded.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr uint64_t kNow = ManualClock::kStartMs;

class RpcMethodsTest : public ServerFixture {
 protected:
  void SetUp() override { Start(); }

  // Expects an error of that code whose message begins with the field's name.
  void ExpectError(std::string_view method, const Json& params, std::string_view code,
                   std::string_view field) {
    const Answer answer = Call(method, params);
    EXPECT_EQ(answer.code(), code) << method << params;
    EXPECT_TRUE(answer.result.is_null()) << method << params;
    EXPECT_THAT(answer.message(), StartsWith(std::string(field))) << method << params;
  }
  void ExpectError(std::string_view method, Params params, std::string_view code,
                   std::string_view field) {
    ExpectError(method, Json(Json::array_t(params)), code, field);
  }
  Json Validate(const Json& token, const std::string& ns = "default") {
    return Must("validate", {token, ns});
  }
  Json Insert(Json map) { return Must("insert", {std::move(map)}); }
  Json GetRecord(const std::string& token) { return Must("get", {token}); }

  const Json unknown_ = {false, "unknown"};
  const Json expired_ = {false, "expired"};
  const Json revoked_ = {false, "revoked"};
  const Json forever_ = {true, nullptr, nullptr, Json::array()};
};

// --- hello, ping, stats, and what is no method ---

TEST_F(RpcMethodsTest, HelloTellsTheServerAndItsLimits) {
  const Json hello = Must("hello", {{{"client", "test"}, {"version", "1"}, {"else", {1, 2}}}});
  EXPECT_EQ(hello.at("server"), "tokend");
  EXPECT_THAT(hello.at("version").get<std::string>(), MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(hello.at("protocol"), 1);
  EXPECT_EQ(hello.at("limits"),
            Json({{"message_bytes", 4194304}, {"nesting", 16}, {"many", 10000}}));
  EXPECT_EQ(hello.size(), 4u);
  EXPECT_EQ(Must("hello", {Json::object()}), hello);
}

TEST_F(RpcMethodsTest, PingIsAnsweredWithPong) {
  EXPECT_EQ(Must("ping", Json::array()), "pong");
  ExpectError("ping", {1}, "bad_params", "surplus parameter at position 1");
}

TEST_F(RpcMethodsTest, StatsCount) {
  Insert({{"token", "a"}});
  Validate("a");
  Validate("b");
  const Json stats = Stats();
  EXPECT_EQ(stats.at("state"), "ready");
  EXPECT_EQ(stats.at("tokens"), 1);
  EXPECT_EQ(stats.at("namespaces"), 1);
  EXPECT_EQ(stats.at("connections"), 1);
  EXPECT_GE(stats.at("mutations_total"), 1);
  EXPECT_EQ(stats.at("validate_total").at("valid"), 1);
  EXPECT_EQ(stats.at("validate_total").at("unknown"), 1);
  EXPECT_EQ(stats.at("methods_total").at("validate"), 2);
  EXPECT_EQ(stats.at("methods_total").at("insert"), 1);
  EXPECT_EQ(stats.at("methods_total").size(), Methods().size());
  EXPECT_EQ(stats.at("requests_total"), 4);
  EXPECT_EQ(stats.at("errors_total"), 0);
  EXPECT_EQ(stats.at("loops").size(), 2u);
  // Cumulative, by the processor time of a turn in microseconds.
  const Json& turns = stats.at("loop_turns");
  EXPECT_EQ(turns.size(), TimeCounter::kBoundsUs.size() + 1);
  EXPECT_GE(turns.at("inf"), 4);  // one at least for each request before
  EXPECT_LE(turns.at("10"), turns.at("500"));
  EXPECT_LE(turns.at("500"), turns.at("inf"));
  EXPECT_LT(stats.at("loop_turn_us_max"), 60'000'000);
  // Of the two validates, and each is judged at once.
  EXPECT_EQ(stats.at("validate_us").at("inf"), 2);
  EXPECT_EQ(stats.at("fsyncs_total").get<uint64_t>() > 0,
            stats.at("fsync_us_total").get<uint64_t>() > 0);
  EXPECT_EQ(stats.at("write_stalled"), 0);
  ExpectError("stats", {1}, "bad_params", "surplus parameter at position 1");
  EXPECT_EQ(Stats().at("errors_total"), 1);
}

TEST_F(RpcMethodsTest, StatsCountTokensOnceAMinute) {
  Insert({{"token", "a"}});
  Insert({{"token", "b"}, {"ttl_ms", 3600 * 1000}});
  Insert({{"token", "c"}, {"ttl_ms", 3600 * 1000 + 10}, {"namespace", "other"}});
  Insert({{"token", "d"}});
  Must("revoke", {"d"});
  const Json first = Stats();
  EXPECT_EQ(first.at("tokens_live"), 3);
  EXPECT_EQ(first.at("tokens_revoked"), 1);
  EXPECT_EQ(first.at("tokens_expired"), 0);
  EXPECT_EQ(first.at("tokens_expiring"), Json({{"default", {{"1h", 1}, {"1d", 1}, {"7d", 1}}},
                                               {"other", {{"1h", 0}, {"1d", 1}, {"7d", 1}}}}));
  Insert({{"token", "e"}});
  clock_.Advance(59'000);
  EXPECT_EQ(Stats().at("tokens_live"), 3);
  clock_.Advance(1000);
  const Json second = Stats();
  EXPECT_EQ(second.at("tokens_live"), 4);
  EXPECT_EQ(second.at("tokens_expiring").at("other").at("1h"), 1);
}

TEST_F(RpcMethodsTest, StatsTellForHowLongExpiredTokensWait) {
  EXPECT_EQ(Stats().at("reclaim_lag_ms"), 0);
  clock_.Advance(700);
  EXPECT_LE(Stats().at("reclaim_lag_ms"), 700);
  clock_.Advance(1300);
  EXPECT_TRUE(Eventually([&] { return Stats().at("reclaim_lag_ms") == 0; }));
}

TEST_F(RpcMethodsTest, UpdateMovesTheExpiry) {
  const std::string id = IdOf("t");
  Insert({{"token", "t"}, {"ttl_ms", 1000}});
  EXPECT_EQ(Must("update", {{{"id", id}, {"expires_at", kNow + 5000}}}), true);
  clock_.Advance(2000);
  EXPECT_EQ(Validate("t").at(1), kNow + 5000);
  EXPECT_EQ(Must("update", {{{"id", id}, {"name", "n"}, {"never_expires", true}}}), true);
  clock_.Advance(10'000);
  EXPECT_EQ(Validate("t"), forever_);
  EXPECT_EQ(Must("get", {"t"}).at("expires_at"), nullptr);
  // What names neither leaves it.
  EXPECT_EQ(Must("update", {{{"id", id}, {"expires_at", clock_.NowMs() + 9}}}), true);
  EXPECT_EQ(Must("update", {{{"id", id}, {"name", "m"}, {"never_expires", false}}}), true);
  EXPECT_EQ(Validate("t").at(1), clock_.NowMs() + 9);
  ExpectError("update", {{{"id", id}, {"expires_at", 1}, {"never_expires", true}}}, "bad_params",
              "expires_at: must not be given together with never_expires");
}

TEST_F(RpcMethodsTest, WhatIsNoMethodIsAnsweredSo) {
  ExpectError("valid", Json::array(), "unknown_method", "method: \"valid\"");
  ExpectError("", Json::array(), "unknown_method", "method");
  // A token in the wrong place is not repeated.
  const std::string token(43, 'S');
  EXPECT_THAT(Call(token, Json::array()).message(), ::testing::Not(HasSubstr(token)));
  EXPECT_EQ(Must("ping", Json::array()), "pong");  // and the connection goes on
}

TEST_F(RpcMethodsTest, EachMethodTakesAsManyParamsAsItsRowSays) {
  EXPECT_TRUE(CheckMethods().ok());
  for (const Method& method : Methods()) {
    SCOPED_TRACE(method.name);
    const Json surplus(std::vector<Json>(method.params_max + 1));
    EXPECT_EQ(Call(method.name, surplus).code(), "bad_params");
    if (method.params_min > 0) {
      const Json missing(std::vector<Json>(method.params_min - 1));
      EXPECT_EQ(Call(method.name, missing.is_null() ? Json::array() : missing).code(),
                "bad_params");
    } else {
      // Those of sealed tokens have been understood, and there is no key.
      const bool takes_key = method.name == "reveal" || method.name == "rekey";
      EXPECT_EQ(Call(method.name, Json::array()).code(), takes_key ? "unavailable" : "ok");
    }
  }
}

// --- validate, validate_many ---

TEST_F(RpcMethodsTest, ValidateKnowsEveryState) {
  Insert({{"token", "plain"}});
  Insert({{"token", "full"},
          {"owner", "bob"},
          {"scopes", {"read", "write"}},
          {"expires_at", kNow + 5}});
  Insert({{"token", "gone"}});
  Must("revoke", {"gone"});
  EXPECT_EQ(Validate("plain"), forever_);
  EXPECT_EQ(Validate("full"), Json({true, kNow + 5, "bob", {"read", "write"}}));
  EXPECT_EQ(Validate("gone"), revoked_);
  EXPECT_EQ(Validate("never was"), unknown_);
  clock_.Advance(4);
  EXPECT_EQ(Validate("full").at(0), true);
  clock_.Advance(1);  // live while now < expires_at
  EXPECT_EQ(Validate("full"), expired_);
}

TEST_F(RpcMethodsTest, ATokenIsItsBytesHoweverTheyCome) {
  Insert({{"token", "abc"}});
  EXPECT_EQ(Validate("abc"), forever_);
  EXPECT_EQ(Validate(Json::binary({'a', 'b', 'c'})), forever_);
  const std::string key = KeyOf("abc");
  const Json as_key = Json::binary({key.begin(), key.end()}, 1);
  EXPECT_EQ(Validate(as_key), forever_);
  EXPECT_EQ(Validate(Json::binary({key.begin(), key.end()})), unknown_);  // bin is a token
  EXPECT_EQ(Validate("abc "), unknown_);
  EXPECT_EQ(Validate("ABC"), unknown_);
  Must("revoke", {as_key});
  EXPECT_EQ(Validate("abc"), revoked_);
  // Bytes that are no UTF-8, in a str too, and the longest.
  Insert({{"token", Json::binary({0xff, 0x00, 0xfe})}});
  const std::string raw_str = Arr({std::string("\xa3\xff\x00\xfe", 4)});
  Connect().CallEncoded("validate", raw_str);
  EXPECT_EQ(Connect().CallEncoded("validate", raw_str).result, forever_);
  const std::string longest(65536, 'x');
  Insert({{"token", longest}});
  EXPECT_EQ(Validate(longest), forever_);
}

TEST_F(RpcMethodsTest, ValidateLooksInOneNamespace) {
  Insert({{"token", "t"}, {"namespace", "other"}});
  EXPECT_EQ(Validate("t"), unknown_);
  EXPECT_EQ(Validate("t", "other"), forever_);
  EXPECT_EQ(Must("validate", {"t", nullptr}), unknown_);  // nil = default
  ExpectError("validate", {"t", "typo"}, "unknown_namespace", "namespace");
  ExpectError("validate_many", {{"t"}, "typo"}, "unknown_namespace", "namespace");
}

TEST_F(RpcMethodsTest, WrongTokensAreNamed) {
  for (const Json& token : std::vector<Json>{
           nullptr, 5, true, 1.5, "", Json::array(), Json::object(), std::string(65537, 'x'),
           Json::binary({}), Json::binary(std::vector<uint8_t>(31), 1),
           Json::binary(std::vector<uint8_t>(32), 2)}) {
    for (const char* method : {"validate", "revoke", "get", "extend"}) {
      // get takes a map, too, and says so in its own words.
      if (std::string_view(method) == "get" && token.is_object()) continue;
      ExpectError(method, {token}, "bad_params", "token");
    }
  }
  for (const Json& name : std::vector<Json>{5, "", "a\nb", std::string(256, 'n'), Json::array()}) {
    for (const char* method : {"validate", "validate_many", "revoke", "get"}) {
      const Json first = std::string_view(method) == "validate_many" ? Json({"t"}) : Json("t");
      ExpectError(method, {first, name}, "bad_params", "namespace");
    }
  }
  ExpectError("validate", Json::array(), "bad_params", "token");
  ExpectError("validate", {"t", "default", 1}, "bad_params", "surplus parameter at position 3");
}

TEST_F(RpcMethodsTest, ValidateManyAnswersInOrder) {
  Insert({{"token", "a"}, {"owner", "x"}});
  Insert({{"token", "c"}});
  Must("revoke", {"c"});
  EXPECT_EQ(Must("validate_many", {{"a", "b", "c", "a"}}),
            Json({{true, nullptr, "x", Json::array()},
                  unknown_,
                  revoked_,
                  {true, nullptr, "x", Json::array()}}));
  EXPECT_EQ(Must("validate_many", Json::array({Json::array()})), Json::array());
  ExpectError("validate_many", {{"a", 5}}, "bad_params", "tokens");
  ExpectError("validate_many", {"a"}, "bad_params", "tokens");
  ExpectError("validate_many", Json::array(), "bad_params", "tokens");
}

TEST_F(RpcMethodsTest, ManyVerdictsAreEachWhatValidateSays) {
  // Names short and long by turns, far more in all than is put together at once.
  std::vector<std::string> tokens;
  Json expected = Json::array();
  for (size_t i = 0; i < 300; ++i) {
    tokens.push_back("token " + std::to_string(i));
    if (i % 7 != 3) {
      Insert({{"token", tokens.back()},
              {"owner", std::string(1 + i * 37 % 250, 'o')},
              {"scopes", {"read", std::string(1 + i % 60, 's')}}});
    }
    expected.push_back(Must("validate", {tokens.back()}));
  }
  EXPECT_EQ(Must("validate_many", {tokens}), expected);
}

TEST_F(RpcMethodsTest, ValidateManyTakesTenThousand) {
  Insert({{"token", "t0"}});
  Json tokens = Json::array();
  for (int i = 0; i < 10'000; ++i) tokens.push_back("t" + std::to_string(i));
  const Json answer = Must("validate_many", Json::array({tokens}));
  ASSERT_EQ(answer.size(), 10'000u);
  EXPECT_EQ(answer.at(0), forever_);
  EXPECT_EQ(std::count(answer.begin(), answer.end(), unknown_), 9'999);
  tokens.push_back("one more");
  const Answer refused = Call("validate_many", Json::array({tokens}));
  EXPECT_EQ(refused.code(), "too_large");
  EXPECT_THAT(refused.message(), HasSubstr("10000"));
}

TEST_F(RpcMethodsTest, AnAnswerOverTheLimitIsRefusedInItsPlace) {
  Json scopes = Json::array();
  for (int i = 0; i < 64; ++i) scopes.push_back(std::string(126, 's') + std::to_string(10 + i));
  Insert({{"token", "t"}, {"scopes", scopes}});
  const Answer refused = Call("validate_many", Json::array({std::vector<std::string>(1000, "t")}));
  EXPECT_EQ(refused.code(), "too_large");
  EXPECT_THAT(refused.message(), HasSubstr("4194304"));
  EXPECT_EQ(Must("validate_many", Json::array({std::vector<std::string>(100, "t")})).size(), 100u);
}

// --- insert ---

TEST_F(RpcMethodsTest, InsertKeepsEveryField) {
  const Json attributes = {
      {"plan", "gold"}, {"seats", 5}, {"deep", {{"list", {1, "two", nullptr}}}}};
  EXPECT_EQ(Insert({{"token", "t"},
                    {"owner", "bob"},
                    {"name", "laptop"},
                    {"scopes", {"b", "a"}},
                    {"namespace", "other"},
                    {"attributes", attributes},
                    {"ttl_ms", 1000}}),
            IdOf("t"));
  const Json record = Must("get", {"t", "other"});
  EXPECT_EQ(record, Json({{"id", IdOf("t")},
                          {"source_id", nullptr},
                          {"namespace", "other"},
                          {"owner", "bob"},
                          {"name", "laptop"},
                          {"scopes", {"b", "a"}},
                          {"created_at", kNow},
                          {"updated_at", kNow},
                          {"expires_at", kNow + 1000},
                          {"last_used_at", nullptr},
                          {"use_count", 0},
                          {"state", "active"},
                          {"generation", 1},
                          {"attributes", attributes}}));
}

TEST_F(RpcMethodsTest, InsertOfATokenThatIsThere) {
  Insert({{"token", "live"}});
  const Answer exists = Call("insert", {{{"token", "live"}}});
  EXPECT_EQ(exists.code(), "exists");
  EXPECT_EQ(exists.error.at("id"), IdOf("live"));
  Must("revoke", {"live"});
  const Answer revoked = Call("insert", {{{"token", "live"}}});
  EXPECT_EQ(revoked.code(), "revoked");
  EXPECT_EQ(revoked.error.at("id"), IdOf("live"));
  EXPECT_EQ(Insert({{"token", "live"}, {"replace", true}, {"owner", "new"}}), IdOf("live"));
  EXPECT_EQ(Validate("live"), Json({true, nullptr, "new", Json::array()}));
  EXPECT_EQ(GetRecord("live").at("generation"), 2);
  // An expired one counts as absent.
  Insert({{"token", "old"}, {"expires_at", kNow - 1}});
  EXPECT_EQ(Validate("old"), expired_);
  EXPECT_EQ(Insert({{"token", "old"}, {"replace", false}}), IdOf("old"));
  EXPECT_EQ(Validate("old"), forever_);
}

TEST_F(RpcMethodsTest, WrongFieldsOfInsertAreNamed) {
  const Json good = {{"token", "t"}};
  const auto with = [&](const char* field, Json value) {
    Json map = good;
    map[field] = std::move(value);
    return Json::array({map});
  };
  ExpectError("insert", Json::array({{{"owner", "no token"}}}), "bad_params", "token");
  ExpectError("insert", with("owner", 5), "bad_params", "owner");
  ExpectError("insert", with("owner", std::string(1025, 'o')), "bad_params", "owner");
  ExpectError("insert", with("name", Json::array()), "bad_params", "name");
  ExpectError("insert", with("scopes", "read"), "bad_params", "scopes");
  ExpectError("insert", with("scopes", std::vector<std::string>(65, "s")), "bad_params", "scopes");
  ExpectError("insert", with("scopes", {std::string(129, 's')}), "bad_params", "scopes");
  ExpectError("insert", with("attributes", Json::array()), "bad_params", "attributes");
  ExpectError("insert", with("attributes", {{"a", std::string(4096, 'a')}}), "bad_params",
              "attributes");
  ExpectError("insert", with("expires_at", -1), "bad_params", "expires_at");
  ExpectError("insert", with("expires_at", 1.5), "bad_params", "expires_at");
  ExpectError("insert", with("expires_at", uint64_t{1} << 53), "bad_params", "expires_at");
  ExpectError("insert", with("expires_at", "tomorrow"), "bad_params", "expires_at");
  ExpectError("insert", with("ttl_ms", 0), "bad_params", "ttl_ms");
  ExpectError("insert", with("replace", 1), "bad_params", "replace");
  ExpectError("insert", with("namespace", ""), "bad_params", "namespace");
  ExpectError("insert", with("expire_at", kNow), "bad_params", "unknown key \"expire_at\"");
  ExpectError("insert", with("prefix", "tk"), "bad_params", "unknown key \"prefix\"");
  Json both = good;
  both["expires_at"] = kNow;
  both["ttl_ms"] = 5;
  ExpectError("insert", Json::array({both}), "bad_params", "expires_at");
  ExpectError("insert", {"t"}, "bad_params", "");
  ExpectError("insert", Json::array(), "bad_params", "");
  EXPECT_EQ(Validate("t"), unknown_);  // none of them has done anything
  // A key that is there twice, which JSON cannot say.
  const std::string twice = Arr({Written([](auto& out) {
    out.MapHeader(2);
    out.Raw(Str("token") + Str("a") + Str("token") + Str("b"));
  })});
  EXPECT_THAT(Connect().CallEncoded("insert", twice).message(), HasSubstr("token"));
}

TEST_F(RpcMethodsTest, NilIsMissing) {
  EXPECT_EQ(Insert({{"token", "t"},
                    {"owner", nullptr},
                    {"expires_at", nullptr},
                    {"ttl_ms", nullptr},
                    {"scopes", nullptr},
                    {"namespace", nullptr},
                    {"attributes", nullptr},
                    {"name", nullptr},
                    {"replace", nullptr}}),
            IdOf("t"));
  EXPECT_EQ(Validate("t"), forever_);
}

TEST_F(RpcMethodsTest, InsertManyElementsStandAlone) {
  Insert({{"token", "there"}});
  Insert({{"token", "dead"}});
  Must("revoke", {"dead"});
  const Json answer = Must("insert_many", {{{{"token", "a"}},
                                            {{"token", "there"}},
                                            {{"tokn", "b"}},
                                            {{"token", "dead"}},
                                            {{"token", "a"}, {"owner", "x"}, {"replace", true}},
                                            5}});
  ASSERT_EQ(answer.size(), 6u);
  EXPECT_EQ(answer.at(0), IdOf("a"));
  EXPECT_EQ(answer.at(1).at("code"), "exists");
  EXPECT_EQ(answer.at(1).at("id"), IdOf("there"));
  EXPECT_EQ(answer.at(2).at("code"), "bad_params");
  EXPECT_THAT(answer.at(2).at("message").get<std::string>(), HasSubstr("tokn"));
  EXPECT_EQ(answer.at(3).at("code"), "revoked");
  EXPECT_EQ(answer.at(4), IdOf("a"));  // in order: it replaced the first
  EXPECT_EQ(answer.at(5).at("code"), "bad_params");
  EXPECT_EQ(Validate("a"), Json({true, nullptr, "x", Json::array()}));
}

TEST_F(RpcMethodsTest, InsertManyOfNoneAndOfWrongOnesOnly) {
  EXPECT_EQ(Must("insert_many", Json::array({Json::array()})), Json::array());
  const Json wrong = Must("insert_many", Json::array({{5, {{"owner", "x"}}}}));
  EXPECT_EQ(wrong.at(0).at("code"), "bad_params");
  EXPECT_EQ(wrong.at(1).at("code"), "bad_params");
  ExpectError("insert_many", Json::array({Json::object()}), "bad_params", "");
  ExpectError("insert_many", Json::array(), "bad_params", "");
  const Json many(std::vector<Json>(10'001, {{"token", "t"}}));
  EXPECT_EQ(Call("insert_many", Json::array({many})).code(), "too_large");
}

// --- issue, rotate ---

TEST_F(RpcMethodsTest, IssueShowsATokenOnce) {
  const Json issued = Must("issue", {{{"owner", "bob"}, {"ttl_ms", 1000}, {"prefix", "live"}}});
  const std::string token = issued.at("token");
  EXPECT_THAT(token, MatchesRegex("live_[0-9A-Za-z]{36}"));
  EXPECT_EQ(issued.at("id"), IdOf(token));
  EXPECT_EQ(issued.at("expires_at"), kNow + 1000);
  EXPECT_EQ(issued.size(), 3u);
  EXPECT_EQ(Validate(token), Json({true, kNow + 1000, "bob", Json::array()}));
  const Json plain = Must("issue", Json::array());
  EXPECT_THAT(plain.at("token").get<std::string>(), StartsWith("tk_"));
  EXPECT_TRUE(plain.at("expires_at").is_null());
  EXPECT_NE(Must("issue", {Json::object()}).at("token"), plain.at("token"));
  ExpectError("issue", {{{"token", "t"}}}, "bad_params", "unknown key \"token\"");
  ExpectError("issue", {{{"replace", true}}}, "bad_params", "unknown key \"replace\"");
  ExpectError("issue", {{{"prefix", ""}}}, "bad_params", "prefix");
  ExpectError("issue", {{{"prefix", "a_b"}}}, "bad_params", "prefix");
  ExpectError("issue", {{{"prefix", std::string(21, 'p')}}}, "bad_params", "prefix");
}

TEST_F(RpcMethodsTest, RotateHandsOnWhatTheTokenHad) {
  Insert({{"token", "old"},
          {"owner", "bob"},
          {"name", "n"},
          {"scopes", {"s"}},
          {"attributes", {{"a", 1}}},
          {"expires_at", kNow + 100'000}});
  const Json fresh = Must("rotate", {"old", {{"overlap_ms", 50}, {"prefix", "rt"}}});
  const std::string token = fresh.at("token");
  EXPECT_THAT(token, StartsWith("rt_"));
  EXPECT_EQ(fresh.at("id"), IdOf(token));
  EXPECT_EQ(fresh.at("expires_at"), kNow + 100'000);
  const Json record = GetRecord(token);
  EXPECT_EQ(record.at("owner"), "bob");
  EXPECT_EQ(record.at("name"), "n");
  EXPECT_EQ(record.at("scopes"), Json({"s"}));
  EXPECT_EQ(record.at("attributes"), Json({{"a", 1}}));
  EXPECT_EQ(Validate("old").at(0), true);
  clock_.Advance(50);
  EXPECT_EQ(Validate("old"), expired_);
  EXPECT_EQ(Validate(token).at(0), true);
  // Without an overlap, and with an end of its own.
  const Json next = Must("rotate", {token, {{"ttl_ms", 7}}, "default"});
  EXPECT_EQ(next.at("expires_at"), kNow + 50 + 7);
  EXPECT_EQ(Validate(token), expired_);
  EXPECT_EQ(Must("rotate", {next.at("token")}).at("expires_at"), kNow + 57);
}

TEST_F(RpcMethodsTest, RotateOfATokenThatIsNotLiveIsAnError) {
  Insert({{"token", "dead"}});
  Must("revoke", {"dead"});
  Insert({{"token", "old"}, {"expires_at", kNow - 1}});
  for (const char* token : {"dead", "old", "never was"}) {
    ExpectError("rotate", {token, Json::object()}, "bad_params", "token: must be live");
  }
  ExpectError("rotate", {"dead", {{"overlap", 5}}}, "bad_params", "unknown key \"overlap\"");
  ExpectError("rotate", {"dead", {{"overlap_ms", -5}}}, "bad_params", "overlap_ms");
  ExpectError("rotate", {"dead", Json::object(), "typo"}, "unknown_namespace", "namespace");
}

// --- revoke, revoke_id, revoke_owner ---

TEST_F(RpcMethodsTest, RevokeSaysWhetherItWasLive) {
  Insert({{"token", "t"}});
  Insert({{"token", "old"}, {"expires_at", kNow - 1}});
  EXPECT_EQ(Must("revoke", {"t"}), true);
  EXPECT_EQ(Must("revoke", {"t"}), false);
  EXPECT_EQ(Must("revoke", {"old", nullptr}), false);
  EXPECT_EQ(Must("revoke", {"never was", "default"}), false);
  EXPECT_EQ(Validate("t"), revoked_);
  EXPECT_EQ(Validate("old"), revoked_);
  EXPECT_EQ(Validate("never was"), unknown_);
  ExpectError("revoke", {"t", "typo"}, "unknown_namespace", "namespace");
}

TEST_F(RpcMethodsTest, RevokeIdRevokesByTheIdAlone) {
  const Json id = Insert({{"token", "t"}, {"namespace", "other"}});
  EXPECT_EQ(Must("revoke_id", {id}), false);  // not in that namespace
  EXPECT_EQ(Must("revoke_id", {id, "other"}), true);
  EXPECT_EQ(Must("revoke_id", {id, "other"}), false);
  EXPECT_EQ(Validate("t", "other"), revoked_);
  for (const Json& wrong : std::vector<Json>{5, "", "abc", std::string(24, 'A'), nullptr}) {
    ExpectError("revoke_id", {wrong}, "bad_params", "id");
  }
}

TEST_F(RpcMethodsTest, RevokeOwnerCountsWhatWasLive) {
  for (const char* token : {"a", "b", "c"}) Insert({{"token", token}, {"owner", "bob"}});
  Insert({{"token", "d"}, {"owner", "eve"}});
  Must("revoke", {"c"});
  EXPECT_EQ(Must("revoke_owner", {"bob"}), 2);
  EXPECT_EQ(Must("revoke_owner", {"bob", "default"}), 0);
  EXPECT_EQ(Must("validate_many", {{"a", "b", "c"}}), Json({revoked_, revoked_, revoked_}));
  EXPECT_EQ(Validate("d").at(0), true);
  Insert({{"token", "later"}, {"owner", "bob"}});
  EXPECT_EQ(Validate("later").at(0), true);
  ExpectError("revoke_owner", {5}, "bad_params", "owner");
  ExpectError("revoke_owner", Json::array(), "bad_params", "owner");
  ExpectError("revoke_owner", {"bob", "typo"}, "unknown_namespace", "namespace");
}

// --- extend, update ---

TEST_F(RpcMethodsTest, ExtendMovesTheEnd) {
  Insert({{"token", "t"}, {"expires_at", kNow + 10}});
  EXPECT_EQ(Must("extend", {"t", kNow + 100}), true);
  EXPECT_EQ(Validate("t").at(1), kNow + 100);
  EXPECT_EQ(Must("extend", {"t", nullptr}), true);
  EXPECT_EQ(Validate("t").at(1), nullptr);
  EXPECT_EQ(Must("extend", {"t", kNow + 1, "default"}), true);  // it may shorten
  clock_.Advance(1);
  EXPECT_EQ(Validate("t"), expired_);
  EXPECT_EQ(Must("extend", {"t", kNow + 1000}), false);
  EXPECT_EQ(Validate("t"), expired_);
  EXPECT_EQ(Must("extend", {"never was", kNow + 1000}), false);
  ExpectError("extend", {"t", "later"}, "bad_params", "expires_at");
  ExpectError("extend", {"t", kNow, "typo"}, "unknown_namespace", "namespace");
}

TEST_F(RpcMethodsTest, UpdateChangesWhatIsGiven) {
  const Json id = Insert({{"token", "t"}, {"name", "n"}, {"scopes", {"a"}}, {"owner", "bob"}});
  EXPECT_EQ(Must("update", {{{"id", id}, {"scopes", {"b", "c"}}}}), true);
  EXPECT_EQ(Validate("t"), Json({true, nullptr, "bob", {"b", "c"}}));
  EXPECT_EQ(GetRecord("t").at("name"), "n");
  EXPECT_EQ(
      Must("update",
           {{{"id", id}, {"name", "m"}, {"attributes", {{"k", "v"}}}, {"namespace", "default"}}}),
      true);
  EXPECT_EQ(GetRecord("t").at("name"), "m");
  EXPECT_EQ(GetRecord("t").at("attributes"), Json({{"k", "v"}}));
  EXPECT_EQ(GetRecord("t").at("scopes"), Json({"b", "c"}));
  Must("revoke", {"t"});
  EXPECT_EQ(Must("update", {{{"id", id}, {"name", "x"}}}), false);
  EXPECT_EQ(GetRecord("t").at("name"), "m");
  EXPECT_EQ(Must("update", {{{"id", std::string(24, '0')}, {"name", "x"}}}), false);
  ExpectError("update", {{{"name", "x"}}}, "bad_params", "id");
  ExpectError("update", {{{"id", id}, {"owner", "x"}}}, "bad_params", "unknown key \"owner\"");
  ExpectError("update", {{{"id", id}, {"scopes", 5}}}, "bad_params", "scopes");
}

// --- get, list, count ---

TEST_F(RpcMethodsTest, GetByTokenAndById) {
  const Json id = Insert({{"token", "t"}, {"namespace", "other"}});
  EXPECT_EQ(Must("get", {"t", "other"}).at("id"), id);
  EXPECT_EQ(Must("get", {{{"id", id}, {"namespace", "other"}}}).at("id"), id);
  EXPECT_EQ(Must("get", {"t"}), nullptr);
  EXPECT_EQ(Must("get", {{{"id", id}}}), nullptr);
  ExpectError("get", {"t", "typo"}, "unknown_namespace", "namespace");
  ExpectError("get", {{{"id", "xyz"}}}, "bad_params", "id");
  ExpectError("get", {{{"di", id}}}, "bad_params", "unknown key \"di\"");
  ExpectError("get", Json::array(), "bad_params", "token");
  EXPECT_EQ(Must("get", {"t", "other"}).dump().find("\"t\""), std::string::npos);
}

TEST_F(RpcMethodsTest, UseShowsInTheRecord) {
  Insert({{"token", "t"}});
  clock_.Advance(500);
  Validate("t");
  Must("validate_many", {{"t", "t"}});
  EXPECT_EQ(GetRecord("t").at("use_count"), 3);
  EXPECT_EQ(GetRecord("t").at("last_used_at"), kNow + 500);
}

TEST_F(RpcMethodsTest, ListPagesAndFilters) {
  for (int i = 0; i < 10; ++i) {
    Insert({{"token", "t" + std::to_string(i)},
            {"owner", i % 2 ? "odd" : "even"},
            {"expires_at", kNow + 1000 + i}});
  }
  Must("revoke", {"t0"});
  std::vector<Json> seen;
  Json cursor;
  do {
    const Json page = Must("list", {{{"order", "expires_at"}, {"limit", 3}, {"cursor", cursor}}});
    EXPECT_LE(page.at("items").size(), 3u);
    for (const Json& record : page.at("items")) seen.push_back(record.at("expires_at"));
    cursor = page.at("cursor");
  } while (!cursor.is_null());
  ASSERT_EQ(seen.size(), 10u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  const Json down = Must("list", {{{"order", "-expires_at"}, {"owner", "odd"}}}).at("items");
  ASSERT_EQ(down.size(), 5u);
  EXPECT_EQ(down.at(0).at("expires_at"), kNow + 1009);
  EXPECT_EQ(Must("list", {{{"state", "revoked"}}}).at("items").size(), 1u);
  EXPECT_EQ(Must("list", Json::array()).at("items").size(), 10u);
  EXPECT_EQ(Must("list", {{{"expires_after", kNow + 1002}, {"expires_before", kNow + 1005}}})
                .at("items")
                .size(),
            3u);
  ExpectError("list", {{{"limit", 0}}}, "bad_params", "limit");
  ExpectError("list", {{{"limit", 1001}}}, "bad_params", "limit");
  ExpectError("list", {{{"order", "name"}}}, "bad_params", "order");
  ExpectError("list", {{{"state", "dead"}}}, "bad_params", "state");
  ExpectError("list", {{{"cursor", "nonsense"}}}, "bad_params", "cursor");
  ExpectError("list", {{{"filter", 1}}}, "bad_params", "unknown key \"filter\"");
  ExpectError("list", {{{"namespace", "typo"}}}, "unknown_namespace", "namespace");
}

TEST_F(RpcMethodsTest, CountCounts) {
  for (int i = 0; i < 7; ++i) {
    Insert({{"token", "t" + std::to_string(i)}, {"owner", i % 2 ? "odd" : "even"}});
  }
  EXPECT_EQ(Must("count", Json::array()), 7);
  EXPECT_EQ(Must("count", {{{"owner", "odd"}}}), 3);
  EXPECT_EQ(Must("count", {{{"owner", "none"}}}), 0);
  ExpectError("count", {{{"limit", 5}}}, "bad_params", "unknown key \"limit\"");
  ExpectError("count", {{{"namespace", "typo"}}}, "unknown_namespace", "namespace");
}

// --- backup ---

TEST_F(RpcMethodsTest, BackupIsMadeWhereTheSettingSays) {
  const Json backup = Must("backup", Json::array());
  EXPECT_EQ(backup.at("id"), 1);
  EXPECT_GT(backup.at("bytes"), 0);
  EXPECT_EQ(backup.at("directory"), config_.data_dir + "/backup");
  EXPECT_EQ(Must("backup", Json::array()).at("id"), 2);
  EXPECT_TRUE(std::filesystem::exists(config_.data_dir + "/backup/meta/2"));
  ExpectError("backup", {1}, "bad_params", "surplus parameter at position 1");
}

// --- purge_expired, clock_accept ---

TEST_F(RpcMethodsTest, PurgeDropsWhatHasExpired) {
  Insert({{"token", "old"}, {"expires_at", kNow - 1000}});
  Insert({{"token", "new"}, {"expires_at", kNow + 1000}});
  EXPECT_EQ(Must("purge_expired", {kNow - 1000}), 0);  // before: exclusive
  EXPECT_EQ(Must("purge_expired", {kNow + 5000, "default"}), 1);
  EXPECT_EQ(GetRecord("old"), nullptr);
  EXPECT_EQ(GetRecord("new").at("state"), "active");
  ExpectError("purge_expired", {"now"}, "bad_params", "before");
  ExpectError("purge_expired", Json::array(), "bad_params", "before");
  ExpectError("purge_expired", {kNow, "typo"}, "unknown_namespace", "namespace");
}

TEST_F(RpcMethodsTest, ClockAcceptTakesAGapOver) {
  EXPECT_EQ(Must("clock_accept", Json::array()), true);
  ExpectError("clock_accept", {1}, "bad_params", "surplus parameter at position 1");
}

// --- import ---

// Whatever way a token is asked about, its namespace's scheme makes its key.
TEST_F(RpcMethodsTest, NamespacesOfOtherSchemesFindTheirTokens) {
  for (const auto& [ns, scheme] :
       {std::pair("knox", DigestScheme::kSha512), {"shop", DigestScheme::kHmacWcApi}}) {
    const Json import =
        Must("import_begin", {{{"namespace", ns}, {"scheme", DigestSchemeName(scheme)}}});
    Digester digester;
    const TokenKey key = digester.Digest(scheme, "abc");
    const Json row = {{"key", Json::binary({key.bytes.begin(), key.bytes.end()})},
                      {"owner", "imported"}};
    Must("import_rows", {import, Json::array({row})});
    Must("insert", {{{"token", std::string(20'000, 't')}, {"namespace", ns}, {"owner", "long"}}});
    const Json imported = {true, nullptr, "imported", Json::array()};
    const Json unknown = {false, "unknown"};
    EXPECT_EQ(Must("validate", {"abc", ns}), imported);
    EXPECT_EQ(Must("validate", {"abc"}), unknown);
    EXPECT_EQ(Must("get", {"abc", ns}).at("owner"), "imported");
    Json many = Json::array();
    for (int i = 0; i < 300; ++i) many.push_back(i == 7 ? "abc" : "x" + std::to_string(i));
    many.push_back(std::string(20'000, 't'));
    const Json few = {"x", "abc"};
    EXPECT_EQ(Must("validate_many", {few, ns}), Json({unknown, imported}));
    const Json answers = Must("validate_many", {many, ns});
    EXPECT_EQ(answers.at(6), unknown);
    EXPECT_EQ(answers.at(7), imported);
    EXPECT_EQ(answers.at(300).at(2), "long");
    EXPECT_EQ(Must("revoke", {"abc", ns}), true);
    EXPECT_EQ(Must("validate", {"abc", ns}), Json({false, "revoked"}));
  }
}

TEST_F(RpcMethodsTest, ImportBringsAnotherTablesTokens) {
  const Json import = Must("import_begin", {{{"namespace", "pat"},
                                             {"scheme", "sha256-after-bar"},
                                             {"source", "users.sql"},
                                             {"position", {{"row", 1}}}}});
  ASSERT_TRUE(import.is_string());
  const std::string key = KeyOf("secret");
  const Json rows = {
      {{"key", Json::binary({key.begin(), key.end()})},
       {"owner", "7"},
       {"source_id", "1"},
       {"scopes", {"*"}},
       {"created_at", kNow - 500},
       {"last_used_at", kNow - 5},
       {"use_count", 12},
       {"name", "old laptop"},
       {"attributes", {{"a", 1}}}},
      {{"token", "2|other"}, {"state", "revoked"}, {"updated_at", kNow - 1}},
      {{"token", "3|third"}, {"expires_at", kNow - 1}},
      {{"owner", "no key"}},
  };
  EXPECT_EQ(Must("import_rows", {import, rows}),
            Json({{"taken", 3}, {"replaced", 0}, {"unchanged", 0}, {"refused", 1}}));
  EXPECT_EQ(Must("import_rows", {import, rows}),
            Json({{"taken", 0}, {"replaced", 0}, {"unchanged", 3}, {"refused", 1}}));
  EXPECT_EQ(Must("import_end", {import}),
            Json({{"taken", 3}, {"replaced", 0}, {"unchanged", 3}, {"refused", 2}}));
  // As Sanctum has it: the digest is of what follows the bar.
  EXPECT_EQ(Validate("1|secret", "pat"), Json({true, nullptr, "7", {"*"}}));
  EXPECT_EQ(Validate("secret", "pat").at(0), true);
  EXPECT_EQ(Validate("2|other", "pat"), revoked_);
  EXPECT_EQ(Validate("3|third", "pat"), expired_);
  const Json record = Must("get", {"1|secret", "pat"});
  EXPECT_EQ(record.at("source_id"), "1");
  EXPECT_EQ(record.at("created_at"), kNow - 500);
  EXPECT_EQ(record.at("use_count"), 14);  // and the two above
  // The import is over.
  ExpectError("import_rows", {import, rows}, "bad_params", "import id");
  ExpectError("import_end", {import}, "bad_params", "import id");
}

TEST_F(RpcMethodsTest, WrongImportsAreNamed) {
  ExpectError("import_begin", {{{"scheme", "md5"}}}, "bad_params", "scheme");
  ExpectError("import_begin", {{{"source", 5}}}, "bad_params", "source");
  ExpectError("import_begin", {{{"file", "x"}}}, "bad_params", "unknown key \"file\"");
  Insert({{"token", "t"}});
  ExpectError("import_begin", {{{"scheme", "sha256-after-bar"}}}, "bad_params", "namespace");
  ExpectError("import_rows", {"import-0", Json::array()}, "bad_params", "import id");
  ExpectError("import_rows", {5, Json::array()}, "bad_params", "import id");
  ExpectError("import_rows", {"import-0", 5}, "bad_params", "rows");
  ExpectError("import_end", {5}, "bad_params", "import id");
  const Json import = Must("import_begin", Json::array());
  EXPECT_EQ(Must("import_rows", {import, Json::array()}),
            Json({{"taken", 0}, {"replaced", 0}, {"unchanged", 0}, {"refused", 0}}));
  const Json many(std::vector<Json>(10'001, {{"token", "t"}}));
  EXPECT_EQ(Call("import_rows", {import, many}).code(), "too_large");
}

TEST_F(RpcMethodsTest, TheNamespacesSchemeMakesTheKey) {
  Must("import_begin", {{{"namespace", "pat"}, {"scheme", "sha256-after-bar"}}});
  Insert({{"token", "9|x"}, {"namespace", "pat"}});
  EXPECT_EQ(Validate("x", "pat").at(0), true);
  EXPECT_EQ(Must("get", {"1|x", "pat"}).at("id"), IdOf("x"));
  EXPECT_EQ(Must("revoke", {"5|x", "pat"}), true);
  const std::string token = Must("issue", {{{"namespace", "pat"}}}).at("token");
  EXPECT_EQ(Validate("1|" + token, "pat").at(0), true);
}

}  // namespace
}  // namespace tokend::testing
