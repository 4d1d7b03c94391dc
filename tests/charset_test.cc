#include "import/charset.h"

#include <gtest/gtest.h>

namespace tokend {
namespace {

std::string Converted(std::string_view text, Charset charset) {
  std::string buffer;
  std::string_view out;
  switch (ToUtf8(text, charset, &buffer, &out)) {
    case ConvertResult::kOk:
      return std::string(out);
    case ConvertResult::kInvalid:
      return "invalid";
    case ConvertResult::kUnsupported:
      return "unsupported";
  }
  return "?";
}

TEST(CharsetTest, KnowsNamesAndCollations) {
  EXPECT_EQ(ParseCharset("utf8mb4"), Charset::kUtf8);
  EXPECT_EQ(ParseCharset("UTF8MB3"), Charset::kUtf8);
  EXPECT_EQ(ParseCharset("utf8mb4_0900_ai_ci"), Charset::kUtf8);
  EXPECT_EQ(ParseCharset("uca1400_ai_ci"), Charset::kUtf8);
  EXPECT_EQ(ParseCharset("latin1_swedish_ci"), Charset::kLatin1);
  EXPECT_EQ(ParseCharset("binary"), Charset::kBinary);
  EXPECT_EQ(ParseCharset("gbk"), Charset::kUnsafe);
  EXPECT_EQ(ParseCharset("utf16le"), Charset::kWide);
  EXPECT_EQ(ParseCharset("koi8r"), Charset::kAsciiSuperset);
  EXPECT_EQ(ParseCharset("default"), Charset::kUnknown);
  EXPECT_EQ(ParseCharset(""), Charset::kUnknown);
}

TEST(CharsetTest, ConvertsLatin1AsTheServerDoes) {
  // From `select hex(convert(x'..' using latin1) ...)`: cp1252, its holes as they are.
  EXPECT_EQ(Converted("caf\xe9", Charset::kLatin1), "caf\xc3\xa9");
  EXPECT_EQ(Converted("\x80\x99\xff", Charset::kLatin1), "\xe2\x82\xac\xe2\x84\xa2\xc3\xbf");
  EXPECT_EQ(Converted("\x81\x8d\x8f\x90\x9d", Charset::kLatin1),
            "\xc2\x81\xc2\x8d\xc2\x8f\xc2\x90\xc2\x9d");
  EXPECT_EQ(Converted("\xa0", Charset::kLatin1), "\xc2\xa0");
}

TEST(CharsetTest, ChecksUtf8) {
  for (Charset charset : {Charset::kUtf8, Charset::kUnknown, Charset::kBinary}) {
    EXPECT_EQ(Converted("\xf0\x9f\x94\x91", charset), "\xf0\x9f\x94\x91");
    EXPECT_EQ(Converted("caf\xe9", charset), "invalid");
  }
}

TEST(CharsetTest, TakesAsciiOfWhatItDoesNotConvert) {
  EXPECT_EQ(Converted("abc", Charset::kAsciiSuperset), "abc");
  EXPECT_EQ(Converted("abc", Charset::kUnsafe), "abc");
  EXPECT_EQ(Converted("\xcb", Charset::kAsciiSuperset), "unsupported");
  EXPECT_EQ(Converted("abc", Charset::kWide), "unsupported");
  EXPECT_EQ(Converted("abc", Charset::kAscii), "abc");
  EXPECT_EQ(Converted("\xe9", Charset::kAscii), "invalid");
}

}  // namespace
}  // namespace tokend
