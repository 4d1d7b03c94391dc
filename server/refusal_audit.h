// Refused callers in the audit log. They come from outside, as many as somebody likes, so they have
// a rate: beyond it they are only counted, and the next line says how many were left out.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "protocol/error.h"
#include "storage/clock.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace tokend {

class Connection;

// Any thread.
class RefusalAudit {
 public:
  RefusalAudit(Store& store, const Clock& clock)
      : store_(store), clock_(clock), refilled_steady_ms_(clock.SteadyMs()) {}

  // What the connection's caller asked for and may not do. `op` is a literal, `code` kForbidden or
  // kUnauthenticated, the namespace empty where it does not matter.
  void Note(Connection& connection, std::string_view op, ErrorCode code,
            std::string_view namespace_name = {});
  uint64_t suppressed_total() const { return suppressed_total_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kPerSecond = 100;
  static constexpr uint64_t kAtOnceMax = 1000;

  // Whether there may be a line now; gives how many there were none for since the last one.
  bool Take(uint64_t* suppressed);
  void Suppress(uint64_t count);

  Store& store_;
  const Clock& clock_;
  std::atomic<uint64_t> suppressed_total_{0};
  mutable Mutex mutex_;
  uint64_t left_ TOKEND_GUARDED_BY(mutex_) = kAtOnceMax;
  uint64_t refilled_steady_ms_ TOKEND_GUARDED_BY(mutex_);
  uint64_t suppressed_ TOKEND_GUARDED_BY(mutex_) = 0;  // since the last line
};

}  // namespace tokend
