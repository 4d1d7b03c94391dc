// KeyFilter: says of a hash whether it may have been added, in the same memory for any number of
// them. It errs towards yes, ever more as it fills up (with 16 bits for each in one of 300, with 4
// in one of 6), and never towards no.
//
// A hash has four bits in one cache line. Thread-safe, but for Clear.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/token.h"
#include "storage/mapped_memory.h"
#include "storage/seeded_hash.h"

namespace tokend {

// Of a token, for whoever adds it and whoever asks.
inline uint64_t FilterHashOf(uint16_t namespace_id, const TokenKey& key) {
  return HashKey(key.bytes.data(), namespace_id, /*seed=*/0);
}

class KeyFilter {
 public:
  explicit KeyFilter(size_t bytes)
      : count_(std::bit_ceil(std::max<size_t>(bytes / sizeof(Line), 1))),
        memory_(count_ * sizeof(Line), "a filter of an import") {
    memory_.AdviseHugePages(0, memory_.bytes());
  }

  void Add(uint64_t hash) {
    Line& line = lines()[NumberOf(hash)];
    for (int i = 0; i < kProbes; ++i) {
      auto& word = line[WordOf(hash, i)];
      // To look costs less than an atomic write.
      if ((word.load(std::memory_order_acquire) & BitOf(hash, i)) != 0) continue;
      word.fetch_or(BitOf(hash, i), std::memory_order_release);
    }
  }
  // The same, by the only one that adds, and asks.
  void AddAlone(uint64_t hash) {
    Line& line = lines()[NumberOf(hash)];
    for (int i = 0; i < kProbes; ++i) {
      auto& word = line[WordOf(hash, i)];
      word.store(word.load(std::memory_order_relaxed) | BitOf(hash, i), std::memory_order_relaxed);
    }
  }
  bool MayHold(uint64_t hash) const {
    const Line& line = lines()[NumberOf(hash)];
    for (int i = 0; i < kProbes; ++i) {
      const uint64_t word = line[WordOf(hash, i)].load(std::memory_order_acquire);
      if ((word & BitOf(hash, i)) == 0) return false;
    }
    return true;
  }

  // It is about to be asked for.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&lines()[NumberOf(hash)]); }

  // While nobody else uses it.
  void Clear() {
    for (Line& line : std::span(lines(), count_)) {
      for (auto& word : line) word.store(0, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr int kProbes = 4;
  using Line = std::array<std::atomic<uint64_t>, 8>;

  // The lower half of the hash gives the line, nine bits of the upper one each probe.
  size_t NumberOf(uint64_t hash) const { return hash & (count_ - 1); }
  static uint64_t ProbeOf(uint64_t hash, int i) { return hash >> (64 - 9 * (i + 1)); }
  static size_t WordOf(uint64_t hash, int i) { return ProbeOf(hash, i) >> 6 & 7; }
  static uint64_t BitOf(uint64_t hash, int i) { return uint64_t{1} << (ProbeOf(hash, i) & 63); }

  Line* lines() const { return memory_.as<Line>(); }

  size_t count_;  // of lines
  MappedMemory memory_;
};

}  // namespace tokend
