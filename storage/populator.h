// Populator: has memory ready before it is needed.
//
// Memory is backed when it is first touched, and a huge page has to be zeroed for that: 0.2 ms, and
// 4 ms in a guest whose host has to find the memory first. A writer that met this would hold its
// shard for so long. So once an area of memory has grown large enough for huge pages, a thread of
// this class touches what comes next; if it is outrun, the writer's own touch does the same.
//
// Threads: Reached and ready_bytes from any thread, the rest from the one that owns this.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

#include "storage/mapped_memory.h"

namespace tokend {

class Populator {
 public:
  // Below this, an area has small pages and none ready: so a small table takes no memory that it
  // does not use.
  static constexpr size_t kSmallBytes = 2 << 20;
  // What is ready ahead of use. At a million new tokens a second, 30 ms.
  static constexpr size_t kAheadBytes = 4 << 20;
  static constexpr size_t kAreasMax = 12;

  // A part of a mapping that is filled from its start. Known by its number.
  using Area = size_t;

  Populator() = default;
  ~Populator();
  Populator(const Populator&) = delete;
  Populator& operator=(const Populator&) = delete;

  // Also lets [from + kSmallBytes, to) have huge pages. At most kAreasMax areas.
  Area AddArea(MappedMemory* memory, size_t from, size_t to);
  // Waits for the thread; nothing is made ready any more. To be called before a mapping goes.
  void Stop();
  // The first `bytes` of the area are in use. Cheap, but for one call in many thousands.
  void Reached(Area area, size_t bytes) {
    if (bytes > areas_[area].ask_at.load(std::memory_order_relaxed)) Ask(area, bytes);
  }
  // What of the area is ready, or small.
  size_t ready_bytes(Area area) const { return areas_[area].ready.load(std::memory_order_acquire); }

 private:
  struct AreaState {
    MappedMemory* memory = nullptr;
    size_t from = 0, to = 0;
    std::atomic<size_t> ask_at{SIZE_MAX};
    std::atomic<size_t> wanted{0};
    std::atomic<size_t> ready{0};
  };

  void Ask(Area area, size_t bytes);
  void Run();

  std::array<AreaState, kAreasMax> areas_;
  size_t area_count_ = 0;
  std::mutex mutex_;
  std::condition_variable asked_;
  // Under the mutex, and so is each area's ask_at when it is raised:
  bool pending_ = false;
  bool stopping_ = false;
  std::thread thread_;  // started when first asked
};

}  // namespace tokend
