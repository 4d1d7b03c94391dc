#include "server/http_connection.h"

#include <fmt/format.h>

#include <utility>

#include "server/context.h"
#include "server/dispatcher.h"
#include "server/http_endpoints.h"
#include "server/loop.h"
#include "server/wipe.h"

namespace tokend {
namespace {

constexpr size_t kBodyBytesMax = 64 << 10;
// A buffer for unfinished requests that grew larger than this is given back when it is empty.
constexpr size_t kHeldBytesKept = 16 << 10;
// The same of a method's result.
constexpr size_t kResultBytesKept = 256;

}  // namespace

HttpConnection::HttpConnection(Loop& loop, StreamRef ref)
    : Connection(loop, ref, /*is_rpc=*/false),
      reader_({loop.server().config.http_header_bytes_max, kBodyBytesMax}),
      exchange_(*this) {}

HttpConnection::~HttpConnection() { loop().discards().Add(std::move(held_)); }

void HttpConnection::Refuse(std::string_view why) {
  const std::string body = fmt::format("{}\n", why);
  if (!busy_) exchange_.is_head_ = false;
  End({.status = 503, .body = body});
}

void HttpConnection::OnBytes(std::string_view bytes) {
  if (held_.empty()) {
    const size_t handled = Handle(bytes);
    if (!open()) return;
    held_.assign(bytes.substr(handled));
    CheckHeldBytes();
  } else {
    held_.append(bytes);
    HandleHeld();
  }
}

void HttpConnection::HandleHeld() {
  const size_t handled = Handle(held_);
  if (!open() && !takes_answers()) return;
  if (held_.capacity() > kHeldBytesKept && handled > 0) {
    std::string left = held_.substr(handled);
    loop().discards().Add(std::exchange(held_, std::move(left)));
  } else {
    // What moves away leaves no token behind it.
    const size_t left = held_.size() - handled;
    held_.replace(0, left, held_, handled, left);
    Wipe(held_.data() + left, handled);
    held_.resize(left);
  }
  CheckHeldBytes();
}

void HttpConnection::CheckHeldBytes() {
  if (!SetInputBytes(held_.size())) Refuse("the server's buffers are full; retry later");
}

size_t HttpConnection::Handle(std::string_view bytes) {
  const Config& config = loop().server().config;
  loop().TakeBuffer(&output());
  RefreshCaller();
  loop().dispatcher().Begin();
  size_t pos = 0;
  while (pos < bytes.size()) {
    // One that is only gathered need not wait for the turn's end where others wait for it.
    if (gathered()) loop().dispatcher().RunValidates();
    if (!takes_answers()) return pos;
    if (output_bytes() >= config.output_bytes_max) {
      // Perhaps the peer takes them at once.
      Flush();
      if (closed()) return pos;
    }
    if (busy_ || output_bytes() >= config.output_bytes_max) {
      paused_ = true;
      StopReading();
      break;
    }
    const HttpReader::Result result = reader_.Read(bytes.substr(pos));
    if (result == HttpReader::Result::kNeedMore) {
      if (!request_begun_) request_since_ms_ = loop().server().clock.SteadyMs();
      request_begun_ = true;
      if (reader_.wants_continue() && !continued_) {
        output().append("HTTP/1.1 100 Continue\r\n\r\n");
        continued_ = true;
      }
      break;
    }
    request_begun_ = continued_ = false;
    if (result == HttpReader::Result::kRefused) {
      loop().counters().protocol_errors.Add();
      const std::string body = fmt::format("{}\n", reader_.error());
      exchange_.is_head_ = false;  // that was another request
      End({.status = reader_.status(), .body = body});
      return pos;
    }
    HandleRequest();
    pos += reader_.size();
    reader_.Reset();
  }
  if (!gathered()) Flush();
  return pos;
}

void HttpConnection::HandleRequest() {
  loop().counters().http_requests.Add();
  const HttpRequest& request = reader_.request();
  // Credentials go with each request, and hold for it alone.
  SignOut();
  busy_ = true;
  exchange_.request_ = &request;
  exchange_.is_head_ = request.method == "HEAD";
  exchange_.is_http_1_1_ = request.is_http_1_1;
  exchange_.keep_alive_ = request.keep_alive;
  HandleHttp(exchange_);
  exchange_.request_ = nullptr;
}

std::string* HttpConnection::BeginAnswer(const RequestTag&) {
  exchange_.result_.clear();
  return &exchange_.result_;
}

void HttpConnection::EndAnswer(const RequestTag&) {
  MethodDone({Status::Ok(), {}, exchange_.result_});
  // It may have had a token that was issued.
  Wipe(exchange_.result_.data(), exchange_.result_.size());
  if (exchange_.result_.capacity() > kResultBytesKept) exchange_.result_ = {};
}

void HttpConnection::AnswerError(const RequestTag&, const Status& error, std::string_view id_hex) {
  loop().counters().errors.Add();
  MethodDone({error, id_hex, {}});
}

void HttpConnection::MethodDone(const MethodAnswer& answer) {
  const HttpExchange::Then then = std::exchange(exchange_.then_, nullptr);
  then(exchange_, answer);
}

void HttpConnection::Respond(const HttpResponse& response) {
  busy_ = false;
  if (response.closes || !exchange_.keep_alive_) {
    End(response);
  } else {
    Write(response);
  }
}

void HttpConnection::Write(const HttpResponse& response) {
  std::string& out = output();
  const fmt::format_int status(response.status);
  const fmt::format_int length(response.body.size());
  out.append("HTTP/1.1 ").append(status.data(), status.size()).append(" ");
  out.append(HttpReason(response.status)).append("\r\nDate: ");
  out.append(loop().http_date().At(loop().server().clock.NowMs()));
  if (!response.content_type.empty()) {
    out.append("\r\nContent-Type: ").append(response.content_type);
  }
  out.append("\r\nCache-Control: no-store\r\n");
  if (response.status != 204) {
    out.append("Content-Length: ").append(length.data(), length.size()).append("\r\n");
  }
  if (!exchange_.keep_alive_) {
    out.append("Connection: close\r\n");
  } else if (!exchange_.is_http_1_1_) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append(response.fields).append("\r\n");
  if (!exchange_.is_head_) out.append(response.body);
}

void HttpConnection::End(const HttpResponse& response) {
  exchange_.keep_alive_ = false;
  busy_ = false;
  Write(response);
  loop().discards().Add(std::exchange(held_, std::string()));
  (void)SetInputBytes(0);  // less than before is never over the bound
  paused_ = false;
  CloseAfterFlush();
}

void HttpConnection::Resume() {
  if (!paused_ || closed() || busy_ ||
      output_bytes() > loop().server().config.output_bytes_max / 2) {
    return;
  }
  paused_ = false;
  HandleHeld();
  if (closed() || paused_) return;
  StartReading();
  EndIfDone();
}

void HttpConnection::OnOutputTaken() { Resume(); }

void HttpConnection::FlushAnswers() {
  Flush();
  if (!closed()) Resume();
}

bool HttpConnection::IsOverdue(uint64_t steady_ms, bool active) {
  const Config& config = loop().server().config;
  if (active || paused_ || busy_ || !swept_) active_at_ms_ = steady_ms;
  swept_ = true;
  if (request_begun_ && !paused_ && steady_ms - request_since_ms_ >= config.message_timeout_ms) {
    return true;
  }
  return config.idle_timeout_ms != 0 && steady_ms - active_at_ms_ >= config.idle_timeout_ms;
}

}  // namespace tokend
