#include "storage/store.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "storage/audit_file.h"
#include "storage/byte_codec.h"
#include "storage/clock_watch.h"
#include "storage/committer.h"
#include "storage/crash_point.h"
#include "storage/database.h"
#include "storage/loader.h"
#include "storage/queries.h"
#include "storage/rows.h"

namespace tokend {

std::string_view StoreStateName(StoreState state) {
  switch (state) {
    case StoreState::kLoading:
      return "loading";
    case StoreState::kReady:
      return "ready";
    case StoreState::kReadOnly:
      return "read_only";
  }
  return "";
}

// Members stand in the order of what uses what: destroyed from the bottom up, the loader stops
// first, then the Committer writes its last, then the disk closes and memory goes.
struct Store::Impl {
  Impl(const StoreOptions& store_options, const Clock* store_clock)
      : options(store_options),
        clock(store_clock),
        reclaim_clock(store_options.clock_gap_accept_ms),
        table(store_options.table) {}

  // A clock set back asks for what the retention has kept, so it is never less than none.
  uint64_t ReclaimBeforeMs() const {
    const uint64_t now_ms = reclaim_clock.now_ms();
    return now_ms > options.retention_ms ? now_ms - options.retention_ms : 0;
  }
  Status ReadNamespaces();
  Status ReadCutoffs(std::vector<std::pair<std::string, CutoffRow>>* unswept);
  Status ReadClockAndSequence(uint64_t* sequence);
  StoreListener::LoadProgress Progress() const {
    return {loader->records(), load_records_estimate, clock->SteadyMs() - load_began_steady_ms};
  }
  void FinishLoading(const Status& status);

  const StoreOptions options;
  const Clock* const clock;
  ReclaimClock reclaim_clock;
  NamespaceRegistry namespaces;
  Denials denials;
  OwnerCutoffs cutoffs;
  TokenTable table;
  std::unique_ptr<Database> database;
  StoreParts parts;
  std::unique_ptr<Queries> queries;
  std::unique_ptr<AuditFile> audit_file;  // may be null
  std::unique_ptr<Committer> committer;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable loaded_changed;
  bool loading_over = false;
  Status load_status;
  uint64_t load_ms = 0;

  // Constant once loading has begun.
  uint64_t load_began_steady_ms = 0;
  uint64_t load_records_estimate = 0;
  std::unique_ptr<Loader> loader;
};

Status Store::Impl::ReadNamespaces() {
  const std::unique_ptr<rocksdb::Iterator> it(database->NewIterator(Database::kMeta));
  const rocksdb::Slice prefix(kNamespaceRowPrefix.data(), kNamespaceRowPrefix.size());
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    NamespaceInfo info;
    std::string name;
    if (!DecodeNamespaceRow({it->key().data(), it->key().size()},
                            {it->value().data(), it->value().size()}, &info.id, &info.scheme,
                            &name)) {
      return {ErrorCode::kInternal,
              "a namespace row on disk is damaged or of a newer tokend; restore from a backup, or "
              "use the tokend that wrote it"};
    }
    namespaces.Set(name, info);
  }
  return FromRocksDb(it->status(), "cannot read the namespaces");
}

Status Store::Impl::ReadCutoffs(std::vector<std::pair<std::string, CutoffRow>>* unswept) {
  const std::unique_ptr<rocksdb::Iterator> it(database->NewIterator(Database::kMeta));
  const rocksdb::Slice prefix(kCutoffRowPrefix.data(), kCutoffRowPrefix.size());
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    CutoffRow cutoff;
    if (!DecodeCutoffRow({it->value().data(), it->value().size()}, &cutoff)) {
      return {ErrorCode::kInternal, "a cut-off row on disk is damaged; restore from a backup"};
    }
    if (!cutoff.swept) unswept->emplace_back(it->key().ToString(), cutoff);
  }
  return FromRocksDb(it->status(), "cannot read the owners' cut-offs");
}

Status Store::Impl::ReadClockAndSequence(uint64_t* sequence) {
  *sequence = 0;
  std::optional<std::string> row;
  if (Status status = database->ReadMeta(kSequenceRow, &row); !status.ok()) return status;
  SequenceRow sequence_row;
  if (row && !DecodeSequenceRow(*row, &sequence_row)) {
    return {ErrorCode::kInternal, "the sequence row on disk is damaged; restore from a backup"};
  }
  *sequence = sequence_row.last;
  if (Status status = database->ReadMeta(kReclaimClockRow, &row); !status.ok()) return status;
  ReclaimClock::State state{clock->NowMs(), 0};
  if (row && !DecodeReclaimClockRow(*row, &state)) {
    return {ErrorCode::kInternal, "the reclaim clock's row is damaged; restore from a backup"};
  }
  // From the first on, so that no later start takes a wall clock's word for it.
  if (!row) {
    if (Status status = database->WriteMeta(kReclaimClockRow, EncodeReclaimClockRow(state));
        !status.ok()) {
      return status;
    }
  }
  reclaim_clock.Start(state, clock->SteadyMs());
  const auto ahead_ms = static_cast<int64_t>(clock->NowMs() - state.now_ms);
  if (std::abs(ahead_ms) >= static_cast<int64_t>(ClockWatch::kJumpMinMs) &&
      options.listener != nullptr) {
    options.listener->OnClockJumped(ahead_ms, /*while_closed=*/true);
  }
  return {};
}

