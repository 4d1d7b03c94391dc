#include "server/limits.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

namespace tokend {
namespace {

// RocksDB's files, listeners, the loops' own descriptors.
constexpr uint64_t kOtherFiles = 1024;

}  // namespace

void RaiseOpenFileLimit(const Config& config, Logger& log) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log.Warning("open_file_limit_unknown", {{"error", std::strerror(errno)}});
    return;
  }
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const uint64_t wanted = config.connections_max + kOtherFiles;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < wanted) {
    log.Warning("open_file_limit_low",
                {{"limit", static_cast<uint64_t>(limit.rlim_cur)},
                 {"wanted", wanted},
                 {"connections_max", config.connections_max},
                 {"advice", "raise the hard limit on open files or lower connections_max"}});
  }
}

void ForbidCoreDumps(const Config& config, Logger& log) {
  if (config.core_dumps == "on") return;
  // The limit is for those that are files; what a program is piped to does not heed it.
  const rlimit none{};
  if (setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0) return;
  log.Warning("core_dumps_possible", {{"error", std::strerror(errno)}});
}

}  // namespace tokend
