#include "bench/generator.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "bench/process_stats.h"
#include "bench/socket.h"

namespace tokend::bench {
namespace {

constexpr size_t kReadBytes = 256 << 10;

[[noreturn]] void FailErrno(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

uint64_t OwnCpuNs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto to_ns = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1000000000 +
           static_cast<uint64_t>(time.tv_usec) * 1000;
  };
  return to_ns(usage.ru_utime) + to_ns(usage.ru_stime);
}

// A wrong answer as text: printable bytes as they are, others in hexadecimal.
std::string Describe(const Operation& operation, std::string_view answer) {
  std::string text = operation.kind == OperationKind::kInsert ? "insert" : "validate";
  text += " of token " + std::to_string(operation.index) + " was answered: ";
  for (const char c : answer.substr(0, 200)) {
    if (std::isprint(static_cast<unsigned char>(c)) != 0) {
      text += c;
    } else {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
      text += hex;
    }
  }
  return text;
}

}  // namespace

struct Generator::Connection {
  explicit Connection(size_t depth) : window(depth) {}
  ~Connection() {
    if (fd >= 0) close(fd);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd = -1;
  Window window;
  Output output;
  size_t sent = 0;          // bytes of output that the kernel has
  bool is_writing = false;  // epoll is asked for EPOLLOUT
  std::string unfinished;   // the front of an answer whose end has not come yet
};

Generator::Generator(const GeneratorOptions& options, Driver* driver)
    : options_(options), driver_(driver), read_buffer_(kReadBytes) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) FailErrno("epoll_create1");
  try {
    for (size_t i = 0; i < options_.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(options_.depth));
      Connection* connection = connections_.back().get();
      connection->fd = ConnectTo(options_.address);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connection;
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event) != 0) FailErrno("epoll_ctl");
    }
  } catch (...) {
    close(epoll_);
    throw;
  }
}

Generator::~Generator() { close(epoll_); }

uint64_t Generator::NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

GeneratorResult Generator::Run(const NextOperation& next, uint64_t measure_from_ns,
                               pid_t server_pid) {
  GeneratorResult result;
  is_measuring_ = false;
  if (measure_from_ns == 0) Measure(&result, server_pid);
  size_t busy = 0;
  for (const auto& connection : connections_) {
    Fill(connection.get(), next);
    if (connection->window.open() > 0) ++busy;
  }
  std::vector<epoll_event> events(options_.connections);
  uint64_t moved_ns = NowNs();
  while (busy > 0) {
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), options_.spin ? 0 : 100);
    if (count < 0 && errno != EINTR) FailErrno("epoll_wait");
    const uint64_t now_ns = NowNs();
    if (count > 0) moved_ns = now_ns;
    if (now_ns - moved_ns > options_.stall_ms * 1000000) {
      throw std::runtime_error("no answer from " + options_.address + " for " +
                               std::to_string(options_.stall_ms) + " ms");
    }
    if (!is_measuring_ && now_ns >= measure_from_ns) Measure(&result, server_pid);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      if ((events[static_cast<size_t>(i)].events & EPOLLOUT) != 0) Flush(connection);
      if ((events[static_cast<size_t>(i)].events & ~EPOLLOUT) == 0) continue;
      Receive(connection, &result);
      if (connection->window.open() > 0) continue;
      Fill(connection, next);
      if (connection->window.open() == 0) --busy;
    }
  }
  if (!is_measuring_) Measure(&result, server_pid);
  Measure(&result, server_pid);
  return result;
}

// Called where measuring starts and where it ends: the difference is what stays.
void Generator::Measure(GeneratorResult* result, pid_t server_pid) {
  const uint64_t server_cpu_ns = server_pid == 0 ? 0 : CpuTimeNs(server_pid).value_or(0);
  is_measuring_ = true;
  result->elapsed_ns = NowNs() - result->elapsed_ns;
  result->generator_cpu_ns = OwnCpuNs() - result->generator_cpu_ns;
  result->server_cpu_ns = server_cpu_ns - result->server_cpu_ns;
}

void Generator::Fill(Connection* connection, const NextOperation& next) {
  Operation operation;
  operation.is_open = true;
  operation.started_ns = NowNs();
  while (connection->window.open() < connection->window.depth() && next(&operation)) {
    uint32_t number = 0;
    Operation* open = connection->window.Add(&number);
    *open = operation;
    driver_->AppendRequest(operation, number, &connection->output);
  }
  Flush(connection);
}

void Generator::Flush(Connection* connection) {
  const std::string_view bytes = connection->output.view();
  while (connection->sent < bytes.size()) {
    const ssize_t sent = send(connection->fd, bytes.data() + connection->sent,
                              bytes.size() - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) FailErrno("send");
    if (sent < 0) break;
    connection->sent += static_cast<size_t>(sent);
  }
  const bool is_writing = connection->sent < bytes.size();
  if (!is_writing) {
    connection->output.Clear();
    connection->sent = 0;
  }
  if (is_writing == connection->is_writing) return;
  connection->is_writing = is_writing;
  epoll_event event{};
  event.events = is_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = connection;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event) != 0) FailErrno("epoll_ctl");
}

void Generator::Receive(Connection* connection, GeneratorResult* result) {
  std::string& unfinished = connection->unfinished;
  if (unfinished.size() + kReadBytes > read_buffer_.size()) {
    read_buffer_.resize(unfinished.size() + kReadBytes);
  }
  std::memcpy(read_buffer_.data(), unfinished.data(), unfinished.size());
  ssize_t received = 0;
  do {
    received =
        recv(connection->fd, read_buffer_.data() + unfinished.size(), kReadBytes, MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  if (received < 0 && errno == EAGAIN) return;
  if (received < 0) FailErrno("recv");
  if (received == 0) throw std::runtime_error(options_.address + " closed a connection");
  const std::string_view bytes(read_buffer_.data(),
                               unfinished.size() + static_cast<size_t>(received));
  const size_t taken = TakeAnswers(connection, bytes, result);
  unfinished.assign(bytes.substr(taken));
}

size_t Generator::TakeAnswers(Connection* connection, std::string_view bytes,
                              GeneratorResult* result) {
  const uint64_t now_ns = NowNs();
  size_t taken = 0;
  while (true) {
    const std::string_view rest = bytes.substr(taken);
    const Answer answer = driver_->Take(rest, &connection->window);
    if (answer.result == Answer::Result::kNeedMore) return taken;
    if (answer.result == Answer::Result::kBroken) {
      if (rest.empty()) return taken;
      throw std::runtime_error("what " + options_.address +
                               " sent is no answer to what was asked (" + Describe({}, rest) + ")");
    }
    taken += answer.size;
    if (answer.result == Answer::Result::kWrong) {
      ++result->wrong;
      if (result->first_wrong.empty()) {
        result->first_wrong = Describe(*answer.operation, rest.substr(0, answer.size));
      }
    }
    if (!is_measuring_) continue;
    ++result->answers;
    result->answer_bytes += answer.size;
    result->latency.Record(now_ns - answer.operation->started_ns);
  }
}

}  // namespace tokend::bench
