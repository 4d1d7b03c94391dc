// The tokens of a run: everything about token number i is a function of a seed and i, so that any
// program at any time knows what was stored, without keeping it.
//
// A token is "tk_" and 40 base62 characters. Its owner is one of 100,000 names of 8 to 12
// characters, its scopes one of 16 sets, its expiry anywhere in a range of times: what an API's
// token table looks like, and the 43-byte keys that its peers are measured with.
//
// Constant after construction: any number of threads may call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tokend::bench {

inline constexpr size_t kTokenBytes = 43;
inline constexpr size_t kOwnersMax = 100000;
inline constexpr size_t kScopeSets = 16;

// A good 64-bit mix of two numbers (the finalizer of SplitMix64).
inline uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t x = a + 0x9e3779b97f4a7c15u * (b + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// When tokens expire: evenly over `spread_ms` from `from_ms` on.
struct ExpiryRange {
  uint64_t from_ms = 0;
  uint64_t spread_ms = 1;  // >= 1

  // A day later, give or take 16 %.
  static constexpr ExpiryRange DayAfter(uint64_t base_ms) {
    constexpr uint64_t kDayMs = 24 * 3600 * 1000;
    constexpr uint64_t kJitterMs = kDayMs * 16 / 100;
    return {base_ms + kDayMs - kJitterMs, 2 * kJitterMs};
  }
};

class TokenSpace {
 public:
  // `distinct_owners`, unless 0: so many tokens in a row have an owner of their own each.
  TokenSpace(uint64_t seed, const ExpiryRange& expiry, uint64_t distinct_owners = 0);
  TokenSpace(uint64_t seed, uint64_t expires_base_ms)
      : TokenSpace(seed, ExpiryRange::DayAfter(expires_base_ms)) {}

  // Writes kTokenBytes. Some 15 ns, so tokens need not be stored anywhere.
  void WriteToken(uint64_t index, char* out) const;
  std::string Token(uint64_t index) const;

  uint64_t ExpiresAtMs(uint64_t index) const {
    return expiry_.from_ms + Mix(expiry_seed_, index) % expiry_.spread_ms;
  }
  std::string_view Owner(uint64_t index) const {
    return owners_[(are_owners_distinct_ ? index : Mix(owner_seed_, index)) % owners_.size()];
  }
  const std::vector<std::string>& Scopes(uint64_t index) const { return scopes_[ScopeSet(index)]; }
  // The same as one encoded MessagePack array.
  std::string_view ScopesEncoded(uint64_t index) const { return scopes_encoded_[ScopeSet(index)]; }

 private:
  size_t ScopeSet(uint64_t index) const { return Mix(scope_seed_, index) % kScopeSets; }

  // One stream of numbers for each thing.
  uint64_t expiry_seed_, owner_seed_, scope_seed_;
  std::array<uint64_t, 4> token_seeds_;
  ExpiryRange expiry_;
  bool are_owners_distinct_;
  std::vector<std::string> owners_;
  std::array<std::vector<std::string>, kScopeSets> scopes_;
  std::array<std::string, kScopeSets> scopes_encoded_;
};

}  // namespace tokend::bench
