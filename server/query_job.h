// A query that may read the disk: runs on a worker thread and is answered on its loop.
#pragma once

#include <memory>
#include <string>

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "server/completion.h"
#include "server/pending_request.h"
#include "server/worker_pool.h"
#include "storage/store.h"

namespace tokend {

class QueryJob : public Job, public Completion {
 public:
  explicit QueryJob(const Call& call) : request_(call) {}
  ~QueryJob() override;

  // Loop thread: hands the job to the pool, or answers `busy`.
  static void Submit(Call& call, WorkerPool& pool, std::unique_ptr<QueryJob> query);
  // To the pool of queries.
  static void Submit(Call& call, std::unique_ptr<QueryJob> query);

  void Run(std::unique_ptr<Job> self) final;
  void OnLoop(Loop& loop) final;

 protected:
  // Worker thread: writes the result, one value, unless there is an error.
  virtual Status Answer(msgpack_io::Writer& out) = 0;

 private:
  PendingRequest request_;
  WorkerPool* pool_ = nullptr;  // that has its result to bound; it outlives the loops
  Status status_;
  std::string result_;
};

}  // namespace tokend
