// HashIndex: from a hash to small numbers (ids), by linear hashing with one cache line a bucket.
//
// Benefits: it grows by one bucket at a time, so there is no pause and no moment with two tables; a
// look-up touches one line in most cases; erasing leaves nothing behind; ~7 bytes an id.
// Costs: buckets that wait for their split are up to twice as full as the others, so about one in
// ten has an overflow bucket; it never shrinks.
//
//   bucket, 64 bytes   | entry 0 | entry 1 | ... | entry 14 | overflow |   15 + 1 words
//   entry, 32 bits     | tag: 10 bits of the hash, never 0 | id: 22 bits |   all 0 = free
//   overflow           the number of the next bucket of the chain, 0 = none
//
// Numbers below primary_max are primary buckets, chosen by the hash; from there on they are
// overflow buckets. With n primary buckets and 2^L <= n < 2^(L+1), a hash belongs to bucket hash
// mod 2^(L+1) if there is one, else to hash mod 2^L; the next split is of bucket n - 2^L, into
// itself and n.
//
// The index knows no keys. A tag that matches is a hint (one in a thousand is wrong), so looking up
// means comparing keys; and to split a bucket it asks for the hash of each id in it again.
//
// Threads. Writers are ordered by the caller. Readers run beside them:
// - An id that was found and whose key compared equal is right, whatever happened meanwhile.
// - That nothing was found is right only if no entry moved meanwhile: version() even before, and
//   unchanged after. Putting an id into a free entry and freeing one move nothing else, so they
//   leave the version alone.
// - All entries are stored with release and loaded with acquire: whoever has seen a part of a move
//   sees that the version is odd or has changed. That needs no fences, and on x86 costs nothing.
// - Overflow buckets are used again at once: a reader in one may stray into another chain, finds no
//   wrong key equal, and then sees the version changed. It takes chain_max() steps at most.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "storage/crash_point.h"
#include "storage/memory_meter.h"
#include "storage/race_point.h"
#include "storage/striped_array.h"

#if defined(__SANITIZE_THREAD__)
#define TOKEND_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TOKEND_TSAN 1
#endif
#endif

#if defined(__SSE2__) && !defined(TOKEND_TSAN)
#define TOKEND_INDEX_SSE2 1
#include <emmintrin.h>
#endif

namespace tokend {

class HashIndex {
 public:
  static constexpr uint32_t kIdBits = 22;
  static constexpr uint32_t kIdMax = (1u << kIdBits) - 1;
  static constexpr uint32_t kBucketEntries = 15;
  // Ids a primary bucket, on average over all. More saves memory and lengthens chains: at 10, 7.1
  // bytes an id and 4% of the ids in an overflow bucket; at 12, 6.2 bytes and 10%.
  static constexpr uint32_t kLoad = 10;

  struct alignas(64) Bucket {
    std::array<std::atomic<uint32_t>, kBucketEntries> entries{};
    std::atomic<uint32_t> overflow{0};
  };

  // Buckets to have for so many ids; overflow buckets then begin a run of the array.
  static constexpr uint32_t PrimaryBucketsFor(uint32_t ids) {
    constexpr uint32_t kRun = StripedArray<Bucket>::kRun;
    return (ids / kLoad + 1 + kRun - 1) / kRun * kRun;
  }

  // `buckets` holds primary_max + overflow_max of them, reads as zero and outlives the index.
  // `meter` counts each that is touched.
  HashIndex(StripedArray<Bucket> buckets, uint32_t primary_max, uint32_t overflow_max,
            MemoryMeter* meter);
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  // --- readers ---

