#include "storage/token_shard.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <stdexcept>
#include <string>

#include "storage/race_point.h"
#include "storage/seeded_hash.h"

namespace tokend {
namespace {

// Few scope sets, and hardly a writer makes a new one: 1 GiB of address space is plenty.
constexpr uint32_t kScopeShardBits = 4;
// So many retired slots are worth asking every reader whether it has passed, before more memory is
// touched. Below, Reclaim does it.
constexpr uint32_t kRetiredWorthAsking = 256;
constexpr uint64_t kUsageSlotsPerCall = 4096;
// A tenth of a millisecond: a writer may wait for it.
constexpr uint64_t kCountedSlotsPerCall = 4096;
// Of the index while the mutex is held: some 20 us.
constexpr uint32_t kReserveSplits = 256;
constexpr uint64_t kSlotBytes = sizeof(Slot) + sizeof(TtlWheel::Link);

void Require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(std::string("token shard: ") + what);
}

}  // namespace

TableParts::TableParts(uint64_t bytes_max, uint64_t hash_seed, uint32_t shard_bits)
    : seed(hash_seed),
      meter(bytes_max),
      owners({.what = "owners", .shard_bits = shard_bits, .seed = hash_seed}, &epochs, &meter,
             &populator),
      scope_sets({.what = "scope sets",
                  .shard_bits = std::min(shard_bits, kScopeShardBits),
                  .seed = hash_seed},
                 &epochs, &meter, &populator) {}

void TableParts::RaiseReclaimedExpiryMax(uint64_t expires_at_ms) {
  uint64_t latest = reclaimed_expiry_max_ms.load(std::memory_order_relaxed);
  while (latest < expires_at_ms && !reclaimed_expiry_max_ms.compare_exchange_weak(
                                       latest, expires_at_ms, std::memory_order_acq_rel)) {
  }
}

void TableParts::ReleaseNames(uint32_t owner, uint32_t scopes) {
  if (owner != 0) owners.Release(owner);
  if (scopes != 0) scope_sets.Release(scopes);
}

TokenShard::TokenShard(const Memory& memory, TableParts* parts)
    : memory_(memory),
      slots_(memory.slots),
      links_(memory.links),
      parts_(parts),
      index_(memory.buckets, memory.primary_max, memory.primary_max, &parts->meter),
      wheel_(memory.links) {
  assert(memory.slots_max <= HashIndex::kIdMax);
  MutexLock lock(&mutex_);
  PublishStats();
}

uint64_t TokenShard::HashOf(uint32_t id) const {
  const TokenKey key = slots_[id].key();
  return HashKey(key.bytes.data(), slots_[id].namespace_id(), parts_->seed);
}

uint32_t TokenShard::Find(uint64_t hash, const KeyWords& key, NamespaceId ns) const {
  return index_.Find(hash, [&](uint32_t id) { return slots_[id].Is(key, ns); });
}

Slot* TokenShard::FindLocked(uint64_t hash, const KeyWords& key, NamespaceId ns,
                             Slot::Content* content) {
  MutexLock lock(&mutex_);
  const uint32_t id = Find(hash, key, ns);
  if (id == 0) return nullptr;
  *content = slots_[id].Read();
  return &slots_[id];
}

// --- putting ---

PutResult TokenShard::Put(const PutRequest& request) {
  MutexLock lock(&mutex_);
  const uint32_t id = Find(request.hash, request.key, request.entry->namespace_id);
  PutResult result;
  if (id == 0) {
    result = PutNew(request);
  } else if (request.mode == PutMode::kIfAbsent) {
    return PutResult::kPresent;
  } else {
    result = PutOver(id, request);
  }
  PublishStats();
  return result;
}

std::optional<uint32_t> TokenShard::AcquireOwner(const PutRequest& request) {
  if (!request.owner_encoded) return 0;
  const uint32_t id = parts_->owners.Acquire(request.entry->namespace_id, *request.owner_encoded);
  return id == 0 ? std::nullopt : std::optional(id);
}

std::optional<uint32_t> TokenShard::AcquireScopes(const PutRequest& request) {
  if (request.entry->scopes_encoded == kNoScopes) return 0;
  const uint32_t id = parts_->scope_sets.Acquire(0, request.entry->scopes_encoded);
  return id == 0 ? std::nullopt : std::optional(id);
}

