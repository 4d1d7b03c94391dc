// An HTTP/1.1 connection: health checks. Keep-alive and pipelining; Boost.Beast's parser does the
// reading of requests, without any I/O of its own.
//
// Loop thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "server/stream.h"

namespace tokend {

class HttpConnection final : public Stream {
 public:
  HttpConnection(Loop& loop, StreamRef ref);
  ~HttpConnection() override;

  void Refuse(std::string_view why) override;

 private:
  struct Parser;
  struct Response;

  void OnBytes(std::string_view bytes) override;
  void OnOutputTaken() override;
  bool HasWork() const override { return paused_; }
  bool IsOverdue(uint64_t steady_ms, bool active) override;

  // Parses and answers what is whole in held_.
  void HandleHeld();
  // Answers the request in the parser; false if the connection ends with it.
  bool Answer();
  void Write(const Response& response);
  // The last answer on this connection.
  void End(const Response& response);

  std::unique_ptr<Parser> parser_;  // of the request that is coming in; null between requests
  std::string held_;                // bytes that the parser has not taken
  bool paused_ = false;             // until output is taken
  uint64_t request_since_ms_ = 0;   // when the request in the parser began
  bool swept_ = false;
  uint64_t active_at_ms_ = 0;  // sweep that last found it busy
};

}  // namespace tokend
