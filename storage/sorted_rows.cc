#include "storage/sorted_rows.h"

#include <algorithm>

#include "storage/byte_codec.h"

namespace tokend {

void SortedRows::Add(Database::Family family, Kind kind, std::string_view key,
                     std::string_view value) {
  rows_.push_back({HeadOf(key), bytes_.size(), static_cast<uint32_t>(key.size()),
                   static_cast<uint32_t>(value.size()), family, kind});
  bytes_.append(key).append(value);
}

void SortedRows::MoveTo(Database* database, rocksdb::WriteBatch* batch) {
  std::sort(rows_.begin(), rows_.end(), [this](const Row& a, const Row& b) {
    if (a.family != b.family) return a.family < b.family;
    if (a.head != b.head) return a.head < b.head;
    if (const int order = KeyOf(a).compare(KeyOf(b)); order != 0) return order < 0;
    return a.begin < b.begin;
  });
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
    }
  }
  rows_.clear();
  bytes_.clear();
}

}  // namespace tokend
