#include "storage/committer.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "storage/crash_point.h"
#include "storage/thread_role.h"

namespace tokend {
namespace {

// A group is as large as these allow: one fsync serves it, and a small write in it waits for all.
constexpr size_t kGroupMutationsMax = 4096;
constexpr size_t kGroupBytesMax = 4 << 20;

constexpr uint64_t kUpkeepIntervalMs = 50;
constexpr std::chrono::milliseconds kIdleWait(kUpkeepIntervalMs);
// Between two steps of reclaiming or of a job, where no write waits: a loop that shares the
// processor with this thread gets it, rather than wait for the end of a time slice.
constexpr std::chrono::microseconds kStepPause(50);
constexpr unsigned long kTimerSlackNs = 1000;  // the system's own is as long as the pause
constexpr uint64_t kClockPersistIntervalMs = 10000;
constexpr uint64_t kRecoveryIntervalMs = 1000;
// With less room on the disk only revokes are written; with more, everything again. Files that are
// being written take some of it meanwhile.
constexpr uint64_t kStopFreeBytes = 256 << 20;
constexpr uint64_t kResumeFreeBytes = 320 << 20;
// Revokes that are kept for a recovery; later ones stay denied in memory, and that is all.
constexpr size_t kUndurableMax = 200'000;
// Tokens freed in a step: some 25 microseconds.
constexpr size_t kReclaimBudget = 96;
// Rows of imports that wait, beyond which everything waits for them.
constexpr size_t kWaitingBytesMax = 32 << 20;
// With so many the import is as fast as it can be, and its run is what it will wait for.
constexpr size_t kPressingMessages = 4;
// What an import has staged is visible after so long at the latest.
constexpr uint64_t kStagedMsMax = 1000;
// With fewer tokens a run is merged row by row, in about the time that its files would take.
constexpr size_t kImportRunTokensMin = 4096;
constexpr size_t kTakenPerGroup = 1024;

void Answer(std::unique_ptr<Submission> submission) {
  Submission* raw = submission.get();
  raw->Done(std::move(submission));
}

// A revoke that was answered long ago.
class KeptRevokes : public Submission {
 public:
  void Done(std::unique_ptr<Submission> /*self*/) override {}
};

// They are alone in theirs.
bool IsOfImport(const Submission& submission) {
  if (submission.mutations.size() != 1) return false;
  const auto& op = submission.mutations.front().op;
  return std::holds_alternative<ImportRowsMutation>(op) ||
         std::holds_alternative<ImportEndMutation>(op);
}

// Whether rows of its are still to be planned.
bool IsUnfinished(const Submission& submission) {
  if (!IsOfImport(submission)) return false;
  const auto* rows = std::get_if<ImportRowsMutation>(&submission.mutations.front().op);
  return rows != nullptr && rows->planned < rows->rows.size() &&
         submission.outcomes.front().status.ok();
}

bool IsRevoke(const Mutation& mutation) {
  return std::holds_alternative<RevokeMutation>(mutation.op) ||
         std::holds_alternative<RevokeIdMutation>(mutation.op) ||
         std::holds_alternative<RevokeOwnerMutation>(mutation.op);
}

bool IsAwaitedAudit(const Mutation& mutation) {
  const auto* audit = std::get_if<AuditMutation>(&mutation.op);
  return audit != nullptr && audit->is_awaited;
}

// On a disk that is nearly full: what ends tokens, what makes room, and what an operator or the
// settings ask for.
bool IsTakenWhenFull(const Mutation& mutation) {
  return IsRevoke(mutation) || IsAwaitedAudit(mutation) ||
         std::holds_alternative<PurgeExpiredMutation>(mutation.op) ||
         std::holds_alternative<CreateNamespaceMutation>(mutation.op) ||
         std::holds_alternative<AcceptClockMutation>(mutation.op);
}

// To rotate is to end a token as well; the end of an import says that all of it is on the disk.
bool IsSyncedAtEveryLevel(const Mutation& mutation) {
  return IsRevoke(mutation) || IsAwaitedAudit(mutation) ||
         std::holds_alternative<RotateMutation>(mutation.op) ||
         std::holds_alternative<ImportEndMutation>(mutation.op);
}

}  // namespace

Committer::Committer(const StoreParts& parts, const CommitterOptions& options,
                     uint64_t last_sequence, AuditFile* audit_file)
    : parts_(parts),
      options_(options),
      queue_(parts, options.queue_mutations_max, options.queue_bytes_max),
      stage_(parts,
             {.run_bytes = options.import_run_bytes,
              .run_tokens_min = std::min(kImportRunTokensMin, options.import_direct_rows)},
             [this] { queue_.Ring(); }),
      planner_(parts,
               {.namespaces_max = options.namespaces_max,
                .import_direct_rows = options.import_direct_rows},
               &stage_, last_sequence),
      audit_(parts, audit_file),
      clock_watch_(parts.clock->NowMs(), parts.clock->SteadyMs()),
      synced_sequence_(last_sequence),  // what was read was brought into files, and synced there
      sequence_(last_sequence) {
  upkeep_at_steady_ms_ = usage_flush_at_steady_ms_ = clock_persisted_at_steady_ms_ =
      parts.clock->SteadyMs();
}

Committer::~Committer() {
  stopping_.store(true, std::memory_order_release);
  queue_.Ring();
  if (thread_.joinable()) thread_.join();
}

void Committer::Start() {
  reclaim_done_steady_ms_.store(parts_.clock->SteadyMs(), std::memory_order_relaxed);
  thread_ = std::thread([this] { Run(); });
}

void Committer::ResumeSweep(NamespaceId ns, const std::string& owner, uint64_t sequence) {
  jobs_.push_back(MakeSweepJob(parts_, ns, owner, sequence, /*ticket=*/0, nullptr));
}

void Committer::Run() {
  BeginThread("committer", ThreadRole::kServing);
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  if (audit_.enabled()) Audit([this] { return audit_.NoteStart(); });
  while (true) {
    auto items = queue_.Take(kGroupMutationsMax, kGroupBytesMax, Pause());
    const bool took = !items.empty();
    if (took) CommitGroupOf(std::move(items));
    StepStage(/*all=*/false);
    CommitWaiting();
    StepJob();
    Upkeep(/*thorough=*/false);
    RunCalls();
    if (stopping_.load(std::memory_order_acquire) && !took && jobs_.empty() && waiting_.empty() &&
        queue_.load().mutations == 0) {
      break;
    }
  }
  stage_.Abort();  // an import that has not ended is to be begun again
  TOKEND_CRASH_POINT("stop.drained");
  if (!failed()) {
    StartUsageFlush();
    while (!jobs_.empty()) StepJob();
    PersistReclaimClock();
    if (!failed()) SyncAcknowledged();  // after a clean stop the power may go
  }
  audit_.Stop();
  if (!failed()) DropAuditRows();
}

std::chrono::microseconds Committer::Pause() const {
  const bool has_rows = !waiting_.empty() && !NeedsStage(*waiting_.front().submission);
  if (has_rows && waiting_.size() > 1) return std::chrono::microseconds(0);  // they come too fast
  const bool idle = jobs_.empty() && !reclaim_pending_ && !stage_.HasTaken() && !has_rows;
  return idle ? kIdleWait : kStepPause;
}

void Committer::CommitGroupOf(std::vector<WriteQueue::Item> items) {
  const auto begun = std::chrono::steady_clock::now();
  CommitGroup group(parts_);
  const uint64_t now_ms = parts_.clock->NowMs();
  planner_.BeginGroup(&group, now_ms);
  audit_.BeginGroup(&group, now_ms);
  std::vector<TokenName> names;
  for (const WriteQueue::Item& item : items) {
    for (const Mutation& mutation : item.submission->mutations) {
      planner_.CollectNames(mutation, &names);
    }
  }
  const Status prefetched = group.Prefetch(names);

  const bool refuse = failed();
  const bool full = full_.load(std::memory_order_relaxed);
  bool needs_sync = false;
  std::vector<MutationPlanner::Planned> planned(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    Submission& submission = *items[i].submission;
    if (IsOfImport(submission) && (!waiting_.empty() || NeedsStage(submission))) {
      Wait(std::move(items[i]));
      continue;
    }
    if (submission.outcomes.empty()) {
      submission.outcomes.resize(submission.mutations.size());
      mutations_total_.fetch_add(submission.mutations.size(), std::memory_order_relaxed);
    }
    for (size_t m = 0; m < submission.mutations.size(); ++m) {
      Mutation& mutation = submission.mutations[m];
      Outcome& outcome = submission.outcomes[m];
      if (!prefetched.ok()) {
        outcome.status = prefetched;
      } else if ((refuse && !IsRevoke(mutation)) || (full && !IsTakenWhenFull(mutation))) {
        outcome.status = {ErrorCode::kReadOnly, read_only_reason()};
      } else {
        planned[i] = planner_.Plan(mutation, items[i].ticket, &outcome);
        audit_.Note(mutation, planned[i], outcome);
        NoteEndedImports();
        needs_sync = needs_sync || (planned[i].needs_sync && IsSyncedFirst(mutation));
      }
    }
    if (IsUnfinished(submission)) Wait(std::move(items[i]));
  }

  audit_.EndGroup();
  const bool written = !refuse && prefetched.ok() && WriteGroup(&group, needs_sync);
  planner_.EndGroup(written);
  audit_.Committed(written);
  commit_us_total_.fetch_add(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                std::chrono::steady_clock::now() - begun)
                                .count()),
      std::memory_order_relaxed);

  for (size_t i = 0; i < items.size(); ++i) {
    std::unique_ptr<Submission> submission = std::move(items[i].submission);
    if (submission == nullptr) continue;  // waits
    if (!written) {
      for (size_t m = 0; m < submission->mutations.size(); ++m) {
        Outcome& outcome = submission->outcomes[m];
        if (!outcome.status.ok()) continue;
        outcome.status = IsRevoke(submission->mutations[m])
                             ? Status{ErrorCode::kNotDurable,
                                      "denied now, but it may come back at a restart, since " +
                                          read_only_reason() + "; retry"}
                             : Status{ErrorCode::kReadOnly, read_only_reason()};
      }
      KeepRevokes(*submission, items[i].ticket);
      Answer(std::move(submission));
      continue;
    }
    if (planned[i].sweep) {
      MutationPlanner::SweepWork& sweep = *planned[i].sweep;
      jobs_.push_back(MakeSweepJob(parts_, sweep.ns, std::move(sweep.owner), sweep.sequence,
                                   items[i].ticket, std::move(submission)));
      continue;
    }
    if (planned[i].purge) {
      jobs_.push_back(MakePurgeJob(parts_, planned[i].purge->ns, planned[i].purge->before_ms,
                                   std::move(submission)));
      continue;
    }
    if (planned[i].rekey) {
      jobs_.push_back(
          MakeRekeyJob(parts_, std::move(planned[i].rekey->namespaces), std::move(submission)));
      continue;
    }
    FinishDenials(*submission, items[i].ticket);
    Answer(std::move(submission));
    TOKEND_CRASH_POINT("commit.answered");
  }
}

