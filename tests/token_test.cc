#include "protocol/token.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend {
namespace {

TEST(TokenIdTest, IsTheFirstTwelveBytesOfTheKey) {
  TokenKey key;
  for (size_t i = 0; i < kTokenKeyBytes; ++i) key.bytes[i] = static_cast<uint8_t>(0xf0 + 7 * i);
  EXPECT_EQ(TokenId::Of(key).view(), key.view().substr(0, 12));
  EXPECT_EQ(TokenKey::FromBytes(key.view()), key);
}

TEST(TokenIdTest, IsWrittenAsLowerCaseHex) {
  const TokenId id{{0x00, 0x01, 0x0a, 0x7f, 0x80, 0x9b, 0xab, 0xcd, 0xef, 0xf0, 0xfe, 0xff}};
  EXPECT_EQ(ToHex(id), "00010a7f809babcdeff0feff");
  EXPECT_EQ(ParseTokenId("00010a7f809babcdeff0feff"), id);
}

TEST(TokenIdTest, TakesNothingButTwentyFourLowerCaseHexDigits) {
  const std::string good = "00010a7f809babcdeff0feff";
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char wrong : {'/', ':', '@', 'A', 'F', 'G', '`', 'g', ' ', '\0', '\xff'}) {
      std::string bad = good;
      bad[i] = wrong;
      EXPECT_FALSE(ParseTokenId(bad)) << bad;
    }
  }
  EXPECT_FALSE(ParseTokenId(""));
  EXPECT_FALSE(ParseTokenId(good.substr(1)));
  EXPECT_FALSE(ParseTokenId(good + "0"));
  EXPECT_FALSE(ParseTokenId("0x" + good));
}

}  // namespace
}  // namespace tokend
