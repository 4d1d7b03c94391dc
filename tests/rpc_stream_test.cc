// How messages travel: pieces, pipelines, order, notifications, what ends a connection.
#include <gmock/gmock.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <map>
#include <set>
#include <thread>

#include "tests/encoded.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RpcStreamTest : public ServerFixture {
 protected:
  void SetUp() override { Start(); }

  // Over a unix socket, since there the kernel tells what the server has not read yet.
  RpcSocket ConnectUnix() { return RpcSocket(server_->unix_path()); }
  // Sends the bytes as one piece: they have been read when this returns.
  static void SendPiece(RpcSocket& socket, std::string_view bytes) {
    socket.Send(bytes);
    ASSERT_TRUE(Eventually([&] {
      int unread = -1;
      return ioctl(socket.fd(), SIOCOUTQ, &unread) == 0 && unread == 0;
    }));
  }
  // The answers to `count` requests, by msgid.
  static std::map<uint32_t, Answer> ReadAnswers(RpcSocket& socket, size_t count) {
    std::map<uint32_t, Answer> answers;
    for (size_t i = 0; i < count; ++i) {
      uint32_t msgid = 0;
      const Answer answer = socket.ReadAnswer(&msgid);
      EXPECT_TRUE(answers.emplace(msgid, answer).second) << "answered twice: " << msgid;
    }
    return answers;
  }
};

// --- pieces ---

// Every kind of message, one after another.
std::string Script() {
  return Request(1, "validate", {"there"}) + Request(2, "ping", Json::array()) +
         Notification("ping", Json::array()) + Request(3, "validate", {"there", "default"}) +
         Packed({0, 4, 5, Json::array()}) +
         Request(5, "validate_many", Json::array({{"there", "x"}})) +
         Request(6, "nothing", Json::array()) + Request(7, "get", {"x"}) +
         Request(70000, "validate", {"x"});
}

void ExpectScriptAnswers(const std::map<uint32_t, Answer>& answers) {
  const Json valid = {true, nullptr, nullptr, Json::array()};
  const Json unknown = {false, "unknown"};
  EXPECT_EQ(answers.at(1).result, valid);
  EXPECT_EQ(answers.at(2).result, "pong");
  EXPECT_EQ(answers.at(3).result, valid);
  EXPECT_EQ(answers.at(4).code(), "bad_params");
  EXPECT_EQ(answers.at(5).result, Json({valid, unknown}));
  EXPECT_EQ(answers.at(6).code(), "unknown_method");
  EXPECT_EQ(answers.at(7).result, nullptr);
  EXPECT_EQ(answers.at(70000).result, unknown);
}

TEST_F(RpcStreamTest, RequestsCutAtEveryByte) {
  Must("insert", {{{"token", "there"}}});
  const std::string script = Script();
  RpcSocket socket = ConnectUnix();
  for (size_t cut = 1; cut < script.size(); ++cut) {
    SCOPED_TRACE(cut);
    SendPiece(socket, std::string_view(script).substr(0, cut));
    SendPiece(socket, std::string_view(script).substr(cut));
    ExpectScriptAnswers(ReadAnswers(socket, 8));
    if (HasFailure()) return;
  }
}

TEST_F(RpcStreamTest, RequestsByteByByte) {
  Must("insert", {{{"token", "there"}}});
  RpcSocket socket = ConnectUnix();
  for (const char byte : Script()) SendPiece(socket, {&byte, 1});
  ExpectScriptAnswers(ReadAnswers(socket, 8));
}

TEST_F(RpcStreamTest, ManyRequestsInOneRead) {
  Must("insert", {{{"token", "there"}}});
  RpcSocket socket = Connect();
  std::string bytes;
  const uint32_t count = 3000;
  for (uint32_t i = 0; i < count; ++i) {
    bytes += i % 3 == 0 ? Request(i, "ping", Json::array())
                        : Request(i, "validate", {i % 3 == 1 ? "there" : "not"});
  }
  socket.Send(bytes);
  const std::map<uint32_t, Answer> answers = ReadAnswers(socket, count);
  for (uint32_t i = 0; i < count; ++i) {
    if (i % 3 == 0) {
      EXPECT_EQ(answers.at(i).result, "pong");
    } else {
      EXPECT_EQ(answers.at(i).result.at(0), i % 3 == 1);
    }
  }
}

