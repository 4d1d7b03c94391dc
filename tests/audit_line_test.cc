#include "protocol/audit_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "protocol/digest.h"
#include "protocol/record.h"

namespace tokend {
namespace {

using ::testing::HasSubstr;

TokenKey Key() {
  std::string raw;
  for (char c = 0; c < 32; ++c) raw.push_back(c);
  return TokenKey::FromBytes(raw);
}

TEST(AuditLine, IsOneJsonObjectInTheOrderOfTheCalls) {
  AuditLineWriter line(7, 1769860800123);
  line.Null("caller");
  line.Text("from", "10.0.0.7:41522");
  line.Key("id", "key", Key());
  line.Time("expires_at", kNever);
  line.Number("taken", 3);
  line.True("replace");
  EXPECT_EQ(line.End({}),
            R"({"seq":7,"at":"2026-01-31T12:00:00.123Z","caller":null,"from":"10.0.0.7:41522",)"
            R"("id":"000102030405060708090a0b","key":"0c0d0e0f","expires_at":null,"taken":3,)"
            R"("replace":true,"prev":")" +
                std::string(64, '0') + "\"}");
}

TEST(AuditLine, TimesAreRightToTheMillisecond) {
  const auto text_of = [](uint64_t ms) {
    AuditLineWriter line(1, ms);
    const std::string text = line.End({});
    const size_t begin = text.find("\"at\":\"") + 6;
    return text.substr(begin, text.find('"', begin) - begin);
  };
  // date --utc --date @SECONDS
  EXPECT_EQ(text_of(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(text_of(951827696789), "2000-02-29T12:34:56.789Z");
  EXPECT_EQ(text_of(4107542399999), "2100-02-28T23:59:59.999Z");
  EXPECT_EQ(text_of(4107542400000), "2100-03-01T00:00:00.000Z");
  EXPECT_EQ(text_of(253402300799999), "9999-12-31T23:59:59.999Z");
  AuditLineWriter line(1, 0);
  line.Time("last", 253402300799999);
  line.Time("later", 253402300800000);
  EXPECT_THAT(line.End({}),
              HasSubstr(R"(,"last":"9999-12-31T23:59:59.999Z","later":253402300800000,)"));
}

TEST(AuditLine, TextCannotLeaveItsString) {
  AuditLineWriter line(1, 0);
  line.Text("caller", "a\"b\\c\nd\x7f\xff");
  EXPECT_NE(line.End({}).find(R"("caller":"a\"b\\c?d??")"), std::string::npos);
}

TEST(AuditLine, WhatMayBeATokenIsShownByItsHash) {
  const std::string token = "0123456789abcdef0123456789abcdef";
  AuditLineWriter line(1, 0);
  line.Name("plain", "user-17");
  line.Name("owner", token);
  const std::string text = line.End({});
  EXPECT_NE(text.find(R"("plain":"user-17")"), std::string::npos);
  // printf %s 0123456789abcdef0123456789abcdef | sha256sum
  EXPECT_NE(text.find(R"("owner":"sha256:3eb1bd439947eb76")"), std::string::npos) << text;
  EXPECT_EQ(text.find(token), std::string::npos);
}

TEST(AuditLine, SaysWhereItStandsInItsChain) {
  AuditHash prev{};
  prev[0] = 0xab;
  prev[31] = 0x01;
  AuditLineWriter writer(18446744073709551615u, 0);
  writer.Text("op", "revoke");
  const std::string line = writer.End(prev);
  const auto link = ReadAuditLink(line);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->seq, 18446744073709551615u);
  EXPECT_EQ(link->at, "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(link->prev, prev);
  EXPECT_EQ(ParseAuditHash(ToHex(prev)), prev);

  Digester digester;
  EXPECT_EQ(HeadOf(4, line), (AuditHead{4, digester.Sha256(line).bytes}));
}

TEST(AuditLine, WhatIsNoneIsToldFromIt) {
  AuditLineWriter writer(3, 0);
  writer.Text("op", "revoke");
  const std::string line = writer.End({});
  for (size_t size = 0; size < line.size(); ++size) {
    EXPECT_FALSE(ReadAuditLink(line.substr(0, size))) << size;
    EXPECT_FALSE(ReadAuditLink(line.substr(line.size() - size))) << size;
  }
  EXPECT_TRUE(ReadAuditLink(line));
  EXPECT_FALSE(ReadAuditLink(line + "\n"));
  EXPECT_FALSE(ReadAuditLink(line + " "));
  std::string zero = line;
  zero.replace(zero.find("\"seq\":3"), 7, "\"seq\":0");
  EXPECT_FALSE(ReadAuditLink(zero));
  std::string upper = line;
  upper[upper.size() - 10] = 'A';
  EXPECT_FALSE(ReadAuditLink(upper));
}

}  // namespace
}  // namespace tokend
