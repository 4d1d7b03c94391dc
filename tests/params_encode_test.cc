// The encoders of protocol/params.h: as bytes where all is default, and back through the decoders
// where nothing is.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocol/params.h"
#include "tests/encoded.h"

namespace tokend {
namespace {

using msgpack_io::Writer;
using testing::Arr;
using testing::Bin;
using testing::Bool;
using testing::Ext;
using testing::Int;
using testing::Map;
using testing::Nil;
using testing::Str;
using testing::Uint;
using testing::Written;

template <typename Params>
std::string Encoded(const Params& params) {
  return Written([&](Writer& out) { Encode(params, &out); });
}

TokenRef Token(std::string_view token) {
  TokenRef ref;
  ref.token = SecretView(token);
  return ref;
}

TokenRef Key(char byte) {
  TokenRef ref;
  ref.is_key = true;
  ref.key = TokenKey::FromBytes(std::string(kTokenKeyBytes, byte));
  return ref;
}

const TokenId kId = *ParseTokenId("00112233445566778899aabb");
const std::string kEncodedId = Str("00112233445566778899aabb");
const std::string kAttributes = Map({{"team", Str("a")}});

void ExpectSame(const TokenRef& a, const TokenRef& b) {
  EXPECT_EQ(a.is_key, b.is_key);
  EXPECT_EQ(a.token.bytes(), b.token.bytes());
  EXPECT_EQ(a.key, b.key);
}

TEST(ParamsEncodeTest, DefaultsAreLeftOut) {
  EXPECT_EQ(Encoded(TokenParams{.token = Token("t")}), Arr({Bin("t")}));
  EXPECT_EQ(Encoded(TokensParams{.tokens = {Token("t"), Key('k')}}),
            Arr({Arr({Bin("t"), Ext(1, std::string(32, 'k'))})}));
  InsertParams insert;
  insert.token = Token("t");
  EXPECT_EQ(Encoded(insert), Arr({Map({{"token", Bin("t")}})}));
  EXPECT_EQ(Written([&](Writer& out) {
              EncodeInsertMany({insert, insert}, &out);
            }),
            Arr({Arr({Map({{"token", Bin("t")}}), Map({{"token", Bin("t")}})})}));
  EXPECT_EQ(Written([&](Writer& out) { EncodeInsertMany({}, &out); }), Arr({Arr({})}));
  EXPECT_EQ(Written([&](Writer& out) { EncodeIssue(InsertParams(), &out); }), Arr({Map({})}));
  InsertParams issue;
  issue.prefix = "tk";
  EXPECT_EQ(Written([&](Writer& out) { EncodeIssue(issue, &out); }), Arr({Map({})}));
  EXPECT_EQ(Encoded(IdParams{.id = kId}), Arr({kEncodedId}));
  EXPECT_EQ(Encoded(OwnerParams{.owner = "o"}), Arr({Str("o")}));
  EXPECT_EQ(Encoded(ExtendParams{.token = Token("t")}), Arr({Bin("t"), Nil()}));
  EXPECT_EQ(Encoded(UpdateParams{.id = kId}), Arr({Map({{"id", kEncodedId}})}));
  EXPECT_EQ(Encoded(RotateParams{.token = Token("t")}), Arr({Bin("t"), Map({})}));
  EXPECT_EQ(Encoded(GetParams{.token = Token("t")}), Arr({Bin("t")}));
  EXPECT_EQ(Encoded(GetParams{.id = kId}), Arr({Map({{"id", kEncodedId}})}));
  EXPECT_EQ(Encoded(ListParams{}), Arr({Map({})}));
  EXPECT_EQ(Written([&](Writer& out) { EncodeCount(ListParams{}, &out); }), Arr({Map({})}));
  EXPECT_EQ(Encoded(PurgeParams{}), Arr({Int(0)}));
  EXPECT_EQ(Encoded(ImportBeginParams{}), Arr({Map({})}));
  ImportRow row;
  row.token = Key('k');
  EXPECT_EQ(Written([&](Writer& out) { EncodeImportRow(row, &out); }),
            Map({{"key", Ext(1, std::string(32, 'k'))}}));
  row.token = Token("t");
  EXPECT_EQ(Written([&](Writer& out) { EncodeImportRows("i1", {row}, &out); }),
            Arr({Str("i1"), Arr({Map({{"token", Bin("t")}})})}));
}

// What an encoder appends goes behind what is in the buffer.
TEST(ParamsEncodeTest, AppendsToItsBuffer) {
  std::string bytes = "before";
  Writer writer(&bytes);
  Encode(UpdateParams{.id = kId, .name = "n"}, &writer);
  Encode(ListParams{.limit = 5}, &writer);
  EXPECT_EQ(bytes, "before" + Arr({Map({{"id", kEncodedId}, {"name", Str("n")}})}) +
                       Arr({Map({{"limit", Int(5)}})}));
}

TEST(ParamsEncodeTest, TokensComeBack) {
  for (const TokenRef& token : {Token("t"), Token(std::string_view("\xff\0x", 3)), Key('k')}) {
    const std::string one = Encoded(TokenParams{.token = token, .namespace_name = "prod"});
    TokenParams out;
    ASSERT_TRUE(DecodeToken(one, &out).ok());
    ExpectSame(out.token, token);
    EXPECT_EQ(out.namespace_name, "prod");

    const std::string many =
        Encoded(TokensParams{.tokens = {Token("a"), token}, .namespace_name = "prod"});
    TokensParams outs;
    ASSERT_TRUE(DecodeTokens(many, RpcLimits(), &outs).ok());
    ASSERT_EQ(outs.tokens.size(), 2u);
    ExpectSame(outs.tokens[1], token);
    EXPECT_EQ(outs.namespace_name, "prod");
  }
}

InsertParams FullInsert() {
  InsertParams params;
  params.owner = "";
  params.name = "CI";
  params.scopes = {"read", "write"};
  params.namespace_name = "prod";
  params.attributes = kAttributes;
  return params;
}

void ExpectFullInsert(const InsertParams& params) {
  EXPECT_EQ(params.owner, "");
  EXPECT_EQ(params.name, "CI");
  EXPECT_EQ(params.scopes, (std::vector<std::string_view>{"read", "write"}));
  EXPECT_EQ(params.namespace_name, "prod");
  EXPECT_EQ(params.attributes, kAttributes);
}

TEST(ParamsEncodeTest, InsertComesBack) {
  InsertParams params = FullInsert();
  params.token = Key('k');
  params.expires_at_ms = 0;
  params.replace = true;
  const std::string bytes = Encoded(params);
  InsertParams out;
  ASSERT_TRUE(DecodeInsert(bytes, &out).ok());
  ExpectSame(out.token, params.token);
  EXPECT_EQ(out.expires_at_ms, 0u);
  EXPECT_FALSE(out.ttl_ms);
  EXPECT_TRUE(out.replace);
  ExpectFullInsert(out);

  params.expires_at_ms.reset();
  params.ttl_ms = 1;
  params.token = Token("t");
  const std::string many = Written([&](Writer& writer) {
    EncodeInsertMany({params, params}, &writer);
  });
  std::vector<InsertElement> outs;
  ASSERT_TRUE(DecodeInsertMany(many, RpcLimits(), &outs).ok());
  ASSERT_EQ(outs.size(), 2u);
  for (const InsertElement& element : outs) {
    ASSERT_TRUE(element.status.ok());
    EXPECT_EQ(element.insert.ttl_ms, 1u);
    EXPECT_FALSE(element.insert.expires_at_ms);
    ExpectSame(element.insert.token, params.token);
    ExpectFullInsert(element.insert);
  }
}

TEST(ParamsEncodeTest, IssueComesBack) {
  InsertParams params = FullInsert();
  params.ttl_ms = kTimeMsMax;
  params.prefix = "live";
  const std::string bytes = Written([&](Writer& writer) { EncodeIssue(params, &writer); });
  InsertParams out;
  ASSERT_TRUE(DecodeIssue(bytes, &out).ok());
  EXPECT_EQ(out.ttl_ms, kTimeMsMax);
  EXPECT_EQ(out.prefix, "live");
  ExpectFullInsert(out);
}

TEST(ParamsEncodeTest, IdAndOwnerComeBack) {
  const std::string by_id = Encoded(IdParams{.id = kId, .namespace_name = "prod"});
  IdParams id;
  ASSERT_TRUE(DecodeRevokeId(by_id, &id).ok());
  EXPECT_EQ(id.id, kId);
  EXPECT_EQ(id.namespace_name, "prod");
  const std::string by_owner = Encoded(OwnerParams{.owner = "o", .namespace_name = "prod"});
  OwnerParams owner;
  ASSERT_TRUE(DecodeRevokeOwner(by_owner, &owner).ok());
  EXPECT_EQ(owner.owner, "o");
  EXPECT_EQ(owner.namespace_name, "prod");
}

TEST(ParamsEncodeTest, ExtendComesBack) {
  for (const uint64_t expires_at_ms : {uint64_t{0}, kTimeMsMax, kNever}) {
    const std::string bytes = Encoded(ExtendParams{
        .token = Token("t"), .expires_at_ms = expires_at_ms, .namespace_name = "prod"});
    ExtendParams out;
    ASSERT_TRUE(DecodeExtend(bytes, &out).ok());
    ExpectSame(out.token, Token("t"));
    EXPECT_EQ(out.expires_at_ms, expires_at_ms);
    EXPECT_EQ(out.namespace_name, "prod");
  }
}

TEST(ParamsEncodeTest, UpdateComesBack) {
  const std::string full = Encoded(UpdateParams{.id = kId,
                                                .namespace_name = "prod",
                                                .name = "n",
                                                .scopes = std::vector<std::string_view>{"a", "b"},
                                                .attributes = kAttributes});
  UpdateParams out;
  ASSERT_TRUE(DecodeUpdate(full, &out).ok());
  EXPECT_EQ(out.id, kId);
  EXPECT_EQ(out.namespace_name, "prod");
  EXPECT_EQ(out.name, "n");
  EXPECT_EQ(out.scopes, (std::vector<std::string_view>{"a", "b"}));
  EXPECT_EQ(out.attributes, kAttributes);

  // Taking away is a change too.
  const std::string emptied = Encoded(UpdateParams{
      .id = kId, .name = "", .scopes = std::vector<std::string_view>(), .attributes = "\x80"});
  ASSERT_TRUE(DecodeUpdate(emptied, &out).ok());
  EXPECT_EQ(out.name, "");
  EXPECT_EQ(out.scopes, std::vector<std::string_view>());
  EXPECT_EQ(out.attributes, Map({}));
  EXPECT_EQ(out.namespace_name, "default");
  EXPECT_EQ(out.expires_at_ms, std::nullopt);
  EXPECT_FALSE(out.never_expires);

  ASSERT_TRUE(DecodeUpdate(Encoded(UpdateParams{.id = kId, .expires_at_ms = 5}), &out).ok());
  EXPECT_EQ(out.expires_at_ms, 5u);
  ASSERT_TRUE(DecodeUpdate(Encoded(UpdateParams{.id = kId, .never_expires = true}), &out).ok());
  EXPECT_EQ(out.expires_at_ms, std::nullopt);
  EXPECT_TRUE(out.never_expires);
}

TEST(ParamsEncodeTest, RotateComesBack) {
  const std::string bytes = Encoded(RotateParams{.token = Token("t"),
                                                 .overlap_ms = 1000,
                                                 .prefix = "live",
                                                 .expires_at_ms = 5,
                                                 .ttl_ms = {},
                                                 .namespace_name = "prod"});
  RotateParams out;
  ASSERT_TRUE(DecodeRotate(bytes, &out).ok());
  ExpectSame(out.token, Token("t"));
  EXPECT_EQ(out.overlap_ms, 1000u);
  EXPECT_EQ(out.prefix, "live");
  EXPECT_EQ(out.expires_at_ms, 5u);
  EXPECT_FALSE(out.ttl_ms);
  EXPECT_EQ(out.namespace_name, "prod");
}

TEST(ParamsEncodeTest, GetComesBack) {
  const std::string by_token =
      Encoded(GetParams{.token = Key('k'), .id = {}, .namespace_name = "prod"});
  GetParams out;
  ASSERT_TRUE(DecodeGet(by_token, &out).ok());
  ASSERT_TRUE(out.token);
  ExpectSame(*out.token, Key('k'));
  EXPECT_EQ(out.namespace_name, "prod");
  const std::string by_id = Encoded(GetParams{.token = {}, .id = kId, .namespace_name = "prod"});
  ASSERT_TRUE(DecodeGet(by_id, &out).ok());
  EXPECT_FALSE(out.token);
  EXPECT_EQ(out.id, kId);
  EXPECT_EQ(out.namespace_name, "prod");
}

TEST(ParamsEncodeTest, ListAndCountComeBack) {
  for (const ListOrder order :
       {ListOrder::kKey, ListOrder::kExpiresAt, ListOrder::kExpiresAtDescending}) {
    for (const TokenState state :
         {TokenState::kActive, TokenState::kExpired, TokenState::kRevoked}) {
      const ListParams params = {.namespace_name = "prod",
                                 .owner = "",
                                 .state = state,
                                 .expires_after_ms = 0,
                                 .expires_before_ms = kTimeMsMax,
                                 .order = order,
                                 .limit = 1000,
                                 .cursor = "c"};
      const auto expect_filters = [&](const ListParams& out) {
        EXPECT_EQ(out.namespace_name, "prod");
        EXPECT_EQ(out.owner, "");
        EXPECT_EQ(out.state, state);
        EXPECT_EQ(out.expires_after_ms, 0u);
        EXPECT_EQ(out.expires_before_ms, kTimeMsMax);
      };
      const std::string list = Encoded(params);
      ListParams out;
      ASSERT_TRUE(DecodeList(list, &out).ok());
      expect_filters(out);
      EXPECT_EQ(out.order, order);
      EXPECT_EQ(out.limit, 1000u);
      EXPECT_EQ(out.cursor, "c");
      const std::string count = Written([&](Writer& writer) { EncodeCount(params, &writer); });
      ASSERT_TRUE(DecodeCount(count, &out).ok());
      expect_filters(out);
    }
  }
}

TEST(ParamsEncodeTest, PurgeComesBack) {
  const std::string bytes = Encoded(PurgeParams{.before_ms = 5, .namespace_name = "prod"});
  PurgeParams out;
  ASSERT_TRUE(DecodePurge(bytes, &out).ok());
  EXPECT_EQ(out.before_ms, 5u);
  EXPECT_EQ(out.namespace_name, "prod");
}

TEST(ParamsEncodeTest, ImportComesBack) {
  const std::string position = Str("binlog.1:5");
  const std::string begin = Encoded(ImportBeginParams{.namespace_name = "prod",
                                                      .scheme = "sha256-after-bar",
                                                      .source = "dump.sql",
                                                      .position = position,
                                                      .stricter = true});
  ImportBeginParams begin_out;
  ASSERT_TRUE(DecodeImportBegin(begin, &begin_out).ok());
  EXPECT_EQ(begin_out.namespace_name, "prod");
  EXPECT_EQ(begin_out.scheme, "sha256-after-bar");
  EXPECT_EQ(begin_out.source, "dump.sql");
  EXPECT_EQ(begin_out.position, position);
  EXPECT_TRUE(begin_out.stricter);

  ImportRow row;
  row.token = Key('k');
  row.owner = "o";
  row.name = "";
  row.scopes = {"s"};
  row.expires_at_ms = 0;
  row.revoked = true;
  row.created_at_ms = 1;
  row.updated_at_ms = 2;
  row.last_used_at_ms = 3;
  row.use_count = 4;
  row.source_id = "5";
  row.attributes = kAttributes;
  const std::string rows = Written([&](Writer& writer) {
    EncodeImportRows("i1", {row, row}, &writer);
  });
  ImportRowsParams out;
  ASSERT_TRUE(DecodeImportRows(rows, RpcLimits(), &out).ok());
  EXPECT_EQ(out.import_id, "i1");
  ASSERT_EQ(out.rows.size(), 2u);
  for (const ImportRowElement& element : out.rows) {
    ASSERT_TRUE(element.status.ok()) << element.status.message();
    ExpectSame(element.row.token, row.token);
    EXPECT_EQ(element.row.owner, "o");
    EXPECT_EQ(element.row.name, "");
    EXPECT_EQ(element.row.scopes, row.scopes);
    EXPECT_EQ(element.row.expires_at_ms, 0u);
    EXPECT_TRUE(element.row.revoked);
    EXPECT_EQ(element.row.created_at_ms, 1u);
    EXPECT_EQ(element.row.updated_at_ms, 2u);
    EXPECT_EQ(element.row.last_used_at_ms, 3u);
    EXPECT_EQ(element.row.use_count, 4u);
    EXPECT_EQ(element.row.source_id, "5");
    EXPECT_EQ(element.row.attributes, kAttributes);
  }
}

}  // namespace
}  // namespace tokend
