#include "storage/mutation_planner.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "storage/byte_codec.h"
#include "storage/crash_point.h"

namespace tokend {
namespace {

// What an entry for an owner or a set of scopes takes besides its bytes: its head, a bucket's share
// and rounding; and what a scope's head takes in it.
constexpr uint64_t kNameOverheadBytes = 64;
constexpr uint64_t kScopeOverheadBytes = 2;
// Of a node of a set.
constexpr uint64_t kDenialOverheadBytes = 48;

Status SchemeMismatch(std::string_view name, DigestScheme has) {
  return {ErrorCode::kBadParams, "namespace: " + QuoteName(name) + " has the digest scheme " +
                                     std::string(DigestSchemeName(has)) +
                                     "; use another namespace"};
}

Status NoSuchImport() {
  return {
      ErrorCode::kBadParams,
      "import id: no such import is open; it ended, or nothing came of it for an hour, or too much "
      "was revoked while it ran, or the server has restarted since: begin it again"};
}

}  // namespace

void MutationPlanner::BeginGroup(CommitGroup* group, uint64_t now_ms) {
  group_ = group;
  group_room_ = {};
  now_ms_ = now_ms;
}

void MutationPlanner::EndGroup(bool written) {
  if (written) {
    for (const auto& [name, info] : new_namespaces_) parts_.namespaces->Set(name, info);
    for (const OwnerName& owner : owners_cut_) left_owners_.erase(owner);
    for (CommitGroup::LeftOwner& left : group_->left_owners()) {
      left_owners_[{left.name.ns, left.owner}].push_back(std::move(left));
    }
  }
  new_namespaces_.clear();
  owners_cut_.clear();
  group_ = nullptr;
}

const NamespaceInfo* MutationPlanner::FindNamespace(std::string_view name) const {
  const auto made = new_namespaces_.find(std::string(name));
  if (made != new_namespaces_.end()) return &made->second;
  // The Committer alone changes the registry, so what is found stays while it plans.
  const auto snapshot = parts_.namespaces->snapshot();
  const auto it = snapshot->find(std::string(name));
  return it == snapshot->end() ? nullptr : &it->second;
}

Status MutationPlanner::HoldsTokens(NamespaceId ns, bool* holds) const {
  const std::string prefix = NamespacePrefix(ns);
  const std::unique_ptr<rocksdb::Iterator> it(parts_.database->NewIterator(Database::kTokens));
  it->Seek(prefix);
  *holds = it->Valid() && it->key().starts_with(prefix);
  return FromRocksDb(it->status(), "cannot read the namespace");
}

Status MutationPlanner::PutNamespace(const std::string& name, const NamespaceInfo& info) {
  new_namespaces_[name] = info;
  group_->PutMeta(NamespaceRowKey(info.id), EncodeNamespaceRow(info.scheme, name));
  return {};
}

Status MutationPlanner::EnsureNamespace(const std::string& name, std::optional<DigestScheme> scheme,
                                        NamespaceInfo* info) {
  if (const NamespaceInfo* found = FindNamespace(name)) {
    *info = *found;
    if (!scheme || *scheme == info->scheme) return {};
    // Fixed once it holds a token, and what this group brings may be one.
    bool holds = true;
    if (group_->tokens_added() == 0) {
      if (Status status = HoldsTokens(info->id, &holds); !status.ok()) return status;
    }
    if (holds) return SchemeMismatch(name, info->scheme);
    info->scheme = *scheme;
    return PutNamespace(name, *info);
  }
  uint64_t next_id = 0;
  const auto snapshot = parts_.namespaces->snapshot();
  for (const NamespaceMap* map : {snapshot.get(), &std::as_const(new_namespaces_)}) {
    for (const auto& [known, known_info] : *map) {
      next_id = std::max<uint64_t>(next_id, known_info.id + uint64_t{1});
    }
  }
  if (next_id >= namespaces_max_) {
    return {ErrorCode::kTooLarge, "namespace: there is no " + QuoteName(name) +
                                      ", and no more than " + std::to_string(namespaces_max_) +
                                      " may be made; raise namespaces_max"};
  }
  *info = {static_cast<NamespaceId>(next_id), scheme.value_or(DigestScheme::kSha256)};
  return PutNamespace(name, *info);
}

MutationPlanner::Room MutationPlanner::RoomNeeded(const CommitGroup::Token* token,
                                                  const std::optional<std::string>& owner,
                                                  const std::vector<std::string>& scopes) const {
  const Record* now = token != nullptr && token->now ? &token->now->record : nullptr;
  Room room;
  // The disk keeps what has expired longer than memory does.
  const bool is_in_memory = now != nullptr && now->expires_at_ms > now_ms_;
  room.tokens = is_in_memory ? 0 : 1;
  // As though no other token had them.
  if (owner && !(is_in_memory && now->owner == owner)) {
    room.name_bytes += kNameOverheadBytes + owner->size();
  }
  if (!scopes.empty() && !(is_in_memory && now->scopes == scopes)) {
    room.name_bytes += kNameOverheadBytes;
    for (const std::string& scope : scopes) room.name_bytes += kScopeOverheadBytes + scope.size();
  }
  return room;
}

Status MutationPlanner::CheckRoom(const Room& room) const {
  if (room.tokens == 0 && room.name_bytes == 0) return {};
  if (parts_.table->HasRoomFor(group_room_.tokens + room.tokens,
                               group_room_.name_bytes + room.name_bytes)) {
    return {};
  }
  return {ErrorCode::kMemoryLimit,
          "the memory limit is reached; raise memory_bytes_max, or purge what has expired"};
}

void MutationPlanner::TakeRoom(const Room& room) {
  group_room_.tokens += room.tokens;
  group_room_.name_bytes += room.name_bytes;
}

void MutationPlanner::CollectNames(const Mutation& mutation, std::vector<TokenName>* names) const {
  if (const auto* rows = std::get_if<ImportRowsMutation>(&mutation.op)) {
    const auto import = imports_.find(rows->import_id);
    if (import == imports_.end()) return;
    for (const ImportedRow& row : rows->rows) names->push_back({import->second.ns, row.record.key});
    return;
  }
  const NamespaceInfo* info = FindNamespace(mutation.namespace_name);
  if (info == nullptr) return;
  if (const auto* insert = std::get_if<InsertMutation>(&mutation.op)) {
    names->push_back({info->id, insert->key});
  } else if (const auto* revoke = std::get_if<RevokeMutation>(&mutation.op)) {
    names->push_back({info->id, revoke->key});
  } else if (const auto* extend = std::get_if<ExtendMutation>(&mutation.op)) {
    names->push_back({info->id, extend->key});
  }
}

MutationPlanner::Planned MutationPlanner::Plan(const Mutation& mutation, uint64_t ticket,
                                               Outcome* outcome) {
  Planned planned;
  const std::string& name = mutation.namespace_name;
  // Those that make their namespace, or need none.
  if (const auto* insert = std::get_if<InsertMutation>(&mutation.op)) {
    outcome->status = Insert(*insert, name, ticket, outcome);
    return planned;
  }
  if (const auto* begin = std::get_if<ImportBeginMutation>(&mutation.op)) {
    outcome->status = ImportBegin(*begin, name, outcome);
    return planned;
  }
  if (const auto* rows = std::get_if<ImportRowsMutation>(&mutation.op)) {
    outcome->status = ImportRows(*rows, ticket, outcome);
    planned.needs_sync = false;
    return planned;
  }
  if (const auto* end = std::get_if<ImportEndMutation>(&mutation.op)) {
    outcome->status = ImportEnd(*end, outcome);
    return planned;
  }
  if (const auto* create = std::get_if<CreateNamespaceMutation>(&mutation.op)) {
    NamespaceInfo info;
    outcome->status = EnsureNamespace(name, create->scheme, &info);
    return planned;
  }
  if (std::holds_alternative<AcceptClockMutation>(mutation.op)) {
    parts_.reclaim_clock->Accept(now_ms_);
    group_->PutMeta(kReclaimClockRow, EncodeReclaimClockRow(parts_.reclaim_clock->state()));
    outcome->was_live = true;
    return planned;
  }

  const NamespaceInfo* info = FindNamespace(name);
  if (info == nullptr) {
    outcome->status = UnknownNamespace(name);
    return planned;
  }
  const NamespaceId ns = info->id;
  if (const auto* revoke = std::get_if<RevokeMutation>(&mutation.op)) {
    outcome->status = Revoke(revoke->key, ns, ticket, outcome);
  } else if (const auto* revoke_id = std::get_if<RevokeIdMutation>(&mutation.op)) {
    outcome->status = RevokeId(revoke_id->id, ns, ticket, outcome);
  } else if (const auto* revoke_owner = std::get_if<RevokeOwnerMutation>(&mutation.op)) {
    outcome->status = RevokeOwner(*revoke_owner, ns, &planned);
  } else if (const auto* extend = std::get_if<ExtendMutation>(&mutation.op)) {
    outcome->status = Extend(*extend, ns, ticket, outcome);
  } else if (const auto* update = std::get_if<UpdateMutation>(&mutation.op)) {
    outcome->status = Update(*update, ns, ticket, outcome);
  } else if (const auto* rotate = std::get_if<RotateMutation>(&mutation.op)) {
    outcome->status = Rotate(*rotate, ns, ticket, outcome);
  } else if (const auto* purge = std::get_if<PurgeExpiredMutation>(&mutation.op)) {
    // Never past the reclaim clock: a wall clock that jumped must not destroy what is live.
    planned.purge =
        PurgeWork{ns, std::min({purge->before_ms, now_ms_, parts_.reclaim_clock->now_ms()})};
  }
  return planned;
}

Status MutationPlanner::Insert(const InsertMutation& op, const std::string& namespace_name,
                               uint64_t ticket, Outcome* outcome) {
  outcome->id = TokenId::Of(op.key);
  // What is refused makes no namespace.
  const NamespaceInfo* known = FindNamespace(namespace_name);
  const DigestScheme scheme = known != nullptr ? known->scheme : DigestScheme::kSha256;
  if (op.scheme && *op.scheme != scheme) return SchemeMismatch(namespace_name, scheme);
  if (known == nullptr) {
    if (Status room = CheckRoom(RoomNeeded(nullptr, op.owner, op.scopes)); !room.ok()) return room;
  }
  NamespaceInfo info;
  if (Status status = EnsureNamespace(namespace_name, std::nullopt, &info); !status.ok()) {
    return status;
  }
  CommitGroup::Token* token = nullptr;
  if (Status status = group_->Find({info.id, op.key}, &token); !status.ok()) return status;
  StoredRecord next;
  const FoldResult folded = FoldInsert(op, NextStamp(), token->now ? &*token->now : nullptr, &next);
  if (folded.code == ErrorCode::kExists) {
    return {folded.code, "token: is there already; replace: true takes its place"};
  }
  if (folded.code == ErrorCode::kRevoked) {
    return {folded.code, "token: is revoked; replace: true brings it back"};
  }
  const Room room = RoomNeeded(token, op.owner, op.scopes);
  if (Status status = CheckRoom(room); !status.ok()) return status;
  TakeRoom(room);
  outcome->expires_at_ms = next.record.expires_at_ms;
  group_->Change(token, std::move(next), ticket, /*reset=*/true);
  return {};
}

template <typename Name>
void MutationPlanner::DenyInImports(NamespaceId ns, const Name& name,
                                    std::set<Name> OpenImport::*denied) {
  uint64_t bytes = kDenialOverheadBytes + sizeof(Name);
  if constexpr (std::is_same_v<Name, std::string>) bytes += name.size();
  for (auto& [id, import] : imports_) {
    if (import.ns != ns || !(import.*denied).insert(name).second) continue;
    import.denial_bytes += bytes;
    import_denial_bytes_ += bytes;
  }
  if (import_denial_bytes_ <= kImportDenialBytesMax) return;
  for (auto it = imports_.begin(); it != imports_.end();) {
    const auto import = it++;
    if (import->second.ns == ns) EndImport(import);
  }
}

Status MutationPlanner::Revoke(const TokenKey& key, NamespaceId ns, uint64_t ticket,
                               Outcome* outcome) {
  CommitGroup::Token* token = nullptr;
  if (Status status = group_->Find({ns, key}, &token); !status.ok()) return status;
  if (!token->now) {
    DenyInImports(ns, key, &OpenImport::denied_tokens);
    return {};
  }
  StoredRecord next;
  const FoldResult folded = FoldRevoke(NextStamp(), &*token->now, &next);
  outcome->was_live = folded.was_live;
  if (folded.changed) group_->Change(token, std::move(next), ticket, /*reset=*/false);
  return {};
}

Status MutationPlanner::RevokeId(const TokenId& id, NamespaceId ns, uint64_t ticket,
                                 Outcome* outcome) {
  CommitGroup::Token* token = nullptr;
  if (Status status = group_->FindById(ns, id, &token); !status.ok()) return status;
  if (token == nullptr) {
    DenyInImports(ns, id, &OpenImport::denied_ids);
    return {};
  }
  // The key was not known when it was queued; from here on it is denied, durable or not.
  parts_.table->Deny(ns, token->name.key);
  return Revoke(token->name.key, ns, ticket, outcome);
}

Status MutationPlanner::RevokeOwner(const RevokeOwnerMutation& op, NamespaceId ns,
                                    Planned* planned) {
  // Read first: what fails has changed nothing.
  std::vector<CommitGroup::Token*> left;
  if (const auto it = left_owners_.find({ns, op.owner}); it != left_owners_.end()) {
    for (const CommitGroup::LeftOwner& one : it->second) {
      CommitGroup::Token* token = nullptr;
      if (Status status = group_->Find(one.name, &token); !status.ok()) return status;
      if (token->now && token->now->inserted_sequence == one.inserted_sequence) {
        left.push_back(token);
      }
    }
  }
  const Stamp stamp = NextStamp();
  DenyInImports(ns, op.owner, &OpenImport::denied_owners);
  const OwnerCutoffs::Cutoff cutoff{.sequence = stamp.sequence, .at_ms = stamp.at_ms};
  parts_.cutoffs->Add(ns, op.owner, stamp.sequence, stamp.at_ms);
  group_->OwnerCut(ns, op.owner, cutoff);
  for (CommitGroup::Token* token : left) group_->End(token, op.owner, cutoff);
  owners_cut_.emplace_back(ns, op.owner);
  group_->PutMeta(CutoffRowKey(ns, op.owner),
                  EncodeCutoffRow({stamp.sequence, stamp.at_ms, /*swept=*/false}));
  planned->sweep = SweepWork{ns, op.owner, stamp.sequence};
  return {};
}

Status MutationPlanner::Extend(const ExtendMutation& op, NamespaceId ns, uint64_t ticket,
                               Outcome* outcome) {
  CommitGroup::Token* token = nullptr;
  if (Status status = group_->Find({ns, op.key}, &token); !status.ok()) return status;
  StoredRecord next;
  const FoldResult folded =
      FoldExtend(op.expires_at_ms, NextStamp(), token->now ? &*token->now : nullptr, &next);
  outcome->was_live = folded.was_live;
  if (folded.changed) group_->Change(token, std::move(next), ticket, /*reset=*/false);
  return {};
}

Status MutationPlanner::Update(const UpdateMutation& op, NamespaceId ns, uint64_t ticket,
                               Outcome* outcome) {
  CommitGroup::Token* token = nullptr;
  if (Status status = group_->FindById(ns, op.id, &token); !status.ok()) return status;
  if (token == nullptr) return {};
  StoredRecord next;
  const FoldResult folded = FoldUpdate(op, NextStamp(), &*token->now, &next);
  outcome->was_live = folded.was_live;
  if (!folded.changed) return {};
  const Room room = RoomNeeded(token, next.record.owner, next.record.scopes);
  if (Status status = CheckRoom(room); !status.ok()) return status;
  TakeRoom(room);
  group_->Change(token, std::move(next), ticket, /*reset=*/false);
  return {};
}

Status MutationPlanner::Rotate(const RotateMutation& op, NamespaceId ns, uint64_t ticket,
                               Outcome* outcome) {
  CommitGroup::Token* old_token = nullptr;
  CommitGroup::Token* new_token = nullptr;
  if (Status status = group_->Find({ns, op.old_key}, &old_token); !status.ok()) return status;
  if (!old_token->now || old_token->now->record.StateAt(now_ms_) != TokenState::kActive) {
    return {};
  }
  if (Status status = group_->Find({ns, op.new_key}, &new_token); !status.ok()) return status;
  // Its names are those of the old one.
  const Room room{.tokens = 1};
  if (Status status = CheckRoom(room); !status.ok()) return status;
  TakeRoom(room);
  const Stamp stamp = NextStamp();
  StoredRecord next = FoldRotateNew(op, stamp, *old_token->now);
  outcome->id = TokenId::Of(op.new_key);
  outcome->expires_at_ms = next.record.expires_at_ms;
  group_->Change(new_token, std::move(next), ticket, /*reset=*/true);
  StoredRecord ended;
  const FoldResult folded = FoldRotateOld(op, stamp, &*old_token->now, &ended);
  outcome->was_live = folded.was_live;
  if (folded.changed) group_->Change(old_token, std::move(ended), ticket, /*reset=*/false);
  return {};
}

Status MutationPlanner::ImportBegin(const ImportBeginMutation& op,
                                    const std::string& namespace_name, Outcome* outcome) {
  if (imports_.size() >= kImportsMax && !EndIdleImport()) {
    return {ErrorCode::kBusy, "1,000 imports are open, which is the most; end some first"};
  }
  NamespaceInfo info;
  if (Status status = EnsureNamespace(namespace_name, op.scheme, &info); !status.ok()) {
    return status;
  }
  OpenImport import;
  import.ns = info.id;
  import.scheme = info.scheme;
  import.begin = NextStamp();
  import.last_used_ms = now_ms_;
  // Made from the sequence number: unique for good, and a replay makes the same.
  outcome->import_id = "import-" + std::to_string(import.begin.sequence);
  std::string row;
  PutVarint(info.id, &row);
  PutVarint(import.begin.at_ms, &row);
  PutBytes(op.source, &row);
  PutBytes(op.position, &row);
  group_->PutMeta(std::string(kImportRowPrefix) + outcome->import_id, row);
  imports_.emplace(outcome->import_id, std::move(import));
  TOKEND_CRASH_POINT("import.begun");
  return {};
}

bool MutationPlanner::EndIdleImport() {
  const auto idlest = std::min_element(
      imports_.begin(), imports_.end(),
      [](const auto& a, const auto& b) { return a.second.last_used_ms < b.second.last_used_ms; });
  if (idlest->second.last_used_ms + kImportIdleMs > now_ms_) return false;
  EndImport(idlest);
  return true;
}

void MutationPlanner::EndImport(std::map<std::string, OpenImport, std::less<>>::iterator import) {
  import_denial_bytes_ -= import->second.denial_bytes;
  imports_.erase(import);
}

Status MutationPlanner::ImportRow(const ImportedRow& row, OpenImport* import, uint64_t ticket) {
  CommitGroup::Token* token = nullptr;
  if (Status status = group_->Find({import->ns, row.record.key}, &token); !status.ok()) {
    return status;
  }
  const Room room = RoomNeeded(token, row.record.owner, row.record.scopes);
  ImportedRow applied = row;
  Record& record = applied.record;
  if (import->denied_tokens.contains(record.key) ||
      import->denied_ids.contains(TokenId::Of(record.key)) ||
      (record.owner && import->denied_owners.contains(*record.owner))) {
    record.revoked = true;
  }
  if (!applied.has_updated_at) {
    // A row's own creation is the best that is known of its last change.
    applied.has_updated_at = record.created_at_ms != 0;
    record.updated_at_ms = record.created_at_ms != 0 ? record.created_at_ms : import->begin.at_ms;
  }
  if (record.created_at_ms == 0) record.created_at_ms = import->begin.at_ms;

  StoredRecord next;
  const bool is_new = !token->now;
  const MergeResult merged =
      FoldImport(applied, import->begin, now_ms_, is_new ? nullptr : &*token->now, &next);
  if (merged == MergeResult::kUnchanged) {
    ++import->unchanged;
    return {};
  }
  if (Status status = CheckRoom(room); !status.ok()) return status;
  TakeRoom(room);
  const UsageRow usage{next.KeptFromMs(), record.last_used_at_ms.value_or(0), record.use_count};
  ++(merged == MergeResult::kTaken ? import->taken : import->replaced);
  group_->Change(token, std::move(next), ticket, /*reset=*/is_new);
  // Only with a new token: counts that were merged twice would add up.
  if (is_new && (usage.last_used_at_ms != 0 || usage.use_count != 0)) {
    token->imported_usage = usage;
  }
  return {};
}

Status MutationPlanner::ImportRows(const ImportRowsMutation& op, uint64_t ticket,
                                   Outcome* outcome) {
  const auto it = imports_.find(op.import_id);
  if (it == imports_.end()) return NoSuchImport();
  OpenImport& import = it->second;
  import.last_used_ms = now_ms_;
  const OpenImport& totals = import;
  const uint64_t taken = totals.taken, replaced = totals.replaced, unchanged = totals.unchanged,
                 refused = totals.refused;
  import.refused += op.refused;
  for (const ImportedRow& row : op.rows) {
    if (row.scheme && *row.scheme != import.scheme) {
      ++import.refused;
      continue;
    }
    if (Status status = ImportRow(row, &import, ticket); !status.ok()) return status;
    TOKEND_CRASH_POINT("import.row");
  }
  outcome->taken = totals.taken - taken;
  outcome->replaced = totals.replaced - replaced;
  outcome->unchanged = totals.unchanged - unchanged;
  outcome->refused = totals.refused - refused;
  return {};
}

Status MutationPlanner::ImportEnd(const ImportEndMutation& op, Outcome* outcome) {
  const auto it = imports_.find(op.import_id);
  if (it == imports_.end()) return NoSuchImport();
  const OpenImport& import = it->second;
  outcome->taken = import.taken;
  outcome->replaced = import.replaced;
  outcome->unchanged = import.unchanged;
  outcome->refused = import.refused;
  // A row of its own, so that there is something to sync: what the import wrote is behind it.
  std::string row;
  for (const uint64_t total : {import.taken, import.replaced, import.unchanged, import.refused}) {
    PutVarint(total, &row);
  }
  group_->PutMeta(std::string(kImportRowPrefix) + op.import_id + kImportEndSuffix, row);
  EndImport(it);
  TOKEND_CRASH_POINT("import.ended");
  return {};
}

}  // namespace tokend
