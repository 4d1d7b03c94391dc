#include "storage/token_table.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#include <cmath>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "protocol/msgpack.h"
#include "storage/by_shard.h"
#include "storage/epoch.h"
#include "storage/hash_index.h"
#include "storage/interner.h"
#include "storage/mapped_memory.h"
#include "storage/race_point.h"
#include "storage/seeded_hash.h"
#include "storage/slot.h"
#include "storage/token_shard.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tokend {
namespace {

constexpr std::string_view kNil = "\xc0";

// Look-ups whose cache misses overlap. More would not fit the line-fill buffers' queue any better,
// and their state would leave the first-level cache.
constexpr size_t kChunk = 64;
// An optimistic look-up is disturbed by a split or a write to the very token, well below a
// microsecond each; so often in a row, a writer has been put to sleep in the middle of one.
constexpr int kOptimisticTries = 16;
// Tokens handled while a shard is held: some ten microseconds.
constexpr size_t kReclaimStep = 64;
constexpr size_t kStrHeaderMax = 5;  // of an encoded MessagePack str
constexpr const char* kWhat = "tokens (lower tokens_max)";

void Pause() {
#if defined(__SSE2__)
  _mm_pause();
#endif
}

uint32_t ShardBits(size_t shards) {
  if (!std::has_single_bit(shards) || shards > size_t{1} << Interner::kShardBitsMax) {
    throw std::invalid_argument("shards must be a power of two, 1 to 1024");
  }
  return static_cast<uint32_t>(std::countr_zero(shards));
}

// Tokens fall on shards by chance: with room for six standard deviations above the mean, no shard
// is full before the table.
uint64_t SpreadOverMean(uint64_t mean, size_t shards) {
  if (shards == 1) return 0;
  return static_cast<uint64_t>(6 * std::sqrt(static_cast<double>(mean))) + 16;
}

uint32_t SlotsPerShard(uint64_t tokens_max, size_t shards) {
  const uint64_t mean = (tokens_max + shards - 1) / shards;
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(mean + SpreadOverMean(mean, shards), 1, HashIndex::kIdMax));
}

// What is sure to fit: tokens_max, unless shards cannot be so large.
uint64_t TokensFit(uint64_t tokens_max, size_t shards) {
  const uint64_t slots = SlotsPerShard(tokens_max, shards);
  if (slots < HashIndex::kIdMax) return tokens_max;
  return std::min(tokens_max, shards * (slots - SpreadOverMean(slots, shards)));
}

// Where in the scope sets those lie that were added last, by where their bytes lie.
using RecentScopes = std::array<uint32_t, 64>;

// Gives its place. A caller that knows few sets gives the same bytes again and again: then there is
// one name, with a reference for each.
uint32_t AddScopes(std::string_view encoded, RecentScopes* recent,
                   std::vector<Interner::Name>* scope_sets) {
  const auto address = reinterpret_cast<uintptr_t>(encoded.data());
  uint32_t& place = (*recent)[address * uint64_t{0x9E3779B97F4A7C15} >> 58];
  if (place < scope_sets->size()) {
    Interner::Name& name = (*scope_sets)[place];
    if (name.bytes.data() == encoded.data() && name.bytes.size() == encoded.size()) {
      ++name.references;
      return place;
    }
  }
  place = static_cast<uint32_t>(scope_sets->size());
  scope_sets->push_back({0, encoded});
  return place;
}

}  // namespace

struct TokenTable::Impl {
  explicit Impl(const TokenTableOptions& options);
  ~Impl() { parts.populator.Stop(); }

  TokenShard& ShardFor(uint64_t hash) { return *shards[ShardOf(hash, shard_bits)]; }
  uint64_t Hash(NamespaceId ns, const TokenKey& key) const {
    return HashKey(key.bytes.data(), ns, parts.seed);
  }
  void FindChunk(EpochDomain::Record* record, Lookup* lookups, size_t count, uint64_t now_ms);
  // The careful way: any chain, any number of tags that match, writers at work.
  Slot* FindOne(EpochDomain::Record* record, uint32_t shard_number, uint64_t hash,
                const KeyWords& key, NamespaceId ns, Slot::Content* content);
  StripedArray<Slot> SlotsOf(uint32_t shard_number) const {
    return {slots.as<Slot>(), shard_bits, shard_number};
  }

