// What a client of the model test asked, when, and what came back; and what each of these makes of
// a token that is in a given state.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/model/token_state.h"

namespace tokend::testing {

struct Operation {
  enum class Kind : uint8_t {
    kInsert,     // issue, too
    kRotate,     // of it, what it does to the old token ...
    kRotatedTo,  // ... and to the new one
    kRevoke,     // by token or id
    kRevokeOwner,
    kExtend,
    kUpdate,
    kPurge,
    kImportBegin,
    kImportRow,
    kValidate,
    kGet,
    kList,
    kCount,
  };
  static constexpr uint64_t kNoAnswer = std::numeric_limits<uint64_t>::max();

  Kind kind = Kind::kValidate;
  std::string ns;
  std::string id;  // of the token; empty: every token of the namespace

  // Moments of the test's journal, which puts what happens in all threads into one order. What has
  // no answer may have been done at any moment until its server was gone, or not at all.
  uint64_t invoked = 0, answered = kNoAnswer;
  // Of a revoke that the server has read by then: validate says no from here on.
  uint64_t holds_from = kNoAnswer;
  uint64_t connection = 0;          // writes of one apply in the order of their invocations
  std::vector<uint64_t> clocks_ms;  // what the clock showed between invocation and answer

  // --- what was asked ---
  TokenState fields;  // insert, update, import_rows: what the request brings
  bool replace = false;
  std::optional<uint64_t> expires_at_ms, ttl_ms;  // neither = never; rotate: the old token's
  uint64_t overlap_ms = 0;
  bool by_id = false;                                                    // revoke
  bool sets_name = false, sets_scopes = false, sets_attributes = false;  // update
  std::string owner;                                                     // revoke_owner
  uint64_t before_ms = 0;                                                // purge_expired
  uint64_t reclaimable_ms = 0;  // what expired earlier, purge_expired has no reason to keep
  // It goes through what is not revoked, then through what is, and a record that has come back
  // meanwhile may go twice: two operations, the second a part of the first.
  bool drops_revoked = false;
  Operation* second_part = nullptr;
  client::ListRequest filters;  // list, count
  bool may_be_unavailable = false;
  bool is_at_rest = false;  // nothing else goes on, not even by itself

  // --- what came back ---
  std::string error;  // its code
  bool was_live = false;
  uint64_t count = 0;
  std::optional<uint64_t> answered_expiry_ms;  // of issue and rotate
  std::string merged;                          // of a single row: taken, replaced or unchanged
  client::Verdict verdict;
  std::map<std::string, client::TokenInfo> records;  // by id: of get one or none

  // Of a validate: an owner was being revoked meanwhile. Where a token has expired, and an insert
  // that takes its place was queued before, the one that is there still shows the revoke.
  bool meets_owner_revoke = false;

  // --- what the model says, gathered while the histories of tokens are checked ---
  uint64_t count_min = 0, count_max = 0;  // revoke_owner, purge_expired, count
  std::set<TokenState> rotated_to;        // what the new token may look like
  Operation* rotate = nullptr;            // of kRotatedTo

  bool HasAnswer() const { return answered != kNoAnswer; }
  bool IsQuery() const { return kind == Kind::kGet || kind == Kind::kList || kind == Kind::kCount; }
  bool IsWrite() const { return !IsQuery() && kind != Kind::kValidate; }
};

// What a token may be after a write or a validate that finds it in `state`; nothing where the
// answer says otherwise. `was_live`: what each says of the token for the counts of revoke_owner and
// purge_expired.
struct Step {
  TokenState next;
  bool counted = false;
};
std::vector<Step> Apply(Operation& operation, const TokenState& state);

std::ostream& operator<<(std::ostream& out, const Operation& operation);

}  // namespace tokend::testing
