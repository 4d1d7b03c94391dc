#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>

#include "protocol/msgpack.h"
#include "protocol/msgpack_head.h"

namespace tokend::msgpack_io {
namespace {

// Of each first byte of a value that has no other bytes of its own: how many values it holds. -1:
// the value is longer.
constexpr std::array<int8_t, 256> kOneByteValues = [] {
  std::array<int8_t, 256> values{};
  for (int byte = 0; byte < 256; ++byte) {
    int8_t& held = values[static_cast<size_t>(byte)];
    if (byte >= 0x80 && byte <= 0x8f) {
      held = static_cast<int8_t>(2 * (byte - 0x80));  // map
    } else if (byte >= 0x90 && byte <= 0x9f) {
      held = static_cast<int8_t>(byte - 0x90);  // array
    } else {
      const bool is_whole = byte <= 0x7f || byte >= 0xe0 || byte == 0xa0 || byte == 0xc0 ||
                            byte == 0xc2 || byte == 0xc3;
      held = is_whole ? 0 : -1;
    }
  }
  return values;
}();

}  // namespace

// left_ needs no first value: what is under open_ has been written.
ValueScan::ValueScan(size_t depth_max) : depth_max_(depth_max) {
  assert(depth_max >= 1 && depth_max <= kDepthMax);
}

// Nobody looks at what is nested too deep. Most of it is heads of a byte each, since it takes so
// many: these are stepped over here, in a fraction of the time.
void ValueScan::SkipOneByteValues(std::string_view bytes, size_t bytes_max) {
  while (owed_ > 0 && pos_ < bytes.size() && owed_ <= bytes_max - pos_) {
    const int8_t values = kOneByteValues[static_cast<uint8_t>(bytes[pos_])];
    if (values < 0) return;
    ++pos_;
    owed_ += static_cast<uint64_t>(values) - 1;
  }
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
    if (too_deep_) {
      SkipOneByteValues(bytes, bytes_max);
      continue;
    }

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