TEST_F(RpcStreamTest, AMessageOfNearlyTheLimitInPieces) {
  Json tokens = Json::array();
  while (tokens.size() < 63) tokens.push_back(std::string(65536, 't'));
  const std::string request = Request(1, "validate_many", Json::array({tokens}));
  ASSERT_GT(request.size(), 4'100'000u);
  ASSERT_LT(request.size(), 4u << 20);
  RpcSocket socket = Connect();
  for (size_t pos = 0; pos < request.size(); pos += 40'000) {
    socket.Send(std::string_view(request).substr(pos, 40'000));
  }
  EXPECT_EQ(socket.ReadAnswer().result.size(), 63u);
  // The answer may be here before the loop has let go of the request.
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
}

TEST_F(RpcStreamTest, MsgidsAreEchoedWhateverTheirEncoding) {
  RpcSocket socket = Connect();
  const std::pair<const char*, uint32_t> forms[] = {
      {"00", 0},
      {"7f", 127},
      {"cc 07", 7},
      {"cd 0007", 7},
      {"ce 00000007", 7},
      {"ce ffffffff", 4294967295},
      {"cf 0000000000000007", 7},
      {"d0 07", 7},
      {"d3 0000000000000007", 7},
  };
  for (const auto& [encoded, value] : forms) {
    for (const std::string& rest : {Hex("a4 70696e67 90"), Hex("a8 76616c6964617465 91 a174")}) {
      socket.Send(Hex("94 00") + Hex(encoded) + rest);
      uint32_t msgid = 0;
      EXPECT_TRUE(socket.ReadAnswer(&msgid).ok());
      EXPECT_EQ(msgid, value) << encoded;
    }
  }
}

TEST_F(RpcStreamTest, AnswersAreTheDocumentedBytes) {
  RpcSocket socket = Connect();
  socket.Send(Hex("94 00 05 a4 70696e67 90"));
  EXPECT_EQ(socket.Receive(), Hex("94 01 05 c0 a4 706f6e67"));
  socket.Send(Hex("94 00 06 a8 76616c6964617465 91 a3 616263"));
  EXPECT_EQ(socket.Receive(), Hex("94 01 06 c0 92 c2 a7 756e6b6e6f776e"));
  Must("insert",
       {{{"token", "abc"}, {"owner", "bob"}, {"scopes", {"r"}}, {"expires_at", 1900000000000}}});
  socket.Send(Hex("94 00 07 a8 76616c6964617465 91 a3 616263"));
  EXPECT_EQ(socket.Receive(), Hex("94 01 07 c0 94 c3 cf 000001ba60d33800 a3 626f62 91 a1 72"));
}

// --- long requests ---

std::vector<std::string> ManyTokens(int count) {
  std::vector<std::string> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back("many-" + std::to_string(i));
  return tokens;
}

TEST_F(RpcStreamTest, ALongValidateManyKeepsItsOrderAndHoldsNobodyUp) {
  const std::vector<std::string> tokens = ManyTokens(10'000);
  for (int i = 0; i < 10'000; i += 100) {
    Must("insert", {{{"token", tokens[i]}, {"owner", "o" + std::to_string(i)}}});
  }
  RpcSocket socket = Connect();
  // Whatever is behind it goes past it: it is answered a slice a turn.
  socket.Send(Request(1, "validate_many", {tokens}) + Request(2, "ping", Json::array()) +
              Request(3, "validate", {tokens[100]}));
  std::vector<uint32_t> order(3);
  Json many;
  for (uint32_t& msgid : order) {
    const Answer answer = socket.ReadAnswer(&msgid);
    EXPECT_TRUE(answer.ok());
    if (msgid == 1) many = answer.result;
  }
  EXPECT_EQ(order, (std::vector<uint32_t>{2, 3, 1}));
  ASSERT_EQ(many.size(), 10'000u);
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(many.at(i), i % 100 == 0
                              ? Json({true, nullptr, "o" + std::to_string(i), Json::array()})
                              : Json({false, "unknown"}));
  }
  const Json stats = Stats();
  EXPECT_EQ(stats.at("validate_total").at("valid"), 101);
  EXPECT_EQ(stats.at("validate_total").at("unknown"), 9'900);
  EXPECT_EQ(stats.at("methods_total").at("validate_many"), 1);
  EXPECT_EQ(Must("get", {tokens[200]}).at("use_count"), 1);
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
}

// Those of more than 8 KiB are digested part by part.
TEST_F(RpcStreamTest, ALongValidateManyFindsTokensOfEveryLength) {
  Must("import_begin", {{{"namespace", "pat"}, {"scheme", "sha256-after-bar"}}});
  const auto tokens_after = [](const std::string& prefix) {
    std::vector<std::string> tokens;
    for (size_t size : {8191, 8192, 8193, 16384, 16385, 40000, 65536}) {
      tokens.push_back("unknown-" + std::to_string(size));
      tokens.push_back(prefix + std::string(size - prefix.size(), 't'));
    }
    return tokens;
  };
  for (const char* ns : {"default", "pat"}) {
    const std::vector<std::string> tokens = tokens_after("17|");
    for (size_t i = 1; i < tokens.size(); i += 2) {
      Must("insert", {{{"token", tokens[i]}, {"owner", std::to_string(i)}, {"namespace", ns}}});
    }
    const std::string other = std::string(ns) == "pat" ? "18|" : "17|";
    Json many = tokens_after(other);
    many.push_back(std::string(20'000, 'u') + "|");  // nothing is behind the bar
    const Json answers = Must("validate_many", {many, ns});
    ASSERT_EQ(answers.size(), many.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
      EXPECT_EQ(answers.at(i), i % 2 ? Json({true, nullptr, std::to_string(i), Json::array()})
                                     : Json({false, "unknown"}));
    }
    EXPECT_EQ(answers.back(), Json({false, "unknown"}));
  }
}

// The last slice's answer goes out at once, and not when the loop next wakes for something else.
TEST_F(RpcStreamTest, AnAnswerWaitsForNothingElse) {
  connection_.reset();
  server_.reset();
  tick_ms_ = 24 * 3600 * 1000;
  Start();
  const std::vector<std::string> tokens = ManyTokens(3'000);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Must("validate_many", {tokens}).size(), 3'000u);
  Must("insert", {{{"token", tokens[7]}}});
  EXPECT_EQ(Must("validate_many", {tokens}).at(7).at(0), true);
}

TEST_F(RpcStreamTest, LongRequestsOfManyConnectionsAreAllAnswered) {
  const std::vector<std::string> tokens = ManyTokens(3'000);
  Must("insert", {{{"token", tokens[7]}}});
  std::vector<RpcSocket> sockets;
  for (int i = 0; i < 10; ++i) {
    sockets.push_back(Connect());
    for (uint32_t msgid = 0; msgid < 5; ++msgid) {
      sockets.back().Send(Request(msgid, "validate_many", {tokens}));
    }
  }
  for (RpcSocket& socket : sockets) {
    for (const auto& [msgid, answer] : ReadAnswers(socket, 5)) {
      ASSERT_EQ(answer.result.size(), 3'000u);
      EXPECT_EQ(answer.result.at(7).at(0), true);
      EXPECT_EQ(answer.result.at(8), Json({false, "unknown"}));
    }
  }
}

TEST_F(RpcStreamTest, ALongRequestOfAConnectionThatGoesIsDropped) {
  for (int i = 0; i < 20; ++i) {
    RpcSocket socket = Connect();
    socket.Send(Request(1, "validate_many", {ManyTokens(10'000)}));
    if (i % 2) socket.Send(Hex("c1"));  // refused, which is the last that it is told
  }
  EXPECT_TRUE(Eventually([&] {
    const Json stats = Stats();
    return stats.at("connections") == 1 && stats.at("buffered_bytes") == 0;
  }));
}

TEST_F(RpcStreamTest, ALongRequestIsAnsweredBeforeTheEnd) {
  RpcSocket socket = Connect();
  socket.Send(Request(1, "validate_many", {ManyTokens(10'000)}));
  socket.ShutdownWrites();
  EXPECT_EQ(socket.ReadAnswer().result.size(), 10'000u);
  EXPECT_EQ(socket.Read(), std::nullopt);
}

TEST_F(RpcStreamTest, AnAnswerThatIsTooLongIsGivenUpEarly) {
  Json scopes = Json::array();
  for (int i = 0; i < 64; ++i) scopes.push_back(std::string(126, 's') + std::to_string(10 + i));
  Must("insert", {{{"token", "fat"}, {"scopes", scopes}}});
  // 82 MB would be the whole of it.
  const Answer answer =
      Call("validate_many", Json::array({std::vector<std::string>(10'000, "fat")}));
  EXPECT_EQ(answer.code(), "too_large");
  EXPECT_THAT(answer.message(), HasSubstr("ask for less at a time"));
  EXPECT_LT(Stats().at("validate_total").at("valid"), 1'000);
  EXPECT_EQ(Must("validate_many", Json::array({std::vector<std::string>(400, "fat")})).size(),
            400u);
}

TEST_F(RpcStreamTest, AWrongTokenInALongRequestMakesAllOfItBadParams) {
  std::vector<std::string> tokens = ManyTokens(5'000);
  tokens[4'999] = "";
  EXPECT_EQ(Call("validate_many", {tokens}).code(), "bad_params");
  EXPECT_EQ(Call("validate_many", {ManyTokens(5'000), "typo"}).code(), "unknown_namespace");
  EXPECT_EQ(Call("validate_many", {ManyTokens(5'000), 5}).code(), "bad_params");
  EXPECT_EQ(Stats().at("validate_total").at("unknown"), 0);
}

// --- order ---

TEST_F(RpcStreamTest, AnAnswerThatIsReadyDoesNotWaitForAWriteAhead) {
  RpcSocket socket = Connect();
  socket.Send(Request(1, "insert", {{{"token", "t"}}}) + Request(2, "ping", Json::array()) +
              Request(3, "validate", {"other"}));
  std::vector<uint32_t> order(3);
  for (uint32_t& msgid : order) EXPECT_TRUE(socket.ReadAnswer(&msgid).ok());
  EXPECT_EQ(order, (std::vector<uint32_t>{2, 3, 1}));
}

TEST_F(RpcStreamTest, WritesOfAConnectionApplyInTheOrderSent) {
  RpcSocket socket = Connect();
  std::string bytes;
  uint32_t msgid = 0;
  const int tokens = 200;
  for (int i = 0; i < tokens; ++i) {
    const std::string token = "t" + std::to_string(i);
    bytes += Request(msgid++, "insert", Json::array({{{"token", token}, {"owner", "first"}}}));
    bytes += Request(msgid++, "extend", {token, 1900000000000});
    bytes += Request(msgid++, "insert",
                     Json::array({{{"token", token}, {"owner", "second"}, {"replace", true}}}));
    if (i % 2) bytes += Request(msgid++, "revoke", {token});
  }
  socket.Send(bytes);
  for (const auto& [id, answer] : ReadAnswers(socket, msgid)) {
    EXPECT_TRUE(answer.ok()) << id << answer.error;
    EXPECT_NE(answer.result, false);
  }
  for (int i = 0; i < tokens; ++i) {
    const Json verdict = Must("validate", {"t" + std::to_string(i)});
    EXPECT_EQ(verdict,
              i % 2 ? Json({false, "revoked"}) : Json({true, nullptr, "second", Json::array()}));
  }
}

TEST_F(RpcStreamTest, AWriteThatWasAnsweredIsSeenByEverybody) {
  std::vector<RpcSocket> others;
  for (int i = 0; i < 8; ++i) others.push_back(Connect());  // on both loops
  for (int i = 0; i < 20; ++i) {
    const std::string token = "t" + std::to_string(i);
    Must("insert", {{{"token", token}, {"namespace", "ns" + std::to_string(i)}}});
    for (RpcSocket& other : others) {
      EXPECT_EQ(other.Call("validate", {token, "ns" + std::to_string(i)}).result.at(0), true);
      EXPECT_EQ(other.Call("get", {token, "ns" + std::to_string(i)}).result.at("id"), IdOf(token));
    }
    Must("revoke", {token, "ns" + std::to_string(i)});
    for (RpcSocket& other : others) {
      EXPECT_EQ(other.Call("validate", {token, "ns" + std::to_string(i)}).result.at(1), "revoked");
    }
  }
}

// --- notifications ---

TEST_F(RpcStreamTest, NotificationsAreExecutedAndNeverAnswered) {
  RpcSocket socket = Connect();
  socket.Send(Notification("insert", Json::array({{{"token", "t"}}})) +
              Notification("validate", {"t"}) + Notification("ping", Json::array()) +
              Notification("get", {"t"}) + Notification("list", Json::array()) +
              Notification("validate_many", Json::array({{"t"}})) +
              Notification("hello", Json::array({Json::object()})));
  EXPECT_TRUE(Eventually([&] { return Must("validate", {"t"}).at(0) == true; }));
  socket.Send(Notification("revoke", {"t"}));
  EXPECT_TRUE(Eventually([&] { return Must("validate", {"t"}).at(1) == "revoked"; }));
  EXPECT_EQ(socket.Call("ping", Json::array()).result, "pong");  // the first thing that comes back
  EXPECT_EQ(Stats().at("notifications_total"), 8);
  EXPECT_EQ(Stats().at("notifications_failed_total"), 0);
}

TEST_F(RpcStreamTest, NotificationsThatFailAreCountedAndLogged) {
  RpcSocket socket = Connect();
  const std::string secret = "sekrit-token-in-a-notification";
  Must("insert", {{{"token", secret}}});
  const std::string failing[] = {
      Notification("insert", Json::array({{{"token", secret}}})),  // exists
      Notification("insert", Json::array({{{"token", ""}}})),      // bad_params
      Notification(secret, Json::array()),                         // unknown_method
      Notification("validate", {secret, "typo"}),                  // unknown_namespace
      Notification("get", {secret, "typo"}),
      Notification("insert_many", Json::array({{{{"token", secret}}, 5}})),
      Notification("rotate", {"never was"}),
  };
  for (const std::string& bytes : failing) socket.Send(bytes);
  EXPECT_EQ(socket.Call("ping", Json::array()).result, "pong");
  EXPECT_TRUE(Eventually([&] { return Stats().at("notifications_failed_total") == 7; }));
  server_->Stop();
  EXPECT_THAT(Log(), HasSubstr("warning notification_failed method="));
  EXPECT_THAT(Log(), Not(HasSubstr(secret)));
}

// --- what is wrong ---

TEST_F(RpcStreamTest, ARequestWithAMsgidIsAnsweredAndTheConnectionGoesOn) {
  RpcSocket socket = Connect();
  const std::pair<std::string, const char*> wrong[] = {
      {Packed({0, 9, 5, Json::array()}), "method"},
      {Packed({0, 9, nullptr, Json::array()}), "method"},
      {Packed({0, 9, Json::binary({'p'}), Json::array()}), "method"},
      {Packed({0, 9, "ping", Json::object()}), "params"},
      {Packed({0, 9, "ping", nullptr}), "params"},
      {Packed({0, 9, "ping"}), "request"},
      {Packed({0, 9}), "request"},
      {Packed({0, 9, "ping", Json::array(), 1}), "request"},
  };
  for (const auto& [bytes, field] : wrong) {
    socket.Send(bytes);
    uint32_t msgid = 0;
    const Answer answer = socket.ReadAnswer(&msgid);
    EXPECT_EQ(msgid, 9u);
    EXPECT_EQ(answer.code(), "bad_params") << field;
    EXPECT_THAT(answer.message(), HasSubstr(field));
    EXPECT_EQ(socket.Call("ping", Json::array()).result, "pong");
  }
  socket.Send(Arr({Int(0), Int(9), Str("ping"), Nested(16)}));  // 17 with the frame
  EXPECT_EQ(socket.ReadAnswer().code(), "too_large");
  EXPECT_EQ(socket.Call("ping", Json::array()).result, "pong");
}

TEST_F(RpcStreamTest, WhatIsNoMessageEndsTheConnectionAndNothingAfterItIsRead) {
  const std::string fatal[] = {
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "\r\n",
      "*1\r\n$4\r\nPING\r\n",
      Hex("c1"),
      Hex("94 00 01 a4 70696e67 91 c1"),
      Packed(Json::array()),
      Packed(5),
      Packed("ping"),
      Packed({{"method", "ping"}}),
      Packed({1, 5, nullptr, nullptr}),
      Packed({3, 5, "ping", Json::array()}),
      Packed({-1, 5, "ping", Json::array()}),
      Packed({0, -5, "ping", Json::array()}),
      Packed({0, 4294967296, "ping", Json::array()}),
      Packed({0, "5", "ping", Json::array()}),
      Packed({0, 1.0, "ping", Json::array()}),
      Packed({2, "ping"}),
      Packed({2, 5, Json::array()}),
      Packed({2, "ping", 5}),
      Packed({2, "ping", Json::array(), 5}),
      Arr({Int(2), Str("ping"), Nested(17)}),
      Hex("dd ffffffff 00"),
      Hex("94 00 01 db 7fffffff"),
      Hex("94 00 01 a6 696e73657274 dd 7fffffff"),
  };
  uint64_t count = 0;
  for (const std::string& bytes : fatal) {
    SCOPED_TRACE(::testing::PrintToString(bytes));
    RpcSocket socket = Connect();
    const std::string token = "after" + std::to_string(++count);
    socket.Send(Request(1, "ping", Json::array()) + Request(2, "validate", {"x"}) + bytes +
                Request(3, "insert", Json::array({{{"token", token}}})));
    EXPECT_EQ(ReadAnswers(socket, 2).size(), 2u);  // what came before it is answered
    EXPECT_FALSE(socket.ReadProtocolError().empty());
    EXPECT_EQ(socket.Read(), std::nullopt);
    EXPECT_EQ(Must("validate", {token}), Json({false, "unknown"}));
  }
  EXPECT_EQ(Stats().at("protocol_errors_total"), count);
  EXPECT_TRUE(Eventually([&] { return Stats().at("connections") == 1; }));
}

TEST_F(RpcStreamTest, AFatalMessageIsToldThoughThePeerGoesOnSending) {
  RpcSocket socket = Connect();
  // More than the kernel's buffers hold: were it not read and thrown away, this would be a reset.
  socket.Send(Hex("c1"));
  const std::string noise(1 << 20, '\xc1');
  try {
    for (int i = 0; i < 8; ++i) socket.Send(noise);
  } catch (const std::runtime_error&) {
    // It is closed after a moment, however much comes.
  }
  EXPECT_FALSE(socket.ReadProtocolError().empty());
}

TEST_F(RpcStreamTest, HalfACloseIsAnsweredInFull) {
  RpcSocket socket = Connect();
  std::string bytes;
  for (uint32_t i = 0; i < 100; ++i) {
    bytes += Request(i, "insert", Json::array({{{"token", "t" + std::to_string(i)}}}));
  }
  socket.Send(bytes + Request(100, "list", Json::array()) + Request(101, "validate", {"x"}));
  socket.ShutdownWrites();
  for (const auto& [msgid, answer] : ReadAnswers(socket, 102)) EXPECT_TRUE(answer.ok()) << msgid;
  EXPECT_EQ(socket.Read(), std::nullopt);
}

TEST_F(RpcStreamTest, AClosedConnectionsWritesAreDoneAndItsAnswersDropped) {
  for (int i = 0; i < 50; ++i) {
    RpcSocket socket = Connect();
    socket.Send(Request(1, "insert", Json::array({{{"token", "t" + std::to_string(i)}}})) +
                Request(2, "list", Json::array()));
  }
  EXPECT_TRUE(Eventually([&] { return Must("count", Json::array()) == 50; }));
  EXPECT_TRUE(Eventually([&] { return Stats().at("connections") == 1; }));
}

TEST_F(RpcStreamTest, ManyClientsAtOnce) {
  const int clients = 8, rounds = 60;
  std::vector<std::thread> threads;
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      RpcSocket socket = c % 2 ? Connect() : ConnectUnix();
      for (int i = 0; i < rounds; ++i) {
        const std::string token = "c" + std::to_string(c) + "-" + std::to_string(i);
        EXPECT_TRUE(
            socket.Call("insert", {{{"token", token}, {"owner", "o" + std::to_string(c)}}}).ok());
        EXPECT_EQ(socket.Call("validate", {token}).result.at(0), true);
        if (i % 3 == 0) {
          EXPECT_EQ(socket.Call("revoke", {token}).result, true);
          EXPECT_EQ(socket.Call("validate", {token}).result.at(1), "revoked");
        }
        if (i % 20 == 0) socket = Connect();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Must("count", {{{"state", "active"}}}), clients * rounds * 2 / 3);
  EXPECT_EQ(Must("count", {{{"state", "revoked"}}}), clients * rounds / 3);
}

// --- what memory cannot judge ---

TEST_F(RpcStreamTest, WhatMemoryMissesIsAskedOfTheDisk) {
  for (const char* token : {"on disk", "in both", "revoked", "expired"}) {
    Must("insert", {{{"token", token},
                     {"owner", "bob"},
                     {"scopes", {"s"}},
                     {"expires_at", ManualClock::kStartMs + 1000}}});
  }
  Must("revoke", {"revoked"});
  // As while loading: memory lacks tokens, and says so.
  TokenTable& table = server_->store().table();
  const NamespaceId ns = server_->store().namespaces()->at("default").id;
  table.SetMissesUnavailable(true);
  for (const char* token : {"on disk", "revoked", "expired"}) {
    ASSERT_TRUE(table.Erase(ns, TokenKey::FromBytes(KeyOf(token))));
  }
  const Json valid = {true, ManualClock::kStartMs + 1000, "bob", {"s"}};
  EXPECT_EQ(Must("validate", {"on disk"}), valid);
  EXPECT_EQ(Must("validate", {"in both"}), valid);
  EXPECT_EQ(Must("validate", {"revoked"}), Json({false, "revoked"}));
  EXPECT_EQ(Must("validate", {"never was"}), Json({false, "unknown"}));
  clock_.Advance(1000);
  EXPECT_EQ(Must("validate_many", {{"expired", "never was", "revoked"}}),
            Json({{false, "expired"}, {false, "unknown"}, {false, "revoked"}}));
  const Json verdicts = Stats().at("validate_total");
  EXPECT_EQ(verdicts.at("valid"), 2);
  EXPECT_EQ(verdicts.at("unknown"), 2);
  EXPECT_EQ(verdicts.at("unavailable"), 0);
}

TEST_F(RpcStreamTest, AValidateManyOfBothKeepsItsOrder) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 500; ++i) {
    tokens.push_back("t" + std::to_string(i));
    if (i % 5) Must("insert", {{{"token", tokens.back()}, {"owner", tokens.back()}}});
  }
  TokenTable& table = server_->store().table();
  const NamespaceId ns = server_->store().namespaces()->at("default").id;
  table.SetMissesUnavailable(true);
  for (int i = 0; i < 500; i += 2) table.Erase(ns, TokenKey::FromBytes(KeyOf(tokens[i])));
  const Json answer = Must("validate_many", {tokens});
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(answer.at(i),
              i % 5 ? Json({true, nullptr, tokens[i], Json::array()}) : Json({false, "unknown"}));
  }
  EXPECT_EQ(Must("get", {tokens[1]}).at("use_count"), 1);  // counted once
}

}  // namespace
}  // namespace tokend::testing
