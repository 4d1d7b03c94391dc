// protocol/msgpack.h against msgpack-c: what either writes, the other reads, and both see the same
// end in the same bytes. rapidcheck prints its seed when it fails and takes it back in RC_PARAMS.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <limits>
#include <msgpack.hpp>
#include <string>
#include <utility>
#include <vector>

#include "protocol/msgpack.h"
#include "tests/encoded.h"

namespace tokend::msgpack_io {
namespace {

struct Node {
  Type type = Type::kNil;
  bool flag = false;
  bool negative = false;
  uint64_t number = 0;  // kInt, in two's complement where negative
  int8_t ext_type = 0;
  std::string bytes;           // kStr, kBin, kExt
  std::vector<Node> children;  // kArray; kMap: keys and values in turn

  bool operator==(const Node&) const = default;
};

// Grows a tree out of numbers, so that rapidcheck shrinks trees by shrinking numbers.
class Grower {
 public:
  explicit Grower(const std::vector<uint32_t>& choices) : choices_(choices) {}

  // An array at the root, that holds all that the choices give.
  Node Grow() {
    Node root;
    root.type = Type::kArray;
    while (at_ < choices_.size()) root.children.push_back(GrowAt(2));
    return root;
  }

 private:
  Node GrowAt(int depth) {
    Node node;
    switch (Choose(depth < 8 ? 9 : 7)) {
      case 0:
        break;
      case 1:
        node.type = Type::kBool;
        node.flag = Choose(2) == 1;
        break;
      case 2:
        node.type = Type::kInt;
        node.number = Number();
        break;
      case 3:
        node.type = Type::kInt;
        node.negative = true;
        node.number = ~(Number() >> 1);
        break;
      case 4:
        node.type = Type::kStr;
        node.bytes.assign(Length(), 's');
        break;
      case 5:
        node.type = Type::kBin;
        node.bytes.assign(Length(), '\xc1');
        break;
      case 6:
        node.type = Type::kExt;
        node.ext_type = static_cast<int8_t>(Choose(256));
        node.bytes.assign(Length(), 'e');
        break;
      case 7:
        node.type = Type::kArray;
        for (uint32_t left = Choose(20); left > 0; --left) {
          node.children.push_back(GrowAt(depth + 1));
        }
        break;
      case 8:
        node.type = Type::kMap;
        for (uint32_t left = 2 * Choose(18); left > 0; --left) {
          node.children.push_back(GrowAt(depth + 1));
        }
        break;
    }
    return node;
  }

  // Out of choices, everything is nil.
  uint32_t Choose(uint32_t below) { return at_ < choices_.size() ? choices_[at_++] % below : 0; }

  // Around each power of two, where encodings change.
  uint64_t Number() {
    const uint64_t power = uint64_t{1} << Choose(64);
    return power + Choose(3) - 1;
  }
  size_t Length() {
    static constexpr size_t kEdges[] = {0,  1,  2,  3,  4,  5,   7,   8,   9,     15,
                                        16, 17, 31, 32, 33, 254, 255, 256, 65535, 65536};
    return kEdges[Choose(std::size(kEdges))];
  }

