#include "server/validate_frame.h"

#include <cstring>

namespace tokend {
namespace {

// "validate" as a fixstr, between msgid and params.
constexpr char kMethod[] = "\xa8validate";
constexpr size_t kMethodBytes = sizeof kMethod - 1;

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

bool ReadMsgid(Cursor& in, uint32_t* msgid) {
  uint32_t head;
  if (!in.Number(1, &head)) return false;
  if (head <= 0x7f) {
    *msgid = head;
    return true;
  }
  if (head < 0xcc || head > 0xce) return false;
  return in.Number(size_t{1} << (head - 0xcc), msgid);
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
  token->is_key = false;
  return size >= 1 && size <= kTokenBytesMax && in.Bytes(size, &token->token);
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
  if (bytes.size() < 2 || bytes[0] != '\x94' || bytes[1] != '\x00') return 0;
  Cursor in(bytes.substr(2));
  std::string_view method;
  uint32_t params;
  if (!ReadMsgid(in, &frame->msgid) || !in.Bytes(kMethodBytes, &method) ||
      std::memcmp(method.data(), kMethod, kMethodBytes) != 0 || !in.Number(1, &params) ||
      (params != 0x91 && params != 0x92) || !ReadToken(in, &frame->token)) {
    return 0;
  }
  frame->has_namespace = params == 0x92;
  if (frame->has_namespace && !ReadNamespace(in, &frame->namespace_name)) return 0;
  return 2 + in.position();
}

}  // namespace tokend
