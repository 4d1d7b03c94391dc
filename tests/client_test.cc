// The client library against a server that is told what to say: connecting, pipelining, and what
// can go wrong on the wire.
#include "client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>

#include "tests/client_fixture.h"

namespace tokend::client {
namespace {

using msgpack_io::Writer;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using namespace tokend::testing;

ClientOptions Impatient() {
  ClientOptions options;
  options.answer_timeout = 50ms;
  return options;
}

// --- errors ---

TEST(Client, TellsTheServersErrorsFromItsOwn) {
  FakeTokend server([](FakePeer& peer) {
    auto request = peer.Read();
    if (request) peer.AnswerError(request->msgid, ErrorCode::kExists, "it is there", kId);
    request = peer.Read();
    if (request) {
      peer.Send("\x94\x01" + Uint(request->msgid) + Str("only text") + Nil());
    }
    request = peer.Read();
    if (request) peer.Send("\x94\x01" + Uint(request->msgid) + Int(7) + Nil());
    ReadAll(peer);
  });
  Client client = MustConnect(server);
  InsertRequest insert;
  insert.token = "t";
  auto exists = client.Insert(insert);
  ASSERT_FALSE(exists);
  EXPECT_EQ(exists.error().source, Error::Source::kServer);
  EXPECT_EQ(exists.error().code, "exists");
  EXPECT_EQ(exists.error().message, "it is there");
  EXPECT_EQ(exists.error().id, kId);

  auto text = client.Ping();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, "internal");
  EXPECT_EQ(text.error().message, "only text");
  auto number = client.Ping();
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().code, "internal");
  EXPECT_TRUE(client.connected());
}

TEST(Client, SaysWhereItCouldNotReachTheServer) {
  std::string address;
  {
    FakeTokend gone(ReadAll);
    address = gone.address();
  }
  Result<Client> client = Client::Connect(address);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().source, Error::Source::kTransport);
  EXPECT_EQ(client.error().code, "unreachable");
  EXPECT_EQ(client.error().message, address + ": Connection refused");

  Result<Client> no_socket = Client::Connect("unix:/nonexistent/tokend.sock");
  ASSERT_FALSE(no_socket);
  EXPECT_EQ(no_socket.error().message, "unix:/nonexistent/tokend.sock: No such file or directory");

  Result<Client> long_path = Client::Connect("unix:/" + std::string(200, 'x'));
  ASSERT_FALSE(long_path);
  EXPECT_THAT(long_path.error().message, HasSubstr("at most 107 bytes"));
}

TEST(Client, RefusesWhatIsNoAddress) {
  for (const char* address :
       {"", "7717", "localhost", ":7717", "localhost:", "localhost:0", "localhost:65536",
        "localhost:http", "::1:7717", "[]:1", "unix:", "localhost:77 17"}) {
    Result<Client> client = Client::Connect(address);
    ASSERT_FALSE(client) << address;
    EXPECT_EQ(client.error().source, Error::Source::kCaller) << address;
  }
}

TEST(Client, ConnectsOverAUnixSocket) {
  char directory[] = "/tmp/tokend-client-test-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/tokend.sock";
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  std::thread server([&] {
    FakePeer peer(accept(listener, nullptr, nullptr));
    auto request = peer.Read();
    if (request) peer.Answer(request->msgid, [](Writer& out) { out.Str("pong"); });
  });
  Result<Client> client = Client::Connect("unix:" + path);
  ASSERT_TRUE(client);
  EXPECT_TRUE(client->Ping());
  server.join();
  close(listener);
  std::filesystem::remove_all(directory);
}

// --- pipelining ---

TEST(Client, AnswersMayComeInAnyOrder) {
  FakeTokend server([](FakePeer& peer) {
    std::vector<FakePeer::Request> requests;
    while (requests.size() < 100) {
      auto request = peer.Read();
      if (!request) return;
      requests.push_back(*request);
    }
    std::reverse(requests.begin(), requests.end());
    for (const auto& request : requests) {
      std::string token = Shown(request.params);
      peer.Answer(request.msgid, [&](Writer& out) {
        out.Raw(Arr({Bool(true), Nil(), Str("owner of " + token), Arr({})}));
      });
    }
    ReadAll(peer);
  });
  Client client = MustConnect(server);
  std::vector<Pending<Verdict>> pending;
  for (int i = 0; i < 100; ++i) pending.push_back(client.SendValidate(std::to_string(i)));
  EXPECT_EQ(client.in_flight(), 100u);
  for (int i = 0; i < 100; ++i) {
    auto verdict = pending[static_cast<size_t>(i)].Wait();
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->owner, "owner of ['" + std::to_string(i) + "']");
  }
  EXPECT_EQ(client.in_flight(), 0u);
}