  uint32_t version() const { return version_.load(std::memory_order_acquire); }
  // The chain where this hash belongs as of now.
  const Bucket* BucketOf(uint64_t hash) const {
    return &buckets_[BucketNumber(hash, bucket_count_.load(std::memory_order_acquire))];
  }
  // The next of the chain, or null.
  const Bucket* Next(const Bucket* bucket) const {
    const uint32_t next = bucket->overflow.load(std::memory_order_acquire);
    return next == 0 ? nullptr : &buckets_[next];
  }
  static uint32_t TagOf(uint64_t hash) {
    const uint32_t tag = static_cast<uint32_t>(hash >> 40) & ((1u << (32 - kIdBits)) - 1);
    return tag == 0 ? 1 : tag;
  }
  // A bit for each entry of this bucket that has the tag.
  static uint32_t Matches(const Bucket* bucket, uint32_t tag);
  // The id in an entry; 0 if it was freed meanwhile.
  static uint32_t IdAt(const Bucket* bucket, uint32_t entry) {
    return bucket->entries[entry].load(std::memory_order_acquire) & kIdMax;
  }
  // The first id of the chain for which equal(id) holds, or 0.
  template <typename Equal>
  uint32_t Find(uint64_t hash, Equal&& equal) const;

  // --- writers ---

  // Requires 0 < id <= kIdMax and that it is not here. False, and nothing changed, where an
  // overflow bucket is needed and none is left. May split a bucket: hash_of(id) gives the hash that
  // an id was inserted with, and hash_of.Prefetch(id), if there is such, fetches what it needs.
  template <typename HashOf>
  [[nodiscard]] bool Insert(uint64_t hash, uint32_t id, HashOf&& hash_of);
  // Has buckets for so many ids as though they were here, so that they find theirs when they come.
  // Splits `splits_max` at the most; whether it is done.
  template <typename HashOf>
  bool Reserve(uint32_t ids, uint32_t splits_max, HashOf&& hash_of);
  // Requires that the id is here with this hash.
  void Erase(uint64_t hash, uint32_t id);

  uint32_t size() const { return size_; }
  uint32_t bucket_count() const { return bucket_count_.load(std::memory_order_relaxed); }
  uint32_t overflow_in_use() const { return overflow_in_use_; }
  uint32_t overflow_touched() const { return overflow_touched_; }
  size_t touched_bytes() const {
    return (size_t{bucket_count()} + overflow_touched_) * sizeof(Bucket);
  }

  // Throws std::logic_error naming the first broken invariant. Calls see(id) for each entry.
  template <typename HashOf, typename See>
  void CheckInvariants(HashOf&& hash_of, See&& see) const;

 private:
  // Chain buckets whose entries are judged before readers are disturbed.
  static constexpr uint32_t kJudgedBuckets = 8;

  static uint32_t BucketNumber(uint64_t hash, uint32_t count) {
    const uint32_t mask = std::bit_ceil(count) - 1;
    const uint32_t number = static_cast<uint32_t>(hash) & mask;
    return number < count ? number : number & (mask >> 1);
  }
  static uint32_t Entry(uint64_t hash, uint32_t id) { return TagOf(hash) << kIdBits | id; }
  // A bound on steps along a chain that moves under a reader.
  uint32_t chain_max() const { return primary_max_ + overflow_max_; }

  // Writers' side of the version: odd while entries move.
  void BeginMove() { version_.store(version_.load(std::memory_order_relaxed) + 1, kStore); }
  void EndMove() { version_.store(version_.load(std::memory_order_relaxed) + 1, kStore); }

  // Puts an entry into the chain of a primary bucket; false where that needs an overflow bucket
  // and there is none.
  bool Place(uint32_t primary, uint32_t entry);
  uint32_t TakeOverflowBucket();  // 0 = none
  void FreeOverflowBucket(uint32_t number);
  template <typename HashOf>
  void Split(HashOf&& hash_of);
  // Bits of the entries of a bucket that belong to bucket `to` once there are to + 1.
  template <typename HashOf>
  static uint32_t Leaving(const Bucket& bucket, uint32_t to, HashOf&& hash_of);

  static constexpr std::memory_order kStore = std::memory_order_release;

  // What readers use, on a line of its own that only moves and splits write.
  alignas(64) std::atomic<uint32_t> version_{0};
  std::atomic<uint32_t> bucket_count_{1};
  const StripedArray<Bucket> buckets_;

