#include "import/hex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tokend {
namespace {

// As many bytes as make each way of reading digits begin and end somewhere.
TEST(HexTest, DecodesDigitsOfEitherCase) {
  constexpr char kDigits[] = "0123456789abcdef0123456789ABCDEF";
  for (size_t size = 0; size < 20; ++size) {
    std::string digits;
    std::vector<uint8_t> expected;
    for (size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<uint8_t>(i * 37 + size * 11);
      digits.push_back(kDigits[(i % 2) * 16 + byte / 16]);
      digits.push_back(kDigits[(i % 3) / 2 * 16 + byte % 16]);
      expected.push_back(byte);
    }
    std::vector<uint8_t> decoded(size);
    EXPECT_TRUE(DecodeHex(digits, size, decoded.data())) << digits;
    EXPECT_EQ(decoded, expected) << digits;
  }
}

TEST(HexTest, KnowsEachByteThatIsNoDigit) {
  for (const size_t size : {size_t{3}, size_t{4}, size_t{7}, size_t{32}}) {
    for (size_t place = 0; place < 2 * size; ++place) {
      for (int c = 0; c < 256; ++c) {
        std::string digits(2 * size, '5');
        digits[place] = static_cast<char>(c);
        std::vector<uint8_t> decoded(size);
        ASSERT_EQ(DecodeHex(digits, size, decoded.data()),
                  HexValue(static_cast<char>(c)) != kNoHexDigit)
            << size << " bytes, byte " << c << " at " << place;
      }
    }
  }
}

}  // namespace
}  // namespace tokend
