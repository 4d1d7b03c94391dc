// Wrong client secrets: counted by the address that they come from, and answered the later the more
// of them came from there. Who has the right one is never held up.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "server/methods.h"
#include "storage/clock.h"
#include "storage/mutex.h"

namespace tokend {

class Connection;

// Any thread.
class FailedTries {
 public:
  explicit FailedTries(const Clock& clock) : clock_(clock) {}

  // One more from there: gives how long its answer is to wait, in milliseconds.
  uint64_t Add(const std::string& address);
  uint64_t total() const;

 private:
  static constexpr size_t kAddressesMax = 10'000;
  static constexpr uint64_t kForgottenMs = 60'000;  // after the last one
  static constexpr uint64_t kFirstDelayMs = 100;
  static constexpr uint64_t kDelayMsMax = 5'000;

  struct Tries {
    uint64_t count = 0;
    uint64_t last_ms = 0;
  };

  const Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, Tries> by_address_ TOKEND_GUARDED_BY(mutex_);
  uint64_t total_ TOKEND_GUARDED_BY(mutex_) = 0;
};

// Loop thread: counts it, logs some, and answers the request `unauthenticated` in due time.
void AnswerFailedTry(Connection& connection, const RequestTag& tag);

}  // namespace tokend
