#include "server/worker_pool.h"

#include <utility>

namespace tokend {

WorkerPool::WorkerPool(const char* name, ThreadRole role, size_t threads, size_t queue_max,
                       size_t results_bytes_max)
    : name_(name), role_(role), queue_max_(queue_max), results_bytes_max_(results_bytes_max) {
  threads_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

WorkerPool::~WorkerPool() { Stop(); }

bool WorkerPool::TrySubmit(std::unique_ptr<Job>& job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void WorkerPool::AddResult(size_t bytes) {
  const std::lock_guard lock(mutex_);
  results_bytes_ += bytes;
}

void WorkerPool::TakeResult(size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    results_bytes_ -= bytes;
  }
  wake_.notify_all();
}

void WorkerPool::Stop() {
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  dropped.clear();
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::Work() {
  BeginThread(name_, role_);
  while (true) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] {
        return stopping_ || (!queue_.empty() && results_bytes_ < results_bytes_max_);
      });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    Job& running = *job;
    running.Run(std::move(job));
  }
}

}  // namespace tokend
