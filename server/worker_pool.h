// Threads for what may read or write the disk, so that no loop ever waits for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/thread_role.h"

namespace tokend {

class Job {
 public:
  virtual ~Job() = default;
  // On a worker thread. Owns itself again, and posts itself to its loop when it is done.
  virtual void Run(std::unique_ptr<Job> self) = 0;
};

// Any thread may submit. The queue is bounded, and full is a result. So is what jobs have made and
// nobody has taken: on a busy machine a loop may be much slower to answer than jobs are to read.
class WorkerPool {
 public:
  // `name` and `role` as in BeginThread. With `results_bytes_max` of results or more no job begins.
  WorkerPool(const char* name, ThreadRole role, size_t threads, size_t queue_max,
             size_t results_bytes_max);
  ~WorkerPool();  // Stop()

  // false where the queue is full: the job stays with the caller.
  [[nodiscard]] bool TrySubmit(std::unique_ptr<Job>& job);

  // Any thread: a job has made a result of so many bytes; it has been taken, or dropped.
  void AddResult(size_t bytes);
  void TakeResult(size_t bytes);

  // Drops what waits, lets what runs end, joins the threads. Nothing may be submitted any more.
  void Stop();

 private:
  void Work();

  const char* const name_;
  const ThreadRole role_;
  const size_t queue_max_;
  const size_t results_bytes_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;  // guarded by mutex_
  size_t results_bytes_ = 0;                // guarded by mutex_
  bool stopping_ = false;                   // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace tokend
