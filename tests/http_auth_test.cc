// /auth: what the gateways that there are send, and what they need to hear.
#include <gmock/gmock.h>

#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpAuthTest : public ServerFixture {
 protected:
  void SetUp() override {
    config_.routes = {{"", "/billing", "default", {"billing", "write"}},
                      {"", "/other", "other", {}},
                      {"admin.example.com", "", "default", {"admin"}},
                      {"typo.example.com", "", "nowhere", {}}};
    Start();
    Must("insert", {{{"token", "good"},
                     {"owner", "user-1"},
                     {"scopes", {"read", "billing"}},
                     {"expires_at", clock_.NowMs() + 3'600'000}}});
    Must("insert", {{{"token", "17|sanctum/+~=="}, {"owner", "Zo\xc3\xab\r\nX-Evil: 1"}}});
    Must("insert", {{{"token", "all"}, {"scopes", {"*"}}}});
    Must("insert", {{{"token", "gone"}}});
    Must("revoke", {"gone"});
    Must("insert", {{{"token", "elsewhere"}, {"namespace", "other"}, {"owner", "o"}}});
  }

  std::string Send(const std::string& request) {
    ClientSocket socket = ConnectHttp();
    socket.Send(request);
    socket.ShutdownWrites();
    std::string all;
    for (std::string more = socket.Receive(); !more.empty(); more = socket.Receive()) all += more;
    return all;
  }
  static std::string Request(const std::string& target, const std::string& fields,
                             const std::string& host = "x", const std::string& method = "GET") {
    return method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n";
  }
  std::string Auth(const std::string& fields, const std::string& target = "/auth",
                   const std::string& host = "x") {
    return Send(Request(target, fields, host));
  }
  static std::string Bearer(const std::string& token) {
    return "Authorization: Bearer " + token + "\r\n";
  }
};

constexpr char kAllowed[] = "HTTP/1.1 200 OK\r\n";
constexpr char kDenied[] = "HTTP/1.1 401 Unauthorized\r\n";
constexpr char kForbidden[] = "HTTP/1.1 403 Forbidden\r\n";
constexpr char kCannotSay[] = "HTTP/1.1 503 Service Unavailable\r\n";

TEST_F(HttpAuthTest, AGoodTokenSaysWhoseItIs) {
  EXPECT_THAT(
      Auth(Bearer("good")),
      AllOf(StartsWith(kAllowed), HasSubstr("\r\nContent-Length: 0\r\n"),
            HasSubstr("\r\nCache-Control: no-store\r\n"), HasSubstr("\r\nX-Auth-Owner: user-1\r\n"),
            HasSubstr("\r\nX-Auth-Scopes: read billing\r\n"),
            HasSubstr("\r\nX-Auth-Expires: 1800003600\r\n"),
            HasSubstr("\r\nX-Auth-Id: " + IdOf("good") + "\r\n"), EndsWith("\r\n\r\n"),
            Not(HasSubstr("Content-Type"))));
}

TEST_F(HttpAuthTest, FieldsAreThereWhereThereIsNothingToSay) {
  EXPECT_THAT(Auth(Bearer("all")), AllOf(StartsWith(kAllowed), HasSubstr("\r\nX-Auth-Owner: \r\n"),
                                         HasSubstr("\r\nX-Auth-Expires: \r\n")));
}

TEST_F(HttpAuthTest, AnOwnerCannotWriteFieldsOfItsOwn) {
  EXPECT_THAT(Auth(Bearer("17|sanctum/+~==")),
              AllOf(StartsWith(kAllowed), Not(HasSubstr("\r\nX-Evil")),
                    HasSubstr("\r\nX-Auth-Owner: Zo%C3%AB%0D%0AX-Evil:%201\r\n")));
}

