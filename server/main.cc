// tokend, the server: settings, logs, signals around a Server.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"
#include "server/limits.h"
#include "server/logging.h"
#include "server/offline.h"
#include "server/server.h"
#include "storage/crash_point.h"

extern char** environ;

namespace {

std::map<std::string, std::string> Environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

// Blocked in every thread, and waited for by the main one: no handler, no global. Must come before
// the first thread, which takes the mask over.
sigset_t BlockSignals() {
  signal(SIGPIPE, SIG_IGN);  // a peer that has gone is an error of its write
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

#if defined(TOKEND_CRASH_POINTS)
// Gives what is wrong with TOKEND_CRASH_AT; empty = nothing. Elsewhere it is a variable like any
// other that is no setting.
std::string ArmCrashPointOf(std::map<std::string, std::string>* environment) {
  const auto at = environment->extract("TOKEND_CRASH_AT");
  return at.empty() ? std::string() : tokend::ArmCrashPoint(at.mapped());
}
#endif

// Blocks of this size and more are given back to the system when they are freed. Left to itself
// the C library raises the bound to the size of a memtable's blocks once it has seen one, and keeps
// the memtables that were flushed: as much as three of them.
void ReturnLargeBlocks() { mallopt(M_MMAP_THRESHOLD, 256 << 10); }

// What is wrong is said, and everything stays as it was.
void Reload(const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment, tokend::Logger& log,
            tokend::Server& server) {
  const tokend::ConfigResult settings = tokend::ReadConfig(arguments, environment);
  if (settings.next == tokend::ConfigResult::Next::kServe) {
    server.Reload(settings.config);
  } else {
    log.Error("reload_failed", {{"error", settings.err}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> environment = Environment();
#if defined(TOKEND_CRASH_POINTS)
  if (const std::string wrong = ArmCrashPointOf(&environment); !wrong.empty()) {
    std::fprintf(stderr, "tokend: TOKEND_CRASH_AT: %s\n", wrong.c_str());
    return 2;
  }
#endif
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const tokend::ConfigResult settings = tokend::ReadConfig(arguments, environment);
  if (settings.next == tokend::ConfigResult::Next::kExit) {
    std::fputs(settings.out.c_str(), stdout);
    std::fputs(settings.err.c_str(), stderr);
    return settings.exit_code;
  }
  const tokend::Config& config = settings.config;
  if (settings.next != tokend::ConfigResult::Next::kServe) return tokend::RunOffline(settings);
  ReturnLargeBlocks();
  const sigset_t signals = BlockSignals();
  tokend::Logger log(*tokend::ParseLogLevel(config.log_level), config.log_format == "json"
                                                                   ? tokend::LogFormat::kJson
                                                                   : tokend::LogFormat::kText);
  for (const std::string& warning : settings.warnings) {
    log.Warning("setting_suspect", {{"what", warning}});
  }
  tokend::RaiseOpenFileLimit(config, log);
  tokend::ForbidCoreDumps(config, log);

  std::unique_ptr<tokend::Server> server;
  const tokend::Status status = tokend::Server::Start(config, {}, log, &server);
  if (!status.ok()) {
    // Whatever the log level, and without a time: for whoever typed the command.
    std::fprintf(stderr, "tokend: %s\n", status.message().c_str());
    return 1;
  }

  int signal_number = 0;
  while (sigwait(&signals, &signal_number) == 0 && signal_number == SIGHUP) {
    Reload(arguments, environment, log, *server);
  }
  log.Info("stopping", {{"signal", strsignal(signal_number)}});
  server->Stop();
  return 0;
}
