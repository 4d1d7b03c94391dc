#include "tests/system/overload_crowd.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "bench/socket.h"
#include "protocol/msgpack.h"

namespace tokend::testing {
namespace {

constexpr size_t kReadBytes = 64 << 10;
// No answer of the server is longer.
constexpr size_t kMessageBytesMax = 64 << 20;
constexpr size_t kFailuresMax = 20;

}  // namespace

Peer::~Peer() { Close(); }

void Peer::Connect() {
  fd_ = bench::ConnectTo(crowd_.address_);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
  epoll_event event{};
  watched_ = Reads() ? static_cast<uint32_t>(EPOLLIN) : 0;
  event.events = watched_;
  event.data.ptr = this;
  epoll_ctl(crowd_.epoll_, EPOLL_CTL_ADD, fd_, &event);
}

void Peer::Close() {
  if (fd_ < 0) return;
  close(fd_);
  fd_ = -1;
  out_.clear();
  sent_ = 0;
  in_.clear();
}

void Peer::Fail(const std::string& what) {
  if (crowd_.failures_.size() < kFailuresMax) crowd_.failures_.push_back(what);
}

void Peer::Watch() {
  if (fd_ < 0) return;
  uint32_t wanted = 0;
  if (Reads()) wanted |= static_cast<uint32_t>(EPOLLIN);
  if (unsent() != 0) wanted |= static_cast<uint32_t>(EPOLLOUT);
  if (wanted == watched_) return;
  watched_ = wanted;
  epoll_event event{};
  event.events = wanted;
  event.data.ptr = this;
  epoll_ctl(crowd_.epoll_, EPOLL_CTL_MOD, fd_, &event);
}

void Peer::Send(std::string_view bytes) {
  if (!open()) return;
  out_.append(bytes);
  Write();
}

void Peer::Write() {
  while (unsent() != 0) {
    const ssize_t sent = send(fd_, out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (sent < 0) {
      // Where the server has closed, what it said before is still to be read.
      if (errno != EAGAIN) {
        out_.clear();
        sent_ = 0;
        if (!Reads()) {
          Close();
          OnClosed();
          return;
        }
      }
      break;
    }
    sent_ += static_cast<size_t>(sent);
  }
  if (unsent() == 0) {
    out_.clear();
    sent_ = 0;
  }
  Watch();
}

void Peer::ReadSome(size_t bytes_max) {
  std::array<char, kReadBytes> bytes;
  while (open() && bytes_max > 0) {
    const ssize_t size = recv(fd_, bytes.data(), std::min(bytes_max, bytes.size()), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
      Close();
      OnClosed();
      return;
    }
    bytes_max -= static_cast<size_t>(size);
    in_.append(bytes.data(), static_cast<size_t>(size));
    TakeMessages();
  }
}

void Peer::TakeMessages() {
  size_t pos = 0;
  while (open() && pos < in_.size()) {
    const std::string_view rest = std::string_view(in_).substr(pos);
    size_t size = 0;
    if (msgpack_io::CheckValue(rest, msgpack_io::kDepthMax, kMessageBytesMax, &size) !=
        msgpack_io::CheckResult::kOk) {
      break;
    }
    OnMessage(rest.substr(0, size));
    pos += size;
  }
  in_.erase(0, pos);
}

void Peer::OnEvents(uint32_t events) {
  if ((events & static_cast<uint32_t>(EPOLLOUT)) != 0) Write();
  if (!open()) return;
  if (Reads()) {
    ReadSome(kReadBytes);
  } else if ((events & static_cast<uint32_t>(EPOLLHUP | EPOLLERR)) != 0) {
    Close();
    OnClosed();
  }
  Watch();
}

Crowd::Crowd(std::string address)
    : address_(std::move(address)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::runtime_error(std::string("epoll: ") + std::strerror(errno));
}

Crowd::~Crowd() {
  peers_.clear();
  close(epoll_);
}

void Crowd::ConnectAll() {
  for (const auto& peer : peers_) {
    if (!peer->open()) peer->Connect();
  }
}

void Crowd::CloseAll() {
  for (const auto& peer : peers_) peer->Close();
}

void Crowd::GiveTurns(size_t turns) {
  for (; turns > 0 && !peers_.empty(); --turns) {
    if (next_turn_ >= peers_.size()) next_turn_ = 0;
    Peer& peer = *peers_[next_turn_++];
    if (!peer.open() && peer.ConnectsAgain()) peer.Connect();
    if (peer.open()) peer.Act();
  }
}

void Crowd::Pump(int timeout_ms) {
  std::array<epoll_event, 1024> events;
  while (true) {
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
    if (count <= 0) return;
    for (int i = 0; i < count; ++i) {
      auto* const peer = static_cast<Peer*>(events[static_cast<size_t>(i)].data.ptr);
      if (peer->open()) peer->OnEvents(events[static_cast<size_t>(i)].events);
    }
    timeout_ms = 0;
  }
}

size_t Crowd::open() const {
  return static_cast<size_t>(
      std::count_if(peers_.begin(), peers_.end(), [](const auto& peer) { return peer->open(); }));
}

}  // namespace tokend::testing
