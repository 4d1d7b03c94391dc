// What other threads hand back to a loop, and the list that it goes through.
#pragma once

#include <sys/eventfd.h>

#include <cerrno>
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

// A list and a bell: rings merge, so the list is taken whole at each, and only its first entry
// rings. Bounded by what its senders bound: the Store's queue and the worker pool's.
//
// The bell is an eventfd of our own: a loop that uv_async has woken waits, in turns of
// sched_yield(2), until the sender is out of uv_async_send. Where it has taken the sender's
// processor by waking up, that is for as long as others keep it.
class Mailbox {
 public:
  // Loop thread; the bell is open from here until Close().
  int Open(uv_loop_t* loop, void* data, uv_poll_cb on_ring) {
    bell_fd_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell_fd_) return uv_translate_sys_error(errno);
    const int rc =
        bell_.Open(data, [&](uv_poll_t* bell) { return uv_poll_init(loop, bell, bell_fd_.get()); });
    return rc != 0 ? rc : uv_poll_start(bell_.get(), UV_READABLE, on_ring);
  }

  // Any thread. After Close() it drops what it is given: nobody is left to be answered.
  void Post(std::unique_ptr<Completion> completion) {
    {
      const MutexLock lock(&mutex_);
      if (closed_) return;
      list_.push_back(std::move(completion));
      if (list_.size() != 1) return;
    }
    // Without the mutex: the loop may run at once, and in this thread's place.
    (void)eventfd_write(bell_fd_.get(), 1);
  }

  // Loop thread. Puts the list into *out, which must be empty; its memory is used again.
  void Take(std::vector<std::unique_ptr<Completion>>* out) {
    eventfd_t rings;
    (void)eventfd_read(bell_fd_.get(), &rings);  // before the list: what comes later rings again
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
  UniqueFd bell_fd_;  // as long as there may be senders; opened before there are any
  UvHandle<uv_poll_t> bell_;
  Mutex mutex_;
  bool closed_ TOKEND_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Completion>> list_ TOKEND_GUARDED_BY(mutex_);
};

}  // namespace tokend