PutResult TokenShard::PutNew(const PutRequest& request) {
  const TokenEntry& entry = *request.entry;
  if (request.mode == PutMode::kIfAbsent && !parts_->meter.HasRoomFor(kTokenBytes)) {
    return PutResult::kMemoryLimit;
  }
  const uint32_t id = AllocateSlot();
  if (id == 0) return PutResult::kMemoryLimit;
  CountSlots(1);
  const std::optional<uint32_t> owner = AcquireOwner(request);
  const std::optional<uint32_t> scopes = owner ? AcquireScopes(request) : std::nullopt;
  if (!scopes) {
    parts_->ReleaseNames(owner.value_or(0), 0);
    FreeSlots({.first = id, .last = id, .count = 1});
    return PutResult::kMemoryLimit;
  }
  const bool denied = request.IsDeniedByQueue();
  const SlotState state = SlotState::Live(entry.expires_at_ms, entry.revoked, denied);
  if (!Publish(id, request.hash, request.key, entry.namespace_id,
               {.state = state, .owner = *owner, .scopes = *scopes})) {
    parts_->ReleaseNames(*owner, *scopes);
    FreeSlots({.first = id, .last = id, .count = 1});
    return PutResult::kMemoryLimit;
  }
  NoteGrowth();
  return PutResult::kPut;
}

bool TokenShard::Publish(uint32_t id, uint64_t hash, const KeyWords& key, NamespaceId ns,
                         const Slot::Content& content) {
  Slot& slot = slots_[id];
  slot.SetIdentity(key, ns);
  slot.Write(content);
  if (!index_.Insert(hash, id, Hasher{this})) {
    slot.SetState(SlotState());
    return false;
  }
  if (content.state.expires()) wheel_.Insert(id, content.state.expires_at_ms());
  return true;
}

bool TokenShard::PutMany(std::span<Arrival> all, std::span<const uint32_t> mine,
                         const std::function<bool(size_t)>& denied_by_queue) {
  MutexLock lock(&mutex_);
  for (const uint32_t i : mine) __builtin_prefetch(index_.BucketOf(all[i].hash), 1);
  const size_t coming = std::min<size_t>(mine.size(), memory_.slots_max + 1 - fresh_);
  for (uint32_t i = 0; i < coming; ++i) __builtin_prefetch(&slots_[fresh_ + i], 1);
  bool all_fit = true;
  Limbo::Chain unused;
  uint32_t allocated = 0;
  for (const uint32_t i : mine) {
    Arrival& arrival = all[i];
    const TokenEntry& entry = *arrival.entry;
    const KeyWords key(entry.key);
    if (Find(arrival.hash, key, entry.namespace_id) != 0) continue;
    const uint32_t id =
        parts_->meter.HasRoomFor((allocated + uint64_t{1}) * kTokenBytes) ? AllocateSlot() : 0;
    if (id == 0) {
      all_fit = false;
      continue;
    }
    ++allocated;
    const SlotState state =
        SlotState::Live(entry.expires_at_ms, entry.revoked, denied_by_queue(arrival.number));
    arrival.put = Publish(id, arrival.hash, key, entry.namespace_id,
                          {.state = state, .owner = arrival.owner, .scopes = arrival.scopes});
    if (arrival.put) continue;
    all_fit = false;
    links_[id].next = unused.first;
    if (unused.count++ == 0) unused.last = id;
    unused.first = id;
  }
  CountSlots(allocated);
  if (unused.count != 0) FreeSlots(unused);
  NoteGrowth();
  PublishStats();
  return all_fit;
}

bool TokenShard::Reserve(uint32_t tokens) {
  MutexLock lock(&mutex_);
  // What has no room is made when it is needed, or refused then.
  if (!parts_->meter.HasRoomFor(kReserveSplits * sizeof(HashIndex::Bucket))) return true;
  const uint32_t ids = index_.size() + std::min(tokens, memory_.slots_max);
  const bool done = index_.Reserve(ids, kReserveSplits, Hasher{this});
  NoteGrowth();
  PublishStats();
  return done;
}

