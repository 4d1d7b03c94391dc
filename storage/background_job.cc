#include "storage/background_job.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/crash_point.h"

namespace tokend {
namespace {

// Rows a step looks at; 512 of them take about a millisecond with their write.
constexpr size_t kStepRows = 512;
// Usage is written in the order of its keys, in runs of so many tokens: the closer they lie, the
// less each costs in RocksDB. To sort a run takes a millisecond.
constexpr size_t kUsageRun = 8192;
// Of a run, written at a time.
constexpr size_t kUsageStepRows = 256;
// Of ListUsed, which looks at a few thousand slots each: a quarter of a millisecond in all.
constexpr int kUsageCallsPerStep = 4;

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

void Answer(std::unique_ptr<Submission> submission, BackgroundJob::Result result, uint64_t count) {
  if (submission == nullptr) return;
  Outcome& outcome = submission->outcomes.front();
  outcome.count = count;
  if (result == BackgroundJob::Result::kFailed) {
    outcome.status = {ErrorCode::kNotDurable,
                      "the store became read-only meanwhile; what was done may come back at a "
                      "restart: retry"};
  }
  Submission* raw = submission.get();
  raw->Done(std::move(submission));
}

// Walks a range of an index, going on where it stopped.
class IndexWalk {
 public:
  IndexWalk(Database::Family family, IndexRange range)
      : family_(family), range_(std::move(range)) {}

  // Up to kStepRows entries; `done` once there are no more.
  Status Next(Database* database, std::vector<IndexEntry>* entries) {
    entries->clear();
    const rocksdb::Slice end(range_.end);
    const std::unique_ptr<rocksdb::Iterator> it(database->NewIterator(family_, &end));
    for (it->Seek(range_.start); it->Valid() && entries->size() < kStepRows; it->Next()) {
      if (const auto entry = ParseIndexRowKey(View(it->key()))) entries->push_back(*entry);
      range_.start = it->key().ToString() + '\0';
    }
    done_ = entries->size() < kStepRows;
    return FromRocksDb(it->status(), "cannot read an index");
  }
  bool done() const { return done_; }

 private:
  const Database::Family family_;
  IndexRange range_;
  bool done_ = false;
};

class SweepJob : public BackgroundJob {
 public:
  SweepJob(const StoreParts& parts, NamespaceId ns, std::string owner, uint64_t sequence,
           uint64_t ticket, std::unique_ptr<Submission> submission)
      : parts_(parts),
        ns_(ns),
        owner_(std::move(owner)),
        sequence_(sequence),
        ticket_(ticket),
        submission_(std::move(submission)),
        walk_(Database::kOwners,
              MakeIndexRange(OwnerIndexPrefix(ns, owner_), /*revoked=*/false, 0, std::nullopt)) {}

  Result Step(const WriteGroup& write) override {
    std::vector<IndexEntry> entries;
    if (!walk_.Next(parts_.database, &entries).ok()) return Result::kFailed;
    CommitGroup group(parts_);
    for (const IndexEntry& entry : entries) {
      // Finding a token works the cut-off in.
      CommitGroup::Token* token = nullptr;
      if (!group.Find({ns_, entry.key}, &token).ok()) return Result::kFailed;
    }
    if (!write(&group, /*sync=*/false)) return Result::kFailed;
    TOKEND_CRASH_POINT("sweep.written");
    if (!walk_.done()) return Result::kMore;

    const OwnerCutoffs::Removed removed = parts_.cutoffs->Remove(ns_, owner_, sequence_);
    count_ = removed.live_count;
    if (!removed.was_last) return Result::kDone;
    TOKEND_CRASH_POINT("sweep.over");
    CommitGroup last(parts_);
    last.PutMeta(CutoffRowKey(ns_, owner_), EncodeCutoffRow({sequence_, 0, /*swept=*/true}));
    return write(&last, /*sync=*/false) ? Result::kDone : Result::kFailed;
  }

  void Finish(Result result) override {
    if (result == Result::kDone) parts_.denials->RemoveOwner(ns_, owner_, ticket_);
    Answer(std::move(submission_), result, count_);
  }

 private:
  const StoreParts parts_;
  const NamespaceId ns_;
  const std::string owner_;
  const uint64_t sequence_;
  const uint64_t ticket_;
  std::unique_ptr<Submission> submission_;
  IndexWalk walk_;
  uint64_t count_ = 0;
};

class PurgeJob : public BackgroundJob {
 public:
  PurgeJob(const StoreParts& parts, NamespaceId ns, uint64_t before_ms,
           std::unique_ptr<Submission> submission)
      : parts_(parts),
        ns_(ns),
        submission_(std::move(submission)),
        walks_{IndexWalk(Database::kExpiry, MakeIndexRange(ExpiryIndexPrefix(ns),
                                                           /*revoked=*/false, 0, before_ms)),
               IndexWalk(Database::kExpiry, MakeIndexRange(ExpiryIndexPrefix(ns),
                                                           /*revoked=*/true, 0, before_ms))} {}