bool Committer::NeedsStage(const Submission& submission) const {
  if (failed()) return false;  // it is refused
  const bool is_end = std::holds_alternative<ImportEndMutation>(submission.mutations.front().op);
  return is_end ? !stage_.empty() : !stage_.HasRoom();
}

void Committer::Wait(WriteQueue::Item item) {
  waiting_bytes_ += item.bytes;
  waiting_.push_back(std::move(item));
}

void Committer::CommitWaiting() {
  do {
    if (waiting_.empty() || NeedsStage(*waiting_.front().submission)) return;
    std::deque<WriteQueue::Item> waiting = std::exchange(waiting_, {});
    waiting_bytes_ = 0;
    // Those that have to wait on find their way back.
    CommitGroupOf(
        {std::make_move_iterator(waiting.begin()), std::make_move_iterator(waiting.end())});
  } while (waiting_bytes_ > kWaitingBytesMax);
}

void Committer::StepStage(bool all) {
  const uint64_t steady_ms = parts_.clock->SteadyMs();
  if (failed() && planner_.has_imports()) FailImports(read_only_reason());
  if (Status failure = stage_.TakeFailure(); !failure.ok()) FailImports(failure.message());
  if (stage_.empty()) {
    staged_since_steady_ms_ = steady_ms;
    return;
  }
  if (waiting_.size() >= kPressingMessages) stage_.Hurry();
  const bool is_awaited = !waiting_.empty() && NeedsStage(*waiting_.front().submission);
  all = all || is_awaited || steady_ms - staged_since_steady_ms_ >= kStagedMsMax;
  if (stage_.Step(all)) staged_since_steady_ms_ = steady_ms;
  if (is_awaited && waiting_bytes_ > kWaitingBytesMax) stage_.Wait();
  if (!stage_.HasTaken()) return;
  MergeTaken();
  // The next run has waited for just that, and nothing else would ring for it.
  if (!stage_.HasTaken() && stage_.Step(all)) staged_since_steady_ms_ = steady_ms;
}

