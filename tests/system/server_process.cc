#include "tests/system/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>

namespace tokend::testing {

uint64_t SteadyNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

ServerProcess::ServerProcess(const std::string& program, const std::string& data_dir,
                             const std::string& log_path, const std::vector<std::string>& more_args)
    : address_("unix:" + data_dir + "/tokend.sock") {
  std::vector<std::string> args = {program, "--data-dir", data_dir, "--listen",
                                   "off",   "--http",     "off"};
  args.insert(args.end(), more_args.begin(), more_args.end());
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);

  started_ns_ = SteadyNs();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid_ == 0) {
    const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
}

ServerProcess::~ServerProcess() {
  if (!is_reaped_) Kill();
}

void ServerProcess::Kill() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  is_reaped_ = true;
}

int ServerProcess::Stop() {
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  is_reaped_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool ServerProcess::IsRunning() const {
  siginfo_t info{};
  // WNOWAIT leaves it to be reaped by Kill or Stop.
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

}  // namespace tokend::testing
