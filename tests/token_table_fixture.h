// Keys, owners and look-ups in short words, for the tests of the token table.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/msgpack.h"
#include "protocol/record.h"
#include "storage/token_table.h"

namespace tokend {

// A key that only this number has.
inline TokenKey KeyOf(uint64_t number) {
  TokenKey key;
  for (size_t i = 0; i < 8; ++i) key.bytes[i] = static_cast<uint8_t>(number >> (8 * i));
  key.bytes[31] = 0x5a;
  return key;
}

inline std::string EncodedStr(std::string_view text) {
  std::string encoded;
  msgpack_io::Writer(&encoded).Str(text);
  return encoded;
}

inline std::string EncodedScopes(const std::vector<std::string>& scopes) {
  std::string encoded;
  msgpack_io::Writer writer(&encoded);
  writer.ArrayHeader(static_cast<uint32_t>(scopes.size()));
  for (const std::string& scope : scopes) writer.Str(scope);
  return encoded;
}

// A token without owner and scopes; what differs is set by the caller.
inline TokenEntry EntryOf(uint64_t number, uint64_t expires_at_ms = kNever) {
  TokenEntry entry;
  entry.key = KeyOf(number);
  entry.expires_at_ms = expires_at_ms;
  entry.scopes_encoded = kNoScopes;
  return entry;
}

inline std::ostream& operator<<(std::ostream& out, Verdict verdict) {
  constexpr const char* kNames[] = {"valid", "unknown", "expired", "revoked", "unavailable"};
  return out << kNames[static_cast<size_t>(verdict)];
}

// Usage of at most `limit` tokens of a shard; *cursor as ListUsed has it.
inline void TakeUsage(TokenTable* table, size_t shard, uint64_t* cursor, size_t limit,
                      std::vector<TokenTable::UsageEntry>* out) {
  std::vector<TokenName> used;
  table->ListUsed(shard, cursor, limit, &used);
  for (const TokenName& token : used) {
    if (const auto entry = table->TakeUsage(token)) out->push_back(*entry);
  }
}

// Small: few shards and little address space, so that many can be made.
inline TokenTableOptions SmallOptions() {
  TokenTableOptions options;
  options.shards = 2;
  options.tokens_max = 100000;
  options.hash_seed = 42;
  options.reclaim_grace_ms = 0;
  return options;
}

}  // namespace tokend