void Committer::MergeTaken() {
  std::vector<ImportRun::Token> tokens = stage_.NextTaken(kTakenPerGroup);
  if (tokens.empty()) return;
  CommitGroup group(parts_);
  planner_.BeginGroup(&group, parts_.clock->NowMs());
  std::vector<TokenName> names;
  names.reserve(tokens.size());
  for (const ImportRun::Token& token : tokens) names.push_back({token.ns, token.stored.record.key});
  Status status = group.Prefetch(names);
  for (ImportRun::Token& token : tokens) {
    if (status.ok()) status = planner_.PlanTaken(std::move(token));
  }
  const bool written = status.ok() && WriteGroup(&group, /*sync=*/false);
  planner_.EndGroup(written);
  if (!written) FailImports(status.ok() ? read_only_reason() : status.message());
}

void Committer::FailImports(const std::string& reason) {
  stage_.Abort();
  planner_.EndImports();
  Audit([this] {
    NoteEndedImports();
    return Status();
  });
  if (options_.listener != nullptr) options_.listener->OnImportFailed(reason);
  for (WriteQueue::Item& item : std::exchange(waiting_, {})) {
    Submission& submission = *item.submission;
    Outcome refused;
    refused.status = {ErrorCode::kReadOnly,
                      "the import has failed: " + reason + "; once that is mended, begin it again"};
    submission.outcomes.assign(submission.mutations.size(), refused);
    Answer(std::move(item.submission));
  }
  waiting_bytes_ = 0;
}

