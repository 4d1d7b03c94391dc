#include "storage/epoch.h"

#include <algorithm>
#include <cassert>

namespace tokend {

EpochDomain::~EpochDomain() {
  for (Record* record = records_.load(std::memory_order_acquire); record != nullptr;) {
    assert(!record->taken.load(std::memory_order_relaxed));
    Record* const next = record->next;
    delete record;
    record = next;
  }
}

EpochDomain::Record* EpochDomain::Register() {
  MutexLock lock(&register_mutex_);
  Record* record = records_.load(std::memory_order_relaxed);
  while (record != nullptr && record->taken.load(std::memory_order_relaxed)) record = record->next;
  if (record == nullptr) {
    record = new Record;
    record->next = records_.load(std::memory_order_relaxed);
    records_.store(record, std::memory_order_release);
  }
  record->taken.store(true, std::memory_order_relaxed);
  return record;
}

void EpochDomain::Unregister(Record* record) {
  GoOffline(record);
  MutexLock lock(&register_mutex_);
  record->taken.store(false, std::memory_order_relaxed);
}

void EpochDomain::GoOnline(Record* record) {
  // Any epoch that is not later than the read-modify-write is good; an early one only waits longer.
  record->epoch.store(epoch_.load(std::memory_order_acquire), std::memory_order_relaxed);
  epoch_.fetch_add(0, std::memory_order_acq_rel);
}

void EpochDomain::Quiesce(Record* record) {
  assert(IsOnline(record));
  const uint64_t epoch = epoch_.load(std::memory_order_acquire);
  // Most turns nothing was retired: leave the line to the writers that look at it.
  if (record->epoch.load(std::memory_order_relaxed) == epoch) return;
  record->epoch.store(epoch, std::memory_order_release);
}

void EpochDomain::GoOffline(Record* record) {
  record->epoch.store(kOffline, std::memory_order_release);
}

uint64_t EpochDomain::Advance() { return epoch_.fetch_add(1, std::memory_order_acq_rel); }

bool EpochDomain::Passed(uint64_t stamp) {
  if (stamp < passed_below_.load(std::memory_order_acquire)) return true;
  // Loaded before the records: later stamps than this one are not judged by what they hold.
  uint64_t below = epoch_.load(std::memory_order_acquire);
  for (Record* record = records_.load(std::memory_order_acquire); record != nullptr;
       record = record->next) {
    below = std::min(below, record->epoch.load(std::memory_order_acquire));
  }
  uint64_t known = passed_below_.load(std::memory_order_relaxed);
  while (known < below &&
         !passed_below_.compare_exchange_weak(known, below, std::memory_order_acq_rel)) {
  }
  return stamp < below;
}

uint64_t EpochDomain::read_retries_total() const {
  uint64_t total = 0;
  for (Record* record = records_.load(std::memory_order_acquire); record != nullptr;
       record = record->next) {
    total += record->read_retries.load(std::memory_order_relaxed);
  }
  return total;
}

uint64_t EpochDomain::read_locks_total() const {
  uint64_t total = 0;
  for (Record* record = records_.load(std::memory_order_acquire); record != nullptr;
       record = record->next) {
    total += record->read_locks.load(std::memory_order_relaxed);
  }
  return total;
}

}  // namespace tokend
