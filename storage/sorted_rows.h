// SortedRows: the rows of one write, put into the order of their keys before RocksDB gets them.
//
// Rows that are neighbours in the memtable are then put in one after the other, while their part of
// it is in the cache. Rows of one key stay in the order in which they were added.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/database.h"

namespace tokend {

// Not thread-safe.
class SortedRows {
 public:
  void Put(Database::Family family, std::string_view key, std::string_view value) {
    Add(family, Kind::kPut, key, value);
  }
  void Merge(Database::Family family, std::string_view key, std::string_view value) {
    Add(family, Kind::kMerge, key, value);
  }
  void Delete(Database::Family family, std::string_view key) {
    Add(family, Kind::kDelete, key, {});
  }

  bool empty() const { return rows_.empty(); }
  // Of keys and values.
  size_t bytes() const { return bytes_.size(); }

  // Appends all of them to *batch, sorted.
  void MoveTo(Database* database, rocksdb::WriteBatch* batch);

 private:
  enum class Kind : uint8_t { kPut, kMerge, kDelete };
  struct Row {
    uint64_t head;  // the key's first bytes, so that most comparisons look no further
    size_t begin;   // in bytes_: the key, then the value
    uint32_t key_size;
    uint32_t value_size;
    Database::Family family;
    Kind kind;
  };

  void Add(Database::Family family, Kind kind, std::string_view key, std::string_view value);
  std::string_view KeyOf(const Row& row) const { return {bytes_.data() + row.begin, row.key_size}; }

  std::vector<Row> rows_;
  std::string bytes_;
};

}  // namespace tokend