TEST_F(HttpAuthTest, WhereTheTokenIs) {
  for (const std::string fields :
       {"authorization: bearer good\r\n", "Authorization: BEARER   good \r\n",
        "Authorization: token good\r\n", "Authorization: Token good\r\n",
        "Authorization: Basic dTpw\r\nAuthorization: Bearer good\r\n"}) {
    EXPECT_THAT(Auth(fields), StartsWith(kAllowed)) << fields;
  }
  // Neither is looked at unless it is configured.
  EXPECT_THAT(Auth("X-Api-Key: good\r\nCookie: session=good\r\n"), StartsWith(kDenied));
  EXPECT_THAT(Send(Request("/auth?access_token=good", "")), StartsWith(kCannotSay));
}

TEST_F(HttpAuthTest, WithoutCredentialsThereIsNoError) {
  for (const std::string fields : {"", "Authorization: Basic dTpw\r\n", "Authorization:\r\n",
                                   "Authorization: Bearergood\r\n"}) {
    EXPECT_THAT(Auth(fields), AllOf(StartsWith(kDenied),
                                    HasSubstr("\r\nWWW-Authenticate: Bearer realm=\"tokend\"\r\n")))
        << fields;
  }
}

TEST_F(HttpAuthTest, WhatIsNotGoodIsDeniedAlike) {
  const std::string unknown = Auth(Bearer("unknown"));
  EXPECT_THAT(unknown,
              AllOf(StartsWith(kDenied),
                    HasSubstr("WWW-Authenticate: Bearer realm=\"tokend\", error=\"invalid_token\""),
                    Not(HasSubstr("X-Auth"))));
  EXPECT_EQ(Auth(Bearer("gone")), unknown);
  EXPECT_EQ(Auth(Bearer("")), unknown);
  clock_.Advance(3'600'000);
  const auto without_date = [](std::string answer) {
    return answer.erase(answer.find("Date: "),
                        std::string("Date: Fri, 15 Jan 2027 08:00:00").size());
  };
  EXPECT_EQ(without_date(Auth(Bearer("good"))), without_date(unknown));
}

