#include "import/scopes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tokend {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Read(std::string_view text) {
  std::vector<std::string> scopes = {"left over"};
  EXPECT_TRUE(ReadScopes(text, &scopes)) << text;
  return scopes;
}

bool Refused(std::string_view text) {
  std::vector<std::string> scopes;
  return !ReadScopes(text, &scopes);
}

TEST(ReadScopesTest, ReadsWords) {
  EXPECT_THAT(Read("read write"), ElementsAre("read", "write"));
  EXPECT_THAT(Read("read,write, admin:*\n"), ElementsAre("read", "write", "admin:*"));
  EXPECT_THAT(Read("b a b"), ElementsAre("b", "a", "b"));
  EXPECT_THAT(Read(""), IsEmpty());
  EXPECT_THAT(Read(" , "), IsEmpty());
}

TEST(ReadScopesTest, ReadsJson) {
  EXPECT_THAT(Read(R"(["*"])"), ElementsAre("*"));
  EXPECT_THAT(Read(R"( ["a b", "\u00e9\"", "c"] )"), ElementsAre("a b", "\xc3\xa9\"", "c"));
  EXPECT_THAT(Read("[]"), IsEmpty());
  EXPECT_THAT(Read("{}"), IsEmpty());
  EXPECT_THAT(Read(R"({"scope": ["read", "wri\"te"], "n": 1})"), ElementsAre("read", "wri\"te"));
  EXPECT_THAT(Read(R"({"scopes": "read write"})"), ElementsAre("read", "write"));
  EXPECT_THAT(Read(R"({"abilities": null})"), IsEmpty());
  EXPECT_THAT(Read(R"("read write")"), ElementsAre("read", "write"));
}

TEST(ReadScopesTest, RefusesWhatIsNoList) {
  for (std::string_view text :
       {"[", "[1]", "[[\"a\"]]", "[\"a\",null]", "[\"\"]", "{\"other\": [\"a\"]}", "{\"scope\": 1}",
        "[\"a\"] x", "\"a", "\xff", "[\"\xff\"]"}) {
    EXPECT_TRUE(Refused(text)) << text;
  }
}

TEST(ReadScopesTest, KeepsTheLimitsOfARecord) {
  std::string longest(128, 'x');
  EXPECT_THAT(Read(longest), ElementsAre(longest));
  EXPECT_TRUE(Refused(longest + "x"));
  std::string many;
  for (int i = 0; i < 64; ++i) many += "s" + std::to_string(i) + " ";
  EXPECT_EQ(Read(many).size(), 64u);
  EXPECT_TRUE(Refused(many + "one_more"));
  EXPECT_TRUE(Refused(std::string(100000, '[')));
}

}  // namespace
}  // namespace tokend
