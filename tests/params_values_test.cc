// The decoders of protocol/params.h: what comes out of good params.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/params.h"
#include "tests/encoded.h"
#include "tests/params_decoders.h"

namespace tokend {
namespace {

using testing::Arr;
using testing::Bin;
using testing::Bool;
using testing::Ext;
using testing::Int;
using testing::Map;
using testing::Nested;
using testing::Nil;
using ::testing::StartsWith;
using testing::Str;

TEST(ParamsValuesTest, TokensAreBytesOrKeys) {
  const std::string key(32, '\xab');
  const std::string params = Arr({Arr({Str("a"), Bin("\xff"), Ext(1, key)}), Str("n")});
  TokensParams out;
  ASSERT_TRUE(DecodeTokens(params, Limits(), &out).ok());
  ASSERT_EQ(out.tokens.size(), 3u);
  EXPECT_FALSE(out.tokens[0].is_key);
  EXPECT_EQ(out.tokens[0].token.bytes(), "a");
  EXPECT_EQ(out.tokens[1].token.bytes(), "\xff");
  EXPECT_TRUE(out.tokens[2].is_key);
  EXPECT_EQ(out.tokens[2].key.view(), key);
  EXPECT_EQ(out.namespace_name, "n");
  // Views are into the params, not copies.
  EXPECT_GE(out.tokens[0].token.bytes().data(), params.data());
  EXPECT_LT(out.tokens[0].token.bytes().data(), params.data() + params.size());
}

// An object that is decoded into again keeps nothing of what it held.
TEST(ParamsValuesTest, OutputIsWrittenWhole) {
  const std::string full = Arr({Arr({Ext(1, std::string(32, 'k')), Str("b")}), Str("n")});
  const std::string sparse = Arr({Arr({Str("a")})});
  TokensParams tokens;
  ASSERT_TRUE(DecodeTokens(full, Limits(), &tokens).ok());
  ASSERT_TRUE(DecodeTokens(sparse, Limits(), &tokens).ok());
  ASSERT_EQ(tokens.tokens.size(), 1u);
  EXPECT_FALSE(tokens.tokens[0].is_key);
  EXPECT_EQ(tokens.namespace_name, "default");

  const std::string insert_full = Arr({Map({{"token", kToken},
                                            {"ttl_ms", Int(5)},
                                            {"owner", Str("o")},
                                            {"name", Str("n")},
                                            {"scopes", Arr({Str("s")})},
                                            {"namespace", Str("n")},
                                            {"attributes", Map({})},
                                            {"replace", Bool(true)}})});
  const std::string insert_sparse = Arr({Map({{"token", kToken}})});
  InsertParams insert;
  ASSERT_TRUE(DecodeInsert(insert_full, &insert).ok());
  EXPECT_EQ(insert.ttl_ms, 5u);
  EXPECT_EQ(insert.owner, "o");
  EXPECT_EQ(insert.name, "n");
  EXPECT_EQ(insert.scopes, std::vector<std::string_view>{"s"});
  EXPECT_EQ(insert.namespace_name, "n");
  EXPECT_EQ(insert.attributes, Map({}));
  EXPECT_TRUE(insert.replace);
  ASSERT_TRUE(DecodeInsert(insert_sparse, &insert).ok());
  EXPECT_FALSE(insert.ttl_ms || insert.expires_at_ms || insert.owner || insert.name);
  EXPECT_TRUE(insert.scopes.empty());
  EXPECT_EQ(insert.namespace_name, "default");
  EXPECT_EQ(insert.attributes, "");
  EXPECT_FALSE(insert.replace);

  ExtendParams extend;
  ASSERT_TRUE(DecodeExtend(Arr({kToken, Int(5)}), &extend).ok());
  EXPECT_EQ(extend.expires_at_ms, 5u);
  ASSERT_TRUE(DecodeExtend(Arr({kToken, Nil()}), &extend).ok());
  EXPECT_EQ(extend.expires_at_ms, kNever);
}

TEST(ParamsValuesTest, ElementsOfInsertManyStandAlone) {
  const std::string params =
      Arr({Arr({Map({{"token", Str("a")}}), Map({{"expire_at", Int(1)}, {"x", Nested(5)}}),
                Map({{"token", Str("c")}, {"owner", Str("o")}})})});
  std::vector<InsertElement> out;
  ASSERT_TRUE(DecodeInsertMany(params, Limits(), &out).ok());
  ASSERT_EQ(out.size(), 3u);
  EXPECT_TRUE(out[0].status.ok());
  EXPECT_EQ(out[0].insert.token.token.bytes(), "a");
  EXPECT_EQ(out[1].status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(out[1].status.message(), StartsWith("unknown key \"expire_at\" in insert"));
  EXPECT_TRUE(out[2].status.ok());
  EXPECT_EQ(out[2].insert.token.token.bytes(), "c");
  EXPECT_EQ(out[2].insert.owner, "o");
}

TEST(ParamsValuesTest, RowsOfAnImportStandAlone) {
  const std::string params =
      Arr({Str("i1"), Arr({Map({{"token", Str("a")}, {"state", Str("revoked")}}), Int(5),
                           Map({{"key", Bin(std::string(32, 'k'))}, {"use_count", Int(3)}})})});
  ImportRowsParams out;
  ASSERT_TRUE(DecodeImportRows(params, Limits(), &out).ok());
  EXPECT_EQ(out.import_id, "i1");
  ASSERT_EQ(out.rows.size(), 3u);
  EXPECT_TRUE(out.rows[0].status.ok());
  EXPECT_EQ(out.rows[0].row.token.token.bytes(), "a");
  EXPECT_TRUE(out.rows[0].row.revoked);
  EXPECT_EQ(out.rows[0].row.expires_at_ms, kNever);
  EXPECT_THAT(out.rows[1].status.message(), StartsWith("row: must be a map"));
  EXPECT_TRUE(out.rows[2].status.ok());
  EXPECT_TRUE(out.rows[2].row.token.is_key);
  EXPECT_EQ(out.rows[2].row.use_count, 3u);
  EXPECT_FALSE(out.rows[2].row.revoked);
}

TEST(ParamsValuesTest, DefaultsAreThoseOfTheProtocol) {
  InsertParams issue;
  ASSERT_TRUE(DecodeIssue(Arr({}), &issue).ok());
  EXPECT_EQ(issue.prefix, "tk");
  EXPECT_EQ(issue.namespace_name, "default");
  RotateParams rotate;
  ASSERT_TRUE(DecodeRotate(Arr({kToken}), &rotate).ok());
  EXPECT_EQ(rotate.prefix, "tk");
  EXPECT_EQ(rotate.overlap_ms, 0u);
  EXPECT_FALSE(rotate.expires_at_ms || rotate.ttl_ms);
  ListParams list;
  ASSERT_TRUE(DecodeList(Arr({}), &list).ok());
  EXPECT_EQ(list.limit, 100u);
  EXPECT_EQ(list.order, ListOrder::kKey);
  EXPECT_EQ(list.namespace_name, "default");
  EXPECT_EQ(list.cursor, "");
  EXPECT_FALSE(list.owner || list.state || list.expires_after_ms || list.expires_before_ms);
  ExtendParams extend;
  ASSERT_TRUE(DecodeExtend(Arr({kToken}), &extend).ok());
  EXPECT_EQ(extend.expires_at_ms, kNever);
}

TEST(ParamsValuesTest, UpdateTellsNothingFromEmpty) {
  UpdateParams update;
  ASSERT_TRUE(DecodeUpdate(Arr({Map({{"id", kId}})}), &update).ok());
  EXPECT_FALSE(update.name || update.scopes || update.attributes);
  const std::string params =
      Arr({Map({{"id", kId}, {"name", Str("")}, {"scopes", Arr({})}, {"attributes", Map({})}})});
  ASSERT_TRUE(DecodeUpdate(params, &update).ok());
  EXPECT_EQ(update.name, "");
  EXPECT_EQ(update.scopes, std::vector<std::string_view>());
  EXPECT_EQ(update.attributes, Map({}));
}

TEST(ParamsValuesTest, GetIsByTokenOrById) {
  GetParams get;
  const std::string by_token = Arr({Str("a"), Str("n")});
  ASSERT_TRUE(DecodeGet(by_token, &get).ok());
  ASSERT_TRUE(get.token.has_value());
  EXPECT_EQ(get.token->token.bytes(), "a");
  EXPECT_EQ(get.namespace_name, "n");
  ASSERT_TRUE(DecodeGet(Arr({Map({{"id", kId}})}), &get).ok());
  EXPECT_FALSE(get.token.has_value());
  EXPECT_EQ(ToHex(get.id), "00112233445566778899aabb");
  EXPECT_EQ(get.namespace_name, "default");
}

}  // namespace
}  // namespace tokend
