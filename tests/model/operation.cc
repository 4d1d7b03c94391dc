#include "tests/model/operation.h"

#include <algorithm>
#include <ostream>
#include <string_view>

namespace tokend::testing {
namespace {

using Kind = Operation::Kind;

uint64_t Expiry(const Operation& operation, uint64_t now_ms, uint64_t otherwise_ms) {
  if (operation.expires_at_ms) return *operation.expires_at_ms;
  return operation.ttl_ms ? now_ms + *operation.ttl_ms : otherwise_ms;
}

bool ShowsVerdict(const Operation& validate, const TokenState& state, uint64_t now_ms) {
  const client::Verdict& verdict = validate.verdict;
  if (verdict.valid()) {
    return state.IsLive(now_ms) && verdict.expires_at_ms.value_or(kNever) == state.expires_at_ms &&
           verdict.owner == state.owner && verdict.scopes == state.scopes;
  }
  const bool is_past = state.is_there && now_ms >= state.expires_at_ms;
  if (verdict.reason == "expired") return is_past && !state.revoked;
  if (verdict.reason == "revoked") {
    return (state.is_there && state.revoked) || (is_past && validate.meets_owner_revoke);
  }
  // An expired or revoked one becomes unknown once its memory is reclaimed.
  return verdict.reason == "unknown" && (!state.is_there || is_past);
}

// At one time: no steps where what the answer tells besides its error and liveness is not so.
struct Effect {
  std::vector<Step> steps;
  std::string error;
  bool was_live = false;
};

Effect At(Operation& operation, const TokenState& state, uint64_t now_ms) {
  Effect effect;
  effect.was_live = state.IsLive(now_ms);
  Step step{state, false};
  TokenState& next = step.next;
  switch (operation.kind) {
    case Kind::kInsert: {
      if (state.is_there && !operation.replace && (state.revoked || effect.was_live)) {
        effect.error = state.revoked ? "revoked" : "exists";
        break;
      }
      const uint64_t expires_at_ms = Expiry(operation, now_ms, kNever);
      if (operation.answered_expiry_ms && *operation.answered_expiry_ms != expires_at_ms) return {};
      next.Insert(operation.fields, operation.replace, expires_at_ms, now_ms);
      break;
    }
    case Kind::kRotate: {
      if (!effect.was_live) {
        effect.error = "bad_params";
        break;
      }
      TokenState fresh;
      const uint64_t expires_at_ms = Expiry(operation, now_ms, state.expires_at_ms);
      if (operation.answered_expiry_ms && *operation.answered_expiry_ms != expires_at_ms) return {};
      fresh.Insert(state, /*replace=*/false, expires_at_ms, now_ms);
      operation.rotated_to.insert(fresh);
      next.Extend(std::min(state.expires_at_ms, now_ms + operation.overlap_ms), now_ms);
      break;
    }
    case Kind::kRotatedTo:
      if (state.is_there) return {};
      for (TokenState fresh : operation.rotate->rotated_to) {
        fresh.revoked_since_begin = state.revoked_since_begin;
        fresh.owners_revoked_since_begin = state.owners_revoked_since_begin;
        effect.steps.push_back({fresh, false});
      }
      return effect;
    case Kind::kRevoke:
      next.Revoke(now_ms);
      break;
    case Kind::kRevokeOwner:
      if (state.MayHaveLeft(operation.owner)) {
        Step ended{state, effect.was_live};
        ended.next.Revoke(now_ms);
        ended.next.RevokeOwner(operation.owner, now_ms);
        effect.steps.push_back(ended);
      }
      step.counted = effect.was_live && state.owner == operation.owner;
      next.RevokeOwner(operation.owner, now_ms);
      break;
    case Kind::kExtend:
      if (effect.was_live) next.Extend(Expiry(operation, now_ms, kNever), now_ms);
      break;
    case Kind::kUpdate:
      if (!effect.was_live) break;
      if (operation.sets_name) next.name = operation.fields.name;
      if (operation.sets_scopes) next.scopes = operation.fields.scopes;
      if (operation.sets_attributes) next.attributes = operation.fields.attributes;
      next.updated_at_ms = now_ms;
      break;
    case Kind::kPurge: {
      const bool may_go = state.is_there && state.revoked == operation.drops_revoked &&
                          state.expires_at_ms < std::min(operation.before_ms, now_ms);
      const bool must_go = may_go && state.expires_at_ms < operation.reclaimable_ms;
      if (!must_go) effect.steps.push_back(step);
      if (may_go) {
        next.Drop();
        effect.steps.push_back({next, true});
      }
      return effect;
    }
    case Kind::kImportBegin:
      next.BeginImport();
      break;
    case Kind::kImportRow: {
      const std::string_view merged = next.MergeRow(operation.fields);
      if (!operation.merged.empty() && operation.merged != merged) return {};
      break;
    }
    case Kind::kValidate:
      if (operation.HasAnswer() && !ShowsVerdict(operation, state, now_ms) &&
          !(operation.may_be_unavailable && operation.verdict.reason == "unavailable")) {
        return {};
      }
      break;
    case Kind::kGet:
    case Kind::kList:
    case Kind::kCount:
      break;
  }
  effect.steps.push_back(step);
  return effect;
}

bool TellsLiveness(Kind kind) {
  return kind == Kind::kRevoke || kind == Kind::kExtend || kind == Kind::kUpdate;
}

}  // namespace

std::vector<Step> Apply(Operation& operation, const TokenState& state) {
  if (operation.error == "unknown_namespace") {
    // It had no tokens then.
    return state.is_there ? std::vector<Step>() : std::vector<Step>{{state, false}};
  }
  std::vector<Step> steps;
  for (const uint64_t now_ms : operation.clocks_ms) {
    const Effect effect = At(operation, state, now_ms);
    if (operation.HasAnswer()) {
      if (effect.error != operation.error) continue;
      if (TellsLiveness(operation.kind) && effect.was_live != operation.was_live) continue;
    }
    steps.insert(steps.end(), effect.steps.begin(), effect.steps.end());
  }
  return steps;
}

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  static constexpr std::string_view kNames[] = {
      "insert", "rotate",       "rotated to",  "revoke",   "revoke_owner", "extend", "update",
      "purge",  "import_begin", "import_rows", "validate", "get",          "list",   "count"};
  const auto maybe = [](const std::optional<uint64_t>& ms) {
    return ms ? std::to_string(*ms) : "none";
  };
  out << "[" << operation.invoked << ", "
      << (operation.HasAnswer() ? std::to_string(operation.answered) : "no answer") << "] c"
      << operation.connection << " " << kNames[static_cast<size_t>(operation.kind)];
  switch (operation.kind) {
    case Kind::kInsert:
      out << (operation.replace ? " replace" : "") << " owner "
          << operation.fields.owner.value_or("-") << " expires_at "
          << maybe(operation.expires_at_ms) << " ttl " << maybe(operation.ttl_ms);
      break;
    case Kind::kRotate:
      out << " overlap " << operation.overlap_ms << " expires_at " << maybe(operation.expires_at_ms)
          << " ttl " << maybe(operation.ttl_ms);
      break;
    case Kind::kRevoke:
      out << (operation.by_id ? " by id" : "");
      break;
    case Kind::kRevokeOwner:
      out << " " << operation.owner;
      break;
    case Kind::kExtend:
      out << " to " << maybe(operation.expires_at_ms);
      break;
    case Kind::kPurge:
      out << (operation.drops_revoked ? " of revoked" : "") << " before " << operation.before_ms
          << " reclaimable " << operation.reclaimable_ms;
      break;
    case Kind::kImportRow:
      out << " {" << operation.fields << "}";
      break;
    case Kind::kList:
    case Kind::kCount:
      out << " owner " << operation.filters.owner.value_or("-") << " state "
          << operation.filters.state << " from " << maybe(operation.filters.expires_after_ms)
          << " before " << maybe(operation.filters.expires_before_ms) << " order "
          << operation.filters.order;
      break;
    default:
      break;
  }
  if (operation.holds_from != Operation::kNoAnswer) {
    out << " holds from " << operation.holds_from;
  }
  out << " at";
  for (const uint64_t clock_ms : operation.clocks_ms) out << " " << clock_ms;
  if (!operation.HasAnswer()) return out;
  out << " ->";
  if (!operation.error.empty()) return out << " error " << operation.error;
  if (TellsLiveness(operation.kind)) out << (operation.was_live ? " true" : " false");
  if (operation.kind == Kind::kImportRow) out << " " << operation.merged;
  if (operation.kind == Kind::kValidate) {
    if (!operation.verdict.valid()) return out << " " << operation.verdict.reason;
    out << " valid until " << maybe(operation.verdict.expires_at_ms) << ", owner "
        << operation.verdict.owner.value_or("-");
  }
  if (operation.kind == Kind::kCount || operation.kind == Kind::kRevokeOwner ||
      operation.kind == Kind::kPurge) {
    out << " " << operation.count;
  }
  return out;
}

}  // namespace tokend::testing
