// The fold: what a stamped Mutation makes of one token's record. Pure functions of their arguments,
// so that a replay, in any order relative to other tokens and any number of times, gives the same
// state: a record that has seen a Mutation's sequence number is left as it is.
//
// `current` is null where there is no record (or it is past its retention). Where the result says
// `changed`, *next is the record to keep.
#pragma once

#include <cstdint>

#include "protocol/error.h"
#include "storage/mutation.h"
#include "storage/stored_record.h"

namespace tokend {

struct Stamp {
  uint64_t sequence = 0;
  uint64_t at_ms = 0;
  uint64_t reclaim_ms = 0;  // what the reclaim clock shows then
};

struct FoldResult {
  bool changed = false;
  // insert: kOk, kExists or kRevoked.
  ErrorCode code = ErrorCode::kOk;
  // Whether the token was live at the stamp, before.
  bool was_live = false;
};

FoldResult FoldInsert(const InsertMutation& insert, const Stamp& stamp, const StoredRecord* current,
                      StoredRecord* next);
FoldResult FoldRevoke(const Stamp& stamp, const StoredRecord* current, StoredRecord* next);
FoldResult FoldExtend(uint64_t expires_at_ms, const Stamp& stamp, const StoredRecord* current,
                      StoredRecord* next);
FoldResult FoldUpdate(const UpdateMutation& update, const Stamp& stamp, const StoredRecord* current,
                      StoredRecord* next);
// The new token of a rotate, made from the old one's record, which must be live.
StoredRecord FoldRotateNew(const RotateMutation& rotate, const Stamp& stamp,
                           const StoredRecord& old);
// The old token of a rotate: ends after the overlap, or earlier if it would have.
FoldResult FoldRotateOld(const RotateMutation& rotate, const Stamp& stamp,
                         const StoredRecord* current, StoredRecord* next);

enum class MergeResult : uint8_t { kTaken, kReplaced, kUnchanged };
// An imported row takes effect as of the import's begin: whatever was inserted or replaced after it
// wins. Otherwise revoked if either is; the later updated_at wins whole; on a tie, or where the row
// brings no time of its own, the stricter expiry. A sealed token stays, unless the row brings one
// that another key has sealed: the last that was imported is the one that can be opened. `begin` is
// the stamp of import_begin, `written_ms` the time of writing, by the clock that is ahead, which
// only retention looks at. `stricter`: the stricter expiry wins always.
MergeResult FoldImport(ImportedRow&& row, const Stamp& begin, uint64_t written_ms, bool stricter,
                       const StoredRecord* current, StoredRecord* next);

}  // namespace tokend