PutResult TokenShard::PutOver(uint32_t id, const PutRequest& request) {
  const TokenEntry& entry = *request.entry;
  const bool reset = request.mode == PutMode::kReset;
  Slot& slot = slots_[id];
  const Slot::Content old = slot.Read();

  // Most often the names stay: then nothing is counted up and down.
  const bool cut_off = old.owner != 0 && parts_->owners.IsKilled(old.owner);
  const bool same_owner = old.owner == 0
                              ? !request.owner_encoded
                              : request.owner_encoded == parts_->owners.BytesOf(old.owner);
  const bool keep_owner = same_owner && !(reset && cut_off);
  const std::optional<uint32_t> owner = keep_owner ? old.owner : AcquireOwner(request);
  if (!owner) return PutResult::kMemoryLimit;
  const std::string_view old_scopes =
      old.scopes == 0 ? kNoScopes : parts_->scope_sets.BytesOf(old.scopes);
  const bool keep_scopes = old_scopes == entry.scopes_encoded;
  const std::optional<uint32_t> scopes = keep_scopes ? old.scopes : AcquireScopes(request);
  if (!scopes) {
    if (!keep_owner) parts_->ReleaseNames(*owner, 0);
    return PutResult::kMemoryLimit;
  }

  bool denied;
  if (reset) {
    denied = request.IsDeniedByQueue();
  } else {
    // Leaving an owner that was cut off does not bring a token back. The queue is asked in any
    // case: it notes what it denies.
    const bool left_denied = !keep_owner && (request.IsDeniedByQueue() || cut_off);
    denied = old.state.denied() || left_denied;
  }
  const SlotState state = SlotState::Live(entry.expires_at_ms, entry.revoked, denied);
  slot.Write({.state = state, .owner = *owner, .scopes = *scopes});
  if (reset) {
    slot.TakeUses();
    slot.TakeLastUsed();
  }
  if (state.expires_at_ms() != old.state.expires_at_ms()) {
    if (old.state.expires()) wheel_.Remove(id);
    if (state.expires()) wheel_.Insert(id, state.expires_at_ms());
  }
  parts_->ReleaseNames(keep_owner ? 0 : old.owner, keep_scopes ? 0 : old.scopes);
  return PutResult::kPut;
}

// --- changing and dropping ---

bool TokenShard::ChangeFlags(uint64_t hash, const KeyWords& key, NamespaceId ns, uint64_t set,
                             uint64_t clear) {
  MutexLock lock(&mutex_);
  const uint32_t id = Find(hash, key, ns);
  if (id == 0) return false;
  slots_[id].SetState(slots_[id].state().With(set).Without(clear));
  return true;
}

bool TokenShard::Erase(uint64_t hash, const KeyWords& key, NamespaceId ns) {
  MutexLock lock(&mutex_);
  const uint32_t id = Find(hash, key, ns);
  if (id == 0) return false;
  if (slots_[id].state().expires()) wheel_.Remove(id);
  Drop(id, hash);
  PublishStats();
  return true;
}

void TokenShard::Drop(uint32_t id, uint64_t hash) {
  Slot& slot = slots_[id];
  const Slot::Content content = slot.Read();
  index_.Erase(hash, id);
  // A reader that still comes by looks again, instead of answering for what is gone.
  slot.SetState(content.state.Without(SlotState::kLive));
  parts_->ReleaseNames(content.owner, content.scopes);
  limbo_.Retire(id, [&](uint32_t retired, uint32_t next) { links_[retired].next = next; });
}

TtlWheel::Progress TokenShard::Reclaim(uint64_t due_ms, size_t budget,
                                       std::vector<TokenTable::UsageEntry>* unsaved,
                                       std::vector<TokenName>* dropped) {
  MutexLock lock(&mutex_);
  const auto due_of = [&](uint32_t id) { return slots_[id].state().expires_at_ms(); };
  const auto drop = [&](uint32_t id) TOKEND_NO_ANALYSIS {  // the wheel calls back, below the lock
    // Before the token goes: who misses it then knows that it may only be forgotten.
    parts_->RaiseReclaimedExpiryMax(due_of(id));
    if (unsaved != nullptr && slots_[id].use_count() != 0) unsaved->push_back(TakeUsageOf(id));
    if (dropped != nullptr) dropped->push_back({slots_[id].namespace_id(), slots_[id].key()});
    Drop(id, HashOf(id));
    TOKEND_RACE_POINT(kTokenDropped);
  };
  const TtlWheel::Progress progress = wheel_.Advance(due_ms, budget, due_of, drop);
  if (progress.due != 0) {
    parts_->reclaimed_total.fetch_add(progress.due, std::memory_order_relaxed);
  }
  PublishStats();
  return progress;
}

