#include "protocol/sha256_ni.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <string>

#include "tests/encoded.h"

namespace tokend {
namespace {

using testing::ExactBytes;

// Past three blocks, so every length of padding, with and without whole blocks before it.
constexpr size_t kLengthMax = 200;

TokenKey Reference(std::string_view message) {
  TokenKey digest;
  SHA256(reinterpret_cast<const uint8_t*>(message.data()), message.size(), digest.bytes.data());
  return digest;
}

std::string Message(size_t length, int seed) {
  std::string message(length, '\0');
  for (size_t i = 0; i < length; ++i) message[i] = static_cast<char>(seed * 31 + 7 * i + i / 3);
  return message;
}

class Sha256NiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasSha256Ni()) GTEST_SKIP() << "this processor has no SHA instructions";
  }
};

TEST_F(Sha256NiTest, OneIsWhatOpenSslSays) {
  for (size_t length = 0; length <= kLengthMax; ++length) {
    const ExactBytes message(Message(length, 1));
    TokenKey digest;
    Sha256Ni(message.view(), &digest);
    EXPECT_EQ(digest, Reference(message.view())) << length;
  }
}

TEST_F(Sha256NiTest, TwoAreWhatEachIsAlone) {
  for (size_t a = 0; a <= kLengthMax; ++a) {
    const ExactBytes message_a(Message(a, 2));
    const TokenKey expected_a = Reference(message_a.view());
    // Both shorter, as long, and longer by whole blocks and by parts of one.
    for (size_t b = a % 9; b <= kLengthMax; b += 9) {
      const ExactBytes message_b(Message(b, 3));
      TokenKey digest_a, digest_b;
      Sha256NiPair(message_a.view(), message_b.view(), &digest_a, &digest_b);
      ASSERT_EQ(digest_a, expected_a) << a << " beside " << b;
      ASSERT_EQ(digest_b, Reference(message_b.view())) << b << " beside " << a;
    }
  }
}

TEST_F(Sha256NiTest, TakesTheSameMessageTwice) {
  const std::string message = Message(43, 4);
  TokenKey digest_a, digest_b;
  Sha256NiPair(message, message, &digest_a, &digest_b);
  EXPECT_EQ(digest_a, Reference(message));
  EXPECT_EQ(digest_b, digest_a);
}

}  // namespace
}  // namespace tokend
