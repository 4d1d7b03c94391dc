// AuditTrail: what the audit log says of each Mutation. Its lines go into the group that commits
// the Mutation, as rows, so that one write and one sync make both durable; AuditFile brings them
// from there into the file.
//
// Committer's thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/audit_line.h"
#include "storage/audit_file.h"
#include "storage/commit_group.h"
#include "storage/mutation.h"
#include "storage/mutation_planner.h"
#include "storage/store.h"
#include "storage/store_parts.h"

namespace tokend {

class AuditTrail {
 public:
  // `file` null: nothing is recorded, and nothing of what follows does anything.
  AuditTrail(const StoreParts& parts, AuditFile* file);

  bool enabled() const { return file_ != nullptr; }

  // For the Mutations of one group, each after it was planned; then EndGroup, and Committed once
  // it is known whether the group was written.
  void BeginGroup(CommitGroup* group, uint64_t now_ms);
  void Note(const Mutation& mutation, const MutationPlanner::Planned& planned,
            const Outcome& outcome);
  void NoteImport(const MutationPlanner::EndedImport& import);
  // What the last run has left: imports that had not ended, and a file that knows more than the
  // data does. Once, before the first Mutation.
  Status NoteStart();
  void EndGroup();
  void Committed(bool written);

  // Takes the rows away whose lines are in the file by now; false: there are none.
  bool DropWritten(CommitGroup* group);
  // The last line has been committed: brings what there is into the file.
  void Stop();

 private:
  struct ImportRow;
  void WriteOrigin(const Origin* origin, AuditLineWriter* line);
  void Add(AuditLineWriter* line);

  const StoreParts parts_;
  AuditFile* const file_;
  AuditHead head_;        // of what was committed
  AuditHead next_;        // and of what the group adds
  std::string lines_;     // that the group adds
  uint64_t dropped_ = 0;  // the last line whose row is gone
  CommitGroup* group_ = nullptr;
  uint64_t now_ms_ = 0;
};

}  // namespace tokend
