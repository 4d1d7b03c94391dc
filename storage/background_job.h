// Work of the Committer that takes longer than a group may: done in bounded steps between groups.
//
// Committer's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/commit_group.h"
#include "storage/store.h"
#include "storage/store_parts.h"

namespace tokend {

class BackgroundJob {
 public:
  enum class Result : uint8_t { kMore, kDone, kFailed };

  // Writes a group and applies it; false where the store has become read-only.
  using WriteGroup = std::function<bool(CommitGroup*, bool sync)>;

  virtual ~BackgroundJob() = default;
  virtual Result Step(const WriteGroup& write) = 0;
  // Called once, after the last step. The answers of whoever waits for it go out here.
  virtual void Finish(Result result) = 0;
};

// Marks the records of an owner revoked that were inserted before its cut-off. `submission` is
// answered at the end; null when the sweep goes on after a restart.
std::unique_ptr<BackgroundJob> MakeSweepJob(const StoreParts& parts, NamespaceId ns,
                                            std::string owner, uint64_t sequence, uint64_t ticket,
                                            std::unique_ptr<Submission> submission);

// Drops the records of a namespace that expired before a time.
std::unique_ptr<BackgroundJob> MakePurgeJob(const StoreParts& parts, NamespaceId ns,
                                            uint64_t before_ms,
                                            std::unique_ptr<Submission> submission);

// Seals by the current key what others have sealed in these namespaces, name and id; requires
// parts.sealer. Asked for again it goes on with what is left.
std::unique_ptr<BackgroundJob> MakeRekeyJob(
    const StoreParts& parts, std::vector<std::pair<std::string, NamespaceId>> namespaces,
    std::unique_ptr<Submission> submission);

// Writes the usage that has gathered since the last time; `done` tells how many rows that were.
std::unique_ptr<BackgroundJob> MakeUsageFlushJob(const StoreParts& parts,
                                                 std::function<void(uint64_t)> done);

// Puts back into memory what was dropped as expired at a time before the wall clock went back.
std::unique_ptr<BackgroundJob> MakeReadBackJob(const StoreParts& parts, uint64_t now_ms,
                                               std::function<void()> done);

}  // namespace tokend
