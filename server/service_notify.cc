#include "server/service_notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "server/uv_handle.h"

namespace tokend {
namespace {

std::string_view Value(const std::map<std::string, std::string>& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string_view() : std::string_view(found->second);
}

// 0 for what is no number.
uint64_t Number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

uint64_t MonotonicUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

bool SendDatagram(const std::string& path, std::string_view message) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  ssize_t sent = 0;
  do {
    sent = sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

}  // namespace

ServiceNotify::ServiceNotify(const std::map<std::string, std::string>& environment, Logger& log)
    : log_(log), socket_path_(Value(environment, "NOTIFY_SOCKET")) {
  if (socket_path_.empty()) return;
  if ((socket_path_.front() != '/' && socket_path_.front() != '@') ||
      socket_path_.size() >= sizeof(sockaddr_un::sun_path)) {
    log_.Warning("notify_failed", {{"error", "NOTIFY_SOCKET is no address of a unix socket"}});
    socket_path_.clear();
    return;
  }
  const std::string_view pid = Value(environment, "WATCHDOG_PID");
  if (!pid.empty() && Number(pid) != static_cast<uint64_t>(getpid())) return;
  const uint64_t watchdog_ms = Number(Value(environment, "WATCHDOG_USEC")) / 1000;
  if (watchdog_ms == 0) return;
  feed_interval_ms_ = watchdog_ms / 2;
  look_interval_ms_ = std::clamp<uint64_t>(watchdog_ms / 4, 1, look_interval_ms_);
}

void ServiceNotify::Ready() { Send("READY=1"); }

void ServiceNotify::Reloading() {
  Send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", MonotonicUs()));
}

void ServiceNotify::Stopping() { Send("STOPPING=1\nSTATUS=stopping"); }

void ServiceNotify::Status(std::string_view line) {
  if (!is_on() || line == status_) return;
  status_ = line;
  std::string message = fmt::format("STATUS={}", line);
  // The next line would be another message.
  std::replace(message.begin(), message.end(), '\n', ' ');
  Send(message);
}

void ServiceNotify::Look(uint64_t steady_ms, std::span<const LoopCounters* const> loops) {
  if (!is_on() || feed_interval_ms_ == 0) return;
  bool all_turned = true;
  turns_.resize(loops.size());
  for (size_t i = 0; i < loops.size(); ++i) {
    const uint64_t turns = loops[i]->turns.total();
    if (turns == turns_[i]) all_turned = false;
    turns_[i] = turns;
  }
  if (!all_turned || steady_ms < feed_at_ms_) return;
  Send("WATCHDOG=1");
  feed_at_ms_ = steady_ms + feed_interval_ms_;
}

void ServiceNotify::Send(std::string_view message) {
  if (!is_on() || SendDatagram(socket_path_, message) || failed_) return;
  failed_ = true;
  log_.Warning("notify_failed", {{"error", std::strerror(errno)}});
}

std::string ServiceStatus(const StoreStats& stats) {
  if (stats.state == StoreState::kReadOnly) {
    return fmt::format("read only: {}", stats.read_only_reason);
  }
  if (stats.state == StoreState::kReady) return "ready";
  if (!stats.load_error.empty()) return fmt::format("loading failed: {}", stats.load_error);
  return fmt::format("loading: {} of about {} tokens", stats.load_records,
                     stats.load_records_estimate);
}

}  // namespace tokend
