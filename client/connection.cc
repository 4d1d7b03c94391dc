#include "client/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "client/answers.h"

namespace tokend::client {

namespace {

constexpr size_t kReadBytes = 64 << 10;
// The most that comes at once over TLS.
constexpr size_t kRecordBytes = 16 << 10;

}  // namespace

Connection::Connection(int fd, std::string peer, const ClientOptions& options)
    : fd_(fd), peer_(std::move(peer)), options_(options) {}

Connection::~Connection() { close(fd_); }

Result<Done> Connection::Secure(const std::string& host, std::chrono::milliseconds timeout) {
  const TlsOptions& files = options_.tls;
  std::shared_ptr<const TlsContext> context;
  const Status status = TlsContext::MakeClient({.ca_file = files.ca_file,
                                                .certificate_file = files.certificate_file,
                                                .key_file = files.key_file,
                                                .server_name = files.server_name},
                                               &context);
  if (!status.ok()) {
    return Error{Error::Source::kCaller, "bad_params", "TLS: " + status.message(), ""};
  }
  tls_ = std::make_unique<TlsSession>(context, host);
  tls_->Begin();
  const SteadyClock::time_point deadline = SteadyClock::now() + timeout;
  while (!broken_ && !tls_->established()) {
    if (!Pump(deadline)) Break("unreachable", "the TLS handshake takes too long");
  }
  if (!broken_) return Done();
  broken_->code = "unreachable";
  return *broken_;
}

uint32_t Connection::Begin(std::string_view method) {
  if (in_flight_ >= options_.in_flight_max) {
    SteadyClock::time_point deadline = Deadline();
    while (!broken_ && in_flight_ >= options_.in_flight_max) {
      // Whoever waits for this request then waits for its own time out; nothing is lost by going
      // on.
      if (!Pump(deadline)) break;
    }
  }
  while (slots_.contains(next_msgid_)) ++next_msgid_;
  uint32_t msgid = next_msgid_++;
  slots_.emplace(msgid, Slot());
  ++in_flight_;
  BeginRequest(msgid, method, &writer_);
  return msgid;
}

void Connection::Queued() {
  if (broken_) {
    out_.clear();
    return;
  }
  if (Unsent() >= options_.flush_bytes) WriteSome();
}

Result<Done> Connection::Flush() {
  SteadyClock::time_point deadline = Deadline();
  while (!broken_ && Unsent() > 0) {
    if (!Pump(deadline)) return TimedOut("does not take what is sent");
  }
  if (broken_) return *broken_;
  return Done();
}

Result<std::string> Connection::WaitFor(uint32_t msgid) {
  auto found = slots_.find(msgid);
  assert(found != slots_.end() && !found->second.abandoned);
  SteadyClock::time_point deadline = Deadline();
  // What the server answered before the connection broke is still good.
  while (!found->second.answered && !broken_) {
    if (!Pump(deadline)) {
      found->second.abandoned = true;
      return TimedOut("has not answered");
    }
    found = slots_.find(msgid);  // Pump may have rehashed
  }
  if (!found->second.answered) {
    slots_.erase(found);
    --in_flight_;
    return *broken_;
  }
  Slot slot = std::move(found->second);
  slots_.erase(found);
  if (!slot.error.empty()) return DecodeError(slot.error);
  return std::move(slot.value);
}

void Connection::Abandon(uint32_t msgid) {
  auto found = slots_.find(msgid);
  assert(found != slots_.end());
  if (found->second.answered) {
    slots_.erase(found);
  } else {
    found->second.abandoned = true;
  }
}

bool Connection::Pump(SteadyClock::time_point deadline) {
  // Answers are often here already, or the socket takes the bytes: then poll would be for nothing.
  if (size_t before = Unsent(); before > 0) {
    WriteSome();
    if (broken_ || Unsent() < before) return true;
  }
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd entry{fd_, POLLIN, 0};
    if (Unsent() > 0) entry.events |= POLLOUT;
    constexpr int64_t kPollMax = 3600 * 1000;
    int ready = poll(&entry, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, kPollMax)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) {
      Break("closed", std::strerror(errno));
      return true;
    }
    if (ready == 0) {
      if (left.count() <= kPollMax) return false;
      continue;
    }
    if ((entry.revents & POLLOUT) != 0) WriteSome();
    if (!broken_ && (entry.revents & ~POLLOUT) != 0) ReadSome();
    return true;
  }
}

size_t Connection::Unsent() const {
  const size_t sealed = tls_ == nullptr ? 0 : tls_->output().size();
  return out_.size() + sealed - out_sent_;
}