  const uint32_t shard_bits;
  const uint64_t reclaim_grace_ms;
  const uint32_t slots_max;  // a shard's; its slot 0 is not used
  const uint32_t primary_max;
  const uint64_t tokens_fit;  // all shards'
  TableParts parts;
  MappedMemory slots;
  MappedMemory links;
  MappedMemory buckets;
  std::vector<std::unique_ptr<TokenShard>> shards;
  std::atomic<bool> usage_tracking{true};
  // Odd while misses are unavailable; a count, so that a look-up also notices a whole round of it,
  // or of dropping tokens and putting them back.
  std::atomic<uint64_t> availability{0};
  std::atomic<size_t> reclaim_next_shard{0};
};

TokenTable::Impl::Impl(const TokenTableOptions& options)
    : shard_bits(ShardBits(options.shards)),
      reclaim_grace_ms(options.reclaim_grace_ms),
      slots_max(SlotsPerShard(options.tokens_max, options.shards)),
      primary_max(HashIndex::PrimaryBucketsFor(slots_max)),
      tokens_fit(TokensFit(options.tokens_max, options.shards)),
      parts(options.memory_bytes_max, options.hash_seed, shard_bits),
      slots(StripedArray<Slot>::SharedSize(slots_max + 1, shard_bits) * sizeof(Slot), kWhat),
      links(StripedArray<TtlWheel::Link>::SharedSize(slots_max + 1, shard_bits) *
                sizeof(TtlWheel::Link),
            kWhat),
      buckets(StripedArray<HashIndex::Bucket>::SharedSize(2 * primary_max, shard_bits) *
                  sizeof(HashIndex::Bucket),
              kWhat) {
  Populator& populator = parts.populator;
  TokenShard::Memory memory;
  memory.slots_max = slots_max;
  memory.primary_max = primary_max;
  memory.shard_bits = shard_bits;
  memory.slots_area = populator.AddArea(&slots, 0, slots.bytes());
  memory.links_area = populator.AddArea(&links, 0, links.bytes());
  memory.primary_area = populator.AddArea(&buckets, 0, buckets.bytes() / 2);
  memory.overflow_area = populator.AddArea(&buckets, buckets.bytes() / 2, buckets.bytes());
  shards.reserve(options.shards);
  for (uint32_t i = 0; i < options.shards; ++i) {
    memory.slots = SlotsOf(i);
    memory.links = {links.as<TtlWheel::Link>(), shard_bits, i};
    memory.buckets = {buckets.as<HashIndex::Bucket>(), shard_bits, i};
    shards.push_back(std::make_unique<TokenShard>(memory, &parts));
  }
}

TokenTable::TokenTable(const TokenTableOptions& options) : impl_(std::make_unique<Impl>(options)) {}
TokenTable::~TokenTable() = default;

// --- Reader ---

TokenTable::Reader::Reader(TokenTable* table)
    : table_(table), record_(table->impl_->parts.epochs.Register()) {
  GoOnline();
}

TokenTable::Reader::~Reader() {
  table_->impl_->parts.epochs.Unregister(static_cast<EpochDomain::Record*>(record_));
}

void TokenTable::Reader::Quiesce() {
  table_->impl_->parts.epochs.Quiesce(static_cast<EpochDomain::Record*>(record_));
}

void TokenTable::Reader::GoOffline() {
  table_->impl_->parts.epochs.GoOffline(static_cast<EpochDomain::Record*>(record_));
}

void TokenTable::Reader::GoOnline() {
  table_->impl_->parts.epochs.GoOnline(static_cast<EpochDomain::Record*>(record_));
}

// --- look-ups ---

void TokenTable::FindBatch(Reader* reader, std::span<Lookup> lookups, uint64_t now_ms) {
  auto* record = static_cast<EpochDomain::Record*>(reader->record_);
  assert(EpochDomain::IsOnline(record));
  while (!lookups.empty()) {
    const size_t count = std::min(lookups.size(), kChunk);
    impl_->FindChunk(record, lookups.data(), count, now_ms);
    lookups = lookups.subspan(count);
  }
}

