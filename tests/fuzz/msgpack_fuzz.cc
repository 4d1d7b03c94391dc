// The MessagePack decoder against msgpack-c's: the same bytes are a value to both, or the beginning
// of one, or neither, end at the same place and mean the same; a value in pieces is scanned as it
// is in one.
#include <bit>
#include <msgpack.hpp>
#include <string>

#include "protocol/msgpack.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;
using msgpack_io::CheckResult;

// What msgpack-c sees, packed anew by its own packer. Floats are kept as they were, where that one
// would make integers of them.
class TheirCopy : public msgpack::null_visitor {
 public:
  bool visit_nil() {
    packer_.pack_nil();
    return true;
  }
  bool visit_boolean(bool value) {
    value ? packer_.pack_true() : packer_.pack_false();
    return true;
  }
  bool visit_positive_integer(uint64_t value) {
    packer_.pack_uint64(value);
    return true;
  }
  bool visit_negative_integer(int64_t value) {
    packer_.pack_int64(value);
    return true;
  }
  bool visit_float32(float value) {
    PutFloat('\xca', std::bit_cast<uint32_t>(value));
    return true;
  }
  bool visit_float64(double value) {
    PutFloat('\xcb', std::bit_cast<uint64_t>(value));
    return true;
  }
  bool visit_str(const char* bytes, uint32_t size) {
    packer_.pack_str(size).pack_str_body(bytes, size);
    return true;
  }
  bool visit_bin(const char* bytes, uint32_t size) {
    packer_.pack_bin(size).pack_bin_body(bytes, size);
    return true;
  }
  bool visit_ext(const char* bytes, uint32_t size) {  // the type is the first of them
    packer_.pack_ext(size - 1, bytes[0]).pack_ext_body(bytes + 1, size - 1);
    return true;
  }
  bool start_array(uint32_t count) {
    packer_.pack_array(count);
    return true;
  }
  bool start_map(uint32_t count) {
    packer_.pack_map(count);
    return true;
  }
  void parse_error(size_t, size_t) { result = CheckResult::kMalformed; }
  void insufficient_bytes(size_t, size_t) { result = CheckResult::kNeedMore; }

  CheckResult result = CheckResult::kOk;
  msgpack::sbuffer packed;

 private:
  template <typename Bits>
  void PutFloat(char head, Bits bits) {
    packed.write(&head, 1);
    for (size_t i = sizeof bits; i-- > 0;) {
      const char byte = static_cast<char>(bits >> (8 * i));
      packed.write(&byte, 1);
    }
  }

  msgpack::packer<msgpack::sbuffer> packer_{packed};
};

struct Theirs {
  CheckResult result = CheckResult::kOk;
  size_t size = 0;
  std::string copy;
};

Theirs CheckTheirs(std::string_view bytes) {
  TheirCopy visitor;
  Theirs theirs;
  const bool whole = msgpack::parse(bytes.data(), bytes.size(), theirs.size, visitor);
  Require(whole == (visitor.result == CheckResult::kOk), "msgpack-c says what was wrong");
  theirs.result = visitor.result;
  theirs.copy.assign(visitor.packed.data(), visitor.packed.size());
  return theirs;
}

// Reads a value by whatever type it says it is, and writes it anew.
void Copy(msgpack_io::Reader& in, msgpack_io::Writer& out) {
  using msgpack_io::Type;
  std::string_view bytes;
  uint64_t number = 0;
  int64_t negative = 0;
  uint32_t count = 0;
  int8_t type = 0;
  bool flag = false;
  switch (in.PeekType()) {
    case Type::kNil:
      Require(in.ReadNil(), "nil is read");
      return out.Nil();
    case Type::kBool:
      Require(in.ReadBool(&flag), "a boolean is read");
      return out.Bool(flag);
    case Type::kInt:
      if (in.ReadUint(&number)) return out.Uint(number);
      Require(in.ReadInt(&negative) && negative < 0, "a number is one or the other");
      return out.Int(negative);
    case Type::kStr:
      Require(in.ReadStr(&bytes), "a str is read");
      return out.Str(bytes);
    case Type::kBin:
      Require(in.ReadBin(&bytes), "a bin is read");
      return out.Bin(bytes);
    case Type::kExt:
      Require(in.ReadExt(&type, &bytes), "an ext is read");
      return out.Ext(type, bytes);
    case Type::kArray:
      Require(in.ReadArrayHeader(&count), "an array is read");
      out.ArrayHeader(count);
      break;
    case Type::kMap:
      Require(in.ReadMapHeader(&count), "a map is read");
      out.MapHeader(count);
      count *= 2;
      break;
    case Type::kFloat:
      Require(in.Skip(&bytes), "a float is skipped");
      return out.Raw(bytes);
    case Type::kInvalid:
      Require(false, "a checked value has a type");
  }
  for (uint32_t i = 0; i < count; ++i) Copy(in, out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::View(data, size);
  size_t end = 0;
  const CheckResult ours =
      msgpack_io::CheckValue(bytes, msgpack_io::kDepthMax, /*bytes_max=*/UINT32_MAX, &end);

  msgpack_io::ValueScan scan;
  CheckResult in_pieces = CheckResult::kNeedMore;
  for (size_t i = 0; i <= size && in_pieces == CheckResult::kNeedMore; ++i) {
    in_pieces = scan.Advance(bytes.substr(0, i), UINT32_MAX);
  }
  if (scan.too_deep()) {
    Require(ours == CheckResult::kTooDeep || ours == CheckResult::kMalformed ||
                ours == CheckResult::kTooLarge,
            "too deep in pieces is too deep in one");
  } else {
    Require(in_pieces == ours, "in pieces as in one");
  }

  // Beyond a limit of ours theirs goes on.
  const bool is_over_limit = ours == CheckResult::kTooDeep || ours == CheckResult::kTooLarge;
  const Theirs theirs = CheckTheirs(bytes);
  Require(theirs.result == ours || is_over_limit, "msgpack-c takes the same and asks for as much");
  if (ours == CheckResult::kOk) {
    Require(end <= size && scan.size() == end, "the end is in the bytes");
    Require(theirs.size == end, "msgpack-c ends at the same byte");
    msgpack_io::Reader in(bytes.substr(0, end));
    std::string copy, again;
    msgpack_io::Writer writer(&copy);
    Copy(in, writer);
    Require(in.AtEnd(), "all was read");
    Require(copy == theirs.copy, "msgpack-c reads the same values, and writes them so");
    // Shortest encodings: a copy of the copy is the copy.
    msgpack_io::Reader copied(copy);
    msgpack_io::Writer writer_again(&again);
    Copy(copied, writer_again);
    Require(copy == again && copy.size() <= end, "a copy is as short as can be");
  }
  return 0;
}
