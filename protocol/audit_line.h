// A line of the audit log: one JSON object that ends with the hash of the line before it, so that
// a line that is missing or altered shows (docs/audit.md has the fields).
//
//   {"seq":7,"at":"2026-01-31T12:00:00.000Z",...,"prev":"(64 hexadecimal digits)"}
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/token.h"

namespace tokend {

using AuditHash = std::array<uint8_t, 32>;
std::string ToHex(const AuditHash& hash);
std::optional<AuditHash> ParseAuditHash(std::string_view hex);  // 64 lower-case digits

// Where a chain of lines has got to.
struct AuditHead {
  uint64_t seq = 0;     // of its last line; 0 = it has none
  AuditHash hash = {};  // SHA-256 of that line without its newline; zeros = it has none

  friend bool operator==(const AuditHead&, const AuditHead&) = default;
};

// Writes one line, in the order of the calls.
class AuditLineWriter {
 public:
  AuditLineWriter(uint64_t seq, uint64_t at_ms);

  // The value as it is: words of ours, and names from the configuration.
  void Text(std::string_view field, std::string_view value);
  // What a peer has sent, which may be a token by mistake: itself where it can be none, else
  // "sha256:" and 16 hexadecimal digits of its SHA-256, by which it can still be found.
  void Name(std::string_view field, std::string_view value);
  void Number(std::string_view field, uint64_t value);
  void True(std::string_view field);
  void Null(std::string_view field);
  // RFC 3339; null for kNever, the milliseconds where it is after the year 9999.
  void Time(std::string_view field, uint64_t unix_ms);
  // The token: its id, and the 8 hexadecimal digits of its key that follow those of the id.
  void Key(std::string_view id_field, std::string_view key_field, const TokenKey& key);
  // Without a newline. Nothing may be written any more.
  std::string End(const AuditHash& prev);

 private:
  void Begin(std::string_view field);

  std::string line_;
};

// What a line says of its place in the chain.
struct AuditLink {
  uint64_t seq = 0;
  std::string_view at;
  AuditHash prev = {};
};
// nullopt where this is no such line. The rest of it may be anything.
std::optional<AuditLink> ReadAuditLink(std::string_view line);
AuditHead HeadOf(uint64_t seq, std::string_view line);

}  // namespace tokend
