#include "server/http_connection.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>

#include "server/context.h"
#include "server/loop.h"

namespace tokend {
namespace {

namespace http = boost::beast::http;

// Nothing here takes a body; one that comes along is read and passed over.
constexpr uint64_t kBodyBytesMax = 64 << 10;
constexpr unsigned kRetryAfterSeconds = 1;

}  // namespace

struct HttpConnection::Parser {
  http::request_parser<http::string_body> request;
  size_t header_bytes = 0;  // so far, with the request line
};

struct HttpConnection::Response {
  unsigned status = 200;
  std::string_view reason = "OK";
  std::string_view body = {};          // text/plain, with its newline
  std::string_view more_headers = {};  // whole lines
  bool is_head = false;                // no body is sent, but its length is
  bool keep_alive = true;
};

HttpConnection::HttpConnection(Loop& loop, StreamRef ref) : Stream(loop, ref) {}
HttpConnection::~HttpConnection() = default;

void HttpConnection::Refuse(std::string_view why) {
  const std::string body = fmt::format("{}\n", why);
  End({.status = 503, .reason = "Service Unavailable", .body = body});
}

void HttpConnection::OnBytes(std::string_view bytes) {
  held_.append(bytes);
  HandleHeld();
}

void HttpConnection::HandleHeld() {
  const Config& config = loop().server().config;
  loop().TakeBuffer(&output());
  size_t pos = 0;
  while (pos < held_.size()) {
    if (output_bytes() >= config.output_bytes_max) {
      Flush();
      if (closed()) return;
      if (output_bytes() >= config.output_bytes_max) {
        paused_ = true;
        StopReading();
        break;
      }
    }
    if (parser_ == nullptr) {
      parser_ = std::make_unique<Parser>();
      // Its own limit counts less where a header comes in parts.
      parser_->request.header_limit(static_cast<uint32_t>(config.http_header_bytes_max));
      parser_->request.body_limit(kBodyBytesMax);
      request_since_ms_ = loop().server().clock.SteadyMs();
    }
    boost::beast::error_code error;
    const bool in_header = !parser_->request.is_header_done();
    const size_t taken = parser_->request.put(
        boost::asio::const_buffer(held_.data() + pos, held_.size() - pos), error);
    pos += taken;
    if (in_header) parser_->header_bytes += taken;
    // Of a header, and of what stands around the parts of a body, the end has not come yet.
    const size_t unfinished_bytes =
        parser_->request.is_header_done() && error != http::error::need_more ? 0
                                                                             : held_.size() - pos;
    if (error == http::error::header_limit ||
        parser_->header_bytes + unfinished_bytes > config.http_header_bytes_max) {
      End({.status = 431,
           .reason = "Request Header Fields Too Large",
           .body = "the request's header is too long\n"});
      return;
    }
    if (error == http::error::need_more) break;
    if (error == http::error::body_limit) {
      End({.status = 413,
           .reason = "Content Too Large",
           .body = "the request's body is too long\n"});
      return;
    }
    if (error) {
      loop().counters().protocol_errors.Add();
      End({.status = 400, .reason = "Bad Request", .body = "not an HTTP/1.1 request\n"});
      return;
    }
    if (!parser_->request.is_done()) continue;
    if (!Answer()) return;
    parser_.reset();
  }
  held_.erase(0, pos);
  if (!SetInputBytes(held_.size())) {
    Refuse("the server's buffers are full; retry later");
    return;
  }
  Flush();
}

bool HttpConnection::Answer() {
  loop().counters().http_requests.Add();
  const auto& request = parser_->request.get();
  Response response;
  response.is_head = request.method() == http::verb::head;
  response.keep_alive = request.keep_alive();
  const std::string_view target(request.target().data(), request.target().size());
  const std::string_view path = target.substr(0, target.find('?'));
  std::string body, retry_after;
  if (path != "/livez" && path != "/readyz") {
    response.status = 404;
    response.reason = "Not Found";
    response.body = "not found\n";
  } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
    response.status = 405;
    response.reason = "Method Not Allowed";
    response.body = "only GET and HEAD\n";
    response.more_headers = "Allow: GET, HEAD\r\n";
  } else if (const StoreState state = loop().server().store.state();
             path == "/readyz" && state != StoreState::kReady) {
    response.status = 503;
    response.reason = "Service Unavailable";
    body = fmt::format("{}\n", StoreStateName(state));
    retry_after = fmt::format("Retry-After: {}\r\n", kRetryAfterSeconds);
    response.body = body;
    response.more_headers = retry_after;
  } else {
    response.body = "ok\n";
  }
  if (!response.keep_alive) {
    End(response);
    return false;
  }
  Write(response);
  return true;
}

void HttpConnection::Write(const Response& response) {
  const std::time_t now = static_cast<std::time_t>(loop().server().clock.NowMs() / 1000);
  fmt::format_to(std::back_inserter(output()),
                 "HTTP/1.1 {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n"
                 "Content-Type: text/plain\r\nCache-Control: no-store\r\n"
                 "Content-Length: {}\r\n{}{}\r\n{}",
                 response.status, response.reason, fmt::gmtime(now), response.body.size(),
                 response.more_headers, response.keep_alive ? "" : "Connection: close\r\n",
                 response.is_head ? "" : response.body);
}

void HttpConnection::End(const Response& response) {
  Response last = response;
  last.keep_alive = false;
  Write(last);
  held_.clear();
  (void)SetInputBytes(0);  // less than before is never over the bound
  paused_ = false;
  CloseAfterFlush();
}

void HttpConnection::OnOutputTaken() {
  if (!paused_ || output_bytes() > loop().server().config.output_bytes_max / 2) return;
  paused_ = false;
  HandleHeld();
  if (closed() || paused_) return;
  StartReading();
  EndIfDone();
}

bool HttpConnection::IsOverdue(uint64_t steady_ms, bool active) {
  const Config& config = loop().server().config;
  if (active || paused_ || !swept_) active_at_ms_ = steady_ms;
  swept_ = true;
  if (parser_ != nullptr && !paused_ &&
      steady_ms - request_since_ms_ >= config.message_timeout_ms) {
    return true;
  }
  return config.idle_timeout_ms != 0 && steady_ms - active_at_ms_ >= config.idle_timeout_ms;
}

}  // namespace tokend
