#include "bench/generator.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "bench/process_stats.h"
#include "bench/socket.h"

namespace tokend::bench {
namespace {

constexpr size_t kReadBytes = 256 << 10;
// The most that comes at once over TLS.
constexpr size_t kRecordBytes = 16 << 10;

constexpr std::string_view kTls = "tls:";

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
  std::string text(OperationName(operation.kind));
  text += " of token " + std::to_string(operation.IndexAt(0));
  if (operation.count > 1) text += " and " + std::to_string(operation.count - 1) + " more";
  text += " was answered: ";
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
  Connection(Stream* its_stream, size_t depth, uint32_t batch_max)
      : stream(its_stream), window(depth, batch_max) {}
  ~Connection() {
    if (fd >= 0) close(fd);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Stream* const stream;
  int fd = -1;
  Window window;
  Output output;
  std::unique_ptr<TlsSession> tls;  // null = plain
  size_t sent = 0;          // bytes that the kernel has: of output, or of what TLS makes of it
  bool is_writing = false;  // epoll is asked for EPOLLOUT
  bool is_touched = false;  // has requests that are not flushed yet; for SendDue
  std::string unfinished;   // the front of an answer whose end has not come yet
};

struct Generator::Stream {
  explicit Stream(StreamOptions stream_options) : options(std::move(stream_options)) {}

  bool is_open_loop() const { return options.rate > 0; }
  // Of an open loop: when its next request is meant to be sent.
  uint64_t DueNs() const {
    return begin_ns + static_cast<uint64_t>(static_cast<double>(started) * 1e9 / options.rate);
  }
  // The next connection that can take a request, or null if none can.
  Connection* NextWithRoom() {
    for (size_t i = 0; i < connections.size(); ++i) {
      Connection* connection = connections[turn].get();
      turn = turn + 1 == connections.size() ? 0 : turn + 1;
      if (connection->window.HasRoom()) return connection;
    }
    return nullptr;
  }

  const StreamOptions options;
  std::vector<std::unique_ptr<Connection>> connections;
  StreamResult result;
  size_t open = 0;            // requests under way
  bool is_exhausted = false;  // nothing more is sent
  // Of an open loop:
  uint64_t begin_ns = 0;
  uint64_t started = 0;
  size_t turn = 0;
  std::vector<Connection*> touched;
};

uint64_t StreamResult::tokens() const {
  return std::accumulate(std::begin(tokens_of), std::end(tokens_of), uint64_t{0});
}

Generator::Generator(const GeneratorOptions& options, std::vector<StreamOptions> streams,
                     Driver* driver)
    : options_(options), driver_(driver), read_buffer_(kReadBytes) {
  for (StreamOptions& stream : streams) {
    streams_.push_back(std::make_unique<Stream>(std::move(stream)));
  }
  if (options_.address.starts_with(kTls)) {
    const Status status = TlsContext::MakeClient({.ca_file = options_.tls_ca_file}, &tls_);
    if (!status.ok()) throw std::runtime_error("TLS: " + status.message());
  }
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) FailErrno("epoll_create1");
  try {
    Connect();
  } catch (...) {
    close(epoll_);
    throw;
  }
}

Generator::~Generator() { close(epoll_); }

void Generator::Connect() {
  for (const auto& stream : streams_) {
    const StreamOptions& options = stream->options;
    for (size_t i = 0; i < options.connections; ++i) {
      stream->connections.push_back(
          std::make_unique<Connection>(stream.get(), options.depth, options.batch_max));
      Connection* connection = stream->connections.back().get();
      connection->fd =
          ConnectTo(tls_ == nullptr ? options_.address : options_.address.substr(kTls.size()));
      if (tls_ != nullptr) Handshake(connection);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connection;
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event) != 0) FailErrno("epoll_ctl");
    }
  }
}

uint64_t Generator::NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

