#include "server/discard_queue.h"

#include <algorithm>
#include <utility>

#include "server/wipe.h"

namespace tokend {
namespace {

// Some 10 us.
constexpr size_t kSliceBytes = 128 << 10;

}  // namespace

DiscardQueue::~DiscardQueue() {
  while (!queue_.empty()) RunSlice();
}

int DiscardQueue::Open(uv_loop_t* loop) {
  return idle_.Open(this, [&](uv_idle_t* idle) { return uv_idle_init(loop, idle); });
}

void DiscardQueue::Add(std::string bytes) {
  if (bytes.size() <= kAtOnceBytes) {
    Wipe(bytes.data(), bytes.size());
    return;
  }
  buffered_bytes_.fetch_add(bytes.size(), std::memory_order_relaxed);
  queue_.push_back(std::move(bytes));
  if (idle_.get() == nullptr) return;  // the loop is at its end
  uv_idle_start(idle_.get(),
                [](uv_idle_t* idle) { static_cast<DiscardQueue*>(idle->data)->RunSlice(); });
}

void DiscardQueue::RunSlice() {
  std::string& bytes = queue_.front();
  const size_t size = std::min(bytes.size(), kSliceBytes);
  const size_t left = bytes.size() - size;
  Wipe(bytes.data() + left, size);
  bytes.resize(left);
  buffered_bytes_.fetch_sub(size, std::memory_order_relaxed);
  if (left == 0) queue_.pop_front();
  if (queue_.empty() && idle_.get() != nullptr) uv_idle_stop(idle_.get());
}

}  // namespace tokend
