// A mutex that clang's thread-safety analysis understands; std::mutex's carries no annotation here.
#pragma once

#include <mutex>

#if defined(__clang__)
#define TOKEND_ANNOTATION(x) __attribute__((x))
#else
#define TOKEND_ANNOTATION(x)
#endif

#define TOKEND_GUARDED_BY(m) TOKEND_ANNOTATION(guarded_by(m))
#define TOKEND_REQUIRES(...) TOKEND_ANNOTATION(requires_capability(__VA_ARGS__))
#define TOKEND_EXCLUDES(...) TOKEND_ANNOTATION(locks_excluded(__VA_ARGS__))
// The analysis cannot follow: beside it stands why it is right.
#define TOKEND_NO_ANALYSIS TOKEND_ANNOTATION(no_thread_safety_analysis)

namespace tokend {

class TOKEND_ANNOTATION(capability("mutex")) Mutex {
 public:
  void Lock() TOKEND_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void Unlock() TOKEND_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class TOKEND_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) TOKEND_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() TOKEND_ANNOTATION(release_capability()) { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

}  // namespace tokend
