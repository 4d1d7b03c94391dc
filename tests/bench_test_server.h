// A server on a unix socket in a test's own process, with a thread for each connection.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/floor.h"

namespace tokend::bench {

class TestServer {
 public:
  // `serve` is given each connection's descriptor, in a thread of its own.
  explicit TestServer(std::function<void(int)> serve) : serve_(std::move(serve)) {
    static std::atomic<int> count = 0;
    path_ = "bench-test-" + std::to_string(getpid()) + "-" + std::to_string(count++);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    acceptor_ = std::thread([this] { Accept(); });
  }
  // Its clients have hung up.
  ~TestServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& connection : connections_) connection.join();
    close(listener_);
    unlink(path_.c_str());
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::string address() const { return "unix:" + path_; }

 private:
  void Accept() {
    while (true) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      connections_.emplace_back([this, fd] {
        serve_(fd);
        close(fd);
      });
    }
  }

  const std::function<void(int)> serve_;
  std::string path_;
  int listener_ = -1;
  std::thread acceptor_;
  std::vector<std::thread> connections_;  // the acceptor's until it has ended
};

// What a floor server of a test does besides answering.
struct FloorBehaviour {
  size_t chunk = 4096;      // bytes in a write
  bool is_reverse = false;  // answers what one read brought backwards
  // May look at a request, with its number on the connection, and change its answer, or take time.
  std::function<void(uint64_t number, std::string_view request, std::string* answer)> on_answer;
  // The number of requests that one read brought.
  std::function<void(size_t)> on_read;
};

inline std::string FloorAnswerTo(std::string_view request) {
  std::string answer(kFloorAnswer, kFloorAnswerBytes);
  return answer.replace(kFloorMsgidOffset, kFloorMsgidBytes, request, kFloorMsgidOffset,
                        kFloorMsgidBytes);
}

inline void ServeFloor(int fd, const FloorBehaviour& behaviour = {}) {
  std::string unread;
  std::vector<char> buffer(64 << 10);
  uint64_t number = 0;
  while (true) {
    const ssize_t received = recv(fd, buffer.data(), buffer.size(), 0);
    if (received <= 0) return;
    unread.append(buffer.data(), static_cast<size_t>(received));
    std::vector<std::string> answers;
    for (; unread.size() >= kFloorRequestBytes; unread.erase(0, kFloorRequestBytes)) {
      const std::string request = unread.substr(0, kFloorRequestBytes);
      answers.push_back(FloorAnswerTo(request));
      if (behaviour.on_answer) behaviour.on_answer(number, request, &answers.back());
      ++number;
    }
    if (behaviour.on_read) behaviour.on_read(answers.size());
    if (behaviour.is_reverse) std::reverse(answers.begin(), answers.end());
    std::string out;
    for (const std::string& answer : answers) out += answer;
    for (size_t at = 0; at < out.size(); at += behaviour.chunk) {
      const size_t size = std::min(behaviour.chunk, out.size() - at);
      if (send(fd, out.data() + at, size, MSG_NOSIGNAL) <= 0) return;
    }
  }
}

}  // namespace tokend::bench
