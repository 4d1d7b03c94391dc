// A server that says what a test tells it to, for tests of the client.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "protocol/msgpack.h"
#include "protocol/rpc.h"

namespace tokend {

// The server's end of one connection. Blocking.
class FakePeer {
 public:
  struct Request {
    uint32_t msgid = 0;
    std::string method;
    std::string params;  // encoded
  };

  explicit FakePeer(int fd) : fd_(fd) {}
  ~FakePeer() { Close(); }
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;

  // nullopt once the client has closed.
  std::optional<Request> Read() {
    while (true) {
      Frame frame = ReadFrame(in_, RpcLimits());
      if (frame.result == FrameResult::kRequest) {
        Request request{frame.msgid, std::string(frame.method), std::string(frame.params)};
        in_.erase(0, frame.size);
        return request;
      }
      if (frame.result != FrameResult::kNeedMore) throw std::logic_error("not a request");
      char bytes[65536];
      ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
      if (got <= 0) return std::nullopt;
      in_.append(bytes, static_cast<size_t>(got));
    }
  }

  // `write` writes the result.
  void Answer(uint32_t msgid, const std::function<void(msgpack_io::Writer&)>& write) {
    std::string bytes;
    msgpack_io::Writer writer(&bytes);
    BeginResponse(msgid, &writer);
    write(writer);
    Send(bytes);
  }
  void AnswerError(uint32_t msgid, ErrorCode code, const std::string& message,
                   std::string_view id = "") {
    std::string bytes;
    msgpack_io::Writer writer(&bytes);
    WriteErrorResponse(msgid, Status(code, message), id, &writer);
    Send(bytes);
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  std::string in_;
};

// Listens on a port of its own and runs the script with the first connection, in a thread. A script
// ends when its client goes, at the latest: the destructor waits for it.
class FakeTokend {
 public:
  explicit FakeTokend(std::function<void(FakePeer&)> script) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 8) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this, script = std::move(script)] {
      int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      FakePeer peer(fd);
      script(peer);
    });
  }
  ~FakeTokend() {
    shutdown(listener_, SHUT_RDWR);  // wakes an accept that nobody came for
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }
  FakeTokend(const FakeTokend&) = delete;
  FakeTokend& operator=(const FakeTokend&) = delete;

  const std::string& address() const { return address_; }

  // Waits for the script to end; what it noted may be read then. Requires that a client came.
  void Join() { thread_.join(); }

 private:
  int listener_ = -1;
  std::string address_;
  std::thread thread_;
};

}  // namespace tokend
