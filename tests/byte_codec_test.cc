#include "storage/byte_codec.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tokend {
namespace {

// By the definition: seven bits a byte, the lowest first, all but the last byte marked.
std::string VarintOf(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value % 0x80 + 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

TEST(ByteCodecTest, VarintsOfEveryLength) {
  for (int bit = 0; bit <= 64; ++bit) {
    const uint64_t power = bit < 64 ? uint64_t{1} << bit : 0;
    for (const uint64_t value : {power - 1, power, power + 1, power | 0x55, ~power}) {
      std::string bytes = "before";
      PutVarint(value, &bytes);
      EXPECT_EQ(bytes, "before" + VarintOf(value)) << value;
      ByteReader in(std::string_view(bytes).substr(6));
      uint64_t read;
      ASSERT_TRUE(in.Varint(&read)) << value;
      EXPECT_EQ(read, value);
      EXPECT_TRUE(in.Done());
    }
  }
}

TEST(ByteCodecTest, BigEndianOfEveryLength) {
  constexpr uint64_t kValue = 0x8182'8384'8586'8788;
  for (size_t size = 1; size <= 8; ++size) {
    std::string bytes = "before";
    AppendBigEndian(kValue, size, &bytes);
    EXPECT_EQ(bytes, "before" + std::string("\x81\x82\x83\x84\x85\x86\x87\x88").substr(8 - size));
    const uint64_t lowest = size == 8 ? kValue : kValue & ((uint64_t{1} << 8 * size) - 1);
    EXPECT_EQ(LoadBigEndian(bytes.data() + 6, size), lowest);
  }
  EXPECT_EQ(LoadBigEndian("x", 0), 0u);
}

TEST(ByteCodecTest, HeadsCompareAsTheirBytesDo) {
  const std::vector<std::string> in_order = {
      "",         std::string(1, '\0') + "a", "a",        "aaaaaaa",           "aaaaaaab",
      "aaaaaaac", "aaaaaaacaaaaaaaz",         "aaaaaaad", "aaaaaaadaaaaaaabz", "\xff"};
  for (size_t i = 1; i < in_order.size(); ++i) {
    EXPECT_LE(HeadOf(in_order[i - 1]), HeadOf(in_order[i])) << i;
    EXPECT_LT(LongHeadOf(in_order[i - 1]), LongHeadOf(in_order[i])) << i;
  }
  EXPECT_EQ(HeadOf("abcdefghi"), HeadOf("abcdefgh"));
  EXPECT_EQ(LongHeadOf("abcdefghijklmnopq"), LongHeadOf("abcdefghijklmnop"));
}

}  // namespace
}  // namespace tokend
