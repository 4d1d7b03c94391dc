// RFC 7662 and RFC 7009, sentence by sentence. What libraries make of it is in
// tests/clients/oauth_client_test.py.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\n";

class HttpOauthTest : public ServerFixture {
 protected:
  void SetUp() override {
    // printf %s secret | sha256sum
    const std::string secret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    // printf %s other | sha256sum
    const std::string other = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";
    config_.callers = {
        {.name = "app", .secrets_sha256 = {secret}, .roles = {"introspect", "revoke"}},
        {.name = "mine",
         .secrets_sha256 = {other},
         .roles = {"introspect", "revoke"},
         .namespaces = {"mine"}},
        {.name = "ann",
         // printf %s third | sha256sum
         .secrets_sha256 = {"b1e99324505bd32da0e1f85dcf5e19a09db0481e8a15f62c41eb320304a8e927"},
         .roles = {"introspect"},
         .owners = {"ann"}},
        {.name = "local", .anonymous = true, .roles = {"issue", "validate", "read"}}};
    Start();
    Must("insert", {{{"token", "17|good/+="},
                     {"owner", "user-1"},
                     {"scopes", {"read", "write"}},
                     {"expires_at", clock_.NowMs() + 3'600'999}}});
    Must("insert", {{{"token", "bare"}, {"namespace", "mine"}}});
  }

