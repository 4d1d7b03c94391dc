#include "server/stream.h"

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <atomic>
#include <cassert>
#include <cstring>
#include <memory>
#include <utility>

#include "server/context.h"
#include "server/loop.h"
#include "server/wipe.h"

namespace tokend {
namespace {

// How long a peer has to take the last answer and close its side.
constexpr uint64_t kLingerMs = 2000;
// What TLS has to say for itself while the peer takes nothing; a handshake's certificates are most.
constexpr size_t kTlsOutputMax = 64 << 10;

// Belongs to the loop until it calls back.
struct WriteRequest {
  uv_write_t request{};
  std::string bytes;
  size_t sent;  // of them, before
  std::atomic<uint64_t>& buffered_bytes;
};

}  // namespace

Stream::Stream(Loop& loop, StreamRef ref) : loop_(loop), ref_(ref) {}

Stream::~Stream() { assert(charged_bytes_ == 0); }

int Stream::Accept(uv_stream_t* listener, std::shared_ptr<const TlsContext> tls) {
  const int rc = handle_.Open(this, [&](UvStreamHandle* handle) {
    return listener->type == UV_TCP ? uv_tcp_init(listener->loop, &handle->tcp)
                                    : uv_pipe_init(listener->loop, &handle->pipe, 0);
  });
  if (rc != 0) return rc;
  if (const int accepted = uv_accept(listener, stream()); accepted != 0) return accepted;
  counted_ = true;
  loop_.counters().connections.Add();
  loop_.counters().connections_total.Add();
  loop_.server().connections.fetch_add(1, std::memory_order_relaxed);
  if (tls != nullptr) tls_ = std::make_unique<TlsSession>(std::move(tls));
  accepted_ms_ = loop_.server().clock.SteadyMs();
  OnAccepted();
  StartReading();
  return 0;
}

std::string Stream::PeerAddress() {
  sockaddr_storage address{};
  int size = sizeof address;
  if (handle_.get()->handle.type != UV_TCP ||
      uv_tcp_getpeername(&handle_.get()->tcp, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return "unix";
  }
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    uv_ip4_name(reinterpret_cast<sockaddr_in*>(&address), text, sizeof text);
    return text;
  }
  // Whoever has one address of a network has all of them.
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(address);
  std::memset(ipv6.sin6_addr.s6_addr + 8, 0, 8);
  uv_ip6_name(&ipv6, text, sizeof text);
  return std::string(text) + "/64";
}

std::string Stream::PeerEndpoint() {
  sockaddr_storage address{};
  int size = sizeof address;
  if (handle_.get()->handle.type != UV_TCP) {
    const std::optional<uid_t> user = PeerUser();
    return user ? "unix:" + std::to_string(*user) : "unix";
  }
  // It may be gone already.
  if (uv_tcp_getpeername(&handle_.get()->tcp, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return {};
  }
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    uv_ip4_name(&ipv4, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(ipv4.sin_port));
  }
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
  uv_ip6_name(&ipv6, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(ipv6.sin6_port));
}

std::vector<std::string> Stream::PeerNames() const {
  return tls_ != nullptr && tls_->established() ? tls_->PeerNames() : std::vector<std::string>();
}

std::optional<uid_t> Stream::PeerUser() {
  uv_os_fd_t fd = -1;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (handle_.get()->handle.type != UV_NAMED_PIPE || uv_fileno(&handle_.get()->handle, &fd) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return std::nullopt;
  }
  return peer.uid;
}

void Stream::StartReading() {
  if (reading_ || state_ == State::kFinishing || state_ == State::kClosed) return;
  reading_ = true;
  uv_read_start(stream(), &Stream::OnAlloc, &Stream::OnRead);
}

void Stream::StopReading() {
  if (!reading_) return;
  reading_ = false;
  uv_read_stop(stream());
}

void Stream::OnAlloc(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
  Stream& self = *static_cast<Stream*>(handle->data);
  // libuv would go on reading as long as the buffer is filled, 32 times, and others would wait.
  // With no buffer it leaves the rest for the next turn.
  const bool takes_long = self.reads_much_ || self.IsInLongMessage();
  const bool may_read =
      self.read_turn_ != self.loop_.turn() &&
      (self.is_in_handshake() ? self.loop_.MayShakeHands(&self.long_round_)
                              : !takes_long || self.loop_.MayReadLong(&self.long_round_));
  if (!may_read) {
    *buffer = uv_buf_init(nullptr, 0);
    return;
  }
  self.read_turn_ = self.loop_.turn();
  self.loop_.turn_woke_ns();
  *buffer = uv_buf_init(self.tls_ == nullptr ? self.loop_.read_space() : self.loop_.sealed_space(),
                        Loop::kReadBytes);
}

void Stream::OnRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  Stream& self = *static_cast<Stream*>(stream->data);
  if (size > 0) {
    self.active_ = true;
    self.reads_much_ = static_cast<size_t>(size) >= Loop::kReadBytes;
    self.loop_.counters().bytes_in.Add(static_cast<uint64_t>(size));
    if (self.tls_ != nullptr) {
      self.OnSealed({buffer->base, static_cast<size_t>(size)});
      return;
    }
    if (self.open()) self.OnBytes({buffer->base, static_cast<size_t>(size)});
    self.loop_.ReadDone(static_cast<size_t>(size));
  } else if (size == UV_EOF) {
    self.peer_done_ = true;
    if (self.state_ == State::kLingering) {
      self.Close();
    } else {
      self.Finish();
    }
  } else if (size < 0 && size != UV_ENOBUFS) {
    self.Close();
  }
}

