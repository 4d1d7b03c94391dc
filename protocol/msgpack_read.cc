#include <cstdint>

#include "protocol/big_endian.h"
#include "protocol/msgpack.h"
#include "protocol/msgpack_head.h"

namespace tokend::msgpack_io {

Type Reader::PeekType() const {
  if (AtEnd()) return Type::kInvalid;
  Head head;
  ReadHead(bytes_, pos_, &head);
  return head.type;
}

bool Reader::Peek(Type type, Head* head) const {
  return !AtEnd() && ReadHead(bytes_, pos_, head) && head->type == type &&
         head->body <= bytes_.size() - pos_ - head->size;
}

// The number in two's complement, which is negative or not by its encoding.
bool Reader::PeekInt(Head* head, uint64_t* bits, bool* negative) const {
  if (!Peek(Type::kInt, head)) return false;
  const uint8_t lead = ByteAt(bytes_, pos_);
  const uint64_t raw = LoadBigEndian(bytes_.data() + pos_ + 1, head->size - 1u);
  switch (lead) {
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      *bits = raw;
      *negative = false;
      return true;
    case 0xd0:
      *bits = static_cast<uint64_t>(int64_t{static_cast<int8_t>(raw)});
      break;
    case 0xd1:
      *bits = static_cast<uint64_t>(int64_t{static_cast<int16_t>(raw)});
      break;
    case 0xd2:
      *bits = static_cast<uint64_t>(int64_t{static_cast<int32_t>(raw)});
      break;
    case 0xd3:
      *bits = raw;
      break;
    default:  // the lead byte is the number
      *bits = static_cast<uint64_t>(int64_t{static_cast<int8_t>(lead)});
  }
  *negative = static_cast<int64_t>(*bits) < 0;
  return true;
}

// Steps over the head and gives the body.
std::string_view Reader::Take(const Head& head) {
  const std::string_view body = bytes_.substr(pos_ + head.size, head.body);
  pos_ += head.size + body.size();
  return body;
}

bool Reader::ReadNil() {
  if (AtEnd() || ByteAt(bytes_, pos_) != 0xc0) return false;
  ++pos_;
  return true;
}

bool Reader::ReadBool(bool* value) {
  Head head;
  if (!Peek(Type::kBool, &head)) return false;
  *value = ByteAt(bytes_, pos_) == 0xc3;
  Take(head);
  return true;
}

bool Reader::ReadUint(uint64_t* value) {
  Head head;
  uint64_t bits;
  bool negative;
  if (!PeekInt(&head, &bits, &negative) || negative) return false;
  *value = bits;
  Take(head);
  return true;
}

bool Reader::ReadInt(int64_t* value) {
  Head head;
  uint64_t bits;
  bool negative;
  if (!PeekInt(&head, &bits, &negative)) return false;
  if (!negative && bits > uint64_t{INT64_MAX}) return false;
  *value = static_cast<int64_t>(bits);
  Take(head);
  return true;
}

bool Reader::ReadStr(std::string_view* value) {
  Head head;
  if (!Peek(Type::kStr, &head)) return false;
  *value = Take(head);
  return true;
}

bool Reader::ReadBin(std::string_view* value) {
  Head head;
  if (!Peek(Type::kBin, &head)) return false;
  *value = Take(head);
  return true;
}

bool Reader::ReadExt(int8_t* type, std::string_view* value) {
  Head head;
  if (!Peek(Type::kExt, &head)) return false;
  *type = static_cast<int8_t>(ByteAt(bytes_, pos_ + head.size - 1));
  *value = Take(head);
  return true;
}

bool Reader::ReadArrayHeader(uint32_t* count) {
  Head head;
  if (!Peek(Type::kArray, &head)) return false;
  *count = static_cast<uint32_t>(head.children);
  Take(head);
  return true;
}

bool Reader::ReadMapHeader(uint32_t* count) {
  Head head;
  if (!Peek(Type::kMap, &head)) return false;
  *count = static_cast<uint32_t>(head.children / 2);
  Take(head);
  return true;
}

bool Reader::Skip(std::string_view* encoded) {
  const std::string_view rest = bytes_.substr(pos_);
  size_t size;
  if (CheckValue(rest, kDepthMax, rest.size(), &size) != CheckResult::kOk) return false;
  if (encoded != nullptr) *encoded = rest.substr(0, size);
  pos_ += size;
  return true;
}

}  // namespace tokend::msgpack_io
