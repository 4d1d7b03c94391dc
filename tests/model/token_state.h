// The plain model of one token: its record, as docs/protocol.md has it, and what each write makes
// of it at a given time.
#pragma once

#include <compare>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "protocol/record.h"

namespace tokend::testing {

struct TokenState {
  bool is_there = false;
  std::optional<std::string> owner, name;
  std::vector<std::string> scopes;
  std::string attributes, source_id;
  uint64_t created_at_ms = 0, updated_at_ms = 0, expires_at_ms = kNever;
  bool revoked = false;
  uint64_t generation = 0;

  // Of the import that is open: its rows count as inserted at its begin, and what came since wins.
  bool inserted_since_begin = false;
  bool revoked_since_begin = false;  // while it was not there
  std::set<std::string> owners_revoked_since_begin;
  // That a row took it away from. A revoke of this owner which was under way then may end it.
  std::optional<std::string> left_owner;

  friend auto operator<=>(const TokenState&, const TokenState&) = default;

  bool IsLive(uint64_t now_ms) const { return is_there && !revoked && now_ms < expires_at_ms; }
  std::string_view StateName(uint64_t now_ms) const;  // as in a record

  // Each is the write of that name, at a time.
  void Insert(const TokenState& fields, bool replace, uint64_t expires_at, uint64_t now_ms);
  void Revoke(uint64_t now_ms);
  void RevokeOwner(const std::string& of, uint64_t now_ms);
  bool MayHaveLeft(const std::string& of) const { return is_there && !revoked && left_owner == of; }
  void Extend(uint64_t expires_at, uint64_t now_ms);
  void Drop();  // by purge_expired
  void BeginImport();
  // "taken", "replaced" or "unchanged".
  std::string_view MergeRow(const TokenState& row);

  // Whether a record that a client got shows this state.
  bool IsShownBy(const client::TokenInfo& record) const;
  // Whether list and count give it with these filters.
  bool Matches(const client::ListRequest& filters, uint64_t now_ms) const;
};

std::ostream& operator<<(std::ostream& out, const TokenState& state);

}  // namespace tokend::testing
