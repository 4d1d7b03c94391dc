#include "bench/tokens.h"

#include <cstring>
#include <string_view>

#include "protocol/msgpack.h"

namespace tokend::bench {
namespace {

constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kPairs = kBase62.size() * kBase62.size();

// Every pair of base62 characters: half the steps of one character at a time, and still 7.5 KB.
constexpr auto kPairTable = [] {
  std::array<char, kPairs * 2> table{};
  for (size_t i = 0; i < kPairs; ++i) {
    table[2 * i] = kBase62[i / kBase62.size()];
    table[2 * i + 1] = kBase62[i % kBase62.size()];
  }
  return table;
}();

// Ten characters from 64 random bits, which are taken as a fraction: its next digit to base 62^2 is
// the whole part after a multiplication.
void WriteTenCharacters(uint64_t random, char* out) {
  for (int i = 0; i < 5; ++i) {
    const auto product = static_cast<unsigned __int128>(random) * kPairs;
    std::memcpy(out + 2 * i, &kPairTable[2 * static_cast<size_t>(product >> 64)], 2);
    random = static_cast<uint64_t>(product);
  }
}

}  // namespace

TokenSpace::TokenSpace(uint64_t seed, const ExpiryRange& expiry, uint64_t distinct_owners)
    : expiry_seed_(Mix(seed, 0)),
      owner_seed_(Mix(seed, 1)),
      scope_seed_(Mix(seed, 2)),
      token_seeds_{Mix(seed, 3), Mix(seed, 4), Mix(seed, 5), Mix(seed, 6)},
      expiry_(expiry),
      are_owners_distinct_(distinct_owners != 0) {
  const uint64_t owners = are_owners_distinct_ ? distinct_owners : kOwnersMax;
  owners_.reserve(owners);
  for (uint64_t i = 0; i < owners; ++i) {
    char characters[20];
    WriteTenCharacters(Mix(~owner_seed_, 2 * i), characters);
    WriteTenCharacters(Mix(~owner_seed_, 2 * i + 1), characters + 10);
    owners_.emplace_back(characters, 8 + i % 5);
  }
  static constexpr std::array<std::string_view, 8> kScopes = {
      "read", "write", "admin", "billing", "users:read", "users:write", "reports", "deploy"};
  for (size_t set = 0; set < kScopeSets; ++set) {
    // One to three scopes; set 0 has none.
    for (size_t i = 0; i < (set + 3) / 4 && i < 3; ++i) {
      scopes_[set].emplace_back(kScopes[(set + 3 * i) % kScopes.size()]);
    }
    msgpack_io::Writer writer(&scopes_encoded_[set]);
    writer.ArrayHeader(static_cast<uint32_t>(scopes_[set].size()));
    for (const std::string& scope : scopes_[set]) writer.Str(scope);
  }
}

void TokenSpace::WriteToken(uint64_t index, char* out) const {
  std::string_view("tk_").copy(out, 3);
  out += 3;
  for (const uint64_t seed : token_seeds_) {
    WriteTenCharacters(Mix(seed, index), out);
    out += 10;
  }
}

std::string TokenSpace::Token(uint64_t index) const {
  std::string token(kTokenBytes, '\0');
  WriteToken(index, token.data());
  return token;
}

}  // namespace tokend::bench
