// A whole server, spoken to over its sockets: whatever comes in, what goes out is well-formed, the
// connection ends, and the server goes on. The first byte chooses the protocol, the second where
// the bytes are cut into two writes.
#include <algorithm>
#include <string>

#include "protocol/rpc.h"
#include "tests/fuzz/running_server.h"

namespace {

using namespace tokend;
using fuzz::Require;

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
  static fuzz::RunningServer server;
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
