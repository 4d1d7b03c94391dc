// TokenShard: one part of the TokenTable, with its own slots, index, wheel and mutex.
//
// Writers hold the mutex. Readers use index() and slots() without it, as hash_index.h and slot.h
// say. A slot goes round:
//
//   fresh --> live --> retired (limbo: a reader may hold it) --> free --> live ...
//
// Its wheel link is threaded through the wheel's lists while it is live and expires, and through
// limbo and the free list after; slot number 0 is never used.
//
// Lock order: a shard's mutex, then an interner's, or what `denied_by_queue` takes. Never two
// shards.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/epoch.h"
#include "storage/hash_index.h"
#include "storage/interner.h"
#include "storage/limbo.h"
#include "storage/memory_meter.h"
#include "storage/mutex.h"
#include "storage/populator.h"
#include "storage/slot.h"
#include "storage/striped_array.h"
#include "storage/token_table.h"
#include "storage/ttl_wheel.h"

namespace tokend {

// What the shards of a table share.
struct TableParts {
  TableParts(uint64_t bytes_max, uint64_t hash_seed, uint32_t shard_bits);

  const uint64_t seed;
  MemoryMeter meter;
  EpochDomain epochs;
  Populator populator;  // stopped before any mapping goes
  Interner owners;
  Interner scope_sets;
  std::atomic<uint64_t> reclaimed_expiry_max_ms{0};
  std::atomic<uint64_t> reclaimed_total{0};
  // Slots that a token or a reader has.
  std::atomic<uint64_t> slots_in_use{0};

  void RaiseReclaimedExpiryMax(uint64_t expires_at_ms);
  void ReleaseNames(uint32_t owner, uint32_t scopes);  // 0 = none
};

class TokenShard {
 public:
  // Where a shard's arrays lie; they read as zero at first.
  struct Memory {
    StripedArray<Slot> slots;  // [slots_max + 1]
    StripedArray<TtlWheel::Link> links;
    StripedArray<HashIndex::Bucket> buckets;  // [2 * primary_max]
    uint32_t slots_max = 0;
    uint32_t primary_max = 0;
    uint32_t shard_bits = 0;
    Populator::Area slots_area, links_area, primary_area, overflow_area;
  };
  // A TokenEntry with what was worked out before the lock is taken.
  struct PutRequest {
    uint64_t hash = 0;
    KeyWords key;
    const TokenEntry* entry = nullptr;
    std::optional<std::string_view> owner_encoded;
    PutMode mode = PutMode::kReset;
    const std::function<bool()>* denied_by_queue = nullptr;

    bool IsDeniedByQueue() const { return denied_by_queue != nullptr && (*denied_by_queue)(); }
  };
  // One of many entries that are put together, with what was worked out before.
  struct Arrival {
    size_t number = 0;  // as its caller knows it
    uint64_t hash = 0;
    const TokenEntry* entry = nullptr;
    uint32_t owner = 0;  // references to its names; the slot's once it is put
    uint32_t scopes = 0;
    bool put = false;
  };
  // What a token takes, its names apart: slot, link and its part of a bucket.
  static constexpr uint64_t kTokenBytes =
      sizeof(Slot) + sizeof(TtlWheel::Link) + sizeof(HashIndex::Bucket) / 8;

  struct Stats {
    uint64_t tokens = 0;
    uint64_t retired = 0;
    uint64_t slots_touched = 0;
    uint64_t index_bytes = 0;
  };
  // References that slots hold, by id.
  struct References {
    std::unordered_map<uint32_t, uint32_t> owners, scope_sets;
  };

  TokenShard(const Memory& memory, TableParts* parts);
  TokenShard(const TokenShard&) = delete;
  TokenShard& operator=(const TokenShard&) = delete;

  // --- readers ---

  const HashIndex& index() const TOKEND_NO_ANALYSIS { return index_; }  // reads beside writers
  // Waits for writers. Null if the token is not here.
  Slot* FindLocked(uint64_t hash, const KeyWords& key, NamespaceId ns, Slot::Content* content);

  // --- writers ---

