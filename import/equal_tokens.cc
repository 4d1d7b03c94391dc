#include "import/equal_tokens.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "import/sql_text.h"

namespace tokend {

EqualTokens::EqualTokens() : entries_(std::make_unique<Entry[]>(kEntries)) {}

std::optional<EqualTokens::Place> EqualTokens::Add(size_t table, std::string_view token,
                                                   const TokenKey& key, const Place& place) {
  folded_ = ToLowerAscii(token);
  folded_.resize(folded_.find_last_not_of(' ') + 1);
  folded_.append(reinterpret_cast<const char*>(&table), sizeof(table));
  const uint64_t hash = std::max<uint64_t>(std::hash<std::string_view>()(folded_), 1);
  uint32_t of_key = 0;
  std::memcpy(&of_key, key.bytes.data(), sizeof(of_key));
  size_t at = hash % kEntries;
  for (; entries_[at].folded != 0; at = (at + 1) % kEntries) {
    if (entries_[at].folded != hash) continue;
    if (entries_[at].key == of_key) return std::nullopt;
    return entries_[at].place;
  }
  if (is_full()) return std::nullopt;
  entries_[at] = {hash, of_key, place};
  ++tokens_;
  return std::nullopt;
}

}  // namespace tokend