  // Writers only.
  alignas(64) const uint32_t primary_max_;
  const uint32_t overflow_max_;
  MemoryMeter* const meter_;
  uint32_t size_ = 0;
  uint32_t overflow_touched_ = 0;
  uint32_t overflow_in_use_ = 0;
  uint32_t overflow_free_ = 0;  // list through `overflow`
};

inline uint32_t HashIndex::Matches(const Bucket* bucket, uint32_t tag) {
#if defined(TOKEND_INDEX_SSE2)
  // Four loads of 16 bytes. None is atomic as a whole, but on x86 each word of it is, and acquires;
  // the fence keeps the compiler from moving them down. Twice as fast as word by word.
  const __m128i* words = reinterpret_cast<const __m128i*>(bucket);
  const __m128i want = _mm_set1_epi32(static_cast<int>(tag));
  const auto compare = [&](int i) {
    return _mm_cmpeq_epi32(_mm_srli_epi32(_mm_load_si128(words + i), kIdBits), want);
  };
  const __m128i low = _mm_packs_epi32(compare(0), compare(1));
  const __m128i high = _mm_packs_epi32(compare(2), compare(3));
  const uint32_t bits = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
  std::atomic_thread_fence(std::memory_order_acquire);
  return bits & ((1u << kBucketEntries) - 1);  // the last word is no entry
#else
  uint32_t bits = 0;
  for (uint32_t i = 0; i < kBucketEntries; ++i) {
    const uint32_t entry = bucket->entries[i].load(std::memory_order_acquire);
    bits |= static_cast<uint32_t>(entry >> kIdBits == tag) << i;
  }
  return bits;
#endif
}

template <typename Equal>
uint32_t HashIndex::Find(uint64_t hash, Equal&& equal) const {
  const uint32_t tag = TagOf(hash);
  uint32_t steps_left = chain_max();
  for (const Bucket* bucket = BucketOf(hash); bucket != nullptr && steps_left > 0;
       bucket = Next(bucket), --steps_left) {
    for (uint32_t bits = Matches(bucket, tag); bits != 0; bits &= bits - 1) {
      const uint32_t id = IdAt(bucket, static_cast<uint32_t>(std::countr_zero(bits)));
      if (id != 0 && equal(id)) return id;
    }
    TOKEND_RACE_POINT(kBetweenBuckets);
  }
  return 0;
}

template <typename HashOf>
bool HashIndex::Insert(uint64_t hash, uint32_t id, HashOf&& hash_of) {
  if (!Place(BucketNumber(hash, bucket_count()), Entry(hash, id))) return false;
  ++size_;
  if (size_ / kLoad >= bucket_count() && bucket_count() < primary_max_) Split(hash_of);
  return true;
}

template <typename HashOf>
bool HashIndex::Reserve(uint32_t ids, uint32_t splits_max, HashOf&& hash_of) {
  const uint32_t wanted = std::min(ids / kLoad + 1, primary_max_);
  for (; bucket_count() < wanted && splits_max > 0; --splits_max) Split(hash_of);
  return bucket_count() >= wanted;
}

template <typename HashOf>
uint32_t HashIndex::Leaving(const Bucket& bucket, uint32_t to, HashOf&& hash_of) {
  if constexpr (requires { hash_of.Prefetch(uint32_t{}); }) {
    for (const auto& entry : bucket.entries) {
      const uint32_t id = entry.load(std::memory_order_relaxed) & kIdMax;
      if (id != 0) hash_of.Prefetch(id);
    }
  }
  uint32_t bits = 0;
  for (uint32_t i = 0; i < kBucketEntries; ++i) {
    const uint32_t id = bucket.entries[i].load(std::memory_order_relaxed) & kIdMax;
    if (id != 0 && BucketNumber(hash_of(id), to + 1) == to) bits |= 1u << i;
  }
  return bits;
}

template <typename HashOf>
void HashIndex::Split(HashOf&& hash_of) {
  const uint32_t to = bucket_count();
  const uint32_t from = to & ~std::bit_floor(to);
  meter_->Add(sizeof(Bucket));
  new (&buckets_[to]) Bucket();

  // Hashing ids means fetching their keys, each a cache miss: done while readers are undisturbed.
  std::array<uint32_t, kJudgedBuckets> judged;
  uint32_t position = 0;
  for (const Bucket* b = &buckets_[from]; b != nullptr && position < kJudgedBuckets; b = Next(b)) {
    judged[position++] = Leaving(*b, to, hash_of);
  }

  BeginMove();
  bucket_count_.store(to + 1, kStore);
  // The chain is taken apart bucket by bucket, each freed before its entries are placed again. So
  // after k overflow buckets at most 15 (k + 1) entries lie in two chains, which need k or fewer:
  // placing them cannot fail.
  position = 0;
  for (uint32_t number = from; true;) {
    Bucket& bucket = buckets_[number];
    const uint32_t leaving =
        position < kJudgedBuckets ? judged[position] : Leaving(bucket, to, hash_of);
    ++position;
    const uint32_t next = bucket.overflow.load(std::memory_order_relaxed);
    std::array<uint32_t, kBucketEntries> entries;
    for (uint32_t i = 0; i < kBucketEntries; ++i) {
      entries[i] = bucket.entries[i].load(std::memory_order_relaxed);
      if (number != from || (leaving >> i & 1)) bucket.entries[i].store(0, kStore);
    }
    if (number == from) {
      bucket.overflow.store(0, kStore);
    } else {
      FreeOverflowBucket(number);
    }
    for (uint32_t i = 0; i < kBucketEntries; ++i) {
      const bool leaves = leaving >> i & 1;
      if (entries[i] == 0 || (number == from && !leaves)) continue;
      Place(leaves ? to : from, entries[i]);
    }
    TOKEND_CRASH_POINT("growth.splitting");
    if (next == 0) break;
    number = next;
  }
  EndMove();
}

template <typename HashOf, typename See>
void HashIndex::CheckInvariants(HashOf&& hash_of, See&& see) const {
  auto require = [](bool holds, const char* what) {
    if (!holds) throw std::logic_error(std::string("hash index: ") + what);
  };
  require(version() % 2 == 0, "version odd at rest");
  uint32_t entries = 0, overflow = 0;
  for (uint32_t primary = 0; primary < bucket_count(); ++primary) {
    for (const Bucket* b = &buckets_[primary]; b != nullptr; b = Next(b)) {
      uint32_t used = 0;
      for (const auto& word : b->entries) {
        const uint32_t entry = word.load(std::memory_order_relaxed);
        if (entry == 0) continue;
        ++used;
        const uint32_t id = entry & kIdMax;
        const uint64_t hash = hash_of(id);
        require(entry == Entry(hash, id), "tag differs from hash");
        require(BucketNumber(hash, bucket_count()) == primary, "id in a wrong bucket");
        see(id);
      }
      if (b != &buckets_[primary]) {
        require(++overflow <= overflow_in_use_, "more overflow buckets in chains than in use");
        require(used != 0, "empty overflow bucket in a chain");
      }
      require(Next(b) == nullptr || used == kBucketEntries, "hole before the end of a chain");
      entries += used;
    }
  }
  require(entries == size_, "entries differ from size");
  require(overflow == overflow_in_use_, "overflow bucket lost");
  uint32_t free = 0;
  for (uint32_t number = overflow_free_; number != 0;
       number = buckets_[number].overflow.load(std::memory_order_relaxed)) {
    require(++free <= overflow_touched_, "free list runs in a circle");
    for (const auto& word : buckets_[number].entries) {
      require(word.load(std::memory_order_relaxed) == 0, "free overflow bucket not empty");
    }
  }
  require(overflow + free == overflow_touched_, "overflow buckets do not add up");
}

}  // namespace tokend
