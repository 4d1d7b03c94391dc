// Namespaces that keep their tokens sealed: what is sealed, who reads it back, and with which key.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "protocol/sealer.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kKeyA(64, 'a');
const std::string kKeyB(64, 'b');
const std::string kNs = "pm";

class SealedTokensTest : public ServerFixture {
 protected:
  SealedTokensTest() {
    config_.namespaces.push_back({kNs, DigestScheme::kSha256, "", Secret(), /*seal=*/true});
    config_.namespaces.push_back({"plain"});
    Configure(kKeyA);
  }

  static std::shared_ptr<const Sealer> Make(const std::string& keys) {
    std::shared_ptr<const Sealer> sealer;
    const Status status = Sealer::Make(SecretView(keys), &sealer);
    EXPECT_TRUE(status.ok()) << status.message();
    return sealer;
  }
  void Configure(const std::string& keys) { config_.sealer = Make(keys); }

  void Insert(const std::string& token, Json fields = Json::object()) {
    fields["token"] = token;
    if (!fields.contains("namespace")) fields["namespace"] = kNs;
    Must("insert", Json::array({fields}));
  }
  Answer Ask(Json fields) {
    if (!fields.contains("namespace")) fields["namespace"] = kNs;
    return Call("reveal", Json::array({fields}));
  }
  // The token; null where there is none.
  Json Reveal(const Json& fields) {
    const Answer answer = Ask(fields);
    EXPECT_TRUE(answer.ok()) << answer.error;
    return answer.result.is_null() ? Json() : answer.result.at("token");
  }
  Json RevealOwner(const std::string& owner) { return Reveal({{"owner", owner}}); }
  Json RevealId(const std::string& token) { return Reveal({{"id", IdOf(token)}}); }
  static Json KeyParam(const std::string& token) {
    const std::string bytes = KeyOf(token);
    return Json::binary({bytes.begin(), bytes.end()}, 1);
  }
};

TEST_F(SealedTokensTest, WhateverBringsATokenSealsIt) {
  Start();
  Insert("inserted", {{"owner", "o1"}, {"expires_at", ManualClock::kStartMs + 1000}});
  const Json revealed = Ask({{"owner", "o1"}}).result;
  EXPECT_EQ(revealed, Json({{"id", IdOf("inserted")},
                            {"token", "inserted"},
                            {"expires_at", ManualClock::kStartMs + 1000},
                            {"key_id", ToHex(config_.sealer->current())}}));
  EXPECT_EQ(RevealId("inserted"), "inserted");

  Must("insert_many", {Json::array({{{"token", "m1"}, {"namespace", kNs}, {"owner", "o2"}},
                                    {{"token", "m2"}, {"namespace", "plain"}}})});
  EXPECT_EQ(RevealOwner("o2"), "m1");
  EXPECT_EQ(Reveal({{"id", IdOf("m2")}, {"namespace", "plain"}}), Json());

  const std::string issued =
      Must("issue", {{{"namespace", kNs}, {"owner", "o3"}}}).at("token").get<std::string>();
  EXPECT_EQ(RevealOwner("o3"), issued);
  clock_.Advance(1);
  const std::string rotated =
      Must("rotate", {issued, {{"overlap_ms", 5000}}, kNs}).at("token").get<std::string>();
  EXPECT_EQ(RevealOwner("o3"), rotated);
  EXPECT_EQ(RevealId(issued), issued);  // for the overlap

  const Json import = Must("import_begin", {{{"namespace", kNs}}});
  Must("import_rows", {import, Json::array({{{"token", "imported"}, {"owner", "o4"}},
                                            {{"key", KeyParam("by key")}, {"owner", "o5"}}})});
  Must("import_end", {import});
  EXPECT_EQ(RevealOwner("o4"), "imported");
  EXPECT_EQ(RevealOwner("o5"), Json());

  // A key says nothing about its token.
  Must("insert", {{{"token", KeyParam("keyed")}, {"namespace", kNs}, {"owner", "o6"}}});
  EXPECT_EQ(Must("validate", {"keyed", kNs}).at(0), true);
  EXPECT_EQ(RevealOwner("o6"), Json());
  EXPECT_EQ(RevealId("keyed"), Json());
}

