#include "storage/two_threads.h"

#include <unistd.h>

#include "storage/thread_role.h"

namespace tokend {

void TwoThreads::Begin(const char* name) { BeginOne(kFirst, name); }

void TwoThreads::BeginOne(Place place, const char* name) {
  BeginThread(name, ThreadRole::kIdling);
  const MutexLock lock(&mutex_);
  threads_[place] = gettid();
  SetIdle(threads_[place], !is_hurried_);
}

void TwoThreads::EndSecond() {
  const MutexLock lock(&mutex_);
  threads_[kSecond] = 0;
}

void TwoThreads::Hurry(bool on) {
  const MutexLock lock(&mutex_);
  if (is_hurried_ == on) return;
  is_hurried_ = on;
  for (const pid_t thread : threads_) {
    if (thread != 0) SetIdle(thread, !on);
  }
}

}  // namespace tokend
