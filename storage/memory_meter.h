// Counts the memory that the table uses, against a limit. Any thread.
//
// Slots count while a token or a reader has them. Index buckets and names count once touched, since
// they are used again but never given back.
#pragma once

#include <atomic>
#include <cstdint>

namespace tokend {

class MemoryMeter {
 public:
  explicit MemoryMeter(uint64_t bytes_max) : bytes_max_(bytes_max) {}  // 0 = no limit

  void Add(uint64_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void Sub(uint64_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  bool HasRoomFor(uint64_t bytes_more) const {
    return bytes_max_ == 0 || bytes() + bytes_more <= bytes_max_;
  }

 private:
  const uint64_t bytes_max_;
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace tokend
