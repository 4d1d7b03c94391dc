// How many tokens there are of each state, and how many will expire soon, by namespace: counted by
// looking at all of memory, so once a minute at most, and only when somebody asks.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "storage/mutex.h"
#include "storage/store.h"

namespace tokend {

class Census {
 public:
  // A count is good for so long.
  static constexpr uint64_t kAgeMaxMs = 60'000;
  // Beyond, those with the fewest live tokens are counted together: each is several metrics.
  static constexpr size_t kNamespacesMax = 100;

  struct Result {
    uint64_t at_steady_ms = 0;
    TokenCounts all;
    std::vector<std::pair<std::string, TokenCounts>> by_namespace;  // by name; the others' is last
  };

  Census(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  // Counts where the last result is too old: some 15 ns a token. Whoever asks meanwhile gets the
  // last one, or waits for the first. Any thread that may take its time. Never null.
  std::shared_ptr<const Result> Get();

 private:
  Result Count() const;

  Store& store_;
  const Clock& clock_;
  std::shared_ptr<const Result> Last() {
    const MutexLock lock(&mutex_);
    return last_;
  }

  std::mutex counting_;  // held by the one that counts
  Mutex mutex_;
  std::shared_ptr<const Result> last_ TOKEND_GUARDED_BY(mutex_);
};

}  // namespace tokend
