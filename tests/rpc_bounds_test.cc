// Everything that comes from outside is bounded, and over a bound the peer is told and the server
// goes on.
#include <gmock/gmock.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "tests/encoded.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::HasSubstr;

class RpcBoundsTest : public ServerFixture {
 protected:
  // Lets time pass until it holds; the loops look at the clock several times a second.
  bool EventuallyInTime(uint64_t step_ms, const std::function<bool()>& holds) {
    return Eventually([&] {
      if (holds()) return true;
      clock_.Advance(step_ms);
      return false;
    });
  }
  // Whether the other side has closed, without waiting for it.
  static bool HasClosed(const RpcSocket& socket) {
    char byte;
    return recv(socket.fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }
  // Sends it as one piece: it has been read when this returns.
  void SendPiece(RpcSocket& socket, std::string_view bytes) {
    socket.Send(bytes);
    // Of a unix socket the kernel tells what was not read yet.
    ASSERT_TRUE(Eventually([&] {
      int unread = -1;
      return ioctl(socket.fd(), SIOCOUTQ, &unread) == 0 && unread == 0;
    }));
    EXPECT_EQ(Must("ping", Json::array()), "pong");  // the loop has gone on since
  }
  // With threads = 1 connections are looked at in the order in which they came: when this one is
  // seen to be closed, message_timeout_ms after BeginMessage, those before it were looked at.
  void BeginMessage(RpcSocket& socket) {
    SendPiece(socket, std::string_view(Request(1, "ping", Json::array())).substr(0, 4));
  }
  static bool EventuallyClosed(const RpcSocket& socket) {
    return Eventually([&] { return HasClosed(socket); });
  }
  // Tokens with owners of so many bytes, and their answers are as much longer.
  void InsertOwned(size_t first_bytes, size_t last_bytes) {
    Json elements = Json::array();
    for (size_t i = first_bytes; i <= last_bytes; ++i) {
      elements.push_back({{"token", OwnedToken(i)}, {"owner", std::string(i, 'o')}});
    }
    for (size_t i = 0; i < elements.size(); i += 64) {  // below message_bytes_max
      const auto begin = elements.begin() + static_cast<ptrdiff_t>(i);
      const auto end = begin + std::min<ptrdiff_t>(64, elements.end() - begin);
      Must("insert_many", Json::array({Json::array_t(begin, end)}));
    }
  }
  static std::string OwnedToken(size_t owner_bytes) { return "t" + std::to_string(owner_bytes); }
  // A token whose answers are of some 8 KiB.
  void InsertFat(const std::string& token) {
    Json scopes = Json::array();
    for (int i = 0; i < 64; ++i) scopes.push_back(std::string(126, 's') + std::to_string(10 + i));
    Must("insert", {{{"token", token}, {"scopes", scopes}}});
  }
};

// Holds up all writes until it is opened.
class WriteGate {
 public:
  explicit WriteGate(Store* store) {
    std::unique_ptr<Submission> blocker = std::make_unique<Blocker>(this);
    Mutation mutation;
    mutation.namespace_name = "default";
    mutation.op = CreateNamespaceMutation{};
    blocker->mutations.push_back(mutation);
    EXPECT_TRUE(store->Submit(blocker).ok());
    entered_.get_future().wait();
  }
  void Open() { opened_.set_value(); }

