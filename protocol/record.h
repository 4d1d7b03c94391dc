// A token's record, as `get` and `list` answer it and as storage keeps it. It never holds a token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/msgpack.h"
#include "protocol/token.h"

namespace tokend {

// Times are Unix milliseconds, 0 ... kTimeMsMax.
inline constexpr uint64_t kTimeMsMax = (uint64_t{1} << 53) - 1;
// An expires_at_ms that never comes. Sorts after every time.
inline constexpr uint64_t kNever = UINT64_MAX;

enum class TokenState : uint8_t { kActive = 0, kExpired = 1, kRevoked = 2 };  // "active", ...
std::string_view TokenStateName(TokenState state);
std::optional<TokenState> ParseTokenState(std::string_view name);

struct Record {
  TokenKey key;
  std::string namespace_name;
  std::string source_id;             // the primary key in an imported table; empty = none
  std::optional<std::string> owner;  // an empty owner is an owner
  std::optional<std::string> name;
  std::vector<std::string> scopes;  // in the order given
  uint64_t created_at_ms = 0;
  uint64_t updated_at_ms = 0;
  uint64_t expires_at_ms = kNever;
  std::optional<uint64_t> last_used_at_ms;
  uint64_t use_count = 0;
  bool revoked = false;
  uint64_t generation = 1;
  std::string attributes;  // an encoded MessagePack map; empty = none

  // Revoked wins over expired. Live while now < expires_at.
  TokenState StateAt(uint64_t now_ms) const {
    if (revoked) return TokenState::kRevoked;
    return now_ms < expires_at_ms ? TokenState::kActive : TokenState::kExpired;
  }
};

// The map of docs/protocol.md: {id, source_id, namespace, owner, ..., state, generation,
// attributes}; `state` as of now_ms. What is missing is nil.
void EncodeRecord(const Record& record, uint64_t now_ms, msgpack_io::Writer* out);

}  // namespace tokend