  std::string Send(const std::string& request) {
    ClientSocket socket = ConnectHttp();
    socket.Send(request);
    socket.ShutdownWrites();
    std::string all;
    for (std::string more = socket.Receive(); !more.empty(); more = socket.Receive()) all += more;
    return all;
  }
  std::string Post(const std::string& path, const std::string& body,
                   const std::string& fields = kApp,
                   const std::string& type = "application/x-www-form-urlencoded") {
    return Send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type + "\r\n" +
                fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  static Json BodyOf(const std::string& answer) {
    return Json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  }

  // base64 of "app:secret" and of "mine:other"
  static inline const std::string kApp = "Authorization: Basic YXBwOnNlY3JldA==\r\n";
  static inline const std::string kMine = "Authorization: Basic bWluZTpvdGhlcg==\r\n";
};

TEST_F(HttpOauthTest, AGoodTokenIsActive) {
  const std::string answer = Post("/introspect", "token=17%7Cgood%2F%2B%3D");
  EXPECT_THAT(answer, AllOf(StartsWith(kOk), HasSubstr("\r\nContent-Type: application/json\r\n"),
                            HasSubstr("\r\nCache-Control: no-store\r\n")));
  EXPECT_EQ(BodyOf(answer), (Json{{"active", true},
                                  {"token_type", "Bearer"},
                                  {"exp", 1'800'003'600},
                                  {"sub", "user-1"},
                                  {"scope", "read write"},
                                  {"jti", IdOf("17|good/+=")}}));
  EXPECT_EQ(BodyOf(Post("/introspect", "token=bare&namespace=mine")),
            (Json{{"active", true}, {"token_type", "Bearer"}, {"jti", IdOf("bare")}}));
  // A hint that is wrong must not stop the search.
  EXPECT_EQ(BodyOf(Post("/introspect", "token_type_hint=refresh_token&x=y&token=17%7Cgood%2f%2b="))
                .at("active"),
            true);
}

TEST_F(HttpOauthTest, EveryNegativeIsAlike) {
  const std::string unknown = Post("/introspect", "token=unknown");
  EXPECT_THAT(unknown, AllOf(StartsWith(kOk), EndsWith("\r\n\r\n{\"active\":false}")));
  EXPECT_EQ(Post("/introspect", "token=" + std::string(60'000, 'x')), unknown);
  // Of a namespace that is not this caller's, whether or not there is one.
  EXPECT_EQ(Post("/introspect", "token=17%7Cgood%2F%2B%3D&namespace=default", kMine), unknown);
  EXPECT_EQ(Post("/introspect", "token=x&namespace=nowhere", kMine), unknown);
  // base64 of "ann:third", who manages another owner's tokens.
  EXPECT_EQ(
      Post("/introspect", "token=17%7Cgood%2F%2B%3D", "Authorization: Basic YW5uOnRoaXJk\r\n"),
      unknown);
  EXPECT_THAT(Post("/revoke", "token=17%7Cgood%2F%2B%3D"), StartsWith(kOk));
  EXPECT_EQ(Post("/introspect", "token=17%7Cgood%2F%2B%3D"), unknown);
}

TEST_F(HttpOauthTest, WhoHasOneNamespaceNeedNotNameIt) {
  EXPECT_EQ(BodyOf(Post("/introspect", "token=bare", kMine)).at("active"), true);
  EXPECT_THAT(Post("/revoke", "token=bare", kMine), StartsWith(kOk));
  EXPECT_EQ(BodyOf(Post("/introspect", "token=bare", kMine)).at("active"), false);
}

TEST_F(HttpOauthTest, CallersMustBeKnown) {
  for (const std::string path : {"/introspect", "/revoke"}) {
    for (const std::string fields : {"", "Authorization: Basic !\r\n",
                                     "Authorization: Basic YXBwOndyb25n\r\n",  // app:wrong
                                     "Authorization: Bearer wrong\r\n"}) {
      std::atomic<bool> answered{false};
      std::thread time([&] {
        while (!answered)
          clock_.Advance(10), std::this_thread::sleep_for(std::chrono::milliseconds(1));
      });
      const std::string answer = Post(path, "token=17%7Cgood%2F%2B%3D", fields);
      answered = true;
      time.join();
      EXPECT_THAT(answer, StartsWith(fields.empty() ? "HTTP/1.1 403 " : "HTTP/1.1 401 ")) << fields;
      if (!fields.empty()) {
        EXPECT_THAT(answer, AllOf(HasSubstr("\r\nWWW-Authenticate: Basic "),
                                  HasSubstr("\"invalid_client\"")));
      }
    }
    EXPECT_THAT(Post(path, "token=none", "Authorization: Bearer secret\r\n"), StartsWith(kOk));
    EXPECT_THAT(Post(path, "client_id=app&client_secret=secret&token=none", ""), StartsWith(kOk));
  }
  EXPECT_EQ(Must("validate", {"17|good/+="}).at(0), true);
}

TEST_F(HttpOauthTest, RequestsThatAreNone) {
  for (const std::string path : {"/introspect", "/revoke"}) {
    EXPECT_THAT(Send("GET " + path + "?token=x HTTP/1.1\r\nHost: localhost\r\n" + kApp + "\r\n"),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: POST\r\n")));
    for (const std::string body : {"", "token=", "tok=x", "token=a&token=b", "token=%zz",
                                   "token=a&namespace=b&namespace=c"}) {
      const std::string answer = Post(path, body);
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << body;
      EXPECT_EQ(BodyOf(answer).at("error"), "invalid_request") << body;
    }
    EXPECT_THAT(Post(path, R"({"token":"x"})", kApp, "application/json"),
                StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(Post(path, "token=x&namespace=nowhere"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(Post(path, "token=none", kApp, "application/x-www-form-urlencoded; charset=UTF-8"),
                StartsWith(kOk));
    EXPECT_THAT(Post(path + "/", "token=x"), StartsWith("HTTP/1.1 404 "));
  }
}

TEST_F(HttpOauthTest, RevokeAnswersAlikeWhateverThereWas) {
  const std::string revoked =
      Post("/revoke", "token=17%7Cgood%2F%2B%3D&token_type_hint=access_token");
  EXPECT_THAT(revoked, AllOf(StartsWith(kOk), HasSubstr("\r\nContent-Length: 0\r\n")));
  EXPECT_EQ(Must("validate", {"17|good/+="}).at(1), "revoked");
  EXPECT_EQ(Post("/revoke", "token=17%7Cgood%2F%2B%3D"), revoked);
  EXPECT_EQ(Post("/revoke", "token=unknown"), revoked);
  EXPECT_THAT(Post("/revoke", "token=17%7Cgood%2F%2B%3D&namespace=default", kMine),
              StartsWith("HTTP/1.1 403 "));
}

}  // namespace
}  // namespace tokend::testing
