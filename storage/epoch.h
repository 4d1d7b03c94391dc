// EpochDomain: when may memory be used again that a reader might still be looking at?
// Quiescent-state-based reclamation: readers pay one store a turn, and nothing for a look-up.
//
// A writer unlinks something, then calls Advance() and notes the stamp it gives. Once
// Passed(stamp), every reader that was online then has been quiescent (or offline) since, so nobody
// can hold what was unlinked. A reader that sleeps must be offline, or it holds everything back.
//
// Why it is right. Let S be the writer's read-modify-write of epoch_ in Advance().
// - A reader notes an epoch above the stamp only after loading it from S or later (acquire): it
// sees
//   the unlinking from then on, and its earlier looks happen before its store (release), which
//   Passed() loads (acquire).
// - A reader going online first stores that it is online, then does a read-modify-write of epoch_,
//   R, and only then looks at anything. R and S have an order. R first: S has seen the store, so
//   Passed() finds the reader online with an epoch no later than the stamp, and waits for it.
//   S first: R has seen the unlinking.
// No fences, which ThreadSanitizer would not see.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "storage/mutex.h"

namespace tokend {

class EpochDomain {
 public:
  // One reader thread's. Counters are written by that thread alone, for statistics.
  struct alignas(64) Record {
    std::atomic<uint64_t> epoch{kOffline};
    std::atomic<uint64_t> read_retries{0};
    std::atomic<uint64_t> read_locks{0};
    std::atomic<bool> taken{false};
    Record* next = nullptr;  // constant once in the list
  };

  EpochDomain() = default;
  // Requires that every record was given back.
  ~EpochDomain();
  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;

  // --- readers: each record by one thread at a time ---

  // A record, offline; used again once given back, so there are as many as readers at one time.
  Record* Register();
  void Unregister(Record* record);
  void GoOnline(Record* record);
  void Quiesce(Record* record);
  void GoOffline(Record* record);
  static bool IsOnline(const Record* record) {
    return record->epoch.load(std::memory_order_relaxed) != kOffline;
  }

  // --- writers: any thread ---

  // A stamp for what the caller has unlinked before.
  uint64_t Advance();
  bool Passed(uint64_t stamp);

  // Over all readers, those that are gone too.
  uint64_t read_retries_total() const;
  uint64_t read_locks_total() const;

 private:
  static constexpr uint64_t kOffline = UINT64_MAX;

  std::atomic<uint64_t> epoch_{1};
  // Every reader is known to have passed the stamps below this. Saves looking at the records.
  std::atomic<uint64_t> passed_below_{0};
  std::atomic<Record*> records_{nullptr};
  Mutex register_mutex_;
};

}  // namespace tokend
