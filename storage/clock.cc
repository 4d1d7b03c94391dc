#include "storage/clock.h"

#include <ctime>

namespace tokend {
namespace {

class System final : public Clock {
 public:
  uint64_t NowMs() const override { return Read(CLOCK_REALTIME); }
  // Counts while the machine sleeps too, unlike CLOCK_MONOTONIC.
  uint64_t SteadyMs() const override { return Read(CLOCK_BOOTTIME); }

 private:
  static uint64_t Read(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    // A clock set before 1970 is as good as 1970: times are unsigned everywhere.
    if (t.tv_sec < 0) return 0;
    return static_cast<uint64_t>(t.tv_sec) * 1000 + static_cast<uint64_t>(t.tv_nsec) / 1000000;
  }
};

}  // namespace

const Clock& SystemClock() {
  static const System clock;
  return clock;
}

}  // namespace tokend