void Store::Impl::FinishLoading(const Status& status) {
  // After a failure memory is not the whole truth: misses go on being asked of the disk.
  if (status.ok()) table.SetMissesUnavailable(false);
  TOKEND_CRASH_POINT("load.done");
  if (options.listener != nullptr) options.listener->OnLoaded(Progress(), status.message());
  {
    const std::lock_guard lock(mutex);
    loading_over = true;
    load_status = status;
    load_ms = clock->SteadyMs() - load_began_steady_ms;
  }
  loaded_changed.notify_all();
}

Store::Store() = default;

Status Store::Open(const StoreOptions& options, std::unique_ptr<Store>* store) {
  std::unique_ptr<Store> opened(new Store());
  opened->impl_ =
      std::make_unique<Impl>(options, options.clock != nullptr ? options.clock : &SystemClock());
  Impl& impl = *opened->impl_;

  DatabaseOptions database_options;
  database_options.data_dir = options.data_dir;
  database_options.env = options.env;
  database_options.block_cache_bytes = options.block_cache_bytes;
  database_options.write_buffer_bytes = options.write_buffer_bytes;
  database_options.reclaim_before_ms = [&impl] { return impl.ReclaimBeforeMs(); };
  if (Status status = Database::Open(database_options, &impl.database); !status.ok()) {
    return status;
  }
  impl.parts = {impl.clock,    impl.database.get(), &impl.table,         &impl.namespaces,
                &impl.denials, &impl.cutoffs,       &impl.reclaim_clock, options.sealer.get()};
  impl.queries = std::make_unique<Queries>(impl.parts);

  uint64_t sequence = 0;
  std::vector<std::pair<std::string, CutoffRow>> unswept;
  if (Status status = impl.ReadClockAndSequence(&sequence); !status.ok()) return status;
  if (Status status = impl.ReadNamespaces(); !status.ok()) return status;
  if (Status status = impl.ReadCutoffs(&unswept); !status.ok()) return status;

  if (!options.audit_file.empty()) {
    if (Status status = AuditFile::Open({options.audit_file, options.env, options.listener},
                                        impl.database.get(), &impl.audit_file);
        !status.ok()) {
      return status;
    }
  }

  CommitterOptions committer_options;
  committer_options.durability = options.durability;
  committer_options.sync_interval_ms = options.sync_interval_ms;
  committer_options.namespaces_max = options.namespaces_max;
  committer_options.queue_mutations_max = options.queue_mutations_max;
  committer_options.queue_bytes_max = options.queue_bytes_max;
  committer_options.usage_flush_interval_ms = options.usage_flush_interval_ms;
  committer_options.import_direct_rows = options.import_direct_rows;
  committer_options.import_run_bytes = options.import_run_bytes;
  committer_options.listener = options.listener;
  impl.committer =
      std::make_unique<Committer>(impl.parts, committer_options, sequence, impl.audit_file.get());
  for (const auto& [row_key, cutoff] : unswept) {
    NamespaceId ns = 0;
    std::string owner;
    if (!ParseCutoffRowKey(row_key, &ns, &owner)) continue;
    impl.cutoffs.Add(ns, owner, cutoff.sequence, cutoff.at_ms);
    impl.committer->ResumeSweep(ns, owner, cutoff.sequence);
  }

  impl.table.SetUsageTracking(options.usage_flush_interval_ms != 0);
  impl.table.SetMissesUnavailable(true);
  impl.load_began_steady_ms = impl.clock->SteadyMs();
  impl.load_records_estimate = impl.database->EstimateTokens();
  impl.loader = std::make_unique<Loader>(
      impl.parts, std::max<size_t>(options.load_threads, 1),
      [&impl] {
        if (impl.options.listener == nullptr) return;
        impl.options.listener->OnLoadProgress(impl.Progress());
      },
      [&impl](const Status& status) { impl.FinishLoading(status); });
  if (impl.audit_file != nullptr) impl.audit_file->Start();
  impl.committer->Start();
  if (Status status = opened->EnsureDefaultNamespace(); !status.ok()) return status;
  impl.loader->Start();
  *store = std::move(opened);
  return {};
}

Status Store::EnsureDefaultNamespace() {
  if (namespaces()->contains(std::string(kDefaultNamespace))) return {};
  Outcome outcome;
  Mutation mutation;
  mutation.namespace_name = kDefaultNamespace;
  mutation.op = CreateNamespaceMutation{};
  return SubmitAndWait(std::move(mutation), &outcome);
}

