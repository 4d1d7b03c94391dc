// DiscardQueue: bytes that peers sent and that are done with, and so many that to zero and free
// them at once would hold up every other connection of the loop: a slice goes in each turn.
//
// Loop thread only.
#pragma once

#include <uv.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "server/uv_handle.h"

namespace tokend {

class DiscardQueue {
 public:
  // Adds to `buffered_bytes` what is not gone yet.
  explicit DiscardQueue(std::atomic<uint64_t>& buffered_bytes) : buffered_bytes_(buffered_bytes) {}
  ~DiscardQueue();
  DiscardQueue(const DiscardQueue&) = delete;
  DiscardQueue& operator=(const DiscardQueue&) = delete;

  // 0, or a libuv error.
  int Open(uv_loop_t* loop);
  void Close() { idle_.Close(); }

  void Add(std::string bytes);

 private:
  // What is done away with where it is: some 2 us.
  static constexpr size_t kAtOnceBytes = 16 << 10;

  void RunSlice();

  std::atomic<uint64_t>& buffered_bytes_;
  UvHandle<uv_idle_t> idle_;  // runs while there is something, so that the loop does not sleep
  std::deque<std::string> queue_;
};

}  // namespace tokend
