#include "server/validate_frame.h"

#include <cstring>

#include "protocol/big_endian.h"

namespace tokend {
namespace {

// A fixstr each, with its head.
constexpr std::string_view kValidate = "\xa8validate";
constexpr std::string_view kValidateMany = "\xadvalidate_many";

class Cursor {
 public:
  explicit Cursor(std::string_view bytes)
      : begin_(reinterpret_cast<const uint8_t*>(bytes.data())),
        pos_(begin_),
        end_(begin_ + bytes.size()) {}

  size_t position() const { return static_cast<size_t>(pos_ - begin_); }

  // A big-endian number of `size` bytes.
  bool Number(size_t size, uint32_t* value) {
    if (Left() < size) return false;
    *value = 0;
    for (size_t i = 0; i < size; ++i) *value = *value << 8 | *pos_++;
    return true;
  }
  bool Bytes(size_t size, std::string_view* value) {
    if (Left() < size) return false;
    *value = {reinterpret_cast<const char*>(pos_), size};
    pos_ += size;
    return true;
  }

 private:
  size_t Left() const { return static_cast<size_t>(end_ - pos_); }

  const uint8_t* begin_;
  const uint8_t* pos_;
  const uint8_t* end_;
};

// Reads what comes before the first parameter, and steps over it: gives its size, 0 if it is
// anything else. One byte at least follows.
size_t ReadHeads(std::string_view bytes, std::string_view method, uint32_t* msgid,
                 bool* has_namespace) {
  // Two heads, msgid, method, the params' head and what follows.
  const size_t size_min = 2 + 1 + method.size() + 1 + 1;
  const char* const data = bytes.data();
  if (bytes.size() < size_min || data[0] != '\x94' || data[1] != '\x00') return 0;
  size_t pos = 3;
  const auto lead = static_cast<uint8_t>(data[2]);
  if (lead <= 0x7f) {
    *msgid = lead;
  } else {
    const uint32_t wide = lead - 0xccu;  // 2^wide bytes follow
    if (wide > 2 || bytes.size() < size_min + (size_t{1} << wide)) return 0;
    *msgid = static_cast<uint32_t>(LoadBigEndian(data + pos, 4)) >> (32 - (8u << wide));
    pos += size_t{1} << wide;
  }
  if (std::memcmp(data + pos, method.data(), method.size()) != 0) return 0;
  pos += method.size();
  const auto params = static_cast<uint8_t>(data[pos]);
  if (params != 0x91 && params != 0x92) return 0;
  *has_namespace = params == 0x92;
  return pos + 1;
}

bool ReadToken(Cursor& in, TokenRef* token) {
  uint32_t head, size;
  if (!in.Number(1, &head)) return false;
  if (head >= 0xa0 && head <= 0xbf) {
    size = head & 0x1f;
  } else if (head >= 0xd9 && head <= 0xdb) {  // str 8, 16, 32
    if (!in.Number(size_t{1} << (head - 0xd9), &size)) return false;
  } else if (head >= 0xc4 && head <= 0xc6) {  // bin 8, 16, 32
    if (!in.Number(size_t{1} << (head - 0xc4), &size)) return false;
  } else if (head == 0xc7) {  // ext 8
    uint32_t type;
    std::string_view key;
    if (!in.Number(1, &size) || !in.Number(1, &type) || size != kTokenKeyBytes ||
        type != kExtTokenKey || !in.Bytes(kTokenKeyBytes, &key)) {
      return false;
    }
    token->is_key = true;
    token->key = TokenKey::FromBytes(key);
    return true;
  } else {
    return false;
  }
  std::string_view bytes;
  if (size < 1 || size > kTokenBytesMax || !in.Bytes(size, &bytes)) return false;
  token->is_key = false;
  token->token = SecretView(bytes);
  return true;
}

bool ReadShortToken(Cursor& in, std::string_view* token) {
  uint32_t head, size;
  if (!in.Number(1, &head)) return false;
  if (head == 0xd9 || head == 0xc4) {  // str 8, bin 8
    if (!in.Number(1, &size)) return false;
  } else if (head >= 0xa0 && head <= 0xbf) {
    size = head & 0x1f;
  } else {
    return false;
  }
  return size >= 1 && in.Bytes(size, token);
}

bool ReadCount(Cursor& in, uint32_t* count) {
  uint32_t head;
  if (!in.Number(1, &head)) return false;
  if (head >= 0x90 && head <= 0x9f) {
    *count = head & 0xf;
    return true;
  }
  return head == 0xdc && in.Number(2, count) && *count <= kValidateManyFrameTokensMax;
}

bool ReadNamespace(Cursor& in, std::string_view* name) {
  uint32_t head, size;
  if (!in.Number(1, &head)) return false;
  if (head >= 0xa0 && head <= 0xbf) {
    size = head & 0x1f;
  } else if (head == 0xd9) {
    if (!in.Number(1, &size)) return false;
  } else {
    return false;
  }
  return in.Bytes(size, name);
}

}  // namespace

size_t ReadValidateFrame(std::string_view bytes, ValidateFrame* frame) {
  const size_t pos = ReadHeads(bytes, kValidate, &frame->msgid, &frame->has_namespace);
  if (pos == 0) return 0;
  Cursor in(bytes.substr(pos));
  if (!ReadToken(in, &frame->token)) return 0;
  if (frame->has_namespace && !ReadNamespace(in, &frame->namespace_name)) return 0;
  return pos + in.position();
}

size_t ReadValidateManyFrame(std::string_view bytes, ValidateManyFrame* frame) {
  const size_t pos = ReadHeads(bytes, kValidateMany, &frame->msgid, &frame->has_namespace);
  if (pos == 0) return 0;
  Cursor in(bytes.substr(pos));
  uint32_t count;
  if (!ReadCount(in, &count)) return 0;
  frame->tokens.resize(count);
  for (std::string_view& token : frame->tokens) {
    if (!ReadShortToken(in, &token)) return 0;
  }
  if (frame->has_namespace && !ReadNamespace(in, &frame->namespace_name)) return 0;
  return pos + in.position();
}

}  // namespace tokend
