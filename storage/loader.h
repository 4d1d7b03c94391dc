// Loader: fills memory from the disk at a start, with several threads side by side, while the
// server answers already. What the Committer has put meanwhile is newer and stays.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "protocol/error.h"
#include "storage/store_parts.h"

namespace tokend {

class RecordBatch;

class Loader {
 public:
  // Enough ranges for threads to finish together, few enough that empty ones cost nothing.
  static constexpr uint64_t kRangesPerNamespace = 32;

  // `progress` is called about once a second, `done` once, with what went wrong if anything did;
  // both on a loading thread.
  Loader(const StoreParts& parts, size_t threads, std::function<void()> progress,
         std::function<void(const Status&)> done);
  // Stops loading if it still goes on, and joins.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  void Start();
  uint64_t records() const { return records_.load(std::memory_order_relaxed); }

 private:
  // Tokens are digests, so ranges of equal width hold about the same number.
  struct Range {
    std::string start, end;
  };
  void Run();
  // Adds to *put how many of its tokens are in memory now.
  Status LoadRange(const Range& range, RecordBatch* batch, uint64_t* put);
  void Count(uint64_t records);

  const StoreParts parts_;
  const size_t thread_count_;
  const std::function<void()> progress_;
  const std::function<void(const Status&)> done_;
  std::vector<Range> ranges_;
  std::atomic<size_t> next_range_{0};
  std::vector<std::atomic<bool>> reserved_;  // of each namespace, by a range of it
  std::atomic<size_t> running_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> records_{0};
  std::atomic<uint64_t> progress_at_steady_ms_{0};
  std::mutex mutex_;
  Status failed_;  // the first failure
  std::vector<std::thread> threads_;
};

}  // namespace tokend
