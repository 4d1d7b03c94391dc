// What other threads hand back to a loop, and the list that it goes through.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "server/uv_handle.h"
#include "storage/mutex.h"

namespace tokend {

class Loop;

// Something to do on a loop's thread: an answer that has become possible, or an order to drain.
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void OnLoop(Loop& loop) = 0;
};

// uv_async is a bell, not a queue, and rings merge: so the list is taken whole at each ring, and
// the bell is rung only for the first entry. Bounded by what its senders bound: the Store's queue
// and the worker pool's.
class Mailbox {
 public:
  // Loop thread; the bell is open from here until Close().
  int Open(uv_loop_t* loop, void* data, uv_async_cb on_ring) {
    return bell_.Open(data, [&](uv_async_t* bell) { return uv_async_init(loop, bell, on_ring); });
  }

  // Any thread. After Close() it drops what it is given: nobody is left to be answered.
  void Post(std::unique_ptr<Completion> completion) {
    const MutexLock lock(&mutex_);
    if (closed_) return;
    const bool was_empty = list_.empty();
    list_.push_back(std::move(completion));
    // Under the mutex, so that the bell cannot be closed in between.
    if (was_empty && bell_) uv_async_send(bell_.get());
  }

  // Loop thread. Puts the list into *out, which must be empty; its memory is used again.
  void Take(std::vector<std::unique_ptr<Completion>>* out) {
    const MutexLock lock(&mutex_);
    list_.swap(*out);
  }

  // Loop thread.
  void Close() {
    std::vector<std::unique_ptr<Completion>> dropped;
    const MutexLock lock(&mutex_);
    closed_ = true;
    bell_.Close();
    list_.swap(dropped);
  }

 private:
  // Rung and closed under the mutex; opened before there is anybody to ring it.
  UvHandle<uv_async_t> bell_;
  Mutex mutex_;
  bool closed_ TOKEND_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Completion>> list_ TOKEND_GUARDED_BY(mutex_);
};

}  // namespace tokend
