// MutationPlanner: what each Mutation does, in the view of the group that it commits with. It gives
// sequence numbers, decides outcomes and tells the CommitGroup what to write; it never touches
// memory itself except to deny.
//
// Committer's thread only. It outlives groups: it knows the open imports and the last sequence.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/commit_group.h"
#include "storage/fold.h"
#include "storage/import_stage.h"
#include "storage/mutation.h"
#include "storage/store.h"
#include "storage/store_parts.h"

namespace tokend {

class MutationPlanner {
 public:
  // Work that goes on in bounded steps after the group; the Mutation is answered when it is over.
  struct SweepWork {
    NamespaceId ns = 0;
    std::string owner;
    uint64_t sequence = 0;
  };
  struct PurgeWork {
    NamespaceId ns = 0;
    uint64_t before_ms = 0;
  };
  struct RekeyWork {
    std::vector<std::pair<std::string, NamespaceId>> namespaces;
  };
  struct Planned {
    std::optional<SweepWork> sweep;
    std::optional<PurgeWork> purge;
    std::optional<RekeyWork> rekey;
    bool needs_sync = true;  // false: durable with the import's end
    // For the audit log. The token that it is about, as it is now; null: there is none, or none is
    // known. It lives as long as the group.
    const CommitGroup::Token* token = nullptr;
    bool is_others = false;  // the token is not one that the Mutation may touch
    bool has_effect = true;  // false: what it asks for was there before
  };
  // An import that is over, for the audit log.
  struct EndedImport {
    std::string id;
    std::string namespace_name;
    std::string source;
    std::shared_ptr<const Origin> origin;
    std::string_view result;
    uint64_t taken = 0, replaced = 0, unchanged = 0, refused = 0;
  };

  // Some 100 microseconds where they are staged; fewer where so many are read from the disk first.
  static constexpr size_t kImportStepRows = 128, kImportStepReads = 32;

  struct Limits {
    size_t namespaces_max = 0;      // 1 to 65,536: beyond those none is made
    size_t import_direct_rows = 0;  // of an import; those after them may be staged
  };
  MutationPlanner(const StoreParts& parts, const Limits& limits, ImportStage* stage,
                  uint64_t last_sequence)
      : parts_(parts), limits_(limits), stage_(stage), sequence_(last_sequence) {}

  void BeginGroup(CommitGroup* group, uint64_t now_ms);
  // Where outcome->status is not ok, nothing of the Mutation is in the group; only of import_rows
  // those before the failing one are, which merge again without harm.
  // Of an import's rows it plans the next, kImportStepRows at most, moves them out of the Mutation,
  // and adds to the outcome's counts. import_rows requires stage->HasRoom(), import_end that
  // nothing is staged.
  Planned Plan(Mutation& mutation, uint64_t ticket, Outcome* outcome);
  // A row of an import that was staged and is not new after all.
  Status PlanTaken(ImportRun::Token token);
  // The group was written (or not): new namespaces become visible.
  void EndGroup(bool written);

  uint64_t last_sequence() const { return sequence_; }
  // All imports end: what was staged of them is lost.
  void EndImports();
  // Those that have ended since the last call.
  std::vector<EndedImport> TakeEndedImports() { return std::exchange(ended_imports_, {}); }
  bool has_imports() const { return !imports_.empty(); }
  // The tokens that a Mutation names by key, for Prefetch; those of unknown namespaces are left
  // out, and an import's rows, which see to it themselves.
  void CollectNames(const Mutation& mutation, std::vector<TokenName>* names) const;

 private:
  static constexpr size_t kImportsMax = 1000;
  // One of which nothing came for so long ends where another needs its place.
  static constexpr uint64_t kImportIdleMs = 3600 * 1000;
  static constexpr uint64_t kImportDenialBytesMax = 128 << 20;

  // An import that has begun. What it brings counts as inserted at its begin.
  struct OpenImport {
    NamespaceId ns = 0;
    DigestScheme scheme = DigestScheme::kSha256;
    bool stricter = false;
    std::string namespace_name;
    std::string source;
    std::shared_ptr<const Origin> origin;
    Stamp begin;
    uint64_t last_used_ms = 0;  // when something of it came
    uint64_t taken = 0, replaced = 0, unchanged = 0, refused = 0;
    // Revokes since the begin of tokens and owners that may only come with a row yet.
    std::set<TokenKey> denied_tokens;
    std::set<TokenId> denied_ids;
    std::set<std::string> denied_owners;
    uint64_t denial_bytes = 0;  // that these three take
    // There were records at the begin that memory does not have.
    bool disk_holds_more = false;

    uint64_t rows() const { return taken + replaced + unchanged + refused; }
  };