  Result Step(const WriteGroup& write) override {
    IndexWalk& walk = walks_[0].done() ? walks_[1] : walks_[0];
    std::vector<IndexEntry> entries;
    if (!walk.Next(parts_.database, &entries).ok()) return Result::kFailed;
    CommitGroup group(parts_);
    for (const IndexEntry& entry : entries) {
      CommitGroup::Token* token = nullptr;
      if (!group.Find({ns_, entry.key}, &token).ok()) return Result::kFailed;
      if (!token->now || token->now->record.expires_at_ms != entry.expires_at_ms) continue;
      group.Erase(token);
      ++count_;
    }
    const bool done = walks_[0].done() && walks_[1].done();
    if (!write(&group, /*sync=*/done)) return Result::kFailed;
    TOKEND_CRASH_POINT("purge.written");
    return done ? Result::kDone : Result::kMore;
  }

  void Finish(Result result) override { Answer(std::move(submission_), result, count_); }

 private:
  const StoreParts parts_;
  const NamespaceId ns_;
  std::unique_ptr<Submission> submission_;
  IndexWalk walks_[2];
  uint64_t count_ = 0;
};

class RekeyJob : public BackgroundJob {
 public:
  RekeyJob(const StoreParts& parts, std::vector<std::pair<std::string, NamespaceId>> namespaces,
           std::unique_ptr<Submission> submission)
      : parts_(parts), namespaces_(std::move(namespaces)), submission_(std::move(submission)) {}

  Result Step(const WriteGroup& write) override {
    CommitGroup group(parts_);
    if (!namespaces_.empty() && !SealAnew(&group).ok()) return Result::kFailed;
    const bool done = namespaces_.empty();
    if (!write(&group, /*sync=*/done)) return Result::kFailed;
    return done ? Result::kDone : Result::kMore;
  }

  void Finish(Result result) override {
    submission_->outcomes.front().unopened = unopened_;
    Answer(std::move(submission_), result, count_);
  }

 private:
  // Of the last namespace's records, from where it stopped; takes it off after its last.
  Status SealAnew(CommitGroup* group) {
    const auto& [name, ns] = namespaces_.back();
    const std::string prefix = NamespacePrefix(ns);
    if (next_.empty()) next_ = prefix;
    const std::unique_ptr<rocksdb::Iterator> it(parts_.database->NewIterator(Database::kTokens));
    size_t rows = 0;
    for (it->Seek(next_); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      if (rows++ == kStepRows) {
        next_ = it->key().ToString();
        return {};
      }
      StoredRecordView stored;
      if (!DecodeStoredRecord(View(it->value()), &stored) || !IsToBeDone(stored.sealed)) continue;
      CommitGroup::Token* token = nullptr;
      const TokenKey key = ParseTokenRowKey(View(it->key())).key;
      if (Status status = group->Find({ns, key}, &token); !status.ok()) return status;
      if (!token->now || !IsToBeDone(token->now->sealed)) continue;
      StoredRecord next = *token->now;
      if (!parts_.sealer->Reseal(name, key, token->now->sealed, &next.sealed).ok()) {
        ++unopened_;
        continue;
      }
      group->Change(token, std::move(next), /*ticket=*/0, /*reset=*/false);
      ++count_;
    }
    next_.clear();
    namespaces_.pop_back();
    return FromRocksDb(it->status(), "cannot read the tokens");
  }
  bool IsToBeDone(std::string_view sealed) const {
    return !sealed.empty() && SealKeyIdOf(sealed) != parts_.sealer->current();
  }

  const StoreParts parts_;
  std::vector<std::pair<std::string, NamespaceId>> namespaces_;  // still to be done
  std::unique_ptr<Submission> submission_;
  std::string next_;  // row of the last namespace; empty = its first
  uint64_t count_ = 0;
  uint64_t unopened_ = 0;
};

class UsageFlushJob : public BackgroundJob {
 public:
  UsageFlushJob(const StoreParts& parts, std::function<void(uint64_t)> done)
      : parts_(parts), done_(std::move(done)) {}

  Result Step(const WriteGroup& write) override {
    if (gathering_) {
      Gather();
      return Result::kMore;
    }
    std::vector<TokenTable::UsageEntry> entries;
    for (; next_ < run_.size() && entries.size() < kUsageStepRows; ++next_) {
      // Taken only now: what was taken and is not written yet is nowhere to be seen.
      if (const auto entry = parts_.table->TakeUsage(run_[next_])) entries.push_back(*entry);
    }
    TOKEND_CRASH_POINT("usage.taken");
    CommitGroup group(parts_);
    group.MergeUsage(entries);
    if (!write(&group, /*sync=*/false)) return Result::kFailed;
    TOKEND_CRASH_POINT("usage.written");
    count_ += entries.size();
    if (next_ < run_.size()) return Result::kMore;
    run_.clear();
    next_ = 0;
    gathering_ = true;
    return AllListed() ? Result::kDone : Result::kMore;
  }