void Committer::FinishDenials(const Submission& submission, uint64_t ticket) {
  for (const Mutation& mutation : submission.mutations) {
    const auto* revoke = std::get_if<RevokeMutation>(&mutation.op);
    if (revoke == nullptr) continue;
    const auto namespaces = parts_.namespaces->snapshot();
    const auto it = namespaces->find(mutation.namespace_name);
    if (it != namespaces->end()) parts_.denials->RemoveToken(it->second.id, revoke->key, ticket);
  }
}

void Committer::KeepRevokes(const Submission& submission, uint64_t ticket) {
  if (!failed() || !may_recover_) return;
  auto kept = std::make_unique<KeptRevokes>();
  for (const Mutation& mutation : submission.mutations) {
    if (IsRevoke(mutation)) kept->mutations.push_back(mutation);
  }
  const size_t count = kept->mutations.size();
  if (count == 0 || undurable_count_ + count > kUndurableMax) return;
  undurable_count_ += count;
  undurable_.push_back({std::move(kept), ticket, 0});
}

bool Committer::IsSyncedFirst(const Mutation& mutation) const {
  return options_.durability == Durability::kSync || IsSyncedAtEveryLevel(mutation);
}

bool Committer::WriteGroup(CommitGroup* group, bool sync) {
  if (failed()) return false;
  TOKEND_CRASH_POINT("commit.planned");
  const rocksdb::Status status = group->Write(sync, {planner_.last_sequence(), synced_sequence_});
  if (!status.ok()) {
    BecomeReadOnly(status);
    return false;
  }
  if (group->bytes() == 0) {
    // Nothing was written, and nothing synced.
  } else if (sync) {
    synced_sequence_ = planner_.last_sequence();
    unsynced_since_steady_ms_.reset();  // the log is one file after the other: all before it, too
  } else if (!unsynced_since_steady_ms_) {
    unsynced_since_steady_ms_ = parts_.clock->SteadyMs();
  }
  TOKEND_CRASH_POINT("commit.written");
  group->Apply();
  TOKEND_CRASH_POINT("commit.applied");
  sequence_.store(planner_.last_sequence(), std::memory_order_relaxed);
  commits_total_.fetch_add(1, std::memory_order_relaxed);
  commit_bytes_total_.fetch_add(group->bytes(), std::memory_order_relaxed);
  return true;
}

