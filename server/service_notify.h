// Tells the service manager that started tokend how it fares, in systemd's sd_notify protocol: each
// message is one datagram of NAME=VALUE lines to the socket that NOTIFY_SOCKET names.
//
//   READY=1      every listener is answered, while the store still loads, too
//   RELOADING=1  the configuration is being read again; READY=1 when that is over
//   STOPPING=1   it drains
//   STATUS=      a line for people, whenever it changes
//   WATCHDOG=1   every half of WATCHDOG_USEC, as long as every loop turns
//
// Spoken here, since it is a dozen lines that systemd has promised not to change, and libsystemd
// would bring four compression and cryptography libraries into a process that holds tokens.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/counters.h"
#include "server/logging.h"
#include "storage/store.h"

namespace tokend {

// One thread. A message waits for room in the manager's socket; one that cannot be sent is logged,
// once, and tokend goes on.
class ServiceNotify {
 public:
  // NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are taken from `environment`. `log` outlives it.
  ServiceNotify(const std::map<std::string, std::string>& environment, Logger& log);

  // Whether anybody is told. If not, the others do nothing.
  bool is_on() const { return !socket_path_.empty(); }

  void Ready();
  void Reloading();
  void Stopping();
  // Only what differs from the last one is sent.
  void Status(std::string_view line);

  // How often Look() is to be called. Ten ticks of a loop, so that each has turned by then; less
  // for a watchdog that bites sooner. It should be of a second or more.
  uint64_t look_interval_ms() const { return look_interval_ms_; }
  // Feeds the watchdog if that is due and each of `loops` has turned since the last look. It is
  // this short look that counts, not the time since the last feeding: a loop that hangs is found
  // out after WATCHDOG_USEC, not half as much later, and one that goes on in time is forgiven.
  void Look(uint64_t steady_ms, std::span<const LoopCounters* const> loops);

 private:
  void Send(std::string_view message);

  Logger& log_;
  std::string socket_path_;        // '@' first = in the abstract namespace; empty = none
  uint64_t feed_interval_ms_ = 0;  // 0 = no watchdog
  uint64_t look_interval_ms_ = 1000;
  uint64_t feed_at_ms_ = 0;
  std::vector<uint64_t> turns_;  // of each loop at the last look
  std::string status_;
  bool failed_ = false;
};

// What to give Status().
std::string ServiceStatus(const StoreStats& stats);

}  // namespace tokend
