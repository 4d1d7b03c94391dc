#include "storage/thread_role.h"

#include <pthread.h>
#include <sys/resource.h>

namespace tokend {
namespace {

// About a tenth of what a thread gets that serves.
constexpr int kBackgroundNice = 10;

}  // namespace

void BeginThread(const char* name, ThreadRole role) {
  pthread_setname_np(pthread_self(), name);
  // 0: on Linux, the calling thread alone.
  if (role == ThreadRole::kBackground) (void)setpriority(PRIO_PROCESS, 0, kBackgroundNice);
}

}  // namespace tokend
