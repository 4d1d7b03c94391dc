// TwoThreads: work in two parts, each on a thread of its own, for what is large and done where
// nobody waits but for the whole of it.
//
// Both threads run when no others want the processor; hurried, they are as good as any other. Where
// the system would not let them (see MayIdle), they are background threads all the time.
#pragma once

#include <sys/types.h>

#include <array>
#include <thread>

#include "storage/mutex.h"

namespace tokend {

class TwoThreads {
 public:
  // The calling thread is the first from now on, until the end of its days.
  void Begin(const char* name);
  // On the first thread; one that has not begun keeps its priority. Returns when both have.
  template <typename First, typename Second>
  void Run(const First& first, const Second& second) {
    std::thread thread([&] {
      BeginOne(kSecond, "second");
      second();
      EndSecond();
    });
    first();
    thread.join();
  }
  // While somebody waits for them, or will. Any thread, as long as the first one is there.
  void Hurry(bool on);

 private:
  enum Place { kFirst, kSecond };

  void BeginOne(Place place, const char* name);
  void EndSecond();

  Mutex mutex_;
  std::array<pid_t, 2> threads_ TOKEND_GUARDED_BY(mutex_) = {};  // 0: not there
  bool is_hurried_ TOKEND_GUARDED_BY(mutex_) = false;
};

}  // namespace tokend
