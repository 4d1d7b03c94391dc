// MessagePack to JSON and back.
#include "client/json.h"

#include <gtest/gtest.h>

#include "tests/encoded.h"

namespace tokend::client {
namespace {

using namespace tokend::testing;

TEST(ClientJson, BothWays) {
  for (const char* json :
       {R"({})", R"({"z":1,"a":[true,null,-5,"x"]})", R"({"n":18446744073709551615})",
        R"({"f":1.5})", R"([{"deep":[[]]}])", R"("text")"}) {
    Result<std::string> encoded = JsonToMsgpack(json);
    ASSERT_TRUE(encoded) << json;
    EXPECT_EQ(MsgpackToJson(*encoded), json);
  }
}

TEST(ClientJson, TellsInTextWhatJsonHasNoWordFor) {
  EXPECT_EQ(MsgpackToJson(""), "");
  EXPECT_EQ(MsgpackToJson(Map({{"b", Bin(std::string_view("\x00\xff", 2))}})),
            R"({"b":{"hex":"00ff"}})");
  EXPECT_EQ(MsgpackToJson(Ext(-1, "\x01")), R"({"ext":-1,"hex":"01"})");
  EXPECT_EQ(MsgpackToJson("\x81\x07\xc3"), R"({"7":true})");
  EXPECT_EQ(MsgpackToJson("\x81\x90\xc3"), R"({"[]":true})");
  EXPECT_EQ(MsgpackToJson(std::string_view("\x81\xc4\x01\x07\x01", 5)),
            R"({"{\"hex\":\"07\"}":1})");
  EXPECT_EQ(MsgpackToJson(std::string_view("\xca\x3f\xc0\x00\x00", 5)), "1.5");
  EXPECT_EQ(MsgpackToJson(std::string_view("\xca\x7f\x80\x00\x00", 5)), "null");  // infinite
  EXPECT_EQ(MsgpackToJson(Str("\"\\\n\x1f")), R"("\"\\\n\u001f")");
  EXPECT_EQ(MsgpackToJson(Str("\xff")), "\"\xef\xbf\xbd\"");
  // Not a value.
  EXPECT_EQ(MsgpackToJson("\xc1"), "null");
  EXPECT_EQ(MsgpackToJson("\xdd\xff\xff\xff\xff"), "null");
  EXPECT_EQ(MsgpackToJson(Nested(100)), "null");
}

TEST(ClientJson, RefusesWhatIsNotJson) {
  for (const std::string& text : {std::string(""), std::string("{"), std::string("{'a': 1}"),
                                  std::string("{} {}"), std::string(100000, '[')}) {
    Result<std::string> encoded = JsonToMsgpack(text);
    ASSERT_FALSE(encoded) << text.substr(0, 10);
    EXPECT_EQ(encoded.error().source, Error::Source::kCaller);
  }
  EXPECT_FALSE(JsonToMsgpack(std::string(80, '[') + std::string(80, ']')));
}

}  // namespace
}  // namespace tokend::client