GeneratorResult Generator::Run(const RunOptions& options) {
  // A sleep of this thread ends when it should, and not up to 50 µs later.
  prctl(PR_SET_TIMERSLACK, 1);
  size_t connections = 0;
  for (const auto& stream : streams_) connections += stream->connections.size();
  std::vector<epoll_event> events(connections);
  Stream* const measured = streams_.front().get();

  const uint64_t begin_ns = NowNs();
  if (begin_ns >= options.measure_from_ns) BeginMeasuring(options, begin_ns);
  for (const auto& stream : streams_) {
    stream->begin_ns = begin_ns;
    if (stream->is_open_loop()) continue;
    for (const auto& connection : stream->connections) FillWindow(connection.get());
  }
  uint64_t moved_ns = begin_ns;
  bool is_over = false;
  while (true) {
    uint64_t now_ns = NowNs();
    for (const auto& stream : streams_) {
      if (stream->is_open_loop()) SendDue(stream.get(), now_ns);
    }
    if (!is_over && measured->is_exhausted && measured->open == 0) {
      is_over = true;
      if (!is_measuring_) BeginMeasuring(options, now_ns);
      EndMeasuring(options);
      for (const auto& stream : streams_) stream->is_exhausted = true;
    }
    const size_t open = CountOpen();
    if (is_over && open == 0) break;
    const int count = Wait(now_ns, &events);
    now_ns = NowNs();
    if (count > 0 || open == 0) moved_ns = now_ns;
    if (now_ns - moved_ns > options_.stall_ms * 1000000) {
      throw std::runtime_error("no answer from " + options_.address + " for " +
                               std::to_string(options_.stall_ms) + " ms");
    }
    if (!is_over && !is_measuring_ && now_ns >= options.measure_from_ns) {
      BeginMeasuring(options, now_ns);
    }
    EndIntervals(now_ns);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      auto* connection = static_cast<Connection*>(event.data.ptr);
      if ((event.events & EPOLLOUT) != 0) Flush(connection);
      if ((event.events & ~EPOLLOUT) == 0) continue;
      Receive(connection);
      const bool is_closed_loop = !connection->stream->is_open_loop();
      if (is_closed_loop && connection->window.open() == 0) FillWindow(connection);
    }
  }
  for (const auto& stream : streams_) result_.streams.push_back(std::move(stream->result));
  return std::move(result_);
}

void Generator::BeginMeasuring(const RunOptions& options, uint64_t now_ns) {
  is_measuring_ = true;
  for (const IntervalObserver& observer : options.observers) meters_.emplace_back(observer, now_ns);
  Measure(options.server_pid);
}

void Generator::EndMeasuring(const RunOptions& options) {
  Measure(options.server_pid);
  is_measuring_ = false;
  const uint64_t now_ns = NowNs();
  const Histogram& latency = streams_.front()->result.latency;
  for (IntervalMeter& meter : meters_) meter.Finish(now_ns, CurrentProgress(), latency);
  meters_.clear();
}

// Called where measuring begins and where it ends: the difference is what stays.
void Generator::Measure(pid_t server_pid) {
  if (server_pid != 0) {
    result_.server_cpu_ns = CpuTimeNs(server_pid).value_or(0) - result_.server_cpu_ns;
    std::map<std::string, uint64_t> threads_ns = ThreadCpuTimesNs(server_pid);
    for (auto& [name, cpu_ns] : threads_ns) {
      // Less than before when a thread of that name has ended.
      cpu_ns -= std::min(cpu_ns, result_.server_threads_ns[name]);
    }
    result_.server_threads_ns = std::move(threads_ns);
  }
  result_.elapsed_ns = NowNs() - result_.elapsed_ns;
  result_.generator_cpu_ns = OwnCpuNs() - result_.generator_cpu_ns;
}

void Generator::EndIntervals(uint64_t now_ns) {
  for (IntervalMeter& meter : meters_) {
    if (now_ns < meter.next_end_ns()) continue;
    meter.Advance(now_ns, CurrentProgress(), streams_.front()->result.latency);
  }
}

Progress Generator::CurrentProgress() const {
  const StreamResult& measured = streams_.front()->result;
  Progress progress{.answers = measured.answers, .tokens = measured.tokens()};
  for (const auto& stream : streams_) {
    progress.wrong += stream->result.wrong;
    progress.beside_answers += stream->result.answers;
  }
  progress.beside_answers -= measured.answers;
  return progress;
}

size_t Generator::CountOpen() const {
  size_t open = 0;
  for (const auto& stream : streams_) open += stream->open;
  return open;
}

// The next request of the connection's stream; false when it has no more. Requires room.
bool Generator::Append(Connection* connection, uint64_t started_ns) {
  Stream* stream = connection->stream;
  Operation* operation = connection->window.Next();
  operation->started_ns = started_ns;
  if (stream->is_exhausted || !stream->options.next(operation)) {
    stream->is_exhausted = true;
    return false;
  }
  const uint32_t number = connection->window.OpenNext();
  driver_->AppendRequest(*operation, number, &connection->output);
  ++stream->open;
  return true;
}

void Generator::FillWindow(Connection* connection) {
  const uint64_t now_ns = NowNs();
  while (connection->window.HasRoom() && Append(connection, now_ns)) {
  }
  Flush(connection);
}

// Hands out what is due, and then sends: what falls to one connection goes in one write.
void Generator::SendDue(Stream* stream, uint64_t now_ns) {
  while (!stream->is_exhausted) {
    const uint64_t due_ns = stream->DueNs();
    if (due_ns > now_ns) break;
    Connection* connection = stream->NextWithRoom();
    if (connection == nullptr || !Append(connection, due_ns)) break;
    ++stream->started;
    if (!connection->is_touched) stream->touched.push_back(connection);
    connection->is_touched = true;
  }
  for (Connection* connection : stream->touched) {
    connection->is_touched = false;
    Flush(connection);
  }
  stream->touched.clear();
}

