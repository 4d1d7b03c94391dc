// What each call of the client library asks, and what it makes of the answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/client.h"
#include "tests/client_fixture.h"

namespace tokend::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using namespace tokend::testing;

TEST(ClientCalls, Validate) {
  Asked asked;
  auto valid = Ask(Arr({Bool(true), Int(1900000000000), Str("alice"), Arr({Str("read")})}), &asked,
                   [](Client& client) { return client.Validate("s3cret"); });
  EXPECT_EQ(asked.method + asked.params, "validate['s3cret']");
  ASSERT_TRUE(valid);
  EXPECT_TRUE(valid->valid());
  EXPECT_EQ(valid->expires_at_ms, 1900000000000u);
  EXPECT_EQ(valid->owner, "alice");
  EXPECT_THAT(valid->scopes, ElementsAre("read"));

  auto bare = Ask(Arr({Bool(true), Nil(), Nil(), Arr({})}), &asked,
                  [](Client& client) { return client.Validate("t", "portal"); });
  EXPECT_EQ(asked.params, R"(['t',"portal"])");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->valid());
  EXPECT_EQ(bare->expires_at_ms, std::nullopt);
  EXPECT_EQ(bare->owner, std::nullopt);

  auto invalid = Ask(Arr({Bool(false), Str("revoked")}), &asked,
                     [](Client& client) { return client.Validate("t"); });
  ASSERT_TRUE(invalid);
  EXPECT_TRUE(invalid->invalid());
  EXPECT_FALSE(invalid->valid());
  EXPECT_EQ(invalid->reason, "revoked");
}

TEST(ClientCalls, WhatCannotBeSaidIsNeitherValidNorInvalid) {
  Asked asked;
  auto element = Ask(Arr({Nil(), Str("unavailable")}), &asked,
                     [](Client& client) { return client.Validate("t"); });
  ASSERT_TRUE(element);
  EXPECT_EQ(element->kind, Verdict::Kind::kCannotSay);
  EXPECT_FALSE(element->valid());
  EXPECT_FALSE(element->invalid());
  EXPECT_EQ(element->reason, "unavailable");

  FakeTokend server([](FakePeer& peer) {
    for (ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kUnknownNamespace}) {
      auto request = peer.Read();
      if (request) peer.AnswerError(request->msgid, code, "loading");
    }
  });
  Client client = MustConnect(server);
  auto error = client.Validate("t");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, Verdict::Kind::kCannotSay);
  // Every other error is no verdict at all.
  auto unknown_namespace = client.Validate("t", "prtal");
  ASSERT_FALSE(unknown_namespace);
  EXPECT_EQ(unknown_namespace.error().code, "unknown_namespace");
}

TEST(ClientCalls, ValidateMany) {
  Asked asked;
  const std::string key(32, '\x01');
  std::vector<Token> tokens = {"a", Token::Key(key), "c"};
  auto verdicts =
      Ask(Arr({Arr({Bool(true), Nil(), Nil(), Arr({})}), Arr({Bool(false), Str("unknown")}),
               Arr({Nil(), Str("unavailable")})}),
          &asked, [&](Client& client) { return client.ValidateMany(tokens, "portal"); });
  EXPECT_EQ(asked.method, "validate_many");
  EXPECT_EQ(asked.params, R"([['a',{"ext":1,"hex":"010101010101010101010101010101010101)"
                          R"(0101010101010101010101010101"},'c'],"portal"])");
  ASSERT_TRUE(verdicts);
  ASSERT_THAT(*verdicts, SizeIs(3));
  EXPECT_TRUE((*verdicts)[0].valid());
  EXPECT_TRUE((*verdicts)[1].invalid());
  EXPECT_EQ((*verdicts)[2].kind, Verdict::Kind::kCannotSay);
}

