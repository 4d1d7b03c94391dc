// A small language for encoded MessagePack in tests:
// Arr({Int(0), Int(7), Str("ping"), Arr({})}), or Hex("94 00 07 a4 70 69 6e 67 90").
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/msgpack.h"

namespace tokend::testing {

// The bytes of hexadecimal digits; whitespace is for the reader.
inline std::string Hex(std::string_view digits) {
  std::string bytes;
  int value = 0, have = 0;
  for (const char c : digits) {
    if (c == ' ' || c == '\n') continue;
    value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    if (++have == 2) {
      bytes.push_back(static_cast<char>(value));
      value = have = 0;
    }
  }
  return bytes;
}

template <typename Write>
std::string Written(Write write) {
  std::string bytes;
  msgpack_io::Writer writer(&bytes);
  write(writer);
  return bytes;
}

inline std::string Nil() { return "\xc0"; }
inline std::string Bool(bool value) { return value ? "\xc3" : "\xc2"; }
inline std::string Int(int64_t value) {
  return Written([&](auto& out) { out.Int(value); });
}
inline std::string Uint(uint64_t value) {
  return Written([&](auto& out) { out.Uint(value); });
}
inline std::string Float() { return Hex("cb 3ff0000000000000"); }  // 1.0
inline std::string Str(std::string_view value) {
  return Written([&](auto& out) { out.Str(value); });
}
inline std::string Bin(std::string_view value) {
  return Written([&](auto& out) { out.Bin(value); });
}
inline std::string Ext(int8_t type, std::string_view value) {
  return Written([&](auto& out) { out.Ext(type, value); });
}
inline std::string ArrOf(uint32_t count, std::string_view element) {
  std::string bytes = Written([&](auto& out) { out.ArrayHeader(count); });
  for (uint32_t i = 0; i < count; ++i) bytes += element;
  return bytes;
}
inline std::string Arr(std::initializer_list<std::string> values) {
  std::string bytes =
      Written([&](auto& out) { out.ArrayHeader(static_cast<uint32_t>(values.size())); });
  for (const std::string& value : values) bytes += value;
  return bytes;
}
inline std::string Map(std::initializer_list<std::pair<std::string_view, std::string>> entries) {
  std::string bytes =
      Written([&](auto& out) { out.MapHeader(static_cast<uint32_t>(entries.size())); });
  for (const auto& [key, value] : entries) bytes += Str(key) + value;
  return bytes;
}

// [[[...]]]: `depth` arrays inside one another, the innermost empty.
inline std::string Nested(size_t depth) { return std::string(depth - 1, '\x91') + "\x90"; }

// Bytes in a heap block of exactly their size, so that a sanitizer sees a read past their end.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view bytes)
      : bytes_(std::make_unique<char[]>(bytes.size())), size_(bytes.size()) {
    if (!bytes.empty()) std::memcpy(bytes_.get(), bytes.data(), bytes.size());
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_;
};

}  // namespace tokend::testing
