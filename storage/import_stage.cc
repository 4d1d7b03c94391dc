#include "storage/import_stage.h"

#include <algorithm>
#include <utility>

#include "storage/crash_point.h"
#include "storage/record_batch.h"
#include "storage/seeded_hash.h"

namespace tokend {
namespace {

constexpr size_t kForgottenBytes = 4 << 20;
// Some 200 bytes of rows are a token, and 130 bits for its id and its owner leave no doubt to speak
// of: each token in doubt is taken out and looked for on the disk.
constexpr size_t kBytesOfKeyFilter = 12;
// By which the rows of one step go beyond a run's bounds. To grow would be to copy it all.
constexpr size_t kBeyondBytes = 1 << 20;
// What comes slowly is written sooner: its runs take less memory, which somebody has to find first.
constexpr uint64_t kRunTimeMs = 300;

uint64_t HashOf(NamespaceId ns, const TokenId& id) { return HashBytes(id.view(), ns, /*seed=*/0); }
uint64_t HashOf(NamespaceId ns, std::string_view owner) { return HashBytes(owner, ns, /*seed=*/1); }

}  // namespace

ImportStage::ImportStage(const StoreParts& parts, const ImportStageOptions& options,
                         std::function<void()> ring)
    : parts_(parts), options_(options), ring_(std::move(ring)) {}

ImportStage::~ImportStage() {
  Abort();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  job_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ImportStage::Track(bool on) {
  if (on && forgotten_ == nullptr) forgotten_ = std::make_unique<KeyFilter>(kForgottenBytes);
  if (on) return;
  forgotten_.reset();
  spare_.reset();
  if (!std::exchange(compactions_deferred_, false)) return;
  Wait();
  Start([this] { parts_.database->DeferCompactions(false); });
}

void ImportStage::Run::Clear() {
  rows.Clear();
  keys.Clear();
  repeated.clear();
}

void ImportStage::NoteForgotten(std::span<const TokenName> tokens) {
  for (const TokenName& token : tokens) forgotten_->Add(FilterHashOf(token.ns, token.key));
}

bool ImportStage::MayBeForgotten(NamespaceId ns, const TokenKey& key) const {
  return forgotten_->MayHold(FilterHashOf(ns, key));
}

bool ImportStage::MayHold(NamespaceId ns, const TokenKey& key) const {
  if (empty()) return false;
  const uint64_t hash = HashOf(ns, TokenId::Of(key));
  return (filling_ != nullptr && filling_->keys.MayHold(hash)) ||
         (writing_ != nullptr && writing_->keys.MayHold(hash));
}

void ImportStage::Prefetch(NamespaceId ns, const TokenKey& key,
                           const std::optional<std::string>& owner) const {
  const uint64_t hash = HashOf(ns, TokenId::Of(key));
  if (filling_ != nullptr) {
    filling_->keys.Prefetch(hash);
    if (owner) filling_->keys.Prefetch(HashOf(ns, *owner));
  }
  if (writing_ != nullptr) writing_->keys.Prefetch(hash);
  forgotten_->Prefetch(FilterHashOf(ns, key));
}

void ImportStage::Add(NamespaceId ns, const StoredRecord& stored, const UsageRow& usage,
                      bool is_behind) {
  if (filling_ == nullptr) filling_ = std::move(spare_);
  if (filling_ == nullptr) {
    filling_ = std::make_unique<Run>(options_.run_bytes + options_.run_bytes / 2 + kBeyondBytes,
                                     options_.run_bytes / kBytesOfKeyFilter, &threads_);
  }
  if (filling_bytes() == 0) filling_since_ms_ = parts_.clock->NowMs();
  const Record& record = stored.record;
  const uint64_t hash = HashOf(ns, TokenId::Of(record.key));
  if (is_behind || filling_->keys.MayHold(hash)) filling_->repeated.push_back({ns, record.key});
  filling_->keys.AddAlone(hash);
  if (record.owner) filling_->keys.AddAlone(HashOf(ns, *record.owner));
  filling_->rows.Add(ns, stored, usage);
  filling_room_ += RoomOfToken(record.owner, record.scopes);
}

// --- taking out ---

ImportRun::Token ImportStage::TokenAt(size_t row) {
  ImportRun::Token token = writing_->rows.TokenAt(row);
  writing_room_ -= RoomOfToken(token.stored.record.owner, token.stored.record.scopes);
  return token;
}

template <typename Matches, typename TakeSealed>
ImportStage::Tokens ImportStage::TakeOut(uint64_t hash, const Matches& matches,
                                         const TakeSealed& take_sealed) {
  Tokens out;
  if (writing_ != nullptr && writing_->keys.MayHold(hash)) {
    if (phase_ == Phase::kWriting) Wait();
    ImportRun& run = writing_->rows;
    // Those of them that have been taken out came first.
    const auto mine =
        std::stable_partition(taken_.begin() + static_cast<ptrdiff_t>(taken_next_), taken_.end(),
                              [&](uint32_t row) { return !run.IsMatch(row, matches); });
    ImportRun::Rows rows(mine, taken_.end());
    taken_.erase(mine, taken_.end());
    const size_t before = rows.size();
    if (phase_ == Phase::kWriting) take_sealed(&run, &rows);
    if (rows.size() != before) {
      parts_.database->DeleteRun(&files_);
      if (++rewrites_ > kRewritesMax) run.TakeAll(&taken_);
      Start([this] { WriteFiles(); });
    }
    for (const uint32_t row : rows) out.push_back(TokenAt(row));
  }
  if (filling_ != nullptr && filling_->keys.MayHold(hash)) {
    const size_t before = out.size();
    filling_->rows.TakeUnsealed(matches, &out);
    for (size_t i = before; i < out.size(); ++i) {
      const Record& record = out[i].stored.record;
      filling_room_ -= RoomOfToken(record.owner, record.scopes);
    }
  }
  return out;
}

ImportStage::Tokens ImportStage::TakeToken(NamespaceId ns, const TokenKey& key) {
  if (!MayHold(ns, key)) return {};
  return TakeOut(
      HashOf(ns, TokenId::Of(key)),
      [&](NamespaceId of, const TokenKey& its, const StoredRecordView&) {
        return of == ns && its == key;
      },
      [&](ImportRun* run, ImportRun::Rows* out) { run->TakeToken(ns, key, out); });
}

ImportStage::Tokens ImportStage::TakeById(NamespaceId ns, const TokenId& id) {
  if (empty()) return {};
  return TakeOut(
      HashOf(ns, id),
      [&](NamespaceId of, const TokenKey& its, const StoredRecordView&) {
        return of == ns && TokenId::Of(its) == id;
      },
      [&](ImportRun* run, ImportRun::Rows* out) { run->TakeById(ns, id, out); });
}

ImportStage::Tokens ImportStage::TakeOwner(NamespaceId ns, std::string_view owner) {
  if (empty()) return {};
  return TakeOut(
      HashOf(ns, owner),
      [&](NamespaceId of, const TokenKey&, const StoredRecordView& stored) {
        return of == ns && stored.owner == owner;
      },
      [&](ImportRun* run, ImportRun::Rows* out) { run->TakeOwner(ns, owner, out); });
}

ImportStage::Tokens ImportStage::NextTaken(size_t max) {
  if (busy()) return {};
  Tokens next;
  for (; next.size() < max && taken_next_ < taken_.size(); ++taken_next_) {
    next.push_back(TokenAt(taken_[taken_next_]));
  }
  if (taken_next_ == taken_.size()) {
    taken_.clear();
    taken_next_ = 0;
  }
  return next;
}

// --- the steps of a run ---

bool ImportStage::IsFull() const {
  if (filling_bytes() >= options_.run_bytes) return true;
  return filling_bytes() >= options_.run_bytes / 4 &&
         parts_.clock->NowMs() >= filling_since_ms_ + kRunTimeMs;
}

bool ImportStage::Step(bool all) {
  if (busy()) {
    if (filling_bytes() >= options_.run_bytes) threads_.Hurry(true);
    return false;
  }
  if (phase_ == Phase::kWriting) FinishWriting();
  if (phase_ == Phase::kPutting && !busy()) {
    phase_ = Phase::kIdle;
    if (!put_.ok()) {
      // Memory is no longer the whole truth: from now on misses are asked of the disk.
      parts_.table->SetMissesUnavailable(true);
      Fail(std::exchange(put_, {}));
    }
  }
  if (phase_ == Phase::kIdle && taken_.empty() && writing_ != nullptr) {
    spare_ = std::move(writing_);
    spare_->Clear();
    writing_room_ = {};
  }
  if (phase_ != Phase::kIdle || filling_ == nullptr || !taken_.empty() || (!all && !IsFull())) {
    return false;
  }
  threads_.Hurry(false);
  Seal();
  return true;
}

void ImportStage::Seal() {
  phase_ = Phase::kWriting;
  writing_ = std::move(filling_);
  writing_room_ = std::exchange(filling_room_, {});
  rewrites_ = 0;
  const bool is_first = !std::exchange(compactions_deferred_, true);
  Start([this, is_first] {
    if (is_first) parts_.database->DeferCompactions(true);
    Prepare();
    WriteFiles();
  });
}

void ImportStage::Prepare() {
  ImportRun& run = writing_->rows;
  run.Seal();
  for (const TokenName& token : writing_->repeated) run.TakeToken(token.ns, token.key, &taken_);
  if (run.tokens() < options_.run_tokens_min) run.TakeAll(&taken_);
}

void ImportStage::WriteFiles() { written_ = writing_->rows.WriteFiles(parts_.database, &files_); }

void ImportStage::FinishWriting() {
  if (!written_.ok()) return Fail(FromRocksDb(written_, "rows of an import cannot be written"));
  TOKEND_CRASH_POINT("import.written");
  if (const auto status = parts_.database->TakeRun(files_); !status.ok()) {
    return Fail(FromRocksDb(status, "rows of an import cannot be taken into the database"));
  }
  TOKEND_CRASH_POINT("import.taken");
  files_.fill({});
  phase_ = Phase::kPutting;
  Start([this] { PutIntoMemory(); });
}

void ImportStage::PutIntoMemory() {
  std::array<Status, 2> statuses;
  threads_.Run([&] { statuses[0] = PutHalf(/*upper=*/false); },
               [&] { statuses[1] = PutHalf(/*upper=*/true); });
  put_ = statuses[0].ok() ? std::move(statuses[1]) : std::move(statuses[0]);
}

Status ImportStage::PutHalf(bool upper) {
  RecordBatch batch(parts_, forgotten_.get());
  uint64_t put = 0;
  Status first_failure;
  const auto put_batch = [&] {
    if (Status status = batch.Put(&put); first_failure.ok()) first_failure = std::move(status);
    TOKEND_CRASH_POINT("import.putting");
  };
  writing_->rows.ForEachOfHalf(upper, [&](std::string_view row_key, std::string_view stored) {
    (void)batch.Add(row_key, stored);  // our own bytes: they decode
    if (batch.full()) put_batch();
  });
  put_batch();
  return first_failure;
}

void ImportStage::Fail(Status status) {
  failure_ = std::move(status);
  Abort();
}

void ImportStage::Abort() {
  Wait();
  parts_.database->DeleteRun(&files_);
  filling_.reset();
  writing_.reset();
  spare_.reset();
  filling_room_ = writing_room_ = {};
  taken_.clear();
  taken_next_ = 0;
  phase_ = Phase::kIdle;
}

// --- the thread ---

void ImportStage::Start(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { RunThread(); });
  job_changed_.notify_all();
}

bool ImportStage::busy() const {
  const std::lock_guard lock(mutex_);
  return job_ != nullptr;
}

void ImportStage::Wait() {
  std::unique_lock lock(mutex_);
  if (job_ == nullptr) return;
  threads_.Hurry(true);
  job_changed_.wait(lock, [this] { return job_ == nullptr; });
  threads_.Hurry(false);
}

void ImportStage::RunThread() {
  threads_.Begin("import");
  std::unique_lock lock(mutex_);
  while (true) {
    job_changed_.wait(lock, [this] { return stopping_ || job_ != nullptr; });
    if (job_ == nullptr) return;
    lock.unlock();
    job_();
    lock.lock();
    job_ = nullptr;
    job_changed_.notify_all();
    ring_();
  }
}

}  // namespace tokend
