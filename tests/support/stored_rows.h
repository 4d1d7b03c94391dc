// What a closed store has on disk.
#pragma once

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "storage/database.h"

namespace tokend {

// Rows of a family, after everything was compacted with what may go before that time.
inline uint64_t RowsOnDisk(const std::string& data_dir, Database::Family family,
                           uint64_t before_ms) {
  std::unique_ptr<Database> database;
  DatabaseOptions options;
  options.data_dir = data_dir;
  options.reclaim_before_ms = [before_ms] { return before_ms; };
  EXPECT_TRUE(Database::Open(options, &database).ok());
  rocksdb::CompactRangeOptions compact;
  compact.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  // Usage is merged by one compaction and judged by the next.
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(
        database->db()->CompactRange(compact, database->family(family), nullptr, nullptr).ok());
  }
  uint64_t rows = 0;
  const std::unique_ptr<rocksdb::Iterator> it(database->NewIterator(family));
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++rows;
  return rows;
}

// All rows of a family, as they are.
inline std::map<std::string, std::string> ReadRows(const std::string& data_dir,
                                                   Database::Family family) {
  std::unique_ptr<Database> database;
  DatabaseOptions options;
  options.data_dir = data_dir;
  options.reclaim_before_ms = [] { return 0; };
  EXPECT_TRUE(Database::Open(options, &database).ok());
  std::map<std::string, std::string> rows;
  const std::unique_ptr<rocksdb::Iterator> it(database->NewIterator(family));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    rows.emplace(it->key().ToString(), it->value().ToString());
  }
  return rows;
}

}  // namespace tokend
