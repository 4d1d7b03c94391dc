// Both protocols over TLS, on real sockets.
#include <gmock/gmock.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/support/certificates.h"
#include "tests/support/server_fixture.h"
#include "tests/support/tls_socket.h"

namespace tokend::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TlsServerTest : public ServerFixture {
 protected:
  TlsServerTest() : authority_(dir_.path(), "authority") {
    config_.listen_tls = "127.0.0.1:0";
    config_.http_tls = "127.0.0.1:0";
    Use(Issue("server"));
    client_.ca_file = authority_.file();
  }

  CertificateFiles Issue(const std::string& name) { return authority_.Issue(name, "IP:127.0.0.1"); }
  void Use(const CertificateFiles& files) {
    config_.tls_certificate_file = files.certificate;
    config_.tls_key_file = files.key;
  }
  // Callers that are known by certificates, and whoever has none may validate.
  void UseClientCertificates() {
    config_.tls_client_ca_file = authority_.file();
    CallerConfig ops{.name = "ops"};
    ops.certificates = {"ops.example", "spiffe://tokend/ops"};
    ops.roles = {"issue", "validate", "read"};
    CallerConfig anyone{.name = "anyone"};
    anyone.anonymous = true;
    anyone.roles = {"validate"};
    config_.callers = {ops, anyone};
  }
  TlsClient With(const CertificateFiles& own) const {
    TlsClient client = client_;
    client.own = own;
    return client;
  }

  TlsSocket ConnectTls() { return TlsSocket(server_->rpc_tls_endpoints().at(0), client_); }
  TlsSocket ConnectTls(const TlsClient& client) {
    return TlsSocket(server_->rpc_tls_endpoints().at(0), client);
  }
  TlsSocket ConnectHttps() { return TlsSocket(server_->http_tls_endpoints().at(0), client_); }

  uint64_t Counted(const char* name) { return Stats().at(name).get<uint64_t>(); }

  CertificateAuthority authority_;
  TlsClient client_;
};

std::string HttpResponseOf(TlsSocket* socket, const std::string& request) {
  socket->Send(request);
  std::string response;
  while (response.find("\r\n\r\n") == std::string::npos) {
    const std::string more = socket->Receive();
    if (more.empty()) break;
    response += more;
  }
  return response;
}

TEST_F(TlsServerTest, MessagePackRpcIsSpoken) {
  Start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    client_.version = version;
    TlsSocket socket = ConnectTls();
    const std::string token = "token-" + std::to_string(version);
    EXPECT_TRUE(socket.Call("insert", Json::array({{{"token", token}, {"owner", "ann"}}})).ok());
    EXPECT_EQ(socket.Call("validate", Json::array({token})).result.at(2), "ann");
    // The other listeners speak as they did, and it is one server.
    EXPECT_EQ(Must("validate", {token}).at(2), "ann");
  }
  EXPECT_EQ(Counted("tls_handshakes_total"), 2u);
  EXPECT_EQ(Counted("tls_failed_total"), 0u);
}