TEST(Client, FlushSendsWithoutWaiting) {
  std::atomic<int> seen = 0;
  FakeTokend server([&](FakePeer& peer) {
    while (auto request = peer.Read()) ++seen;
  });
  {
    Client client = MustConnect(server);
    auto first = client.SendPing();
    auto second = client.SendPing();
    ASSERT_TRUE(client.Flush());
    EXPECT_EQ(client.in_flight(), 2u);
  }
  server.Join();
  EXPECT_EQ(seen, 2);
}

// Both sides write much more than socket buffers hold before either would read.
TEST(Client, FullBuffersOnBothSidesDoNotDeadlock) {
  const std::string answer = Arr({Bool(true), Nil(), Str(std::string(20000, 'o')), Arr({})});
  FakeTokend server([&](FakePeer& peer) {
    while (auto request = peer.Read()) {
      peer.Answer(request->msgid, [&](Writer& out) { out.Raw(answer); });
    }
  });
  Client client = MustConnect(server);
  const std::string token(20000, 't');
  std::vector<Pending<Verdict>> pending;
  for (int i = 0; i < 1000; ++i) pending.push_back(client.SendValidate(token));
  ASSERT_TRUE(client.Flush());
  for (auto& one : pending) {
    auto verdict = one.Wait();
    ASSERT_TRUE(verdict);
    ASSERT_EQ(verdict->owner->size(), 20000u);
  }
}

TEST(Client, KeepsToItsBoundOfRequestsInFlight) {
  ClientOptions options;
  options.in_flight_max = 4;
  FakeTokend server([](FakePeer& peer) {
    while (auto request = peer.Read()) {
      peer.Answer(request->msgid, [](Writer& out) { out.Str("pong"); });
    }
  });
  Client client = MustConnect(server, options);
  std::vector<Pending<Done>> pending;
  for (int i = 0; i < 50; ++i) {
    pending.push_back(client.SendPing());
    ASSERT_LE(client.in_flight(), 4u);
  }
  for (auto& one : pending) EXPECT_TRUE(one.Wait());
}

TEST(Client, DroppedAndLeftOverAnswers) {
  FakeTokend server([](FakePeer& peer) {
    while (auto request = peer.Read()) {
      peer.Answer(request->msgid, [](Writer& out) { out.Str("pong"); });
    }
  });
  auto client = std::make_unique<Client>(MustConnect(server));
  { auto dropped = client->SendPing(); }
  EXPECT_TRUE(client->Ping());
  EXPECT_EQ(client->in_flight(), 0u);

  auto outlives = client->SendPing();
  auto replaced = client->SendPing();
  replaced = client->SendPing();
  client.reset();
  EXPECT_TRUE(outlives.Wait());
  EXPECT_TRUE(replaced.Wait());
  auto again = replaced.Wait();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().source, Error::Source::kCaller);
}

// --- what can go wrong on the wire ---

TEST(Client, ReadsAnswersInPieces) {
  FakeTokend server([](FakePeer& peer) {
    auto request = peer.Read();
    if (!request) return;
    std::string bytes = "\x94\x01" + Uint(request->msgid) + Nil() + EncodedRecord();
    for (char byte : bytes) {
      peer.Send({&byte, 1});
      std::this_thread::yield();
    }
    ReadAll(peer);
  });
  Client client = MustConnect(server);
  auto record = client.Get("t");
  ASSERT_TRUE(record && record->has_value());
  ExpectRecord(**record);
}