  void Finish(Result /*result*/) override { done_(count_); }

 private:
  bool AllListed() const { return shard_ == parts_.table->shard_count(); }

  // Adds to the run; sorts it once it is whole.
  void Gather() {
    // Bounded in slots looked at too: of an idle table there is nothing to take.
    for (int calls = 0; calls < kUsageCallsPerStep; ++calls) {
      if (run_.size() == kUsageRun || AllListed()) {
        std::sort(run_.begin(), run_.end(), [](const auto& a, const auto& b) {
          if (a.ns != b.ns) return a.ns < b.ns;
          return a.key.bytes < b.key.bytes;
        });
        gathering_ = false;
        return;
      }
      parts_.table->ListUsed(shard_, &cursor_, kUsageRun - run_.size(), &run_);
      if (cursor_ == 0) ++shard_;
    }
  }

  const StoreParts parts_;
  const std::function<void(uint64_t)> done_;
  bool gathering_ = true;
  size_t shard_ = 0;
  uint64_t cursor_ = 0;
  std::vector<TokenName> run_;
  size_t next_ = 0;  // of run_, to be written
  uint64_t count_ = 0;
};

class ReadBackJob : public BackgroundJob {
 public:
  ReadBackJob(const StoreParts& parts, uint64_t now_ms, std::function<void()> done)
      : parts_(parts), now_ms_(now_ms), done_(std::move(done)) {
    const uint64_t end_ms = parts.table->reclaimed_expiry_max_ms() + 1;
    const auto namespaces = parts.namespaces->snapshot();
    for (const auto& [name, info] : *namespaces) {
      for (const bool revoked : {false, true}) {
        walks_.emplace_back(info.id,
                            IndexWalk(Database::kExpiry, MakeIndexRange(ExpiryIndexPrefix(info.id),
                                                                        revoked, now_ms, end_ms)));
      }
    }
  }

  Result Step(const WriteGroup& /*write*/) override {
    if (walks_.empty()) {
      parts_.table->ForgetReclaimedAfter(now_ms_);
      return Result::kDone;
    }
    auto& [ns, walk] = walks_.back();
    std::vector<IndexEntry> entries;
    if (!walk.Next(parts_.database, &entries).ok()) return Result::kFailed;
    std::string scopes_encoded;
    for (const IndexEntry& entry : entries) {
      std::optional<StoredRecord> stored;
      if (!parts_.database->ReadRecord(ns, entry.key, &stored).ok()) return Result::kFailed;
      if (!stored) continue;
      const std::optional<std::string>& owner = stored->record.owner;
      const std::function<bool()> denied = [&, ns = ns] {
        return parts_.cutoffs->Hitting(ns, *stored).has_value() ||
               parts_.denials->Hits(ns, entry.key, owner ? &*owner : nullptr, 0);
      };
      parts_.table->Put(MakeTokenEntry(ns, *stored, &scopes_encoded), PutMode::kIfAbsent, &denied);
    }
    if (walk.done()) walks_.pop_back();
    return Result::kMore;
  }

  void Finish(Result /*result*/) override { done_(); }

 private:
  const StoreParts parts_;
  const uint64_t now_ms_;
  const std::function<void()> done_;
  std::vector<std::pair<NamespaceId, IndexWalk>> walks_;
};

}  // namespace

std::unique_ptr<BackgroundJob> MakeSweepJob(const StoreParts& parts, NamespaceId ns,
                                            std::string owner, uint64_t sequence, uint64_t ticket,
                                            std::unique_ptr<Submission> submission) {
  return std::make_unique<SweepJob>(parts, ns, std::move(owner), sequence, ticket,
                                    std::move(submission));
}

std::unique_ptr<BackgroundJob> MakePurgeJob(const StoreParts& parts, NamespaceId ns,
                                            uint64_t before_ms,
                                            std::unique_ptr<Submission> submission) {
  return std::make_unique<PurgeJob>(parts, ns, before_ms, std::move(submission));
}

std::unique_ptr<BackgroundJob> MakeRekeyJob(
    const StoreParts& parts, std::vector<std::pair<std::string, NamespaceId>> namespaces,
    std::unique_ptr<Submission> submission) {
  return std::make_unique<RekeyJob>(parts, std::move(namespaces), std::move(submission));
}

std::unique_ptr<BackgroundJob> MakeUsageFlushJob(const StoreParts& parts,
                                                 std::function<void(uint64_t)> done) {
  return std::make_unique<UsageFlushJob>(parts, std::move(done));
}

std::unique_ptr<BackgroundJob> MakeReadBackJob(const StoreParts& parts, uint64_t now_ms,
                                               std::function<void()> done) {
  return std::make_unique<ReadBackJob>(parts, now_ms, std::move(done));
}

}  // namespace tokend
