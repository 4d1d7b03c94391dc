// Connection: requests out, answers in, matched by msgid. What Client and Pending stand on.
//
// Threads: one at a time. Nothing moves but inside a call; while Flush waits for the server to take
// bytes it reads too, so that two peers with full buffers never wait for each other.
//
// A request is, in this order: queued (Begin, then params into the writer), sent, answered, taken
// by WaitFor. Abandon before it is answered leaves a mark, so that a late answer is known from one
// that nobody asked for; the latter breaks the connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "client/client.h"
#include "protocol/msgpack.h"
#include "protocol/rpc.h"
#include "protocol/tls.h"

namespace tokend::client {

class Connection {
 public:
  // Takes the connected, non-blocking socket over. `peer` names it in messages.
  Connection(int fd, std::string peer, const ClientOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Makes it one of TLS, as ClientOptions::tls says; before anything is queued. `host` is whom the
  // server's certificate has to name. "unreachable" where that fails.
  Result<Done> Secure(const std::string& host, std::chrono::milliseconds timeout);

  // Queues the head of a request and gives its msgid; the caller writes the params array, then
  // calls Queued. Waits for answers first where too many are missing.
  uint32_t Begin(std::string_view method);
  msgpack_io::Writer& writer() { return writer_; }
  void Queued();

  Result<Done> Flush();
  // The encoded result, or the error the server answered, or why there is no answer. Requires that
  // the msgid was neither taken nor abandoned before.
  Result<std::string> WaitFor(uint32_t msgid);
  void Abandon(uint32_t msgid);

  bool broken() const { return broken_.has_value(); }
  size_t in_flight() const { return in_flight_; }
  void set_answer_timeout(std::chrono::milliseconds timeout) { options_.answer_timeout = timeout; }

 private:
  using SteadyClock = std::chrono::steady_clock;
  struct Slot {
    bool answered = false;
    bool abandoned = false;
    std::string error;  // encoded; empty = none
    std::string value;  // encoded
  };

  // Moves bytes both ways until one way has moved, something broke or the deadline has come; false
  // for the latter.
  bool Pump(SteadyClock::time_point deadline);
  // Queued bytes that the socket has not taken.
  size_t Unsent() const;
  void WriteSome();
  void ReadSome();
  // Opens what has come over TLS, into in_.
  void OpenReceived(std::string_view sealed);
  void TakeAnswers();
  void TakeAnswer(const ResponseFrame& frame);
  void Break(std::string code, std::string message);
  Error TimedOut(std::string_view what) const;
  SteadyClock::time_point Deadline() const { return SteadyClock::now() + options_.answer_timeout; }

  int fd_;
  const std::string peer_;
  ClientOptions options_;
  std::optional<Error> broken_;

  std::unique_ptr<TlsSession> tls_;  // null = plain

  std::string out_;  // still to be written
  // What goes over the wire: out_ itself, or what it becomes there.
  std::string& wire() { return tls_ == nullptr ? out_ : tls_->output(); }
  size_t out_sent_ = 0;  // of wire()
  msgpack_io::Writer writer_{&out_};
  std::string in_;  // from in_taken_ on, still to be read as frames
  size_t in_taken_ = 0;
  msgpack_io::ValueScan scan_;  // of the unfinished frame at in_taken_

  uint32_t next_msgid_ = 0;
  std::unordered_map<uint32_t, Slot> slots_;
  size_t in_flight_ = 0;  // slots that are not answered
};

}  // namespace tokend::client