void Committer::SyncAcknowledged() {
  if (const rocksdb::Status status = parts_.database->SyncLog(); !status.ok()) {
    BecomeReadOnly(status);
    return;
  }
  synced_sequence_ = planner_.last_sequence();
  unsynced_since_steady_ms_.reset();
}

void Committer::BecomeReadOnly(const rocksdb::Status& status) {
  may_recover_ = parts_.database->MayRecover(status);
  const std::string reason = "the store is read-only: writing failed: " + status.ToString() +
                             (may_recover_ ? "; make room on its disk, and it takes writes again"
                                           : "; restart it once the disk is in order");
  recovery_tried_at_steady_ms_ = parts_.clock->SteadyMs();
  {
    const std::lock_guard lock(mutex_);
    read_only_reason_ = reason;
    failed_.store(true, std::memory_order_release);
  }
  if (options_.listener != nullptr) options_.listener->OnReadOnly(reason);
}

void Committer::CheckRoom() {
  const bool was_full = read_only();
  const bool full = !parts_.database->HasRoom(was_full ? kResumeFreeBytes : kStopFreeBytes);
  if (full == was_full) return;
  std::string reason;
  if (full) {
    reason = "less than " + std::to_string(kStopFreeBytes >> 20) +
             " MiB are free on the disk, which are kept for revokes; make room, and it takes "
             "other writes again";
  }
  {
    const std::lock_guard lock(mutex_);
    read_only_reason_ = reason;
    full_.store(full, std::memory_order_release);
  }
  if (options_.listener == nullptr) return;
  if (full) {
    options_.listener->OnReadOnly(reason);
  } else {
    options_.listener->OnWritable();
  }
}

void Committer::TryToRecover(uint64_t steady_ms) {
  if (!may_recover_ || steady_ms - recovery_tried_at_steady_ms_ < kRecoveryIntervalMs) return;
  recovery_tried_at_steady_ms_ = steady_ms;
  if (!parts_.database->HasRoom(kResumeFreeBytes)) return;
  if (const rocksdb::Status status = parts_.database->Recover(); !status.ok()) {
    if (!parts_.database->MayRecover(status)) BecomeReadOnly(status);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    read_only_reason_.clear();
    failed_.store(false, std::memory_order_release);
    full_.store(false, std::memory_order_release);  // whatever the recovery is about to take
  }
  // A first write that tells whether the disk takes more than promises.
  PersistReclaimClock();
  while (!failed() && !undurable_.empty()) {
    std::vector<WriteQueue::Item> items;
    undurable_count_ -= undurable_.front().submission->mutations.size();
    items.push_back(std::move(undurable_.front()));
    undurable_.pop_front();
    CommitGroupOf(std::move(items));
  }
  if (!failed() && options_.listener != nullptr) options_.listener->OnWritable();
}

