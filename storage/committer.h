// Committer: the one thread that changes state. It takes Mutations from the queue in groups, makes
// each group durable with one write, applies it to memory and answers. Between groups it takes one
// bounded step of what takes longer (an owner's sweep, a purge, write-behind of usage) and of
// upkeep (giving memory of expired tokens back, the reclaim clock).
//
//   queued ──► planned ──► written, synced ──► in memory ──► answered
//     │ a revoke denies here already      └ or not: the store is read-only from then on, and a
//     └ the queue is bounded                revoke stays denied in memory
//
// Before the disk is full the last of its room is kept for revokes. A failure ends with a restart,
// or by itself where the disk was full all the same and has room again; revokes that were answered
// as not durable are written then.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "storage/audit_trail.h"
#include "storage/background_job.h"
#include "storage/clock_watch.h"
#include "storage/import_stage.h"
#include "storage/mutation_planner.h"
#include "storage/store.h"
#include "storage/store_parts.h"
#include "storage/write_queue.h"

namespace tokend {

struct CommitterOptions {
  Durability durability = Durability::kSync;
  uint64_t sync_interval_ms = 0;
  size_t namespaces_max = 0;
  size_t queue_mutations_max = 0;
  size_t queue_bytes_max = 0;
  uint64_t usage_flush_interval_ms = 0;  // 0 = not kept
  size_t import_direct_rows = 0;
  size_t import_run_bytes = 0;
  StoreListener* listener = nullptr;  // may be null
};

struct CommitterStats {
  uint64_t mutations_total = 0, commits_total = 0, commit_bytes_total = 0, commit_us_total = 0;
  uint64_t usage_flushed_total = 0;
  uint64_t sequence = 0;
  // When memory last had nothing that was due to be reclaimed, of the steady clock.
  uint64_t reclaim_done_steady_ms = 0;
};

class Committer {
 public:
  // `audit_file` may be null.
  Committer(const StoreParts& parts, const CommitterOptions& options, uint64_t last_sequence,
            AuditFile* audit_file);
  // Commits what is queued, writes usage and the reclaim clock, and joins.
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  void Start();
  Status Submit(std::unique_ptr<Submission>& submission) { return queue_.Push(submission); }
  // Before Start: work that a crash has left over.
  void ResumeSweep(NamespaceId ns, const std::string& owner, uint64_t sequence);

  // Run on the Committer's thread, and return when they have.
  void Maintain();
  void FlushUsage();

  WriteQueue::Load queue_load() const { return queue_.load(); }
  CommitterStats stats() const;
  // Writes are refused: all of them after a failure, all but revokes where the disk is nearly full.
  bool read_only() const { return failed() || full_.load(std::memory_order_acquire); }
  std::string read_only_reason() const;

 private:
  void Run();
  // How long a step may wait for what is queued.
  std::chrono::microseconds Pause() const;
  void CommitGroupOf(std::vector<WriteQueue::Item> items);
  // Whether the stage has to go on before this one, of an import, can be planned.
  bool NeedsStage(const Submission& submission) const;
  // Behind those of imports that wait already.
  void Wait(WriteQueue::Item item);
  // A step of those that wait, where it needs not the stage.
  void CommitWaiting();
  // One bounded step of what imports have staged; `all`: not for more to come.
  void StepStage(bool all);
  void MergeTaken();
  void FailImports(const std::string& reason);
  void FinishDenials(const Submission& submission, uint64_t ticket);
  // Of what could not be written, keeps the revokes for a recovery.
  void KeepRevokes(const Submission& submission, uint64_t ticket);
  // Whether it has to be on the disk before it is acknowledged.
  bool IsSyncedFirst(const Mutation& mutation) const;
  // One write, then memory; false (and read-only from now on) where it failed.
  bool WriteGroup(CommitGroup* group, bool sync);
  // Brings to the disk what was acknowledged without being there.
  void SyncAcknowledged();
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  void BecomeReadOnly(const rocksdb::Status& status);
  // What room is left on the disk is kept for revokes.
  void CheckRoom();
  void TryToRecover(uint64_t steady_ms);
  void StepJob();
  void Upkeep(bool thorough);
  void WatchClock(uint64_t now_ms, uint64_t steady_ms);
  void StartUsageFlush();
  void SaveUsageOfFreed();
  void PersistReclaimClock();
  // A group of the audit log's own: what `note` notes.
  void Audit(const std::function<Status()>& note);
  void NoteEndedImports();
  void DropAuditRows();
  void RunCalls();
  void Call(std::atomic<bool>* request);

  const StoreParts parts_;
  const CommitterOptions options_;
  WriteQueue queue_;
  ImportStage stage_;
  MutationPlanner planner_;
  AuditTrail audit_;
  std::deque<WriteQueue::Item> waiting_;  // import_rows and import_end, for the stage or their turn
  size_t waiting_bytes_ = 0;
  uint64_t staged_since_steady_ms_ = 0;
  std::vector<TokenName> dropped_;  // scratch
  ClockWatch clock_watch_;
  std::deque<std::unique_ptr<BackgroundJob>> jobs_;
  std::vector<TokenTable::UsageEntry> unsaved_usage_;
  uint64_t upkeep_at_steady_ms_ = 0;
  uint64_t usage_flush_at_steady_ms_ = 0;
  uint64_t clock_persisted_at_steady_ms_ = 0;
  uint64_t room_checked_at_steady_ms_ = 0;
  uint64_t synced_sequence_;  // the last one that is on the disk for certain
  // Of the oldest write that may not be on the disk; kSync and kNone do not ask.
  std::optional<uint64_t> unsynced_since_steady_ms_;
  bool reclaim_pending_ = false;  // the last step used its budget up
  bool usage_flush_running_ = false;
  bool read_back_running_ = false;

  bool may_recover_ = false;  // while failed
  uint64_t recovery_tried_at_steady_ms_ = 0;
  std::deque<WriteQueue::Item> undurable_;  // revokes alone
  size_t undurable_count_ = 0;              // Mutations in it

  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};
  std::atomic<bool> full_{false};
  mutable std::mutex mutex_;  // guards what follows
  std::string read_only_reason_;
  std::condition_variable called_;
  std::atomic<bool> maintain_requested_{false};
  std::atomic<bool> flush_requested_{false};

  std::atomic<uint64_t> mutations_total_{0}, commits_total_{0}, commit_bytes_total_{0},
      commit_us_total_{0}, usage_flushed_total_{0}, sequence_{0}, reclaim_done_steady_ms_{0};
  std::thread thread_;
};

}  // namespace tokend
