// Slot: one token as readers see it. One cache line, plain words, addressed by number.
//
//    0        4        8                16                              48       52      56     64
//   | version | owner | state           | key                           | scopes | uses | used   |
//
//   version   even; odd while owner, state and scopes are being changed
//   owner     number of the owner's entry, 0 = none
//   state     bits 0..53 expires_at_ms (all ones = never), then flags
//   key       never changes from publication until the slot is used again, and that is only after
//             every reader has passed: a key that differs needs no look at the version
//   scopes    number of the scope set's entry, 0 = the empty set
//   uses      since they were taken last; stops at its maximum
//   used      bits 0..47 when it was used last (0 = not since then), bits 48..63 the namespace,
//             which never changes: readers store both together
//
// The namespace is here and not with the owner so that a key is compared, and a bucket split, by
// what lies in this line alone; 48 bits of milliseconds last until the year 10889.
//
// Writers hold the shard's mutex. Every word is atomic; the three under the version are stored with
// release and loaded with acquire, so that whoever has seen a part of a change finds the version
// odd or changed afterwards. That needs no fences and on x86 costs nothing.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "protocol/record.h"
#include "protocol/token.h"
#include "storage/race_point.h"

namespace tokend {

// A key as the four words that slots hold.
struct KeyWords {
  std::array<uint64_t, 4> words;

  explicit KeyWords(const TokenKey& key) { std::memcpy(words.data(), key.bytes.data(), 32); }
};

// expires_at_ms and flags in one word.
class SlotState {
 public:
  static constexpr uint64_t kExpiryMask = (uint64_t{1} << 54) - 1;
  static constexpr uint64_t kExpiryNever = kExpiryMask;
  static constexpr uint64_t kLive = uint64_t{1} << 63;  // in the index
  static constexpr uint64_t kRevoked = uint64_t{1} << 62;
  static constexpr uint64_t kDenied = uint64_t{1} << 61;

  SlotState() = default;
  explicit SlotState(uint64_t word) : word_(word) {}
  // Requires expires_at_ms <= kTimeMsMax or kNever.
  static SlotState Live(uint64_t expires_at_ms, bool revoked, bool denied) {
    assert(expires_at_ms <= kTimeMsMax || expires_at_ms == kNever);
    const uint64_t expiry =
        expires_at_ms == kNever ? kExpiryNever : std::min(expires_at_ms, kTimeMsMax);
    return SlotState(expiry | kLive | (revoked ? kRevoked : 0) | (denied ? kDenied : 0));
  }

  uint64_t word() const { return word_; }
  bool live() const { return word_ & kLive; }
  bool revoked() const { return word_ & kRevoked; }
  bool denied() const { return word_ & kDenied; }
  bool expires() const { return (word_ & kExpiryMask) != kExpiryNever; }
  uint64_t expires_at_ms() const { return expires() ? word_ & kExpiryMask : kNever; }
  SlotState With(uint64_t flag) const { return SlotState(word_ | flag); }
  SlotState Without(uint64_t flag) const { return SlotState(word_ & ~flag); }

 private:
  uint64_t word_ = 0;
};
static_assert(kTimeMsMax < SlotState::kExpiryNever);

class alignas(64) Slot {
 public:
  static constexpr uint64_t kUsedMask = (uint64_t{1} << 48) - 1;

  // What changes together.
  struct Content {
    SlotState state;
    uint32_t owner = 0;
    uint32_t scopes = 0;
  };

  // --- readers and writers ---

  bool Is(const KeyWords& key, uint16_t namespace_id) const {
    // One branch: that the first word differs is as rare as that all four are equal is common.
    uint64_t differ = Load(used_) >> 48 ^ namespace_id;
    for (size_t i = 0; i < 4; ++i) differ |= Load(key_[i]) ^ key.words[i];
    return differ == 0;
  }
  // One optimistic try; false if a writer was at it.
  bool TryRead(Content* content) const {
    const uint32_t before = version_.load(std::memory_order_acquire);
    content->state = SlotState(state_.load(std::memory_order_acquire));
    TOKEND_RACE_POINT(kSlotHalfRead);
    content->owner = owner_.load(std::memory_order_acquire);
    content->scopes = scopes_.load(std::memory_order_acquire);
    return before % 2 == 0 && version_.load(std::memory_order_relaxed) == before;
  }
  // No read-modify-write: a use may be lost between two readers, never go to another token, since
  // the slot is not used again while a reader may be here.
  void CountUse(uint64_t now_ms) {
    const uint32_t uses = uses_.load(std::memory_order_relaxed);
    if (uses != UINT32_MAX) uses_.store(uses + 1, std::memory_order_relaxed);
    used_.store((Load(used_) & ~kUsedMask) | std::min(now_ms, kUsedMask),
                std::memory_order_relaxed);
  }

  // --- writers ---

  // Requires that no reader can reach the slot.
  void SetIdentity(const KeyWords& key, uint16_t namespace_id) {
    for (size_t i = 0; i < 4; ++i) key_[i].store(key.words[i], std::memory_order_relaxed);
    used_.store(uint64_t{namespace_id} << 48, std::memory_order_relaxed);
    uses_.store(0, std::memory_order_relaxed);
  }
  void Write(const Content& content) {
    const uint32_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_release);
    state_.store(content.state.word(), std::memory_order_release);
    owner_.store(content.owner, std::memory_order_release);
    scopes_.store(content.scopes, std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }
  Content Read() const {
    return {state(), owner_.load(std::memory_order_relaxed),
            scopes_.load(std::memory_order_relaxed)};
  }
  // One word changes at once and needs no version.
  void SetState(SlotState state) { state_.store(state.word(), std::memory_order_release); }
  SlotState state() const { return SlotState(Load(state_)); }

  TokenKey key() const {
    TokenKey key;
    for (size_t i = 0; i < 4; ++i) {
      const uint64_t word = Load(key_[i]);
      std::memcpy(key.bytes.data() + 8 * i, &word, 8);
    }
    return key;
  }
  uint16_t namespace_id() const { return static_cast<uint16_t>(Load(used_) >> 48); }
  uint32_t use_count() const { return uses_.load(std::memory_order_relaxed); }
  uint64_t last_used_at_ms() const { return Load(used_) & kUsedMask; }
  // A reader between its load and its store may put back what is taken here, or lose a use.
  uint32_t TakeUses() { return uses_.exchange(0, std::memory_order_relaxed); }
  uint64_t TakeLastUsed() {
    return used_.exchange(uint64_t{namespace_id()} << 48, std::memory_order_relaxed) & kUsedMask;
  }

 private:
  static uint64_t Load(const std::atomic<uint64_t>& word) {
    return word.load(std::memory_order_relaxed);
  }

  std::atomic<uint32_t> version_{0};
  std::atomic<uint32_t> owner_{0};
  std::atomic<uint64_t> state_{0};
  std::array<std::atomic<uint64_t>, 4> key_{};
  std::atomic<uint32_t> scopes_{0};
  std::atomic<uint32_t> uses_{0};
  std::atomic<uint64_t> used_{0};
};
static_assert(sizeof(Slot) == 64 && alignof(Slot) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace tokend