void Committer::StepJob() {
  if (jobs_.empty()) return;
  std::unique_ptr<BackgroundJob> job = std::move(jobs_.front());
  jobs_.pop_front();
  const auto result = job->Step([this](CommitGroup* group, bool sync) {
    if (!group->empty() && !WriteGroup(group, sync)) return false;
    // A last step that had nothing to write has synced nothing of the steps before it, either.
    if (!sync || !unsynced_since_steady_ms_) return true;
    if (!failed()) SyncAcknowledged();
    return !failed();
  });
  if (result == BackgroundJob::Result::kMore) {
    // At the back: a long one does not hold the others up.
    jobs_.push_back(std::move(job));
  } else {
    job->Finish(result);
  }
}

void Committer::Upkeep(bool thorough) {
  const uint64_t now_ms = parts_.clock->NowMs();
  const uint64_t steady_ms = parts_.clock->SteadyMs();
  // What fell due goes in steps, one after each group, until the wheels have nothing left.
  if (thorough || reclaim_pending_ || steady_ms - upkeep_at_steady_ms_ >= kUpkeepIntervalMs) {
    size_t freed = 0;
    do {
      freed = parts_.table->Reclaim(now_ms, kReclaimBudget, &unsaved_usage_,
                                    stage_.tracking() ? &dropped_ : nullptr);
      stage_.NoteForgotten(dropped_);
      dropped_.clear();
      SaveUsageOfFreed();
    } while (thorough && freed != 0);
    reclaim_pending_ = freed == kReclaimBudget;
    if (!reclaim_pending_) reclaim_done_steady_ms_.store(steady_ms, std::memory_order_relaxed);
    upkeep_at_steady_ms_ = steady_ms;
    WatchClock(now_ms, steady_ms);
    if (!failed()) DropAuditRows();
  }
  if (failed()) TryToRecover(steady_ms);
  if (failed()) return;
  if (thorough || steady_ms - room_checked_at_steady_ms_ >= kUpkeepIntervalMs) {
    room_checked_at_steady_ms_ = steady_ms;
    CheckRoom();
  }
  if (now_ms < parts_.table->reclaimed_expiry_max_ms() && !read_back_running_) {
    read_back_running_ = true;
    if (options_.listener != nullptr) {
      options_.listener->OnClockWentBack(parts_.table->reclaimed_expiry_max_ms() - now_ms);
    }
    jobs_.push_back(MakeReadBackJob(parts_, now_ms, [this] { read_back_running_ = false; }));
  }
  if (options_.durability == Durability::kInterval && unsynced_since_steady_ms_ &&
      steady_ms - *unsynced_since_steady_ms_ >= options_.sync_interval_ms) {
    SyncAcknowledged();
    if (failed()) return;
  }
  if (steady_ms - usage_flush_at_steady_ms_ >= options_.usage_flush_interval_ms) StartUsageFlush();
  if (steady_ms - clock_persisted_at_steady_ms_ >= kClockPersistIntervalMs) PersistReclaimClock();
}

void Committer::WatchClock(uint64_t now_ms, uint64_t steady_ms) {
  const int64_t jump = clock_watch_.Jump(now_ms, steady_ms);
  const uint64_t accepted_ms = parts_.reclaim_clock->Tick(now_ms, steady_ms);
  if (options_.listener == nullptr) return;
  if (jump != 0) options_.listener->OnClockJumped(jump, /*while_closed=*/false);
  if (accepted_ms != 0) options_.listener->OnClockGapAccepted(accepted_ms);
}

