// What a server must still know after a crash, kept outside of it: for each token the set of states
// that it may be in. A write that was sent adds a state; its acknowledgement leaves that state
// alone.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tokend::testing {

enum class TokenFate : uint8_t {  // bits of a set
  kAbsent = 1,
  kLive = 2,
  kExtended = 4,  // live, with a later expiry
  kReplaced = 8,  // live, with another owner
  kRevoked = 16,
};

class Ledger {
 public:
  explicit Ledger(size_t tokens) : fates_(tokens, static_cast<uint8_t>(TokenFate::kAbsent)) {}

  void Sent(size_t token, TokenFate fate) { fates_[token] |= static_cast<uint8_t>(fate); }
  // Acknowledged, or seen after a restart, which is as final. (A token has at most one write under
  // way, so nothing sent later is forgotten here.)
  void Settle(size_t token, TokenFate fate) { fates_[token] = static_cast<uint8_t>(fate); }

  // What may be seen by who looks at some moment between this ledger and a later one of the same
  // tokens.
  Ledger Until(const Ledger& later) const {
    Ledger between(*this);
    for (size_t i = 0; i < fates_.size(); ++i) {
      between.fates_[i] |= later.fates_[i];
      const bool was_inserted_meanwhile =
          MayBe(i, TokenFate::kAbsent) && !later.Is(i, TokenFate::kAbsent);
      if (was_inserted_meanwhile) between.Sent(i, TokenFate::kLive);
    }
    return between;
  }

  bool MayBe(size_t token, TokenFate fate) const {
    return (fates_[token] & static_cast<uint8_t>(fate)) != 0;
  }
  bool IsCertain(size_t token) const { return std::has_single_bit(fates_[token]); }
  bool Is(size_t token, TokenFate fate) const {
    return fates_[token] == static_cast<uint8_t>(fate);
  }
  size_t size() const { return fates_.size(); }

 private:
  std::vector<uint8_t> fates_;
};

}  // namespace tokend::testing