void Connection::WriteSome() {
  if (tls_ != nullptr && !out_.empty()) {
    if (!tls_->Seal(out_)) {
      Break("closed", "TLS: " + tls_->error());
      return;
    }
    out_.clear();
  }
  std::string& bytes = wire();
  while (out_sent_ < bytes.size()) {
    ssize_t sent = send(fd_, bytes.data() + out_sent_, bytes.size() - out_sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (sent < 0) {
      // The server may have said why before it closed: read that first.
      std::string reason = std::strerror(errno);
      ReadSome();
      if (!broken_) Break("closed", reason);
      return;
    }
    out_sent_ += static_cast<size_t>(sent);
  }
  if (out_sent_ == bytes.size()) {
    bytes.clear();
    out_sent_ = 0;
  } else if (out_sent_ >= (1 << 20)) {
    bytes.erase(0, out_sent_);
    out_sent_ = 0;
  }
}

void Connection::ReadSome() {
  const size_t before = in_.size();
  in_.resize(before + kReadBytes);
  ssize_t got = 0;
  do {
    got = recv(fd_, in_.data() + before, kReadBytes, 0);
  } while (got < 0 && errno == EINTR);
  in_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) {
    if (tls_ != nullptr) {
      const std::string sealed = in_.substr(before);
      in_.resize(before);
      OpenReceived(sealed);
    }
    TakeAnswers();
  } else if (got == 0) {
    Break("closed", before == in_taken_ ? "it closed the connection"
                                        : "it closed the connection in the middle of an answer");
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    Break("closed", std::strerror(errno));
  }
}

void Connection::OpenReceived(std::string_view sealed) {
  tls_->Receive(sealed);
  while (true) {
    const size_t before = in_.size();
    in_.resize(before + kRecordBytes);
    size_t opened = 0;
    const TlsSession::Result result = tls_->Open(in_.data() + before, kRecordBytes, &opened);
    in_.resize(before + opened);
    if (result == TlsSession::Result::kData) continue;
    // Its end alone: the socket's follows, after which nothing is lost either.
    if (result != TlsSession::Result::kFailed) return;
    TakeAnswers();
    if (!broken_) Break("closed", "TLS: " + tls_->error());
    return;
  }
}

void Connection::TakeAnswers() {
  RpcLimits limits;
  limits.message_bytes_max = options_.answer_bytes_max;
  while (!broken_ && in_taken_ < in_.size()) {
    ResponseFrame frame =
        ReadResponseFrame(std::string_view(in_).substr(in_taken_), limits, &scan_);
    if (frame.result == ResponseResult::kNeedMore) break;
    scan_ = msgpack_io::ValueScan();
    if (frame.result == ResponseResult::kFatal) {
      Break("bad_answer", "what it sends is not a MessagePack-RPC answer of at most " +
                              std::to_string(options_.answer_bytes_max) + " bytes");
      return;
    }
    if (frame.result == ResponseResult::kResponse) {
      TakeAnswer(frame);
    } else if (frame.method == "error") {
      // [{code, message}]: the server gives this connection up.
      msgpack_io::Reader reader(frame.value);
      uint32_t count = 0;
      std::string_view encoded;
      std::string message = "it gave the connection up";
      if (reader.ReadArrayHeader(&count) && count > 0 && reader.Skip(&encoded)) {
        Error error = DecodeError(encoded);
        message += ": " + error.code + ": " + error.message;
      }
      Break("closed", message);
    }  // other notifications are of a later version of the protocol
    in_taken_ += frame.size;
  }
  if (in_taken_ == in_.size()) {
    in_.clear();
    in_taken_ = 0;
  } else if (in_taken_ >= kReadBytes) {
    in_.erase(0, in_taken_);
    in_taken_ = 0;
  }
}

void Connection::TakeAnswer(const ResponseFrame& frame) {
  auto found = slots_.find(frame.msgid);
  if (found == slots_.end() || found->second.answered) {
    Break("bad_answer", "it answered request " + std::to_string(frame.msgid) +
                            ", which is not waiting for an answer");
    return;
  }
  --in_flight_;
  if (found->second.abandoned) {
    slots_.erase(found);
    return;
  }
  Slot& slot = found->second;
  slot.answered = true;
  if (msgpack_io::Reader(frame.error).PeekType() != msgpack_io::Type::kNil) {
    slot.error = frame.error;
  } else {
    slot.value = frame.value;
  }
}

void Connection::Break(std::string code, std::string message) {
  broken_ =
      Error{Error::Source::kTransport, std::move(code), peer_ + ": " + std::move(message), ""};
  out_.clear();
  wire().clear();
  out_sent_ = 0;
  shutdown(fd_, SHUT_RDWR);
}

Error Connection::TimedOut(std::string_view what) const {
  return {Error::Source::kTransport, "timeout",
          peer_ + ": it " + std::string(what) + " within " +
              std::to_string(options_.answer_timeout.count()) + " ms",
          ""};
}

Result<std::string> WaitFor(Connection& connection, uint32_t msgid) {
  return connection.WaitFor(msgid);
}

void Abandon(Connection& connection, uint32_t msgid) { connection.Abandon(msgid); }

}  // namespace tokend::client
