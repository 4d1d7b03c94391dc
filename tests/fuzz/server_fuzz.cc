// A whole server, spoken to over its sockets: whatever comes in, what goes out is well-formed, the
// connection ends, and the server goes on. The first byte chooses the protocol, the second where
// the bytes are cut into two writes.
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>

#include "protocol/digest.h"
#include "protocol/rpc.h"
#include "server/server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/rpc_socket.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace tokend;
using fuzz::Require;

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

void CheckRpc(std::string_view answers) {
  while (!answers.empty()) {
    const ResponseFrame frame = ReadResponseFrame(answers, RpcLimits());
    // The kernel drops the rest where the server closed before it had read everything.
    if (frame.result == ResponseResult::kNeedMore) return;
    Require(
        frame.result == ResponseResult::kResponse || frame.result == ResponseResult::kNotification,
        "answers are messages");
    answers.remove_prefix(frame.size);
  }
}

void CheckHttp(std::string_view answers) {
  Require(answers.empty() || answers.starts_with("HTTP/1.1 "), "an answer is HTTP");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static RunningServer server;
  std::string_view bytes = fuzz::View(data, size);
  const bool http = (fuzz::TakeByte(&bytes) & 1) != 0;
  const size_t cut = bytes.size() * fuzz::TakeByte(&bytes) / 256;
  const size_t at = std::min(cut, bytes.size());
  const std::string answers = server.Ask(http, bytes.substr(0, at), bytes.substr(at));
  if (http) {
    CheckHttp(answers);
  } else {
    CheckRpc(answers);
  }
  return 0;
}
