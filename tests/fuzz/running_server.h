// A server for the fuzz targets that speak to one over its sockets.
#pragma once

#include <spdlog/sinks/null_sink.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "protocol/digest.h"
#include "server/server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/rpc_socket.h"
#include "tests/support/temp_dir.h"

namespace tokend::fuzz {

class RunningServer {
 public:
  RunningServer()
      : log_(LogLevel::kOff, LogFormat::kText, std::make_shared<spdlog::sinks::null_sink_mt>()) {
    std::signal(SIGPIPE, SIG_IGN);
    // What OpenSSL allots to the thread that uses it first it does not free with that thread, which
    // passes for a leak where that is a loop's.
    (void)Digester();
    Config config;
    config.data_dir = dir_.path() + "/data";
    config.listen = "127.0.0.1:0";
    config.http = "127.0.0.1:0";
    config.unix_path = "off";
    config.threads = 1;
    config.tokens_max = 1 << 16;
    config.durability = "none";
    config.message_bytes_max = 128 << 10;
    config.buffer_bytes_max = 1 << 20;
    config.backup_dir = "/dev/null/nowhere";  // a backup a run would fill the disk
    const Status status = Server::Start(config, {}, log_, &server_);
    Require(status.ok(), "the server starts");
    server_->store().WaitUntilLoaded();
  }
  // Everything that comes back until the server hangs up.
  std::string Ask(bool http, std::string_view first, std::string_view second) {
    testing::ClientSocket socket(http ? server_->http_endpoints().at(0)
                                      : server_->rpc_endpoints().at(0));
    try {
      socket.Send(first);
      socket.Send(second);
    } catch (const std::runtime_error&) {
      // It has hung up by then.
    }
    socket.ShutdownWrites();
    std::string answers;
    for (std::string more = socket.Receive(); !more.empty(); more = socket.Receive()) {
      answers += more;
    }
    return answers;
  }

 private:
  TempDir dir_;
  Logger log_;
  std::unique_ptr<Server> server_;
};

}  // namespace tokend::fuzz
