// The generator against the floor server, and against servers that answer wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/driver.h"
#include "bench/floor.h"
#include "bench/generator.h"

namespace tokend::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Serves one connection on a unix socket: `serve` is given its descriptor.
class OneConnectionServer {
 public:
  explicit OneConnectionServer(const std::function<void(int)>& serve) {
    static std::atomic<int> count = 0;
    path_ = "generator-test-" + std::to_string(getpid()) + "-" + std::to_string(count++);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    thread_ = std::thread([this, serve] {
      const int fd = accept(listener_, nullptr, nullptr);
      serve(fd);
      close(fd);
    });
  }
  ~OneConnectionServer() {
    thread_.join();
    close(listener_);
    unlink(path_.c_str());
  }

  std::string address() const { return "unix:" + path_; }

 private:
  std::string path_;
  int listener_ = -1;
  std::thread thread_;
};

// Answers as the floor server does, `chunk` bytes a write; `damage` may change an answer.
void ServeFloor(int fd, size_t chunk, const std::function<void(uint64_t, std::string*)>& damage) {
  std::string unread;
  char buffer[4096];
  uint64_t answered = 0;
  while (true) {
    const ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received <= 0) return;
    unread.append(buffer, static_cast<size_t>(received));
    std::string out;
    while (unread.size() >= kFloorRequestBytes) {
      std::string answer(kFloorAnswer, kFloorAnswerBytes);
      answer.replace(kFloorMsgidOffset, kFloorMsgidBytes, unread, kFloorMsgidOffset,
                     kFloorMsgidBytes);
      damage(answered++, &answer);
      out += answer;
      unread.erase(0, kFloorRequestBytes);
    }
    for (size_t at = 0; at < out.size(); at += chunk) {
      if (send(fd, out.data() + at, std::min(chunk, out.size() - at), MSG_NOSIGNAL) <= 0) return;
    }
  }
}

class GeneratorTest : public ::testing::Test {
 protected:
  StreamResult Run(const std::string& address, uint64_t operations, size_t depth = 16) {
    uint64_t sent = 0;
    Generator generator({.address = address, .stall_ms = 500},
                        {{.connections = 1,
                          .depth = depth,
                          .next =
                              [&](Operation* operation) {
                                operation->index = sent;
                                return sent++ < operations;
                              }}},
                        driver_.get());
    const GeneratorResult result = generator.Run();
    EXPECT_GT(result.elapsed_ns, 0u);
    return result.streams.front();
  }

  const TokenSpace tokens_{1, 0};
  const std::unique_ptr<Driver> driver_ = MakeDriver("floor", &tokens_);
};

TEST_F(GeneratorTest, CountsEveryAnswerHoweverItIsCut) {
  for (const size_t chunk : {size_t{1}, size_t{7}, kFloorAnswerBytes, size_t{4096}}) {
    const OneConnectionServer server(
        [chunk](int fd) { ServeFloor(fd, chunk, [](uint64_t, std::string*) {}); });
    const StreamResult result = Run(server.address(), 100);
    EXPECT_EQ(result.answers, 100u);
    EXPECT_EQ(result.wrong, 0u);
    EXPECT_EQ(result.latency.count(), 100u);
    EXPECT_EQ(result.answer_bytes, 100 * kFloorAnswerBytes);
  }
}

TEST_F(GeneratorTest, FindsTheWrongAnswer) {
  const OneConnectionServer server([](int fd) {
    ServeFloor(fd, 4096, [](uint64_t number, std::string* answer) {
      if (number == 37) answer->back() = 'X';
    });
  });
  const StreamResult result = Run(server.address(), 100);
  EXPECT_EQ(result.wrong, 1u);
  EXPECT_THAT(result.first_wrong, HasSubstr("token 37 was answered"));
}

TEST_F(GeneratorTest, SaysWhatIsNoAnswer) {
  const OneConnectionServer server([](int fd) {
    ServeFloor(fd, 4096, [](uint64_t, std::string* answer) { (*answer)[kFloorMsgidOffset] = 'X'; });
  });
  EXPECT_THAT([&] { Run(server.address(), 100); },
              ThrowsMessage<std::runtime_error>(HasSubstr("no answer to what was asked")));
}

TEST_F(GeneratorTest, NoticesAConnectionThatCloses) {
  const OneConnectionServer server([](int) {});
  EXPECT_THROW(Run(server.address(), 100), std::runtime_error);
}

TEST_F(GeneratorTest, GivesUpOnAServerThatIsSilent) {
  const OneConnectionServer server([](int fd) {
    char buffer[4096];
    while (recv(fd, buffer, sizeof buffer, 0) > 0) {
    }
  });
  EXPECT_THAT([&] { Run(server.address(), 1); },
              ThrowsMessage<std::runtime_error>(HasSubstr("no answer")));
}

TEST_F(GeneratorTest, SaysWhomItCannotReach) {
  EXPECT_THAT([&] { Run("unix:/nowhere/at/all", 1); },
              ThrowsMessage<std::runtime_error>(HasSubstr("/nowhere/at/all")));
  EXPECT_THAT([&] { Run("nonsense", 1); },
              ThrowsMessage<std::runtime_error>(HasSubstr("HOST:PORT")));
}

}  // namespace
}  // namespace tokend::bench
