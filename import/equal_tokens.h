// EqualTokens: tokens that their database takes for one and tokend tells apart. A text column is
// compared there by its collation, most often without regard to case and to blanks at the end, so
// an application may find a token by another spelling than the one that is stored.
//
// Of the first kTokensMax tokens. ASCII letters are folded, which is what tokens are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/token.h"

namespace tokend {

class EqualTokens {
 public:
  static constexpr size_t kTokensMax = 384 << 10;

  // Where a token stands, as the caller numbers inputs and rows; numbers below 2^32.
  struct Place {
    uint32_t input = 0;
    uint32_t row = 0;
  };

  EqualTokens();

  // Where an earlier token of this table stands that is equal, but for its key. `table`: a number.
  std::optional<Place> Add(size_t table, std::string_view token, const TokenKey& key,
                           const Place& place);
  // Further tokens are compared with those that are here alone.
  bool is_full() const { return tokens_ == kTokensMax; }

 private:
  // Told by hashes: two others are taken for equal once in a hundred million such imports.
  struct Entry {
    uint64_t folded = 0;  // 0 = none
    uint32_t key = 0;
    Place place;
  };
  static constexpr size_t kEntries = 1 << 19;  // 12 MiB

  const std::unique_ptr<Entry[]> entries_;
  size_t tokens_ = 0;
  std::string folded_;
};

}  // namespace tokend
