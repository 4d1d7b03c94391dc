#include "storage/populator.h"

#include <algorithm>
#include <cassert>
#include <system_error>

#include "storage/thread_role.h"

namespace tokend {

Populator::~Populator() { Stop(); }

void Populator::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Populator::Area Populator::AddArea(MappedMemory* memory, size_t from, size_t to) {
  assert(area_count_ < kAreasMax);
  const Area area = area_count_++;
  AreaState& state = areas_[area];
  state.memory = memory;
  state.from = from;
  state.to = to;
  if (to - from > kSmallBytes) {
    memory->AdviseHugePages(from + kSmallBytes, to);
    state.ask_at.store(kSmallBytes - kAheadBytes / 2, std::memory_order_relaxed);
    state.ready.store(kSmallBytes, std::memory_order_relaxed);
  }
  return area;
}

void Populator::Ask(Area area, size_t bytes) {
  AreaState& state = areas_[area];
  std::lock_guard lock(mutex_);
  if (stopping_ || bytes <= state.ask_at.load(std::memory_order_relaxed)) return;
  const size_t wanted = std::min(bytes + kAheadBytes, state.to - state.from);
  state.wanted.store(wanted, std::memory_order_relaxed);
  state.ask_at.store(bytes + kAheadBytes / 2, std::memory_order_relaxed);
  pending_ = true;
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error&) {
      stopping_ = true;  // no thread to be had: writers touch their memory themselves
      return;
    }
  }
  asked_.notify_one();
}

void Populator::Run() {
  BeginThread("populator", ThreadRole::kBackground);
  std::unique_lock lock(mutex_);
  while (true) {
    asked_.wait(lock, [this] { return pending_ || stopping_; });
    if (stopping_) return;
    pending_ = false;
    lock.unlock();
    for (AreaState& state : areas_) {
      const size_t ready = state.ready.load(std::memory_order_relaxed);
      const size_t wanted = state.wanted.load(std::memory_order_relaxed);
      if (wanted <= ready) continue;
      state.memory->Populate(state.from + ready, state.from + wanted);
      state.ready.store(wanted, std::memory_order_release);
    }
    lock.lock();
  }
}

}  // namespace tokend
