#include "storage/audit_trail.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "protocol/digest.h"
#include "storage/byte_codec.h"
#include "storage/crash_point.h"
#include "storage/rows.h"

namespace tokend {
namespace {

const Origin kItself{.caller = {}, .address = {}, .via = "internal"};

std::string_view OpName(const Mutation& mutation) {
  struct Names {
    std::string_view operator()(const InsertMutation&) { return "insert"; }
    std::string_view operator()(const RevokeMutation&) { return "revoke"; }
    std::string_view operator()(const RevokeIdMutation&) { return "revoke_id"; }
    std::string_view operator()(const RevokeOwnerMutation&) { return "revoke_owner"; }
    std::string_view operator()(const ExtendMutation&) { return "extend"; }
    std::string_view operator()(const UpdateMutation&) { return "update"; }
    std::string_view operator()(const RotateMutation&) { return "rotate"; }
    std::string_view operator()(const PurgeExpiredMutation&) { return "purge_expired"; }
    std::string_view operator()(const ImportBeginMutation&) { return "import_begin"; }
    std::string_view operator()(const ImportRowsMutation&) { return "import_rows"; }
    std::string_view operator()(const ImportEndMutation&) { return "import_end"; }
    std::string_view operator()(const AcceptClockMutation&) { return "clock_accept"; }
    std::string_view operator()(const CreateNamespaceMutation&) { return "create_namespace"; }
    std::string_view operator()(const RekeyMutation&) { return "rekey"; }
    std::string_view operator()(const AuditMutation& op) { return op.op; }
  };
  return std::visit(Names(), mutation.op);
}

// Of those that answer whether there was such a token.
bool TellsWhetherLive(const Mutation& mutation) {
  return std::holds_alternative<RevokeMutation>(mutation.op) ||
         std::holds_alternative<RevokeIdMutation>(mutation.op) ||
         std::holds_alternative<ExtendMutation>(mutation.op) ||
         std::holds_alternative<UpdateMutation>(mutation.op) ||
         std::holds_alternative<RotateMutation>(mutation.op);
}

// An import is one line, and it is written when it is over. What a state of the server refuses has
// changed nothing, and on a full disk no room is left for that.
bool IsNoted(const Mutation& mutation, const MutationPlanner::Planned& planned,
             const Outcome& outcome) {
  if (outcome.status.code() == ErrorCode::kReadOnly || !planned.has_effect) return false;
  if (std::holds_alternative<ImportRowsMutation>(mutation.op)) return false;
  const bool is_of_import = std::holds_alternative<ImportBeginMutation>(mutation.op) ||
                            std::holds_alternative<ImportEndMutation>(mutation.op);
  return !is_of_import || !outcome.status.ok();
}

std::string_view ResultOf(const Mutation& mutation, const MutationPlanner::Planned& planned,
                          const Outcome& outcome) {
  if (const auto* audit = std::get_if<AuditMutation>(&mutation.op)) return audit->result;
  if (!outcome.status.ok()) return ErrorCodeName(outcome.status.code());
  if (!TellsWhetherLive(mutation) || outcome.was_live) return "ok";
  if (planned.is_others) return ErrorCodeName(ErrorCode::kForbidden);
  return planned.token == nullptr || !planned.token->now ? "unknown" : "not_live";
}

// The key that the Mutation names; null where it names none.
const TokenKey* NamedKey(const Mutation& mutation) {
  if (const auto* insert = std::get_if<InsertMutation>(&mutation.op)) return &insert->key;
  if (const auto* revoke = std::get_if<RevokeMutation>(&mutation.op)) return &revoke->key;
  if (const auto* extend = std::get_if<ExtendMutation>(&mutation.op)) return &extend->key;
  if (const auto* rotate = std::get_if<RotateMutation>(&mutation.op)) return &rotate->old_key;
  const auto* audit = std::get_if<AuditMutation>(&mutation.op);
  return audit != nullptr && audit->key ? &*audit->key : nullptr;
}

const TokenId* NamedId(const Mutation& mutation) {
  if (const auto* revoke = std::get_if<RevokeIdMutation>(&mutation.op)) return &revoke->id;
  if (const auto* update = std::get_if<UpdateMutation>(&mutation.op)) return &update->id;
  return nullptr;
}

void WriteToken(const Mutation& mutation, const CommitGroup::Token* token, AuditLineWriter* line) {
  const TokenKey* key = NamedKey(mutation);
  if (key == nullptr && token != nullptr) key = &token->name.key;
  if (key != nullptr) {
    line->Key("id", "key", *key);
  } else if (const TokenId* id = NamedId(mutation)) {
    line->Text("id", ToHex(*id));
  }
  if (token != nullptr && token->now && token->now->record.owner) {
    line->Name("owner", *token->now->record.owner);
  }
}

// What it was to bring about.
void WriteChange(const Mutation& mutation, const Outcome& outcome, AuditLineWriter* line) {
  if (const auto* insert = std::get_if<InsertMutation>(&mutation.op)) {
    if (outcome.status.ok()) line->Time("expires_at", outcome.expires_at_ms);
    if (insert->replace) line->True("replace");
  } else if (const auto* extend = std::get_if<ExtendMutation>(&mutation.op)) {
    line->Time("expires_at", extend->expires_at_ms);
  } else if (const auto* update = std::get_if<UpdateMutation>(&mutation.op)) {
    if (update->name) line->True("name_changed");
    if (update->scopes) line->True("scopes_changed");
    if (update->attributes) line->True("attributes_changed");
    if (update->expires_at_ms) line->Time("expires_at", *update->expires_at_ms);
  } else if (const auto* rotate = std::get_if<RotateMutation>(&mutation.op)) {
    if (!outcome.was_live) return;
    line->Key("new_id", "new_key", rotate->new_key);
    line->Time("expires_at", outcome.expires_at_ms);
    line->Number("overlap_ms", rotate->overlap_ms);
  } else if (const auto* revoke_owner = std::get_if<RevokeOwnerMutation>(&mutation.op)) {
    line->Name("owner", revoke_owner->owner);
  } else if (const auto* purge = std::get_if<PurgeExpiredMutation>(&mutation.op)) {
    line->Time("before", purge->before_ms);
  } else if (const auto* end = std::get_if<ImportEndMutation>(&mutation.op)) {
    line->Name("import", end->import_id);
  } else if (const auto* create = std::get_if<CreateNamespaceMutation>(&mutation.op)) {
    line->Text("scheme", DigestSchemeName(create->scheme));
  } else if (const auto* audit = std::get_if<AuditMutation>(&mutation.op)) {
    if (audit->suppressed != 0) line->Number("suppressed", audit->suppressed);
  }
}

std::string ImportRowKey(std::string_view import_id) {
  return std::string(kAuditImportRowPrefix).append(import_id);
}

}  // namespace

// What is known of an import when it begins, for the case that nothing else ever is.
struct AuditTrail::ImportRow {
  std::string_view namespace_name, source, caller, address, via;

