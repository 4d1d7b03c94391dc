// ImportRun: new tokens of imports on their way to the disk as whole files. A row that goes through
// the log and a memtable costs several times what it costs in a file that is written in order.
//
// Filled, sealed, cleared of what turns out not to be new, written. Not thread-safe.
#pragma once

#include <rocksdb/status.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/database.h"
#include "storage/rows.h"
#include "storage/sorted_rows.h"
#include "storage/stored_record.h"
#include "storage/two_threads.h"

namespace tokend {

class ImportRun {
 public:
  struct Token {
    NamespaceId ns = 0;
    StoredRecord stored;  // with its key
    UsageRow usage;
  };

  // Memory for about so many bytes of rows; more may be added. `threads` outlives it.
  ImportRun(size_t bytes, TwoThreads* threads);

  // One that is neither in memory nor on the disk. `usage` of zeros is none.
  void Add(NamespaceId ns, const StoredRecord& stored, const UsageRow& usage);
  size_t tokens() const { return tokens_; }  // without those that were taken out
  size_t bytes() const { return rows_.bytes(); }
  // Empty again, with its memory.
  void Clear() {
    rows_.Clear();
    tokens_ = 0;
  }

  // Takes those out for which matches(ns, key, stored record), in the order they were added. Looks
  // at each; before it is sealed.
  template <typename Matches>
  void TakeUnsealed(const Matches& matches, std::vector<Token>* out) {
    for (size_t row = 0; row < rows_.size(); ++row) {
      if (rows_.family(row) != Database::kTokens || rows_.dropped(row)) continue;
      if (IsMatch(row, matches)) out->push_back(TakeUnsealed(row));
    }
  }

  // Sorts it. Nothing is added afterwards; what follows requires it.
  void Seal();
  // Tokens by the numbers of their rows.
  using Rows = std::vector<uint32_t>;
  // Each takes tokens out and appends them to *out: those of one key in the order they were added.
  void TakeToken(NamespaceId ns, const TokenKey& key, Rows* out);
  void TakeById(NamespaceId ns, const TokenId& id, Rows* out);
  void TakeOwner(NamespaceId ns, std::string_view owner, Rows* out);
  void TakeAll(Rows* out) { TakePrefix({}, out); }
  // One that was taken out.
  Token TokenAt(size_t row) const;
  template <typename Matches>
  bool IsMatch(size_t row, const Matches& matches) const {
    const TokenRowName name = ParseTokenRowKey(rows_.key(row));
    StoredRecordView stored;
    return DecodeStoredRecord(rows_.value(row), &stored) && matches(name.ns, name.key, stored);
  }
  // each(row key, stored record), in the order of their keys: the lower or the upper half of them.
  template <typename Each>
  void ForEachOfHalf(bool upper, const Each& each) const {
    const size_t rows = rows_.Begin(Database::kOwners);
    const size_t end = upper ? rows : rows / 2;
    for (size_t row = upper ? rows / 2 : 0; row < end; ++row) {
      rows_.Prefetch(row + kAhead);
      if (!rows_.dropped(row)) each(rows_.key(row), rows_.value(row));
    }
  }

  // A file for each family, in *files; empty for one without rows. On the disk when it returns.
  rocksdb::Status WriteFiles(Database* database, Database::RunFiles* files) const;

 private:
  static constexpr size_t kNoRow = SIZE_MAX;
  // Neighbours in their order lie anywhere in memory.
  static constexpr size_t kAhead = 16;

  bool IsToken(size_t row) const {
    return row < rows_.size() && rows_.family(row) == Database::kTokens;
  }
  Token DecodeRow(size_t row) const;  // but for its usage
  Token TakeUnsealed(size_t row);
  // The rows that were added with this one of `tokens`; no_row where there is none.
  struct Companions {
    size_t expiry, owner, usage;
  };
  Companions CompanionsOf(size_t row, const Token& token) const;
  // The row of that key whose bytes begin there.
  size_t FindRow(Database::Family family, std::string_view key, size_t begin) const;
  void Take(size_t row, Rows* out);
  void TakePrefix(const std::string& prefix, Rows* out);
  rocksdb::Status WriteFamilies(Database* database,
                                std::initializer_list<Database::Family> families,
                                Database::RunFiles* files) const;
  // *path stays empty where the family has no rows.
  rocksdb::Status WriteFile(Database* database, Database::Family family, std::string* path) const;

  TwoThreads* const threads_;
  SortedRows rows_;
  size_t tokens_ = 0;
  std::string key_, value_;  // scratch
};

}  // namespace tokend
