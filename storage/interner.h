// Interner: byte strings that many tokens share, each kept once and counted: owners' names and
// scope sets, both encoded as they go to the wire, so that a reader only hands out a view.
//
// An entry is a run of 16-byte granules of one array, known by the number of its first granule:
//
//    0      4      8
//   | refs | word | bytes ...
//
//   refs   tokens that point here; once none does, the next entry of a list. Writers only
//   word   bits 0..13 length, bit 14 free, bit 15 killed, bits 16..31 namespace
//   bytes  never change from publication until the granules are used again, after every reader has
//          passed
//
// Entries are found by (namespace, bytes) through a HashIndex in each of several shards, so that
// writers of different entries seldom meet. Granules are given out by size class and go back to
// their class: memory is as large as the sum of the classes' peaks. Classes above 16 granules are a
// quarter of a power of two apart, which wastes a fifth at most.
//
// Killing an entry is an owner's cut-off: one mark that readers see on every token that points to
// it. A killed entry is no longer found, so the same bytes get a fresh entry from then on.
//
// Threads: readers run beside writers; a reader has an id from a slot that it read while online.
// Writers are any threads. Lock order: a caller may hold a shard of tokens; this takes its own
// shard's mutex and nothing under it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "storage/epoch.h"
#include "storage/hash_index.h"
#include "storage/limbo.h"
#include "storage/mapped_memory.h"
#include "storage/memory_meter.h"
#include "storage/mutex.h"
#include "storage/populator.h"
#include "storage/striped_array.h"

namespace tokend {

class Interner {
 public:
  static constexpr size_t kBytesMax = (1u << 14) - 1;
  static constexpr size_t kShardBitsMax = 10;

  struct Options {
    const char* what = "";    // for the message where no address space is left
    uint32_t shard_bits = 0;  // 2^shard_bits shards of 64 MiB of entries each
    uint64_t seed = 0;
  };

  // Throws std::runtime_error where the address space cannot be reserved. All outlive this;
  // `populator` is stopped before this goes.
  Interner(const Options& options, EpochDomain* epochs, MemoryMeter* meter, Populator* populator);
  ~Interner();
  Interner(const Interner&) = delete;
  Interner& operator=(const Interner&) = delete;

  // --- readers ---

  // Of an entry that is referred to, or was when the reader was last quiescent.
  std::string_view BytesOf(uint32_t id) const {
    const Entry* entry = At(id);
    return {entry->bytes(), entry->word.load(std::memory_order_acquire) & kLengthMask};
  }
  bool IsKilled(uint32_t id) const {
    return At(id)->word.load(std::memory_order_acquire) & kKilled;
  }
  // One of usual length that straddles two lines wants both.
  void Prefetch(uint32_t id) const {
    const char* entry = reinterpret_cast<const char*>(At(id));
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + 2 * kGranuleBytes - 1);
  }

  // --- writers ---

  // One more reference to the entry of these bytes, which is made if there is none. 0 where the
  // shard is full or the bytes are more than kBytesMax.
  uint32_t Acquire(uint16_t namespace_id, std::string_view bytes);
  struct Name {
    uint16_t namespace_id = 0;
    std::string_view bytes;
    uint32_t references = 1;
    uint32_t id = 0;  // out
  };
  // The same for each of many, and as many references to it, in a fraction of the time.
  void AcquireMany(std::span<Name> names);
  void Release(uint32_t id);
  // False if there is no such entry.
  bool Kill(uint16_t namespace_id, std::string_view bytes);
  // Frees at most `budget` entries that every reader has passed.
  size_t Reclaim(size_t budget);

  uint64_t entries() const;  // referred to
  uint64_t touched_bytes() const;

  // Throws std::logic_error naming the first broken invariant. refs_of(id) is how many references
  // there ought to be.
  void CheckInvariants(const std::function<uint32_t(uint32_t)>& refs_of) const;

