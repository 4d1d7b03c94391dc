#include "protocol/msgpack.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/encoded.h"

namespace tokend::msgpack_io {
namespace {

using ::tokend::testing::Arr;
using ::tokend::testing::ArrOf;
using ::tokend::testing::Bin;
using ::tokend::testing::ExactBytes;
using ::tokend::testing::Ext;
using ::tokend::testing::Hex;
using ::tokend::testing::Int;
using ::tokend::testing::Map;
using ::tokend::testing::Nested;
using ::tokend::testing::Nil;
using ::tokend::testing::Str;
using ::tokend::testing::Written;

constexpr size_t kBytesMax = 1 << 20;

CheckResult Check(std::string_view bytes, size_t depth_max = 16, size_t bytes_max = kBytesMax) {
  size_t size = 0;
  return CheckValue(bytes, depth_max, bytes_max, &size);
}

// A whole value at each length but its own: a byte short, or any number of bytes short, needs more
// and reads as nothing; with bytes behind it, it ends where it ends.
void ExpectOneValue(const std::string& encoded) {
  for (size_t size = 0; size < encoded.size(); ++size) {
    const ExactBytes cut(std::string_view(encoded).substr(0, size));
    ASSERT_EQ(Check(cut.view()), CheckResult::kNeedMore) << "cut at " << size;
    Reader reader(cut.view());
    ASSERT_FALSE(reader.Skip()) << "cut at " << size;
    ASSERT_EQ(reader.position(), 0u);
  }
  size_t size = 0;
  const ExactBytes whole(encoded);
  ASSERT_EQ(CheckValue(whole.view(), 16, kBytesMax, &size), CheckResult::kOk);
  ASSERT_EQ(size, encoded.size());
  ASSERT_EQ(CheckValue(encoded + "\xc1\xc1", 16, kBytesMax, &size), CheckResult::kOk);
  ASSERT_EQ(size, encoded.size());
}

struct UintRow {
  uint64_t value;
  const char* hex;
};

constexpr UintRow kUints[] = {
    {0, "00"},
    {1, "01"},
    {0x7f, "7f"},
    {0x80, "cc 80"},
    {0xff, "cc ff"},
    {0x100, "cd 0100"},
    {0xffff, "cd ffff"},
    {0x10000, "ce 00010000"},
    {0xffffffff, "ce ffffffff"},
    {0x100000000, "cf 0000000100000000"},
    {0x7fffffffffffffff, "cf 7fffffffffffffff"},
    {0x8000000000000000, "cf 8000000000000000"},
    {0xffffffffffffffff, "cf ffffffffffffffff"},
};

TEST(MsgpackTest, UnsignedIntegersAtEveryEdge) {
  for (const UintRow& row : kUints) {
    SCOPED_TRACE(row.hex);
    const std::string bytes = Written([&](Writer& out) { out.Uint(row.value); });
    EXPECT_EQ(bytes, Hex(row.hex));
    ExpectOneValue(bytes);

    Reader reader(bytes);
    EXPECT_EQ(reader.PeekType(), Type::kInt);
    uint64_t value = 99;
    ASSERT_TRUE(reader.ReadUint(&value));
    EXPECT_EQ(value, row.value);
    EXPECT_TRUE(reader.AtEnd());

    Reader signed_reader(bytes);
    int64_t signed_value = 99;
    const bool fits = row.value <= 0x7fffffffffffffff;
    EXPECT_EQ(signed_reader.ReadInt(&signed_value), fits);
    EXPECT_EQ(signed_value, fits ? static_cast<int64_t>(row.value) : 99);
    if (fits) {
      EXPECT_EQ(Int(static_cast<int64_t>(row.value)), bytes);
    }
  }
}

struct IntRow {
  int64_t value;
  const char* hex;
};

constexpr IntRow kNegatives[] = {
    {-1, "ff"},
    {-32, "e0"},
    {-33, "d0 df"},
    {-128, "d0 80"},
    {-129, "d1 ff7f"},
    {-32768, "d1 8000"},
    {-32769, "d2 ffff7fff"},
    {-2147483648, "d2 80000000"},
    {-2147483649, "d3 ffffffff7fffffff"},
    {std::numeric_limits<int64_t>::min(), "d3 8000000000000000"},
};

TEST(MsgpackTest, NegativeIntegersAtEveryEdge) {
  for (const IntRow& row : kNegatives) {
    SCOPED_TRACE(row.hex);
    const std::string bytes = Int(row.value);
    EXPECT_EQ(bytes, Hex(row.hex));
    ExpectOneValue(bytes);

    Reader reader(bytes);
    EXPECT_EQ(reader.PeekType(), Type::kInt);
    uint64_t unsigned_value;
    EXPECT_FALSE(reader.ReadUint(&unsigned_value));
    EXPECT_EQ(reader.position(), 0u);
    int64_t value = 99;
    ASSERT_TRUE(reader.ReadInt(&value));
    EXPECT_EQ(value, row.value);
    EXPECT_TRUE(reader.AtEnd());
  }
}

// Others may encode as wide as they like, and positive numbers as signed.
TEST(MsgpackTest, IntegersAreReadInAnyEncoding) {
  for (const IntRow& row : std::vector<IntRow>{{5, "cc 05"},
                                               {5, "cd 0005"},
                                               {5, "ce 00000005"},
                                               {5, "cf 0000000000000005"},
                                               {5, "d0 05"},
                                               {5, "d1 0005"},
                                               {5, "d2 00000005"},
                                               {5, "d3 0000000000000005"},
                                               {127, "d0 7f"},
                                               {32767, "d1 7fff"},
                                               {2147483647, "d2 7fffffff"},
                                               {INT64_MAX, "d3 7fffffffffffffff"},
                                               {-1, "d0 ff"},
                                               {-1, "d1 ffff"},
                                               {-1, "d2 ffffffff"},
                                               {-1, "d3 ffffffffffffffff"}}) {
    SCOPED_TRACE(row.hex);
    ExpectOneValue(Hex(row.hex));
    int64_t value = 99;
    const std::string bytes = Hex(row.hex);
    ASSERT_TRUE(Reader(bytes).ReadInt(&value));
    EXPECT_EQ(value, row.value);
    uint64_t unsigned_value = 99;
    EXPECT_EQ(Reader(bytes).ReadUint(&unsigned_value), row.value >= 0);
    EXPECT_EQ(unsigned_value, row.value >= 0 ? static_cast<uint64_t>(row.value) : 99u);
  }
}

TEST(MsgpackTest, NilAndBooleans) {
  const std::string bytes = Written([](Writer& out) {
    out.Nil();
    out.Bool(true);
    out.Bool(false);
  });
  EXPECT_EQ(bytes, Hex("c0 c3 c2"));
  Reader reader(bytes);
  bool value = false;
  EXPECT_FALSE(reader.ReadBool(&value));
  EXPECT_TRUE(reader.ReadNil());
  EXPECT_FALSE(reader.ReadNil());
  EXPECT_TRUE(reader.ReadBool(&value));
  EXPECT_TRUE(value);
  EXPECT_TRUE(reader.ReadBool(&value));
  EXPECT_FALSE(value);
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_EQ(reader.PeekType(), Type::kInvalid);
  EXPECT_FALSE(reader.ReadNil());
  EXPECT_FALSE(reader.ReadBool(&value));
}

struct LengthRow {
  size_t length;
  const char* head;
};

TEST(MsgpackTest, StringsAtEveryEdge) {
  for (const LengthRow& row : std::vector<LengthRow>{{0, "a0"},
                                                     {1, "a1"},
                                                     {31, "bf"},
                                                     {32, "d9 20"},
                                                     {255, "d9 ff"},
                                                     {256, "da 0100"},
                                                     {65535, "da ffff"},
                                                     {65536, "db 00010000"}}) {
    SCOPED_TRACE(row.length);
    const std::string text(row.length, 'x');
    const std::string bytes = Str(text);
    EXPECT_EQ(bytes, Hex(row.head) + text);
    if (row.length <= 256) ExpectOneValue(bytes);
    Reader reader(bytes);
    std::string_view value;
    EXPECT_FALSE(reader.ReadBin(&value));
    ASSERT_TRUE(reader.ReadStr(&value));
    EXPECT_EQ(value, text);
    EXPECT_TRUE(reader.AtEnd());
    const ExactBytes cut(std::string_view(bytes).substr(0, bytes.size() - 1));
    EXPECT_FALSE(Reader(cut.view()).ReadStr(&value));
    EXPECT_EQ(Check(cut.view()), CheckResult::kNeedMore);
  }
}

TEST(MsgpackTest, BinariesAtEveryEdge) {
  for (const LengthRow& row : std::vector<LengthRow>{{0, "c4 00"},
                                                     {1, "c4 01"},
                                                     {255, "c4 ff"},
                                                     {256, "c5 0100"},
                                                     {65535, "c5 ffff"},
                                                     {65536, "c6 00010000"}}) {
    SCOPED_TRACE(row.length);
    const std::string data(row.length, '\0');
    const std::string bytes = Bin(data);
    EXPECT_EQ(bytes, Hex(row.head) + data);
    if (row.length <= 256) ExpectOneValue(bytes);
    Reader reader(bytes);
    std::string_view value;
    EXPECT_FALSE(reader.ReadStr(&value));
    ASSERT_TRUE(reader.ReadBin(&value));
    EXPECT_EQ(value, data);
    EXPECT_TRUE(reader.AtEnd());
  }
}

TEST(MsgpackTest, ExtensionsAtEveryEdge) {
  for (const LengthRow& row : std::vector<LengthRow>{{0, "c7 00 fe"},
                                                     {1, "d4 fe"},
                                                     {2, "d5 fe"},
                                                     {3, "c7 03 fe"},
                                                     {4, "d6 fe"},
                                                     {5, "c7 05 fe"},
                                                     {8, "d7 fe"},
                                                     {15, "c7 0f fe"},
                                                     {16, "d8 fe"},
                                                     {17, "c7 11 fe"},
                                                     {32, "c7 20 fe"},
                                                     {255, "c7 ff fe"},
                                                     {256, "c8 0100 fe"},
                                                     {65535, "c8 ffff fe"},
                                                     {65536, "c9 00010000 fe"}}) {
    SCOPED_TRACE(row.length);
    const std::string data(row.length, 'e');
    const std::string bytes = Ext(-2, data);
    EXPECT_EQ(bytes, Hex(row.head) + data);
    if (row.length <= 256) ExpectOneValue(bytes);
    Reader reader(bytes);
    int8_t type = 0;
    std::string_view value;
    ASSERT_TRUE(reader.ReadExt(&type, &value));
    EXPECT_EQ(type, -2);
    EXPECT_EQ(value, data);
    EXPECT_TRUE(reader.AtEnd());
  }
}

TEST(MsgpackTest, ArraysAndMapsAtEveryEdge) {
  for (const LengthRow& row : std::vector<LengthRow>{{0, "90"},
                                                     {1, "91"},
                                                     {15, "9f"},
                                                     {16, "dc 0010"},
                                                     {65535, "dc ffff"},
                                                     {65536, "dd 00010000"}}) {
    SCOPED_TRACE(row.length);
    const std::string bytes = ArrOf(static_cast<uint32_t>(row.length), Nil());
    EXPECT_EQ(bytes, Hex(row.head) + std::string(row.length, '\xc0'));
    if (row.length <= 256) ExpectOneValue(bytes);
    uint32_t count = 99;
    EXPECT_FALSE(Reader(bytes).ReadMapHeader(&count));
    Reader reader(bytes);
    ASSERT_TRUE(reader.ReadArrayHeader(&count));
    EXPECT_EQ(count, row.length);
    EXPECT_EQ(reader.position(), Hex(row.head).size());
    size_t size = 0;
    EXPECT_EQ(CheckValue(bytes, 1, kBytesMax, &size), CheckResult::kOk);
    EXPECT_EQ(size, bytes.size());
  }
  for (const LengthRow& row : std::vector<LengthRow>{{0, "80"},
                                                     {1, "81"},
                                                     {15, "8f"},
                                                     {16, "de 0010"},
                                                     {65535, "de ffff"},
                                                     {65536, "df 00010000"}}) {
    SCOPED_TRACE(row.length);
    std::string bytes =
        Written([&](Writer& out) { out.MapHeader(static_cast<uint32_t>(row.length)); });
    EXPECT_EQ(bytes, Hex(row.head));
    for (size_t i = 0; i < row.length; ++i) bytes += Int(1) + Nil();
    if (row.length <= 256) ExpectOneValue(bytes);
    uint32_t count = 99;
    EXPECT_FALSE(Reader(bytes).ReadArrayHeader(&count));
    ASSERT_TRUE(Reader(bytes).ReadMapHeader(&count));
    EXPECT_EQ(count, row.length);
    size_t size = 0;
    EXPECT_EQ(CheckValue(bytes, 1, kBytesMax, &size), CheckResult::kOk);
    EXPECT_EQ(size, bytes.size());
  }
  uint32_t count = 0;
  EXPECT_TRUE(Reader(Hex("dd ffffffff")).ReadArrayHeader(&count));
  EXPECT_EQ(count, 0xffffffff);
  EXPECT_TRUE(Reader(Hex("df ffffffff")).ReadMapHeader(&count));
  EXPECT_EQ(count, 0xffffffff);
}

TEST(MsgpackTest, EveryLeadByteHasItsType) {
  for (int lead = 0; lead < 256; ++lead) {
    const std::string bytes(1, static_cast<char>(lead));
    Type expected;
    if (lead < 0x80 || lead >= 0xe0 || (lead >= 0xcc && lead <= 0xd3)) {
      expected = Type::kInt;
    } else if (lead < 0x90 || lead == 0xde || lead == 0xdf) {
      expected = Type::kMap;
    } else if (lead < 0xa0 || lead == 0xdc || lead == 0xdd) {
      expected = Type::kArray;
    } else if (lead < 0xc0 || (lead >= 0xd9 && lead <= 0xdb)) {
      expected = Type::kStr;
    } else if (lead == 0xc0) {
      expected = Type::kNil;
    } else if (lead == 0xc1) {
      expected = Type::kInvalid;
    } else if (lead <= 0xc3) {
      expected = Type::kBool;
    } else if (lead <= 0xc6) {
      expected = Type::kBin;
    } else if (lead <= 0xc9 || lead >= 0xd4) {
      expected = Type::kExt;
    } else {
      expected = Type::kFloat;
    }
    EXPECT_EQ(Reader(bytes).PeekType(), expected) << std::hex << lead;
  }
}

// No Read takes a value of another type, and none moves the cursor then.
TEST(MsgpackTest, ReadsTakeTheirOwnTypeAlone) {
  const struct {
    Type type;
    std::string bytes;
  } kValues[] = {
      {Type::kNil, Nil()},          {Type::kBool, Hex("c3")},
      {Type::kInt, Int(1)},         {Type::kFloat, Hex("ca 3f800000")},
      {Type::kStr, Str("a")},       {Type::kBin, Bin("a")},
      {Type::kArray, Arr({Nil()})}, {Type::kMap, Map({{"a", Nil()}})},
      {Type::kExt, Ext(1, "a")},    {Type::kInvalid, Hex("c1")},
      {Type::kInvalid, ""},         {Type::kFloat, Hex("cb 3ff0000000000000")},
  };
  for (const auto& value : kValues) {
    SCOPED_TRACE(static_cast<int>(value.type));
    Reader reader(value.bytes);
    EXPECT_EQ(reader.PeekType(), value.type);
    bool flag;
    uint64_t u;
    int64_t i;
    int8_t ext;
    uint32_t count;
    std::string_view view;
    const auto expect = [&](Type type, const std::function<bool(Reader&)>& read) {
      Reader fresh(value.bytes);
      EXPECT_EQ(read(fresh), value.type == type);
      EXPECT_EQ(fresh.position() > 0, value.type == type);
    };
    expect(Type::kNil, [&](Reader& in) { return in.ReadNil(); });
    expect(Type::kBool, [&](Reader& in) { return in.ReadBool(&flag); });
    expect(Type::kInt, [&](Reader& in) { return in.ReadUint(&u); });
    expect(Type::kInt, [&](Reader& in) { return in.ReadInt(&i); });
    expect(Type::kStr, [&](Reader& in) { return in.ReadStr(&view); });
    expect(Type::kBin, [&](Reader& in) { return in.ReadBin(&view); });
    expect(Type::kExt, [&](Reader& in) { return in.ReadExt(&ext, &view); });
    expect(Type::kArray, [&](Reader& in) { return in.ReadArrayHeader(&count); });
    expect(Type::kMap, [&](Reader& in) { return in.ReadMapHeader(&count); });
  }
}

TEST(MsgpackTest, EveryScalarIsOneValueHoweverItIsCut) {
  for (const char* hex : {"c0",
                          "c2",
                          "c3",
                          "ca 00000000",
                          "cb 0000000000000000",
                          "a3 616263",
                          "c4 02 0000",
                          "c7 03 01 000000",
                          "d4 01 00",
                          "d5 01 0000",
                          "d6 01 00000000",
                          "d7 01 0000000000000000",
                          "d8 01 00000000000000000000000000000000",
                          "d9 01 61",
                          "da 0001 61",
                          "db 00000001 61",
                          "c5 0001 00",
                          "c6 00000001 00",
                          "c8 0001 05 00",
                          "c9 00000001 05 00",
                          "dc 0001 c0",
                          "dd 00000001 c0",
                          "de 0001 c0c0",
                          "df 00000001 c0c0"}) {
    SCOPED_TRACE(hex);
    ExpectOneValue(Hex(hex));
  }
}

TEST(MsgpackTest, NestedValueIsOneValueHoweverItIsCut) {
  ExpectOneValue(Arr({Int(0), Int(70000), Str("insert"),
                      Arr({Map({{"token", Bin(std::string(40, 't'))},
                                {"scopes", Arr({Str("a"), Arr({}), Map({}), Nil()})},
                                {"key", Ext(1, std::string(32, 'k'))},
                                {"attributes", Map({{"a", Map({{"b", Arr({Arr({})})}})}})}})})}));
}

TEST(MsgpackTest, SkipGivesTheBytesOfOneValue) {
  const std::string first = Map({{"a", Arr({Int(1), Str("two")})}});
  const std::string bytes = first + Nil();
  Reader reader(bytes);
  std::string_view encoded;
  ASSERT_TRUE(reader.Skip(&encoded));
  EXPECT_EQ(encoded, first);
  EXPECT_EQ(encoded.data(), bytes.data());
  ASSERT_TRUE(reader.Skip());
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_FALSE(reader.Skip());
}

TEST(MsgpackTest, SkipIsBoundedInDepth) {
  EXPECT_TRUE(Reader(Nested(kDepthMax)).Skip());
  EXPECT_FALSE(Reader(Nested(kDepthMax + 1)).Skip());
}

TEST(CheckValueTest, DepthCountsArraysAndMapsInsideOneAnother) {
  EXPECT_EQ(Check(Int(1), 1), CheckResult::kOk);
  EXPECT_EQ(Check(Arr({}), 1), CheckResult::kOk);
  EXPECT_EQ(Check(Arr({Int(1), Str("x")}), 1), CheckResult::kOk);
  EXPECT_EQ(Check(Arr({Arr({})}), 1), CheckResult::kTooDeep);
  EXPECT_EQ(Check(Arr({Map({})}), 1), CheckResult::kTooDeep);
  EXPECT_EQ(Check(Map({{"a", Arr({})}}), 1), CheckResult::kTooDeep);
  EXPECT_EQ(Check(Arr({Arr({Int(1)})}), 2), CheckResult::kOk);
  for (size_t depth = 1; depth <= kDepthMax; ++depth) {
    EXPECT_EQ(Check(Nested(depth), depth), CheckResult::kOk) << depth;
    EXPECT_EQ(Check(Nested(depth + 1), depth), CheckResult::kTooDeep) << depth;
  }
  // Siblings do not add up.
  EXPECT_EQ(Check(Arr({Nested(3), Nested(3), Map({{"a", Nested(2)}}), Nested(3)}), 4),
            CheckResult::kOk);
  EXPECT_EQ(Check(Arr({Nested(3), Map({{"a", Nested(2)}}), Nested(4)}), 4), CheckResult::kTooDeep);
}

// A million open arrays cost neither stack nor heap.
TEST(CheckValueTest, DeepNestingIsRefusedAtTheLimit) {
  EXPECT_EQ(Check(std::string(1000000, '\x91'), 16), CheckResult::kTooDeep);
  EXPECT_EQ(Check(std::string(17, '\x91'), 16), CheckResult::kTooDeep);
  EXPECT_EQ(Check(std::string(16, '\x91'), 16), CheckResult::kNeedMore);
}

TEST(CheckValueTest, TheByteC1IsMalformedWhereverAValueMayStand) {
  EXPECT_EQ(Check(Hex("c1")), CheckResult::kMalformed);
  EXPECT_EQ(Check(Hex("92 01 c1")), CheckResult::kMalformed);
  EXPECT_EQ(Check(Hex("81 c1 01")), CheckResult::kMalformed);
  EXPECT_EQ(Check(Hex("81 01 c1")), CheckResult::kMalformed);
  EXPECT_EQ(Check(Hex("a1 c1")), CheckResult::kOk);
}

TEST(CheckValueTest, SizeAnnouncedOverTheLimitIsRefusedAtOnce) {
  // 100 bytes in all are allowed.
  const auto check = [](const std::string& hex) { return Check(Hex(hex), 16, 100); };
  EXPECT_EQ(check("d9 62"), CheckResult::kNeedMore);  // 2 + 98
  EXPECT_EQ(check("d9 63"), CheckResult::kTooLarge);
  EXPECT_EQ(check("c4 62"), CheckResult::kNeedMore);
  EXPECT_EQ(check("c4 63"), CheckResult::kTooLarge);
  EXPECT_EQ(check("c7 61 01"), CheckResult::kNeedMore);
  EXPECT_EQ(check("c7 62 01"), CheckResult::kTooLarge);
  EXPECT_EQ(check("dc 0061"), CheckResult::kNeedMore);  // 3 + 97 of a byte each
  EXPECT_EQ(check("dc 0062"), CheckResult::kTooLarge);
  EXPECT_EQ(check("de 0030"), CheckResult::kNeedMore);  // 3 + 2 * 48
  EXPECT_EQ(check("de 0031"), CheckResult::kTooLarge);
  EXPECT_EQ(check("db ffffffff"), CheckResult::kTooLarge);
  EXPECT_EQ(check("c6 ffffffff"), CheckResult::kTooLarge);
  EXPECT_EQ(check("c9 ffffffff 01"), CheckResult::kTooLarge);
  EXPECT_EQ(check("dd ffffffff"), CheckResult::kTooLarge);
  EXPECT_EQ(check("df ffffffff"), CheckResult::kTooLarge);
  // What is still owed around it counts: [_, str] of 1 + 1 + 2 + 96.
  EXPECT_EQ(check("92 d9 60"), CheckResult::kNeedMore);
  EXPECT_EQ(check("92 d9 61"), CheckResult::kTooLarge);
  // Many large headers inside one another do not add up past any bound.
  EXPECT_EQ(Check(Hex("dd fffffffe dd fffffffe"), 16, SIZE_MAX), CheckResult::kTooLarge);
}

TEST(CheckValueTest, ExactlyTheLimitIsTaken) {
  const std::string bytes = Arr({Str("abc"), Int(1), Map({{"k", Nil()}})});
  EXPECT_EQ(Check(bytes, 16, bytes.size()), CheckResult::kOk);
  EXPECT_EQ(Check(bytes, 16, bytes.size() - 1), CheckResult::kTooLarge);
  EXPECT_EQ(Check("", 16, 0), CheckResult::kNeedMore);
  EXPECT_EQ(Check(Nil(), 16, 0), CheckResult::kTooLarge);
}

TEST(ValueScanTest, GoesOnWhereItStopped) {
  const std::string bytes =
      Arr({Int(1), Str(std::string(300, 's')), Map({{"a", Arr({Int(-70000), Ext(5, "abc")})}}),
           Arr({Arr({}), Nil()})});
  for (size_t step = 1; step < bytes.size(); ++step) {
    SCOPED_TRACE(step);
    ValueScan scan(3);
    size_t size = 0;
    for (; size < bytes.size(); size += step) {
      const ExactBytes part(std::string_view(bytes).substr(0, size));
      ASSERT_EQ(scan.Advance(part.view(), kBytesMax), CheckResult::kNeedMore);
    }
    EXPECT_EQ(scan.Advance(bytes, kBytesMax), CheckResult::kOk);
    EXPECT_EQ(scan.size(), bytes.size());
    EXPECT_FALSE(scan.too_deep());
    // Asked again, it says so again.
    EXPECT_EQ(scan.Advance(bytes + "\xc1", kBytesMax), CheckResult::kOk);
    EXPECT_EQ(scan.size(), bytes.size());
  }
}

TEST(ValueScanTest, FindsTheEndOfAValueThatIsTooDeep) {
  const std::string bytes = Arr({Int(1), Nested(100), Arr({Nested(5), Str("x")}), Int(2)});
  ValueScan scan(4);
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(scan.Advance(std::string_view(bytes).substr(0, size), kBytesMax),
              CheckResult::kNeedMore);
  }
  EXPECT_EQ(scan.Advance(bytes + bytes, kBytesMax), CheckResult::kOk);
  EXPECT_EQ(scan.size(), bytes.size());
  EXPECT_TRUE(scan.too_deep());
}

// Once a prefix is refused, so is all that begins with it.
TEST(ValueScanTest, EveryByteAtATimeAgreesWithAllAtOnce) {
  const std::vector<std::string> values = {Hex("92 01 c1"), Hex("dc 0062"), Nested(20),
                                           Arr({Str(std::string(90, 'x')), Int(70000)}),
                                           Hex("de 0031 00")};
  for (const std::string& bytes : values) {
    ValueScan scan(16);
    CheckResult result = CheckResult::kNeedMore;
    for (size_t size = 0; size <= bytes.size(); ++size) {
      const std::string_view prefix = std::string_view(bytes).substr(0, size);
      const CheckResult next = scan.Advance(prefix, 100);
      if (result != CheckResult::kNeedMore) {
        EXPECT_EQ(next, result);
      }
      result = next;
      if (!scan.too_deep()) {
        EXPECT_EQ(Check(prefix, 16, 100), result);
      }
    }
    EXPECT_EQ(scan.too_deep(), bytes == Nested(20));
  }
}

TEST(Utf8Test, TakesEveryKindOfSequenceAtItsEdges) {
  for (const char* hex :
       {"", "00", "7f", "c280", "dfbf", "e0a080", "ecbfbf", "ed8080", "ed9fbf", "ee8080", "efbfbf",
        "f0908080", "f3bfbfbf", "f4808080", "f48fbfbf", "e282ac", "f09f9491", "6162c3ab63"}) {
    EXPECT_TRUE(IsValidUtf8(Hex(hex))) << hex;
  }
}

TEST(Utf8Test, RefusesWhatRfc3629Refuses) {
  for (const char* hex : {
           "80",         "bf",                                            // a continuation alone
           "c080",       "c1bf",                                          // overlong in two bytes
           "e08080",     "e09fbf",                                        // overlong in three
           "f0808080",   "f08fbfbf",                                      // overlong in four
           "eda080",     "edbfbf",                                        // surrogates
           "f4908080",   "f5808080",     "f7bfbfbf",                      // past U+10FFFF
           "f888808080", "fc8480808080", "fe",       "ff",                // five bytes, six, never
           "c2",         "e0a0",         "e282",     "f09080", "f09f94",  // cut short
           "c220",       "c2c2",         "e28220",   "e2c2ac", "f09f9420", "f020ffff", "e2", "f0",
       }) {
    EXPECT_FALSE(IsValidUtf8(Hex(hex))) << hex;
    // Wherever it stands, also where eight bytes are looked at together.
    for (size_t before = 0; before < 20; ++before) {
      const ExactBytes text(std::string(before, 'a') + Hex(hex));
      EXPECT_FALSE(IsValidUtf8(text.view())) << hex;
      EXPECT_FALSE(IsValidUtf8(std::string(before, 'a') + Hex(hex) + std::string(20, 'z'))) << hex;
    }
  }
}

// Against the definition: decode, then ask whether the number is one that may be written so.
TEST(Utf8Test, AgreesWithTheDefinitionForAllOfTwoAndThreeBytes) {
  const auto defined = [](const std::string& s) {
    for (size_t i = 0; i < s.size();) {
      const auto byte = [&](size_t at) { return static_cast<uint8_t>(s[at]); };
      size_t size = 1;
      uint32_t code = byte(i);
      if (code >= 0xf0 && code < 0xf8) {
        size = 4, code &= 0x07;
      } else if (code >= 0xe0 && code < 0xf0) {
        size = 3, code &= 0x0f;
      } else if (code >= 0xc0 && code < 0xe0) {
        size = 2, code &= 0x1f;
      } else if (code >= 0x80) {
        return false;
      }
      if (i + size > s.size()) return false;
      for (size_t k = 1; k < size; ++k) {
        if (byte(i + k) >> 6 != 2) return false;
        code = code << 6 | (byte(i + k) & 0x3f);
      }
      constexpr uint32_t kMin[] = {0, 0, 0x80, 0x800, 0x10000};
      if (code < kMin[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
      i += size;
    }
    return true;
  };
  int valid = 0;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      std::string text = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(IsValidUtf8(text), defined(text)) << a << " " << b;
      for (int c = 0; c < 256; ++c) {
        text.resize(2);
        text.push_back(static_cast<char>(c));
        const bool expected = defined(text);
        valid += expected;
        ASSERT_EQ(IsValidUtf8(text), expected) << a << " " << b << " " << c;
      }
      // And of four, with the last byte whole.
      text.resize(2);
      text += "\x80\xbf";
      ASSERT_EQ(IsValidUtf8(text), defined(text)) << a << " " << b;
    }
  }
  // 128^3, 128 with one of 1920 on either side, and 61440 of three bytes.
  EXPECT_EQ(valid, 128 * 128 * 128 + 2 * 128 * 1920 + 61440);
}

}  // namespace
}  // namespace tokend::msgpack_io
