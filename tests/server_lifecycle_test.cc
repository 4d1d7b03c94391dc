// How a server starts, is refused, and ends.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "server/limits.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ServerLifecycleTest : public ServerFixture {};

class ServerDiskFaultTest : public ServerFixture {
 protected:
  ServerDiskFaultTest()
      : files_(std::make_shared<FaultFileSystem>()), env_(rocksdb::NewCompositeEnv(files_)) {}
  ~ServerDiskFaultTest() override {
    connection_.reset();
    server_.reset();  // before its env
  }

  void StartOnFaultyDisk() {
    const Status status =
        Server::Start(config_, {.clock = &clock_, .env = env_.get()}, log_, &server_);
    ASSERT_TRUE(status.ok()) << status.message();
    server_->store().WaitUntilLoaded();
  }
  std::string Http(const std::string& path) {
    ClientSocket http = ConnectHttp();
    http.Send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return http.Receive();
  }

  std::shared_ptr<FaultFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_F(ServerLifecycleTest, ReportsWhereItListens) {
  config_.listen = "127.0.0.1:0,[::1]:0";
  Start();
  ASSERT_EQ(server_->rpc_endpoints().size(), 2u);
  for (const Endpoint& endpoint : server_->rpc_endpoints()) {
    EXPECT_NE(endpoint.port(), 0);
    EXPECT_EQ(RpcSocket(endpoint).Call("ping", Json::array()).result, "pong");
    EXPECT_THAT(Log(), HasSubstr("listening protocol=rpc address=" + endpoint.ToString() + "\n"));
  }
  EXPECT_TRUE(server_->rpc_endpoints()[1].ToString().starts_with("[::1]:"));
  EXPECT_EQ(server_->unix_path(), config_.data_dir + "/tokend.sock");
  EXPECT_THAT(Log(), HasSubstr("listening protocol=rpc address=unix:" + server_->unix_path()));
  EXPECT_THAT(Log(), HasSubstr("listening protocol=http address=" +
                               server_->http_endpoints().at(0).ToString()));
  EXPECT_THAT(Log(), HasSubstr("info start version="));
  EXPECT_EQ(RpcSocket(server_->unix_path()).Call("ping", Json::array()).result, "pong");
}

TEST_F(ServerLifecycleTest, HttpOverIpv6) {
  config_.http = "[::1]:0";
  Start();
  ClientSocket socket = ConnectHttp();
  socket.Send("GET /livez HTTP/1.1\r\nHost: [::1]\r\n\r\n");
  EXPECT_THAT(socket.Receive(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerLifecycleTest, EveryListenerCanBeOff) {
  config_.listen = config_.http = config_.unix_path = "off";
  Start();
  EXPECT_TRUE(server_->rpc_endpoints().empty());
  EXPECT_TRUE(server_->http_endpoints().empty());
  EXPECT_EQ(server_->unix_path(), "");
  EXPECT_FALSE(std::filesystem::exists(config_.data_dir + "/tokend.sock"));
}

TEST_F(ServerLifecycleTest, WithOneLoopAndWithMany) {
  for (const uint64_t threads : {1, 5}) {
    config_.threads = threads;
    Start();
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(Connect().Call("ping", Json::array()).result, "pong");
      EXPECT_EQ(RpcSocket(server_->unix_path()).Call("ping", Json::array()).result, "pong");
    }
    EXPECT_EQ(Stats().at("loops").size(), threads);
    connection_.reset();
    server_.reset();
  }
}

TEST_F(ServerLifecycleTest, ASecondServerOnTheSameDirectoryIsRefused) {
  Start();
  std::unique_ptr<Server> second;
  const Status status = Server::Start(config_, {.clock = &clock_, .env = nullptr}, log_, &second);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr(config_.data_dir));
  EXPECT_THAT(status.message(), HasSubstr("in use"));
  EXPECT_EQ(second, nullptr);
  EXPECT_EQ(RpcSocket(server_->unix_path()).Call("ping", Json::array()).result, "pong");
}

TEST_F(ServerLifecycleTest, ASecondServerOnTheSamePortOrPathIsRefused) {
  Start();
  const std::string address = server_->rpc_endpoints()[0].ToString();
  const std::string http = server_->http_endpoints()[0].ToString();
  Config other = config_;
  other.data_dir = dir_.path() + "/other";
  const auto start = [&] {
    std::unique_ptr<Server> second;
    const Status status = Server::Start(other, {.clock = &clock_, .env = nullptr}, log_, &second);
    EXPECT_EQ(second, nullptr);
    return status.message();
  };
  other.listen = address;
  EXPECT_THAT(start(), HasSubstr(address + ": in use"));
  other.listen = "off";
  other.http = http;
  EXPECT_THAT(start(), HasSubstr(http + ": in use"));
  other.http = "off";
  other.unix_path = server_->unix_path();
  EXPECT_THAT(start(), HasSubstr(server_->unix_path() + ": in use"));
  // What was refused has left nothing in the way, and the first one serves.
  EXPECT_EQ(Must("ping", Json::array()), "pong");
  EXPECT_EQ(RpcSocket(server_->unix_path()).Call("ping", Json::array()).result, "pong");
}

TEST_F(ServerLifecycleTest, TheSocketOfADeadServerIsReplacedAndRemovedAtTheEnd) {
  Start();
  const std::string path = server_->unix_path();
  connection_.reset();
  server_->Stop();
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    // As kill -9 leaves it.
    std::vector<UniqueFd> dead;
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  Start();
  EXPECT_EQ(RpcSocket(path).Call("ping", Json::array()).result, "pong");
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST_F(ServerLifecycleTest, NamespacesOfTheSettingsAreThere) {
  config_.namespaces = {{"sessions", DigestScheme::kSha256},
                        {"pat", DigestScheme::kSha256AfterBar}};
  Start();
  EXPECT_EQ(Must("validate", {"t", "sessions"}).at(1), "unknown");
  Must("insert", {{{"token", "1|x"}, {"namespace", "pat"}}});
  EXPECT_EQ(Must("validate", {"x", "pat"}).at(0), true);
  Restart();  // they are there already
  EXPECT_EQ(Must("validate", {"x", "pat"}).at(0), true);
  connection_.reset();
  server_.reset();
  config_.namespaces[1].scheme = DigestScheme::kSha256;
  const Status status = TryStart();
  EXPECT_THAT(status.message(), HasSubstr("\"pat\" has the digest scheme sha256-after-bar"));
}

TEST_F(ServerLifecycleTest, WhatWasAnsweredIsThereAfterARestart) {
  Start();
  Must("insert", {{{"token", "kept"}, {"owner", "bob"}}});
  Must("insert", {{{"token", "revoked"}}});
  Must("revoke", {"revoked"});
  const std::string issued = Must("issue", Json::array()).at("token");
  Restart();
  EXPECT_EQ(Must("validate", {"kept"}).at(2), "bob");
  EXPECT_EQ(Must("validate", {"revoked"}).at(1), "revoked");
  EXPECT_EQ(Must("validate", {issued}).at(0), true);
}

TEST_F(ServerLifecycleTest, StopAnswersWhatIsUnderWayAndClosesEveryConnection) {
  Start();
  RpcSocket idle = Connect();
  EXPECT_TRUE(idle.Call("ping", Json::array()).ok());
  ClientSocket http = ConnectHttp();
  RpcSocket busy = Connect();
  std::string bytes;
  const uint32_t count = 500;
  for (uint32_t i = 0; i < count; ++i) {
    bytes += Request(i, "insert", Json::array({{{"token", "t" + std::to_string(i)}}}));
  }
  busy.Send(bytes);
  uint32_t msgid = 0;
  EXPECT_TRUE(busy.ReadAnswer(&msgid).ok());  // so they are all under way: they came in one read
  server_->Stop();
  for (uint32_t i = 1; i < count; ++i) EXPECT_TRUE(busy.ReadAnswer(&msgid).ok());
  EXPECT_EQ(busy.Read(), std::nullopt);
  EXPECT_EQ(idle.Read(), std::nullopt);
  EXPECT_EQ(http.Receive(), "");
  EXPECT_THROW(Connect(), std::runtime_error);
  EXPECT_THAT(Log(), HasSubstr("info stopped\n"));
  Start();
  EXPECT_EQ(Must("count", Json::array()), count);
}

TEST_F(ServerLifecycleTest, StopWaitsForAPeerThatDoesNotReadNoLongerThanToldTo) {
  config_.drain_ms = 10'000;
  Start();
  Json scopes = Json::array();
  for (int i = 0; i < 64; ++i) scopes.push_back(std::string(126, 's') + std::to_string(10 + i));
  Must("insert", {{{"token", "t"}, {"scopes", scopes}}});
  connection_.reset();
  RpcSocket stuck = Connect();
  std::thread sender([&] {
    try {
      while (true) stuck.Send(Request(1, "validate", {"t"}));
    } catch (const std::runtime_error&) {
      // Closed on it.
    }
  });
  RpcSocket watch = Connect();
  ASSERT_TRUE(Eventually(
      [&] { return watch.Call("stats", Json::array()).result.at("buffered_bytes") > 1 << 20; }));
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    server_->Stop();
    stopped = true;
  });
  // Nothing but the clock ends it.
  EXPECT_EQ(watch.Read(), std::nullopt);  // it is draining
  EXPECT_FALSE(stopped);
  clock_.Advance(9'999);
  EXPECT_FALSE(stopped);
  clock_.Advance(1);
  stopper.join();
  sender.join();
}

TEST_F(ServerLifecycleTest, StopsBeforeAnyConnectionAndTwice) {
  Start();
  server_->Stop();
  server_->Stop();
}

TEST_F(ServerLifecycleTest, LogsNeverHoldAToken) {
  Start();
  const std::string secret = "sekrit-0123456789abcdefghijklmnopqrstuvwxyz";
  std::string issued;
  {
    RpcSocket socket = Connect();
    for (const char* method : {"validate", "revoke", "get", "extend", "rotate", "insert", "issue",
                               "list", "validate_many", "import_begin", "nothing"}) {
      socket.Call(method, {secret});
      socket.Call(method, {{{"token", secret}}});
      socket.Call(method, {{{secret, secret}}});
      socket.Call(method, {{secret, secret}, secret});
      socket.Send(Notification(method, {secret}));
      socket.Send(Notification(method, Json::array({{{"token", secret}}})));
    }
    socket.Call(secret, Json::array());
    socket.Send(Notification(secret, Json::array()));
    issued = socket.Call("issue", Json::array()).result.at("token");
    socket.Send(secret);
    EXPECT_THAT(socket.ReadProtocolError(), Not(HasSubstr(secret)));
    ClientSocket http = ConnectHttp();
    http.Send("GET /" + secret + " HTTP/1.1\r\nAuthorization: Bearer " + secret + "\r\n\r\n");
    EXPECT_THAT(http.Receive(), Not(HasSubstr(secret)));
  }
  server_->Stop();
  EXPECT_THAT(Log(), Not(HasSubstr(secret)));
  EXPECT_THAT(Log(), Not(HasSubstr(issued)));
}

TEST_F(ServerDiskFaultTest, AFailedFsyncMakesItReadOnlyAndUnready) {
  StartOnFaultyDisk();
  Must("insert", {{{"token", "a"}}});
  Must("insert", {{{"token", "b"}}});
  files_->Fail(FaultFileSystem::Operation::kSync, rocksdb::IOStatus::IOError("the disk is gone"));
  EXPECT_FALSE(Call("insert", {{{"token", "c"}}}).ok());
  EXPECT_EQ(Call("insert", {{{"token", "d"}}}).code(), "read_only");
  EXPECT_EQ(Stats().at("state"), "read_only");
  EXPECT_THAT(std::string(Stats().at("read_only_reason")), HasSubstr("the disk is gone"));
  EXPECT_EQ(Must("validate", {"a"}).at(0), true);
  EXPECT_EQ(Must("validate", {"c"}).at(1), "unknown");
  // Deny fails closed: it holds in memory, and its sender knows that it is not durable.
  EXPECT_EQ(Call("revoke", {"a"}).code(), "not_durable");
  EXPECT_EQ(Must("validate", {"a"}).at(1), "revoked");
  const std::string answer = Http("/readyz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\nread_only\n"));
  EXPECT_THAT(Http("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  // It stays so, whatever the disk says later.
  files_->Heal();
  clock_.Advance(60'000);
  server_->store().Maintain();
  EXPECT_EQ(Call("insert", {{{"token", "d"}}}).code(), "read_only");
  EXPECT_THAT(Log(), HasSubstr("error read_only reason="));
}

TEST_F(ServerDiskFaultTest, ADiskNearlyFullTakesRevokesAndThenEverythingAgain) {
  StartOnFaultyDisk();
  Must("insert", {{{"token", "a"}}});
  files_->SetFreeBytes(100 << 20);
  server_->store().Maintain();
  const auto refused = Call("insert", {{{"token", "b"}}});
  EXPECT_EQ(refused.code(), "read_only");
  EXPECT_THAT(refused.message(), HasSubstr("make room"));
  EXPECT_EQ(Stats().at("state"), "read_only");
  EXPECT_THAT(Http("/readyz"), ::testing::EndsWith("\r\n\r\nread_only\n"));
  Must("revoke", {"a"});
  EXPECT_EQ(Must("validate", {"a"}).at(1), "revoked");
  files_->SetFreeBytes(uint64_t{1} << 40);
  server_->store().Maintain();
  Must("insert", {{{"token", "b"}}});
  EXPECT_EQ(Stats().at("state"), "ready");
  EXPECT_EQ(Stats().at("read_only_reason"), "");
  EXPECT_THAT(Http("/readyz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(Log(), HasSubstr("writable"));
}

TEST_F(ServerLifecycleTest, AClockThatIsSetIsLogged) {
  Start();
  const uint64_t right_ms = clock_.NowMs();
  clock_.SetWall(right_ms + 3'600'000);
  server_->store().Maintain();
  EXPECT_THAT(Log(), HasSubstr("warning clock_jumped_ahead ms=3600000 disk_reclaiming="));
  clock_.SetWall(right_ms);
  server_->store().Maintain();
  EXPECT_THAT(Log(), HasSubstr("warning clock_jumped_back ms=3600000 while_stopped=false"));
  clock_.SetWall(right_ms + 7'200'000);
  Restart();
  EXPECT_THAT(Log(), HasSubstr("info clock_ahead_of_last_run ms="));
  clock_.SetWall(right_ms - 3'600'000);
  Restart();
  EXPECT_THAT(Log(), HasSubstr("warning clock_jumped_back ms=3600000 while_stopped=true"));
}

TEST_F(ServerLifecycleTest, AClockThatStaysAheadIsAcceptedAndThatIsLogged) {
  config_.clock_gap_accept_ms = 60'000;
  Start();
  clock_.SetWall(clock_.NowMs() + 365ull * 24 * 3'600'000);
  server_->store().Maintain();
  clock_.Advance(59'999);
  server_->store().Maintain();
  EXPECT_THAT(Log(), Not(HasSubstr("clock_gap_accepted")));
  clock_.Advance(1);
  server_->store().Maintain();
  EXPECT_THAT(Log(), HasSubstr("info clock_gap_accepted ms="));
}

TEST_F(ServerLifecycleTest, AClockThatGoesBackBehindWhatHasExpiredIsLogged) {
  Start();
  Must("insert", {{{"token", "t"}, {"ttl_ms", 1'000}}});
  const uint64_t right_ms = clock_.NowMs();
  clock_.SetWall(right_ms + 3'600'000);
  EXPECT_TRUE(Eventually([&] {
    server_->store().Maintain();
    return Stats().at("tokens") == 0;  // memory has dropped it
  }));
  EXPECT_THAT(Log(), Not(HasSubstr("clock_went_back")));
  clock_.SetWall(right_ms);
  server_->store().Maintain();
  EXPECT_THAT(Log(), HasSubstr("warning clock_went_back ms=1000 reading_back="));
  EXPECT_EQ(Must("validate", {"t"}).at(0), true);
}

TEST_F(ServerLifecycleTest, WhatIsNotLoadedIsJudgedAllTheSameAndItIsNotReady) {
  Start();
  EXPECT_THAT(Log(), HasSubstr("info loaded records=0 "));
  for (int i = 0; i < 50; ++i) {
    Must("insert", {{{"token", "t" + std::to_string(i)}, {"owner", std::to_string(i)}}});
  }
  Must("revoke", {"t0"});
  // Loading goes on for ever where there is no memory for it.
  config_.memory_bytes_max = 1;
  Restart();
  EXPECT_THAT(Log(), HasSubstr("error load_failed error="));
  EXPECT_EQ(Stats().at("state"), "loading");
  EXPECT_NE(Stats().at("load_error"), "");
  ClientSocket http = ConnectHttp();
  http.Send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(http.Receive(), ::testing::AllOf(StartsWith("HTTP/1.1 503 "),
                                               ::testing::EndsWith("\r\n\r\nloading\n")));
  EXPECT_EQ(Must("validate", {"t0"}), Json({false, "revoked"}));
  for (int i = 1; i < 50; ++i) {
    EXPECT_EQ(Must("validate", {"t" + std::to_string(i)}),
              Json({true, nullptr, std::to_string(i), Json::array()}));
  }
  EXPECT_EQ(Must("validate", {"never was"}), Json({false, "unknown"}));
  Must("revoke", {"t1"});
  EXPECT_EQ(Must("validate", {"t1"}), Json({false, "revoked"}));
  EXPECT_EQ(Call("insert", {{{"token", "new"}}}).code(), "memory_limit");
}

TEST_F(ServerLifecycleTest, ADirectoryThatCannotBeUsedIsNamed) {
  std::ofstream(dir_.path() + "/file") << "no directory";
  config_.data_dir = dir_.path() + "/file";
  const Status status = TryStart();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr(config_.data_dir));
}

TEST_F(ServerLifecycleTest, ALowBoundOnOpenFilesIsWarnedOf) {
  config_.connections_max = 10'000'000;
  RaiseOpenFileLimit(config_, log_);
  EXPECT_THAT(Log(), HasSubstr("warning open_file_limit_low limit="));
  EXPECT_THAT(Log(), HasSubstr("wanted=10001024 connections_max=10000000"));
  log_text_.str("");
  config_.connections_max = 1;
  RaiseOpenFileLimit(config_, log_);
  EXPECT_EQ(Log(), "");
}

}  // namespace
}  // namespace tokend::testing
