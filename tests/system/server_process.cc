#include "tests/system/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace tokend::testing {

uint64_t SteadyNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

namespace {

pid_t Spawn(const std::string& program, std::vector<std::string> args, const std::string& log_path,
            const std::string& crash_at) {
  args.insert(args.begin(), program);
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  std::string variable = "TOKEND_CRASH_AT=" + crash_at;
  std::vector<char*> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.push_back(*entry);
  if (!crash_at.empty()) variables.push_back(variable.data());
  variables.push_back(nullptr);

  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is ended leaves no server behind
    const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execve(program.c_str(), argv.data(), variables.data());
    _exit(127);
  }
  return pid;
}

}  // namespace

ServerProcess::ServerProcess(const std::string& program, const std::string& data_dir,
                             const std::string& log_path, const std::vector<std::string>& more_args,
                             const std::string& crash_at)
    : address_("unix:" + data_dir + "/tokend.sock") {
  std::vector<std::string> args = {"--data-dir", data_dir, "--listen", "off", "--http", "off"};
  args.insert(args.end(), more_args.begin(), more_args.end());
  started_ns_ = SteadyNs();
  pid_ = Spawn(program, args, log_path, crash_at);
}

ServerProcess::~ServerProcess() {
  if (!is_reaped_) Kill();
}

int ServerProcess::Kill() {
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  is_reaped_ = true;
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void ServerProcess::AskToStop() { kill(pid_, SIGTERM); }

int ServerProcess::Stop() {
  AskToStop();
  int status = 0;
  waitpid(pid_, &status, 0);
  is_reaped_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool ServerProcess::WaitForEnd(std::chrono::milliseconds longest) {
  const uint64_t deadline_ns = SteadyNs() + static_cast<uint64_t>(longest.count()) * 1'000'000;
  while (IsRunning()) {
    if (SteadyNs() > deadline_ns) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool ServerProcess::IsRunning() const {
  siginfo_t info{};
  // WNOWAIT leaves it to be reaped by Kill or Stop.
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

int RunProgram(const std::string& program, const std::vector<std::string>& args,
               const std::string& log_path, const std::string& crash_at) {
  int status = 0;
  waitpid(Spawn(program, args, log_path, crash_at), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace tokend::testing
