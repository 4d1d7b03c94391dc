// The load generator: many connections in one thread over epoll, whatever the protocol.
//
// It runs one or more streams side by side: the measured one, and others beside it for as long as
// it lasts. Each has its own connections, and is one of two kinds.
//
// Closed loop: each connection sends as many requests as its depth, waits for all their answers,
// and sends again. So at most connections x depth requests are under way, and a slow server is
// asked less. Latency is from the moment before the requests are sent to the moment after their
// answers were read.
//
// Open loop: requests have a time at which they are meant to be sent, evenly spaced, whatever the
// server does. Each goes to the next connection with less than its depth under way, or waits for
// one. Latency is from the time it was meant for, so whoever would have come during a stall of the
// server (or of the generator) counts with the wait.
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/driver.h"
#include "bench/histogram.h"
#include "bench/interval.h"
#include "protocol/tls.h"

namespace tokend::bench {

// What to send next; false when nothing is left, and then it is not asked again. started_ns and
// is_open are set already, and everything else is what an earlier operation left.
using NextOperation = std::function<bool(Operation*)>;

struct StreamOptions {
  size_t connections = 50;
  size_t depth = 16;
  uint32_t batch_max = 1;  // operations have at most so many tokens
  double rate = 0;         // open loop: requests a second, in all; 0 = closed loop
  NextOperation next;
};

struct GeneratorOptions {
  std::string address;      // HOST:PORT, tls:HOST:PORT, or unix:PATH
  std::string tls_ca_file;  // PEM: whom to trust at tls:; empty = whom the system trusts
  bool spin = false;  // poll instead of sleeping: leaves the generator's wake-up out of latencies
  // With requests under way, something has to be answered in such a time; else Run throws.
  uint64_t stall_ms = 30000;
};

struct RunOptions {
  // What is answered before (a time of NowNs) is checked and not counted; CPU time counts from
  // there too.
  uint64_t measure_from_ns = 0;
  pid_t server_pid = 0;  // its CPU time is taken as well
  std::vector<IntervalObserver> observers;
};

struct StreamResult {
  uint64_t answers = 0;
  uint64_t tokens_of[kOperationKinds] = {};  // answered, by OperationKind
  uint64_t wrong = 0;                        // answers, those before measuring too
  uint64_t answer_bytes = 0;
  std::string first_wrong;  // the first wrong answer, for people
  Histogram latency;

  uint64_t tokens() const;
};

struct GeneratorResult {
  uint64_t elapsed_ns = 0;
  uint64_t generator_cpu_ns = 0;
  uint64_t server_cpu_ns = 0;
  std::map<std::string, uint64_t> server_threads_ns;  // by name
  std::vector<StreamResult> streams;                  // as they were given
};

class Generator {
 public:
  // Connects everything. The first stream is the measured one. Throws std::runtime_error, saying to
  // what and why not. `driver` outlives the generator.
  Generator(const GeneratorOptions& options, std::vector<StreamOptions> streams, Driver* driver);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Runs until the measured stream has nothing more to send and all its answers are there; then
  // measuring ends, the others send no more, and their answers are waited for. Once only. Throws
  // std::runtime_error when a connection is lost or nothing moves for stall_ms.
  GeneratorResult Run(const RunOptions& options = {});

  // The clock of started_ns: steady, in nanoseconds.
  static uint64_t NowNs();

 private:
  struct Connection;
  struct Stream;

  void Connect();
  void BeginMeasuring(const RunOptions& options, uint64_t now_ns);
  void EndMeasuring(const RunOptions& options);
  void Measure(pid_t server_pid);
  void EndIntervals(uint64_t now_ns);
  Progress CurrentProgress() const;
  size_t CountOpen() const;

  bool Append(Connection* connection, uint64_t started_ns);
  void FillWindow(Connection* connection);
  void SendDue(Stream* stream, uint64_t now_ns);
  int Wait(uint64_t now_ns, std::vector<epoll_event>* events);
  void Flush(Connection* connection);
  void Receive(Connection* connection);
  // Opens what the connection has sent over TLS, all of it, to the end of `plain`.
  void OpenReceived(Connection* connection, std::string_view sealed, std::string* plain);
  void Handshake(Connection* connection);
  size_t TakeAnswers(Connection* connection, std::string_view bytes);

  const GeneratorOptions options_;
  Driver* const driver_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<char> read_buffer_;
  std::shared_ptr<const TlsContext> tls_;  // null = plain
  std::string opened_;                     // scratch
  std::vector<IntervalMeter> meters_;
  bool is_measuring_ = false;
  GeneratorResult result_;
};

}  // namespace tokend::bench
