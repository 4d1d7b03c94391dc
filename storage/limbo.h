// Limbo: what was unlinked and may still be held by a reader, until every reader has passed.
//
// Two lists of ids: what was retired lately, and an older lot that waits for its stamp. Both are
// threaded through a word of the retired things themselves that readers do not use, so retiring
// needs no memory and taking a whole lot back is O(1). The caller orders calls.
#pragma once

#include <cstdint>

#include "storage/epoch.h"

namespace tokend {

class Limbo {
 public:
  // Ids linked by the caller's words; the last one's word is 0.
  struct Chain {
    uint32_t first = 0;
    uint32_t last = 0;
    uint32_t count = 0;
  };

  // Requires that new readers cannot find the id. set_next(id, next) writes its word.
  template <typename SetNext>
  void Retire(uint32_t id, SetNext&& set_next) {
    set_next(id, retired_.first);
    retired_.first = id;
    if (retired_.count++ == 0) retired_.last = id;
  }

  // A lot that every reader has passed; count 0 if there is none yet. To be called until then.
  Chain TakePassed(EpochDomain* epochs) {
    if (waiting_.count == 0 && retired_.count != 0) {
      waiting_ = retired_;
      retired_ = {};
      stamp_ = epochs->Advance();
    }
    if (waiting_.count == 0 || !epochs->Passed(stamp_)) return {};
    const Chain passed = waiting_;
    waiting_ = {};
    return passed;
  }

  uint32_t count() const { return retired_.count + waiting_.count; }
  const Chain& retired() const { return retired_; }
  const Chain& waiting() const { return waiting_; }

 private:
  Chain retired_;
  Chain waiting_;
  uint64_t stamp_ = 0;
};

}  // namespace tokend