 private:
  static constexpr uint32_t kGranuleBytes = 16;
  // Shards lie striped in the shared memory, as a StripedArray does, in runs of 32 KiB; no entry
  // goes over the end of one.
  static constexpr uint32_t kRunBits = 11;
  static constexpr uint32_t kRun = 1u << kRunBits;
  static constexpr uint32_t kLengthMask = kBytesMax;
  static constexpr uint32_t kFree = 1u << 14;
  static constexpr uint32_t kKilled = 1u << 15;
  static constexpr uint32_t kExactClasses = 16;
  static constexpr uint32_t kSizeClasses = kExactClasses + 4 * 7;  // up to 2,048 granules

  struct Entry {
    uint32_t refs = 0;
    std::atomic<uint32_t> word{0};

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    uint16_t namespace_id() const { return static_cast<uint16_t>(Word() >> 16); }
    std::string_view view() const { return {bytes(), Word() & kLengthMask}; }
    uint32_t Word() const { return word.load(std::memory_order_relaxed); }
  };
  static_assert(sizeof(Entry) == 8);

  struct SizeClass {
    uint32_t index;
    uint32_t granules;
  };
  static SizeClass SizeClassOf(size_t length);

  // Numbers inside a shard are of granules there; 0 is none.
  struct alignas(64) Shard {
    Shard(uint32_t number, StripedArray<HashIndex::Bucket> buckets, MemoryMeter* meter);

    const uint32_t first_id;
    Mutex mutex;
    HashIndex index TOKEND_GUARDED_BY(mutex);
    std::array<uint32_t, kSizeClasses> free TOKEND_GUARDED_BY(mutex){};
    Limbo limbo TOKEND_GUARDED_BY(mutex);
    uint32_t passed TOKEND_GUARDED_BY(mutex) = 0;  // list: may be freed, a few at a time
    uint32_t fresh TOKEND_GUARDED_BY(mutex) = 1;   // never used from here on
    // Written under the mutex, read without.
    std::atomic<uint64_t> entries{0};
    std::atomic<uint64_t> touched_bytes{0};
    std::atomic<bool> has_retired{false};
  };

  Entry* At(uint32_t id) const {
    const uint32_t shard = id >> HashIndex::kIdBits, number = id & HashIndex::kIdMax;
    const size_t granule = (size_t{number >> kRunBits} << (kRunBits + shard_bits_)) +
                           (size_t{shard} << kRunBits) + (number & (kRun - 1));
    return reinterpret_cast<Entry*>(granules_.as<char>() + granule * kGranuleBytes);
  }
  uint64_t HashOf(uint32_t id) const;
  Shard& ShardOfId(uint32_t id) { return *shards_[id >> HashIndex::kIdBits]; }
  uint32_t AcquireFrom(Shard* shard, uint64_t hash, uint16_t namespace_id, std::string_view bytes)
      TOKEND_REQUIRES(shard->mutex);
  uint32_t Find(const Shard& shard, uint64_t hash, uint16_t namespace_id,
                std::string_view bytes) const TOKEND_REQUIRES(shard.mutex);
  uint32_t Allocate(Shard* shard, size_t length) TOKEND_REQUIRES(shard->mutex);
  void Free(Shard* shard, uint32_t number) TOKEND_REQUIRES(shard->mutex);
  void NoteGrowth(Shard* shard) TOKEND_REQUIRES(shard->mutex);
  // Makes free entries of the granules up to the next run.
  void FillRun(Shard* shard) TOKEND_REQUIRES(shard->mutex);
  void CheckShard(Shard* shard, const std::function<uint32_t(uint32_t)>& refs_of) const;

  const uint32_t shard_bits_;
  const uint64_t seed_;
  EpochDomain* const epochs_;
  MemoryMeter* const meter_;
  Populator* const populator_;
  MappedMemory granules_;
  MappedMemory buckets_;
  const Populator::Area granules_area_;
  const Populator::Area buckets_area_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace tokend