// Four passes, each of which only touches what the one before has asked the cache for: buckets,
// slots, names. So the misses of a whole chunk overlap.
void TokenTable::Impl::FindChunk(EpochDomain::Record* record, Lookup* lookups, size_t count,
                                 uint64_t now_ms) {
  struct Probe {
    uint64_t hash;
    const HashIndex::Bucket* bucket;
    uint32_t shard;
    uint32_t version;
    Slot* slot;       // the first whose tag matches, then the one found, or null
    bool maybe_more;  // there may be other candidates
    Slot::Content content;
  };
  std::array<Probe, kChunk> probes;
  struct Overflowed {
    Probe* probe;
    const HashIndex::Bucket* next;
  };
  std::array<Overflowed, kChunk> overflowed;
  size_t overflowed_count = 0;

  // Asked before looking, since what was put back is seen by who sees that putting back is over;
  // and after a miss, since what goes is announced before it goes.
  const uint64_t availability_before = availability.load(std::memory_order_acquire);
  const auto misses_are_unavailable = [&] {
    return availability_before % 2 != 0 ||
           availability.load(std::memory_order_acquire) != availability_before ||
           now_ms < parts.reclaimed_expiry_max_ms.load(std::memory_order_acquire);
  };
  const bool unavailable_before = misses_are_unavailable();

  for (size_t i = 0; i < count; ++i) {
    Probe& probe = probes[i];
    probe.hash = Hash(lookups[i].namespace_id, lookups[i].key);
    probe.shard = ShardOf(probe.hash, shard_bits);
    const HashIndex& index = shards[probe.shard]->index();
    probe.version = index.version();
    probe.bucket = index.BucketOf(probe.hash);
    __builtin_prefetch(probe.bucket);
  }
  TOKEND_RACE_POINT(kBucketChosen);
  for (size_t i = 0; i < count; ++i) {
    Probe& probe = probes[i];
    const uint32_t bits = HashIndex::Matches(probe.bucket, HashIndex::TagOf(probe.hash));
    const HashIndex::Bucket* next = shards[probe.shard]->index().Next(probe.bucket);
    probe.slot = nullptr;
    probe.maybe_more = bits != 0 || next != nullptr;
    if (bits != 0) {
      const uint32_t entry = static_cast<uint32_t>(std::countr_zero(bits));
      probe.slot = &SlotsOf(probe.shard)[HashIndex::IdAt(probe.bucket, entry)];
      __builtin_prefetch(probe.slot, 1);
    } else if (next != nullptr) {
      __builtin_prefetch(next);
      overflowed[overflowed_count++] = {&probe, next};
    }
  }
  TOKEND_RACE_POINT(kOverflowChosen);
  // One in twenty is in the next bucket of its chain.
  for (size_t i = 0; i < overflowed_count; ++i) {
    const auto [probe, next] = overflowed[i];
    const uint32_t bits = HashIndex::Matches(next, HashIndex::TagOf(probe->hash));
    if (bits == 0) continue;
    const uint32_t entry = static_cast<uint32_t>(std::countr_zero(bits));
    probe->slot = &SlotsOf(probe->shard)[HashIndex::IdAt(next, entry)];
    __builtin_prefetch(probe->slot, 1);
  }
  TOKEND_RACE_POINT(kBucketRead);
  for (size_t i = 0; i < count; ++i) {
    Probe& probe = probes[i];
    const KeyWords key(lookups[i].key);
    const NamespaceId ns = lookups[i].namespace_id;
    const bool hit = probe.slot != nullptr && probe.slot->Is(key, ns) &&
                     probe.slot->TryRead(&probe.content) && probe.content.state.live();
    if (!hit) {
      probe.slot = nullptr;
      const bool miss = !probe.maybe_more && probe.version % 2 == 0 &&
                        shards[probe.shard]->index().version() == probe.version;
      if (!miss) probe.slot = FindOne(record, probe.shard, probe.hash, key, ns, &probe.content);
      if (probe.slot == nullptr) continue;
    }
    if (probe.content.owner != 0) parts.owners.Prefetch(probe.content.owner);
    if (probe.content.scopes != 0) parts.scope_sets.Prefetch(probe.content.scopes);
  }
  TOKEND_RACE_POINT(kSlotRead);
  const bool count_uses = usage_tracking.load(std::memory_order_relaxed);
  for (size_t i = 0; i < count; ++i) {
    Lookup& lookup = lookups[i];
    Slot* const slot = probes[i].slot;
    const Slot::Content& content = probes[i].content;
    if (slot == nullptr) {
      lookup.verdict = unavailable_before || misses_are_unavailable() ? Verdict::kUnavailable
                                                                      : Verdict::kUnknown;
    } else if (content.state.revoked() || content.state.denied() ||
               (content.owner != 0 && parts.owners.IsKilled(content.owner))) {
      lookup.verdict = Verdict::kRevoked;
    } else if (now_ms >= content.state.expires_at_ms()) {
      lookup.verdict = Verdict::kExpired;
    } else {
      lookup.verdict = Verdict::kValid;
      lookup.expires_at_ms = content.state.expires_at_ms();
      lookup.owner_encoded = content.owner == 0 ? kNil : parts.owners.BytesOf(content.owner);
      lookup.scopes_encoded =
          content.scopes == 0 ? kNoScopes : parts.scope_sets.BytesOf(content.scopes);
      if (count_uses) slot->CountUse(now_ms);
    }
  }
}

