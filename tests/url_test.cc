#include "protocol/url.h"

#include <gtest/gtest.h>

#include <vector>

namespace tokend {
namespace {

std::vector<std::pair<std::string, std::string>> Fields(std::string_view form, bool* malformed) {
  std::vector<std::pair<std::string, std::string>> fields;
  std::string name, value;
  *malformed = false;
  while (NextFormField(&form, &name, &value, malformed)) fields.emplace_back(name, value);
  return fields;
}

TEST(UrlTest, Forms) {
  bool malformed = false;
  using List = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(Fields("a=1&b=x+y%21&&c&=d&e==", &malformed),
            (List{{"a", "1"}, {"b", "x y!"}, {"c", ""}, {"", "d"}, {"e", "="}}));
  EXPECT_FALSE(malformed);
  EXPECT_EQ(Fields("token=12%7Cabc", &malformed), (List{{"token", "12|abc"}}));
  EXPECT_EQ(Fields("", &malformed), List());
  for (const std::string_view bad : {"a=%", "a=%4", "a=%4g", "%zz=1"}) {
    (void)Fields(bad, &malformed);
    EXPECT_TRUE(malformed) << bad;
  }
}

TEST(UrlTest, WhatCanStandInAField) {
  std::string out;
  AppendPercentEncoded("user-1:a|b", &out);
  EXPECT_EQ(out, "user-1:a|b");
  out.clear();
  AppendPercentEncoded("Zo\xc3\xab\r\nX: 100%", &out);
  EXPECT_EQ(out, "Zo%C3%AB%0D%0AX:%20100%25");
  std::string back;
  EXPECT_TRUE(PercentDecode(out, &back));
  EXPECT_EQ(back, "Zo\xc3\xab\r\nX: 100%");
}

TEST(UrlTest, Paths) {
  std::string out;
  for (const auto& [path, normal] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"/", "/"},
           {"/v1/billing", "/v1/billing"},
           {"/v1//billing/", "/v1/billing"},
           {"/v1/./x/../billing", "/v1/billing"},
           {"/v1/%62illing", "/v1/billing"},
           {"/v1/%2e%2e/billing", "/billing"},
           {"/a%20b", "/a b"},
           {"/v1/..", "/"}}) {
    EXPECT_TRUE(NormalizePath(path, &out)) << path;
    EXPECT_EQ(out, normal) << path;
  }
  for (const std::string_view path :
       {"", "v1", "/..", "/a/../..", "/a%2fb", "/a%5Cb", "/a\\b", "/a%00", "/a%0a", "/a%252e", "/%",
        "/a;b", "/a%3bb", "/a/..;/b", "/a#b", "/%g0"}) {
    EXPECT_FALSE(NormalizePath(path, &out)) << path;
  }
}

}  // namespace
}  // namespace tokend