TEST(Client, WhatWasAnsweredBeforeAConnectionBrokeIsGood) {
  FakeTokend server([](FakePeer& peer) {
    auto first = peer.Read();
    auto second = peer.Read();
    if (!first || !second) return;
    peer.Answer(second->msgid, [](Writer& out) { out.Bool(true); });
    peer.Send("\x94\x01" + Uint(first->msgid));  // and no more
  });
  Client client = MustConnect(server);
  auto first = client.SendRevoke("a");
  auto second = client.SendRevoke("b");
  auto lost = first.Wait();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().source, Error::Source::kTransport);
  EXPECT_EQ(lost.error().code, "closed");
  EXPECT_EQ(lost.error().message,
            server.address() + ": it closed the connection in the middle of an answer");
  auto good = second.Wait();
  EXPECT_TRUE(good && *good);

  EXPECT_FALSE(client.connected());
  auto after = client.Ping();
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, "closed");
  EXPECT_FALSE(client.Flush());
  EXPECT_EQ(client.in_flight(), 0u);
}

TEST(Client, SaysWhyTheServerGaveTheConnectionUp) {
  FakeTokend server([](FakePeer& peer) {
    (void)peer.Read();
    std::string bytes;
    Writer writer(&bytes);
    WriteProtocolError("a message has at most 4194304 bytes", &writer);
    peer.Send(bytes);
  });
  Client client = MustConnect(server);
  auto answer = client.Ping();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().source, Error::Source::kTransport);
  EXPECT_EQ(answer.error().code, "closed");
  EXPECT_THAT(answer.error().message,
              HasSubstr("protocol_error: a message has at most 4194304 bytes"));
}

TEST(Client, PassesOverNotificationsThatItDoesNotKnow) {
  FakeTokend server([](FakePeer& peer) {
    auto request = peer.Read();
    if (!request) return;
    peer.Send(Arr({Int(2), Str("news"), Arr({Int(1)})}));
    peer.Answer(request->msgid, [](Writer& out) { out.Str("pong"); });
    ReadAll(peer);
  });
  Client client = MustConnect(server);
  EXPECT_TRUE(client.Ping());
}

TEST(Client, ALateAnswerIsDroppedAndTheConnectionGoesOn) {
  FakeTokend server([](FakePeer& peer) {
    auto late = peer.Read();
    auto next = peer.Read();
    if (!late || !next) return;
    peer.Answer(late->msgid, [](Writer& out) { out.Uint(1); });
    peer.Answer(next->msgid, [](Writer& out) { out.Uint(2); });
    ReadAll(peer);
  });
  Client client = MustConnect(server, Impatient());
  auto late = client.Count({});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().source, Error::Source::kTransport);
  EXPECT_EQ(late.error().code, "timeout");
  EXPECT_EQ(late.error().message, server.address() + ": it has not answered within 50 ms");
  EXPECT_TRUE(client.connected());

  client.set_answer_timeout(30s);
  auto next = client.Count({});
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, 2u);
  EXPECT_EQ(client.in_flight(), 0u);
}

TEST(Client, AServerThatDoesNotReadTimesOutAFlush) {
  std::promise<void> done;
  FakeTokend server([&](FakePeer&) { done.get_future().wait(); });
  Client client = MustConnect(server, Impatient());
  const std::string token(60000, 't');
  std::vector<Pending<Verdict>> pending;
  for (int i = 0; i < 300; ++i) pending.push_back(client.SendValidate(token));
  auto flushed = client.Flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, "timeout");
  done.set_value();
}

void ExpectBadAnswer(const std::string& bytes) {
  FakeTokend server([&](FakePeer& peer) {
    (void)peer.Read();
    peer.Send(bytes);
    ReadAll(peer);
  });
  Client client = MustConnect(server);
  auto answer = client.Ping();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().source, Error::Source::kTransport);
  EXPECT_EQ(answer.error().code, "bad_answer");
  EXPECT_FALSE(client.connected());
}

TEST(Client, BreaksOffWhereAnAnswerMakesNoSense) {
  ExpectBadAnswer("HTTP/1.1 400 Bad Request\r\n\r\n");
  ExpectBadAnswer("\xc1");
  ExpectBadAnswer(Arr({Int(1), Int(12345), Nil(), Nil()}));      // nobody asked
  ExpectBadAnswer(Arr({Int(0), Int(0), Str("ping"), Arr({})}));  // a request
}