TEST(ClientCalls, Insert) {
  Asked asked;
  InsertRequest request;
  request.token = "s3cret";
  request.ttl_ms = 60000;
  request.owner = "";
  request.name = "laptop";
  request.scopes = {"read", "write"};
  request.namespace_name = "portal";
  request.attributes = *JsonToMsgpack(R"({"team":"core"})");
  request.replace = true;
  auto id = Ask(Str(kId), &asked, [&](Client& client) { return client.Insert(request); });
  EXPECT_EQ(asked.method, "insert");
  EXPECT_THAT(asked.params, HasSubstr(R"("token":'s3cret')"));
  EXPECT_THAT(asked.params, HasSubstr(R"("ttl_ms":60000)"));
  EXPECT_THAT(asked.params, HasSubstr(R"("owner":"")"));
  EXPECT_THAT(asked.params, HasSubstr(R"("name":"laptop")"));
  EXPECT_THAT(asked.params, HasSubstr(R"("scopes":["read","write"])"));
  EXPECT_THAT(asked.params, HasSubstr(R"("namespace":"portal")"));
  EXPECT_THAT(asked.params, HasSubstr(R"("attributes":{"team":"core"})"));
  EXPECT_THAT(asked.params, HasSubstr(R"("replace":true)"));
  EXPECT_THAT(asked.params, Not(HasSubstr("expires_at")));
  ASSERT_TRUE(id);
  EXPECT_EQ(*id, kId);
}

TEST(ClientCalls, InsertManyTellsEachElementApart) {
  Asked asked;
  std::vector<InsertRequest> requests(2);
  requests[0].token = "a";
  requests[1].token = "b";
  auto outcomes =
      Ask(Arr({Str(kId),
               Map({{"code", Str("exists")}, {"message", Str("it is there")}, {"id", Str(kId)}})}),
          &asked, [&](Client& client) { return client.InsertMany(requests); });
  EXPECT_EQ(asked.method + asked.params, R"(insert_many[[{"token":'a'},{"token":'b'}]])");
  ASSERT_TRUE(outcomes);
  ASSERT_THAT(*outcomes, SizeIs(2));
  EXPECT_EQ((*outcomes)[0].id, kId);
  EXPECT_FALSE((*outcomes)[0].error);
  ASSERT_TRUE((*outcomes)[1].error);
  EXPECT_EQ((*outcomes)[1].error->code, "exists");
  EXPECT_EQ((*outcomes)[1].error->id, kId);
}

TEST(ClientCalls, IssueAndRotate) {
  Asked asked;
  const std::string issued =
      Map({{"id", Str(kId)}, {"token", Str("ci_abc")}, {"expires_at", Int(5)}});
  IssueRequest issue;
  issue.prefix = "ci";
  issue.expires_at_ms = 5;
  auto token = Ask(issued, &asked, [&](Client& client) { return client.Issue(issue); });
  EXPECT_EQ(asked.method, "issue");
  EXPECT_THAT(asked.params, HasSubstr(R"("prefix":"ci")"));
  EXPECT_THAT(asked.params, HasSubstr(R"("expires_at":5)"));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->token, "ci_abc");
  EXPECT_EQ(token->expires_at_ms, 5u);

  RotateRequest rotate;
  rotate.token = "old";
  rotate.overlap_ms = 900000;
  rotate.namespace_name = "portal";
  auto rotated = Ask(issued, &asked, [&](Client& client) { return client.Rotate(rotate); });
  EXPECT_EQ(asked.method + asked.params, R"(rotate['old',{"overlap_ms":900000},"portal"])");
  ASSERT_TRUE(rotated);
  EXPECT_EQ(rotated->id, kId);
}

