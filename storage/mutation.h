// Mutation: the one form of everything that changes state. RPC, HTTP and import make them; later a
// binlog follower or a replicated log does. State is a fold over them.
//
// A Mutation carries everything that deciding its effect needs except the state itself: the
// Committer gives it its sequence number and its time ("stamps" it), and from then on replaying it
// needs no clock, counter or random number.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/digest.h"
#include "protocol/record.h"
#include "protocol/token.h"

namespace tokend {

// Who asked for it, for the audit log.
struct Origin {
  std::string caller;    // by its name in the configuration; empty = one that nobody knows
  std::string address;   // "127.0.0.1:41522", "unix:1000"; empty = none
  std::string_view via;  // "rpc", "http", "configuration"; a literal
};

// When a token ends: never, at a time, or so long after the Mutation's stamp.
struct ExpirySpec {
  enum class Kind : uint8_t { kNone, kAt, kAfter };
  Kind kind = Kind::kNone;
  uint64_t ms = 0;

  uint64_t Resolve(uint64_t stamp_ms) const {
    if (kind == Kind::kNone) return kNever;
    if (kind == Kind::kAt) return ms;
    return ms > kTimeMsMax - stamp_ms ? kTimeMsMax : stamp_ms + ms;
  }
};

struct InsertMutation {
  TokenKey key;
  std::optional<DigestScheme> scheme;  // by which the key was made; none = given as a key
  ExpirySpec expiry;
  std::optional<std::string> owner, name;
  std::vector<std::string> scopes;
  std::string attributes;
  std::string sealed;  // the token, where its namespace seals and it was not given as a key
  bool replace = false;
};

struct RevokeMutation {
  TokenKey key;
};

// Resolved to a key by the Committer, since ids are prefixes of keys.
struct RevokeIdMutation {
  TokenId id;
};

struct RevokeOwnerMutation {
  std::string owner;
};

struct ExtendMutation {
  TokenKey key;
  uint64_t expires_at_ms = kNever;
};

struct UpdateMutation {
  TokenId id;
  std::optional<std::string> name;
  std::optional<std::vector<std::string>> scopes;
  std::optional<std::string> attributes;
  std::optional<uint64_t> expires_at_ms;  // kNever = it expires no more
};

// The new token takes owner, name, scopes and attributes over; the old one ends overlap_ms after
// the stamp, or at its own expiry if that is earlier.
struct RotateMutation {
  TokenKey old_key, new_key;
  uint64_t overlap_ms = 0;
  std::optional<ExpirySpec> expiry;  // none = the old token's
  std::string sealed;                // the new token, as in InsertMutation
};

struct PurgeExpiredMutation {
  uint64_t before_ms = 0;
};

struct ImportBeginMutation {
  std::optional<DigestScheme> scheme;  // none = the namespace's own, or SHA-256 for a new one
  std::string source;
  std::string position;
  bool stricter = false;  // of two rows of a token the earlier expiry wins, whichever is later
};

struct ImportedRow {
  Record record;                       // revoked, times and usage as imported; generation unused
  bool has_updated_at = false;         // else the import's own begin stands for it
  std::optional<DigestScheme> scheme;  // as in InsertMutation
  std::string sealed;                  // as in InsertMutation
};

// This and ImportEndMutation: alone in their Submission.
struct ImportRowsMutation {
  std::string import_id;
  std::vector<ImportedRow> rows;
  uint64_t refused = 0;  // rows that did not decode; only counted
  size_t planned = 0;    // of rows: the Committer goes on behind them
};

struct ImportEndMutation {
  std::string import_id;
};

// Takes a gap between wall clock and reclaim clock over at once.
struct AcceptClockMutation {};

// Seals by the current key what others have sealed, in one namespace or all (an empty name).
struct RekeyMutation {};

struct CreateNamespaceMutation {  // from configuration
  DigestScheme scheme = DigestScheme::kSha256;
};

// Changes nothing, and is there for the audit log alone.
struct AuditMutation {
  std::string_view op;      // a literal
  std::string_view result;  // a literal
  std::optional<TokenKey> key = {};
  uint64_t suppressed = 0;  // how many like it came before it and were left out
  // It has to be on the disk before it is acknowledged: what it tells of waits for that.
  bool is_awaited = false;
};

struct Mutation {
  std::string namespace_name;
  std::variant<InsertMutation, RevokeMutation, RevokeIdMutation, RevokeOwnerMutation,
               ExtendMutation, UpdateMutation, RotateMutation, PurgeExpiredMutation,
               ImportBeginMutation, ImportRowsMutation, ImportEndMutation, AcceptClockMutation,
               CreateNamespaceMutation, RekeyMutation, AuditMutation>
      op;
  // Whose tokens it may touch: to it, those of others are not there. Empty = anybody's.
  std::vector<std::string> owners = {};
  std::shared_ptr<const Origin> origin = {};  // null = the server itself, or nothing is audited
};

}  // namespace tokend
