#include "tests/system/overload_gauge.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <stdexcept>

#include "bench/socket.h"
#include "tests/encoded.h"
#include "tests/system/server_process.h"

namespace tokend::testing {
namespace {

std::string Answer(uint64_t token) {
  return Arr({Int(1), Uint(token), Nil(),
              Arr({Bool(true), Nil(), Str(Gauge::Owner(token)), Arr({Str("read")})})});
}

}  // namespace

Gauge::Gauge(const Options& options)
    : options_(options), random_(options.seed), connections_(options.connections) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  for (Connection& connection : connections_) {
    connection.fd = bench::ConnectTo(options_.address);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
  }
  thread_ = std::thread([this] { Run(); });
  thread_id_.wait(0);
}

Gauge::~Gauge() {
  stop_ = true;
  thread_.join();
  for (const Connection& connection : connections_) close(connection.fd);
  close(epoll_);
}

bench::Histogram Gauge::latencies() const {
  const std::lock_guard lock(mutex_);
  return latencies_;
}

std::string Gauge::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Gauge::Fail(const std::string& what) {
  ++wrong_;
  const std::lock_guard lock(mutex_);
  if (failure_.empty()) failure_ = what;
}

void Gauge::Ask(Connection* connection, uint64_t started_ns) {
  connection->token = random_() % options_.tokens;
  connection->started_ns = started_ns;
  connection->is_open = true;
  // The msgid is the token's number, so that an answer to another request is seen.
  const std::string request =
      Arr({Int(0), Uint(connection->token), Str("validate"), Arr({Str(Token(connection->token))})});
  if (send(connection->fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    Fail("a well-behaved connection cannot send");
  }
}

void Gauge::Take(Connection* connection) {
  std::array<char, 4096> bytes;
  const ssize_t size = recv(connection->fd, bytes.data(), bytes.size(), 0);
  const uint64_t now_ns = SteadyNs();
  if (size <= 0) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, connection->fd, nullptr);
    Fail("a well-behaved connection was closed");
    return;
  }
  connection->in.append(bytes.data(), static_cast<size_t>(size));
  const std::string answer = Answer(connection->token);
  if (connection->in.size() < answer.size()) return;
  if (!connection->is_open || connection->in != answer) Fail("a wrong answer for a good token");
  connection->in.clear();
  connection->is_open = false;
  const std::lock_guard lock(mutex_);
  latencies_.Record(now_ns - connection->started_ns);
}

void Gauge::Run() {
  thread_id_ = gettid();
  thread_id_.notify_one();
  // Without it a sleep ends up to 50 us late, and requests come in clumps.
  prctl(PR_SET_TIMERSLACK, 1);
  const auto interval_ns = static_cast<uint64_t>(1e9 / options_.requests_per_second);
  uint64_t due_ns = SteadyNs() + interval_ns;
  bool has_waited = false;
  std::array<epoll_event, 64> events;
  while (!stop_) {
    const uint64_t now_ns = SteadyNs();
    const bool has_waited_before = has_waited;
    while (due_ns <= now_ns) {
      const auto free =
          std::find_if(connections_.begin(), connections_.end(),
                       [](const Connection& connection) { return !connection.is_open; });
      // Where all wait for the server, the request waits too, and its time counts. That this thread
      // got to run late is not the server's time.
      has_waited = free == connections_.end();
      if (has_waited) break;
      Ask(&*free, has_waited_before ? due_ns : SteadyNs());
      due_ns += interval_ns;
    }
    const uint64_t wait_ns =
        std::min<uint64_t>(due_ns > now_ns ? due_ns - now_ns : 100'000, 20'000'000);
    const timespec timeout{.tv_sec = 0, .tv_nsec = static_cast<long>(wait_ns)};
    const int count =
        epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      Take(static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr));
    }
  }
}

}  // namespace tokend::testing
