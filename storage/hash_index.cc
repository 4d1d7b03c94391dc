#include "storage/hash_index.h"

#include <cassert>
#include <new>

namespace tokend {

HashIndex::HashIndex(StripedArray<Bucket> buckets, uint32_t primary_max, uint32_t overflow_max,
                     MemoryMeter* meter)
    : buckets_(buckets), primary_max_(primary_max), overflow_max_(overflow_max), meter_(meter) {
  assert(primary_max > 0);
  new (&buckets_[0]) Bucket();
  meter_->Add(sizeof(Bucket));
}

bool HashIndex::Place(uint32_t primary, uint32_t entry) {
  Bucket* bucket = &buckets_[primary];
  while (true) {
    for (auto& word : bucket->entries) {
      if (word.load(std::memory_order_relaxed) != 0) continue;
      // Release: whoever finds the id sees what it stands for.
      word.store(entry, kStore);
      return true;
    }
    uint32_t next = bucket->overflow.load(std::memory_order_relaxed);
    if (next == 0) {
      next = TakeOverflowBucket();
      if (next == 0) return false;
      buckets_[next].entries[0].store(entry, kStore);
      bucket->overflow.store(next, kStore);
      TOKEND_CRASH_POINT("growth.overflow");
      return true;
    }
    bucket = &buckets_[next];
  }
}

void HashIndex::Erase(uint64_t hash, uint32_t id) {
  const uint32_t entry = Entry(hash, id);
  std::atomic<uint32_t>* hole = nullptr;
  Bucket* holed = nullptr;
  Bucket* before_last = nullptr;
  Bucket* last = &buckets_[BucketNumber(hash, bucket_count())];
  while (true) {
    for (auto& word : last->entries) {
      if (word.load(std::memory_order_relaxed) != entry) continue;
      hole = &word;
      holed = last;
    }
    const uint32_t next = last->overflow.load(std::memory_order_relaxed);
    if (next == 0) break;
    before_last = last;
    last = &buckets_[next];
  }
  assert(hole != nullptr);
  --size_;
  if (before_last == nullptr) {
    hole->store(0, kStore);
    return;
  }
  // A chain has holes in its last bucket only, and so is as short as it can be: the hole is filled
  // from there.
  std::atomic<uint32_t>* filler = hole;
  uint32_t used = 0;
  for (auto& word : last->entries) {
    if (word.load(std::memory_order_relaxed) == 0) continue;
    ++used;
    if (holed != last) filler = &word;
  }
  BeginMove();
  if (filler != hole) hole->store(filler->load(std::memory_order_relaxed), kStore);
  filler->store(0, kStore);
  if (used == 1) {
    const uint32_t number = before_last->overflow.load(std::memory_order_relaxed);
    before_last->overflow.store(0, kStore);
    FreeOverflowBucket(number);
  }
  EndMove();
}

uint32_t HashIndex::TakeOverflowBucket() {
  uint32_t number = overflow_free_;
  if (number != 0) {
    overflow_free_ = buckets_[number].overflow.load(std::memory_order_relaxed);
    buckets_[number].overflow.store(0, kStore);
  } else {
    if (overflow_touched_ == overflow_max_) return 0;
    number = primary_max_ + overflow_touched_++;
    meter_->Add(sizeof(Bucket));
    new (&buckets_[number]) Bucket();
  }
  ++overflow_in_use_;
  return number;
}

void HashIndex::FreeOverflowBucket(uint32_t number) {
  buckets_[number].overflow.store(overflow_free_, kStore);
  overflow_free_ = number;
  --overflow_in_use_;
}

}  // namespace tokend
