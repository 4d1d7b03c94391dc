#include "storage/loader.h"

#include <rocksdb/perf_level.h>

#include <cstring>
#include <memory>
#include <memory_resource>
#include <utility>

#include "protocol/msgpack.h"
#include "storage/byte_codec.h"
#include "storage/crash_point.h"
#include "storage/rows.h"
#include "storage/thread_role.h"

namespace tokend {
namespace {

// Enough ranges for threads to finish together, few enough that empty ones cost nothing.
constexpr uint64_t kRangesEach = 32;
static_assert(256 % kRangesEach == 0);
// About what a range has in one file: reading past its end is for nothing.
constexpr size_t kReadaheadBytes = 1 << 20;

constexpr uint64_t kReservedPercent = 95;

constexpr uint64_t kProgressIntervalMs = 1000;
// Enough for each shard to get several at a time, few enough for all of them to stay in the
// second-level cache.
constexpr size_t kBatch = 2048;

}  // namespace

// Records on their way into the table: of each only what memory holds.
class Loader::Batch {
 public:
  explicit Batch(const StoreParts& parts) : parts_(parts), first_block_(kBlockBytes) {
    entries_.reserve(kBatch);
    inserted_sequences_.reserve(kBatch);
  }

  // Requires !full(). False where the record is damaged.
  bool Add(std::string_view row_key, std::string_view row_value) {
    StoredRecordView stored;
    if (!DecodeStoredRecord(row_value, &stored)) return false;
    if (read_++ == 0) now_ms_ = parts_.clock->NowMs();
    if (stored.expires_at_ms <= now_ms_) {
      // Would only be dropped again. Reclaimable or not, a clock set back finds it on disk.
      parts_.table->NoteDropped(stored.expires_at_ms);
      return true;
    }
    const TokenRowName name = ParseTokenRowKey(row_key);
    TokenEntry entry;
    entry.namespace_id = name.ns;
    entry.key = name.key;
    entry.expires_at_ms = stored.expires_at_ms;
    if (stored.owner) entry.owner = Keep(*stored.owner);
    scopes_encoded_.clear();
    msgpack_io::Writer writer(&scopes_encoded_);
    writer.ArrayHeader(static_cast<uint32_t>(stored.scope_count));
    stored.ForEachScope([&](std::string_view scope) { writer.Str(scope); });
    entry.scopes_encoded = Keep(scopes_encoded_);
    entry.revoked = stored.revoked;
    entries_.push_back(entry);
    inserted_sequences_.push_back(stored.inserted_sequence);
    return true;
  }
  bool full() const { return read_ == kBatch; }
  size_t read() const { return read_; }

  // Leaves it empty. Adds to *put how many are in memory now.
  Status Put(uint64_t* put) {
    *put += entries_.size();
    const PutResult result = parts_.table->PutMany(entries_, [&](size_t i) { return IsDenied(i); });
    read_ = 0;
    entries_.clear();
    inserted_sequences_.clear();
    bytes_.release();
    if (result == PutResult::kPut) return {};
    return {ErrorCode::kMemoryLimit,
            "the tokens on disk do not fit below the memory limit; raise memory_bytes_max or "
            "tokens_max"};
  }

 private:
  // Owners and scopes of a batch, most often; what is more comes from the heap.
  static constexpr size_t kBlockBytes = kBatch * 64;

  std::string_view Keep(std::string_view bytes) {
    char* const copy = static_cast<char*>(bytes_.allocate(bytes.size(), 1));
    std::memcpy(copy, bytes.data(), bytes.size());
    return {copy, bytes.size()};
  }
  bool IsDenied(size_t i) const {
    // Most often there is none of either, and the entry need not be fetched.
    if (parts_.cutoffs->empty() && parts_.denials->empty()) return false;
    const TokenEntry& entry = entries_[i];
    std::optional<std::string> owner;
    if (entry.owner) owner = *entry.owner;
    if (owner && !entry.revoked &&
        parts_.cutoffs->Hitting(entry.namespace_id, *owner, inserted_sequences_[i])) {
      return true;
    }
    return parts_.denials->Hits(entry.namespace_id, entry.key, owner ? &*owner : nullptr,
                                /*ticket=*/0);
  }

  const StoreParts& parts_;
  size_t read_ = 0;
  uint64_t now_ms_ = 0;  // when its first was read
  std::vector<char> first_block_;
  std::pmr::monotonic_buffer_resource bytes_{first_block_.data(), first_block_.size()};
  std::vector<TokenEntry> entries_;
  std::vector<uint64_t> inserted_sequences_;  // of each entry
  std::string scopes_encoded_;
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
  // Nobody asks for what RocksDB counts for each step of each thread.
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
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
  options.readahead_size = kReadaheadBytes;
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
    Count(batch->read());
    if (Status status = batch->Put(put); !status.ok()) return status;
  }
  Count(batch->read());
  if (Status status = batch->Put(put); !status.ok()) return status;
  return FromRocksDb(it->status(), "cannot read the tokens");
}

}  // namespace tokend
