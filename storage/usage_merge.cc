#include "storage/usage_merge.h"

#include <algorithm>
#include <string>

#include "storage/rows.h"

namespace tokend {
namespace {

class UsageMergeOperator : public rocksdb::AssociativeMergeOperator {
 public:
  const char* Name() const override { return "tokend.usage"; }  // persisted

  bool Merge(const rocksdb::Slice& /*key*/, const rocksdb::Slice* existing,
             const rocksdb::Slice& operand, std::string* merged,
             rocksdb::Logger* /*logger*/) const override {
    UsageRow sum;
    if (!DecodeUsageRow({operand.data(), operand.size()}, &sum)) return false;
    UsageRow base;
    if (existing != nullptr) {
      if (!DecodeUsageRow({existing->data(), existing->size()}, &base)) return false;
      // The later operand knows the token's current expiry.
      sum.last_used_at_ms = std::max(sum.last_used_at_ms, base.last_used_at_ms);
      sum.use_count += base.use_count;
    }
    *merged = EncodeUsageRow(sum);
    return true;
  }
};

}  // namespace

std::shared_ptr<rocksdb::MergeOperator> MakeUsageMergeOperator() {
  return std::make_shared<UsageMergeOperator>();
}

}  // namespace tokend
