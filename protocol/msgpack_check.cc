#include <algorithm>
#include <cassert>
#include <cstdint>

#include "protocol/msgpack.h"
#include "protocol/msgpack_head.h"

namespace tokend::msgpack_io {

// left_ needs no first value: what is under open_ has been written.
ValueScan::ValueScan(size_t depth_max) : depth_max_(depth_max) {
  assert(depth_max >= 1 && depth_max <= kDepthMax);
}

CheckResult ValueScan::Advance(std::string_view bytes, size_t bytes_max) {
  bytes_max = std::min<size_t>(bytes_max, UINT32_MAX);
  while (owed_ > 0) {
    if (pos_ == bytes.size()) return CheckResult::kNeedMore;
    Head head;
    const bool whole = ReadHead(bytes, pos_, &head);
    if (head.type == Type::kInvalid) return CheckResult::kMalformed;
    // Each value that is owed takes a byte at the least.
    const uint64_t size_min = uint64_t{head.size} + head.body + head.children + (owed_ - 1);
    if (size_min > bytes_max - pos_) return CheckResult::kTooLarge;
    if (!whole || head.body > bytes.size() - pos_ - head.size) return CheckResult::kNeedMore;
    pos_ += head.size + size_t{head.body};
    owed_ += head.children;
    --owed_;
    if (too_deep_) continue;

    if (head.type == Type::kArray || head.type == Type::kMap) {
      if (open_ == depth_max_) {
        too_deep_ = true;
        continue;
      }
      if (head.children > 0) {
        left_[open_++] = static_cast<uint32_t>(head.children);
        continue;
      }
    }
    // A value has ended, and with it perhaps those that it was the last of.
    while (open_ > 0 && --left_[open_ - 1] == 0) --open_;
  }
  return CheckResult::kOk;
}

CheckResult CheckValue(std::string_view bytes, size_t depth_max, size_t bytes_max, size_t* size) {
  ValueScan scan(depth_max);
  const CheckResult result = scan.Advance(bytes, bytes_max);
  if (scan.too_deep()) return CheckResult::kTooDeep;
  if (result == CheckResult::kOk) *size = scan.size();
  return result;
}

}  // namespace tokend::msgpack_io
