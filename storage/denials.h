// Denials: revokes that wait in the Committer's queue. Each has the ticket of its submission, and
// hits every insert with a lower one, wherever that is on its way; so a revoke takes effect before
// it is durable, and an insert queued ahead of it never becomes visible.
//
// Thread-safe. The mutex is a leaf: nothing is called while it is held.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/token.h"
#include "storage/token_table.h"

namespace tokend {

class Denials {
 public:
  void AddToken(NamespaceId ns, const TokenKey& key, uint64_t ticket) {
    const std::lock_guard lock(mutex_);
    tokens_[{ns, key}] = ticket;
    Recount();
  }
  void AddOwner(NamespaceId ns, std::string_view owner, uint64_t ticket) {
    const std::lock_guard lock(mutex_);
    owners_[{ns, std::string(owner)}] = ticket;
    Recount();
  }
  // The revoke of this ticket is over; one that came later under the same name stays.
  void RemoveToken(NamespaceId ns, const TokenKey& key, uint64_t ticket) {
    const std::lock_guard lock(mutex_);
    const auto it = tokens_.find({ns, key});
    if (it != tokens_.end() && it->second <= ticket) tokens_.erase(it);
    Recount();
  }
  void RemoveOwner(NamespaceId ns, std::string_view owner, uint64_t ticket) {
    const std::lock_guard lock(mutex_);
    const auto it = owners_.find({ns, std::string(owner)});
    if (it != owners_.end() && it->second <= ticket) owners_.erase(it);
    Recount();
  }
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  // Whether an insert with this ticket is hit. Loading asks with ticket 0: what is on disk is older
  // than anything queued.
  bool Hits(NamespaceId ns, const TokenKey& key, const std::string* owner, uint64_t ticket) const {
    if (empty()) return false;
    const std::lock_guard lock(mutex_);
    const auto token = tokens_.find({ns, key});
    if (token != tokens_.end() && token->second > ticket) return true;
    return owner != nullptr && HitsOwnerLocked(ns, *owner, ticket);
  }
  bool HitsOwner(NamespaceId ns, const std::string& owner, uint64_t ticket) const {
    if (empty()) return false;
    const std::lock_guard lock(mutex_);
    return HitsOwnerLocked(ns, owner, ticket);
  }

 private:
  bool HitsOwnerLocked(NamespaceId ns, const std::string& owner, uint64_t ticket) const {
    const auto denied = owners_.find({ns, owner});
    return denied != owners_.end() && denied->second > ticket;
  }
  void Recount() { count_.store(tokens_.size() + owners_.size(), std::memory_order_release); }

  mutable std::mutex mutex_;
  std::map<std::pair<NamespaceId, TokenKey>, uint64_t> tokens_;
  std::map<std::pair<NamespaceId, std::string>, uint64_t> owners_;
  std::atomic<size_t> count_{0};  // so that the usual case, none, takes no lock
};

}  // namespace tokend
