// The owner cut-offs whose sweep is not over: until each record on disk says so itself, whoever
// reads a record asks here whether its owner was revoked after it was inserted.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/stored_record.h"
#include "storage/token_table.h"

namespace tokend {

class OwnerCutoffs {
 public:
  struct Cutoff {
    uint64_t sequence = 0;
    uint64_t at_ms = 0;
    uint64_t live_count = 0;  // tokens found so far that it ended
  };

  void Add(NamespaceId ns, std::string_view owner, uint64_t sequence, uint64_t at_ms) {
    const std::lock_guard lock(mutex_);
    cutoffs_[{ns, std::string(owner)}].push_back({sequence, at_ms, 0});
    Recount();
  }
  void CountLive(NamespaceId ns, std::string_view owner, uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    const auto it = cutoffs_.find({ns, std::string(owner)});
    if (it == cutoffs_.end()) return;
    for (Cutoff& cutoff : it->second) {
      if (cutoff.sequence == sequence) ++cutoff.live_count;
    }
  }
  // The sweep for `sequence` is over. Gives its count, and whether it was the owner's last cut-off.
  struct Removed {
    uint64_t live_count = 0;
    bool was_last = false;
  };
  Removed Remove(NamespaceId ns, std::string_view owner, uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    Removed removed;
    const auto it = cutoffs_.find({ns, std::string(owner)});
    if (it == cutoffs_.end()) return removed;
    std::erase_if(it->second, [&](const Cutoff& cutoff) {
      if (cutoff.sequence == sequence) removed.live_count = cutoff.live_count;
      return cutoff.sequence == sequence;
    });
    if (it->second.empty()) {
      removed.was_last = true;
      cutoffs_.erase(it);
    }
    Recount();
    return removed;
  }
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  // The earliest cut-off that hits this record, which does not say so yet.
  std::optional<Cutoff> Hitting(NamespaceId ns, const StoredRecord& stored) const {
    if (stored.record.revoked || !stored.record.owner) return std::nullopt;
    return Hitting(ns, *stored.record.owner, stored.inserted_sequence);
  }
  // The same of one that is not revoked.
  std::optional<Cutoff> Hitting(NamespaceId ns, const std::string& owner,
                                uint64_t inserted_sequence) const {
    if (empty()) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const auto it = cutoffs_.find({ns, owner});
    if (it == cutoffs_.end()) return std::nullopt;
    for (const Cutoff& cutoff : it->second) {
      if (inserted_sequence < cutoff.sequence) return cutoff;
    }
    return std::nullopt;
  }

 private:
  void Recount() { count_.store(cutoffs_.size(), std::memory_order_release); }

  mutable std::mutex mutex_;
  // Of one owner in the order they came.
  std::map<std::pair<NamespaceId, std::string>, std::vector<Cutoff>> cutoffs_;
  std::atomic<size_t> count_{0};  // so that the usual case, none, takes no lock
};

}  // namespace tokend
