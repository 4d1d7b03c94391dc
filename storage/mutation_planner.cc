#include "storage/mutation_planner.h"

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>
#include <utility>

#include "storage/byte_codec.h"
#include "storage/crash_point.h"

namespace tokend {
namespace {

// Of a node of a set.
constexpr uint64_t kDenialOverheadBytes = 48;
// Of an import's rows: what their filters hold of them has come by then.
constexpr size_t kAhead = 8;

Status SchemeMismatch(std::string_view name, DigestScheme has) {
  return {ErrorCode::kBadParams, "namespace: " + QuoteName(name) + " has the digest scheme " +
                                     std::string(DigestSchemeName(has)) +
                                     "; use another namespace"};
}

// Made from its begin's sequence number: unique for good, and a replay makes the same.
std::string ImportIdOf(uint64_t sequence) { return "import-" + std::to_string(sequence); }

Status NoSuchImport() {
  return {
      ErrorCode::kBadParams,
      "import id: no such import is open; it ended, or nothing came of it for an hour, or too much "
      "was revoked while it ran, or its rows could not be written, or the server has restarted "
      "since: begin it again"};
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

Status MutationPlanner::HoldsExpired(NamespaceId ns, bool* holds) const {
  *holds = false;
  for (const bool revoked : {false, true}) {
    const IndexRange range = MakeIndexRange(ExpiryIndexPrefix(ns), revoked, 0, now_ms_);
    const rocksdb::Slice end(range.end);
    const std::unique_ptr<rocksdb::Iterator> it(
        parts_.database->NewIterator(Database::kExpiry, &end));
    it->Seek(range.start);
    *holds = *holds || it->Valid();
    if (!it->status().ok()) return FromRocksDb(it->status(), "cannot read the namespace");
  }
  return {};
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
    if (group_->tokens_added() == 0 && stage_->empty()) {
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
  if (next_id >= limits_.namespaces_max) {
    return {ErrorCode::kTooLarge,
            "namespace: there is no " + QuoteName(name) + ", and no more than " +
                std::to_string(limits_.namespaces_max) + " may be made; raise namespaces_max"};
  }
  *info = {static_cast<NamespaceId>(next_id), scheme.value_or(DigestScheme::kSha256)};
  return PutNamespace(name, *info);
}

MutationPlanner::Room MutationPlanner::RoomNeeded(const CommitGroup::Token* token,
                                                  const std::optional<std::string>& owner,
                                                  const std::vector<std::string>& scopes) const {
  const Record* now = token != nullptr && token->now ? &token->now->record : nullptr;
  // The disk keeps what has expired longer than memory does.
  if (now == nullptr || now->expires_at_ms <= now_ms_) return RoomOfToken(owner, scopes);
  Room room;
  if (now->owner != owner) room += RoomOfOwner(owner);
  if (now->scopes != scopes) room += RoomOfScopes(scopes);
  return room;
}

Status MutationPlanner::CheckRoom(const Room& room) const {
  if (room.tokens == 0 && room.name_bytes == 0) return {};
  if (parts_.table->HasRoomFor(stage_->room() + group_room_ + room)) return {};
  return {ErrorCode::kMemoryLimit,
          "the memory limit is reached; raise memory_bytes_max, or purge what has expired"};
}

void MutationPlanner::TakeRoom(const Room& room) { group_room_ += room; }

void MutationPlanner::CollectNames(const Mutation& mutation, std::vector<TokenName>* names) const {
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

bool MutationPlanner::MayTouch(const CommitGroup::Token& token) {
  const std::optional<std::string>& owner = token.now->record.owner;
  subject_is_others_ =
      !owners_.empty() && !(owner && std::ranges::find(owners_, *owner) != owners_.end());
  return !subject_is_others_;
}

MutationPlanner::Planned MutationPlanner::Plan(Mutation& mutation, uint64_t ticket,
                                               Outcome* outcome) {
  owners_ = mutation.owners;
  subject_ = nullptr;
  subject_is_others_ = false;
  Planned planned = PlanOperation(mutation, ticket, outcome);
  planned.token = subject_;
  planned.is_others = subject_is_others_;
  return planned;
}

MutationPlanner::Planned MutationPlanner::PlanOperation(Mutation& mutation, uint64_t ticket,
                                                        Outcome* outcome) {
  Planned planned;
  const std::string& name = mutation.namespace_name;
  // Those that make their namespace, or need none.
  if (const auto* insert = std::get_if<InsertMutation>(&mutation.op)) {
    outcome->status = Insert(*insert, name, ticket, outcome);
    return planned;
  }
  if (const auto* begin = std::get_if<ImportBeginMutation>(&mutation.op)) {
    outcome->status = ImportBegin(*begin, mutation, outcome);
    return planned;
  }
  if (auto* rows = std::get_if<ImportRowsMutation>(&mutation.op)) {
    outcome->status = ImportRows(*rows, ticket, outcome);
    planned.needs_sync = false;
    return planned;
  }
  if (const auto* end = std::get_if<ImportEndMutation>(&mutation.op)) {
    outcome->status = ImportEnd(*end, outcome);
    return planned;
  }
  if (const auto* create = std::get_if<CreateNamespaceMutation>(&mutation.op)) {
    const NamespaceInfo* const known = FindNamespace(name);
    planned.has_effect = known == nullptr || known->scheme != create->scheme;
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

  if (const auto* audit = std::get_if<AuditMutation>(&mutation.op)) {
    planned.needs_sync = audit->is_awaited;
    return planned;
  }
  if (std::holds_alternative<RekeyMutation>(mutation.op)) {
    outcome->status = Rekey(name, &planned);
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

Status MutationPlanner::Rekey(const std::string& namespace_name, Planned* planned) const {
  if (parts_.sealer == nullptr) {
    return {ErrorCode::kUnavailable,
            "the server has no key to seal by; give it a seal_key_file in its configuration"};
  }
  if (!namespace_name.empty()) {
    const NamespaceInfo* info = FindNamespace(namespace_name);
    if (info == nullptr) return UnknownNamespace(namespace_name);
    planned->rekey = RekeyWork{{{namespace_name, info->id}}};
    return {};
  }
  // One that is made in this group has nothing that an earlier key has sealed.
  RekeyWork& work = planned->rekey.emplace();
  const auto snapshot = parts_.namespaces->snapshot();
  for (const auto& [name, info] : *snapshot) work.namespaces.emplace_back(name, info.id);
  return {};
}

Status MutationPlanner::MergeStaged(ImportStage::Tokens tokens) {
  for (ImportRun::Token& token : tokens) {
    Status status = PlanTaken(std::move(token));
    if (status.ok()) continue;
    stage_->Fail(status);
    return status;
  }
  return {};
}

Status MutationPlanner::Find(const TokenName& name, CommitGroup::Token** token) {
  if (Status status = MergeStaged(stage_->TakeToken(name.ns, name.key)); !status.ok()) {
    return status;
  }
  return group_->Find(name, token);
}

Status MutationPlanner::FindById(NamespaceId ns, const TokenId& id, CommitGroup::Token** token) {
  if (Status status = MergeStaged(stage_->TakeById(ns, id)); !status.ok()) return status;
  return group_->FindById(ns, id, token);
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
  if (Status status = Find({info.id, op.key}, &token); !status.ok()) return status;
  subject_ = token;
  StoredRecord next;
  const FoldResult folded = FoldInsert(op, NextStamp(), token->now ? &*token->now : nullptr, &next);
  if (folded.code == ErrorCode::kExists) {
    return {folded.code, "token: is there already; replace: true takes its place"};
  }
  if (folded.code == ErrorCode::kRevoked) {
    return {folded.code, "token: is revoked; replace: true brings it back"};
  }
  // To take its place, also where it has expired, is to end it.
  if (token->now && !MayTouch(*token)) {
    return {ErrorCode::kForbidden, "token: is there already, and another owner's"};
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
    if (import->second.ns == ns) EndImport(import, "too_many_revokes");
  }
}

Status MutationPlanner::Revoke(const TokenKey& key, NamespaceId ns, uint64_t ticket,
                               Outcome* outcome) {
  CommitGroup::Token* token = nullptr;
  if (Status status = Find({ns, key}, &token); !status.ok()) return status;
  subject_ = token;
  if (!token->now) {
    // Whose an import's row will be is not known.
    if (owners_.empty()) DenyInImports(ns, key, &OpenImport::denied_tokens);
    return {};
  }
  if (!MayTouch(*token)) return {};
  if (!owners_.empty()) parts_.table->Deny(ns, key);
  StoredRecord next;
  const FoldResult folded = FoldRevoke(NextStamp(), &*token->now, &next);
  outcome->was_live = folded.was_live;
  if (folded.changed) group_->Change(token, std::move(next), ticket, /*reset=*/false);
  return {};
}

Status MutationPlanner::RevokeId(const TokenId& id, NamespaceId ns, uint64_t ticket,
                                 Outcome* outcome) {
  CommitGroup::Token* token = nullptr;
  if (Status status = FindById(ns, id, &token); !status.ok()) return status;
  if (token == nullptr) {
    if (owners_.empty()) DenyInImports(ns, id, &OpenImport::denied_ids);
    return {};
  }
  if (!owners_.empty()) return Revoke(token->name.key, ns, ticket, outcome);
  // The key was not known when it was queued; from here on it is denied, durable or not.
  parts_.table->Deny(ns, token->name.key);
  return Revoke(token->name.key, ns, ticket, outcome);
}

Status MutationPlanner::RevokeOwner(const RevokeOwnerMutation& op, NamespaceId ns,
                                    Planned* planned) {
  if (Status status = MergeStaged(stage_->TakeOwner(ns, op.owner)); !status.ok()) return status;
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
  if (Status status = Find({ns, op.key}, &token); !status.ok()) return status;
  subject_ = token;
  if (token->now && !MayTouch(*token)) return {};
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
  if (Status status = FindById(ns, op.id, &token); !status.ok()) return status;
  subject_ = token;
  if (token == nullptr || !MayTouch(*token)) return {};
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
  if (Status status = Find({ns, op.old_key}, &old_token); !status.ok()) return status;
  subject_ = old_token;
  if (!old_token->now || old_token->now->record.StateAt(now_ms_) != TokenState::kActive ||
      !MayTouch(*old_token)) {
    return {};
  }
  if (Status status = Find({ns, op.new_key}, &new_token); !status.ok()) return status;
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

Status MutationPlanner::ImportBegin(const ImportBeginMutation& op, const Mutation& mutation,
                                    Outcome* outcome) {
  if (imports_.size() >= kImportsMax && !EndIdleImport()) {
    return {ErrorCode::kBusy, "1,000 imports are open, which is the most; end some first"};
  }
  NamespaceInfo info;
  if (Status status = EnsureNamespace(mutation.namespace_name, op.scheme, &info); !status.ok()) {
    return status;
  }
  OpenImport import;
  import.namespace_name = mutation.namespace_name;
  import.source = op.source;
  import.origin = mutation.origin;
  import.ns = info.id;
  import.scheme = info.scheme;
  import.stricter = op.stricter;
  import.begin = NextStamp();
  import.last_used_ms = now_ms_;
  if (Status status = HoldsExpired(info.id, &import.disk_holds_more); !status.ok()) return status;
  stage_->Track(true);
  outcome->import_id = ImportIdOf(import.begin.sequence);
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
  EndImport(idlest, "idle");
  return true;
}

void MutationPlanner::EndImport(std::map<std::string, OpenImport, std::less<>>::iterator import,
                                std::string_view result) {
  OpenImport& ended = import->second;
  import_denial_bytes_ -= ended.denial_bytes;
  ended_imports_.push_back({import->first, std::move(ended.namespace_name), std::move(ended.source),
                            std::move(ended.origin), result, ended.taken, ended.replaced,
                            ended.unchanged, ended.refused});
  imports_.erase(import);
  if (imports_.empty() && stage_->empty()) stage_->Track(false);
}

void MutationPlanner::EndImports() {
  while (!imports_.empty()) EndImport(imports_.begin(), "failed");
}

bool MutationPlanner::MayStage(const OpenImport& import) const {
  // While memory lacks tokens, what it does not have may be there all the same.
  return import.rows() >= limits_.import_direct_rows &&
         !parts_.table->AreMissesUnavailable(now_ms_);
}

MutationPlanner::Staging MutationPlanner::StagingOf(const OpenImport& import,
                                                    const TokenKey& key) const {
  if (stage_->MayHold(import.ns, key)) return Staging::kBehind;
  if (parts_.table->Peek(import.ns, key)) return Staging::kNo;
  return import.disk_holds_more || stage_->MayBeForgotten(import.ns, key) ? Staging::kUnlessOnDisk
                                                                          : Staging::kYes;
}

Status MutationPlanner::ImportRow(ImportedRow&& row, OpenImport* import, uint64_t ticket,
                                  Staging staging) {
  Record& record = row.record;
  if (import->denied_tokens.contains(record.key) ||
      import->denied_ids.contains(TokenId::Of(record.key)) ||
      (record.owner && import->denied_owners.contains(*record.owner))) {
    record.revoked = true;
  }
  if (!row.has_updated_at) {
    // A row's own creation is the best that is known of its last change.
    row.has_updated_at = record.created_at_ms != 0;
    record.updated_at_ms = record.created_at_ms != 0 ? record.created_at_ms : import->begin.at_ms;
  }
  if (record.created_at_ms == 0) record.created_at_ms = import->begin.at_ms;
  const uint64_t last_used_at_ms = record.last_used_at_ms.value_or(0);
  const uint64_t use_count = record.use_count;

  CommitGroup::Token* token = nullptr;
  if (group_->Changes({import->ns, record.key})) staging = Staging::kNo;
  if (staging == Staging::kNo || staging == Staging::kUnlessOnDisk) {
    if (Status status = group_->Find({import->ns, record.key}, &token); !status.ok()) return status;
    if (token->on_disk) staging = Staging::kNo;
  }
  const Room room = RoomNeeded(token, record.owner, record.scopes);
  StoredRecord next;
  const bool is_new = token == nullptr || !token->now;
  const MergeResult merged =
      FoldImport(std::move(row), import->begin, std::max(now_ms_, parts_.reclaim_clock->now_ms()),
                 import->stricter, is_new ? nullptr : &*token->now, &next);
  if (merged == MergeResult::kUnchanged) {
    ++import->unchanged;
    return {};
  }
  if (Status status = CheckRoom(room); !status.ok()) return status;
  ++(merged == MergeResult::kTaken ? import->taken : import->replaced);
  const UsageRow usage{next.KeptFromMs(), last_used_at_ms, use_count};
  if (staging != Staging::kNo) {
    stage_->Add(import->ns, next, usage, /*is_behind=*/staging == Staging::kBehind);
    return {};
  }
  TakeRoom(room);
  group_->Change(token, std::move(next), ticket, /*reset=*/is_new);
  // Only with a new token: counts that were merged twice would add up.
  if (is_new && (usage.last_used_at_ms != 0 || usage.use_count != 0)) {
    token->imported_usage = usage;
  }
  return {};
}

Status MutationPlanner::PlanTaken(ImportRun::Token token) {
  // Its import's id is made from the number that its record has.
  const auto import = imports_.find(ImportIdOf(token.stored.inserted_sequence));
  if (import == imports_.end()) return {};  // too much was revoked for it to go on
  --import->second.taken;                   // it is counted anew
  ImportedRow row;
  row.record = std::move(token.stored.record);
  row.sealed = std::move(token.stored.sealed);
  row.record.last_used_at_ms = token.usage.last_used_at_ms;
  row.record.use_count = token.usage.use_count;
  // The begin's time stands for none, as it was put in.
  const uint64_t begun_at_ms = import->second.begin.at_ms;
  row.has_updated_at = row.record.updated_at_ms != begun_at_ms;
  if (row.record.created_at_ms == begun_at_ms) row.record.created_at_ms = 0;
  // Whatever revoke is queued came later than the row.
  return ImportRow(std::move(row), &import->second, /*ticket=*/0, Staging::kNo);
}

Status MutationPlanner::ImportRows(ImportRowsMutation& op, uint64_t ticket, Outcome* outcome) {
  const auto it = imports_.find(op.import_id);
  if (it == imports_.end()) return NoSuchImport();
  OpenImport& import = it->second;
  import.last_used_ms = now_ms_;
  const OpenImport& totals = import;
  const uint64_t taken = totals.taken, replaced = totals.replaced, unchanged = totals.unchanged,
                 refused = totals.refused;
  std::span<ImportedRow> rows = std::span(op.rows).subspan(op.planned);
  rows = rows.first(std::min(rows.size(), kImportStepRows));
  // First what is to become of each, so that the disk is asked for all of them in one go.
  const bool may_stage = MayStage(import);
  std::array<Staging, kImportStepRows> stagings;
  std::vector<TokenName> names;
  for (size_t i = 0; i < rows.size(); ++i) {
    const TokenKey& key = rows[i].record.key;
    const size_t ahead = op.planned + i + kAhead;
    if (may_stage && ahead < op.rows.size()) {
      const Record& record = op.rows[ahead].record;
      stage_->Prefetch(import.ns, record.key, record.owner);
      parts_.table->PrefetchPeek(import.ns, record.key);
    }
    stagings[i] = may_stage ? StagingOf(import, key) : Staging::kNo;
    if (stagings[i] == Staging::kNo || stagings[i] == Staging::kUnlessOnDisk) {
      names.push_back({import.ns, key});
      if (names.size() == kImportStepReads) rows = rows.first(i + 1);
    }
  }
  if (Status status = group_->Prefetch(names); !status.ok()) return status;
  if (op.planned == 0) import.refused += op.refused;
  for (size_t i = 0; i < rows.size(); ++i) {
    ImportedRow& row = rows[i];
    if (row.scheme && *row.scheme != import.scheme) {
      ++import.refused;
      continue;
    }
    if (Status status = ImportRow(std::move(row), &import, ticket, stagings[i]); !status.ok()) {
      return status;
    }
    TOKEND_CRASH_POINT("import.row");
  }
  op.planned += rows.size();
  outcome->taken += totals.taken - taken;
  outcome->replaced += totals.replaced - replaced;
  outcome->unchanged += totals.unchanged - unchanged;
  outcome->refused += totals.refused - refused;
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
  EndImport(it, "ok");
  TOKEND_CRASH_POINT("import.ended");
  return {};
}

}  // namespace tokend
