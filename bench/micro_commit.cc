// Store: batches of inserts, from being submitted to being answered, on RocksDB in a directory of
// their own beside this program. With fsync, a batch of one is what a single client waits for.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/micro.h"
#include "bench/tokens.h"
#include "protocol/digest.h"
#include "storage/clock.h"
#include "storage/store.h"

namespace tokend::bench {
namespace {

const TokenSpace& Tokens() {
  // Good until long after any run: what was inserted has to be there afterwards.
  static const TokenSpace tokens(1, SystemClock().NowMs());
  return tokens;
}

TokenKey KeyOf(uint64_t index) {
  static Digester digester;
  return digester.Digest(DigestScheme::kSha256, Tokens().Token(index));
}

class TempDir {
 public:
  TempDir() {
    std::string name =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "micro-commit-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Where the outcomes of one submission at a time are waited for.
class Outcomes {
 public:
  void Set(std::vector<Outcome> outcomes) {
    const std::lock_guard lock(mutex_);
    outcomes_ = std::move(outcomes);
    is_set_ = true;
    was_set_.notify_one();
  }
  std::vector<Outcome> Wait() {
    std::unique_lock lock(mutex_);
    was_set_.wait(lock, [this] { return is_set_; });
    is_set_ = false;
    return std::move(outcomes_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable was_set_;
  bool is_set_ = false;
  std::vector<Outcome> outcomes_;
};

class InsertBatch final : public Submission {
 public:
  InsertBatch(uint64_t first, size_t count, Outcomes* answer) : answer_(answer) {
    mutations.resize(count);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t index = first + i;
      InsertMutation insert;
      insert.key = KeyOf(index);
      insert.scheme = DigestScheme::kSha256;
      insert.expiry = {ExpirySpec::Kind::kAt, Tokens().ExpiresAtMs(index)};
      insert.owner = std::string(Tokens().Owner(index));
      insert.scopes = Tokens().Scopes(index);
      mutations[i] = {"default", std::move(insert)};
    }
  }
  void Done(std::unique_ptr<Submission> /*self*/) override { answer_->Set(std::move(outcomes)); }

 private:
  Outcomes* const answer_;
};

// A store on an empty directory, and the tokens 0, 1, ... that were inserted into it.
class Inserter {
 public:
  explicit Inserter(bool is_sync) : is_sync_(is_sync) { Open(); }

  std::unique_ptr<Submission> Prepare(size_t batch) {
    inserted_ += batch;
    return std::make_unique<InsertBatch>(inserted_ - batch, batch, &answer_);
  }
  std::vector<Outcome> Commit(std::unique_ptr<Submission> submission) {
    const Status status = store_->Submit(submission);
    if (!status.ok()) throw std::runtime_error(status.message());
    return answer_.Wait();
  }

  // Everything that was inserted is in memory and on disk as it should be, and nothing else; and
  // still after the store was opened again.
  void Check() {
    CheckMemoryAndDisk();
    store_.reset();
    Open();
    CheckMemoryAndDisk();
  }

 private:
  void Open() {
    StoreOptions options;
    options.data_dir = dir_.path() / "data";
    options.durability = is_sync_ ? Durability::kSync : Durability::kNone;
    const Status status = Store::Open(options, &store_);
    if (!status.ok()) throw std::runtime_error(status.message());
    store_->WaitUntilLoaded();
  }

  void CheckMemoryAndDisk() {
    uint64_t count = 0;
    Require(store_->Count({}, &count).ok() && count == inserted_, "how many records there are");
    const NamespaceId space = store_->namespaces()->at("default").id;
    TokenTable::Reader reader(&store_->table());
    // All of them in memory; of the disk's records, which take longer to read, a thousand.
    const uint64_t step = std::max<uint64_t>(inserted_ / 1000, 1);
    for (uint64_t i = 0; i < inserted_; ++i) {
      const TokenKey key = KeyOf(i);
      Lookup lookup{.key = key, .namespace_id = space};
      store_->table().FindBatch(&reader, {&lookup, 1}, SystemClock().NowMs());
      Require(lookup.verdict == Verdict::kValid &&
                  lookup.expires_at_ms == Tokens().ExpiresAtMs(i) &&
                  lookup.scopes_encoded == Tokens().ScopesEncoded(i),
              "the verdict on a token that was inserted");
      reader.Quiesce();
      if (i % step != 0) continue;
      std::optional<Record> record;
      Require(store_->Get("default", key, &record).ok() && record &&
                  record->expires_at_ms == Tokens().ExpiresAtMs(i) &&
                  record->owner == Tokens().Owner(i) && record->scopes == Tokens().Scopes(i),
              "the record of a token that was inserted");
    }
  }

  const bool is_sync_;
  const TempDir dir_;
  std::unique_ptr<Store> store_;
  Outcomes answer_;
  uint64_t inserted_ = 0;
};

bool AreAllDone(const std::vector<Outcome>& outcomes, size_t batch) {
  return outcomes.size() == batch &&
         std::all_of(outcomes.begin(), outcomes.end(),
                     [](const Outcome& outcome) { return outcome.status.ok(); });
}

void CheckCommits(bool is_sync) {
  Inserter inserter(is_sync);
  for (const size_t batch : {size_t{1}, size_t{16}, size_t{256}}) {
    Require(AreAllDone(inserter.Commit(inserter.Prepare(batch)), batch), "the outcomes of a batch");
  }
  inserter.Check();
}

// One batch under way at a time; wall time, since most of it passes on other threads and in fsync.
void BmCommit(benchmark::State& state, size_t batch, bool is_sync) {
  Inserter inserter(is_sync);
  bool are_all_done = true;
  for (auto _ : state) {
    state.PauseTiming();
    std::unique_ptr<Submission> submission = inserter.Prepare(batch);
    state.ResumeTiming();
    are_all_done = AreAllDone(inserter.Commit(std::move(submission)), batch) && are_all_done;
  }
  if (!are_all_done) state.SkipWithError("an insert was refused");
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
  inserter.Check();
}

}  // namespace

void RegisterBenchmarks(size_t /*tokens_max*/) {
  for (const bool is_sync : {false, true}) {
    CheckCommits(is_sync);
    for (const size_t batch : {size_t{1}, size_t{16}, size_t{256}}) {
      const std::string name =
          "Commit/" + std::string(is_sync ? "sync" : "no_sync") + "/batch_" + std::to_string(batch);
      benchmark::RegisterBenchmark(
          name.c_str(),
          [batch, is_sync](benchmark::State& state) { BmCommit(state, batch, is_sync); })
          ->UseRealTime()
          ->MeasureProcessCPUTime();
    }
  }
}

}  // namespace tokend::bench
