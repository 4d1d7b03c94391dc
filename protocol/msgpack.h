// MessagePack, as far as the protocol needs it: a writer that appends to a buffer, a checker that
// finds the end of a value within limits, and a reader for checked bytes.
//
// The pattern is: CheckValue() once over bytes from outside, then read without further trust
// issues. Reader still bounds-checks every step, so that unchecked bytes can only make it fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokend::msgpack_io {

struct Head;  // msgpack_head.h

enum class Type : uint8_t {
  kNil,
  kBool,
  kInt,  // any integer encoding, signed or not
  kFloat,
  kStr,
  kBin,
  kArray,
  kMap,
  kExt,
  kInvalid,  // 0xc1, or no byte left
};

// Appends the shortest encoding of each value.
class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}

  void Nil();
  void Bool(bool value);
  void Uint(uint64_t value);
  void Int(int64_t value);
  void Str(std::string_view value);
  void Bin(std::string_view value);
  void Ext(int8_t type, std::string_view value);
  void ArrayHeader(uint32_t count);
  void MapHeader(uint32_t count);
  // Bytes that are an encoded value already.
  void Raw(std::string_view encoded) { out_->append(encoded); }

  std::string* out() { return out_; }

 private:
  std::string* out_;
};

enum class CheckResult : uint8_t {
  kOk,         // a whole value; *size is its length
  kNeedMore,   // a prefix of a value
  kMalformed,  // 0xc1
  kTooDeep,    // nested past the limit
  kTooLarge,   // announces more than bytes_max in all
};

inline constexpr size_t kDepthMax = 64;

// Finds the end of the value at the front of `bytes`. A header that announces more than could fit
// into bytes_max is kTooLarge at once, before its bytes have come. Depth counts arrays and maps
// inside one another: a scalar, [] and [1] have depth 1, [[1]] has 2. Needs no memory beyond a
// stack bounded by depth_max (1 ... kDepthMax).
CheckResult CheckValue(std::string_view bytes, size_t depth_max, size_t bytes_max, size_t* size);

// CheckValue for a value that arrives in pieces: goes on where it stopped, so that each byte is
// looked at once however small the pieces are. It also goes on past the depth limit, to where such
// a value ends, since beyond the limit counting values needs no stack.
class ValueScan {
 public:
  explicit ValueScan(size_t depth_max = kDepthMax);

  // `bytes` are those of the call before and what has come since, from the value's first byte on.
  // bytes_max (<= UINT32_MAX) stays the same from call to call. Never kTooDeep: see too_deep().
  CheckResult Advance(std::string_view bytes, size_t bytes_max);

  bool too_deep() const { return too_deep_; }
  // Once Advance has said kOk: the value's length.
  size_t size() const { return pos_; }

 private:
  void SkipOneByteValues(std::string_view bytes, size_t bytes_max);

  size_t depth_max_;
  size_t pos_ = 0;     // all before it was looked at
  uint64_t owed_ = 1;  // values announced and not yet begun
  size_t open_ = 0;    // arrays and maps begun and not yet ended, while !too_deep_
  bool too_deep_ = false;
  std::array<uint32_t, kDepthMax> left_;  // values still to end in each open one
};

// A cursor over encoded values. Each Read returns false where the next value is not of that type
// (the cursor then stays) or the bytes end. Views point into the bytes given.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  Type PeekType() const;
  bool AtEnd() const { return pos_ == bytes_.size(); }
  size_t position() const { return pos_; }

  bool ReadNil();
  bool ReadBool(bool* value);
  bool ReadUint(uint64_t* value);  // any integer encoding; false if negative
  bool ReadInt(int64_t* value);    // any integer encoding; false if above INT64_MAX
  bool ReadStr(std::string_view* value);
  bool ReadBin(std::string_view* value);
  bool ReadExt(int8_t* type, std::string_view* value);
  bool ReadArrayHeader(uint32_t* count);
  bool ReadMapHeader(uint32_t* count);
  // Steps over one value of any type and nesting (bounded at kDepthMax); gives its bytes if asked.
  bool Skip(std::string_view* encoded = nullptr);

 private:
  // The head of the next value, if it is of that type and all its own bytes are there. Moves
  // nothing.
  bool Peek(Type type, Head* head) const;
  bool PeekInt(Head* head, uint64_t* bits, bool* negative) const;
  std::string_view Take(const Head& head);

  std::string_view bytes_;
  size_t pos_ = 0;
};

// Valid UTF-8 by RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF.
bool IsValidUtf8(std::string_view text);

}  // namespace tokend::msgpack_io
