#include "server/methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "server/connection.h"
#include "server/counters.h"

namespace tokend {
namespace {

// Name, least and most positions of params, right, handler.
constexpr auto kMethods = std::to_array<Method>({
    {"validate", 1, 2, Right::kValidate, &HandleValidate},
    {"validate_many", 1, 2, Right::kValidate, &HandleValidateMany},
    {"hello", 0, 1, Right::kNone, &HandleHello},
    {"ping", 0, 0, Right::kNone, &HandlePing},
    {"insert", 1, 1, Right::kIssue, &HandleInsert},
    {"insert_many", 1, 1, Right::kIssue, &HandleInsertMany},
    {"issue", 0, 1, Right::kIssue, &HandleIssue},
    {"extend", 1, 3, Right::kIssue, &HandleExtend},
    {"update", 1, 1, Right::kIssue, &HandleUpdate},
    {"rotate", 1, 3, Right::kIssue, &HandleRotate},
    {"revoke", 1, 2, Right::kRevoke, &HandleRevoke},
    {"revoke_id", 1, 2, Right::kRevoke, &HandleRevokeId},
    {"revoke_owner", 1, 2, Right::kRevoke, &HandleRevokeOwner},
    {"get", 1, 2, Right::kRead, &HandleGet},
    {"list", 0, 1, Right::kRead, &HandleList},
    {"count", 0, 1, Right::kRead, &HandleCount},
    {"stats", 0, 0, Right::kRead, &HandleStats},
    {"reveal", 0, 1, Right::kReveal, &HandleReveal},
    {"rekey", 0, 1, Right::kAdmin, &HandleRekey},
    {"purge_expired", 1, 2, Right::kAdmin, &HandlePurgeExpired},
    {"import_begin", 0, 1, Right::kAdmin, &HandleImportBegin},
    {"import_rows", 2, 2, Right::kAdmin, &HandleImportRows},
    {"import_end", 1, 1, Right::kAdmin, &HandleImportEnd},
    {"clock_accept", 0, 0, Right::kAdmin, &HandleClockAccept},
    {"backup", 0, 0, Right::kAdmin, &HandleBackup},
});

using MethodsByName = std::unordered_map<std::string_view, const Method*>;

const MethodsByName& ByName() {
  static const MethodsByName by_name = [] {
    MethodsByName map;
    for (const Method& method : kMethods) map.emplace(method.name, &method);
    return map;
  }();
  return by_name;
}

Status Wrong(const Method& method, std::string_view what) {
  return Status(ErrorCode::kInternal, fmt::format("method table: {}: {}", method.name, what));
}

Status Forbidden(const Caller& caller, std::string_view what) {
  if (!caller.is_known()) {
    return Status(
        ErrorCode::kUnauthenticated,
        fmt::format("{} is not for everybody: say hello with client_id and client_secret", what));
  }
  return Status(ErrorCode::kForbidden,
                fmt::format("{} is not for caller {}", what, QuoteName(caller.name())));
}

}  // namespace

Status CheckRight(Connection& connection, const Method& method) {
  if (connection.caller().Has(method.right)) return Status::Ok();
  Status refusal = Forbidden(connection.caller(), method.name);
  connection.NoteRefusal(method.name, refusal.code());
  return refusal;
}

Status Call::Refuse(std::string_view what, std::string_view namespace_name) const {
  Status refusal = Forbidden(connection.caller(), what);
  connection.NoteRefusal(tag.method->name, refusal.code(), namespace_name);
  return refusal;
}

Status Call::Allow(std::string_view namespace_name) const {
  const Caller& caller = connection.caller();
  if (caller.MayUse(namespace_name)) return Status::Ok();
  return Refuse("namespace " + QuoteName(namespace_name), namespace_name);
}

Status Call::AllowEverywhere() const {
  const Caller& caller = connection.caller();
  if (caller.has_all_namespaces() && caller.owners().empty()) return Status::Ok();
  return Refuse("what concerns all namespaces and owners");
}

Status Call::AllowOwner(const std::optional<std::string_view>& owner) const {
  const Caller& caller = connection.caller();
  if (caller.MayManage(owner)) return Status::Ok();
  return Refuse(owner ? "owner " + QuoteName(*owner) : "a request without an owner");
}

Status Call::AllowAllOwners() const {
  const Caller& caller = connection.caller();
  return caller.owners().empty() ? Status::Ok() : Refuse("what concerns all owners");
}

std::span<const Method> Methods() { return kMethods; }

const Method* FindMethod(std::string_view name) {
  const auto found = ByName().find(name);
  return found == ByName().end() ? nullptr : found->second;
}

size_t MethodIndex(const Method& method) { return static_cast<size_t>(&method - kMethods.data()); }

Status CheckMethods() {
  static_assert(kMethods.size() <= kMethodsMax, "LoopCounters counts each method");
  std::set<std::string_view> names;
  for (const Method& method : kMethods) {
    const bool is_word = !method.name.empty() &&
                         std::all_of(method.name.begin(), method.name.end(),
                                     [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); });
    if (!is_word) return Wrong(method, "name must be lower-case letters and _");
    if (!names.insert(method.name).second) return Wrong(method, "is there twice");
    if (method.params_min > method.params_max) return Wrong(method, "arity is upside down");
    if (method.handler == nullptr) return Wrong(method, "has no handler");
  }
  return Status::Ok();
}

}  // namespace tokend
