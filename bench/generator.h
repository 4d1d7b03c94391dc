// The load generator: many connections in one thread over epoll, whatever the protocol.
//
// Closed loop: each connection sends as many requests as its depth, waits for all their answers,
// and sends again. So at most connections x depth requests are under way, and a slow server is
// asked less. Latency is from the moment before the requests are sent to the moment after their
// answers were read.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/driver.h"
#include "bench/histogram.h"

namespace tokend::bench {

struct GeneratorOptions {
  std::string address;  // HOST:PORT, or unix:PATH
  size_t connections = 50;
  size_t depth = 16;
  bool spin = false;  // poll instead of sleeping: leaves the generator's wake-up out of latencies
  // Nothing may take longer than this; then Run throws.
  uint64_t stall_ms = 30000;
};

// What to send next; false when nothing is left. started_ns is set already: the time of the call.
using NextOperation = std::function<bool(Operation*)>;

struct GeneratorResult {
  uint64_t answers = 0;
  uint64_t wrong = 0;
  uint64_t answer_bytes = 0;
  uint64_t elapsed_ns = 0;
  uint64_t generator_cpu_ns = 0;
  uint64_t server_cpu_ns = 0;  // if its process is known
  std::string first_wrong;     // the first wrong answer, for people
  Histogram latency;
};

class Generator {
 public:
  // Connects everything. Throws std::runtime_error, saying to what and why not. `driver` outlives
  // the generator.
  Generator(const GeneratorOptions& options, Driver* driver);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Sends what `next` gives until it gives nothing more, and waits for all answers. What is
  // answered before `measure_from_ns` (of NowNs) is checked and not counted; CPU time counts from
  // there too. Throws std::runtime_error when a connection is lost or nothing moves for stall_ms.
  GeneratorResult Run(const NextOperation& next, uint64_t measure_from_ns = 0,
                      pid_t server_pid = 0);

  // The clock of started_ns: steady, in nanoseconds.
  static uint64_t NowNs();

 private:
  struct Connection;

  void Fill(Connection* connection, const NextOperation& next);
  void Flush(Connection* connection);
  void Receive(Connection* connection, GeneratorResult* result);
  size_t TakeAnswers(Connection* connection, std::string_view bytes, GeneratorResult* result);
  void Measure(GeneratorResult* result, pid_t server_pid);

  const GeneratorOptions options_;
  Driver* const driver_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<char> read_buffer_;
  bool is_measuring_ = false;
};

}  // namespace tokend::bench
