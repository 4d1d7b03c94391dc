#include "protocol/digest.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/encoded.h"

namespace tokend {
namespace {

using testing::ExactBytes;
using testing::Hex;

TokenKey Sha256(std::string_view token) {
  Digester digester;
  return digester.Digest(DigestScheme::kSha256, token);
}

// FIPS 180-4's examples, and lengths on both sides of where the padding takes a block more.
TEST(DigesterTest, IsSha256) {
  EXPECT_EQ(Sha256("").view(),
            Hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
  EXPECT_EQ(Sha256("abc").view(),
            Hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  EXPECT_EQ(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").view(),
            Hex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
  EXPECT_EQ(Sha256(std::string(55, 'a')).view(),
            Hex("9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"));
  EXPECT_EQ(Sha256(std::string(56, 'a')).view(),
            Hex("b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"));
  EXPECT_EQ(Sha256(std::string(64, 'a')).view(),
            Hex("ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"));
  EXPECT_EQ(Sha256(std::string(1000000, 'a')).view(),
            Hex("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
}

TEST(DigesterTest, TakesTokensAsBytes) {
  EXPECT_NE(Sha256("a"), Sha256("A"));
  EXPECT_NE(Sha256("a"), Sha256("a "));
  EXPECT_NE(Sha256("a"), Sha256(std::string("a\0", 2)));
}

TEST(DigesterTest, IsUsedAgainAndAgain) {
  Digester digester;
  const TokenKey abc = Sha256("abc");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(digester.Digest(DigestScheme::kSha256, "abc"), abc);
    EXPECT_NE(digester.Digest(DigestScheme::kSha256, std::string(500, 'b')), abc);
  }
}

TEST(DigesterTest, AfterBarDigestsWhatFollowsTheFirstBar) {
  Digester digester;
  const auto after_bar = [&](std::string_view token) {
    return digester.Digest(DigestScheme::kSha256AfterBar, token);
  };
  EXPECT_EQ(after_bar("17|abc"), Sha256("abc"));
  EXPECT_EQ(after_bar("|abc"), Sha256("abc"));
  EXPECT_EQ(after_bar("17|a|b"), Sha256("a|b"));
  EXPECT_EQ(after_bar("abc"), Sha256("abc"));
  EXPECT_EQ(after_bar("17|"), Sha256(""));
  EXPECT_EQ(digester.Digest(DigestScheme::kSha256, "17|abc"), Sha256("17|abc"));
}

TEST(DigesterTest, TakesTokensOfEveryLength) {
  Digester digester;
  for (size_t size = 0; size < 130; ++size) {
    const ExactBytes token(std::string(size, 'x'));
    EXPECT_EQ(digester.Digest(DigestScheme::kSha256AfterBar, token.view()),
              Sha256(std::string(size, 'x')));
  }
}

std::string HexOf(const TokenKey& key) {
  std::string text;
  for (const uint8_t byte : key.bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// As Python's hashlib and hmac have them.
TEST(DigesterTest, HasOtherSchemesOfOldTables) {
  Digester digester;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(HexOf(digester.Digest(DigestScheme::kSha512, "abc")),
              "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a");
    EXPECT_EQ(HexOf(digester.Digest(DigestScheme::kHmacWcApi, "ck_abc")),
              "a1293b40607a40315d2a34caaeba579dc8ee260246a128fa07a30b1fa497de50");
    EXPECT_EQ(digester.Digest(DigestScheme::kSha256, "abc"), Sha256("abc"));
  }
  EXPECT_EQ(DigestBytes(DigestScheme::kSha256), 32u);
  EXPECT_EQ(DigestBytes(DigestScheme::kSha512), 64u);
  EXPECT_EQ(DigestBytes(DigestScheme::kHmacWcApi), 32u);
}

// As Python has them, each cut to 64 digits:
//   hashlib.sha256(token + secret).hexdigest(), hashlib.sha512(token + secret).hexdigest(),
//   hmac.new(secret, token, hashlib.sha512).hexdigest()
TEST(DigesterTest, HasSchemesWithASecret) {
  Digester digester;
  const std::string long_secret(200,
                                'k');  // more than a block of SHA-512, which HMAC digests first
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(HexOf(digester.Digest(DigestScheme::kSha256WithSecret, "abc", "s3cr3t")),
              "c6b8d9630db1af77448a64f8b467163e10d246f49ecbb82f7ddb9719265ce916");
    EXPECT_EQ(HexOf(digester.Digest(DigestScheme::kSha512WithSecret, "abc", "s3cr3t")),
              "d4d5151bea608b21e416371df273f4f66b2cc4e63595ce279fc8b466144d780c");
    EXPECT_EQ(HexOf(digester.Digest(DigestScheme::kHmacSha512WithSecret, "abc", "s3cr3t")),
              "4542f901fe3f584d12bbbb94338b899c127a6d137e1bf39755aa95db2272fc7f");
    EXPECT_EQ(HexOf(digester.Digest(DigestScheme::kHmacSha512WithSecret, "abc", long_secret)),
              "600057e6cba9ce3e078c0ae32f0ba3a786002d1da4853945c899aa7678f932f0");
    EXPECT_EQ(
        HexOf(digester.Digest(DigestScheme::kSha512WithSecret, std::string(300, 'x'), long_secret)),
        "113ca201d985c80d061dea510615afea2718d21d1e671caddfc8db935cd040dd");
    // The same digest serves other schemes in between.
    EXPECT_EQ(digester.Digest(DigestScheme::kSha256, "abc", "s3cr3t"), Sha256("abc"));
  }
  EXPECT_EQ(DigestBytes(DigestScheme::kSha256WithSecret), 32u);
  EXPECT_EQ(DigestBytes(DigestScheme::kSha512WithSecret), 64u);
  EXPECT_EQ(DigestBytes(DigestScheme::kHmacSha512WithSecret), 64u);
}

TEST(PartwiseSha256Test, IsThatOfAllParts) {
  PartwiseSha256 digest;
  const std::string bytes = [] {
    std::string all;
    for (int i = 0; i < 200; ++i) all += std::to_string(i);
    return all;
  }();
  for (size_t step : {1, 63, 64, 65, 1000}) {
    for (size_t pos = 0; pos < bytes.size(); pos += step) {
      digest.Add(std::string_view(bytes).substr(pos, step));
    }
    EXPECT_EQ(digest.Finish(), Sha256(bytes)) << step;
  }
  EXPECT_EQ(digest.Finish(), Sha256(""));
}

// Persisted and on the wire.
TEST(DigestSchemeTest, NumbersAndNamesNeverChange) {
  EXPECT_EQ(static_cast<int>(DigestScheme::kSha256), 1);
  EXPECT_EQ(static_cast<int>(DigestScheme::kSha256AfterBar), 2);
  EXPECT_EQ(DigestSchemeName(DigestScheme::kSha256), "sha256");
  EXPECT_EQ(DigestSchemeName(DigestScheme::kSha256AfterBar), "sha256-after-bar");
  EXPECT_EQ(static_cast<int>(DigestScheme::kSha512), 3);
  EXPECT_EQ(static_cast<int>(DigestScheme::kHmacWcApi), 4);
  EXPECT_EQ(DigestSchemeName(DigestScheme::kSha512), "sha512");
  EXPECT_EQ(DigestSchemeName(DigestScheme::kHmacWcApi), "hmac-sha256-wc-api");
  EXPECT_EQ(ParseDigestScheme("sha512"), DigestScheme::kSha512);
  EXPECT_EQ(ParseDigestScheme("hmac-sha256-wc-api"), DigestScheme::kHmacWcApi);
  EXPECT_EQ(static_cast<int>(DigestScheme::kSha256WithSecret), 5);
  EXPECT_EQ(static_cast<int>(DigestScheme::kSha512WithSecret), 6);
  EXPECT_EQ(static_cast<int>(DigestScheme::kHmacSha512WithSecret), 7);
  EXPECT_EQ(DigestSchemeName(DigestScheme::kSha256WithSecret), "sha256-with-secret");
  EXPECT_EQ(DigestSchemeName(DigestScheme::kSha512WithSecret), "sha512-with-secret");
  EXPECT_EQ(DigestSchemeName(DigestScheme::kHmacSha512WithSecret), "hmac-sha512-with-secret");
  EXPECT_EQ(DigestSchemeNames(),
            "sha256, sha256-after-bar, sha512, hmac-sha256-wc-api, sha256-with-secret, "
            "sha512-with-secret or hmac-sha512-with-secret");
  for (uint8_t number = 1; number <= 7; ++number) {
    const auto scheme = static_cast<DigestScheme>(number);
    EXPECT_EQ(ParseDigestScheme(DigestSchemeName(scheme)), scheme);
    EXPECT_EQ(TakesSecret(scheme), number >= 5);
  }
  EXPECT_EQ(ParseDigestScheme("sha256"), DigestScheme::kSha256);
  EXPECT_EQ(ParseDigestScheme("sha256-after-bar"), DigestScheme::kSha256AfterBar);
  for (const char* name : {"", "SHA256", "sha-256", "sha256 ", "sha-512", "unknown"}) {
    EXPECT_FALSE(ParseDigestScheme(name)) << name;
  }
}

}  // namespace
}  // namespace tokend