  const std::vector<uint32_t>& choices_;
  size_t at_ = 0;
};

void WriteOurs(const Node& node, Writer* out) {
  switch (node.type) {
    case Type::kNil:
      return out->Nil();
    case Type::kBool:
      return out->Bool(node.flag);
    case Type::kInt:
      return node.negative ? out->Int(static_cast<int64_t>(node.number)) : out->Uint(node.number);
    case Type::kStr:
      return out->Str(node.bytes);
    case Type::kBin:
      return out->Bin(node.bytes);
    case Type::kExt:
      return out->Ext(node.ext_type, node.bytes);
    case Type::kArray:
      out->ArrayHeader(static_cast<uint32_t>(node.children.size()));
      break;
    case Type::kMap:
      out->MapHeader(static_cast<uint32_t>(node.children.size() / 2));
      break;
    default:
      FAIL() << "not grown";
  }
  for (const Node& child : node.children) WriteOurs(child, out);
}

void WriteTheirs(const Node& node, msgpack::packer<msgpack::sbuffer>* out) {
  const auto size = static_cast<uint32_t>(node.bytes.size());
  switch (node.type) {
    case Type::kNil:
      out->pack_nil();
      return;
    case Type::kBool:
      node.flag ? out->pack_true() : out->pack_false();
      return;
    case Type::kInt:
      node.negative ? out->pack_int64(static_cast<int64_t>(node.number))
                    : out->pack_uint64(node.number);
      return;
    case Type::kStr:
      out->pack_str(size).pack_str_body(node.bytes.data(), size);
      return;
    case Type::kBin:
      out->pack_bin(size).pack_bin_body(node.bytes.data(), size);
      return;
    case Type::kExt:
      out->pack_ext(size, node.ext_type).pack_ext_body(node.bytes.data(), size);
      return;
    case Type::kArray:
      out->pack_array(static_cast<uint32_t>(node.children.size()));
      break;
    case Type::kMap:
      out->pack_map(static_cast<uint32_t>(node.children.size() / 2));
      break;
    default:
      FAIL() << "not grown";
  }
  for (const Node& child : node.children) WriteTheirs(child, out);
}

bool ReadOurs(Reader& in, Node* node) {
  node->type = in.PeekType();
  uint32_t children = 0;
  std::string_view bytes;
  switch (node->type) {
    case Type::kNil:
      return in.ReadNil();
    case Type::kBool:
      return in.ReadBool(&node->flag);
    case Type::kInt: {
      if (in.ReadUint(&node->number)) return true;
      int64_t value;
      if (!in.ReadInt(&value)) return false;
      node->negative = true;
      node->number = static_cast<uint64_t>(value);
      return true;
    }
    case Type::kStr:
      if (!in.ReadStr(&bytes)) return false;
      break;
    case Type::kBin:
      if (!in.ReadBin(&bytes)) return false;
      break;
    case Type::kExt:
      if (!in.ReadExt(&node->ext_type, &bytes)) return false;
      break;
    case Type::kArray:
      if (!in.ReadArrayHeader(&children)) return false;
      break;
    case Type::kMap:
      if (!in.ReadMapHeader(&children)) return false;
      children *= 2;
      break;
    default:
      return false;
  }
  node->bytes.assign(bytes);
  for (uint32_t i = 0; i < children; ++i) {
    if (!ReadOurs(in, &node->children.emplace_back())) return false;
  }
  return true;
}

Node FromTheirs(const msgpack::object& object) {
  Node node;
  switch (object.type) {
    case msgpack::type::NIL:
      break;
    case msgpack::type::BOOLEAN:
      node.type = Type::kBool;
      node.flag = object.via.boolean;
      break;
    case msgpack::type::POSITIVE_INTEGER:
      node.type = Type::kInt;
      node.number = object.via.u64;
      break;
    case msgpack::type::NEGATIVE_INTEGER:
      node.type = Type::kInt;
      node.negative = true;
      node.number = static_cast<uint64_t>(object.via.i64);
      break;
    case msgpack::type::STR:
      node.type = Type::kStr;
      node.bytes.assign(object.via.str.ptr, object.via.str.size);
      break;
    case msgpack::type::BIN:
      node.type = Type::kBin;
      node.bytes.assign(object.via.bin.ptr, object.via.bin.size);
      break;
    case msgpack::type::EXT:
      node.type = Type::kExt;
      node.ext_type = object.via.ext.type();
      node.bytes.assign(object.via.ext.data(), object.via.ext.size);
      break;
    case msgpack::type::ARRAY:
      node.type = Type::kArray;
      for (uint32_t i = 0; i < object.via.array.size; ++i) {
        node.children.push_back(FromTheirs(object.via.array.ptr[i]));
      }
      break;
    case msgpack::type::MAP:
      node.type = Type::kMap;
      for (uint32_t i = 0; i < object.via.map.size; ++i) {
        node.children.push_back(FromTheirs(object.via.map.ptr[i].key));
        node.children.push_back(FromTheirs(object.via.map.ptr[i].val));
      }
      break;
    default:
      node.type = Type::kInvalid;
  }
  return node;
}

std::string Ours(const Node& node) {
  return ::tokend::testing::Written([&](Writer& out) { WriteOurs(node, &out); });
}

RC_GTEST_PROP(MsgpackReferenceTest, BothWriteTheSameAndReadItBack,
              (const std::vector<uint32_t>& choices)) {
  const Node node = Grower(choices).Grow();
  const std::string ours = Ours(node);

  msgpack::sbuffer theirs;
  msgpack::packer<msgpack::sbuffer> packer(theirs);
  WriteTheirs(node, &packer);
  RC_ASSERT(ours == std::string_view(theirs.data(), theirs.size()));

  size_t size = 0;
  RC_ASSERT(CheckValue(ours, kDepthMax, ours.size(), &size) == CheckResult::kOk);
  RC_ASSERT(size == ours.size());
  Reader reader(ours);
  Node read;
  RC_ASSERT(ReadOurs(reader, &read));
  RC_ASSERT(reader.AtEnd());
  RC_ASSERT(read == node);

  const msgpack::object_handle handle = msgpack::unpack(ours.data(), ours.size());
  RC_ASSERT(FromTheirs(handle.get()) == node);
}

// Sees where a value ends and nothing else.
struct EndVisitor : msgpack::null_visitor {
  bool insufficient = false;
  bool malformed = false;
  void parse_error(size_t, size_t) { malformed = true; }
  void insufficient_bytes(size_t, size_t) { insufficient = true; }
};

void ExpectSameEnd(const std::string& bytes) {
  EndVisitor visitor;
  size_t end = 0;
  const bool whole = msgpack::parse(bytes.data(), bytes.size(), end, visitor);

  const ::tokend::testing::ExactBytes exact(bytes);
  ValueScan scan;
  switch (scan.Advance(exact.view(), UINT32_MAX)) {
    case CheckResult::kOk:
      RC_ASSERT(whole);
      RC_ASSERT(scan.size() == end);
      break;
    case CheckResult::kMalformed:
      RC_ASSERT(visitor.malformed);
      break;
    case CheckResult::kNeedMore:
      RC_ASSERT(!whole);
      RC_ASSERT(!visitor.malformed);
      break;
    case CheckResult::kTooLarge:
      // More than 4 GiB are announced: said at once, where msgpack-c reads on, to a bad byte
      // perhaps.
      RC_ASSERT(!whole);
      break;
    case CheckResult::kTooDeep:
      RC_FAIL("a scan has no depth limit");
  }
  // Whatever the bytes are, reading them ends, and inside them.
  Reader reader(exact.view());
  Node node;
  const bool read = ReadOurs(reader, &node);
  RC_ASSERT(reader.position() <= bytes.size());
  if (read) {
    RC_ASSERT(whole);
  }
}

RC_GTEST_PROP(MsgpackReferenceTest, BothSeeTheSameEndInRandomBytes,
              (const std::vector<uint8_t>& bytes)) {
  ExpectSameEnd(std::string(bytes.begin(), bytes.end()));
}

RC_GTEST_PROP(MsgpackReferenceTest, BothSeeTheSameEndInDamagedValues,
              (const std::vector<uint32_t>& choices,
               const std::vector<std::pair<uint32_t, uint8_t>>& damages)) {
  const std::string whole = Ours(Grower(choices).Grow());
  for (const auto& [at, byte] : damages) {
    std::string bytes = whole;
    bytes[at % bytes.size()] = static_cast<char>(byte);
    ExpectSameEnd(bytes);
    ExpectSameEnd(bytes.substr(0, at % bytes.size() + 1));
  }
}

}  // namespace
}  // namespace tokend::msgpack_io
