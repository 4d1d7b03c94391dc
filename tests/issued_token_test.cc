#include "protocol/issued_token.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace tokend {
namespace {

// Made with Python's zlib.crc32, so by another's code.
const char* const kGood[] = {
    "tk_000000000000000000000000000000"
    "20MPzX",
    "tk_0123456789ABCDEFGHIJKLMNOPQRST"
    "4IOrqg",
    "live2_WXYZabcdefghijklmnopqrstuvwxyz"
    "1dFZWQ",
    "a_zZ9aA0zZ9aA0zZ9aA0zZ9aA0zZ9aA0"
    "15IDrp",
    "AAAAAAAAAAAAAAAAAAAA_qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
    "14jEq6",
    "tk_000000000000000000000000000211"
    "008ehO",  // padded with zeros
};

TEST(IssuedTokenTest, ChecksumIsThatOfOthers) {
  for (const std::string token : kGood) EXPECT_TRUE(HasIssuedChecksum(token)) << token;
}

TEST(IssuedTokenTest, EachCharacterCounts) {
  for (const std::string token : kGood) {
    for (size_t i = 0; i < token.size(); ++i) {
      std::string typo = token;
      typo[i] = token[i] == 'x' ? 'y' : 'x';
      EXPECT_FALSE(HasIssuedChecksum(typo)) << typo;
      EXPECT_FALSE(HasIssuedChecksum(token.substr(0, i))) << token.substr(0, i);
      typo = token;
      typo.insert(i, "0");
      EXPECT_FALSE(HasIssuedChecksum(typo)) << typo;
    }
    EXPECT_FALSE(HasIssuedChecksum(token + "0"));
    EXPECT_FALSE(HasIssuedChecksum(token + "\n"));
  }
  EXPECT_FALSE(HasIssuedChecksum(""));
  EXPECT_FALSE(HasIssuedChecksum("_"));
}

// Each with the checksum that its characters have.
TEST(IssuedTokenTest, ChecksumDoesNotMakeUpForTheShape) {
  for (const char* token : {
           "tk_00000000000000000000000000000"
           "1Yetcp",
           "tk_0000000000000000000000000000000"
           "099VoI",
           "_000000000000000000000000000000"
           "2vgxjO",
           "AAAAAAAAAAAAAAAAAAAAA_000000000000000000000000000000"
           "0s4qYF",
           "t-k_000000000000000000000000000000"
           "21YARj",
           "tk_00000000000000000000000000000-"
           "0GTDc2",
       }) {
    EXPECT_FALSE(HasIssuedChecksum(token)) << token;
  }
}

TEST(IssuedTokenTest, PrefixIsOneToTwentyLettersAndDigits) {
  EXPECT_TRUE(IsValidIssuedPrefix(kIssuedPrefixDefault));
  EXPECT_TRUE(IsValidIssuedPrefix("a"));
  EXPECT_TRUE(IsValidIssuedPrefix("azAZ09"));
  EXPECT_TRUE(IsValidIssuedPrefix(std::string(20, 'p')));
  EXPECT_FALSE(IsValidIssuedPrefix(""));
  EXPECT_FALSE(IsValidIssuedPrefix(std::string(21, 'p')));
  for (int c = 0; c < 256; ++c) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    EXPECT_EQ(IsValidIssuedPrefix(std::string("a") + static_cast<char>(c)), good) << c;
  }
}

TEST(IssuedTokenTest, IsMadeWithItsPrefixAndChecksum) {
  for (const std::string prefix : {"tk", "x", "live2", "AAAAAAAAAAAAAAAAAAAA"}) {
    const std::string token(MakeIssuedToken(prefix).bytes());
    EXPECT_EQ(token.size(), prefix.size() + 1 + 30 + 6);
    EXPECT_TRUE(token.starts_with(prefix + "_")) << token;
    EXPECT_TRUE(HasIssuedChecksum(token)) << token;
  }
}

// A byte taken modulo 62 would make 8 characters a quarter more frequent than the others: a
// chi-square of some 2,000 here. With 61 degrees of freedom a fair one stays under 200 but for one
// run in 10^16.
TEST(IssuedTokenTest, CharactersAreEquallyFrequentAndTokensDiffer) {
  constexpr int kTokens = 10000;
  std::set<std::string> tokens;
  std::map<char, int> counts;
  for (int i = 0; i < kTokens; ++i) {
    const std::string token(MakeIssuedToken("tk").bytes());
    tokens.insert(token);
    for (const char c : token.substr(3, 30)) ++counts[c];
  }
  EXPECT_EQ(tokens.size(), size_t{kTokens});
  ASSERT_EQ(counts.size(), 62u);
  const double expected = kTokens * 30 / 62.0;
  double chi_square = 0;
  for (const auto& [c, count] : counts) {
    chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 200);
}

TEST(IssuedTokenTest, ADerivedTokenIsTheSameForTheSame) {
  const Secret secret(std::string(32, 's'));
  const Secret other(std::string(32, 't'));
  const std::string token(DeriveIssuedToken("tk", secret, "name").bytes());
  EXPECT_TRUE(HasIssuedChecksum(token)) << token;
  EXPECT_EQ(DeriveIssuedToken("tk", secret, "name").bytes(), token);
  EXPECT_NE(DeriveIssuedToken("tk", secret, "nam").bytes(), token);
  EXPECT_NE(DeriveIssuedToken("tk", other, "name").bytes(), token);
  EXPECT_EQ(DeriveIssuedToken("key", secret, "name").bytes().substr(3, 31), token.substr(2, 31));
}

}  // namespace
}  // namespace tokend
