// What tokens that are yet to be put into the table will take of it. Of their owners and scopes as
// though no other token had them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tokend {

struct TableRoom {
  size_t tokens = 0;
  uint64_t name_bytes = 0;

  TableRoom& operator+=(const TableRoom& other) {
    tokens += other.tokens;
    name_bytes += other.name_bytes;
    return *this;
  }
  // Of what it was added to before.
  TableRoom& operator-=(const TableRoom& other) {
    tokens -= other.tokens;
    name_bytes -= other.name_bytes;
    return *this;
  }
  friend TableRoom operator+(TableRoom a, const TableRoom& b) { return a += b; }
};

inline TableRoom RoomOfOwner(const std::optional<std::string>& owner) {
  // What an entry takes besides its bytes: its head, a bucket's share and rounding.
  constexpr uint64_t kOverheadBytes = 64;
  return {0, owner ? kOverheadBytes + owner->size() : 0};
}

inline TableRoom RoomOfScopes(const std::vector<std::string>& scopes) {
  constexpr uint64_t kOverheadBytes = 64;
  constexpr uint64_t kScopeHeadBytes = 2;
  if (scopes.empty()) return {};
  TableRoom room{0, kOverheadBytes};
  for (const std::string& scope : scopes) room.name_bytes += kScopeHeadBytes + scope.size();
  return room;
}

// Of a new token.
inline TableRoom RoomOfToken(const std::optional<std::string>& owner,
                             const std::vector<std::string>& scopes) {
  return TableRoom{.tokens = 1} + RoomOfOwner(owner) + RoomOfScopes(scopes);
}

}  // namespace tokend