  static std::string Encode(const std::string& namespace_name, const std::string& source,
                            const Origin& origin) {
    std::string out;
    PutBytes(namespace_name, &out);
    PutBytes(source, &out);
    PutBytes(origin.caller, &out);
    PutBytes(origin.address, &out);
    PutBytes(origin.via, &out);
    return out;
  }
  bool Decode(std::string_view bytes) {
    ByteReader in(bytes);
    for (std::string_view* part : {&namespace_name, &source, &caller, &address, &via})
      in.Bytes(part);
    return in.Done();
  }
};

AuditTrail::AuditTrail(const StoreParts& parts, AuditFile* file) : parts_(parts), file_(file) {
  if (file_ == nullptr) return;
  head_ = next_ = file_->head();
  dropped_ = file_->rows_from() - 1;
}

void AuditTrail::BeginGroup(CommitGroup* group, uint64_t now_ms) {
  group_ = group;
  now_ms_ = now_ms;
  next_ = head_;
  lines_.clear();
}

void AuditTrail::WriteOrigin(const Origin* origin, AuditLineWriter* line) {
  const Origin& from = origin != nullptr ? *origin : kItself;
  from.caller.empty() ? line->Null("caller") : line->Text("caller", from.caller);
  from.address.empty() ? line->Null("from") : line->Text("from", from.address);
  line->Text("via", from.via);
}

void AuditTrail::Add(AuditLineWriter* writer) {
  const std::string line = writer->End(next_.hash);
  next_ = HeadOf(next_.seq + 1, line);
  group_->PutMeta(AuditLineRowKey(next_.seq), line);
  lines_.append(line).push_back('\n');
}

void AuditTrail::Note(const Mutation& mutation, const MutationPlanner::Planned& planned,
                      const Outcome& outcome) {
  if (!enabled()) return;
  if (const auto* begin = std::get_if<ImportBeginMutation>(&mutation.op);
      begin != nullptr && outcome.status.ok()) {
    const Origin& from = mutation.origin != nullptr ? *mutation.origin : kItself;
    group_->PutMeta(ImportRowKey(outcome.import_id),
                    ImportRow::Encode(mutation.namespace_name, begin->source, from));
  }
  if (!IsNoted(mutation, planned, outcome)) return;
  AuditLineWriter line(next_.seq + 1, now_ms_);
  WriteOrigin(mutation.origin.get(), &line);
  line.Text("op", OpName(mutation));
  if (!mutation.namespace_name.empty()) line.Name("namespace", mutation.namespace_name);
  WriteToken(mutation, planned.token, &line);
  WriteChange(mutation, outcome, &line);
  line.Text("result", ResultOf(mutation, planned, outcome));
  Add(&line);
}

void AuditTrail::NoteImport(const MutationPlanner::EndedImport& import) {
  if (!enabled()) return;
  AuditLineWriter line(next_.seq + 1, now_ms_);
  WriteOrigin(import.origin.get(), &line);
  line.Text("op", "import");
  line.Name("namespace", import.namespace_name);
  line.Text("import", import.id);
  line.Name("source", import.source);
  line.Number("taken", import.taken);
  line.Number("replaced", import.replaced);
  line.Number("unchanged", import.unchanged);
  line.Number("refused", import.refused);
  line.Text("result", import.result);
  Add(&line);
  group_->DeleteMeta(ImportRowKey(import.id));
}

Status AuditTrail::NoteStart() {
  if (const uint64_t known = file_->data_head().seq; known < head_.seq) {
    AuditLineWriter line(next_.seq + 1, now_ms_);
    WriteOrigin(nullptr, &line);
    line.Text("op", "resume");
    line.Number("data_knows", known);
    line.Text("result", "ok");
    Add(&line);
  }
  const std::unique_ptr<rocksdb::Iterator> it(parts_.database->NewIterator(Database::kMeta));
  const rocksdb::Slice prefix(kAuditImportRowPrefix.data(), kAuditImportRowPrefix.size());
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    const std::string row_key = it->key().ToString();
    ImportRow row;
    if (!row.Decode({it->value().data(), it->value().size()})) {
      return {ErrorCode::kInternal,
              "a row of the audit log on disk is damaged or of a newer tokend; restore from a "
              "backup, or use the tokend that wrote it"};
    }
    const Origin origin{std::string(row.caller), std::string(row.address), row.via};
    AuditLineWriter line(next_.seq + 1, now_ms_);
    WriteOrigin(&origin, &line);
    line.Text("op", "import");
    line.Name("namespace", row.namespace_name);
    line.Text("import", row_key.substr(kAuditImportRowPrefix.size()));
    line.Name("source", row.source);
    line.Text("result", "interrupted");
    Add(&line);
    group_->DeleteMeta(row_key);
  }
  return FromRocksDb(it->status(), "cannot read the audit log's rows");
}

void AuditTrail::EndGroup() {
  if (next_ != head_) group_->PutMeta(kAuditHeadRow, EncodeAuditHeadRow(next_));
}

void AuditTrail::Committed(bool written) {
  group_ = nullptr;
  if (!written || next_ == head_) return;
  const uint64_t first_seq = head_.seq + 1;
  head_ = next_;
  file_->LinesCommitted(first_seq, head_, lines_);
}

bool AuditTrail::DropWritten(CommitGroup* group) {
  if (!enabled()) return false;
  const uint64_t last = file_->synced_seq();
  if (last <= dropped_) return false;
  group->DeleteMetaRange(AuditLineRowKey(dropped_ + 1), AuditLineRowKey(last + 1));
  dropped_ = last;
  return true;
}

void AuditTrail::Stop() {
  if (enabled()) file_->Stop();
}

}  // namespace tokend