Slot* TokenTable::Impl::FindOne(EpochDomain::Record* record, uint32_t shard_number, uint64_t hash,
                                const KeyWords& key, NamespaceId ns, Slot::Content* content) {
  const auto count = [](std::atomic<uint64_t>* counter) {
    counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  TokenShard& shard = *shards[shard_number];
  const StripedArray<Slot> shard_slots = SlotsOf(shard_number);
  for (int i = 0; i < kOptimisticTries; ++i) {
    const uint32_t version = shard.index().version();
    const uint32_t id =
        shard.index().Find(hash, [&](uint32_t other) { return shard_slots[other].Is(key, ns); });
    TOKEND_RACE_POINT(kTokenFound);
    if (id == 0) {
      if (version % 2 == 0 && shard.index().version() == version) return nullptr;
    } else if (shard_slots[id].TryRead(content) && content->state.live()) {
      return &shard_slots[id];
    }
    count(&record->read_retries);
    Pause();
  }
  count(&record->read_locks);
  return shard.FindLocked(hash, key, ns, content);
}

void TokenTable::SetUsageTracking(bool on) {
  impl_->usage_tracking.store(on, std::memory_order_relaxed);
}

void TokenTable::SetMissesUnavailable(bool unavailable) {
  // Release: who sees that it is over sees what was put before.
  std::atomic<uint64_t>& availability = impl_->availability;
  uint64_t known = availability.load(std::memory_order_relaxed);
  while ((known % 2 != 0) != unavailable &&
         !availability.compare_exchange_weak(known, known + 1, std::memory_order_acq_rel)) {
  }
}

bool TokenTable::AreMissesUnavailable(uint64_t now_ms) const {
  return impl_->availability.load(std::memory_order_acquire) % 2 != 0 ||
         now_ms < reclaimed_expiry_max_ms();
}

// --- writers ---

PutResult TokenTable::Put(const TokenEntry& entry, PutMode mode,
                          const std::function<bool()>* denied_by_queue) {
  std::string owner_encoded;
  if (entry.owner) msgpack_io::Writer(&owner_encoded).Str(*entry.owner);
  TokenShard::PutRequest request{.hash = impl_->Hash(entry.namespace_id, entry.key),
                                 .key = KeyWords(entry.key),
                                 .entry = &entry,
                                 .owner_encoded = {},
                                 .mode = mode,
                                 .denied_by_queue = denied_by_queue};
  if (entry.owner) request.owner_encoded = owner_encoded;
  return impl_->ShardFor(request.hash).Put(request);
}

PutResult TokenTable::PutMany(std::span<const TokenEntry> entries,
                              const std::function<bool(size_t)>& denied_by_queue) {
  TableParts& parts = impl_->parts;
  std::vector<Interner::Name> owners, scope_sets;
  std::vector<uint32_t> scopes_of;  // of each entry that has some, in scope_sets
  RecentScopes recent{};
  std::string owners_encoded;
  size_t owners_bytes = 0;
  for (const TokenEntry& entry : entries) {
    if (entry.owner) owners_bytes += entry.owner->size() + kStrHeaderMax;
  }
  owners_encoded.reserve(owners_bytes);  // views point into it
  msgpack_io::Writer writer(&owners_encoded);
  for (const TokenEntry& entry : entries) {
    if (entry.owner) {
      const size_t start = owners_encoded.size();
      writer.Str(*entry.owner);
      owners.push_back({entry.namespace_id, std::string_view(owners_encoded).substr(start)});
    }
    if (entry.scopes_encoded != kNoScopes) {
      scopes_of.push_back(AddScopes(entry.scopes_encoded, &recent, &scope_sets));
    }
  }
  parts.owners.AcquireMany(owners);
  parts.scope_sets.AcquireMany(scope_sets);

  std::vector<TokenShard::Arrival> arrivals;
  arrivals.reserve(entries.size());
  bool all_fit = true;
  size_t next_owner = 0, next_scopes = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    const TokenEntry& entry = entries[i];
    const bool has_scopes = entry.scopes_encoded != kNoScopes;
    const uint32_t owner = entry.owner ? owners[next_owner++].id : 0;
    const uint32_t scopes = has_scopes ? scope_sets[scopes_of[next_scopes++]].id : 0;
    if ((entry.owner && owner == 0) || (has_scopes && scopes == 0)) {
      parts.ReleaseNames(owner, scopes);
      all_fit = false;
      continue;
    }
    arrivals.push_back({.number = i,
                        .hash = impl_->Hash(entry.namespace_id, entry.key),
                        .entry = &entry,
                        .owner = owner,
                        .scopes = scopes});
  }
  const ByShard by_shard(arrivals.size(), impl_->shard_bits,
                         [&](size_t i) { return arrivals[i].hash; });
  for (uint32_t shard = 0; shard < by_shard.shards(); ++shard) {
    const std::span<const uint32_t> mine = by_shard.Of(shard);
    if (mine.empty()) continue;
    if (!impl_->shards[shard]->PutMany(arrivals, mine, denied_by_queue)) all_fit = false;
  }
  for (const TokenShard::Arrival& arrival : arrivals) {
    if (!arrival.put) parts.ReleaseNames(arrival.owner, arrival.scopes);
  }
  return all_fit ? PutResult::kPut : PutResult::kMemoryLimit;
}