// Rows that gather, are changed while they do, and become files.
TEST_F(SealedTokensTest, AnImportsRowsKeepThemOnEveryWay) {
  config_.import_direct_rows = 10;
  config_.import_run_bytes = 1 << 20;
  Start();
  constexpr int kRows = 9000;
  const Json import = Must("import_begin", {{{"namespace", kNs}, {"seal", true}}});
  Json rows = Json::array();
  for (int i = 0; i < kRows; ++i) {
    rows.push_back({{"token", "row " + std::to_string(i)}, {"owner", std::to_string(i)}});
    if (rows.size() < 1000) continue;
    Must("import_rows", {import, rows});
    rows.clear();
    Must("extend", {"row " + std::to_string(i), ManualClock::kStartMs + 1000, kNs});
  }
  EXPECT_EQ(Must("import_end", {import}).at("taken"), kRows);
  Restart();
  for (int i = 0; i < kRows; i += i % 1000 == 999 ? 1 : 37) {
    ASSERT_EQ(RevealOwner(std::to_string(i)), "row " + std::to_string(i));
  }
  EXPECT_EQ(Must("get", {"row 999", kNs}).at("expires_at"), ManualClock::kStartMs + 1000);
  EXPECT_EQ(RevealId("row 999"), "row 999");

  // Of those that are there: what is sealed by the key stays, what is not is sealed.
  Must("insert", {{{"token", KeyParam("keyed")}, {"namespace", kNs}, {"owner", "keyed"}}});
  const Json again = Must("import_begin", {{{"namespace", kNs}}});
  const Json two = Json::array({{{"token", "row 1"}, {"owner", "1"}}, {{"token", "keyed"}}});
  EXPECT_EQ(Must("import_rows", {again, two}),
            Json({{"taken", 0}, {"replaced", 1}, {"unchanged", 1}, {"refused", 0}}));
  Must("import_end", {again});
  EXPECT_EQ(RevealOwner("keyed"), "keyed");
}

TEST_F(SealedTokensTest, AnImportThatWouldNotSealSaysSo) {
  Start();
  const Answer plain = Call("import_begin", {{{"namespace", "plain"}, {"seal", true}}});
  EXPECT_EQ(plain.code(), "bad_params");
  EXPECT_THAT(plain.message(), HasSubstr("seal: namespace \"plain\" does not keep its tokens"));
  EXPECT_EQ(Call("import_begin", {{{"namespace", "new"}, {"seal", true}}}).code(), "bad_params");
  config_.sealer = nullptr;
  Restart();
  EXPECT_EQ(Call("import_begin", {{{"namespace", kNs}, {"seal", true}}}).code(), "unavailable");
}

