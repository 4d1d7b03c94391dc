#include "server/answers.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "protocol/rpc.h"

namespace tokend {
namespace {

std::string Written(uint32_t msgid, const Lookup& lookup) {
  std::string bytes;
  msgpack_io::Writer writer(&bytes);
  BeginResponse(msgid, &writer);
  WriteVerdict(lookup, &writer);
  return bytes;
}

std::string WrittenShort(uint32_t msgid, const Lookup& lookup) {
  // Beyond the end lies a mark that must not be touched.
  std::array<char, kShortAnswerBytes + 16> bytes;
  bytes.fill('#');
  char* const end = WriteShortAnswer(msgid, lookup, bytes.data());
  for (size_t i = kShortAnswerBytes; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], '#');
  return {bytes.data(), end};
}

// Both sides of each width.
constexpr uint32_t kMsgids[] = {0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX};
constexpr uint64_t kExpiries[] = {0,     127,        128,        255,           256,        65535,
                                  65536, UINT32_MAX, 1ull << 32, 1800000000000, kTimeMsMax, kNever};

std::string Str(size_t size) {
  std::string encoded;
  msgpack_io::Writer(&encoded).Str(std::string(size, 'o'));
  return encoded;
}

TEST(ShortAnswerTest, IsWhatTheWriterMakes) {
  std::string scopes;
  msgpack_io::Writer writer(&scopes);
  writer.ArrayHeader(2);
  writer.Str("read");
  writer.Str("write");
  for (const uint32_t msgid : kMsgids) {
    for (const Verdict verdict : {Verdict::kUnknown, Verdict::kExpired, Verdict::kRevoked}) {
      Lookup lookup;
      lookup.verdict = verdict;
      ASSERT_TRUE(HasShortAnswer(lookup));
      EXPECT_EQ(WrittenShort(msgid, lookup), Written(msgid, lookup));
    }
    for (const uint64_t expiry : kExpiries) {
      for (const std::string_view owner : {std::string_view("\xc0"), std::string_view("\xa3"
                                                                                      "ann")}) {
        for (const std::string_view these : {std::string_view("\x90"), std::string_view(scopes)}) {
          Lookup lookup;
          lookup.verdict = Verdict::kValid;
          lookup.expires_at_ms = expiry;
          lookup.owner_encoded = owner;
          lookup.scopes_encoded = these;
          ASSERT_TRUE(HasShortAnswer(lookup));
          EXPECT_EQ(WrittenShort(msgid, lookup), Written(msgid, lookup));
        }
      }
    }
  }
}

TEST(ShortAnswerTest, TakesNamesOfEveryLengthThatFits) {
  size_t longest = 0;
  for (size_t size = 0; size < kShortAnswerBytes; ++size) {
    const std::string owner = Str(size);
    Lookup lookup;
    lookup.verdict = Verdict::kValid;
    lookup.expires_at_ms = kTimeMsMax;
    lookup.owner_encoded = owner;
    lookup.scopes_encoded = "\x90";
    if (!HasShortAnswer(lookup)) continue;
    longest = size;
    EXPECT_EQ(WrittenShort(UINT32_MAX, lookup), Written(UINT32_MAX, lookup)) << size;
  }
  // Owners of 200 characters are short enough; one as long as the buffer is not.
  EXPECT_GE(longest, 200u);
  EXPECT_LT(longest, kShortAnswerBytes - 16);
}

}  // namespace
}  // namespace tokend
