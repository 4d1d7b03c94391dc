// tokend, the server: settings, logs, signals around a Server.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"
#include "server/limits.h"
#include "server/logging.h"
#include "server/offline.h"
#include "server/server.h"
#include "server/service_notify.h"
#include "storage/clock.h"
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

// Gives the signal that came, or 0 if none did within the interval; without one it waits for ever.
int WaitForSignal(const sigset_t& signals, std::optional<uint64_t> interval_ms) {
  timespec interval{};
  if (interval_ms.has_value()) {
    interval.tv_sec = static_cast<time_t>(*interval_ms / 1000);
    interval.tv_nsec = static_cast<long>(*interval_ms % 1000 * 1'000'000);
  }
  const int signal_number =
      sigtimedwait(&signals, nullptr, interval_ms.has_value() ? &interval : nullptr);
  return signal_number > 0 ? signal_number : 0;
}

void Tell(tokend::ServiceNotify& service, tokend::Server& server) {
  // stats() asks RocksDB for its numbers: not once a second for good.
  const bool ready = server.store().state() == tokend::StoreState::kReady;
  service.Status(ready ? "ready" : tokend::ServiceStatus(server.store().stats()));
  service.Look(tokend::SystemClock().SteadyMs(), server.loop_counters());
}

// Returns with the signal that ends it.
int Serve(const sigset_t& signals, tokend::ServiceNotify& service, tokend::Server& server,
          const std::function<void()>& reload) {
  service.Ready();
  while (true) {
    std::optional<uint64_t> interval_ms;
    if (service.is_on()) {
      Tell(service, server);
      interval_ms = service.look_interval_ms();
    }
    const int signal_number = WaitForSignal(signals, interval_ms);
    if (signal_number == 0) continue;
    if (signal_number != SIGHUP) return signal_number;
    service.Reloading();
    reload();
    service.Ready();
  }
}

// What is wrong is said, and everything stays as it was.
void Reload(const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment, tokend::Logger& log,
            tokend::Server& server) {
  // Whatever the settings say by now: a log that was moved away is to be let go of.
  server.store().ReopenAuditFile();
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

  tokend::ServiceNotify service(environment, log);
  service.Status("opening the store");

  std::unique_ptr<tokend::Server> server;
  const tokend::Status status = tokend::Server::Start(config, {}, log, &server);
  if (!status.ok()) {
    // Whatever the log level, and without a time: for whoever typed the command.
    std::fprintf(stderr, "tokend: %s\n", status.message().c_str());
    return 1;
  }

  const int signal_number =
      Serve(signals, service, *server, [&] { Reload(arguments, environment, log, *server); });
  service.Stopping();
  log.Info("stopping", {{"signal", strsignal(signal_number)}});
  server->Stop();
  return 0;
}