void TokenShard::FreeRetired() {
  MutexLock lock(&mutex_);
  FreePassed();
  PublishStats();
}

// --- slots ---

uint32_t TokenShard::AllocateSlot() {
  if (free_ == 0 && (limbo_.count() >= kRetiredWorthAsking || fresh_ > memory_.slots_max))
    FreePassed();
  uint32_t id = free_;
  if (id != 0) {
    free_ = links_[id].next;
  } else {
    if (fresh_ > memory_.slots_max) return 0;
    id = fresh_++;
    new (&slots_[id]) Slot();
  }
  return id;
}

void TokenShard::CountSlots(uint32_t allocated) {
  parts_->meter.Add(allocated * kSlotBytes);
  parts_->slots_in_use.fetch_add(allocated, std::memory_order_relaxed);
}

void TokenShard::FreeSlots(const Limbo::Chain& chain) {
  links_[chain.last].next = free_;
  free_ = chain.first;
  parts_->meter.Sub(chain.count * kSlotBytes);
  parts_->slots_in_use.fetch_sub(chain.count, std::memory_order_relaxed);
}

void TokenShard::FreePassed() {
  while (true) {
    const Limbo::Chain passed = limbo_.TakePassed(&parts_->epochs);
    if (passed.count == 0) return;
    FreeSlots(passed);
  }
}

void TokenShard::CountTokens(uint64_t* cursor, uint64_t now_ms,
                             std::vector<TokenCounts>* by_namespace) {
  MutexLock lock(&mutex_);
  uint64_t id = std::max<uint64_t>(*cursor, 1);
  const uint64_t end = std::min<uint64_t>(fresh_, id + kCountedSlotsPerCall);
  for (; id < end; ++id) {
    const Slot& slot = slots_[static_cast<uint32_t>(id)];
    const SlotState state = slot.state();
    if (!state.live()) continue;
    const NamespaceId ns = slot.namespace_id();
    if (ns >= by_namespace->size()) by_namespace->resize(ns + 1u);
    TokenCounts& counts = (*by_namespace)[ns];
    const uint64_t expires_at_ms = state.expires_at_ms();
    if (expires_at_ms <= now_ms) {
      ++counts.expired;
    } else if (state.revoked() || state.denied()) {
      ++counts.revoked;
    } else {
      ++counts.live;
      for (size_t i = 0; i < counts.expiring.size(); ++i) {
        if (expires_at_ms - now_ms <= TokenCounts::kHorizonsMs[i]) ++counts.expiring[i];
      }
    }
  }
  *cursor = id < fresh_ ? id : 0;
}

void TokenShard::ListUsed(uint64_t* cursor, size_t limit, std::vector<TokenName>* out) {
  MutexLock lock(&mutex_);
  uint64_t id = std::max<uint64_t>(*cursor, 1);
  const uint64_t end = std::min<uint64_t>(fresh_, id + kUsageSlotsPerCall);
  for (; id < end && limit > 0; ++id) {
    const Slot& slot = slots_[static_cast<uint32_t>(id)];
    if (slot.use_count() == 0 || !slot.state().live()) continue;
    out->push_back({slot.namespace_id(), slot.key()});
    --limit;
  }
  *cursor = id < fresh_ ? id : 0;
}

std::optional<TokenTable::UsageEntry> TokenShard::TakeUsage(uint64_t hash, const KeyWords& key,
                                                            NamespaceId ns) {
  MutexLock lock(&mutex_);
  const uint32_t id = Find(hash, key, ns);
  if (id == 0 || slots_[id].use_count() == 0) return std::nullopt;
  return TakeUsageOf(id);
}

TokenTable::UsageEntry TokenShard::TakeUsageOf(uint32_t id) {
  Slot& slot = slots_[id];
  return {.namespace_id = slot.namespace_id(),
          .key = slot.key(),
          .expires_at_ms = slot.state().expires_at_ms(),
          .usage = {.last_used_at_ms = slot.TakeLastUsed(), .use_count = slot.TakeUses()}};
}