void Stream::OnSealed(std::string_view sealed) {
  tls_->Receive(sealed);
  bool has_opened = false;
  // One that is being paused takes the rest of what was read all the same.
  while (open()) {
    const bool was_in_handshake = is_in_handshake();
    size_t opened = 0;
    const TlsSession::Result result = tls_->Open(loop_.read_space(), Loop::kReadBytes, &opened);
    if (was_in_handshake && tls_->established()) {
      loop_.counters().tls_handshakes.Add();
      if (tls_->resumed()) loop_.counters().tls_resumed.Add();
      OnAccepted();
    }
    if (result == TlsSession::Result::kData) {
      has_opened = true;
      OnBytes({loop_.read_space(), opened});
      loop_.ReadDone(opened);
      continue;
    }
    if (result == TlsSession::Result::kEnd) Finish();
    if (result == TlsSession::Result::kFailed) OnTlsFailed();
    break;
  }
  tls_->Receive({});
  if (closed() || !tls_->HasUnfinished()) {
    record_since_ms_ = 0;
  } else if (record_since_ms_ == 0 || has_opened) {
    record_since_ms_ = loop_.server().clock.SteadyMs();
  }
  if (closed() || tls_->output().empty()) return;
  // It can make us answer on and on without taking any of it.
  if (tls_->output().size() > kTlsOutputMax) {
    tls_->output().clear();
    Close();
    return;
  }
  Flush();
}

void Stream::OnTlsFailed() {
  loop_.counters().tls_failed.Add();
  uint64_t held_back = 0;
  if (loop_.tls_log().Allow(loop_.server().clock.SteadyMs(), &held_back)) {
    loop_.server().log.Warning(
        "tls_failed",
        {{"address", PeerAddress()}, {"error", tls_->error()}, {"more_like_it", held_back}});
  }
  SayEnd();
  Close();
}

bool Stream::SealOutput() {
  if (!output_.empty()) {
    loop_.TakeBuffer(&tls_->output());
    if (is_in_handshake() || !tls_->Seal(output_)) return false;
  }
  loop_.GiveBuffer(&output_);
  output_.swap(tls_->output());
  return true;
}

void Stream::SayEnd() {
  if (tls_ == nullptr) return;
  tls_->End();
  const std::string& end = tls_->output();
  const uv_buf_t buffer =
      uv_buf_init(const_cast<char*>(end.data()), static_cast<unsigned int>(end.size()));
  if (!end.empty()) (void)uv_try_write(stream(), &buffer, 1);
  tls_->output().clear();
}

void Stream::Flush() {
  if (closed()) return;
  if (tls_ != nullptr && writing_bytes_ == 0 && !SealOutput()) {
    Close();
    return;
  }
  size_t sent = 0;
  if (!output_.empty() && writing_bytes_ == 0) {
    const uv_buf_t buffer = uv_buf_init(output_.data(), static_cast<unsigned int>(output_.size()));
    const int result = uv_try_write(stream(), &buffer, 1);
    if (result < 0 && result != UV_EAGAIN) {
      Close();
      return;
    }
    if (result > 0) sent = static_cast<size_t>(result);
    loop_.counters().bytes_out.Add(sent);
    if (sent == output_.size()) loop_.GiveBuffer(&output_);
  } else if (output_.empty()) {
    loop_.GiveBuffer(&output_);
  }
  // Before the rest becomes the loop's: what that has is not free before the turn's end.
  if (!UpdateCharge()) {
    // Nothing that this peer could be told would get through to it.
    loop_.LogBuffersFull();
    Close();
    return;
  }
  if (!output_.empty() && writing_bytes_ == 0) Queue(sent);
  EndIfDone();
}

void Stream::Queue(size_t sent) {
  std::unique_ptr<WriteRequest> write(
      new WriteRequest{.bytes = {}, .sent = sent, .buffered_bytes = loop_.server().buffered_bytes});
  write->bytes.swap(output_);
  writing_left_ = write->bytes.size() - sent;
  const uv_buf_t buffer =
      uv_buf_init(write->bytes.data() + sent, static_cast<unsigned int>(writing_left_));
  write->request.data = write.get();
  if (uv_write(&write->request, stream(), &buffer, 1, &Stream::OnWritten) == 0) {
    writing_bytes_ = write->bytes.size();
    (void)write.release();
  } else {
    Close();
  }
}

