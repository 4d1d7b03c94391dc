// The head of one encoded value: everything about it but its bytes and its children. Internal to
// the msgpack files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/big_endian.h"
#include "protocol/msgpack.h"

namespace tokend::msgpack_io {

//   lead byte | length: 0, 1, 2 or 4 bytes | type: 1 byte, ext only | body or children
//             '---------------------- head ----------------------'
//
// Numbers, nil and booleans are head throughout.
struct Head {
  Type type = Type::kInvalid;
  uint8_t size = 0;       // of the head, lead byte included; known from the lead byte alone
  uint32_t body = 0;      // bytes that follow: str, bin, ext
  uint64_t children = 0;  // values that follow: one for each of an array, two for each of a map
};

inline uint8_t ByteAt(std::string_view bytes, size_t pos) {
  return static_cast<uint8_t>(bytes[pos]);
}

// Reads the head at `pos`; requires pos < bytes.size(). False where not all of it is there: then
// only type and size are set.
inline bool ReadHead(std::string_view bytes, size_t pos, Head* head) {
  struct Lead {
    Type type;
    uint8_t size;
    uint8_t length_bytes = 0;
    uint8_t body = 0;  // fixext
  };
  static constexpr Lead kLeads[32] = {
      {Type::kNil, 1},        {Type::kInvalid, 1},   {Type::kBool, 1},       // c0
      {Type::kBool, 1},       {Type::kBin, 2, 1},    {Type::kBin, 3, 2},     // c3
      {Type::kBin, 5, 4},     {Type::kExt, 3, 1},    {Type::kExt, 4, 2},     // c6
      {Type::kExt, 6, 4},     {Type::kFloat, 5},     {Type::kFloat, 9},      // c9
      {Type::kInt, 2},        {Type::kInt, 3},       {Type::kInt, 5},        // cc, unsigned
      {Type::kInt, 9},        {Type::kInt, 2},       {Type::kInt, 3},        // cf; d0, signed
      {Type::kInt, 5},        {Type::kInt, 9},       {Type::kExt, 2, 0, 1},  // d2; d4, fixext
      {Type::kExt, 2, 0, 2},  {Type::kExt, 2, 0, 4}, {Type::kExt, 2, 0, 8},  // d5
      {Type::kExt, 2, 0, 16}, {Type::kStr, 2, 1},    {Type::kStr, 3, 2},     // d8
      {Type::kStr, 5, 4},     {Type::kArray, 3, 2},  {Type::kArray, 5, 4},   // db
      {Type::kMap, 3, 2},     {Type::kMap, 5, 4},                            // de
  };

  const uint8_t lead_byte = ByteAt(bytes, pos);
  head->size = 1;
  head->body = 0;
  head->children = 0;
  if (lead_byte < 0x80 || lead_byte >= 0xe0) {
    head->type = Type::kInt;
    return true;
  }
  if (lead_byte < 0x90) {
    head->type = Type::kMap;
    head->children = 2 * (lead_byte & 0x0f);
    return true;
  }
  if (lead_byte < 0xa0) {
    head->type = Type::kArray;
    head->children = lead_byte & 0x0f;
    return true;
  }
  if (lead_byte < 0xc0) {
    head->type = Type::kStr;
    head->body = lead_byte & 0x1f;
    return true;
  }
  const Lead& lead = kLeads[lead_byte - 0xc0];
  head->type = lead.type;
  head->size = lead.size;
  if (bytes.size() - pos < lead.size) return false;
  head->body = lead.body;
  if (lead.length_bytes == 0) return true;
  const uint64_t length = LoadBigEndian(bytes.data() + pos + 1, lead.length_bytes);
  if (lead.type == Type::kArray) {
    head->children = length;
  } else if (lead.type == Type::kMap) {
    head->children = 2 * length;
  } else {
    head->body = static_cast<uint32_t>(length);
  }
  return true;
}

}  // namespace tokend::msgpack_io
