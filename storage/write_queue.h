// The Committer's queue: bounded in Mutations and bytes, ordered by tickets. A revoke is noted as a
// denial, and done to memory, in the same step as it is queued.
//
// Thread-safe. Lock order: the queue's mutex, then Denials', then a shard's of the table.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/store.h"
#include "storage/store_parts.h"

namespace tokend {

class WriteQueue {
 public:
  struct Item {
    std::unique_ptr<Submission> submission;
    uint64_t ticket = 0;
    size_t bytes = 0;
  };
  struct Load {
    uint64_t mutations = 0;
    uint64_t bytes = 0;
  };

  WriteQueue(const StoreParts& parts, size_t mutations_max, size_t bytes_max)
      : parts_(parts), mutations_max_(mutations_max), bytes_max_(bytes_max) {}

  // kBusy: full, and `submission` stays with the caller. Takes it otherwise.
  Status Push(std::unique_ptr<Submission>& submission);
  // Takes from the front, at least one if there is any, up to the bounds. Waits for `wait` if there
  // is none and nothing was rung.
  std::vector<Item> Take(size_t mutations_max, size_t bytes_max, std::chrono::microseconds wait);
  // Wakes Take.
  void Ring();
  Load load() const;

 private:
  void Deny(const Mutation& mutation, uint64_t ticket);

  const StoreParts parts_;
  const size_t mutations_max_;
  const size_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Item> items_;
  Load load_;
  uint64_t last_ticket_ = 0;
  bool rung_ = false;
};

}  // namespace tokend