  PutResult Put(const PutRequest& request);
  // Puts those of `mine` (numbers into `all`) that are not here, as kIfAbsent does. False where one
  // did not fit; those after it may have.
  bool PutMany(std::span<Arrival> all, std::span<const uint32_t> mine,
               const std::function<bool(size_t)>& denied_by_queue);
  // Makes room in the index for so many tokens more, a bounded part of it; whether that was all.
  bool Reserve(uint32_t tokens);
  // Sets and clears flags of SlotState; false if the token is not here.
  bool ChangeFlags(uint64_t hash, const KeyWords& key, NamespaceId ns, uint64_t set,
                   uint64_t clear);
  bool Erase(uint64_t hash, const KeyWords& key, NamespaceId ns);
  std::optional<TokenTable::Peeked> Peek(uint64_t hash, const KeyWords& key, NamespaceId ns);
  // Drops what expired at due_ms or before, handling at most `budget` tokens. Usage that was not
  // taken yet is appended to *unsaved, and what was dropped to *dropped, unless those are null.
  TtlWheel::Progress Reclaim(uint64_t due_ms, size_t budget,
                             std::vector<TokenTable::UsageEntry>* unsaved,
                             std::vector<TokenName>* dropped);
  // Frees what every reader has passed.
  void FreeRetired();
  // Looks at a bounded number of slots.
  void CountTokens(uint64_t* cursor, uint64_t now_ms, std::vector<TokenCounts>* by_namespace);
  // The same.
  void ListUsed(uint64_t* cursor, size_t limit, std::vector<TokenName>* out);
  std::optional<TokenTable::UsageEntry> TakeUsage(uint64_t hash, const KeyWords& key,
                                                  NamespaceId ns);

  Stats stats() const;
  // Throws std::logic_error naming the first broken invariant; adds to *references.
  void CheckInvariants(References* references);

 private:
  uint32_t Find(uint64_t hash, const KeyWords& key, NamespaceId ns) const TOKEND_REQUIRES(mutex_);
  PutResult PutNew(const PutRequest& request) TOKEND_REQUIRES(mutex_);
  PutResult PutOver(uint32_t id, const PutRequest& request) TOKEND_REQUIRES(mutex_);
  // Makes a slot, which nobody can find yet, a live token. False, and it is as it was, where the
  // index is full.
  bool Publish(uint32_t id, uint64_t hash, const KeyWords& key, NamespaceId ns,
               const Slot::Content& content) TOKEND_REQUIRES(mutex_);
  // The id of what a token is to point to, with a reference; nullopt where there is no room.
  std::optional<uint32_t> AcquireOwner(const PutRequest& request);
  std::optional<uint32_t> AcquireScopes(const PutRequest& request);
  // Takes a live slot, out of the wheel already, out of everything else.
  void Drop(uint32_t id, uint64_t hash) TOKEND_REQUIRES(mutex_);
  // 0 = none. The caller counts what it got.
  uint32_t AllocateSlot() TOKEND_REQUIRES(mutex_);
  void CountSlots(uint32_t allocated) TOKEND_REQUIRES(mutex_);
  void FreeSlots(const Limbo::Chain& chain) TOKEND_REQUIRES(mutex_);
  void FreePassed() TOKEND_REQUIRES(mutex_);
  TokenTable::UsageEntry TakeUsageOf(uint32_t id) TOKEND_REQUIRES(mutex_);
  uint64_t HashOf(uint32_t id) const;
  struct Hasher {
    const TokenShard* shard;
    uint64_t operator()(uint32_t id) const { return shard->HashOf(id); }
    void Prefetch(uint32_t id) const { __builtin_prefetch(&shard->slots_[id]); }
  };
  void NoteGrowth() TOKEND_REQUIRES(mutex_);
  void PublishStats() TOKEND_REQUIRES(mutex_);

  const Memory memory_;
  const StripedArray<Slot> slots_;
  const StripedArray<TtlWheel::Link> links_;
  TableParts* const parts_;

  HashIndex index_ TOKEND_GUARDED_BY(mutex_);  // readers beside writers, see index()
  Mutex mutex_;
  TtlWheel wheel_ TOKEND_GUARDED_BY(mutex_);
  Limbo limbo_ TOKEND_GUARDED_BY(mutex_);
  uint32_t free_ TOKEND_GUARDED_BY(mutex_) = 0;   // list through link.next
  uint32_t fresh_ TOKEND_GUARDED_BY(mutex_) = 1;  // never used from here on

  // Written under the mutex, read without.
  std::atomic<uint64_t> tokens_stat_{0};
  std::atomic<uint64_t> retired_stat_{0};
  std::atomic<uint64_t> slots_touched_stat_{0};
  std::atomic<uint64_t> index_bytes_stat_{0};
};

}  // namespace tokend