TEST_F(HttpAuthTest, AnyMethodAndAnyPathBehindIt) {
  for (const std::string method :
       {"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"}) {
    EXPECT_THAT(Send(Request("/auth/v1/x?y=1&namespace=other", Bearer("good"), "x", method)),
                StartsWith(kAllowed))
        << method;
  }
  EXPECT_THAT(Send(Request("/auth", Bearer("good"), "x", "HEAD")),
              AllOf(StartsWith(kAllowed), HasSubstr("\r\nX-Auth-Owner: user-1\r\n")));
  EXPECT_THAT(
      Send(Request("/auth", Bearer("good") + "Content-Length: 4\r\n", "x", "POST") + "body"),
      StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good"), "/authx"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(HttpAuthTest, RoutesByPath) {
  EXPECT_THAT(Auth(Bearer("good"), "/auth/billing/invoices"),
              AllOf(StartsWith(kForbidden),
                    HasSubstr("WWW-Authenticate: Bearer realm=\"tokend\", "
                              "error=\"insufficient_scope\", scope=\"billing write\"\r\n")));
  EXPECT_THAT(Auth(Bearer("all"), "/auth/billing"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good"), "/auth/billings"), StartsWith(kAllowed));
  // Nor is there a way around.
  for (const std::string path :
       {"//billing", "/./billing", "/x/../billing", "/%62illing", "/billing/../billing/x"}) {
    EXPECT_THAT(Auth(Bearer("good"), "/auth" + path), StartsWith(kForbidden)) << path;
  }
  for (const std::string path :
       {"/x%2f..%2fbilling", "/%2e%2e%5cbilling", "/..", "/%", "/billing;x", "/x/..;/billing"}) {
    EXPECT_THAT(Auth(Bearer("all"), "/auth" + path), StartsWith(kForbidden)) << path;
  }
  EXPECT_THAT(Auth(Bearer("elsewhere"), "/auth/other"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("elsewhere"), "/auth/billing"), StartsWith(kDenied));
}

// As the programs send it that no package of Debian's has.
TEST_F(HttpAuthTest, WhatEnvoySends) {
  EXPECT_THAT(Send("PUT /auth/v1/things?a=b HTTP/1.1\r\nhost: api.example.com\r\n"
                   "authorization: Bearer good\r\ncontent-length: 0\r\n"
                   "x-forwarded-for: 10.0.0.1\r\nx-envoy-internal: true\r\n"
                   "x-envoy-expected-rq-timeout-ms: 250\r\n\r\n"),
              AllOf(StartsWith(kAllowed), HasSubstr("\r\nX-Auth-Owner: user-1\r\n")));
  EXPECT_THAT(Send("GET /auth/billing/x HTTP/1.1\r\nhost: api.example.com\r\n"
                   "authorization: Bearer good\r\ncontent-length: 0\r\n\r\n"),
              StartsWith(kForbidden));
}

TEST_F(HttpAuthTest, WhatTraefikSends) {
  const std::string forwarded =
      "User-Agent: curl/8\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nOrigin: "
      "https://app.example.com\r\n"
      "X-Forwarded-Method: POST\r\nX-Forwarded-Proto: https\r\n"
      "X-Forwarded-Host: api.example.com\r\nX-Forwarded-Uri: /v1/things?a=b\r\n"
      "X-Forwarded-For: 10.0.0.1\r\n";
  EXPECT_THAT(Auth(forwarded + Bearer("good"), "/auth?namespace=default", "127.0.0.1:7718"),
              AllOf(StartsWith(kAllowed), HasSubstr("\r\nX-Auth-Owner: user-1\r\n")));
  EXPECT_THAT(Auth(forwarded, "/auth?namespace=default", "127.0.0.1:7718"), StartsWith(kDenied));
}

TEST_F(HttpAuthTest, RoutesByHost) {
  EXPECT_THAT(Auth(Bearer("good"), "/auth", "Admin.Example.com:8443"), StartsWith(kForbidden));
  EXPECT_THAT(Auth(Bearer("good"), "/auth", "admin.example.com."), StartsWith(kForbidden));
  EXPECT_THAT(Auth(Bearer("good"), "/auth", "admin.example.com.:80"), StartsWith(kForbidden));
  EXPECT_THAT(Auth(Bearer("all"), "/auth", "admin.example.com"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good"), "/auth", "api.example.com"), StartsWith(kAllowed));
}

// A gateway that is set up wrongly must not log everybody out.
TEST_F(HttpAuthTest, WhatNobodyCanSayIsNoDenial) {
  for (const std::string& answer :
       {Auth(Bearer("good"), "/auth", "typo.example.com"),
        Auth(Bearer("good"), "/auth?namespace=nowhere"), Auth(Bearer("good"), "/auth?scopes=read"),
        Auth(Bearer("good"), "/auth?scope=%")}) {
    EXPECT_THAT(answer, AllOf(StartsWith(kCannotSay), HasSubstr("\r\nRetry-After: 1\r\n")));
  }
}

TEST_F(HttpAuthTest, TheGatewaysOwnUrlSaysWhatIsWanted) {
  EXPECT_THAT(Auth(Bearer("elsewhere"), "/auth?namespace=other"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good"), "/auth?scope=read"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good"), "/auth?scope=read+billing"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good"), "/auth?scope=read&scope=write"),
              AllOf(StartsWith(kForbidden), HasSubstr("scope=\"read write\"")));
}

TEST_F(HttpAuthTest, PipelinesAreAnsweredInOrder) {
  std::string requests;
  for (int i = 0; i < 300; ++i) {
    requests += Request("/auth", Bearer(i % 3 == 0 ? "good" : i % 3 == 1 ? "bad" : "all"));
    if (i % 7 == 0) requests += Request("/livez", "");
  }
  const std::string all = Send(requests);
  size_t pos = 0;
  for (int i = 0; i < 300; ++i) {
    const char* status = i % 3 == 1 ? kDenied : kAllowed;
    ASSERT_EQ(all.compare(pos, std::string(status).size(), status), 0) << i;
    pos = all.find("HTTP/1.1", pos + 1);
    if (i % 7 == 0) pos = all.find("HTTP/1.1", pos + 1);
  }
  EXPECT_EQ(pos, std::string::npos);
  EXPECT_EQ(Stats().at("validate_total").at("valid"), 200);
}

// The second waits for the first, which waits for the disk.
TEST_F(HttpAuthTest, WhatWaitsBehindAWriteIsAnsweredToo) {
  const std::string body = "token=nothing";
  ClientSocket socket = ConnectHttp();
  for (int round = 0; round < 20; ++round) {
    socket.Send(
        "POST /revoke HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body + Request("/auth", Bearer("good")));
    std::string all;
    while (all.find("X-Auth-Owner: user-1") == std::string::npos) {
      const std::string more = socket.Receive();
      ASSERT_NE(more, "");
      all += more;
    }
    EXPECT_THAT(all, StartsWith(kAllowed));
  }
}

TEST_F(HttpAuthTest, ManyConnectionsAtOnce) {
  std::vector<ClientSocket> sockets;
  for (int i = 0; i < 100; ++i) sockets.push_back(ConnectHttp());
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 0; i < sockets.size(); ++i) {
      sockets[i].Send(Request("/auth", Bearer(i % 2 ? "good" : "bad")));
    }
    for (size_t i = 0; i < sockets.size(); ++i) {
      EXPECT_THAT(sockets[i].Receive(), StartsWith(i % 2 ? kAllowed : kDenied));
    }
  }
}

class HttpAuthSettingsTest : public HttpAuthTest {
 protected:
  void SetUp() override {
    config_.auth_token_header = "X-Api-Key";
    config_.auth_token_cookie = "session";
    config_.auth_owner_header = "X-User";
    config_.auth_scopes_header = "";
    config_.auth_scopes_required_header = "X-Scopes";
    config_.auth_uri_header = "X-Original-Uri";
    config_.auth_host_header = "X-Forwarded-Host";
    config_.auth_realm = "my api";
    HttpAuthTest::SetUp();
  }
};

TEST_F(HttpAuthSettingsTest, NamesAreConfigurable) {
  for (const std::string fields :
       {"x-api-key: good\r\n", "Cookie: a=b; session=good; c\r\n", "Cookie: session=\"good\"\r\n",
        "Cookie: a=b\r\nCookie: session=good\r\n",
        "Authorization: Basic x\r\nX-Api-Key: good\r\n"}) {
    EXPECT_THAT(Auth(fields), AllOf(StartsWith(kAllowed), HasSubstr("\r\nX-User: user-1\r\n"),
                                    Not(HasSubstr("Scopes"))))
        << fields;
  }
  EXPECT_THAT(Auth("Cookie: xsession=good; Session=good\r\n"),
              AllOf(StartsWith(kDenied), HasSubstr("realm=\"my api\"")));
  // What a client says in Authorization counts for more.
  EXPECT_THAT(Auth(Bearer("bad") + "X-Api-Key: good\r\n"), StartsWith(kDenied));
}

TEST_F(HttpAuthSettingsTest, WhatWasAskedForIsInFields) {
  EXPECT_THAT(Auth(Bearer("good") + "X-Original-Uri: /billing/1?x=/\r\n"), StartsWith(kForbidden));
  EXPECT_THAT(Auth(Bearer("good") + "X-Original-Uri: http://x/billing/1\r\n"),
              StartsWith(kForbidden));
  EXPECT_THAT(Auth(Bearer("good") + "X-Original-Uri: /else\r\n"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good") + "X-Forwarded-Host: admin.example.com\r\n"),
              StartsWith(kForbidden));
  EXPECT_THAT(Auth(Bearer("good"), "/auth", "admin.example.com"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good") + "X-Scopes: read billing\r\n"), StartsWith(kAllowed));
  EXPECT_THAT(Auth(Bearer("good") + "X-Scopes: read\r\nX-Scopes: write\r\n"),
              StartsWith(kForbidden));
}

}  // namespace
}  // namespace tokend::testing
