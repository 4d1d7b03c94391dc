// A server inside the test, on a directory, ports and a clock of its own.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "protocol/digest.h"
#include "server/server.h"
#include "tests/support/manual_clock.h"
#include "tests/support/rpc_socket.h"
#include "tests/support/temp_dir.h"

namespace tokend::testing {

class ServerFixture : public ::testing::Test {
 protected:
  // Settings may be changed here before Start().
  ServerFixture() : log_(LogLevel::kDebug, LogFormat::kText, Sink()) {
    std::signal(SIGPIPE, SIG_IGN);  // as main does: a peer that is gone is an error of write()
    config_.data_dir = dir_.path() + "/data";
    config_.listen = "127.0.0.1:0";
    config_.http = "127.0.0.1:0";
    config_.threads = 2;
    config_.tokens_max = 1 << 20;
    config_.drain_ms = 60'000;
  }
  ~ServerFixture() override {
    connection_.reset();
    server_.reset();
  }

  void Start() {
    const Status status = TryStart();
    ASSERT_TRUE(status.ok()) << status.message();
    server_->store().WaitUntilLoaded();
  }
  Status TryStart() {
    const Status checked = CheckConfig(config_);
    if (!checked.ok()) return checked;
    return Server::Start(config_, {.clock = &clock_, .env = nullptr, .tick_ms = tick_ms_}, log_,
                         &server_);
  }
  void Restart() {
    connection_.reset();
    server_.reset();
    Start();
  }

  RpcSocket Connect() { return RpcSocket(server_->rpc_endpoints().at(0)); }
  ClientSocket ConnectHttp() { return ClientSocket(server_->http_endpoints().at(0)); }
  // On a connection that stays.
  Answer Call(std::string_view method, const Json& params) {
    if (connection_ == nullptr) connection_ = std::make_unique<RpcSocket>(Connect());
    return connection_->Call(method, params);
  }
  Answer Call(std::string_view method, Params params) {
    return Call(method, Json(Json::array_t(params)));
  }
  // The result, of a call that must succeed.
  Json Must(std::string_view method, const Json& params) {
    const Answer answer = Call(method, params);
    EXPECT_TRUE(answer.ok()) << method << ": " << answer.error;
    return answer.result;
  }
  Json Must(std::string_view method, Params params) {
    return Must(method, Json(Json::array_t(params)));
  }
  Json Stats() { return Must("stats", Json::array()); }

  // Until it holds, or the test has failed for good.
  static bool Eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  static std::string KeyOf(const std::string& token) {
    Digester digester;
    return std::string(digester.Digest(DigestScheme::kSha256, token).view());
  }
  static std::string IdOf(const std::string& token) {
    return ToHex(TokenId::Of(TokenKey::FromBytes(KeyOf(token))));
  }

  // What was logged so far. Not while the server writes: after Stop(), or where nothing happens.
  std::string Log() const { return log_text_.str(); }

  TempDir dir_;
  ManualClock clock_;
  uint64_t tick_ms_ = ServerParts().tick_ms;
  Config config_;
  std::ostringstream log_text_;
  Logger log_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RpcSocket> connection_;

 private:
  std::shared_ptr<spdlog::sinks::sink> Sink() {
    return std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_);
  }
};

}  // namespace tokend::testing
