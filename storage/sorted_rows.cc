#include "storage/sorted_rows.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <utility>

#include "storage/mapped_memory.h"

namespace tokend {
namespace {

constexpr size_t kWrittenAhead = 1024;

}  // namespace

void SortedRows::Add(Database::Family family, Kind kind, std::string_view key,
                     std::string_view value) {
  assert(key.size() <= UINT16_MAX && bytes_.size() + key.size() + value.size() <= UINT32_MAX);
  rows_.push_back({.head = LongHeadOf(key),
                   .begin = static_cast<uint32_t>(bytes_.size()),
                   .value_size = static_cast<uint32_t>(value.size()),
                   .key_size = static_cast<uint16_t>(key.size()),
                   .family = family,
                   .kind = kind});
  // They go to memory that has left the caches since it was last written.
  const char* const ahead = bytes_.data() + bytes_.size() + kWrittenAhead;
  __builtin_prefetch(ahead, /*rw=*/1);
  __builtin_prefetch(ahead + 64, /*rw=*/1);
  bytes_.append(key).append(value);
}

void SortedRows::Reserve(size_t rows, size_t bytes) {
  rows_.reserve(rows);
  bytes_.reserve(bytes);
  // In the order of their keys rows lie all over it.
  AdviseHugePages(bytes_.data(), bytes);
  AdviseHugePages(rows_.data(), rows * sizeof(Row));
}

SortedRows::FamilyEnds SortedRows::SortByFamily() {
  const Ends ends = Distribute(std::span(rows_), [](const Row& row) { return row.family; });
  FamilyEnds of_families;
  std::copy_n(ends.begin(), of_families.size(), of_families.begin());
  return of_families;
}

void SortedRows::SortFamilies(std::initializer_list<Database::Family> families,
                              const FamilyEnds& ends) {
  for (const Database::Family family : families) {
    const size_t begin = family == 0 ? 0 : ends[family - 1];
    SortFamily(std::span(rows_).subspan(begin, ends[family] - begin));
  }
}

// By the first bits in which any two of them differ, again and again: a few passes, where comparing
// takes one for each doubling of their number.
void SortedRows::SortFamily(std::span<Row> rows) {
  if (rows.size() < kDistributeMin) return SortByComparing(rows);
  LongHead differing = 0;
  for (const Row& row : rows) differing |= row.head ^ rows.front().head;
  if (differing == 0) return SortByComparing(rows);
  const auto high = static_cast<uint64_t>(differing >> 64);
  const int bits = high != 0 ? 128 - std::countl_zero(high)
                             : 64 - std::countl_zero(static_cast<uint64_t>(differing));
  const int shift = std::max(bits - kDigitBits, 0);
  const Ends ends =
      Distribute(rows, [shift](const Row& row) { return static_cast<uint8_t>(row.head >> shift); });
  for (size_t begin = 0, digit = 0; begin < rows.size(); begin = ends[digit++]) {
    SortFamily(rows.subspan(begin, ends[digit] - begin));
  }
}

void SortedRows::SortByComparing(std::span<Row> rows) const {
  std::sort(rows.begin(), rows.end(), [this](const Row& a, const Row& b) {
    if (a.family != b.family) return a.family < b.family;
    if (a.head != b.head) return a.head < b.head;
    if (const int order = KeyOf(a).compare(KeyOf(b)); order != 0) return order < 0;
    return a.begin < b.begin;
  });
}

// Puts them into the order of their digits, in place; gives the end of each digit's rows.
template <typename DigitOf>
SortedRows::Ends SortedRows::Distribute(std::span<Row> rows, const DigitOf& digit_of) {
  Ends ends{};
  for (const Row& row : rows) ++ends[digit_of(row)];
  Ends next;  // of each digit, the first place that has not been filled
  size_t sum = 0;
  for (size_t digit = 0; digit < ends.size(); ++digit) {
    next[digit] = sum;
    ends[digit] = sum += ends[digit];
  }
  for (size_t digit = 0; digit < ends.size(); ++digit) {
    while (next[digit] < ends[digit]) {
      Row& row = rows[next[digit]];
      const size_t belongs = digit_of(row);
      if (belongs == digit) {
        ++next[digit];
      } else {
        std::swap(row, rows[next[belongs]++]);
      }
    }
  }
  return ends;
}

size_t SortedRows::Begin(Database::Family family) const {
  const auto found = std::partition_point(rows_.begin(), rows_.end(),
                                          [&](const Row& row) { return row.family < family; });
  return static_cast<size_t>(found - rows_.begin());
}

size_t SortedRows::LowerBound(Database::Family family, std::string_view key) const {
  const LongHead head = LongHeadOf(key);
  const auto found = std::partition_point(rows_.begin(), rows_.end(), [&](const Row& row) {
    if (row.family != family) return row.family < family;
    if (row.head != head) return row.head < head;
    return KeyOf(row) < key;
  });
  return static_cast<size_t>(found - rows_.begin());
}

void SortedRows::MoveTo(Database* database, rocksdb::WriteBatch* batch) {
  Sort();
  for (const Row& row : rows_) {
    rocksdb::ColumnFamilyHandle* const family = database->family(row.family);
    const rocksdb::Slice key(bytes_.data() + row.begin, row.key_size);
    const rocksdb::Slice value(key.data() + row.key_size, row.value_size);
    switch (row.kind) {
      case Kind::kPut:
        batch->Put(family, key, value);
        break;
      case Kind::kMerge:
        batch->Merge(family, key, value);
        break;
      case Kind::kDelete:
        batch->Delete(family, key);
        break;
      case Kind::kDropped:
        break;
    }
  }
  Clear();
}

}  // namespace tokend