std::optional<TokenTable::Peeked> TokenShard::Peek(uint64_t hash, const KeyWords& key,
                                                   NamespaceId ns) {
  MutexLock lock(&mutex_);
  const uint32_t id = Find(hash, key, ns);
  if (id == 0) return std::nullopt;
  const Slot& slot = slots_[id];
  const Slot::Content content = slot.Read();
  const bool cut_off = content.owner != 0 && parts_->owners.IsKilled(content.owner);
  return TokenTable::Peeked{
      .expires_at_ms = content.state.expires_at_ms(),
      .revoked = content.state.revoked(),
      .denied = content.state.denied() || cut_off,
      .usage = {.last_used_at_ms = slot.last_used_at_ms(), .use_count = slot.use_count()}};
}

void TokenShard::NoteGrowth() {
  const auto reached = [&](Populator::Area area, uint32_t elements, size_t element_bytes) {
    const size_t shared = StripedArray<Slot>::SharedSize(elements, memory_.shard_bits);
    parts_->populator.Reached(area, shared * element_bytes);
  };
  reached(memory_.slots_area, fresh_, sizeof(Slot));
  reached(memory_.links_area, fresh_, sizeof(TtlWheel::Link));
  reached(memory_.primary_area, index_.bucket_count(), sizeof(HashIndex::Bucket));
  reached(memory_.overflow_area, index_.overflow_touched(), sizeof(HashIndex::Bucket));
}

void TokenShard::PublishStats() {
  tokens_stat_.store(index_.size(), std::memory_order_relaxed);
  retired_stat_.store(limbo_.count(), std::memory_order_relaxed);
  slots_touched_stat_.store(fresh_ - 1, std::memory_order_relaxed);
  index_bytes_stat_.store(index_.touched_bytes(), std::memory_order_relaxed);
}

TokenShard::Stats TokenShard::stats() const {
  return {.tokens = tokens_stat_.load(std::memory_order_relaxed),
          .retired = retired_stat_.load(std::memory_order_relaxed),
          .slots_touched = slots_touched_stat_.load(std::memory_order_relaxed),
          .index_bytes = index_bytes_stat_.load(std::memory_order_relaxed)};
}

void TokenShard::CheckInvariants(References* references) {
  MutexLock lock(&mutex_);
  enum Place : uint8_t { kNowhere, kIndexed, kRetired, kFree };
  const uint32_t fresh = fresh_;
  std::vector<Place> places(fresh, kNowhere);
  const auto place = [&](uint32_t id, Place where) {
    Require(id > 0 && id < fresh, "slot number out of range");
    Require(places[id] == kNowhere, "slot in two places");
    places[id] = where;
  };
  index_.CheckInvariants([&](uint32_t id) { return HashOf(id); },
                         [&](uint32_t id) { place(id, kIndexed); });
  for (const Limbo::Chain* chain : {&limbo_.retired(), &limbo_.waiting()}) {
    uint32_t count = 0;
    for (uint32_t id = chain->first; count < chain->count; ++count, id = links_[id].next) {
      place(id, kRetired);
      Require((id == chain->last) == (count + 1 == chain->count), "limbo ends elsewhere");
    }
  }
  for (uint32_t id = free_; id != 0; id = links_[id].next) place(id, kFree);

  size_t expiring = 0;
  for (uint32_t id = 1; id < fresh_; ++id) {
    Require(places[id] != kNowhere, "slot lost");
    const Slot& slot = slots_[id];
    const Slot::Content content = slot.Read();
    Slot::Content read;
    Require(slot.TryRead(&read), "slot's version odd at rest");
    Require(content.state.live() == (places[id] == kIndexed), "live flag differs from index");
    if (!content.state.live()) continue;
    Require(Find(HashOf(id), KeyWords(slot.key()), slot.namespace_id()) == id, "token here twice");
    if (content.state.expires()) ++expiring;
    if (content.owner != 0) ++references->owners[content.owner];
    if (content.scopes != 0) ++references->scope_sets[content.scopes];
  }
  const size_t in_wheel =
      wheel_.CheckInvariants([&](uint32_t id) { return slots_[id].state().expires_at_ms(); },
                             [&](uint32_t id) {
                               Require(places[id] == kIndexed && slots_[id].state().expires(),
                                       "in the wheel but not live or never due");
                             });
  Require(in_wheel == expiring, "expiring token not in the wheel");
  const Stats published = stats();
  Require(published.tokens == index_.size() && published.retired == limbo_.count() &&
              published.slots_touched == fresh_ - 1 &&
              published.index_bytes == index_.touched_bytes(),
          "statistics are stale");
}

}  // namespace tokend