void Stream::OnWritten(uv_write_t* request, int status) {
  const std::unique_ptr<WriteRequest> write(static_cast<WriteRequest*>(request->data));
  auto* self = static_cast<Stream*>(request->handle->data);
  if (self == nullptr) {  // closed meanwhile
    Wipe(write->bytes.data(), write->bytes.size());
    write->buffered_bytes.fetch_sub(write->bytes.size(), std::memory_order_relaxed);
    return;
  }
  if (status == 0) self->loop_.counters().bytes_out.Add(write->bytes.size() - write->sent);
  self->loop_.GiveBuffer(&write->bytes);
  self->writing_bytes_ = 0;
  if (status < 0) {
    self->Close();
    return;
  }
  self->stalled_since_ms_ = 0;
  self->Flush();
  if (!self->closed()) self->OnOutputTaken();
}

void Stream::Finish() {
  if (state_ != State::kOpen) return;
  StopReading();
  state_ = State::kFinishing;
  EndIfDone();
}

void Stream::CloseAfterFlush() {
  if (state_ != State::kOpen && state_ != State::kFinishing) return;
  state_ = State::kFlushing;
  if (!peer_done_) StartReading();
  Flush();
}

void Stream::EndIfDone() {
  if (output_bytes() != 0) return;
  if (state_ == State::kFlushing) {
    Linger();
  } else if (state_ == State::kFinishing && !HasWork()) {
    // An idle connection need not hold up the server's end.
    if (HasUnread()) {
      Linger();
    } else {
      SayEnd();
      Close();
    }
  }
}

bool Stream::HasUnread() {
  uv_os_fd_t fd = -1;
  int bytes = 0;
  return uv_fileno(&handle_.get()->handle, &fd) == 0 && ioctl(fd, FIONREAD, &bytes) == 0 &&
         bytes > 0;
}

void Stream::Linger() {
  if (peer_done_) {
    Close();
    return;
  }
  SayEnd();
  state_ = State::kLingering;
  linger_until_ms_ = loop_.server().clock.SteadyMs() + kLingerMs;
  auto request = std::make_unique<uv_shutdown_t>();
  if (uv_shutdown(request.get(), stream(), [](uv_shutdown_t* done, int) { delete done; }) != 0) {
    Close();
    return;
  }
  (void)request.release();
  StartReading();
}

void Stream::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  reading_ = false;
  loop_.GiveBuffer(&output_);
  if (tls_ != nullptr) tls_->output().clear();
  input_bytes_ = 0;
  (void)UpdateCharge();  // gives back, so it cannot be over the bound by this
  // What is being written is the loop's until OnWritten, and is charged until then.
  charged_bytes_ = 0;
  writing_bytes_ = 0;
  if (counted_) {
    loop_.counters().connections.Subtract();
    loop_.server().connections.fetch_sub(1, std::memory_order_relaxed);
  }
  // Last: who sees it closed finds it counted as gone.
  handle_.Close();
  loop_.Bury(ref_);
}

void Stream::Sweep(uint64_t steady_ms) {
  const bool active = active_;
  active_ = false;
  if (state_ == State::kLingering) {
    if (steady_ms >= linger_until_ms_) Close();
    return;
  }
  bool overdue = false;
  if (writing_bytes_ > 0) {
    const size_t left = uv_stream_get_write_queue_size(stream());
    if (stalled_since_ms_ == 0 || left != writing_left_) stalled_since_ms_ = steady_ms;
    writing_left_ = left;
    overdue = steady_ms - stalled_since_ms_ >= loop_.server().config.write_timeout_ms;
    active_ = true;  // it takes answers
  } else if (state_ == State::kOpen) {
    // A record is not a message yet, and whoever is in the middle of one keeps memory for it.
    const uint64_t begun_ms = is_in_handshake() ? accepted_ms_ : reading_ ? record_since_ms_ : 0;
    overdue = IsOverdue(steady_ms, active) ||
              (begun_ms != 0 && steady_ms - begun_ms >= loop_.server().config.message_timeout_ms);
  }
  if (!overdue) return;
  loop_.counters().timeouts.Add();
  Close();
}

bool Stream::SetInputBytes(size_t bytes) {
  input_bytes_ = bytes;
  return UpdateCharge();
}

bool Stream::UpdateCharge() {
  const size_t bytes =
      input_bytes_ + output_bytes() + (tls_ == nullptr ? 0 : tls_->output().size());
  if (bytes == charged_bytes_) return true;  // as good as always: nothing is kept
  ServerContext& server = loop_.server();
  const size_t before = charged_bytes_;
  charged_bytes_ = bytes;
  // Wraps where less is kept than before, which is what is meant.
  const uint64_t all =
      server.buffered_bytes.fetch_add(bytes - before, std::memory_order_relaxed) + (bytes - before);
  return bytes <= before || all <= server.config.buffer_bytes_max;
}

}  // namespace tokend
