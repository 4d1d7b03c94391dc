// TwoThreads: work in two parts, each on a thread of its own, for what is done where nobody waits
// but for the whole of it.
#pragma once

#include <thread>

#include "storage/thread_role.h"

namespace tokend {

// Returns when both have: `second` runs on a new thread, in the background like `first`.
template <typename First, typename Second>
void InTwoThreads(const First& first, const Second& second) {
  std::thread thread([&] {
    BeginThread("second", ThreadRole::kBackground);
    second();
  });
  first();
  thread.join();
}

}  // namespace tokend
