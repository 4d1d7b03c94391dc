#include <cassert>
#include <cstdint>
#include <cstring>

#include "protocol/big_endian.h"
#include "protocol/msgpack.h"

namespace tokend::msgpack_io {
namespace {

// Appends the lead byte and `width` bytes of `value`, most significant first.
void Append(std::string* out, uint8_t lead, uint64_t value, size_t width) {
  char bytes[1 + sizeof value];
  bytes[0] = static_cast<char>(lead);
  value = BigEndian(value, width);
  std::memcpy(bytes + 1, &value, sizeof value);
  out->append(bytes, 1 + width);
}

void AppendByte(std::string* out, unsigned byte) { out->push_back(static_cast<char>(byte)); }

}  // namespace

void Writer::Nil() { AppendByte(out_, 0xc0); }

void Writer::Bool(bool value) { AppendByte(out_, value ? 0xc3 : 0xc2); }

void Writer::Uint(uint64_t value) {
  if (value < 0x80) {
    AppendByte(out_, static_cast<unsigned>(value));
  } else if (value <= UINT8_MAX) {
    Append(out_, 0xcc, value, 1);
  } else if (value <= UINT16_MAX) {
    Append(out_, 0xcd, value, 2);
  } else if (value <= UINT32_MAX) {
    Append(out_, 0xce, value, 4);
  } else {
    Append(out_, 0xcf, value, 8);
  }
}

void Writer::Int(int64_t value) {
  const uint64_t bits = static_cast<uint64_t>(value);
  if (value >= 0) {
    Uint(bits);
  } else if (value >= -32) {
    AppendByte(out_, static_cast<uint8_t>(bits));
  } else if (value >= INT8_MIN) {
    Append(out_, 0xd0, bits, 1);
  } else if (value >= INT16_MIN) {
    Append(out_, 0xd1, bits, 2);
  } else if (value >= INT32_MIN) {
    Append(out_, 0xd2, bits, 4);
  } else {
    Append(out_, 0xd3, bits, 8);
  }
}

void Writer::Str(std::string_view value) {
  assert(value.size() <= UINT32_MAX);
  if (value.size() < 32) {
    AppendByte(out_, 0xa0 | static_cast<unsigned>(value.size()));
  } else if (value.size() <= UINT8_MAX) {
    Append(out_, 0xd9, value.size(), 1);
  } else if (value.size() <= UINT16_MAX) {
    Append(out_, 0xda, value.size(), 2);
  } else {
    Append(out_, 0xdb, value.size(), 4);
  }
  out_->append(value);
}

void Writer::Bin(std::string_view value) {
  assert(value.size() <= UINT32_MAX);
  if (value.size() <= UINT8_MAX) {
    Append(out_, 0xc4, value.size(), 1);
  } else if (value.size() <= UINT16_MAX) {
    Append(out_, 0xc5, value.size(), 2);
  } else {
    Append(out_, 0xc6, value.size(), 4);
  }
  out_->append(value);
}

void Writer::Ext(int8_t type, std::string_view value) {
  assert(value.size() <= UINT32_MAX);
  switch (value.size()) {
    case 1:
      AppendByte(out_, 0xd4);
      break;
    case 2:
      AppendByte(out_, 0xd5);
      break;
    case 4:
      AppendByte(out_, 0xd6);
      break;
    case 8:
      AppendByte(out_, 0xd7);
      break;
    case 16:
      AppendByte(out_, 0xd8);
      break;
    default:
      if (value.size() <= UINT8_MAX) {
        Append(out_, 0xc7, value.size(), 1);
      } else if (value.size() <= UINT16_MAX) {
        Append(out_, 0xc8, value.size(), 2);
      } else {
        Append(out_, 0xc9, value.size(), 4);
      }
  }
  AppendByte(out_, static_cast<uint8_t>(type));
  out_->append(value);
}

void Writer::ArrayHeader(uint32_t count) {
  if (count < 16) {
    AppendByte(out_, 0x90 | count);
  } else if (count <= UINT16_MAX) {
    Append(out_, 0xdc, count, 2);
  } else {
    Append(out_, 0xdd, count, 4);
  }
}

void Writer::MapHeader(uint32_t count) {
  if (count < 16) {
    AppendByte(out_, 0x80 | count);
  } else if (count <= UINT16_MAX) {
    Append(out_, 0xde, count, 2);
  } else {
    Append(out_, 0xdf, count, 4);
  }
}

}  // namespace tokend::msgpack_io
