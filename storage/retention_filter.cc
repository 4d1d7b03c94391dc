#include "storage/retention_filter.h"

#include <optional>
#include <string>
#include <utility>

#include "storage/rows.h"

namespace tokend {
namespace {

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class RetentionFilter : public rocksdb::CompactionFilter {
 public:
  RetentionFilter(RowKind kind, std::function<uint64_t()> reclaim_before_ms)
      : kind_(kind), reclaim_before_ms_(std::move(reclaim_before_ms)) {}

  const char* Name() const override { return "tokend.retention"; }

  bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& value,
              std::string* /*new_value*/, bool* /*value_changed*/) const override {
    const std::optional<uint64_t> kept_from = KeptFrom(key, value);
    return kept_from && *kept_from != kNever && *kept_from <= reclaim_before_ms_();
  }

  // Of usage: an operand is merged first and judged as a whole afterwards.
  bool FilterMergeOperand(int /*level*/, const rocksdb::Slice& /*key*/,
                          const rocksdb::Slice& /*operand*/) const override {
    return false;
  }

 private:
  std::optional<uint64_t> KeptFrom(const rocksdb::Slice& key, const rocksdb::Slice& value) const {
    switch (kind_) {
      case RowKind::kToken:
        return StoredRecordKeptFrom(View(value));
      case RowKind::kIndex:
        return IndexRowKeptFrom(View(key), View(value));
      case RowKind::kUsage: {
        UsageRow usage;
        if (!DecodeUsageRow(View(value), &usage)) return std::nullopt;
        return usage.kept_from_ms;
      }
    }
    return std::nullopt;
  }

  const RowKind kind_;
  const std::function<uint64_t()> reclaim_before_ms_;
};

}  // namespace

std::unique_ptr<rocksdb::CompactionFilter> MakeRetentionFilter(
    RowKind kind, std::function<uint64_t()> reclaim_before_ms) {
  return std::make_unique<RetentionFilter>(kind, std::move(reclaim_before_ms));
}

}  // namespace tokend