void TokenTable::Reserve(uint64_t tokens) {
  const auto share =
      static_cast<uint32_t>(std::min<uint64_t>(tokens >> impl_->shard_bits, HashIndex::kIdMax));
  for (const auto& shard : impl_->shards) {
    while (!shard->Reserve(share)) {
    }
  }
}

bool TokenTable::Deny(NamespaceId ns, const TokenKey& key) {
  const uint64_t hash = impl_->Hash(ns, key);
  return impl_->ShardFor(hash).ChangeFlags(hash, KeyWords(key), ns, SlotState::kDenied, 0);
}

bool TokenTable::LiftDenial(NamespaceId ns, const TokenKey& key) {
  const uint64_t hash = impl_->Hash(ns, key);
  return impl_->ShardFor(hash).ChangeFlags(hash, KeyWords(key), ns, 0, SlotState::kDenied);
}

bool TokenTable::MarkRevoked(NamespaceId ns, const TokenKey& key) {
  const uint64_t hash = impl_->Hash(ns, key);
  return impl_->ShardFor(hash).ChangeFlags(hash, KeyWords(key), ns, SlotState::kRevoked, 0);
}

bool TokenTable::HasRoomFor(const TableRoom& room) const {
  const TableParts& parts = impl_->parts;
  // A shard's index grows by a bucket at a time, sooner than its tokens have paid for it.
  const uint64_t growth_bytes =
      std::min<uint64_t>(room.tokens, impl_->shards.size()) * sizeof(HashIndex::Bucket);
  return parts.meter.HasRoomFor(room.tokens * TokenShard::kTokenBytes + growth_bytes +
                                room.name_bytes) &&
         parts.slots_in_use.load(std::memory_order_relaxed) + room.tokens <= impl_->tokens_fit;
}

void TokenTable::DenyOwner(NamespaceId ns, std::string_view owner) {
  std::string encoded;
  msgpack_io::Writer(&encoded).Str(owner);
  impl_->parts.owners.Kill(ns, encoded);
}

bool TokenTable::Erase(NamespaceId ns, const TokenKey& key) {
  const uint64_t hash = impl_->Hash(ns, key);
  return impl_->ShardFor(hash).Erase(hash, KeyWords(key), ns);
}

std::optional<TokenTable::Peeked> TokenTable::Peek(NamespaceId ns, const TokenKey& key) const {
  const uint64_t hash = impl_->Hash(ns, key);
  return impl_->ShardFor(hash).Peek(hash, KeyWords(key), ns);
}

void TokenTable::PrefetchPeek(NamespaceId ns, const TokenKey& key) const {
  const uint64_t hash = impl_->Hash(ns, key);
  __builtin_prefetch(impl_->ShardFor(hash).index().BucketOf(hash));
}