TEST(ClientCalls, RevokeExtendUpdate) {
  Asked asked;
  auto revoked = Ask(Bool(true), &asked, [](Client& client) { return client.Revoke("t"); });
  EXPECT_EQ(asked.method + asked.params, "revoke['t']");
  EXPECT_TRUE(revoked && *revoked);

  auto by_id = Ask(Bool(false), &asked, [](Client& client) { return client.RevokeId(kId, "p"); });
  EXPECT_EQ(asked.method + asked.params, R"(revoke_id["9f86d081884c7d659a2feaa0","p"])");
  EXPECT_TRUE(by_id && !*by_id);

  auto of_owner = Ask(Int(3), &asked, [](Client& client) { return client.RevokeOwner("alice"); });
  EXPECT_EQ(asked.method + asked.params, R"(revoke_owner["alice"])");
  EXPECT_TRUE(of_owner && *of_owner == 3);

  Ask(Bool(true), &asked, [](Client& client) { return client.Extend("t", 77, "p"); }).ok();
  EXPECT_EQ(asked.method + asked.params, R"(extend['t',77,"p"])");
  Ask(Bool(true), &asked, [](Client& client) { return client.Extend("t", std::nullopt); }).ok();
  EXPECT_EQ(asked.method + asked.params, "extend['t',null]");

  UpdateRequest update;
  update.id = kId;
  update.scopes.emplace();
  auto updated = Ask(Bool(true), &asked, [&](Client& client) { return client.Update(update); });
  EXPECT_EQ(asked.method + asked.params,
            R"(update[{"id":"9f86d081884c7d659a2feaa0","scopes":[]}])");
  EXPECT_TRUE(updated && *updated);
}

TEST(ClientCalls, GetListCount) {
  Asked asked;
  auto record = Ask(EncodedRecord(), &asked, [](Client& client) { return client.Get("t", "p"); });
  EXPECT_EQ(asked.method + asked.params, R"(get['t',"p"])");
  ASSERT_TRUE(record && record->has_value());
  ExpectRecord(**record);

  auto nothing = Ask(Nil(), &asked, [](Client& client) { return client.GetId(kId, "p"); });
  EXPECT_EQ(asked.method + asked.params,
            R"(get[{"id":"9f86d081884c7d659a2feaa0","namespace":"p"}])");
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->has_value());

  ListRequest request;
  request.namespace_name = "portal";
  request.owner = "alice";
  request.state = "active";
  request.expires_after_ms = 10;
  request.expires_before_ms = 20;
  request.order = "-expires_at";
  request.limit = 7;
  request.cursor = "c1";
  auto page = Ask(Map({{"items", Arr({EncodedRecord(), EncodedRecord()})}, {"cursor", Str("c2")}}),
                  &asked, [&](Client& client) { return client.List(request); });
  EXPECT_EQ(asked.method, "list");
  for (const char* part : {R"("namespace":"portal")", R"("owner":"alice")", R"("state":"active")",
                           R"("expires_after":10)", R"("expires_before":20)",
                           R"("order":"-expires_at")", R"("limit":7)", R"("cursor":"c1")"}) {
    EXPECT_THAT(asked.params, HasSubstr(part));
  }
  ASSERT_TRUE(page);
  ASSERT_THAT(page->items, SizeIs(2));
  ExpectRecord(page->items[1]);
  EXPECT_EQ(page->cursor, "c2");

  auto last = Ask(Map({{"items", Arr({})}, {"cursor", Nil()}}), &asked,
                  [](Client& client) { return client.List({}); });
  ASSERT_TRUE(last);
  EXPECT_EQ(last->cursor, "");

  auto count = Ask(Int(12), &asked, [&](Client& client) { return client.Count(request); });
  EXPECT_EQ(asked.method, "count");
  EXPECT_THAT(asked.params, HasSubstr(R"("owner":"alice")"));
  EXPECT_THAT(asked.params, Not(HasSubstr("limit")));
  EXPECT_THAT(asked.params, Not(HasSubstr("cursor")));
  EXPECT_TRUE(count && *count == 12);
}