void Committer::StartUsageFlush() {
  if (options_.usage_flush_interval_ms == 0 || read_only()) return;
  usage_flush_at_steady_ms_ = parts_.clock->SteadyMs();
  if (usage_flush_running_) return;
  usage_flush_running_ = true;
  jobs_.push_back(MakeUsageFlushJob(parts_, [this](uint64_t count) {
    usage_flush_running_ = false;
    usage_flushed_total_.fetch_add(count, std::memory_order_relaxed);
  }));
}

// At once: a later generation of the token must not inherit it.
void Committer::SaveUsageOfFreed() {
  if (unsaved_usage_.empty()) return;
  TOKEND_CRASH_POINT("reclaim.dropped");
  CommitGroup group(parts_);
  group.MergeUsage(unsaved_usage_);
  WriteGroup(&group, /*sync=*/false);
  usage_flushed_total_.fetch_add(unsaved_usage_.size(), std::memory_order_relaxed);
  unsaved_usage_.clear();
}

void Committer::PersistReclaimClock() {
  clock_persisted_at_steady_ms_ = parts_.clock->SteadyMs();
  CommitGroup group(parts_);
  group.PutMeta(kReclaimClockRow, EncodeReclaimClockRow(parts_.reclaim_clock->state()));
  WriteGroup(&group, /*sync=*/false);
  TOKEND_CRASH_POINT("clock.written");
}

void Committer::Audit(const std::function<Status()>& note) {
  CommitGroup group(parts_);
  audit_.BeginGroup(&group, parts_.clock->NowMs());
  const Status status = note();
  audit_.EndGroup();
  audit_.Committed(status.ok() && WriteGroup(&group, /*sync=*/false));
  if (!status.ok() && options_.listener != nullptr) {
    options_.listener->OnAuditFailed(status.message());
  }
}

void Committer::NoteEndedImports() {
  for (const MutationPlanner::EndedImport& import : planner_.TakeEndedImports()) {
    audit_.NoteImport(import);
  }
}

void Committer::DropAuditRows() {
  CommitGroup group(parts_);
  if (!audit_.DropWritten(&group)) return;
  WriteGroup(&group, /*sync=*/false);
  TOKEND_CRASH_POINT("audit.dropped");
}

void Committer::RunCalls() {
  const bool maintain = maintain_requested_.load(std::memory_order_acquire);
  const bool flush = flush_requested_.load(std::memory_order_acquire);
  if (!maintain && !flush) return;
  if (maintain) {
    for (; !stage_.empty(); stage_.Wait()) StepStage(/*all=*/true);
    Upkeep(/*thorough=*/true);
  }
  if (flush) StartUsageFlush();
  while (!jobs_.empty()) StepJob();
  const std::lock_guard lock(mutex_);
  if (maintain) maintain_requested_.store(false, std::memory_order_release);
  if (flush) flush_requested_.store(false, std::memory_order_release);
  called_.notify_all();
}

void Committer::Call(std::atomic<bool>* request) {
  std::unique_lock lock(mutex_);
  request->store(true, std::memory_order_release);
  queue_.Ring();
  called_.wait(lock, [&] { return !request->load(std::memory_order_acquire); });
}

void Committer::Maintain() { Call(&maintain_requested_); }
void Committer::FlushUsage() { Call(&flush_requested_); }

std::string Committer::read_only_reason() const {
  const std::lock_guard lock(mutex_);
  return read_only_reason_;
}

CommitterStats Committer::stats() const {
  const auto load = [](const std::atomic<uint64_t>& value) {
    return value.load(std::memory_order_relaxed);
  };
  return {load(mutations_total_),       load(commits_total_),       load(commit_bytes_total_),
          load(commit_us_total_),       load(usage_flushed_total_), load(sequence_),
          load(reclaim_done_steady_ms_)};
}

}  // namespace tokend
