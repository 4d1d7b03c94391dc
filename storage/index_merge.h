// Walks one or two ranges of an index as one, in order of (expires, key), either way, as they were
// at one moment: a token that changes ranges is in one of them. Rows past their retention are
// passed over.
//
// One thread; the ranges and the database outlive it.
#pragma once

#include <rocksdb/snapshot.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "storage/database.h"
#include "storage/list_cursor.h"
#include "storage/rows.h"

namespace tokend {

class IndexMerge {
 public:
  // Starts after `after` where given.
  IndexMerge(Database* database, Database::Family family, std::vector<IndexRange> ranges,
             bool descending, const std::optional<ListPosition>& after);

  bool Valid() const { return current_ != nullptr; }
  const IndexEntry& entry() const { return current_->entry; }
  void Next();
  Status status() const;

 private:
  struct Run {
    IndexRange range;
    rocksdb::Slice lower, upper;
    std::unique_ptr<rocksdb::Iterator> it;
    bool valid = false;
    IndexEntry entry;
  };
  void Settle(Run* run);
  void Choose();

  Database* const database_;
  rocksdb::ManagedSnapshot snapshot_;
  const bool descending_;
  std::vector<std::unique_ptr<Run>> runs_;
  Run* current_ = nullptr;
};

}  // namespace tokend