TEST(ClientCalls, RevealAndRekey) {
  Asked asked;
  const auto answer = Map({{"id", Str(kId)},
                           {"token", Str("s3cret")},
                           {"expires_at", Int(77)},
                           {"key_id", Str("601f6dbc4b91b946")}});
  auto revealed = Ask(answer, &asked, [](Client& client) { return client.Reveal("alice", "pm"); });
  EXPECT_EQ(asked.method + asked.params, R"(reveal[{"namespace":"pm","owner":"alice"}])");
  ASSERT_TRUE(revealed && revealed->has_value());
  EXPECT_EQ((*revealed)->id, kId);
  EXPECT_EQ((*revealed)->token, "s3cret");
  EXPECT_EQ((*revealed)->expires_at_ms, 77u);
  EXPECT_EQ((*revealed)->key_id, "601f6dbc4b91b946");

  auto binary = Ask(Map({{"id", Str(kId)}, {"token", Bin("\xff")}, {"expires_at", Nil()}}), &asked,
                    [](Client& client) { return client.RevealId(kId); });
  EXPECT_EQ(asked.method + asked.params, R"(reveal[{"id":"9f86d081884c7d659a2feaa0"}])");
  ASSERT_TRUE(binary && binary->has_value());
  EXPECT_EQ((*binary)->token, "\xff");
  EXPECT_EQ((*binary)->expires_at_ms, std::nullopt);

  auto none = Ask(Nil(), &asked, [](Client& client) { return client.Reveal(""); });
  EXPECT_EQ(asked.params, R"([{"owner":""}])");
  EXPECT_TRUE(none && !none->has_value());
  auto wrong = Ask(Map({{"id", Str(kId)}}), &asked,
                   [](Client& client) { return client.Reveal(std::nullopt); });
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, "bad_answer");

  auto totals = Ask(Map({{"resealed", Int(3)}, {"unopened", Int(1)}}), &asked,
                    [](Client& client) { return client.Rekey("pm"); });
  EXPECT_EQ(asked.method + asked.params, R"(rekey["pm"])");
  EXPECT_TRUE(totals && totals->resealed == 3 && totals->unopened == 1);
  Ask(Map({}), &asked, [](Client& client) { return client.Rekey(); }).ok();
  EXPECT_EQ(asked.params, "[]");
}

TEST(ClientCalls, ServersOwn) {
  Asked asked;
  auto purged = Ask(Int(9), &asked, [](Client& client) { return client.PurgeExpired(50, "p"); });
  EXPECT_EQ(asked.method + asked.params, R"(purge_expired[50,"p"])");
  EXPECT_TRUE(purged && *purged == 9);

  auto stats = Ask(Map({{"state", Str("ready")}, {"tokens", Int(3)}}), &asked,
                   [](Client& client) { return client.Stats(); });
  EXPECT_EQ(asked.method + asked.params, "stats[]");
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->state, "ready");
  EXPECT_EQ(MsgpackToJson(stats->encoded), R"({"state":"ready","tokens":3})");

  auto pong = Ask(Str("pong"), &asked, [](Client& client) { return client.Ping(); });
  EXPECT_EQ(asked.method + asked.params, "ping[]");
  EXPECT_TRUE(pong);

  auto accepted = Ask(Bool(true), &asked, [](Client& client) { return client.ClockAccept(); });
  EXPECT_EQ(asked.method + asked.params, "clock_accept[]");
  EXPECT_TRUE(accepted);

  auto backup =
      Ask(Map({{"id", Int(2)}, {"bytes", Int(99)}, {"directory", Str("/b")}, {"more", Nil()}}),
          &asked, [](Client& client) { return client.Backup(); });
  EXPECT_EQ(asked.method + asked.params, "backup[]");
  ASSERT_TRUE(backup);
  EXPECT_EQ(backup->id, 2u);
  EXPECT_EQ(backup->bytes, 99u);
  EXPECT_EQ(backup->directory, "/b");

  auto info = Ask(Map({{"server", Str("tokend")},
                       {"version", Str("0.1.0")},
                       {"protocol", Int(1)},
                       {"limits", Map({{"many", Int(10000)}})}}),
                  &asked, [](Client& client) { return client.Hello("test", "1"); });
  EXPECT_EQ(asked.method + asked.params, R"(hello[{"client":"test","version":"1"}])");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->server + info->version, "tokend0.1.0");
  EXPECT_EQ(info->protocol, 1u);
  EXPECT_EQ(MsgpackToJson(info->limits), R"({"many":10000})");
}

