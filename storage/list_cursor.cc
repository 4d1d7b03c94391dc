#include "storage/list_cursor.h"

#include <xxhash.h>

#include "storage/byte_codec.h"

namespace tokend {
namespace {

constexpr uint8_t kCursorVersion = 1;
constexpr size_t kCursorBytes = 1 + 8 + 8 + kTokenKeyBytes;

uint64_t FiltersMark(const ListParams& params) {
  std::string filters;
  PutBytes(params.namespace_name, &filters);
  filters.push_back(static_cast<char>(params.order));
  filters.push_back(params.state ? static_cast<char>(*params.state) : '\x7f');
  filters.push_back(params.owner ? '\1' : '\0');
  if (params.owner) PutBytes(*params.owner, &filters);
  PutVarint(params.expires_after_ms.value_or(0), &filters);
  PutVarint(params.expires_before_ms.value_or(kNever), &filters);
  return XXH3_64bits(filters.data(), filters.size());
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string EncodeListCursor(const ListParams& params, const ListPosition& position) {
  std::string raw(1, static_cast<char>(kCursorVersion));
  AppendBigEndian(FiltersMark(params), 8, &raw);
  AppendBigEndian(position.expires_at_ms, 8, &raw);
  raw.append(position.key.view());
  std::string hex;
  for (const char c : raw) {
    hex.push_back("0123456789abcdef"[static_cast<uint8_t>(c) >> 4]);
    hex.push_back("0123456789abcdef"[c & 15]);
  }
  return hex;
}

std::optional<ListPosition> DecodeListCursor(const ListParams& params, std::string_view cursor) {
  if (cursor.size() != 2 * kCursorBytes) return std::nullopt;
  std::string raw;
  for (size_t i = 0; i < cursor.size(); i += 2) {
    const int high = HexDigit(cursor[i]);
    const int low = HexDigit(cursor[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    raw.push_back(static_cast<char>(high << 4 | low));
  }
  ByteReader in(raw);
  uint8_t version = 0;
  uint64_t mark = 0;
  ListPosition position;
  in.Byte(&version);
  in.BigEndian(8, &mark);
  in.BigEndian(8, &position.expires_at_ms);
  if (version != kCursorVersion || mark != FiltersMark(params)) return std::nullopt;
  position.key = TokenKey::FromBytes(in.rest());
  return position;
}

}  // namespace tokend