TEST(Client, HoldsNoMoreOfAnAnswerThanItsLimit) {
  FakeTokend server([](FakePeer& peer) {
    auto request = peer.Read();
    if (!request) return;
    peer.Answer(request->msgid, [](Writer& out) { out.Str(std::string(2000, 'x')); });
    ReadAll(peer);
  });
  ClientOptions options;
  options.answer_bytes_max = 1000;
  Client client = MustConnect(server, options);
  auto answer = client.Ping();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "bad_answer");
}

TEST(Client, AResultOfTheWrongShapeIsAnErrorOfThatCallAlone) {
  Asked asked;
  auto expect_bad = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().source, Error::Source::kTransport);
    EXPECT_EQ(result.error().code, "bad_answer");
  };
  for (const std::string& result :
       {Nil(), Arr({}), Arr({Int(1)}), Arr({Bool(true)}), Arr({Bool(false)}), Str("valid"),
        Arr({Bool(true), Nil(), Nil()}), Arr({Bool(true), Str("x"), Nil(), Arr({})}),
        Arr({Bool(true), Nil(), Nil(), Arr({Int(1)})})}) {
    expect_bad(Ask(result, &asked, [](Client& client) { return client.Validate("t"); }));
  }
  expect_bad(Ask(Int(1), &asked, [](Client& client) { return client.Revoke("t"); }));
  expect_bad(Ask(Int(-1), &asked, [](Client& client) { return client.Count({}); }));
  expect_bad(Ask(Map({}), &asked, [](Client& client) { return client.Get("t"); }));
  expect_bad(
      Ask(Map({{"items", Arr({Nil()})}}), &asked, [](Client& client) { return client.List({}); }));
  expect_bad(Ask(Map({{"id", Str(kId)}}), &asked, [](Client& client) { return client.Issue({}); }));
  expect_bad(Ask(Map({{"tokens", Int(1)}}), &asked, [](Client& client) { return client.Stats(); }));
  expect_bad(Ask(Arr({Int(1)}), &asked, [](Client& client) { return client.InsertMany({}); }));

  FakeTokend server([](FakePeer& peer) {
    auto request = peer.Read();
    if (request) peer.Answer(request->msgid, [](Writer& out) { out.Int(1); });
    request = peer.Read();
    if (request) peer.Answer(request->msgid, [](Writer& out) { out.Bool(true); });
  });
  Client client = MustConnect(server);
  expect_bad(client.Revoke("a"));
  EXPECT_TRUE(client.Revoke("b"));
}

// Whatever comes is an answer or an error: cut at every byte, and with every byte damaged.
TEST(Client, DamagedAnswersAreErrors) {
  const std::string whole =
      Arr({Int(1), Int(0), Nil(), Map({{"items", Arr({EncodedRecord()})}, {"cursor", Str("c")}})});
  auto list = [](const std::string& bytes) {
    FakeTokend server([&](FakePeer& peer) {
      (void)peer.Read();
      peer.Send(bytes);
    });
    return MustConnect(server).List({});
  };
  ASSERT_TRUE(list(whole));
  for (size_t i = 0; i < whole.size(); ++i) {
    auto cut = list(whole.substr(0, i));
    ASSERT_FALSE(cut) << i;
    EXPECT_EQ(cut.error().code, "closed") << i;
    for (char damage : {'\xc1', '\xc0', '\xff', '\x00', '\xdd'}) {
      std::string bytes = whole;
      bytes[i] = damage;
      auto damaged = list(bytes);  // within a text it may well be good
      if (!damaged) {
        EXPECT_NE(damaged.error().code, "") << i;
      }
    }
  }
}

TEST(Client, TimeoutsMayBeAsLongAsOneLikes) {
  FakeTokend server([](FakePeer& peer) {
    auto request = peer.Read();
    if (request) peer.Answer(request->msgid, [](Writer& out) { out.Str("pong"); });
  });
  ClientOptions options;
  options.connect_timeout = options.answer_timeout = std::chrono::milliseconds::max();
  EXPECT_TRUE(MustConnect(server, options).Ping());
}

}  // namespace
}  // namespace tokend::client
