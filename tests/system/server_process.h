// A tokend of a test's own: started on a unix socket in its data directory, killed or stopped, or
// ending by itself at a crash point (storage/crash_point.h).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace tokend::testing {

class ServerProcess {
 public:
  // Starts `program` with the data directory `data_dir` and nothing but a unix socket in it. What
  // it says is appended to `log_path`. `crash_at` is what TOKEND_CRASH_AT will be, unless empty.
  // Throws std::runtime_error where it cannot be started.
  ServerProcess(const std::string& program, const std::string& data_dir,
                const std::string& log_path, const std::vector<std::string>& more_args = {},
                const std::string& crash_at = {});
  // Kills what still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }  // unix:PATH
  pid_t pid() const { return pid_; }
  // When it was started, of a steady clock.
  uint64_t started_ns() const { return started_ns_; }

  // kill -9, and waits until it is gone. Gives the signal that ended it, which may have been
  // another before, or 0. May be called from another thread than the rest, once.
  int Kill();
  // SIGTERM; waits and gives the exit status, or -1 if a signal ended it.
  int Stop();
  // SIGTERM alone.
  void AskToStop();
  // Waits until it has ended by itself, but not for longer than that. To be followed by Kill.
  bool WaitForEnd(std::chrono::milliseconds longest);
  // Whether it runs still. False once it has ended by itself.
  bool IsRunning() const;

 private:
  std::string address_;
  pid_t pid_ = -1;
  bool is_reaped_ = false;
  uint64_t started_ns_ = 0;
};

// Runs it with these arguments to its end, what it says going where a server's does. Gives its exit
// status, or minus the number of the signal that ended it.
int RunProgram(const std::string& program, const std::vector<std::string>& args,
               const std::string& log_path, const std::string& crash_at = {});

uint64_t SteadyNs();

}  // namespace tokend::testing
