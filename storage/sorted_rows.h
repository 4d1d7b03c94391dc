// SortedRows: the rows of one write, put into the order of their keys before RocksDB gets them.
//
// Rows that are neighbours in the memtable are then put in one after the other, while their part of
// it is in the cache; and a file is written in no other order. Rows of one key stay in the order in
// which they were added.
#pragma once

#include <rocksdb/write_batch.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/byte_codec.h"
#include "storage/database.h"

namespace tokend {

// Not thread-safe. Holds less than 4 GiB.
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
  // Before the first is added.
  void Reserve(size_t rows, size_t bytes);
  void Clear() {
    rows_.clear();
    bytes_.clear();
  }

  // Appends all of them to *batch, sorted.
  void MoveTo(Database* database, rocksdb::WriteBatch* batch);

  // Sorts them; what follows requires it, and that nothing is added any more. Rows are known by
  // their numbers, in their order, 0 to size() - 1.
  void Sort() {
    Sort([](const auto& first, const auto& second) {
      first();
      second();
    });
  }
  // The same by `divide`, which runs its two arguments on whatever threads.
  template <typename Divide>
  void Sort(const Divide& divide) {
    if (rows_.size() < kDistributeMin) return SortByComparing(rows_);
    const FamilyEnds ends = SortByFamily();
    divide(
        [&] {
          SortFamilies({Database::kMeta, Database::kTokens, Database::kUsage}, ends);
        },
        [&] {
          SortFamilies({Database::kOwners, Database::kExpiry}, ends);
        });
  }
  size_t size() const { return rows_.size(); }
  Database::Family family(size_t row) const { return rows_[row].family; }
  std::string_view key(size_t row) const { return KeyOf(rows_[row]); }
  std::string_view value(size_t row) const {
    return {bytes_.data() + rows_[row].begin + rows_[row].key_size, rows_[row].value_size};
  }
  // Where its bytes begin: the first row is at 0, and each at the end of the one added before it.
  size_t begin(size_t row) const { return rows_[row].begin; }
  size_t end(size_t row) const {
    return size_t{rows_[row].begin} + rows_[row].key_size + rows_[row].value_size;
  }
  // The first row of `family` or of a later one; size() where there is none.
  size_t Begin(Database::Family family) const;
  // The first row of `family` with this key or a later one; size() or of another family: none.
  size_t LowerBound(Database::Family family, std::string_view key) const;
  // It is about to be looked at.
  void Prefetch(size_t row) const {
    if (row >= rows_.size()) return;
    const char* const bytes = bytes_.data() + rows_[row].begin;
    __builtin_prefetch(bytes);
    __builtin_prefetch(bytes + 64);
  }
  // The row is passed over from now on by whoever asks.
  void Drop(size_t row) { rows_[row].kind = Kind::kDropped; }
  bool dropped(size_t row) const { return rows_[row].kind == Kind::kDropped; }

 private:
  enum class Kind : uint8_t { kPut, kMerge, kDelete, kDropped };
  struct Row {
    LongHead head;   // of the key, so that most comparisons look no further
    uint32_t begin;  // in bytes_: the key, then the value
    uint32_t value_size;
    uint16_t key_size;
    Database::Family family;
    Kind kind;
  };

  using FamilyEnds = std::array<size_t, Database::kFamilyCount>;  // of each one's rows

  static constexpr int kDigitBits = 8;
  using Ends = std::array<size_t, 1 << kDigitBits>;
  // Fewer are sorted where they lie in the cache.
  static constexpr size_t kDistributeMin = 512;

  void Add(Database::Family family, Kind kind, std::string_view key, std::string_view value);
  FamilyEnds SortByFamily();
  void SortFamilies(std::initializer_list<Database::Family> families, const FamilyEnds& ends);
  void SortFamily(std::span<Row> rows);
  void SortByComparing(std::span<Row> rows) const;
  template <typename DigitOf>
  static Ends Distribute(std::span<Row> rows, const DigitOf& digit_of);
  std::string_view KeyOf(const Row& row) const { return {bytes_.data() + row.begin, row.key_size}; }

  std::vector<Row> rows_;
  std::string bytes_;
};

}  // namespace tokend