// For answers, until the next request or the end of an interval is due; 100 ms at most.
int Generator::Wait(uint64_t now_ns, std::vector<epoll_event>* events) {
  uint64_t wait_ns = options_.spin ? 0 : 100'000'000;
  if (!options_.spin) {
    const auto until = [&](uint64_t time_ns) {
      wait_ns = std::min(wait_ns, time_ns - std::min(time_ns, now_ns));
    };
    for (const auto& stream : streams_) {
      if (!stream->is_open_loop() || stream->is_exhausted) continue;
      // One that is due already waits for room, which comes with an answer.
      if (stream->DueNs() > now_ns) until(stream->DueNs());
    }
    for (const IntervalMeter& meter : meters_) until(meter.next_end_ns());
  }
  const timespec timeout = {.tv_sec = 0, .tv_nsec = static_cast<long>(wait_ns)};
  const int count =
      epoll_pwait2(epoll_, events->data(), static_cast<int>(events->size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR) FailErrno("epoll_pwait2");
  return count;
}

void Generator::Handshake(Connection* connection) {
  const std::string host =
      options_.address.substr(kTls.size(), options_.address.rfind(':') - kTls.size());
  connection->tls = std::make_unique<TlsSession>(tls_, host);
  TlsSession& tls = *connection->tls;
  tls.Begin();
  // The socket blocks unless it is told not to.
  while (!tls.established()) {
    while (!tls.output().empty()) {
      const ssize_t sent =
          send(connection->fd, tls.output().data(), tls.output().size(), MSG_NOSIGNAL);
      if (sent < 0) FailErrno("send");
      tls.output().erase(0, static_cast<size_t>(sent));
    }
    const ssize_t received = recv(connection->fd, read_buffer_.data(), kReadBytes, 0);
    if (received < 0) FailErrno("recv");
    if (received == 0) throw std::runtime_error(options_.address + " closed a connection");
    OpenReceived(connection, {read_buffer_.data(), static_cast<size_t>(received)},
                 &connection->unfinished);
  }
}

void Generator::OpenReceived(Connection* connection, std::string_view sealed, std::string* plain) {
  connection->tls->Receive(sealed);
  while (true) {
    const size_t before = plain->size();
    plain->resize(before + kRecordBytes);
    size_t opened = 0;
    const TlsSession::Result result =
        connection->tls->Open(plain->data() + before, kRecordBytes, &opened);
    plain->resize(before + opened);
    if (result == TlsSession::Result::kData) continue;
    if (result == TlsSession::Result::kNeedMore) return;
    throw std::runtime_error(options_.address + ": TLS: " + connection->tls->error());
  }
}

void Generator::Flush(Connection* connection) {
  if (TlsSession* tls = connection->tls.get(); tls != nullptr && !connection->output.empty()) {
    if (!tls->Seal(connection->output.view())) throw std::runtime_error("TLS: " + tls->error());
    connection->output.Clear();
  }
  const std::string_view bytes =
      connection->tls == nullptr ? connection->output.view() : connection->tls->output();
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
    if (connection->tls != nullptr) connection->tls->output().clear();
    connection->sent = 0;
  }
  if (is_writing == connection->is_writing) return;
  connection->is_writing = is_writing;
  epoll_event event{};
  event.events = is_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = connection;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event) != 0) FailErrno("epoll_ctl");
}

void Generator::Receive(Connection* connection) {
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
  std::string_view bytes(read_buffer_.data(), unfinished.size() + static_cast<size_t>(received));
  if (connection->tls != nullptr) {
    opened_ = unfinished;
    OpenReceived(connection, bytes.substr(unfinished.size()), &opened_);
    bytes = opened_;
  }
  const size_t taken = TakeAnswers(connection, bytes);
  unfinished.assign(bytes.substr(taken));
}

size_t Generator::TakeAnswers(Connection* connection, std::string_view bytes) {
  const uint64_t now_ns = NowNs();
  Stream* stream = connection->stream;
  StreamResult* result = &stream->result;
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
    --stream->open;
    if (answer.result == Answer::Result::kWrong) {
      ++result->wrong;
      if (result->first_wrong.empty()) {
        result->first_wrong = Describe(*answer.operation, rest.substr(0, answer.size));
      }
    }
    if (!is_measuring_) continue;
    ++result->answers;
    result->tokens_of[static_cast<size_t>(answer.operation->kind)] += answer.operation->count;
    result->answer_bytes += answer.size;
    result->latency.Record(now_ns - answer.operation->started_ns);
  }
}

}  // namespace tokend::bench
