#include "storage/index_merge.h"

#include <tuple>
#include <utility>

namespace tokend {

IndexMerge::IndexMerge(Database* database, Database::Family family, std::vector<IndexRange> ranges,
                       bool descending, const std::optional<ListPosition>& after)
    : database_(database), snapshot_(database->db()), descending_(descending) {
  for (IndexRange& range : ranges) {
    auto run = std::make_unique<Run>();
    run->range = std::move(range);
    run->lower = run->range.start;
    run->upper = run->range.end;
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_.snapshot();
    options.iterate_lower_bound = &run->lower;
    options.iterate_upper_bound = &run->upper;
    run->it.reset(database->db()->NewIterator(options, database->family(family)));
    if (after) {
      // All of a range's keys begin alike up to the tail that the position replaces.
      std::string target = run->range.start.substr(0, run->range.start.size() - kIndexTailBytes);
      const bool revoked = run->range.start[target.size()] != '\0';
      target = IndexRowKey(target, {revoked, after->expires_at_ms, after->key});
      if (descending) {
        run->it->SeekForPrev(target);
        if (run->it->Valid() && run->it->key() == target) run->it->Prev();
      } else {
        run->it->Seek(target);
        if (run->it->Valid() && run->it->key() == target) run->it->Next();
      }
    } else if (descending) {
      run->it->SeekToLast();
    } else {
      run->it->SeekToFirst();
    }
    Settle(run.get());
    runs_.push_back(std::move(run));
  }
  Choose();
}

void IndexMerge::Settle(Run* run) {
  run->valid = false;
  for (; run->it->Valid(); descending_ ? run->it->Prev() : run->it->Next()) {
    const std::string_view key(run->it->key().data(), run->it->key().size());
    const std::string_view value(run->it->value().data(), run->it->value().size());
    const auto entry = ParseIndexRowKey(key);
    const auto kept_from = IndexRowKeptFrom(key, value);
    if (!entry || !kept_from || database_->IsReclaimable(*kept_from)) continue;
    run->entry = *entry;
    run->valid = true;
    return;
  }
}

void IndexMerge::Choose() {
  current_ = nullptr;
  const auto order = [](const IndexEntry& entry) {
    return std::tie(entry.expires_at_ms, entry.key);
  };
  for (const auto& run : runs_) {
    if (!run->valid) continue;
    if (current_ == nullptr || (descending_ ? order(current_->entry) < order(run->entry)
                                            : order(run->entry) < order(current_->entry))) {
      current_ = run.get();
    }
  }
}

void IndexMerge::Next() {
  descending_ ? current_->it->Prev() : current_->it->Next();
  Settle(current_);
  Choose();
}

Status IndexMerge::status() const {
  for (const auto& run : runs_) {
    if (!run->it->status().ok()) return FromRocksDb(run->it->status(), "cannot read an index");
  }
  return {};
}

}  // namespace tokend
