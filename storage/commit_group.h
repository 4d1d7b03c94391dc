// CommitGroup: the Mutations that share one write and one fsync. It holds the tokens they touch as
// they will be after it, so that later ones of the group see the earlier ones, and turns the
// difference to the disk into rows and, once those are durable, into memory.
//
// Committer's thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/error.h"
#include "storage/rows.h"
#include "storage/sorted_rows.h"
#include "storage/store_parts.h"

namespace tokend {

class CommitGroup {
 public:
  struct Token {
    TokenName name;
    std::optional<StoredRecord> on_disk;  // what its rows say, past retention or not
    std::optional<StoredRecord> now;      // nullopt: there is no such token
    std::optional<UsageRow> imported_usage;
    uint64_t ticket = 0;  // of the latest submission that changed it
    bool changed = false;
    bool reset = false;  // a generation began: usage starts again
  };

  // A token that a row of an import moved away from an owner whose revoke waits in the queue.
  struct LeftOwner {
    TokenName name;
    std::string owner;  // that it left
    uint64_t inserted_sequence = 0;
  };

  explicit CommitGroup(const StoreParts& parts);

  // Reads these tokens from the disk in one go. An optimisation: Find reads what is missing.
  Status Prefetch(std::span<const TokenName> names);
  // The token as the group has it so far; an owner's cut-off that its record does not know of yet
  // is worked in. *token lives as long as the group.
  Status Find(const TokenName& name, Token** token);
  // By the id; *token is null where there is none.
  Status FindById(NamespaceId ns, const TokenId& id, Token** token);

  void Change(Token* token, StoredRecord next, uint64_t ticket, bool reset);
  void Erase(Token* token);
  void PutMeta(std::string_view row_key, std::string_view row_value);
  void DeleteMeta(std::string_view row_key);
  // Those from `begin` to before `end`, but none that the group itself puts. Once.
  void DeleteMetaRange(std::string begin, std::string end);
  void MergeUsage(std::span<const TokenTable::UsageEntry> entries);
  // The owner was cut off in this group: ends the owner's tokens that the group holds, and those
  // that leave the owner with it.
  void OwnerCut(NamespaceId ns, const std::string& owner, const OwnerCutoffs::Cutoff& cutoff);
  void End(Token* token, const std::string& owner, const OwnerCutoffs::Cutoff& cutoff);

  bool Changes(const TokenName& name) const;
  // How many tokens it adds that the disk knows nothing of.
  size_t tokens_added() const { return tokens_added_; }
  bool empty() const { return tokens_.empty() && rows_.empty() && meta_range_end_.empty(); }

  // Writes everything in one batch; `sync`: returns once it is on the disk.
  rocksdb::Status Write(bool sync, const SequenceRow& sequence);
  // Of the rows written.
  uint64_t bytes() const { return bytes_; }
  // Brings memory up to what was written.
  void Apply();
  // Those that Apply() had to deny.
  std::vector<LeftOwner>& left_owners() { return left_owners_; }

 private:
  struct NameHash {
    size_t operator()(const TokenName& name) const;
  };
  void WorkInCutoff(Token* token);
  Token* Add(const TokenName& name, std::optional<StoredRecord> on_disk);
  // The owner that the token has on the disk and will not have after the group; null if none.
  static const std::string* OwnerLeft(const Token& token);
  void EncodeToken(const Token& token);
  void EncodeIndex(const Token& token, Database::Family family, const std::string& old_row,
                   const std::string& new_row);

  const StoreParts parts_;
  std::deque<Token> tokens_;  // stable addresses, in the order of first touch
  std::unordered_map<TokenName, Token*, NameHash> by_name_;
  std::vector<LeftOwner> left_owners_;
  SortedRows rows_;
  std::string meta_range_begin_, meta_range_end_;
  uint64_t bytes_ = 0;
  size_t tokens_added_ = 0;
};

}  // namespace tokend
