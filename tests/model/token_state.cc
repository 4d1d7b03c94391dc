#include "tests/model/token_state.h"

#include <algorithm>
#include <ostream>

namespace tokend::testing {

std::string_view TokenState::StateName(uint64_t now_ms) const {
  if (revoked) return "revoked";
  return now_ms < expires_at_ms ? "active" : "expired";
}

void TokenState::Insert(const TokenState& fields, bool replace, uint64_t expires_at,
                        uint64_t now_ms) {
  generation = is_there && replace ? generation + 1 : 1;
  is_there = true;
  owner = fields.owner;
  name = fields.name;
  scopes = fields.scopes;
  attributes = fields.attributes;
  source_id.clear();
  created_at_ms = updated_at_ms = now_ms;
  expires_at_ms = expires_at;
  revoked = false;
  inserted_since_begin = true;
  left_owner.reset();
}

void TokenState::Revoke(uint64_t now_ms) {
  if (!is_there) revoked_since_begin = true;
  if (!is_there || revoked) return;
  revoked = true;
  updated_at_ms = now_ms;
}

void TokenState::RevokeOwner(const std::string& of, uint64_t now_ms) {
  owners_revoked_since_begin.insert(of);
  if (is_there && owner == of) Revoke(now_ms);
}

void TokenState::Extend(uint64_t expires_at, uint64_t now_ms) {
  expires_at_ms = expires_at;
  updated_at_ms = now_ms;
}

void TokenState::Drop() {
  TokenState dropped;
  dropped.revoked_since_begin = revoked_since_begin;
  dropped.owners_revoked_since_begin = owners_revoked_since_begin;
  *this = dropped;
}

void TokenState::BeginImport() {
  inserted_since_begin = revoked_since_begin = false;
  owners_revoked_since_begin.clear();
  left_owner.reset();
}

std::string_view TokenState::MergeRow(const TokenState& row) {
  if (is_there && inserted_since_begin) return "unchanged";
  const TokenState before = *this;
  const bool row_is_revoked = row.revoked || revoked_since_begin ||
                              (row.owner && owners_revoked_since_begin.contains(*row.owner));
  if (!is_there || row.updated_at_ms > updated_at_ms) {
    if (is_there && owner != row.owner) left_owner = owner;
    owner = row.owner;
    name = row.name;
    scopes = row.scopes;
    attributes = row.attributes;
    source_id = row.source_id;
    created_at_ms = row.created_at_ms;
    updated_at_ms = row.updated_at_ms;
    expires_at_ms = row.expires_at_ms;
    generation = is_there ? generation : 1;
    is_there = true;
  } else if (row.updated_at_ms == updated_at_ms) {
    expires_at_ms = std::min(expires_at_ms, row.expires_at_ms);
  }
  revoked = revoked || row_is_revoked;
  if (!before.is_there) return "taken";
  return *this == before ? "unchanged" : "replaced";
}

bool TokenState::IsShownBy(const client::TokenInfo& record) const {
  return is_there && record.owner == owner && record.name == name && record.scopes == scopes &&
         record.attributes == attributes && record.source_id == source_id &&
         record.created_at_ms == created_at_ms && record.updated_at_ms == updated_at_ms &&
         record.expires_at_ms.value_or(kNever) == expires_at_ms &&
         (record.state == "revoked") == revoked && record.generation == generation;
}

bool TokenState::Matches(const client::ListRequest& filters, uint64_t now_ms) const {
  if (!is_there) return false;
  if (filters.owner && owner != filters.owner) return false;
  if (!filters.state.empty() && StateName(now_ms) != filters.state) return false;
  if (filters.expires_after_ms && expires_at_ms < *filters.expires_after_ms) return false;
  return !filters.expires_before_ms || expires_at_ms < *filters.expires_before_ms;
}

std::ostream& operator<<(std::ostream& out, const TokenState& state) {
  const auto time = [](uint64_t ms) { return ms == kNever ? "never" : std::to_string(ms); };
  if (!state.is_there) {
    out << "absent";
  } else {
    out << (state.revoked ? "revoked" : "not revoked") << ", expires " << time(state.expires_at_ms)
        << ", owner " << state.owner.value_or("-") << ", name " << state.name.value_or("-")
        << ", scopes";
    for (const std::string& scope : state.scopes) out << " " << scope;
    out << ", " << state.attributes.size() << " bytes of attributes, source_id "
        << (state.source_id.empty() ? "-" : state.source_id) << ", created " << state.created_at_ms
        << ", updated " << state.updated_at_ms << ", generation " << state.generation;
  }
  if (state.inserted_since_begin) out << ", inserted since the import's begin";
  if (state.revoked_since_begin) out << ", revoked since the import's begin";
  for (const std::string& owner : state.owners_revoked_since_begin) {
    out << ", " << owner << " revoked since the import's begin";
  }
  if (state.left_owner) out << ", was " << *state.left_owner << "'s";
  return out;
}

}  // namespace tokend::testing
