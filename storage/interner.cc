#include "storage/interner.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <unordered_set>

#include "storage/by_shard.h"
#include "storage/seeded_hash.h"

namespace tokend {
namespace {

constexpr uint32_t kGranulesPerShard = 1u << HashIndex::kIdBits;
constexpr uint32_t kPrimaryBuckets = HashIndex::PrimaryBucketsFor(HashIndex::kIdMax);

}  // namespace

Interner::Shard::Shard(uint32_t number, StripedArray<HashIndex::Bucket> buckets, MemoryMeter* meter)
    : first_id(number << HashIndex::kIdBits),
      index(buckets, kPrimaryBuckets, kPrimaryBuckets, meter) {
  touched_bytes.store(index.touched_bytes(), std::memory_order_relaxed);
}

Interner::Interner(const Options& options, EpochDomain* epochs, MemoryMeter* meter,
                   Populator* populator)
    : shard_bits_(options.shard_bits),
      seed_(options.seed),
      epochs_(epochs),
      meter_(meter),
      populator_(populator),
      granules_((size_t{kGranulesPerShard} * kGranuleBytes) << options.shard_bits, options.what),
      buckets_(StripedArray<HashIndex::Bucket>::SharedSize(2 * kPrimaryBuckets, shard_bits_) *
                   sizeof(HashIndex::Bucket),
               options.what),
      granules_area_(populator->AddArea(&granules_, 0, granules_.bytes())),
      buckets_area_(populator->AddArea(&buckets_, 0, buckets_.bytes() / 2)) {
  assert(options.shard_bits <= kShardBitsMax);
  for (uint32_t i = 0; i < 1u << shard_bits_; ++i) {
    shards_.push_back(std::make_unique<Shard>(
        i, StripedArray<HashIndex::Bucket>(buckets_.as<HashIndex::Bucket>(), shard_bits_, i),
        meter));
  }
}

Interner::~Interner() = default;

uint64_t Interner::HashOf(uint32_t id) const {
  const Entry* entry = At(id);
  return HashBytes(entry->view(), entry->namespace_id(), seed_);
}

Interner::SizeClass Interner::SizeClassOf(size_t length) {
  const uint32_t granules =
      static_cast<uint32_t>((sizeof(Entry) + length + kGranuleBytes - 1) / kGranuleBytes);
  if (granules <= kExactClasses) return {granules - 1, granules};
  // Within (2^k, 2^(k+1)] classes are 2^(k-2) apart.
  const uint32_t k = static_cast<uint32_t>(std::bit_width(granules - 1)) - 1;
  const uint32_t quarter = (granules - 1 - (1u << k)) >> (k - 2);
  return {kExactClasses + 4 * (k - 4) + quarter, (1u << k) + ((quarter + 1) << (k - 2))};
}

uint32_t Interner::Find(const Shard& shard, uint64_t hash, uint16_t namespace_id,
                        std::string_view bytes) const {
  return shard.index.Find(hash, [&](uint32_t number) {
    const Entry* entry = At(shard.first_id | number);
    return entry->namespace_id() == namespace_id && entry->view() == bytes;
  });
}

uint32_t Interner::Allocate(Shard* shard, size_t length) {
  const SizeClass size = SizeClassOf(length);
  const uint32_t reused = shard->free[size.index];
  if (reused != 0) {
    shard->free[size.index] = At(shard->first_id | reused)->refs;
    return reused;
  }
  if (size.granules > kRun - (shard->fresh & (kRun - 1))) FillRun(shard);
  if (shard->fresh + size.granules > kGranulesPerShard) return 0;
  meter_->Add(size_t{size.granules} * kGranuleBytes);
  const uint32_t number = shard->fresh;
  shard->fresh += size.granules;
  new (At(shard->first_id | number)) Entry();
  return number;
}

void Interner::FillRun(Shard* shard) {
  uint32_t left = kRun - (shard->fresh & (kRun - 1));
  meter_->Add(size_t{left} * kGranuleBytes);
  while (left > 0) {
    const uint32_t granules = std::min(left, kExactClasses);
    Entry* entry = new (At(shard->first_id | shard->fresh)) Entry();
    entry->word.store(granules * kGranuleBytes - sizeof(Entry), std::memory_order_relaxed);
    Free(shard, shard->fresh);
    shard->fresh += granules;
    left -= granules;
  }
}

void Interner::Free(Shard* shard, uint32_t number) {
  Entry* entry = At(shard->first_id | number);
  const uint32_t size_class = SizeClassOf(entry->view().size()).index;
  // The length stays, so that the granules can be walked.
  entry->word.store((entry->Word() & kLengthMask) | kFree, std::memory_order_relaxed);
  entry->refs = shard->free[size_class];
  shard->free[size_class] = number;
}

uint32_t Interner::Acquire(uint16_t namespace_id, std::string_view bytes) {
  if (bytes.size() > kBytesMax) return 0;
  const uint64_t hash = HashBytes(bytes, namespace_id, seed_);
  Shard* const shard = shards_[ShardOf(hash, shard_bits_)].get();
  MutexLock lock(&shard->mutex);
  return AcquireFrom(shard, hash, namespace_id, bytes);
}

void Interner::AcquireMany(std::span<Name> names) {
  std::vector<uint64_t> hashes(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    names[i].id = 0;
    hashes[i] = HashBytes(names[i].bytes, names[i].namespace_id, seed_);
  }
  const ByShard by_shard(names.size(), shard_bits_, [&](size_t i) { return hashes[i]; });
  for (uint32_t number = 0; number < by_shard.shards(); ++number) {
    const std::span<const uint32_t> mine = by_shard.Of(number);
    if (mine.empty()) continue;
    Shard* const shard = shards_[number].get();
    MutexLock lock(&shard->mutex);
    for (const uint32_t i : mine) __builtin_prefetch(shard->index.BucketOf(hashes[i]));
    for (const uint32_t i : mine) {
      const HashIndex::Bucket* bucket = shard->index.BucketOf(hashes[i]);
      const uint32_t bits = HashIndex::Matches(bucket, HashIndex::TagOf(hashes[i]));
      if (bits == 0) continue;
      const auto entry = static_cast<uint32_t>(std::countr_zero(bits));
      __builtin_prefetch(At(shard->first_id | HashIndex::IdAt(bucket, entry)), 1);
    }
    for (const uint32_t i : mine) {
      Name& name = names[i];
      if (name.bytes.size() > kBytesMax) continue;
      name.id = AcquireFrom(shard, hashes[i], name.namespace_id, name.bytes);
      if (name.id != 0) At(name.id)->refs += name.references - 1;
    }
  }
}

uint32_t Interner::AcquireFrom(Shard* shard, uint64_t hash, uint16_t namespace_id,
                               std::string_view bytes) {
  uint32_t number = Find(*shard, hash, namespace_id, bytes);
  if (number != 0) {
    ++At(shard->first_id | number)->refs;
    return shard->first_id | number;
  }
  number = Allocate(shard, bytes.size());
  if (number == 0) return 0;
  Entry* entry = At(shard->first_id | number);
  std::memcpy(entry->bytes(), bytes.data(), bytes.size());
  entry->word.store(static_cast<uint32_t>(bytes.size()) | uint32_t{namespace_id} << 16,
                    std::memory_order_release);
  entry->refs = 1;
  const auto hash_of = [&](uint32_t other) { return HashOf(shard->first_id | other); };
  const bool inserted = shard->index.Insert(hash, number, hash_of);
  if (inserted) {
    shard->entries.fetch_add(1, std::memory_order_relaxed);
  } else {
    Free(shard, number);  // nobody has seen it
  }
  NoteGrowth(shard);
  return inserted ? shard->first_id | number : 0;
}

void Interner::NoteGrowth(Shard* shard) {
  shard->touched_bytes.store(
      shard->index.touched_bytes() + size_t{shard->fresh - 1} * kGranuleBytes,
      std::memory_order_relaxed);
  // Into the run behind the present one: shards come to it at about the same time.
  const size_t granules = size_t{shard->fresh + kRun} << shard_bits_;
  populator_->Reached(granules_area_, granules * kGranuleBytes);
  const size_t buckets =
      StripedArray<HashIndex::Bucket>::SharedSize(shard->index.bucket_count(), shard_bits_);
  populator_->Reached(buckets_area_, buckets * sizeof(HashIndex::Bucket));
}

void Interner::Release(uint32_t id) {
  Shard* const shard = &ShardOfId(id);
  MutexLock lock(&shard->mutex);
  Entry* const entry = At(id);
  assert(entry->refs > 0);
  if (--entry->refs > 0) return;
  const uint32_t number = id - shard->first_id;
  if (!IsKilled(id)) shard->index.Erase(HashOf(id), number);
  // Its word stays as it is: to a reader who still has the id a killed owner stays killed.
  shard->limbo.Retire(
      number, [&](uint32_t retired, uint32_t next) { At(shard->first_id | retired)->refs = next; });
  shard->has_retired.store(true, std::memory_order_relaxed);
  shard->entries.fetch_sub(1, std::memory_order_relaxed);
}

bool Interner::Kill(uint16_t namespace_id, std::string_view bytes) {
  const uint64_t hash = HashBytes(bytes, namespace_id, seed_);
  Shard* const shard = shards_[ShardOf(hash, shard_bits_)].get();
  MutexLock lock(&shard->mutex);
  const uint32_t number = Find(*shard, hash, namespace_id, bytes);
  if (number == 0) return false;
  Entry* const entry = At(shard->first_id | number);
  entry->word.store(entry->Word() | kKilled, std::memory_order_release);
  shard->index.Erase(hash, number);
  return true;
}

size_t Interner::Reclaim(size_t budget) {
  size_t freed = 0;
  for (auto& owned : shards_) {
    Shard* const shard = owned.get();
    if (!shard->has_retired.load(std::memory_order_relaxed)) continue;
    MutexLock lock(&shard->mutex);
    while (freed < budget) {
      if (shard->passed == 0) shard->passed = shard->limbo.TakePassed(epochs_).first;
      if (shard->passed == 0) break;
      const uint32_t number = shard->passed;
      shard->passed = At(shard->first_id | number)->refs;
      Free(shard, number);
      ++freed;
    }
    shard->has_retired.store(shard->passed != 0 || shard->limbo.count() != 0,
                             std::memory_order_relaxed);
  }
  return freed;
}

uint64_t Interner::entries() const {
  uint64_t total = 0;
  for (const auto& shard : shards_) total += shard->entries.load(std::memory_order_relaxed);
  return total;
}

uint64_t Interner::touched_bytes() const {
  uint64_t total = 0;
  for (const auto& shard : shards_) total += shard->touched_bytes.load(std::memory_order_relaxed);
  return total;
}

void Interner::CheckInvariants(const std::function<uint32_t(uint32_t)>& refs_of) const {
  for (const auto& shard : shards_) CheckShard(shard.get(), refs_of);
}

void Interner::CheckShard(Shard* shard, const std::function<uint32_t(uint32_t)>& refs_of) const {
  auto require = [](bool holds, const char* what) {
    if (!holds) throw std::logic_error(std::string("interner: ") + what);
  };
  MutexLock lock(&shard->mutex);
  const auto next_of = [&](uint32_t number) { return At(shard->first_id | number)->refs; };

  std::unordered_set<uint32_t> indexed, unlinked;
  shard->index.CheckInvariants(
      [&](uint32_t number) { return HashOf(shard->first_id | number); },
      [&](uint32_t number) { require(indexed.insert(number).second, "entry indexed twice"); });
  for (uint32_t number :
       {shard->limbo.retired().first, shard->limbo.waiting().first, shard->passed}) {
    for (; number != 0; number = next_of(number)) {
      require(unlinked.insert(number).second, "entry retired twice");
      require(!indexed.contains(number), "retired entry is indexed");
    }
  }
  require(unlinked.empty() || shard->has_retired.load(std::memory_order_relaxed),
          "retired entries are not marked");
  size_t free = 0;
  for (uint32_t size_class = 0; size_class < kSizeClasses; ++size_class) {
    for (uint32_t number = shard->free[size_class]; number != 0; number = next_of(number)) {
      const Entry* entry = At(shard->first_id | number);
      require(entry->Word() & kFree, "entry in a free list is not free");
      require(SizeClassOf(entry->view().size()).index == size_class, "free entry of another size");
      require(++free < shard->fresh, "free list runs in a circle");
    }
  }

  size_t live = 0, live_indexed = 0, free_walked = 0, unlinked_walked = 0;
  uint32_t number = 1;
  while (number < shard->fresh) {
    const uint32_t id = shard->first_id | number;
    const Entry* entry = At(id);
    if (entry->Word() & kFree) {
      ++free_walked;
    } else if (unlinked.contains(number)) {
      ++unlinked_walked;
      require(refs_of(id) == 0, "retired entry is referred to");
    } else {
      ++live;
      require(entry->refs == refs_of(id) && entry->refs > 0, "references do not add up");
      require(indexed.contains(number) != IsKilled(id), "entry neither findable nor killed");
      if (indexed.contains(number)) ++live_indexed;
    }
    number += SizeClassOf(entry->view().size()).granules;
  }
  require(number == shard->fresh, "granules do not add up");
  require(free_walked == free, "free entry lost");
  require(unlinked_walked == unlinked.size(), "retired entry lost");
  require(live_indexed == indexed.size(), "indexed entry is not live");
  require(live == shard->entries.load(std::memory_order_relaxed), "entries do not add up");
}

}  // namespace tokend
