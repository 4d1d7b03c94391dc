// The well-behaved connections of overload-test, on a thread of their own: each asks for tokens
// that are there, at a steady rate in all, compares every answer, and takes its time.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/histogram.h"

namespace tokend::testing {

class Gauge {
 public:
  struct Options {
    std::string address;
    size_t connections = 16;
    double requests_per_second = 1000;
    uint64_t tokens = 1000;  // Token(0) ... Token(tokens - 1) are stored
    uint64_t seed = 0;
  };

  static std::string Token(uint64_t number) { return "good-" + std::to_string(number); }
  static std::string Owner(uint64_t number) { return "owner-" + std::to_string(number % 10); }

  // Connects, and asks from then on.
  explicit Gauge(const Options& options);
  ~Gauge();
  Gauge(const Gauge&) = delete;
  Gauge& operator=(const Gauge&) = delete;

  // What was recorded so far.
  bench::Histogram latencies() const;
  pid_t thread_id() const { return thread_id_; }  // the kernel's
  uint64_t wrong() const { return wrong_; }
  std::string failure() const;

 private:
  struct Connection {
    int fd = -1;
    bool is_open = false;  // waits for an answer
    uint64_t token = 0;
    uint64_t started_ns = 0;
    std::string in;
  };

  void Run();
  void Ask(Connection* connection, uint64_t started_ns);
  void Take(Connection* connection);
  void Fail(const std::string& what);

  const Options options_;
  std::mt19937_64 random_;
  std::vector<Connection> connections_;
  int epoll_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> wrong_{0};
  mutable std::mutex mutex_;
  bench::Histogram latencies_;  // guarded by mutex_
  std::string failure_;         // guarded by mutex_; the first one
  std::atomic<pid_t> thread_id_{0};
  std::thread thread_;
};

}  // namespace tokend::testing