TEST_F(TlsServerTest, HttpIsSpoken) {
  Start();
  Must("insert", {{{"token", "t"}, {"owner", "ann"}}});
  client_.protocol = "http/1.1";
  TlsSocket socket = ConnectHttps();
  EXPECT_EQ(socket.protocol(), "http/1.1");
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(
        HttpResponseOf(&socket, "GET /auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n"),
        AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("X-Auth-Owner: ann\r\n")));
  }
  // Its last answer comes whole, and then its end.
  std::string rest = HttpResponseOf(
      &socket, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(rest, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(socket.Receive(), "");
  // Nobody is held to a protocol that nobody speaks here.
  client_.protocol = "h2";
  EXPECT_EQ(ConnectHttps().protocol(), "");
}

TEST_F(TlsServerTest, RequestsThatComeTogetherAreAnsweredTogether) {
  Start();
  TlsSocket socket = ConnectTls();
  constexpr uint32_t kRequests = 2000;
  std::string requests;
  for (uint32_t i = 0; i < kRequests; ++i)
    requests += Request(i, "validate", Json::array({"never was"}));
  socket.Send(requests);
  for (uint32_t i = 0; i < kRequests; ++i) {
    const Json answer = socket.Read();
    ASSERT_EQ(answer.at(1), i);
    ASSERT_EQ(answer.at(3), Json({false, "unknown"}));
  }
}

TEST_F(TlsServerTest, APeerThatDoesNotTakeItsAnswersIsReadNoFurther) {
  config_.output_bytes_max = 4096;
  Start();
  const std::string owner(200, 'o');
  for (int i = 0; i < 50; ++i) {
    Must("insert", {{{"token", "t" + std::to_string(i)}, {"owner", owner}}});
  }
  TlsSocket socket = ConnectTls();
  // Some 15 MB of answers, more than sockets hold; nobody reads while they are asked for.
  constexpr uint32_t kRequests = 1000;
  std::string requests;
  for (uint32_t i = 0; i < kRequests; ++i) {
    requests += Request(i, "list", Json::array({{{"owner", owner}}}));
  }
  socket.Send(requests);
  std::vector<bool> answered(kRequests);
  for (uint32_t i = 0; i < kRequests; ++i) {
    const Json answer = socket.Read();
    ASSERT_TRUE(answer.at(2).is_null()) << answer.at(2);
    ASSERT_EQ(answer.at(3).at("items").size(), 50u);
    answered.at(answer.at(1).get<uint32_t>()) = true;
  }
  EXPECT_THAT(answered, Each(true));
}

TEST_F(TlsServerTest, ALongMessageArrivesWhole) {
  Start();
  TlsSocket socket = ConnectTls();
  Json tokens = Json::array();
  for (int i = 0; i < 10'000; ++i)
    tokens.push_back("token-" + std::string(90, 'x') + std::to_string(i));
  const Answer answer = socket.Call("validate_many", Json::array({tokens}));
  ASSERT_TRUE(answer.ok()) << answer.error;
  EXPECT_EQ(answer.result.size(), 10'000u);
}

TEST_F(TlsServerTest, ACertificateIsWhoACallerIs) {
  UseClientCertificates();
  Start();
  const Json insert = Json::array({{{"token", "t"}, {"owner", "ann"}}});
  EXPECT_EQ(ConnectTls().Call("insert", insert).code(), "forbidden");
  for (const char* name : {"DNS:ops.example", "URI:spiffe://tokend/ops", "DNS:x,DNS:ops.example"}) {
    TlsSocket ops = ConnectTls(With(authority_.Issue("anything", name)));
    EXPECT_TRUE(ops.Call("validate", Json::array({"t"})).ok());
    const Answer answer = ops.Call("insert", insert);
    EXPECT_THAT(answer.code(), AnyOf("ok", "exists")) << name;
  }
  // A certificate that is good and that nobody is known by is worth as much as none.
  EXPECT_EQ(
      ConnectTls(With(authority_.Issue("ops.example", "DNS:other"))).Call("insert", insert).code(),
      "forbidden");
  // Another authority's is not taken at all.
  CertificateAuthority other(dir_.path(), "other");
  EXPECT_THROW(
      {
        TlsSocket socket = ConnectTls(With(other.Issue("x", "DNS:ops.example")));
        socket.Call("validate", Json::array({"t"}));
      },
      std::runtime_error);
  EXPECT_GE(server_->store().stats().table.tokens, 1u);
}

TEST_F(TlsServerTest, ACertificateCountsOnHttpToo) {
  UseClientCertificates();
  config_.callers[0].roles = {"read"};
  CallerConfig gateway{.name = "gateway"};
  // printf %s "gateway-secret" | sha256sum
  gateway.secrets_sha256 = {"1e0baae50a6e2006d894f9e64c53a1317e6032f4ba67df08199d5378c5948ce6"};
  gateway.roles = {"validate"};
  config_.callers.push_back(gateway);
  Start();
  const std::string get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
  TlsSocket nobody = ConnectHttps();
  EXPECT_THAT(HttpResponseOf(&nobody, get), StartsWith("HTTP/1.1 403 "));
  TlsSocket ops(server_->http_tls_endpoints().at(0),
                With(authority_.Issue("x", "DNS:ops.example")));
  EXPECT_THAT(HttpResponseOf(&ops, get), StartsWith("HTTP/1.1 200 "));
  // A secret goes before it, and holds for its own request alone.
  EXPECT_THAT(HttpResponseOf(&ops,
                             "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                             "Authorization: Bearer gateway-secret\r\n\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(HttpResponseOf(&ops, get), StartsWith("HTTP/1.1 200 "));
}

TEST_F(TlsServerTest, WithoutACertificateNothingIsTakenWhereOneIsRequired) {
  UseClientCertificates();
  config_.tls_client_certificates = "required";
  Start();
  // TLS 1.3 has the server's refusal come after the client's side of the handshake is over.
  EXPECT_THROW(ConnectTls().Call("ping", Json::array()), std::runtime_error);
  TlsSocket ops = ConnectTls(With(authority_.Issue("x", "DNS:ops.example")));
  EXPECT_TRUE(ops.Call("ping", Json::array()).ok());
}

TEST_F(TlsServerTest, ASessionIsResumed) {
  UseClientCertificates();
  Start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client = With(authority_.Issue("x", "DNS:ops.example"));
    client.version = version;
    using SessionPtr = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;
    SessionPtr session(nullptr, &SSL_SESSION_free);
    {
      TlsSocket first = ConnectTls(client);
      EXPECT_FALSE(first.resumed());
      EXPECT_TRUE(first.Call("ping", Json::array()).ok());
      session.reset(first.session());
    }
    client.session = session.get();
    TlsSocket second = ConnectTls(client);
    EXPECT_TRUE(second.resumed());
    // It is still known who it is.
    EXPECT_TRUE(second.Call("list", Json::array({Json::object()})).ok());
    // Not under rules that are newer than the session.
    server_->Reload(config_);
    EXPECT_FALSE(ConnectTls(client).resumed());
  }
  EXPECT_EQ(server_->store().stats().table.tokens, 0u);
}

// OpenSSL has the machine's clock and no other, so this one takes two seconds of it.
TEST_F(TlsServerTest, ASessionEndsWithTheCertificateThatItWasBegunWith) {
  UseClientCertificates();
  Start();
  TlsClient client = With(authority_.Issue("x", "DNS:ops.example", /*lifetime_seconds=*/2));
  std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(nullptr, &SSL_SESSION_free);
  {
    TlsSocket first = ConnectTls(client);
    EXPECT_TRUE(first.Call("ping", Json::array()).ok());
    session.reset(first.session());
  }
  client.session = session.get();
  EXPECT_TRUE(ConnectTls(client).resumed());
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_THROW(ConnectTls(client).Call("ping", Json::array()), std::runtime_error);
  EXPECT_THAT(Log(), HasSubstr("has expired since the session began"));
}

TEST_F(TlsServerTest, APeerThatOnlyChangesItsKeysIsClosed) {
  Start();
  TlsSocket socket = ConnectTls();
  for (int i = 0; i < 10; ++i) {
    socket.ChangeKeys(10);
    EXPECT_TRUE(socket.Call("ping", Json::array()).ok());
  }
  socket.ChangeKeys(17);
  EXPECT_THROW(
      {
        socket.Call("ping", Json::array());
        socket.Call("ping", Json::array());
      },
      std::runtime_error);
  EXPECT_EQ(Counted("tls_failed_total"), 1u);
}

TEST_F(TlsServerTest, CertificatesAreReplacedUnderOpenConnections) {
  Start();
  TlsSocket old = ConnectTls();
  EXPECT_EQ(old.peer_common_name(), "server");
  Use(Issue("renewed"));
  server_->Reload(config_);
  EXPECT_THAT(Log(), HasSubstr("reloaded"));
  EXPECT_EQ(ConnectTls().peer_common_name(), "renewed");
  EXPECT_TRUE(old.Call("ping", Json::array()).ok());
  // What cannot be read leaves everything as it was.
  const std::string key = config_.tls_key_file;
  config_.tls_key_file = Issue("other").key;
  server_->Reload(config_);
  EXPECT_THAT(Log(), HasSubstr("key values mismatch"));
  EXPECT_EQ(ConnectTls().peer_common_name(), "renewed");
}

TEST_F(TlsServerTest, WhatIsNoTlsIsClosedAndCounted) {
  Start();
  ClientSocket plain(server_->rpc_tls_endpoints().at(0));
  std::string pings;
  for (uint32_t i = 0; i < 4; ++i) pings += Request(i, "ping", Json::array());
  plain.Send(pings);
  // An alert at most, and the end.
  std::string received;
  for (std::string more = plain.Receive(); !more.empty(); more = plain.Receive()) received += more;
  EXPECT_LE(received.size(), 16u);
  EXPECT_EQ(Counted("tls_failed_total"), 1u);
  // And TLS where there is none.
  EXPECT_THROW(TlsSocket(server_->rpc_endpoints().at(0), client_), std::runtime_error);
  EXPECT_THROW(TlsSocket(server_->http_endpoints().at(0), client_), std::runtime_error);
  EXPECT_TRUE(ConnectTls().Call("ping", Json::array()).ok());
}

TEST_F(TlsServerTest, AHandshakeThatDoesNotEndRunsOutOfTime) {
  tick_ms_ = 5;
  config_.message_timeout_ms = 1000;
  Start();
  ClientSocket silent(server_->rpc_tls_endpoints().at(0));
  ClientSocket slow(server_->http_tls_endpoints().at(0));
  slow.Send("\x16\x03\x01");  // a record begins
  TlsSocket good = ConnectTls();
  // A record of which no more comes than this.
  TlsSocket unfinished = ConnectTls();
  EXPECT_TRUE(unfinished.Call("ping", Json::array()).ok());
  unfinished.socket().Send(std::string("\x17\x03\x03\x40\x00", 5) + std::string(100, 'x'));
  // It has come before this is answered, or soon after.
  EXPECT_TRUE(good.Call("ping", Json::array()).ok());
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(1001);
    return Counted("timeouts_total") == 3;
  }));
  EXPECT_EQ(silent.Receive(), "");
  EXPECT_EQ(slow.Receive(), "");
  EXPECT_EQ(unfinished.socket().Receive(), "");
  EXPECT_TRUE(good.Call("ping", Json::array()).ok());
}

TEST_F(TlsServerTest, OneTooManyIsClosedBeforeItsHandshake) {
  config_.connections_max = 2;
  Start();
  TlsSocket first = ConnectTls();
  TlsSocket second = ConnectTls();
  ClientSocket third(server_->rpc_tls_endpoints().at(0));
  EXPECT_EQ(third.Receive(), "");
  EXPECT_TRUE(first.Call("ping", Json::array()).ok());
}

TEST_F(TlsServerTest, TheServerEndsWhileConnectionsAreOpen) {
  Start();
  TlsSocket idle = ConnectTls();
  TlsSocket web = ConnectHttps();
  ClientSocket in_handshake(server_->rpc_tls_endpoints().at(0));
  server_->Stop();
  EXPECT_EQ(idle.Receive(), "");
  EXPECT_EQ(web.Receive(), "");
  EXPECT_EQ(in_handshake.Receive(), "");
}

TEST_F(TlsServerTest, TheClientLibrarySpeaksIt) {
  UseClientCertificates();
  Start();
  const CertificateFiles own = authority_.Issue("x", "DNS:ops.example");
  const std::string address = "tls:" + server_->rpc_tls_endpoints().at(0).ToString();
  client::ClientOptions options;
  options.tls = {.ca_file = authority_.file(),
                 .certificate_file = own.certificate,
                 .key_file = own.key,
                 .server_name = ""};
  auto client = client::Client::Connect(address, options);
  ASSERT_TRUE(client) << client.error().message;
  client::InsertRequest request;
  request.token = client::Token("t");
  request.owner = "ann";
  ASSERT_TRUE(client->Insert(request));
  EXPECT_EQ(client->Validate(client::Token("t"))->owner, "ann");
  // Many at once, more than a record has.
  std::vector<std::string> texts(5000, std::string(100, 'x'));
  const auto verdicts =
      client->ValidateMany(std::vector<client::Token>(texts.begin(), texts.end()));
  ASSERT_TRUE(verdicts);
  EXPECT_EQ(verdicts->size(), texts.size());
  // Whom it does not trust it tells nothing.
  options.tls.ca_file = CertificateAuthority(dir_.path(), "other").file();
  auto refused = client::Client::Connect(address, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "unreachable");
  EXPECT_THAT(refused.error().message, HasSubstr("TLS: the peer's certificate: "));
  options.tls.ca_file = dir_.path() + "/none";
  refused = client::Client::Connect(address, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "bad_params");
  EXPECT_THAT(refused.error().message, EndsWith("/none: No such file or directory"));
  // At a port that speaks no TLS.
  options.tls.ca_file = authority_.file();
  refused = client::Client::Connect("tls:" + server_->rpc_endpoints().at(0).ToString(), options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "unreachable");
}

TEST_F(TlsServerTest, SettingsThatCannotBeAreRefused) {
  const auto error_of = [&](auto change) {
    const Config good = config_;
    change(&config_);
    const Status status = TryStart();
    config_ = good;
    server_.reset();
    return status.message();
  };
  EXPECT_EQ(error_of([](Config* c) { c->tls_certificate_file = ""; }),
            "tls_certificate_file: missing; listen_tls and http_tls need one");
  EXPECT_EQ(error_of([](Config* c) { c->tls_key_file = ""; }),
            "tls_key_file: missing; listen_tls and http_tls need one");
  EXPECT_THAT(error_of([](Config* c) { c->tls_key_file = "/none"; }),
              StartsWith("tls_key_file: /none: "));
  EXPECT_THAT(error_of([](Config* c) { c->listen_tls = "0.0.0.0:0"; }),
              HasSubstr("is not a loopback address, and no [[caller]] is configured"));
  EXPECT_EQ(error_of([](Config* c) { c->tls_client_certificates = "required"; }),
            "tls_client_ca_file: missing; tls_client_certificates is required, and nothing says "
            "whose are good");
  EXPECT_EQ(error_of([&](Config* c) {
              UseClientCertificates();
              c->tls_client_ca_file = "";
            }),
            "tls_client_ca_file: missing; caller \"ops\" has certificates, and nothing says whose "
            "are good");
}

}  // namespace
}  // namespace tokend::testing
