// What a reload replaces while others use it: who has taken it keeps it until it takes the next.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "storage/mutex.h"

namespace tokend {

// Any thread.
template <typename T>
class Replaceable {
 public:
  explicit Replaceable(std::shared_ptr<const T> value) : value_(std::move(value)) {}

  // Changes with each Replace().
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const T> Get() const {
    const MutexLock lock(&mutex_);
    return value_;
  }
  void Replace(std::shared_ptr<const T> value) {
    const MutexLock lock(&mutex_);
    value_ = std::move(value);
    version_.fetch_add(1, std::memory_order_release);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ TOKEND_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{1};
};

}  // namespace tokend