  // Whether the token, which is the one that the Mutation is about, is one of owners_.
  bool MayTouch(const CommitGroup::Token& token);
  Stamp NextStamp() { return {++sequence_, now_ms_, parts_.reclaim_clock->now_ms()}; }
  const NamespaceInfo* FindNamespace(std::string_view name) const;
  // Makes it if it is missing. kBadParams where it has another scheme.
  Status EnsureNamespace(const std::string& name, std::optional<DigestScheme> scheme,
                         NamespaceInfo* info);
  Status PutNamespace(const std::string& name, const NamespaceInfo& info);
  Status HoldsTokens(NamespaceId ns, bool* holds) const;
  Status HoldsExpired(NamespaceId ns, bool* holds) const;
  // What of memory a change takes.
  using Room = TableRoom;
  // For a token that gets this owner and these scopes; null = one that is new.
  Room RoomNeeded(const CommitGroup::Token* token, const std::optional<std::string>& owner,
                  const std::vector<std::string>& scopes) const;
  // kMemoryLimit where there is not so much left besides what the group takes already.
  Status CheckRoom(const Room& room) const;
  void TakeRoom(const Room& room);

  // As CommitGroup has it; what is staged of the token merges first.
  Status Find(const TokenName& name, CommitGroup::Token** token);
  Status FindById(NamespaceId ns, const TokenId& id, CommitGroup::Token** token);
  Status MergeStaged(ImportStage::Tokens tokens);

  Planned PlanOperation(Mutation& mutation, uint64_t ticket, Outcome* outcome);
  Status Insert(const InsertMutation& op, const std::string& namespace_name, uint64_t ticket,
                Outcome* outcome);
  Status Revoke(const TokenKey& key, NamespaceId ns, uint64_t ticket, Outcome* outcome);
  // A revoke that open imports into `ns` must remember for rows to come. Where all of them would
  // have too much to remember, those end, so that no revoke is refused: their rows are refused
  // then.
  template <typename Name>
  void DenyInImports(NamespaceId ns, const Name& name, std::set<Name> OpenImport::*denied);
  Status RevokeId(const TokenId& id, NamespaceId ns, uint64_t ticket, Outcome* outcome);
  Status RevokeOwner(const RevokeOwnerMutation& op, NamespaceId ns, Planned* planned);
  Status Extend(const ExtendMutation& op, NamespaceId ns, uint64_t ticket, Outcome* outcome);
  Status Update(const UpdateMutation& op, NamespaceId ns, uint64_t ticket, Outcome* outcome);
  Status Rotate(const RotateMutation& op, NamespaceId ns, uint64_t ticket, Outcome* outcome);
  Status ImportBegin(const ImportBeginMutation& op, const Mutation& mutation, Outcome* outcome);
  Status ImportRows(ImportRowsMutation& op, uint64_t ticket, Outcome* outcome);
  // Whether new tokens of its rows go to the stage.
  bool MayStage(const OpenImport& import) const;
  // Of a token that an import brings: whether its row is to be staged, by what memory knows. Behind
  // others of the same token in any case; where memory may have forgotten the token, only if the
  // disk does not have it either.
  enum class Staging : uint8_t { kNo, kYes, kBehind, kUnlessOnDisk };
  Staging StagingOf(const OpenImport& import, const TokenKey& key) const;
  // Makes room for one more; whether there is any.
  bool EndIdleImport();
  void EndImport(std::map<std::string, OpenImport, std::less<>>::iterator import,
                 std::string_view result);
  Status ImportRow(ImportedRow&& row, OpenImport* import, uint64_t ticket, Staging staging);
  Status ImportEnd(const ImportEndMutation& op, Outcome* outcome);
  Status Rekey(const std::string& namespace_name, Planned* planned) const;

  const StoreParts parts_;
  const Limits limits_;
  ImportStage* const stage_;
  uint64_t sequence_;
  uint64_t now_ms_ = 0;
  std::span<const std::string> owners_;          // of the mutation that is being planned
  const CommitGroup::Token* subject_ = nullptr;  // Planned::token, of the same
  bool subject_is_others_ = false;
  CommitGroup* group_ = nullptr;
  Room group_room_;              // what this group takes
  NamespaceMap new_namespaces_;  // made in this group
  using OwnerName = std::pair<NamespaceId, std::string>;
  std::vector<OwnerName> owners_cut_;  // in this group
  // Tokens that left an owner after the owner's revoke was queued, and before it was planned:
  // denied since, so that the revoke has to end them as well.
  std::map<OwnerName, std::vector<CommitGroup::LeftOwner>> left_owners_;
  std::map<std::string, OpenImport, std::less<>> imports_;
  std::vector<EndedImport> ended_imports_;
  uint64_t import_denial_bytes_ = 0;  // of all
};

}  // namespace tokend
