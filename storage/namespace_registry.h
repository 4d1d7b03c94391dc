// The namespaces: read by every request through a snapshot, changed by the Committer alone.
//
// Thread-safe; a snapshot lives as long as its holder keeps it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/store.h"

namespace tokend {

class NamespaceRegistry {
 public:
  std::shared_ptr<const NamespaceMap> snapshot() const {
    const std::lock_guard lock(mutex_);
    return map_;
  }
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  void Set(const std::string& name, const NamespaceInfo& info) {
    const std::lock_guard lock(mutex_);
    auto changed = std::make_shared<NamespaceMap>(*map_);
    (*changed)[name] = info;
    map_ = std::move(changed);
    version_.fetch_add(1, std::memory_order_release);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const NamespaceMap> map_ = std::make_shared<NamespaceMap>();
  std::atomic<uint64_t> version_{1};
};

}  // namespace tokend
