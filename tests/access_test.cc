// Callers over real sockets: who may do what, with which tokens.
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <thread>

#include "protocol/digest.h"
#include "server/methods.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Sha256Hex(const std::string& text) {
  Digester digester;
  std::string hex;
  for (const uint8_t byte : digester.Sha256(text).bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

CallerConfig MakeCaller(const std::string& name, std::vector<std::string> roles,
                        std::vector<std::string> namespaces = {},
                        std::vector<std::string> owners = {}) {
  CallerConfig config;
  config.name = name;
  config.secrets_sha256 = {Sha256Hex(name + "'s secret")};
  config.roles = std::move(roles);
  config.namespaces = std::move(namespaces);
  config.owners = std::move(owners);
  return config;
}

const std::vector<std::string> kAllRoles = {"validate", "introspect", "issue", "revoke",
                                            "read",     "reveal",     "admin"};

class AccessTest : public ServerFixture {
 protected:
  void SetUp() override {
    config_.callers = {MakeCaller("all", kAllRoles), MakeCaller("mine", kAllRoles, {"mine"}),
                       MakeCaller("ann", kAllRoles, {}, {"ann"}),
                       MakeCaller("gateway", {"validate"}, {"default", "mine"})};
    for (const char* name : {"mine", "other"}) config_.namespaces.push_back({name});
    Start();
    all_ = std::make_unique<RpcSocket>(As("all"));
  }

  RpcSocket As(const std::string& name) {
    RpcSocket socket = Connect();
    const Answer answer = Hello(socket, name, name + "'s secret");
    EXPECT_TRUE(answer.ok()) << answer.error;
    return socket;
  }
  static Answer Hello(RpcSocket& socket, const std::string& id, const std::string& secret) {
    return socket.Call("hello", One({{"client_id", id}, {"client_secret", secret}}));
  }
  static std::string Code(const Answer& answer) { return answer.code(); }
  Json All(std::string_view method, const Json& params) {
    const Answer answer = all_->Call(method, params);
    EXPECT_TRUE(answer.ok()) << method << ": " << answer.error;
    return answer.result;
  }

  // Params that are one map.
  static Json One(const Json& map) { return Json::array({map}); }
  // For each method params that name a namespace, where it takes one.
  static std::map<std::string, Json> ParamsIn(const std::string& space) {
    const std::string id(24, '0');
    return {
        {"validate", {"t", space}},
        {"validate_many", {Json::array({"t"}), space}},
        {"insert", One({{"token", "t"}, {"namespace", space}, {"replace", true}})},
        {"issue", One({{"namespace", space}})},
        {"extend", {"t", nullptr, space}},
        {"update", One({{"id", id}, {"namespace", space}})},
        {"rotate", {"t", Json::object(), space}},
        {"revoke", {"t", space}},
        {"revoke_id", {id, space}},
        {"revoke_owner", {"o", space}},
        {"get", {"t", space}},
        {"list", One({{"namespace", space}})},
        {"count", One({{"namespace", space}})},
        {"purge_expired", {0, space}},
        {"import_begin", One({{"namespace", space}})},
        {"reveal", One({{"namespace", space}, {"owner", "o"}})},
        {"rekey", {space}},
    };
  }

  std::unique_ptr<RpcSocket> all_;
};

// What concerns all namespaces; those of an import are tested by themselves.
const std::vector<std::string> kGlobal = {"stats", "clock_accept", "backup"};
const std::vector<std::string> kElsewhere = {"hello", "ping", "insert_many", "import_rows",
                                             "import_end"};

TEST_F(AccessTest, EachMethodIsForThoseWhoHaveItsRight) {
  auto calls = ParamsIn("mine");
  for (const std::string& name : kGlobal) calls.emplace(name, Json::array());
  for (const std::string& name : kElsewhere) calls.emplace(name, Json::array());
  RpcSocket nobody = Connect();
  RpcSocket gateway = As("gateway");
  for (const Method& method : Methods()) {
    const auto call = calls.find(std::string(method.name));
    ASSERT_NE(call, calls.end()) << method.name << " is a method that this test does not know";
    const bool is_free = method.right == Right::kNone;
    EXPECT_EQ(Code(nobody.Call(method.name, call->second)), is_free ? "ok" : "unauthenticated")
        << method.name;
    const std::string code = Code(gateway.Call(method.name, call->second));
    EXPECT_EQ(code, is_free || method.right == Right::kValidate ? "ok" : "forbidden")
        << method.name;
  }
}

TEST_F(AccessTest, NamespacesAreForThoseWhoHaveThem) {
  RpcSocket mine = As("mine");
  for (const auto& [method, params] : ParamsIn("other")) {
    const Answer answer = mine.Call(method, params);
    EXPECT_EQ(Code(answer), "forbidden") << method;
    EXPECT_THAT(answer.error.at("message").get<std::string>(), HasSubstr("other")) << method;
  }
  for (const auto& [method, params] : ParamsIn("mine")) {
    EXPECT_NE(Code(mine.Call(method, params)), "forbidden") << method;
  }
  for (const std::string& method : kGlobal) {
    EXPECT_EQ(Code(mine.Call(method, Json::array())), "forbidden") << method;
  }
  // The default one is a namespace like any other.
  EXPECT_EQ(Code(mine.Call("validate", {"t"})), "forbidden");
  EXPECT_EQ(Code(mine.Call("list", Json::array())), "forbidden");
  // Nor is it told whether one exists.
  EXPECT_EQ(Code(mine.Call("validate", {"t", "nowhere"})), "forbidden");
}

TEST_F(AccessTest, ElementsStandAlone) {
  RpcSocket mine = As("mine");
  const Answer answer = mine.Call(
      "insert_many", Json::array({Json::array({{{"token", "a"}, {"namespace", "mine"}},
                                               {{"token", "b"}, {"namespace", "other"}}})}));
  ASSERT_TRUE(answer.ok()) << answer.error;
  EXPECT_TRUE(answer.result.at(0).is_string());
  EXPECT_EQ(answer.result.at(1).at("code"), "forbidden");
  EXPECT_EQ(All("validate", {"b", "other"}).at(0), false);
}

TEST_F(AccessTest, AnImportIsForThoseWhoHaveItsNamespace) {
  const Json id = All("import_begin", {{{"namespace", "other"}}});
  RpcSocket mine = As("mine");
  EXPECT_EQ(Code(mine.Call("import_rows", {id, Json::array({{{"token", "t"}}})})), "forbidden");
  EXPECT_EQ(Code(mine.Call("import_end", Json::array({id}))), "forbidden");
  EXPECT_EQ(Code(mine.Call("import_end", {"import-1"})), "forbidden");
  RpcSocket ann = As("ann");
  EXPECT_EQ(Code(ann.Call("import_rows", {id, Json::array({{{"token", "t"}}})})), "forbidden");
  EXPECT_EQ(Code(ann.Call("import_end", Json::array({id}))), "forbidden");
  All("import_end", Json::array({id}));
}

TEST_F(AccessTest, ALongValidateManyToo) {
  RpcSocket mine = As("mine");
  Json tokens = Json::array();
  for (int i = 0; i < 1000; ++i) tokens.push_back("t" + std::to_string(i));
  EXPECT_EQ(Code(mine.Call("validate_many", {tokens, "other"})), "forbidden");
  EXPECT_EQ(mine.Call("validate_many", {tokens, "mine"}).result.size(), 1000u);
}

TEST_F(AccessTest, OwnersAreForThoseWhoManageThem) {
  RpcSocket ann = As("ann");
  All("insert", {{{"token", "bob-1"}, {"owner", "bob"}, {"name", "his"}}});
  All("insert", {{{"token", "nobody-1"}}});
  ASSERT_TRUE(ann.Call("insert", {{{"token", "ann-1"}, {"owner", "ann"}}}).ok());

  EXPECT_EQ(Code(ann.Call("insert", {{{"token", "x"}, {"owner", "bob"}}})), "forbidden");
  EXPECT_EQ(Code(ann.Call("insert", {{{"token", "x"}}})), "forbidden");
  EXPECT_EQ(Code(ann.Call("issue", {{{"owner", "bob"}}})), "forbidden");
  EXPECT_EQ(Code(ann.Call("revoke_owner", {"bob"})), "forbidden");
  EXPECT_EQ(Code(ann.Call("list", {{{"owner", "bob"}}})), "forbidden");
  EXPECT_EQ(Code(ann.Call("list", Json::array())), "forbidden");
  EXPECT_EQ(Code(ann.Call("count", Json::array())), "forbidden");
  for (const auto& [method, params] :
       std::map<std::string, Json>{{"purge_expired", Json::array({0})},
                                   {"import_begin", Json::array()},
                                   {"stats", Json::array()},
                                   {"backup", Json::array()},
                                   {"clock_accept", Json::array()},
                                   {"rekey", Json::array()}}) {
    EXPECT_EQ(Code(ann.Call(method, params)), "forbidden") << method;
  }
  // To take another's token over is to end it.
  EXPECT_EQ(Code(ann.Call("insert", {{{"token", "bob-1"}, {"owner", "ann"}, {"replace", true}}})),
            "forbidden");

  All("insert", {{{"token", "bob-old"}, {"owner", "bob"}, {"expires_at", 1}}});
  EXPECT_EQ(Code(ann.Call("insert", {{{"token", "bob-old"}, {"owner", "ann"}}})), "forbidden");
  EXPECT_EQ(All("get", {"bob-old"}).at("owner"), "bob");

  // Those of others are as if they were not there.
  for (const std::string token : {"bob-1", "nobody-1", "none"}) {
    const std::string id = IdOf(token);
    EXPECT_EQ(ann.Call("get", Json::array({token})).result, nullptr) << token;
    EXPECT_EQ(ann.Call("get", {{{"id", id}}}).result, nullptr) << token;
    EXPECT_EQ(ann.Call("revoke", Json::array({token})).result, false) << token;
    EXPECT_EQ(ann.Call("revoke_id", Json::array({id})).result, false) << token;
    EXPECT_EQ(ann.Call("extend", {token, 1}).result, false) << token;
    EXPECT_EQ(ann.Call("update", {{{"id", id}, {"name", "hers"}}}).result, false) << token;
    EXPECT_EQ(Code(ann.Call("rotate", Json::array({token}))), "bad_params") << token;
  }
  EXPECT_EQ(All("validate", {"bob-1"}).at(0), true);
  EXPECT_EQ(All("validate", {"nobody-1"}).at(0), true);
  EXPECT_EQ(All("get", {"bob-1"}).at("name"), "his");

  // And her own are hers.
  const std::string id = IdOf("ann-1");
  EXPECT_EQ(ann.Call("get", Json::array({"ann-1"})).result.at("owner"), "ann");
  EXPECT_EQ(ann.Call("update", {{{"id", id}, {"name", "hers"}}}).result, true);
  EXPECT_EQ(ann.Call("list", {{{"owner", "ann"}}}).result.at("items").size(), 1u);
  EXPECT_EQ(ann.Call("extend", {"ann-1", clock_.NowMs() + 1000}).result, true);
  const Json rotated = ann.Call("rotate", Json::array({"ann-1"})).result;
  EXPECT_EQ(ann.Call("revoke", Json::array({rotated.at("token")})).result, true);
  EXPECT_EQ(All("validate", Json::array({rotated.at("token")})).at(0), false);
  ASSERT_TRUE(ann.Call("insert", {{{"token", "ann-2"}, {"owner", "ann"}}}).ok());
  EXPECT_EQ(ann.Call("revoke_id", Json::array({IdOf("ann-2")})).result, true);
  EXPECT_EQ(All("validate", {"ann-2"}).at(1), "revoked");
}

// Both forms of a validate: the common one, read at once, and the general one.
TEST_F(AccessTest, ValidatesOfThoseWhoHaveSomeNamespaces) {
  All("insert", {{{"token", "t"}, {"namespace", "mine"}}});
  All("insert", {{{"token", "t"}}});
  RpcSocket gateway = As("gateway");
  EXPECT_EQ(gateway.Call("validate", {"t"}).result.at(0), true);
  EXPECT_EQ(gateway.Call("validate", {"t", "mine"}).result.at(0), true);
  EXPECT_EQ(Code(gateway.Call("validate", {"t", "other"})), "forbidden");
  EXPECT_EQ(gateway.Call("validate_many", {{"t", "u"}, "mine"}).result.at(0).at(0), true);
  EXPECT_EQ(Code(gateway.Call("validate_many", {{"t", "u"}, "other"})), "forbidden");
}

TEST_F(AccessTest, AWrongSecretWaitsAndChangesNothing) {
  RpcSocket socket = As("gateway");
  for (const auto& [id, secret] :
       {std::pair("all", "wrong"), {"gateway", "all's secret"}, {"nobody", "all's secret"}}) {
    socket.Send(Request(900, "hello", One({{"client_id", id}, {"client_secret", secret}})));
    // Others of the connection are answered meanwhile.
    EXPECT_EQ(socket.Call("validate", {"t"}).result.at(0), false);
    std::atomic<bool> answered{false};
    std::thread time([&] {
      EXPECT_TRUE(Eventually([&] {
        clock_.Advance(100);
        return answered.load();
      }));
    });
    uint32_t msgid = 0;
    EXPECT_EQ(socket.ReadAnswer(&msgid).code(), "unauthenticated");
    EXPECT_EQ(msgid, 900u);
    answered = true;
    time.join();
  }
  EXPECT_EQ(Code(socket.Call("list", Json::array())), "forbidden") << "it is the gateway still";
  EXPECT_THAT(Log(), AllOf(HasSubstr("caller_refused"), HasSubstr("127.0.0.1")));
}

TEST_F(AccessTest, WhoDoesNotWaitForTheAnswerIsClosed) {
  RpcSocket socket = Connect();
  const Json wrong = One({{"client_id", "all"}, {"client_secret", "wrong"}});
  socket.Send(Request(1, "hello", wrong) + Request(2, "hello", wrong));
  EXPECT_THAT(socket.ReadProtocolError(), HasSubstr("before the next one is tried"));
}

TEST_F(AccessTest, AReloadHoldsForConnectionsThatAreThere) {
  RpcSocket gateway = As("gateway"), mine = As("mine");
  EXPECT_TRUE(gateway.Call("validate", {"t"}).ok());
  Config next = config_;
  next.callers = {MakeCaller("all", kAllRoles), MakeCaller("gateway", {"validate", "read"})};
  server_->Reload(next);
  EXPECT_TRUE(gateway.Call("validate", {"t", "other"}).ok());
  EXPECT_TRUE(gateway.Call("list", Json::array()).ok());
  EXPECT_EQ(Code(mine.Call("validate", {"t", "mine"})), "unauthenticated");
  EXPECT_TRUE(mine.Call("ping", Json::array()).ok());
  next.callers.front().secrets_sha256 = {Sha256Hex("another")};
  server_->Reload(next);
  EXPECT_EQ(Code(all_->Call("stats", Json::array())), "unauthenticated");
  EXPECT_TRUE(Hello(*all_, "all", "another").ok());
  EXPECT_TRUE(all_->Call("stats", Json::array()).ok());
}

TEST_F(AccessTest, OverHttpWithEachRequest) {
  All("insert", {{{"token", "good"}, {"namespace", "mine"}}});
  All("insert", {{{"token", "good"}, {"namespace", "other"}}});
  ClientSocket socket = ConnectHttp();
  const auto ask = [&](const std::string& target, const std::string& fields) {
    socket.Send("GET " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n" +
                fields + "\r\n");
    return socket.Receive();
  };
  // base64 of "gateway:gateway's secret"
  const std::string basic = "Tokend-Authorization: Basic Z2F0ZXdheTpnYXRld2F5J3Mgc2VjcmV0\r\n";
  EXPECT_THAT(ask("/auth?namespace=mine", ""), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(ask("/auth?namespace=mine", basic), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("/auth?namespace=mine", ""), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(ask("/auth?namespace=mine", "Tokend-Authorization: Bearer gateway's secret\r\n"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("/auth?namespace=other", basic), StartsWith("HTTP/1.1 503 "));
}

// The sockets stay, so that a file which would be right at a start is not.
TEST_F(AccessTest, AReloadDoesNotOpenItToEverybody) {
  connection_.reset();
  all_.reset();
  server_.reset();
  config_.listen = "0.0.0.0:0";
  Start();
  Config empty;
  server_->Reload(empty);
  RpcSocket nobody(server_->rpc_endpoints().at(0));
  EXPECT_EQ(Code(nobody.Call("stats", Json::array())), "unauthenticated");
  EXPECT_THAT(Log(), HasSubstr("reload_failed"));
}

class HttpHostTest : public ServerFixture {
 protected:
  std::string Ask(const std::string& fields) {
    ClientSocket socket = ConnectHttp();
    socket.Send("GET /readyz HTTP/1.1\r\n" + fields + "\r\n");
    return socket.Receive();
  }
};

TEST_F(HttpHostTest, NoWebPageReachesIt) {
  config_.http_hosts = "tokend.internal,tokend";
  Start();
  for (const std::string host : {"127.0.0.1", "127.0.0.1:7718", "[::1]:7718", "localhost",
                                 "LocalHost:1", "tokend", "tokend.internal:7718"}) {
    EXPECT_THAT(Ask("Host: " + host + "\r\n"), StartsWith("HTTP/1.1 200 ")) << host;
  }
  for (const std::string host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                                 "tokend.internal.evil.example", "intern"}) {
    EXPECT_THAT(Ask("Host: " + host + "\r\n"), StartsWith("HTTP/1.1 421 ")) << host;
  }
  EXPECT_THAT(Ask("Host: localhost\r\nOrigin: http://localhost\r\n"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(HttpHostTest, OffLoopbackThereMustBeCallers) {
  config_.listen = "0.0.0.0:0";
  EXPECT_THAT(TryStart().message(), AllOf(StartsWith("listen: 0.0.0.0:0 is not a loopback address"),
                                          HasSubstr("[[caller]]")));
  config_.listen = "127.0.0.1:0";
  config_.http = "[::]:0";
  EXPECT_THAT(TryStart().message(), StartsWith("http: [::]:0 is not a loopback address"));
  config_.callers = {MakeCaller("all", kAllRoles)};
  config_.http = "0.0.0.0:0";
  EXPECT_TRUE(TryStart().ok());
}

}  // namespace
}  // namespace tokend::testing
