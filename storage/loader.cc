#include "storage/loader.h"

#include <rocksdb/perf_level.h>

#include <memory>
#include <utility>

#include "storage/byte_codec.h"
#include "storage/crash_point.h"
#include "storage/record_batch.h"
#include "storage/rows.h"
#include "storage/thread_role.h"

namespace tokend {
namespace {

static_assert(256 % Loader::kRangesPerNamespace == 0);
// About what a range has in one file: reading past its end is for nothing.
constexpr size_t kReadaheadBytes = 1 << 20;

constexpr uint64_t kReservedPercent = 95;

constexpr uint64_t kProgressIntervalMs = 1000;

}  // namespace

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
    for (uint64_t i = 0; i < kRangesPerNamespace; ++i) {
      Range range;
      range.start = prefix + static_cast<char>(i * (256 / kRangesPerNamespace));
      if (i + 1 < kRangesPerNamespace) {
        range.end = prefix + static_cast<char>((i + 1) * (256 / kRangesPerNamespace));
      } else {
        AppendBigEndian(uint64_t{info.id} + 1, 3, &range.end);
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
  RecordBatch batch(parts_);
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
    if (!reserved_[index / kRangesPerNamespace].exchange(true)) {
      parts_.table->Reserve(put * (kRangesPerNamespace - 1) / 100 * kReservedPercent);
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

Status Loader::LoadRange(const Range& range, RecordBatch* batch, uint64_t* put) {
  const rocksdb::Slice end(range.end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  options.readahead_size = kReadaheadBytes;
  options.fill_cache = false;
  Database* database = parts_.database;
  const std::unique_ptr<rocksdb::Iterator> it(
      database->db()->NewIterator(options, database->family(Database::kTokens)));
  for (it->Seek(range.start); it->Valid(); it->Next()) {
    const rocksdb::Slice key = it->key(), value = it->value();
    if (key.size() != kTokenRowKeyBytes || !batch->Add(key.ToStringView(), value.ToStringView())) {
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
