#include "storage/crash_point.h"

#if defined(TOKEND_CRASH_POINTS)

#include <signal.h>
#include <unistd.h>

#include <charconv>

namespace tokend {
namespace {

std::atomic<uint64_t> passages_left{0};

}  // namespace

std::string ArmCrashPoint(std::string_view at) {
  const size_t colon = at.find(':');
  const std::string_view name = at.substr(0, colon);
  const size_t number = CrashPointNumber(name);
  if (number == kCrashPoints.size()) {
    std::string message = "there is no crash point '" + std::string(name) + "'; there are";
    for (const std::string_view known : kCrashPoints) message.append(" ").append(known);
    return message;
  }
  uint64_t passages = 1;
  if (colon != std::string_view::npos) {
    const char* const end = at.data() + at.size();
    const auto [parsed, error] = std::from_chars(at.data() + colon + 1, end, passages);
    if (error != std::errc() || parsed != end || passages == 0) {
      return "after the ':' stands at which passage of the point, a whole number from 1";
    }
  }
  passages_left.store(passages, std::memory_order_relaxed);
  armed_crash_point.store(number, std::memory_order_relaxed);
  return {};
}

void CountCrashPassage() {
  if (passages_left.fetch_sub(1, std::memory_order_relaxed) != 1) return;
  // By its own hand as by another's: no destructor, no buffer and no exit handler runs.
  kill(getpid(), SIGKILL);
  while (true) pause();
}

}  // namespace tokend

#endif