TEST(ClientCalls, Import) {
  Asked asked;
  ImportBeginRequest begin;
  begin.namespace_name = "portal";
  begin.scheme = "sha256";
  begin.source = "portal.api_token";
  begin.stricter = true;
  begin.seal = true;
  auto import_id =
      Ask(Str("i1"), &asked, [&](Client& client) { return client.ImportBegin(begin); });
  EXPECT_EQ(asked.method, "import_begin");
  EXPECT_THAT(asked.params, HasSubstr(R"("scheme":"sha256")"));
  EXPECT_THAT(asked.params, HasSubstr(R"("merge":"stricter")"));
  EXPECT_THAT(asked.params, HasSubstr(R"("seal":true)"));
  EXPECT_TRUE(import_id && *import_id == "i1");

  const std::string key(32, '\xab');
  ImportRow row;
  row.token = Token::Key(key);
  row.owner = "alice";
  row.scopes = {"read"};
  row.expires_at_ms = 100;
  row.revoked = true;
  row.use_count = 3;
  row.source_id = "17";
  ImportBatch batch;
  ASSERT_TRUE(batch.Add(row));
  row = ImportRow();
  row.token = "in clear";
  ASSERT_TRUE(batch.Add(row));
  EXPECT_EQ(batch.row_count(), 2u);
  EXPECT_GT(batch.byte_count(), 40u);
  auto totals = Ask(
      Map({{"taken", Int(1)}, {"replaced", Int(2)}, {"unchanged", Int(3)}, {"refused", Int(4)}}),
      &asked, [&](Client& client) { return client.ImportRows("i1", batch); });
  EXPECT_EQ(asked.method, "import_rows");
  EXPECT_THAT(asked.params, HasSubstr(R"(["i1",[{)"));
  EXPECT_THAT(asked.params, HasSubstr(R"("owner":"alice")"));
  EXPECT_THAT(asked.params, HasSubstr(R"("state":"revoked")"));
  EXPECT_THAT(asked.params, HasSubstr(R"({"token":'in clear'})"));
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->taken, 1u);
  EXPECT_EQ(totals->replaced, 2u);
  EXPECT_EQ(totals->unchanged, 3u);
  EXPECT_EQ(totals->refused, 4u);
  batch.Clear();
  EXPECT_EQ(batch.row_count(), 0u);
  EXPECT_EQ(batch.byte_count(), 0u);

  Ask(Map({{"taken", Int(1)}}), &asked, [](Client& client) { return client.ImportEnd("i1"); }).ok();
  EXPECT_EQ(asked.method + asked.params, R"(import_end["i1"])");
}

TEST(ClientCalls, WhatCannotBeSentIsTheCallersError) {
  FakeTokend server(ReadAll);
  Client client = MustConnect(server);
  auto expect_caller = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().source, Error::Source::kCaller);
    EXPECT_EQ(result.error().code, "bad_params");
  };
  expect_caller(client.Validate(Token::Key("short")));
  expect_caller(client.RevokeId("9F86D081884C7D659A2FEAA0"));
  expect_caller(client.GetId(""));
  ListRequest list;
  list.state = "dead";
  expect_caller(client.List(list));
  list.state = "";
  list.order = "owner";
  expect_caller(client.Count(list));
  InsertRequest insert;
  insert.token = "t";
  insert.attributes = "\x81\xa1";  // a map that ends in its first key
  expect_caller(client.Insert(insert));
  insert.attributes = "\xc0\xc0";  // two values
  expect_caller(client.Insert(insert));
  ImportBatch batch;
  ImportRow row;
  row.token = Token::Key("short");
  expect_caller(batch.Add(row));
  EXPECT_EQ(batch.row_count(), 0u);
  EXPECT_EQ(client.in_flight(), 0u);
}

}  // namespace
}  // namespace tokend::client
