#include "storage/fold.h"

#include <algorithm>
#include <utility>

#include "protocol/sealer.h"

namespace tokend {
namespace {

bool IsLive(const StoredRecord* current, const Stamp& stamp) {
  return current != nullptr && current->record.StateAt(stamp.at_ms) == TokenState::kActive;
}

bool IsApplied(const StoredRecord* current, const Stamp& stamp) {
  return current != nullptr && current->sequence >= stamp.sequence;
}

void Touch(const Stamp& stamp, StoredRecord* next) {
  next->sequence = stamp.sequence;
  next->record.updated_at_ms = stamp.at_ms;
  // The disk goes by the reclaim clock. Where the wall clock was set back behind it, what is live
  // for years may have expired long ago for the disk, which then waits.
  const uint64_t written_ms = std::max(stamp.at_ms, stamp.reclaim_ms);
  next->written_expired_at_ms = written_ms >= next->record.expires_at_ms ? written_ms : 0;
}

bool SameContent(const Record& a, const Record& b) {
  return a.source_id == b.source_id && a.owner == b.owner && a.name == b.name &&
         a.scopes == b.scopes && a.created_at_ms == b.created_at_ms &&
         a.updated_at_ms == b.updated_at_ms && a.expires_at_ms == b.expires_at_ms &&
         a.revoked == b.revoked && a.attributes == b.attributes;
}

}  // namespace

FoldResult FoldInsert(const InsertMutation& insert, const Stamp& stamp, const StoredRecord* current,
                      StoredRecord* next) {
  FoldResult result;
  if (IsApplied(current, stamp)) return result;
  result.was_live = IsLive(current, stamp);
  if (current != nullptr && !insert.replace) {
    if (current->record.revoked) result.code = ErrorCode::kRevoked;
    if (result.was_live) result.code = ErrorCode::kExists;
    if (result.code != ErrorCode::kOk) return result;
  }
  *next = StoredRecord{};
  Record& r = next->record;
  r.key = insert.key;
  r.owner = insert.owner;
  r.name = insert.name;
  r.scopes = insert.scopes;
  r.attributes = insert.attributes;
  r.expires_at_ms = insert.expiry.Resolve(stamp.at_ms);
  r.created_at_ms = stamp.at_ms;
  r.generation = current != nullptr && insert.replace ? current->record.generation + 1 : 1;
  next->inserted_sequence = stamp.sequence;
  next->sealed = insert.sealed;
  Touch(stamp, next);
  result.changed = true;
  return result;
}

FoldResult FoldRevoke(const Stamp& stamp, const StoredRecord* current, StoredRecord* next) {
  FoldResult result;
  if (current == nullptr || IsApplied(current, stamp) || current->record.revoked) return result;
  result.was_live = IsLive(current, stamp);
  result.changed = true;
  *next = *current;
  next->record.revoked = true;
  Touch(stamp, next);
  return result;
}

FoldResult FoldExtend(uint64_t expires_at_ms, const Stamp& stamp, const StoredRecord* current,
                      StoredRecord* next) {
  FoldResult result;
  if (IsApplied(current, stamp) || !IsLive(current, stamp)) return result;
  result.was_live = result.changed = true;
  *next = *current;
  next->record.expires_at_ms = expires_at_ms;
  Touch(stamp, next);
  return result;
}

FoldResult FoldUpdate(const UpdateMutation& update, const Stamp& stamp, const StoredRecord* current,
                      StoredRecord* next) {
  FoldResult result;
  if (IsApplied(current, stamp) || !IsLive(current, stamp)) return result;
  result.was_live = result.changed = true;
  *next = *current;
  if (update.name) next->record.name = *update.name;
  if (update.scopes) next->record.scopes = *update.scopes;
  if (update.attributes) next->record.attributes = *update.attributes;
  if (update.expires_at_ms) next->record.expires_at_ms = *update.expires_at_ms;
  Touch(stamp, next);
  return result;
}

StoredRecord FoldRotateNew(const RotateMutation& rotate, const Stamp& stamp,
                           const StoredRecord& old) {
  StoredRecord next;
  Record& r = next.record;
  r.key = rotate.new_key;
  r.owner = old.record.owner;
  r.name = old.record.name;
  r.scopes = old.record.scopes;
  r.attributes = old.record.attributes;
  r.expires_at_ms = rotate.expiry ? rotate.expiry->Resolve(stamp.at_ms) : old.record.expires_at_ms;
  r.created_at_ms = stamp.at_ms;
  next.inserted_sequence = stamp.sequence;
  next.sealed = rotate.sealed;
  Touch(stamp, &next);
  return next;
}

FoldResult FoldRotateOld(const RotateMutation& rotate, const Stamp& stamp,
                         const StoredRecord* current, StoredRecord* next) {
  if (current == nullptr) return {};
  const ExpirySpec overlap{ExpirySpec::Kind::kAfter, rotate.overlap_ms};
  return FoldExtend(std::min(current->record.expires_at_ms, overlap.Resolve(stamp.at_ms)), stamp,
                    current, next);
}

MergeResult FoldImport(ImportedRow&& row, const Stamp& begin, uint64_t written_ms, bool stricter,
                       const StoredRecord* current, StoredRecord* next) {
  if (current == nullptr) {
    next->record = std::move(row.record);
    next->record.generation = 1;
    next->inserted_sequence = next->sequence = begin.sequence;
    next->sealed = std::move(row.sealed);
  } else if (current->inserted_sequence > begin.sequence) {
    return MergeResult::kUnchanged;
  } else {
    const Record& have = current->record;
    *next = *current;
    Record& r = next->record;
    const bool revoked = have.revoked || row.record.revoked;
    const uint64_t stricter_expiry = std::min(have.expires_at_ms, row.record.expires_at_ms);
    const bool is_tie = !row.has_updated_at || row.record.updated_at_ms == have.updated_at_ms;
    if (row.has_updated_at && row.record.updated_at_ms > have.updated_at_ms) {
      r = std::move(row.record);
      r.generation = have.generation;
      next->sequence = std::max(current->sequence, begin.sequence);
    }
    if (is_tie || stricter) r.expires_at_ms = stricter_expiry;
    r.revoked = revoked;
    // The same key is the same token. Sealed anew by the same key it would only be other bytes.
    const bool seals =
        !row.sealed.empty() && SealKeyIdOf(row.sealed) != SealKeyIdOf(current->sealed);
    if (seals) next->sealed = std::move(row.sealed);
    if (!seals && SameContent(r, have)) return MergeResult::kUnchanged;
  }
  next->written_expired_at_ms = written_ms >= next->record.expires_at_ms ? written_ms : 0;
  return current == nullptr ? MergeResult::kTaken : MergeResult::kReplaced;
}

}  // namespace tokend
