#include "storage/loader.h"

#include <memory>
#include <utility>

#include "storage/byte_codec.h"
#include "storage/crash_point.h"
#include "storage/rows.h"
#include "storage/thread_role.h"

namespace tokend {
namespace {

// Enough ranges for threads to finish together, few enough that empty ones cost nothing.
constexpr uint64_t kRangesEach = 64;
static_assert(256 % kRangesEach == 0);

constexpr uint64_t kReservedPercent = 95;

constexpr uint64_t kProgressIntervalMs = 1000;
// Enough for each shard to get several at a time, few enough for all of them to stay in the
// second-level cache.
constexpr size_t kBatch = 2048;

}  // namespace

// Records on their way into the table. Kept as they are decoded, strings with their memory.
class Loader::Batch {
 public:
  explicit Batch(const StoreParts& parts)
      : parts_(parts), records_(kBatch), names_(kBatch), scopes_encoded_(kBatch) {
    entries_.reserve(kBatch);
  }

  // Requires !full(). False where the record is damaged.
  bool Add(std::string_view row_key, std::string_view row_value) {
    StoredRecord* const stored = &records_[size_];
    if (!DecodeStoredRecord(row_value, stored)) return false;
    names_[size_] = ParseTokenRowKey(row_key);
    stored->record.key = names_[size_].key;
    ++size_;
    return true;
  }
  bool full() const { return size_ == kBatch; }
  size_t size() const { return size_; }

  // Leaves it empty. Adds to *put how many are in memory now.
  Status Put(uint64_t* put) {
    const uint64_t now_ms = parts_.clock->NowMs();
    entries_.clear();
    numbers_.clear();
    for (size_t i = 0; i < size_; ++i) {
      const uint64_t expires_at_ms = records_[i].record.expires_at_ms;
      if (expires_at_ms <= now_ms) {
        // Would only be dropped again. Reclaimable or not, a clock set back finds it on disk.
        parts_.table->NoteDropped(expires_at_ms);
        continue;
      }
      entries_.push_back(MakeTokenEntry(names_[i].ns, records_[i], &scopes_encoded_[i]));
      numbers_.push_back(i);
    }
    size_ = 0;
    *put += entries_.size();
    const PutResult result =
        parts_.table->PutMany(entries_, [&](size_t i) { return IsDenied(numbers_[i]); });
    if (result == PutResult::kPut) return {};
    return {ErrorCode::kMemoryLimit,
            "the tokens on disk do not fit below the memory limit; raise memory_bytes_max or "
            "tokens_max"};
  }

 private:
  bool IsDenied(size_t i) const {
    // Most often there is none of either, and the record need not be fetched.
    if (parts_.cutoffs->empty() && parts_.denials->empty()) return false;
    const std::optional<std::string>& owner = records_[i].record.owner;
    return parts_.cutoffs->Hitting(names_[i].ns, records_[i]).has_value() ||
           parts_.denials->Hits(names_[i].ns, names_[i].key, owner ? &*owner : nullptr,
                                /*ticket=*/0);
  }

  const StoreParts& parts_;
  std::vector<StoredRecord> records_;
  std::vector<TokenRowName> names_;
  std::vector<std::string> scopes_encoded_;
  size_t size_ = 0;
  std::vector<TokenEntry> entries_;
  std::vector<size_t> numbers_;  // in records_, of each entry
};

Loader::Loader(const StoreParts& parts, size_t threads, std::function<void()> progress,
               std::function<void(const Status&)> done)
    : parts_(parts),
      thread_count_(threads),
      progress_(std::move(progress)),
      done_(std::move(done)),
      progress_at_steady_ms_(parts.clock->SteadyMs()) {}

Loader::~Loader() {
  stopping_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads_) thread.join();
}

void Loader::Start() {
  const auto namespaces = parts_.namespaces->snapshot();
  for (const auto& [name, info] : *namespaces) {
    const std::string prefix = NamespacePrefix(info.id);
    for (uint64_t i = 0; i < kRangesEach; ++i) {
      Range range;
      range.start = prefix + static_cast<char>(i * (256 / kRangesEach));
      if (i + 1 < kRangesEach) {
        range.end = prefix + static_cast<char>((i + 1) * (256 / kRangesEach));
      } else {
        PutBigEndian(uint64_t{info.id} + 1, 3, &range.end);
        // The id after 65,535 does not fit: then the family's end is the range's.
        range.end = info.id == UINT16_MAX ? std::string(kTokenRowKeyBytes + 1, '\xff')
                                          : range.end.substr(1);
      }
      ranges_.push_back(std::move(range));
    }
  }
  reserved_ = std::vector<std::atomic<bool>>(namespaces->size());
  running_.store(thread_count_, std::memory_order_relaxed);
  for (size_t i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { Run(); });
}

void Loader::Run() {
  BeginThread("loader", ThreadRole::kServing);
  Batch batch(parts_);
  while (!stopping_.load(std::memory_order_relaxed)) {
    const size_t index = next_range_.fetch_add(1, std::memory_order_relaxed);
    if (index >= ranges_.size()) break;
    uint64_t put = 0;
    if (Status status = LoadRange(ranges_[index], &batch, &put); !status.ok()) {
      const std::lock_guard lock(mutex_);
      if (failed_.ok()) failed_ = status;
      break;
    }
    // The first range of a namespace that is done tells how many are to come. A little less than
    // that, since what is too much stays.
    if (!reserved_[index / kRangesEach].exchange(true)) {
      parts_.table->Reserve(put * (kRangesEach - 1) / 100 * kReservedPercent);
    }
    TOKEND_CRASH_POINT("load.range");
  }
  if (running_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Status outcome;
  {
    const std::lock_guard lock(mutex_);
    outcome = failed_;
  }
  if (!stopping_.load(std::memory_order_relaxed)) done_(outcome);
}

void Loader::Count(uint64_t records) {
  records_.fetch_add(records, std::memory_order_relaxed);
  const uint64_t now_ms = parts_.clock->SteadyMs();
  uint64_t last_ms = progress_at_steady_ms_.load(std::memory_order_relaxed);
  // One thread wins and tells.
  if (now_ms - last_ms >= kProgressIntervalMs &&
      progress_at_steady_ms_.compare_exchange_strong(last_ms, now_ms)) {
    progress_();
  }
}

Status Loader::LoadRange(const Range& range, Batch* batch, uint64_t* put) {
  const rocksdb::Slice end(range.end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  options.readahead_size = 2 << 20;
  options.fill_cache = false;
  Database* database = parts_.database;
  const std::unique_ptr<rocksdb::Iterator> it(
      database->db()->NewIterator(options, database->family(Database::kTokens)));
  for (it->Seek(range.start); it->Valid(); it->Next()) {
    const std::string_view row_key(it->key().data(), it->key().size());
    const std::string_view row_value(it->value().data(), it->value().size());
    if (row_key.size() != kTokenRowKeyBytes || !batch->Add(row_key, row_value)) {
      return {ErrorCode::kInternal, std::string("a record on disk is damaged; ") + kDamageAdvice};
    }
    TOKEND_CRASH_POINT("load.row");
    if (!batch->full()) continue;
    if (stopping_.load(std::memory_order_relaxed)) return {};
    Count(batch->size());
    if (Status status = batch->Put(put); !status.ok()) return status;
  }
  Count(batch->size());
  if (Status status = batch->Put(put); !status.ok()) return status;
  return FromRocksDb(it->status(), "cannot read the tokens");
}

}  // namespace tokend
