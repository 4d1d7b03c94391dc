// A small table with one reader, and short words for what is done with it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "storage/token_table.h"
#include "tests/token_table_fixture.h"

namespace tokend {

inline constexpr NamespaceId kNs = 7;

class TokenTableCase : public ::testing::Test {
 protected:
  TokenTableCase() { Make(SmallOptions()); }

  ~TokenTableCase() override { table_->CheckInvariants(); }

  void Make(const TokenTableOptions& options) {
    reader_.reset();
    table_ = std::make_unique<TokenTable>(options);
    reader_ = std::make_unique<TokenTable::Reader>(table_.get());
  }

  static TokenEntry Entry(uint64_t number, uint64_t expires_at_ms = kNever) {
    TokenEntry entry = EntryOf(number, expires_at_ms);
    entry.namespace_id = kNs;
    return entry;
  }
  PutResult Put(uint64_t number, uint64_t expires_at_ms = kNever, PutMode mode = PutMode::kReset) {
    return table_->Put(Entry(number, expires_at_ms), mode);
  }
  PutResult PutOwned(uint64_t number, std::string_view owner, PutMode mode = PutMode::kReset) {
    TokenEntry entry = Entry(number);
    entry.owner = owner;
    return table_->Put(entry, mode);
  }
  Lookup Find(uint64_t number, uint64_t now_ms = 1000, NamespaceId ns = kNs) {
    Lookup lookup;
    lookup.key = KeyOf(number);
    lookup.namespace_id = ns;
    table_->FindBatch(reader_.get(), {&lookup, 1}, now_ms);
    return lookup;
  }
  Verdict Ask(uint64_t number, uint64_t now_ms = 1000, NamespaceId ns = kNs) {
    return Find(number, now_ms, ns).verdict;
  }
  std::vector<TokenTable::UsageEntry> TakeAllUsage(size_t limit = 1000) {
    std::vector<TokenTable::UsageEntry> taken;
    for (size_t shard = 0; shard < table_->shard_count(); ++shard) {
      uint64_t cursor = 0;
      do {
        TakeUsage(table_.get(), shard, &cursor, limit, &taken);
      } while (cursor != 0);
    }
    return taken;
  }
  // How many were freed once nothing due is left.
  uint64_t Reclaim(uint64_t now_ms) {
    const uint64_t before = table_->stats().reclaimed_total;
    while (table_->Reclaim(now_ms, 1000) == 1000) {
    }
    return table_->stats().reclaimed_total - before;
  }
  void QuiesceAndReclaim(uint64_t now_ms = 0) {
    reader_->Quiesce();
    table_->Reclaim(now_ms, 1000);
    reader_->Quiesce();
    table_->Reclaim(now_ms, 1000);
  }

  std::unique_ptr<TokenTable> table_;
  std::unique_ptr<TokenTable::Reader> reader_;
};

}  // namespace tokend
