#include "storage/thread_role.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace tokend {
namespace {

// More than the process has: about a tenth of what a thread gets that serves.
constexpr int kBackgroundNice = 10;
// The least that Linux takes.
constexpr uint64_t kAnsweringSliceNs = 100'000;

// The first form of what sched_setattr(2) takes. The header that has it cannot be had together with
// <sched.h>.
struct SchedAttributes {
  uint32_t size = sizeof(SchedAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = 0, deadline_ns = 0, period_ns = 0;
};
static_assert(sizeof(SchedAttributes) == 48);

// From Linux 6.12 on a thread that wakes up takes the processor at once from one whose slices are
// longer; otherwise that one, background or not, keeps it until the next tick: 4 ms. What a thread
// gets in all stays the same. Older kernels ignore it.
void AskForShortSlices() {
  SchedAttributes attributes;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime_ns = kAnsweringSliceNs;
  (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

bool TryToIdle() {
  bool came_back = false;
  std::thread([&] {
    const sched_param none{};
    came_back = sched_setscheduler(0, SCHED_IDLE, &none) == 0 &&
                sched_setscheduler(0, SCHED_OTHER, &none) == 0;
  }).join();
  return came_back;
}

}  // namespace

void BeginThread(const char* name, ThreadRole role) {
  pthread_setname_np(pthread_self(), name);
  // On Linux, that of the calling thread alone.
  const bool may_not_idle = role == ThreadRole::kIdling && !MayIdle();
  if (role == ThreadRole::kBackground || may_not_idle) (void)!nice(kBackgroundNice);
  if (role == ThreadRole::kAnswering) AskForShortSlices();
}

bool MayIdle() {
  static const bool may = TryToIdle();
  return may;
}

void SetIdle(pid_t thread, bool on) {
  if (!MayIdle()) return;
  const sched_param none{};
  (void)sched_setscheduler(thread, on ? SCHED_IDLE : SCHED_OTHER, &none);
}

}  // namespace tokend