TEST_F(SealedTokensTest, ItIsTheValidOneThatExpiresLast) {
  Start();
  Insert("soon", {{"owner", "ann"}, {"ttl_ms", 10'000}});
  Insert("late", {{"owner", "ann"}, {"ttl_ms", 30'000}});
  Insert("middle", {{"owner", "ann"}, {"ttl_ms", 20'000}});
  Must("insert", {{{"token", KeyParam("unsealed")}, {"namespace", kNs}, {"owner", "ann"}}});
  Insert("bob's", {{"owner", "bob"}, {"ttl_ms", 40'000}});
  Insert("nobody's", {{"ttl_ms", 35'000}});
  EXPECT_EQ(RevealOwner("ann"), "late");
  EXPECT_EQ(RevealOwner("bob"), "bob's");
  EXPECT_EQ(Reveal(Json::object()), "bob's");  // of the namespace
  EXPECT_EQ(RevealOwner("nobody"), Json());

  Must("extend", {"soon", ManualClock::kStartMs + 60'000, kNs});
  EXPECT_EQ(RevealOwner("ann"), "soon");
  Must("revoke", {"soon", kNs});
  EXPECT_EQ(RevealId("soon"), Json());
  EXPECT_EQ(RevealOwner("ann"), "late");
  clock_.Advance(30'000);
  EXPECT_EQ(RevealId("late"), Json());
  EXPECT_EQ(RevealOwner("ann"), Json());
  Must("revoke_owner", {"bob", kNs});
  EXPECT_EQ(RevealOwner("bob"), Json());
  EXPECT_EQ(Reveal(Json::object()), "nobody's");

  // Brought back, it is a new generation with a sealed token of its own.
  Insert("soon", {{"owner", "ann"}, {"replace", true}});
  EXPECT_EQ(RevealOwner("ann"), "soon");
  Must("insert", {{{"token", KeyParam("soon")}, {"namespace", kNs}, {"replace", true}}});
  EXPECT_EQ(RevealId("soon"), Json());
}

TEST_F(SealedTokensTest, OfThoseThatExpireTogetherTheNewest) {
  Start();
  for (const char* token : {"c", "a", "d", "b"}) {
    Insert(token, {{"owner", "ann"}});
    clock_.Advance(1);
    EXPECT_EQ(RevealOwner("ann"), token);
  }
  Must("update", {{{"id", IdOf("a")}, {"namespace", kNs}, {"name", "changed"}}});
  EXPECT_EQ(RevealOwner("ann"), "b");
}

TEST_F(SealedTokensTest, WhereTooManyExpireTogetherAnIdIsAskedFor) {
  Start();
  Json tokens = Json::array();
  for (int i = 0; i <= 1000; ++i) {
    tokens.push_back({{"token", "t" + std::to_string(i)}, {"namespace", kNs}, {"owner", "ann"}});
  }
  Must("insert_many", {tokens});
  Insert("earlier", {{"owner", "bob"}, {"ttl_ms", 1000}});
  for (const Json& fields : {Json({{"owner", "ann"}}), Json::object()}) {
    const Answer answer = Ask(fields);
    EXPECT_EQ(answer.code(), "too_large");
    EXPECT_THAT(answer.message(), HasSubstr("reveal one by its owner, or by its id"));
  }
  EXPECT_EQ(RevealId("t7"), "t7");
  EXPECT_EQ(RevealOwner("bob"), "earlier");
  Must("revoke", {"t7", kNs});
  EXPECT_TRUE(Ask({{"owner", "ann"}}).ok());
}

TEST_F(SealedTokensTest, ATokenNeedNotBeText) {
  Start();
  const std::string token("\xff\x00\x01", 3);
  const Json bin = Json::binary({0xff, 0x00, 0x01});
  Must("insert", {{{"token", bin}, {"namespace", kNs}, {"owner", "ann"}}});
  EXPECT_EQ(RevealOwner("ann"), bin);
  EXPECT_EQ(RevealId(token), bin);
}

TEST_F(SealedTokensTest, WrongQuestionsAreToldSo) {
  Start();
  const auto message = [&](const Json& params) {
    const Answer answer = Call("reveal", params);
    EXPECT_EQ(answer.code(), "bad_params");
    return answer.message();
  };
  EXPECT_THAT(message(Json::array({{{"owner", "a"}, {"id", IdOf("a")}}})),
              HasSubstr("owner: must not be given together with id"));
  EXPECT_THAT(message(Json::array({{{"id", "a"}}})), HasSubstr("id: "));
  EXPECT_THAT(message(Json::array({{{"token", "a"}}})), HasSubstr("reveal"));
  EXPECT_EQ(Ask({{"owner", "a"}, {"namespace", "none"}}).code(), "unknown_namespace");
  EXPECT_EQ(Call("rekey", {"none"}).code(), "unknown_namespace");
  EXPECT_EQ(Call("rekey", {7}).code(), "bad_params");
}

TEST_F(SealedTokensTest, WithoutTheKeyNothingIsRevealedAndNothingIsLost) {
  Start();
  Insert("sealed", {{"owner", "ann"}});
  config_.sealer = nullptr;
  Restart();
  const Answer revealed = Ask({{"owner", "ann"}});
  EXPECT_EQ(revealed.code(), "unavailable");
  EXPECT_THAT(revealed.message(), HasSubstr("seal_key_file"));
  EXPECT_EQ(Call("rekey", Json::array()).code(), "unavailable");

  // A token that could never be read back is not taken.
  const auto expect_refused = [&](std::string_view method, Params params) {
    const Answer answer = Call(method, params);
    EXPECT_EQ(answer.code(), "unavailable") << method;
    EXPECT_THAT(answer.message(), AllOf(HasSubstr("\"pm\""), HasSubstr("seal_key_file")));
  };
  expect_refused("insert", {{{"token", "new"}, {"namespace", kNs}}});
  expect_refused("issue", {{{"namespace", kNs}}});
  expect_refused("rotate", {"sealed", nullptr, kNs});
  const Json many = Must("insert_many", {Json::array({{{"token", "m1"}, {"namespace", kNs}},
                                                      {{"token", "m2"}, {"namespace", "plain"}}})});
  EXPECT_EQ(many.at(0).at("code"), "unavailable");
  EXPECT_EQ(many.at(1), IdOf("m2"));
  const Json import = Must("import_begin", {{{"namespace", kNs}}});
  expect_refused("import_rows",
                 {import, Json::array({{{"key", KeyParam("i1")}}, {{"token", "i2"}}})});
  EXPECT_EQ(Must("import_end", {import}).at("taken"), 0);

  // All else works.
  EXPECT_EQ(Must("validate", {"sealed", kNs}).at(0), true);
  EXPECT_EQ(Must("extend", {"sealed", nullptr, kNs}), true);
  EXPECT_EQ(Must("update", {{{"id", IdOf("sealed")}, {"namespace", kNs}, {"name", "x"}}}), true);
  Must("insert", {{{"token", KeyParam("keyed")}, {"namespace", kNs}}});
  Must("issue", {{{"namespace", "plain"}}});
  EXPECT_EQ(Must("list", {{{"namespace", kNs}}}).at("items").size(), 2u);
  EXPECT_EQ(Must("revoke", {"keyed", kNs}), true);

  // And what was sealed is there again with the key.
  Configure(kKeyA);
  Restart();
  EXPECT_EQ(RevealOwner("ann"), "sealed");
}

TEST_F(SealedTokensTest, AKeyThatIsNotThereIsNamed) {
  Start();
  Insert("sealed", {{"owner", "ann"}});
  const std::string id_of_a = ToHex(config_.sealer->current());
  Configure(kKeyB);
  Restart();
  const Answer answer = Ask({{"owner", "ann"}});
  EXPECT_EQ(answer.code(), "unavailable");
  EXPECT_THAT(answer.message(), AllOf(HasSubstr("the key " + id_of_a), HasSubstr("seal_key_file"),
                                      Not(HasSubstr("sealed\""))));
  EXPECT_EQ(Must("rekey", Json::array()), Json({{"resealed", 0}, {"unopened", 1}}));
  Insert("new", {{"owner", "ann"}});
  EXPECT_EQ(RevealId("new"), "new");
}

TEST_F(SealedTokensTest, RotatingTheKey) {
  config_.namespaces.push_back({"pm2", DigestScheme::kSha256, "", Secret(), /*seal=*/true});
  Start();
  // More than a step of the job looks at.
  constexpr int kTokens = 1400;
  Json tokens = Json::array();
  for (int i = 0; i < kTokens; ++i) {
    tokens.push_back({{"token", "t" + std::to_string(i)},
                      {"namespace", i % 2 == 0 ? kNs : "pm2"},
                      {"owner", "ann"},
                      {"attributes", {{"n", i}}}});
  }
  Must("insert_many", {tokens});
  Must("revoke", {"t0", kNs});
  Insert("unsealed", {{"namespace", "plain"}});
  const Json record = Must("get", {"t2", kNs});

  Configure(kKeyB + "\n" + kKeyA);
  Restart();
  EXPECT_EQ(RevealId("t2"), "t2");
  clock_.Advance(1);
  Insert("new", {{"owner", "ann"}});
  EXPECT_EQ(Must("rekey", {"pm2"}), Json({{"resealed", kTokens / 2}, {"unopened", 0}}));
  // One that stopped half-way is simply asked for again.
  Restart();
  EXPECT_EQ(Must("rekey", Json::array()), Json({{"resealed", kTokens / 2}, {"unopened", 0}}));
  EXPECT_EQ(Must("rekey", Json::array()), Json({{"resealed", 0}, {"unopened", 0}}));
  EXPECT_EQ(Must("get", {"t2", kNs}), record);  // nothing else has changed
  EXPECT_EQ(Must("validate", {"t0", kNs}), Json({false, "revoked"}));

  Configure(kKeyB);
  Restart();
  for (int i = 2; i < kTokens; ++i) {
    const std::string token = "t" + std::to_string(i);
    const std::string ns = i % 2 == 0 ? kNs : "pm2";
    ASSERT_EQ(Reveal({{"id", IdOf(token)}, {"namespace", ns}}), token);
  }
  EXPECT_EQ(RevealOwner("ann"), "new");
}

TEST_F(SealedTokensTest, OnlyWhoMayRevealsAndOnlyTheirs) {
  const auto caller = [](const std::string& name, std::vector<std::string> roles) {
    CallerConfig config;
    config.name = name;
    Digester digester;
    const TokenKey digest = digester.Sha256(name + "'s secret");
    for (const uint8_t byte : digest.bytes) {
      constexpr char kDigits[] = "0123456789abcdef";
      config.secrets_sha256.resize(1);
      config.secrets_sha256[0].push_back(kDigits[byte >> 4]);
      config.secrets_sha256[0].push_back(kDigits[byte & 15]);
    }
    config.roles = std::move(roles);
    return config;
  };
  config_.callers = {
      caller("app", {"issue", "reveal"}),
      caller("admin", {"validate", "introspect", "issue", "revoke", "read", "admin"}),
      caller("ann", {"reveal"}), caller("plain", {"reveal", "admin"})};
  config_.callers[2].owners = {"ann"};
  config_.callers[3].namespaces = {"plain"};
  Start();
  const auto as = [&](const std::string& name) {
    connection_ = std::make_unique<RpcSocket>(Connect());
    Must("hello", {{{"client_id", name}, {"client_secret", name + "'s secret"}}});
  };
  as("app");
  Insert("ann's", {{"owner", "ann"}});
  Insert("bob's", {{"owner", "bob"}});
  EXPECT_EQ(RevealOwner("bob"), "bob's");
  EXPECT_EQ(Call("rekey", Json::array()).code(), "forbidden");

  as("admin");
  EXPECT_EQ(Ask({{"owner", "bob"}}).code(), "forbidden");
  EXPECT_TRUE(Call("rekey", Json::array()).ok());

  as("ann");
  EXPECT_EQ(RevealOwner("ann"), "ann's");
  EXPECT_EQ(RevealId("ann's"), "ann's");
  EXPECT_EQ(Ask({{"owner", "bob"}}).code(), "forbidden");
  EXPECT_EQ(Ask(Json::object()).code(), "forbidden");
  EXPECT_EQ(RevealId("bob's"), Json());  // to it, those of others are not there

  as("plain");
  EXPECT_EQ(Ask({{"owner", "ann"}}).code(), "forbidden");
  EXPECT_EQ(Call("rekey", Json::array()).code(), "forbidden");
  EXPECT_TRUE(Call("rekey", {"plain"}).ok());

  // Each that was done is on record, and no other.
  connection_.reset();
  server_->Stop();
  const std::string ann = " id=" + IdOf("ann's"), bob = " id=" + IdOf("bob's");
  EXPECT_THAT(Log(), AllOf(HasSubstr("revealed caller=app namespace=pm" + bob),
                           HasSubstr("revealed caller=ann namespace=pm" + ann)));
  EXPECT_THAT(Log(), AllOf(Not(HasSubstr("caller=ann namespace=pm" + bob)),
                           Not(HasSubstr("revealed caller=admin")),
                           Not(HasSubstr("revealed caller=plain"))));
}

TEST_F(SealedTokensTest, NothingElseShowsThem) {
  const std::string token = "kept-s3cr3t-kept-s3cr3t";
  Start();
  Insert(token, {{"owner", "ann"}});
  const std::string issued =
      Must("issue", {{{"namespace", kNs}, {"owner", "bob"}}}).at("token").get<std::string>();
  EXPECT_EQ(RevealOwner("ann"), token);
  EXPECT_EQ(RevealOwner("bob"), issued);
  for (const Json& answer : {Must("get", {{{"id", IdOf(token)}, {"namespace", kNs}}}),
                             Must("list", {{{"namespace", kNs}}}), Stats()}) {
    EXPECT_THAT(answer.dump(), AllOf(Not(HasSubstr(token)), Not(HasSubstr(issued))));
    EXPECT_THAT(answer.dump(), Not(HasSubstr("sealed")));
  }
  connection_.reset();
  server_->Stop();
  EXPECT_THAT(Log(), AllOf(Not(HasSubstr(token)), Not(HasSubstr(issued)), Not(HasSubstr(kKeyA))));
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(config_.data_dir)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(bytes.find(token), std::string::npos) << entry.path();
    EXPECT_EQ(bytes.find(issued), std::string::npos) << entry.path();
  }
  EXPECT_GT(files, 3u);
}

}  // namespace
}  // namespace tokend::testing