Status Store::SubmitAndWait(Mutation mutation, Outcome* outcome) {
  struct Waiter {
    std::mutex mutex;
    std::condition_variable done_changed;
    bool done = false;
    Outcome outcome;
  };
  struct Waiting : Submission {
    explicit Waiting(Waiter* waiter_in) : waiter(waiter_in) {}
    void Done(std::unique_ptr<Submission> /*self*/) override {
      // Notified under the lock: the waiter may be gone as soon as it is released.
      const std::lock_guard lock(waiter->mutex);
      waiter->outcome = std::move(outcomes.front());
      waiter->done = true;
      waiter->done_changed.notify_one();
    }
    Waiter* const waiter;
  };
  Waiter waiter;
  std::unique_ptr<Submission> submission = std::make_unique<Waiting>(&waiter);
  submission->mutations.push_back(std::move(mutation));
  if (Status status = Submit(submission); !status.ok()) return status;
  std::unique_lock lock(waiter.mutex);
  waiter.done_changed.wait(lock, [&] { return waiter.done; });
  *outcome = std::move(waiter.outcome);
  return outcome->status;
}

Store::~Store() = default;

TokenTable& Store::table() { return impl_->table; }

std::shared_ptr<const NamespaceMap> Store::namespaces() const {
  return impl_->namespaces.snapshot();
}
uint64_t Store::namespaces_version() const { return impl_->namespaces.version(); }

Status Store::Submit(std::unique_ptr<Submission>& submission) {
  return impl_->committer->Submit(submission);
}

Status Store::FindSealed(const RevealParams& params, std::span<const std::string> owners,
                         std::optional<SealedToken>* found) {
  return impl_->queries->FindSealed(params, owners, found);
}

Status Store::Get(std::string_view namespace_name, const TokenKey& key,
                  std::optional<Record>* record) {
  return impl_->queries->Get(namespace_name, key, record);
}
Status Store::GetById(std::string_view namespace_name, const TokenId& id,
                      std::optional<Record>* record) {
  return impl_->queries->GetById(namespace_name, id, record);
}
Status Store::List(const ListParams& params, ListPage* page) {
  return impl_->queries->List(params, page);
}
Status Store::Count(const ListParams& params, uint64_t* count) {
  return impl_->queries->Count(params, count);
}
Status Store::ValidateFromDisk(NamespaceId ns, const TokenKey& key, DiskVerdict* verdict) {
  return impl_->queries->ValidateFromDisk(ns, key, verdict);
}

Status Store::Backup(const BackupOptions& options, BackupInfo* backup) {
  return CreateBackup(impl_->database.get(), options, backup);
}

bool Store::audits() const { return impl_->audit_file != nullptr; }

void Store::ReopenAuditFile() {
  if (impl_->audit_file != nullptr) impl_->audit_file->Reopen();
}

void Store::WaitUntilAudited() {
  if (impl_->audit_file != nullptr) impl_->audit_file->WaitUntilWritten();
}

StoreState Store::state() const {
  if (impl_->committer->read_only()) return StoreState::kReadOnly;
  const std::lock_guard lock(impl_->mutex);
  return impl_->loading_over && impl_->load_status.ok() ? StoreState::kReady : StoreState::kLoading;
}

StoreStats Store::stats() const {
  StoreStats stats;
  stats.state = state();
  stats.read_only_reason = impl_->committer->read_only_reason();
  {
    const std::lock_guard lock(impl_->mutex);
    stats.load_ms = impl_->load_ms;
    stats.load_error = impl_->load_status.message();
  }
  stats.load_records = impl_->loader->records();
  stats.load_records_estimate = impl_->load_records_estimate;
  stats.table = impl_->table.stats();
  stats.namespaces = impl_->namespaces.snapshot()->size();
  const CommitterStats committer = impl_->committer->stats();
  stats.mutations_total = committer.mutations_total;
  stats.commits_total = committer.commits_total;
  stats.commit_bytes_total = committer.commit_bytes_total;
  stats.commit_us_total = committer.commit_us_total;
  stats.usage_flushed_total = committer.usage_flushed_total;
  stats.sequence = committer.sequence;
  const WriteQueue::Load load = impl_->committer->queue_load();
  stats.queue_mutations = load.mutations;
  stats.queue_bytes = load.bytes;
  stats.disk_bytes = impl_->database->DiskBytes();
  stats.rocksdb_memory_bytes = impl_->database->MemoryBytes();
  stats.rocksdb = impl_->database->numbers();
  stats.reclaim_clock_ms = impl_->reclaim_clock.now_ms();
  const uint64_t steady_ms = impl_->clock->SteadyMs();
  stats.reclaim_lag_ms = steady_ms - std::min(steady_ms, committer.reclaim_done_steady_ms);
  if (impl_->audit_file != nullptr) stats.audit = impl_->audit_file->stats();
  return stats;
}

void Store::WaitUntilLoaded() {
  std::unique_lock lock(impl_->mutex);
  impl_->loaded_changed.wait(lock, [this] { return impl_->loading_over; });
}

void Store::Maintain() { impl_->committer->Maintain(); }
void Store::FlushUsage() { impl_->committer->FlushUsage(); }

}  // namespace tokend
