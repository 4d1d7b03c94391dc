// ImportStage: where new tokens of imports gather, until there are enough of them to be written as
// files that become part of the database as they are.
//
//   Add ──► filling ──► writing: sorted, into files ──► taken into the database ──► put into memory
//              └───────────┴──► taken out: merges with what is there, as any other row
//
// Until they are in the database neither look-ups nor queries see them. Whoever changes one takes
// it out first. Where a token comes more than once its rows are all taken out, and merge in the
// order in which they came.
//
// One run is written at a time, in a thread of its own, while the next is being filled. For the
// Committer's thread only.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "storage/import_run.h"
#include "storage/key_filter.h"
#include "storage/store_parts.h"
#include "storage/two_threads.h"

namespace tokend {

struct ImportStageOptions {
  // Of rows, that a run is written at, or with a quarter of it once 0.3 s have passed since its
  // first. Two are in memory at most.
  size_t run_bytes = 0;
  size_t run_tokens_min = 0;  // with fewer a run is not worth its files
};

class ImportStage {
 public:
  using Tokens = std::vector<ImportRun::Token>;

  // `ring` is called, on another thread, when a step has become possible.
  ImportStage(const StoreParts& parts, const ImportStageOptions& options,
              std::function<void()> ring);
  // What is not in the database yet is dropped.
  ~ImportStage();
  ImportStage(const ImportStage&) = delete;
  ImportStage& operator=(const ImportStage&) = delete;

  // While imports are open: notes which tokens leave memory and stay on the disk. To be ended when
  // it is empty.
  void Track(bool on);
  bool tracking() const { return forgotten_ != nullptr; }
  void NoteForgotten(std::span<const TokenName> tokens);
  // Whether the disk may hold the token although memory does not, as far as was noted.
  bool MayBeForgotten(NamespaceId ns, const TokenKey& key) const;

  // Whether more may be added now: a message's rows at a time, which may go beyond the bounds.
  // While another run is written there may be half as much again, so that no one waits for no one.
  bool HasRoom() const {
    return filling_bytes() <
           options_.run_bytes + (writing_ != nullptr ? options_.run_bytes / 2 : 0);
  }
  // Whether rows of the token may be waiting here: then another has to wait behind them.
  bool MayHold(NamespaceId ns, const TokenKey& key) const;
  // It is about to be asked for a token, and to get it.
  void Prefetch(NamespaceId ns, const TokenKey& key, const std::optional<std::string>& owner) const;
  // One that neither memory nor the disk has; `is_behind`: one that MayHold named.
  void Add(NamespaceId ns, const StoredRecord& stored, const UsageRow& usage, bool is_behind);
  bool empty() const { return filling_ == nullptr && phase_ == Phase::kIdle && taken_.empty(); }
  // That what is here will take of memory.
  TableRoom room() const { return filling_room_ + writing_room_; }

  // Each takes out what waits here of a token, in the order in which it came, to be merged at once.
  // Most often there is nothing. Waits for the thread where it is in the run that is written.
  Tokens TakeToken(NamespaceId ns, const TokenKey& key);
  Tokens TakeById(NamespaceId ns, const TokenId& id);
  Tokens TakeOwner(NamespaceId ns, std::string_view owner);
  // What was taken out could not be merged: Step's next failure.
  void Fail(Status status);

  // Takes what is here as far as it goes without waiting. `all`: whatever is there is wanted now.
  // True where a run was begun. Tokens that were taken out are to be merged before the next.
  bool Step(bool all);
  // Up to `max` of those that have to be merged; none while the thread is at work.
  Tokens NextTaken(size_t max);
  bool HasTaken() const { return !busy() && !taken_.empty(); }
  // The run that is being written is wanted soon: until then its threads do not give way. They are
  // hurried in any case once the next run is full.
  void Hurry() { threads_.Hurry(true); }
  // Waits for the thread.
  void Wait();
  // Waits, and drops what is not in the database yet.
  void Abort();
  // What went wrong since the last call, and everything here was dropped for it. Ok: nothing.
  Status TakeFailure() { return std::exchange(failure_, {}); }

 private:
  enum class Phase : uint8_t { kIdle, kWriting, kPutting };
  // Its files are written again as often for tokens that are taken out; then it is merged instead.
  static constexpr int kRewritesMax = 2;

  // A run is left to the thread while it is at work.
  struct Run {
    Run(size_t bytes, size_t key_bytes, TwoThreads* threads)
        : rows(bytes, threads), keys(key_bytes) {}
    void Clear();
    ImportRun rows;
    KeyFilter keys;  // ids and owners
    std::vector<TokenName> repeated;
  };

  bool IsFull() const;  // what is being filled, enough for it to be written
  size_t filling_bytes() const { return filling_ == nullptr ? 0 : filling_->rows.bytes(); }
  // Gives a token of writing_ out.
  ImportRun::Token TokenAt(size_t row);
  template <typename Matches, typename TakeSealed>
  Tokens TakeOut(uint64_t hash, const Matches& matches, const TakeSealed& take_sealed);
  void Seal();
  void FinishWriting();

  // On the thread.
  void Prepare();
  void WriteFiles();
  void PutIntoMemory();
  Status PutHalf(bool upper);

  void Start(std::function<void()> job);
  bool busy() const;
  void RunThread();

  const StoreParts parts_;
  const ImportStageOptions options_;
  const std::function<void()> ring_;
  std::unique_ptr<KeyFilter> forgotten_;

  TwoThreads threads_;  // the stage's own is the first
  std::unique_ptr<Run> filling_, writing_;
  std::unique_ptr<Run> spare_;  // that was written: its memory is for the next
  uint64_t filling_since_ms_ = 0;
  TableRoom filling_room_, writing_room_;
  Phase phase_ = Phase::kIdle;
  Database::RunFiles files_;
  int rewrites_ = 0;
  bool compactions_deferred_ = false;
  rocksdb::Status written_;
  Status put_;
  ImportRun::Rows taken_;  // of writing_
  size_t taken_next_ = 0;  // those before it were given out
  Status failure_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable job_changed_;
  std::function<void()> job_;
  bool stopping_ = false;
  std::thread thread_;  // started with the first job
};

}  // namespace tokend
