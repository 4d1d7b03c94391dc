// Usage rows are added to, never read first: a merge operator sums counts and keeps the latest use.
#pragma once

#include <rocksdb/merge_operator.h>

#include <memory>

namespace tokend {

std::shared_ptr<rocksdb::MergeOperator> MakeUsageMergeOperator();

}  // namespace tokend