 private:
  struct Blocker : Submission {
    explicit Blocker(WriteGate* gate_in) : gate(gate_in) {}
    void Done(std::unique_ptr<Submission> /*self*/) override {
      std::future<void> opened = gate->opened_.get_future();
      gate->entered_.set_value();
      opened.wait();
    }
    WriteGate* const gate;
  };
  std::promise<void> entered_, opened_;
};

TEST_F(RpcBoundsTest, ConnectionsAreBoundedAndTheOneTooManyIsTold) {
  config_.connections_max = 3;
  Start();
  std::vector<RpcSocket> sockets;
  for (int i = 0; i < 3; ++i) {
    sockets.push_back(Connect());
    EXPECT_TRUE(sockets.back().Call("ping", Json::array()).ok());
  }
  {
    RpcSocket refused = Connect();
    EXPECT_EQ(refused.ReadProtocolError(), "too many connections: at most 3");
    EXPECT_EQ(refused.Read(), std::nullopt);
  }
  sockets.pop_back();
  EXPECT_TRUE(Eventually([&] {
    RpcSocket next = Connect();
    next.Send(Request(1, "ping", Json::array()));
    const std::optional<Json> message = next.Read();
    return message && message->at(0) == 1;
  }));
  EXPECT_TRUE(sockets[0].Call("ping", Json::array()).ok());
}

TEST_F(RpcBoundsTest, AMessageOverTheLimitIsRefusedBeforeItHasCome) {
  config_.message_bytes_max = 128 << 10;
  Start();
  RpcSocket socket = Connect();
  // The header of a str of 128 KiB in a request: over the limit with what is around it.
  socket.Send(Hex("94 00 01 a6 696e73657274 91 db 00020000"));
  EXPECT_EQ(socket.ReadProtocolError(), "message: must be at most 131072 bytes");
  EXPECT_EQ(socket.Read(), std::nullopt);
}

TEST_F(RpcBoundsTest, AMessageOfManySmallValuesOverTheLimitIsRefusedToo) {
  config_.message_bytes_max = 128 << 10;
  Start();
  RpcSocket socket = Connect();
  const std::string strings = ArrOf(9'000, Str("0123456789abcde"));  // 144,000 bytes
  socket.Send(Arr({Int(0), Int(1), Str("validate_many"), Arr({strings})}));
  EXPECT_EQ(socket.ReadProtocolError(), "message: must be at most 131072 bytes");
}

TEST_F(RpcBoundsTest, AMessageOfExactlyTheLimitIsAnsweredAndOneByteMoreIsNot) {
  config_.message_bytes_max = 128 << 10;
  Start();
  const auto of_bytes = [](size_t last) {
    return Arr({Int(0), Int(1), Str("validate_many"),
                Arr({Arr({Bin(std::string(65'000, 't')), Bin(std::string(65'000, 'u')),
                          Bin(std::string(last, 'v'))})})});
  };
  const size_t last = (128 << 10) - of_bytes(1000).size() + 1000;
  ASSERT_EQ(of_bytes(last).size(), 128u << 10);
  for (const size_t shorter : {1, 0}) {
    RpcSocket socket = Connect();
    socket.Send(of_bytes(last - shorter));
    EXPECT_EQ(socket.ReadAnswer().result.size(), 3u);
    EXPECT_EQ(socket.Call("ping", Json::array()).result, "pong");
  }
  RpcSocket socket = Connect();
  socket.Send(of_bytes(last + 1));
  EXPECT_EQ(socket.ReadProtocolError(), "message: must be at most 131072 bytes");
}

TEST_F(RpcBoundsTest, AnAnswerOfExactlyTheLimitIsSentAndOneByteMoreIsNot) {
  config_.message_bytes_max = 128 << 10;
  Start();
  InsertFat("fat");
  InsertOwned(256, 1024);
  const auto answer_bytes = [&](const std::vector<std::string>& tokens) {
    return Packed({1, 1, nullptr, Must("validate_many", Json::array({tokens}))}).size();
  };
  const size_t limit = config_.message_bytes_max;
  // One that is answered at once, and one in slices.
  for (const bool is_long : {false, true}) {
    std::vector<std::string> tokens(is_long ? 300 : 20, "unknown");
    tokens.insert(tokens.end(), 14, "fat");
    const size_t owner_bytes = answer_bytes({OwnedToken(256), "fat"}) - answer_bytes({"fat"});
    const size_t most = owner_bytes + 1024 - 256;
    while (limit - answer_bytes(tokens) > most) tokens.push_back(OwnedToken(256));
    const size_t rest = limit - answer_bytes(tokens) - owner_bytes + 256;
    for (const int64_t more : {-1, 0, 1}) {
      std::vector<std::string> with_last = tokens;
      with_last.push_back(OwnedToken(rest + static_cast<size_t>(more)));
      RpcSocket socket = Connect();
      socket.Send(Request(1, "validate_many", Json::array({with_last})));
      const Answer answer = socket.ReadAnswer();
      if (more <= 0) {
        ASSERT_TRUE(answer.ok()) << answer.error;
        EXPECT_EQ(Packed({1, 1, nullptr, answer.result}).size(), limit + more);
      } else {
        EXPECT_EQ(answer.code(), "too_large");
        EXPECT_THAT(answer.message(), HasSubstr("131072"));
      }
      EXPECT_EQ(socket.Call("ping", Json::array()).result, "pong");
    }
  }
}

TEST_F(RpcBoundsTest, AsManyElementsAsMayBeAndNotOneMore) {
  config_.many_max = 700;
  Start();
  const auto inserts = [](int count) {
    Json elements = Json::array();
    for (int i = 0; i < count; ++i) elements.push_back({{"token", "t" + std::to_string(i)}});
    return Json::array({elements});
  };
  const auto tokens = [](size_t count) {
    return Json::array({std::vector<std::string>(count, "t1")});
  };
  const std::string import = Must("import_begin", Json::array({{{"namespace", "i"}}}));
  const auto rows = [&](int count) { return Json::array({import, inserts(count).at(0)}); };
  EXPECT_EQ(Must("insert_many", inserts(699)).size(), 699u);
  EXPECT_EQ(Must("insert_many", inserts(700)).size(), 700u);
  EXPECT_EQ(Call("insert_many", inserts(701)).code(), "too_large");
  EXPECT_EQ(Must("validate_many", tokens(699)).size(), 699u);
  EXPECT_EQ(Must("validate_many", tokens(700)).size(), 700u);
  EXPECT_EQ(Call("validate_many", tokens(701)).code(), "too_large");
  EXPECT_EQ(Must("import_rows", rows(699)).at("taken"), 699);
  EXPECT_EQ(Must("import_rows", rows(700)).at("taken"), 1);
  EXPECT_EQ(Call("import_rows", rows(701)).code(), "too_large");
  EXPECT_EQ(Must("count", Json::array({{{"namespace", "i"}}})), 700);
}

TEST_F(RpcBoundsTest, UnfinishedMessagesOfAllConnectionsAreBounded) {
  config_.message_bytes_max = 1 << 20;
  config_.buffer_bytes_max = 2 << 20;
  Start();
  const std::string request = Request(
      1, "validate_many", Json::array({std::vector<std::string>(15, std::string(65'000, 't'))}));
  const std::string most = request.substr(0, 900'000);
  std::vector<RpcSocket> sockets;
  for (int i = 0; i < 2; ++i) {
    sockets.push_back(Connect());
    sockets.back().Send(most);
  }
  ASSERT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 1'800'000; }));
  RpcSocket third = Connect();
  third.Send(most);
  EXPECT_THAT(third.ReadProtocolError(), HasSubstr("buffers for unfinished messages are full"));
  // The others go on once what the third had sent is gone, and all is given back.
  ASSERT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 1'800'000; }));
  for (RpcSocket& socket : sockets) {
    socket.Send(std::string_view(request).substr(900'000));
    EXPECT_EQ(socket.ReadAnswer().result.size(), 15u);
  }
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
}

TEST_F(RpcBoundsTest, APeerThatDoesNotReadIsReadNoFurtherAndLosesNothing) {
  config_.output_bytes_max = 64 << 10;
  Start();
  Json scopes = Json::array();
  for (int i = 0; i < 64; ++i) scopes.push_back(std::string(126, 's') + std::to_string(10 + i));
  Must("insert", {{{"token", "t"}, {"scopes", scopes}}});
  // Some 40 MB of answers, far more than the kernel holds.
  const uint32_t count = 5000;
  RpcSocket slow = Connect();
  std::atomic<bool> all_sent{false};
  std::thread sender([&] {
    for (uint32_t i = 0; i < count; ++i) slow.Send(Request(i, "validate", {"t"}));
    all_sent = true;
  });
  // Answers pile up until the bound is reached, and then the server handles no more of it.
  uint64_t handled = 0;
  EXPECT_TRUE(Eventually([&] {
    const Json stats = Stats();
    // One batch of look-ups over the bound at the most: 256 answers of 8 KiB.
    EXPECT_LE(stats.at("buffered_bytes"), (64 << 10) + 257 * 8400 + Loop::kReadBytes);
    const uint64_t now = stats.at("methods_total").at("validate");
    const bool still = now == handled && stats.at("buffered_bytes") > 0;
    handled = now;
    return still;
  }));
  EXPECT_LT(handled, count);
  // Others are served meanwhile.
  EXPECT_EQ(Must("ping", Json::array()), "pong");
  std::vector<uint32_t> msgids(count);
  for (uint32_t& msgid : msgids) {
    ASSERT_EQ(slow.ReadAnswer(&msgid).result.at(3), scopes);
  }
  sender.join();
  EXPECT_TRUE(all_sent);
  std::sort(msgids.begin(), msgids.end());
  for (uint32_t i = 0; i < count; ++i) EXPECT_EQ(msgids[i], i);
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
}

TEST_F(RpcBoundsTest, AnswersThatWaitAreAsManyBytesAsMayBeAndNotOneMore) {
  config_.output_bytes_max = 512 << 10;
  config_.threads = 1;
  Start();
  InsertFat("fat");
  InsertOwned(32, 255);
  const auto buffered = [&] { return Stats().at("buffered_bytes").get<size_t>(); };
  const uint32_t msgid = 1'000'000;  // each is as long as the others
  for (const size_t below : {1, 0}) {
    RpcSocket socket(server_->unix_path());
    size_t asked = 0;
    const auto ask = [&](const std::string& token) {
      ++asked;
      SendPiece(socket, Request(msgid, "validate", {token}));
    };
    // Until the kernel takes no more: from then on all of an answer waits.
    while (buffered() == 0) ask("fat");
    const auto answer_bytes = [&](const std::string& token) {
      const size_t before = buffered();
      ask(token);
      return buffered() - before;
    };
    const size_t fat_bytes = answer_bytes("fat");
    const size_t around = answer_bytes(OwnedToken(255)) - 255;
    const size_t wanted = config_.output_bytes_max - below;
    while (wanted - buffered() > fat_bytes + 1000) ask("fat");
    while (wanted - buffered() > 2 * (around + 255)) ask(OwnedToken(255));
    const size_t two = wanted - buffered() - 2 * around;
    ask(OwnedToken(two / 2));
    ask(OwnedToken(two - two / 2));
    ASSERT_EQ(buffered(), wanted);
    const std::string next = Request(msgid, "validate", {std::string(200, 'u')});
    const size_t answer = Packed({1, msgid, nullptr, {false, "unknown"}}).size();
    if (below == 1) {
      SendPiece(socket, next);
      EXPECT_EQ(buffered(), wanted + answer);
    }
    const size_t full = buffered();
    SendPiece(socket, next);
    EXPECT_EQ(buffered(), full + next.size());  // it is not answered, and waits
    for (size_t i = 0; i < asked + 1 + below; ++i) EXPECT_TRUE(socket.ReadAnswer().ok());
    EXPECT_EQ(socket.Call("ping", Json::array()).result, "pong");
    EXPECT_TRUE(Eventually([&] { return buffered() == 0; }));
  }
}

TEST_F(RpcBoundsTest, ALogLineOrTwoAreEnoughForFullBuffers) {
  config_.message_bytes_max = 128 << 10;
  config_.buffer_bytes_max = 1 << 20;
  Start();
  InsertFat("t");
  for (int i = 0; i < 50; ++i) {
    RpcSocket stuck = Connect();
    try {
      // Some 8 MB of answers at once: more than the kernel takes and all buffers hold.
      for (int round = 0; round < 100; ++round) {
        std::string bytes;
        for (uint32_t request = 0; request < 1000; ++request) {
          bytes += Request(request, "validate", {"t"});
        }
        stuck.Send(bytes);
      }
    } catch (const std::runtime_error&) {
      // Closed on it.
    }
  }
  EXPECT_TRUE(Eventually([&] { return Stats().at("connections") == 1; }));
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
  server_->Stop();
  const std::string log = Log();
  size_t lines = 0;
  for (size_t at = log.find("buffers_full"); at != std::string::npos;
       at = log.find("buffers_full", at + 1)) {
    ++lines;
  }
  EXPECT_GT(lines, 0u);
  EXPECT_LE(lines, 2u);  // one of each loop, since the clock stands still
}

TEST_F(RpcBoundsTest, APeerThatNeverReadsIsClosedAfterAWhile) {
  config_.write_timeout_ms = 10'000;
  Start();
  InsertFat("t");
  RpcSocket stuck = Connect();
  std::thread sender([&] {
    try {
      while (true) stuck.Send(Request(1, "validate", {"t"}));
    } catch (const std::runtime_error&) {
      // Closed on it.
    }
  });
  EXPECT_TRUE(EventuallyInTime(500, [&] { return Stats().at("timeouts_total") == 1; }));
  sender.join();
  EXPECT_EQ(Stats().at("connections"), 1);
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
}

TEST_F(RpcBoundsTest, AMessageThatIsNeverFinishedEndsItsConnection) {
  config_.message_timeout_ms = 10'000;
  Start();
  RpcSocket half = Connect();
  const std::string request = Request(1, "ping", Json::array());
  half.Send(request + request.substr(0, 4));
  EXPECT_EQ(half.ReadAnswer().result, "pong");
  EXPECT_FALSE(HasClosed(half));
  EXPECT_TRUE(EventuallyInTime(500, [&] { return HasClosed(half); }));
  EXPECT_EQ(Stats().at("timeouts_total"), 1);
}

TEST_F(RpcBoundsTest, AMessageMayTakeItsTimeAndNotAMillisecondMore) {
  config_.message_timeout_ms = 10'000;
  config_.threads = 1;
  tick_ms_ = 5;
  Start();
  // The later one is looked at first.
  RpcSocket later(server_->unix_path());
  EXPECT_TRUE(later.Call("ping", Json::array()).ok());
  RpcSocket earlier(server_->unix_path());
  BeginMessage(earlier);
  clock_.Advance(1);
  BeginMessage(later);
  clock_.Advance(9'998);
  EXPECT_EQ(Stats().at("timeouts_total"), 0);
  clock_.Advance(1);
  EXPECT_TRUE(Eventually([&] { return HasClosed(earlier); }));
  EXPECT_FALSE(HasClosed(later));
  clock_.Advance(1);
  EXPECT_TRUE(Eventually([&] { return HasClosed(later); }));
  EXPECT_EQ(Stats().at("timeouts_total"), 2);
}

// Its time begins where the server first looks at it, which is a millisecond after at most.
TEST_F(RpcBoundsTest, APeerMayTakeNothingForItsTimeAndNotLonger) {
  config_.write_timeout_ms = 10'000;
  config_.message_timeout_ms = 1'000;
  config_.threads = 1;
  tick_ms_ = 5;
  Start();
  InsertFat("t");
  RpcSocket stuck(server_->unix_path());
  RpcSocket first(server_->unix_path()), second(server_->unix_path()), third(server_->unix_path());
  BeginMessage(first);
  clock_.Advance(999);
  for (uint32_t i = 0; i < 100; ++i) SendPiece(stuck, Request(i, "validate", {"t"}));
  ASSERT_GT(Stats().at("buffered_bytes"), 100'000);
  clock_.Advance(1);
  ASSERT_TRUE(EventuallyClosed(first));  // and the stuck one was looked at
  clock_.Advance(8'998);
  BeginMessage(second);
  clock_.Advance(1'000);
  ASSERT_TRUE(EventuallyClosed(second));
  EXPECT_EQ(Stats().at("timeouts_total"), 2);  // it has been 9,999 ms, and the stuck one is there
  // It takes some, and has all of its time again.
  const size_t waiting = Stats().at("buffered_bytes");
  ASSERT_TRUE(Eventually([&] {
    (void)stuck.ReadAnswer();
    return Stats().at("buffered_bytes") < waiting;
  }));
  ASSERT_GT(Stats().at("buffered_bytes"), 0);
  clock_.Advance(8'999);
  BeginMessage(third);
  clock_.Advance(1'000);
  ASSERT_TRUE(EventuallyClosed(third));
  EXPECT_EQ(Stats().at("timeouts_total"), 3);
  clock_.Advance(10'000);
  EXPECT_TRUE(Eventually([&] { return Stats().at("timeouts_total") == 4; }));
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
}

TEST_F(RpcBoundsTest, AConnectionMayBeIdleForItsTimeAndNotLonger) {
  config_.idle_timeout_ms = 60'000;
  config_.message_timeout_ms = 1'000;
  config_.threads = 1;
  tick_ms_ = 5;
  Start();
  RpcSocket idle(server_->unix_path());
  RpcSocket first(server_->unix_path()), second(server_->unix_path());
  BeginMessage(first);
  clock_.Advance(999);
  EXPECT_TRUE(idle.Call("ping", Json::array()).ok());
  clock_.Advance(1);
  ASSERT_TRUE(EventuallyClosed(first));
  clock_.Advance(58'998);
  BeginMessage(second);
  clock_.Advance(1'000);
  ASSERT_TRUE(EventuallyClosed(second));
  EXPECT_FALSE(HasClosed(idle));  // it has been 59,999 ms
  clock_.Advance(2);
  EXPECT_TRUE(EventuallyClosed(idle));
}

TEST_F(RpcBoundsTest, IdleConnectionsStayUnlessToldOtherwise) {
  Start();
  RpcSocket socket = Connect();
  EXPECT_TRUE(socket.Call("ping", Json::array()).ok());
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(24 * 3600 * 1000);
    EXPECT_EQ(Must("ping", Json::array()), "pong");
  }
  EXPECT_TRUE(socket.Call("ping", Json::array()).ok());
  EXPECT_EQ(Stats().at("timeouts_total"), 0);
}

TEST_F(RpcBoundsTest, IdleConnectionsEndAfterTheirTime) {
  config_.idle_timeout_ms = 60'000;
  Start();
  RpcSocket socket = Connect();
  EXPECT_TRUE(socket.Call("ping", Json::array()).ok());
  EXPECT_TRUE(EventuallyInTime(5'000, [&] { return HasClosed(socket); }));
}

// Its client has had nothing to say meanwhile.
TEST_F(RpcBoundsTest, AnAnswerThatTookLongerThanTheIdleTimeDoesNotEndItsConnection) {
  config_.idle_timeout_ms = 60'000;
  config_.message_timeout_ms = 1'000;
  config_.write_timeout_ms = 3'600'000;
  config_.threads = 1;
  tick_ms_ = 5;
  Start();
  InsertFat("t");
  RpcSocket writing(server_->unix_path()), reading(server_->unix_path());
  // When this returns they have been looked at.
  const auto pass_30_seconds = [&] {
    RpcSocket last(server_->unix_path());
    clock_.Advance(29'000);
    BeginMessage(last);
    clock_.Advance(1'000);
    ASSERT_TRUE(EventuallyClosed(last));
  };
  for (uint32_t i = 0; i < 100; ++i) SendPiece(reading, Request(i, "validate", {"t"}));
  WriteGate gate(&server_->store());
  SendPiece(writing, Request(1, "insert", {{{"token", "new"}}}));
  for (int i = 0; i < 3; ++i) {
    pass_30_seconds();
    for (int answer = 0; answer < 10; ++answer) (void)reading.ReadAnswer();
  }
  gate.Open();
  EXPECT_TRUE(writing.ReadAnswer().ok());
  for (int i = 0; i < 70; ++i) EXPECT_TRUE(reading.ReadAnswer().ok());
  pass_30_seconds();
  EXPECT_TRUE(writing.Call("ping", Json::array()).ok());
  EXPECT_TRUE(reading.Call("ping", Json::array()).ok());
}

TEST_F(RpcBoundsTest, AConnectionThatSaysSomethingInTimeStays) {
  config_.idle_timeout_ms = 60'000;
  Start();
  RpcSocket busy = Connect();
  RpcSocket idle = Connect();
  EXPECT_TRUE(idle.Call("ping", Json::array()).ok());
  EXPECT_TRUE(EventuallyInTime(5'000, [&] {
    EXPECT_EQ(busy.Call("ping", Json::array()).result, "pong");
    return HasClosed(idle);
  }));
  EXPECT_EQ(busy.Call("ping", Json::array()).result, "pong");
}

TEST_F(RpcBoundsTest, APipelineIsReadNoFurtherThanItsBoundAndAnsweredInFull) {
  config_.pipeline_max = 2;
  Start();
  RpcSocket socket = Connect();
  std::string bytes;
  for (uint32_t i = 0; i < 200; ++i) {
    bytes += Request(i, "insert", Json::array({{{"token", "t" + std::to_string(i)}}}));
  }
  socket.Send(bytes);
  for (uint32_t i = 0; i < 200; ++i) {
    uint32_t msgid = 0;
    EXPECT_TRUE(socket.ReadAnswer(&msgid).ok());
    EXPECT_EQ(msgid, i);  // writes are answered in order
  }
  EXPECT_EQ(Must("count", Json::array()), 200);
}

TEST_F(RpcBoundsTest, RequestsThatWaitAreAsManyAsMayBeAndNotOneMore) {
  config_.pipeline_max = 3;
  Start();
  RpcSocket socket = Connect();
  const auto insert = [&](uint32_t msgid) {
    socket.Send(Request(msgid, "insert", {{{"token", "t" + std::to_string(msgid)}}}));
  };
  const auto inserts = [&] { return Stats().at("methods_total").value("insert", 0); };
  const auto next_msgid = [&] {
    uint32_t msgid = 0;
    EXPECT_TRUE(socket.ReadAnswer(&msgid).ok());
    return msgid;
  };
  WriteGate gate(&server_->store());
  insert(1);
  insert(2);
  socket.Send(Request(10, "ping", Json::array()));
  EXPECT_EQ(next_msgid(), 10u);  // below
  insert(3);
  EXPECT_TRUE(Eventually([&] { return inserts() == 3; }));  // at
  socket.Send(Request(11, "ping", Json::array()));
  insert(4);  // above, as is the ping before it
  for (int i = 0; i < 20; ++i) EXPECT_EQ(inserts(), 3);
  gate.Open();
  std::vector<uint32_t> msgids;
  for (int i = 0; i < 5; ++i) msgids.push_back(next_msgid());
  EXPECT_EQ(msgids[0], 1u);
  std::sort(msgids.begin(), msgids.end());
  EXPECT_EQ(msgids, (std::vector<uint32_t>{1, 2, 3, 4, 11}));
}

TEST_F(RpcBoundsTest, NamespacesAreAsManyAsMayBeAndNotOneMore) {
  config_.namespaces_max = 3;
  Start();
  const auto insert = [&](const char* name) {
    return Call("insert", {{{"token", "t"}, {"namespace", name}}});
  };
  EXPECT_TRUE(insert("first").ok());
  EXPECT_TRUE(insert("second").ok());  // with "default" that is three
  const Answer answer = insert("third");
  EXPECT_EQ(answer.code(), "too_large");
  EXPECT_THAT(answer.message(), HasSubstr("no more than 3 may be made; raise namespaces_max"));
  EXPECT_EQ(Call("import_begin", {{{"namespace", "third"}}}).code(), "too_large");
  EXPECT_EQ(Call("validate", {"t", "third"}).code(), "unknown_namespace");
  EXPECT_EQ(Must("revoke", {"t", "second"}), true);
  EXPECT_EQ(Must("validate", {"t", "first"}).at(0), true);
  config_.namespaces_max = 4;
  Restart();
  EXPECT_TRUE(insert("third").ok());
  EXPECT_EQ(insert("fourth").code(), "too_large");
}

TEST_F(RpcBoundsTest, AFullWriteQueueIsBusyAndWhatWasTakenIsDone) {
  config_.queue_mutations_max = 3;
  Start();
  RpcSocket socket = Connect();
  std::string bytes;
  const uint32_t count = 2000;
  for (uint32_t i = 0; i < count; ++i) {
    bytes += Request(i, "insert", Json::array({{{"token", "t" + std::to_string(i)}}}));
  }
  socket.Send(bytes);
  uint64_t done = 0, busy = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Answer answer = socket.ReadAnswer();
    if (answer.ok()) ++done;
    if (answer.code() == "busy") ++busy;
  }
  EXPECT_EQ(done + busy, count);
  EXPECT_GT(done, 0u);
  EXPECT_GT(busy, 0u);
  EXPECT_EQ(Must("count", Json::array()), done);
}

TEST_F(RpcBoundsTest, AFullQueryQueueIsBusy) {
  config_.query_threads = 1;
  config_.query_queue_max = 1;
  Start();
  RpcSocket socket = Connect();
  std::string bytes;
  const uint32_t count = 2000;
  for (uint32_t i = 0; i < count; ++i) bytes += Request(i, "list", Json::array());
  socket.Send(bytes);
  uint64_t done = 0, busy = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Answer answer = socket.ReadAnswer();
    if (answer.ok()) ++done;
    if (answer.code() == "busy") ++busy;
  }
  EXPECT_EQ(done + busy, count);
  EXPECT_GT(done, 0u);
  EXPECT_GT(busy, 0u);
}

TEST_F(RpcBoundsTest, WhatCannotBeAskedOfTheDiskIsUnavailableAndNeverInvalid) {
  config_.query_threads = 1;
  config_.query_queue_max = 1;
  Start();
  Must("insert", {{{"token", "t"}}});
  TokenTable& table = server_->store().table();
  table.SetMissesUnavailable(true);
  table.Erase(server_->store().namespaces()->at("default").id, TokenKey::FromBytes(KeyOf("t")));
  RpcSocket socket = Connect();
  std::string bytes;
  const uint32_t count = 2000;
  for (uint32_t i = 0; i < count; ++i) {
    bytes +=
        i % 2 ? Request(i, "validate", {"t"}) : Request(i, "validate_many", Json::array({{"t"}}));
  }
  socket.Send(bytes);
  const Json valid = {true, nullptr, nullptr, Json::array()};
  const Json unavailable = {nullptr, "unavailable"};
  uint64_t known = 0, unknown = 0;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t msgid = 0;
    const Answer answer = socket.ReadAnswer(&msgid);
    const bool single = msgid % 2;
    const Json verdict = single || !answer.ok() ? answer.result : answer.result.at(0);
    if (verdict == valid) {
      ++known;
    } else if (single ? answer.code() == "unavailable" : verdict == unavailable) {
      ++unknown;
    } else {
      ADD_FAILURE() << ::testing::PrintToString(answer);
    }
  }
  EXPECT_GT(known, 0u);
  EXPECT_GT(unknown, 0u);
  EXPECT_EQ(known + unknown, count);
}

TEST_F(RpcBoundsTest, AtTheMemoryLimitInsertsAreRefusedAndNothingLiveGoes) {
  config_.memory_bytes_max = 1 << 18;
  Start();
  int stored = 0;
  Answer answer;
  while ((answer = Call("insert", {{{"token", "t" + std::to_string(stored)}}})).ok()) {
    ASSERT_LT(++stored, 20'000);
  }
  EXPECT_EQ(answer.code(), "memory_limit");
  EXPECT_THAT(answer.message(), HasSubstr("raise memory_bytes_max"));
  EXPECT_EQ(Call("issue", Json::array()).code(), "memory_limit");
  EXPECT_EQ(
      Must("insert_many", Json::array({{{{"token", "x"}}, {{"token", "t0"}}}})).at(0).at("code"),
      "memory_limit");
  const std::string import = Must("import_begin", Json::array());
  EXPECT_EQ(Call("import_rows", Json::array({import, {{{"token", "row"}}}})).code(),
            "memory_limit");
  EXPECT_EQ(Call("rotate", {"t0"}).code(), "memory_limit");
  for (int i = 0; i < stored; ++i) {
    ASSERT_EQ(Must("validate", {"t" + std::to_string(i)}).at(0), true) << i;
  }
  EXPECT_EQ(Must("revoke", {"t0"}), true);
  const Json stats = Stats();
  EXPECT_LE(stats.at("slot_bytes").get<uint64_t>() + stats.at("index_bytes").get<uint64_t>() +
                stats.at("wheel_bytes").get<uint64_t>() + stats.at("owner_bytes").get<uint64_t>(),
            config_.memory_bytes_max);
  EXPECT_EQ(stats.at("tokens"), stored);
}

TEST_F(RpcBoundsTest, ImportsThatHaveEndedAreForgottenAndOpenOnesAreNot) {
  OpenImports imports;
  imports.Add("open", "ns");
  for (int i = 0; i < 20'000; ++i) {
    imports.Add("import-" + std::to_string(i), "other");
    imports.Remove("import-" + std::to_string(i));
  }
  EXPECT_EQ(imports.Find("open"), "ns");
  EXPECT_EQ(imports.Find("import-7"), std::nullopt);
  Start();
  const std::string import = Must("import_begin", Json::array());
  Must("import_end", {import});
  EXPECT_EQ(Call("import_rows", Json::array({import, Json::array()})).code(), "bad_params");
}

TEST_F(RpcBoundsTest, SettingsShowInHello) {
  config_.message_bytes_max = 200'000;
  config_.nesting_max = 9;
  config_.many_max = 2;
  Start();
  EXPECT_EQ(Must("hello", Json::array()).at("limits"),
            Json({{"message_bytes", 200'000}, {"nesting", 9}, {"many", 2}}));
  EXPECT_EQ(Call("validate_many", Json::array({{"a", "b", "c"}})).code(), "too_large");
  EXPECT_EQ(Connect().CallEncoded("ping", Nested(9)).code(), "too_large");
}

}  // namespace
}  // namespace tokend::testing