size_t TokenTable::Reclaim(uint64_t now_ms, size_t budget, std::vector<UsageEntry>* unsaved,
                           std::vector<TokenName>* dropped) {
  Impl& table = *impl_;
  const size_t first = table.reclaim_next_shard.load(std::memory_order_relaxed);
  size_t left = budget;
  for (size_t i = 0; i < table.shards.size(); ++i) {
    const size_t number = (first + i) % table.shards.size();
    TokenShard& shard = *table.shards[number];
    bool done = now_ms < table.reclaim_grace_ms;
    while (!done) {
      const TtlWheel::Progress progress = shard.Reclaim(
          now_ms - table.reclaim_grace_ms, std::min(kReclaimStep, left), unsaved, dropped);
      left -= progress.due + progress.moved;
      done = progress.done || left == 0;
    }
    shard.FreeRetired();
    if (left == 0 && budget != 0) {
      // The next call goes on here, so that no shard waits for ever.
      table.reclaim_next_shard.store(number, std::memory_order_relaxed);
      break;
    }
  }
  table.parts.owners.Reclaim(budget);
  table.parts.scope_sets.Reclaim(budget);
  return budget - left;
}

void TokenTable::NoteDropped(uint64_t expires_at_ms) {
  impl_->parts.RaiseReclaimedExpiryMax(expires_at_ms);
}

uint64_t TokenTable::reclaimed_expiry_max_ms() const {
  return impl_->parts.reclaimed_expiry_max_ms.load(std::memory_order_acquire);
}

void TokenTable::ForgetReclaimedAfter(uint64_t now_ms) {
  auto& latest = impl_->parts.reclaimed_expiry_max_ms;
  uint64_t known = latest.load(std::memory_order_relaxed);
  while (known > now_ms &&
         !latest.compare_exchange_weak(known, now_ms, std::memory_order_acq_rel)) {
  }
  // For a look-up that began before the tokens were dropped and sees neither rise nor fall.
  impl_->availability.fetch_add(2, std::memory_order_acq_rel);
}

void TokenTable::CountTokens(size_t shard, uint64_t* cursor, uint64_t now_ms,
                             std::vector<TokenCounts>* by_namespace) const {
  impl_->shards[shard]->CountTokens(cursor, now_ms, by_namespace);
}

void TokenTable::ListUsed(size_t shard, uint64_t* cursor, size_t limit,
                          std::vector<TokenName>* out) const {
  impl_->shards[shard]->ListUsed(cursor, limit, out);
}

std::optional<TokenTable::UsageEntry> TokenTable::TakeUsage(const TokenName& token) {
  const uint64_t hash = impl_->Hash(token.ns, token.key);
  return impl_->ShardFor(hash).TakeUsage(hash, KeyWords(token.key), token.ns);
}

size_t TokenTable::shard_count() const { return impl_->shards.size(); }

TokenTableStats TokenTable::stats() const {
  const Impl& table = *impl_;
  TokenTableStats stats;
  for (const auto& shard : table.shards) {
    const TokenShard::Stats part = shard->stats();
    stats.tokens += part.tokens;
    stats.tokens_retired += part.retired;
    stats.slot_bytes += part.slots_touched * sizeof(Slot);
    stats.wheel_bytes += part.slots_touched * sizeof(TtlWheel::Link);
    stats.index_bytes += part.index_bytes;
  }
  stats.owners = table.parts.owners.entries();
  stats.scope_sets = table.parts.scope_sets.entries();
  stats.owner_bytes = table.parts.owners.touched_bytes() + table.parts.scope_sets.touched_bytes();
  stats.reclaimed_total = table.parts.reclaimed_total.load(std::memory_order_relaxed);
  stats.read_retries_total = table.parts.epochs.read_retries_total();
  stats.read_locks_total = table.parts.epochs.read_locks_total();
  return stats;
}

void TokenTable::CheckInvariants() const {
  TokenShard::References references;
  for (const auto& shard : impl_->shards) shard->CheckInvariants(&references);
  const auto count_in = [](const std::unordered_map<uint32_t, uint32_t>& map) {
    return [&map](uint32_t id) {
      const auto found = map.find(id);
      return found == map.end() ? 0 : found->second;
    };
  };
  impl_->parts.owners.CheckInvariants(count_in(references.owners));
  impl_->parts.scope_sets.CheckInvariants(count_in(references.scope_sets));
  const TokenTableStats now = stats();
  const uint64_t in_use = impl_->parts.slots_in_use.load(std::memory_order_relaxed);
  if (in_use != now.tokens + now.tokens_retired) {
    throw std::logic_error("token table: slots in use do not add up");
  }
  if (in_use * (sizeof(Slot) + sizeof(TtlWheel::Link)) + now.index_bytes + now.owner_bytes !=
      impl_->parts.meter.bytes()) {
    throw std::logic_error("token table: memory accounted does not add up");
  }
}

}  // namespace tokend
