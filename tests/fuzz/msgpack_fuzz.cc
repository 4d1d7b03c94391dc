// The MessagePack decoder against msgpack-c's: the same bytes are a value to both, or to neither,
// and end at the same place; a value in pieces is scanned as it is in one.
#include <msgpack.hpp>
#include <string>

#include "protocol/msgpack.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;
using msgpack_io::CheckResult;

struct Theirs {
  CheckResult result = CheckResult::kOk;
  size_t size = 0;
};

Theirs CheckTheirs(std::string_view bytes) {
  msgpack::null_visitor visitor;
  Theirs theirs;
  try {
    if (!msgpack::parse(bytes.data(), bytes.size(), theirs.size, visitor)) {
      theirs.result = CheckResult::kMalformed;
    }
  } catch (const msgpack::insufficient_bytes&) {
    theirs.result = CheckResult::kNeedMore;
  } catch (const msgpack::parse_error&) {
    theirs.result = CheckResult::kMalformed;
  }
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

  if (ours == CheckResult::kOk) {
    Require(end <= size && scan.size() == end, "the end is in the bytes");
    const Theirs theirs = CheckTheirs(bytes);
    Require(theirs.result == CheckResult::kOk && theirs.size == end, "msgpack-c sees the same");
    msgpack_io::Reader in(bytes.substr(0, end));
    std::string copy, again;
    msgpack_io::Writer writer(&copy);
    Copy(in, writer);
    Require(in.AtEnd(), "all was read");
    // Shortest encodings: a copy of the copy is the copy.
    msgpack_io::Reader copied(copy);
    msgpack_io::Writer writer_again(&again);
    Copy(copied, writer_again);
    Require(copy == again && copy.size() <= end, "a copy is as short as can be");
  }
  if (ours == CheckResult::kMalformed) {
    Require(CheckTheirs(bytes).result != CheckResult::kOk, "msgpack-c takes it neither");
  }
  return 0;
}
