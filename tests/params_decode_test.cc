// The decoders of protocol/params.h: what each method takes, and how it refuses the rest. Every
// field of every method meets every good and every bad value of its kind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "protocol/params.h"
#include "tests/encoded.h"

namespace tokend {
namespace {

using testing::Arr;
using testing::ArrOf;
using testing::Bin;
using testing::Bool;
using testing::ExactBytes;
using testing::Ext;
using testing::Float;
using ::testing::HasSubstr;
using testing::Hex;
using testing::Int;
using testing::Map;
using testing::Nested;
using testing::Nil;
using ::testing::Not;
using ::testing::StartsWith;
using testing::Str;
using testing::Uint;

const std::string kId = Str("00112233445566778899aabb");
const std::string kToken = Str("t0ken");

RpcLimits Limits() {
  RpcLimits limits;
  limits.many_max = 3;
  return limits;
}

// Decodes and forgets: what a method says of its params. An element's own error stands for it.
Status Decode(const std::string& method, std::string_view params) {
  using Decoder = std::function<Status(std::string_view)>;
  static const std::map<std::string, Decoder> kDecoders = {
      {"hello", [](auto p) { return DecodeHello(p); }},
      {"validate",
       [](auto p) {
         TokenParams out;
         return DecodeToken(p, &out);
       }},
      {"validate_many",
       [](auto p) {
         TokensParams out;
         return DecodeTokens(p, Limits(), &out);
       }},
      {"insert",
       [](auto p) {
         InsertParams out;
         return DecodeInsert(p, &out);
       }},
      {"insert_many",
       [](auto p) {
         std::vector<InsertElement> out;
         Status status = DecodeInsertMany(p, Limits(), &out);
         for (const InsertElement& element : out) {
           if (status.ok()) status = element.status;
         }
         return status;
       }},
      {"issue",
       [](auto p) {
         InsertParams out;
         return DecodeIssue(p, &out);
       }},
      {"revoke",
       [](auto p) {
         TokenParams out;
         return DecodeToken(p, &out);
       }},
      {"revoke_id",
       [](auto p) {
         IdParams out;
         return DecodeRevokeId(p, &out);
       }},
      {"revoke_owner",
       [](auto p) {
         OwnerParams out;
         return DecodeRevokeOwner(p, &out);
       }},
      {"extend",
       [](auto p) {
         ExtendParams out;
         return DecodeExtend(p, &out);
       }},
      {"update",
       [](auto p) {
         UpdateParams out;
         return DecodeUpdate(p, &out);
       }},
      {"rotate",
       [](auto p) {
         RotateParams out;
         return DecodeRotate(p, &out);
       }},
      {"get",
       [](auto p) {
         GetParams out;
         return DecodeGet(p, &out);
       }},
      {"list",
       [](auto p) {
         ListParams out;
         return DecodeList(p, &out);
       }},
      {"count",
       [](auto p) {
         ListParams out;
         return DecodeCount(p, &out);
       }},
      {"purge_expired",
       [](auto p) {
         PurgeParams out;
         return DecodePurge(p, &out);
       }},
      {"import_begin",
       [](auto p) {
         ImportBeginParams out;
         return DecodeImportBegin(p, &out);
       }},
      {"import_rows",
       [](auto p) {
         ImportRowsParams out;
         Status status = DecodeImportRows(p, Limits(), &out);
         for (const ImportRowElement& row : out.rows) {
           if (status.ok()) status = row.status;
         }
         return status;
       }},
      {"import_end",
       [](auto p) {
         std::string_view id;
         return DecodeImportEnd(p, &id);
       }},
      {"stats", [](auto p) { return DecodeNoParams(p); }},
      {"ping", [](auto p) { return DecodeNoParams(p); }},
  };
  const ExactBytes exact(params);
  return kDecoders.at(method)(exact.view());
}

void ExpectTaken(const std::string& method, const std::string& params) {
  const Status status = Decode(method, params);
  EXPECT_TRUE(status.ok()) << method << ": " << status.message();
}

void ExpectRefused(const std::string& method, const std::string& params,
                   const std::string& message) {
  const Status status = Decode(method, params);
  EXPECT_EQ(status.code(), ErrorCode::kBadParams) << method;
  EXPECT_EQ(status.message(), message) << method;
}

// A kind of value: the rule that messages quote, values that keep it and values that do not.
struct Kind {
  std::string rule;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

const std::string kControl[] = {"a\x01", "\n", "a\x1f", "\x7f", "\xc2\x80", "a\xc2\x9f"};

Kind TextKind() {
  return {"must be a str of valid UTF-8, at most 1024 bytes",
          {Str(""), Str("Zo\xc3\xab \xf0\x9f\x94\x91"), Str("a\n\x01\x7f"),
           Str(std::string(1024, 'x'))},
          {Str(std::string(1025, 'x')), Str("\xff"), Str("\xed\xa0\x80"), Str("a\xc3"), Bin("a"),
           Int(1), Float(), Bool(true), Arr({}), Map({}), Ext(1, "a")}};
}

Kind NamespaceKind() {
  Kind kind = {"must be a str of valid UTF-8, 1 to 255 bytes, without control characters",
               {Str("a"), Str("default"),
                Str("pr\xc3\xb6"
                    "d / eu"),
                Str(" "), Str("\xc2\xa0"), Str("\x7e"), Str(std::string(255, 'n'))},
               {Str(""), Str(std::string(256, 'n')), Str("\xff"), Str("a\xc2"), Bin("a"), Int(1),
                Bool(false), Arr({}), Map({})}};
  for (const std::string& text : kControl) kind.bad.push_back(Str(text));
  kind.bad.push_back(Str(std::string("a\0b", 3)));
  return kind;
}

Kind TokenKind() {
  return {
      "must be a str or bin of 1 to 65536 bytes, or ext type 1 of 32 bytes",
      {Str("a"), Bin("a"), Str("\xff\xfe"), Bin(std::string(1, '\0')), Str(" "),
       Str(std::string(65536, 't')), Bin(std::string(65536, 't')), Ext(1, std::string(32, 'k'))},
      {Str(""), Bin(""), Str(std::string(65537, 't')), Bin(std::string(65537, 't')),
       Ext(1, std::string(31, 'k')), Ext(1, std::string(33, 'k')), Ext(1, ""),
       Ext(0, std::string(32, 'k')), Ext(2, std::string(32, 'k')), Ext(-1, std::string(32, 'k')),
       Int(5), Bool(true), Float(), Arr({kToken})}};
}

Kind IntegerKind(const std::string& rule, uint64_t min) {
  Kind kind = {rule + std::to_string(min) + " to 9007199254740991",
               {Uint(min), Int(1), Int(127), Int(128), Int(65536), Uint(9007199254740991),
                Hex("cc 01"), Hex("cd 0001"), Hex("ce 00000001"), Hex("cf 0000000000000001"),
                Hex("d0 01"), Hex("d1 0001"), Hex("d2 00000001"), Hex("d3 0000000000000001")},
               {Uint(9007199254740992), Uint(UINT64_MAX), Int(INT64_MAX), Int(-1), Int(INT64_MIN),
                Float(), Hex("ca 3f800000"), Bool(true), Bool(false), Str("1"), Bin("1"), Arr({}),
                Map({}), Ext(-1, "1234")}};
  if (min > 0) kind.bad.push_back(Uint(min - 1));
  return kind;
}

Kind TimeKind() { return IntegerKind("must be an integer of Unix milliseconds, ", 0); }
Kind DurationKind() { return IntegerKind("must be an integer of milliseconds, ", 0); }
Kind TtlKind() { return IntegerKind("must be an integer of milliseconds, ", 1); }
Kind CountKind() { return IntegerKind("must be an integer, ", 0); }

Kind IdKind() {
  return {"must be a str of 24 lower-case hex digits",
          {kId, Str(std::string(24, 'f'))},
          {Str(""), Str("00112233445566778899aab"), Str("00112233445566778899aabbc"),
           Str("00112233445566778899AABB"), Str("00112233445566778899aabg"),
           Bin("00112233445566778899aabb"), Bin(std::string(12, 'i')), Ext(1, std::string(32, 'k')),
           Int(1), Bool(true)}};
}

Kind AttributesKind() {
  const auto of_size = [](size_t size) {
    return Map({{"k", Bin(std::string(size - 6, 'a'))}});  // 1 + 2 + 3 of heads
  };
  return {"must be a map of at most 4096 bytes when encoded",
          {Map({}), Map({{"a", Map({{"b", Arr({Float(), Nil()})}})}}), of_size(4096)},
          {of_size(4097), Str("{}"), Arr({}), Int(1), Bool(true), Bin("\x80")}};
}

// Scopes as a whole; one that is wrong is named by its index, which has a test of its own.
Kind ScopesKind() {
  return {"must be an array of at most 64 str",
          {Arr({}), Arr({Str("a")}), Arr({Str("a"), Str("a")}), ArrOf(64, Str("s")),
           Arr({Str(std::string(128, 's'))}), Arr({Str("sc\xc3\xb6pe\n")})},
          {ArrOf(65, Str("s")), Str("read"), Map({}), Int(1), Bool(true)}};
}

Kind PrefixKind() {
  return {"must be a str of 1 to 20 characters out of A-Z, a-z and 0-9",
          {Str("tk"), Str("X"), Str("Live2"), Str(std::string(20, 'p'))},
          {Str(""), Str(std::string(21, 'p')), Str("a_b"), Str("a-b"), Str("\xc3\xab"), Bin("tk"),
           Int(1), Bool(true)}};
}

Kind BoolKind() {
  return {"must be true or false",
          {Bool(true), Bool(false)},
          {Int(0), Int(1), Str("true"), Arr({}), Float()}};
}

Kind StateKind() {
  return {"must be \"active\", \"expired\" or \"revoked\"",
          {Str("active"), Str("revoked")},
          {Str(""), Str("Active"), Str("live"), Str("deleted"), Bin("active"), Int(0), Bool(true)}};
}

Kind OrderKind() {
  return {"must be \"key\", \"expires_at\" or \"-expires_at\"",
          {Str("key"), Str("expires_at"), Str("-expires_at")},
          {Str(""), Str("-key"), Str("created_at"), Str("KEY"), Bin("key"), Int(1), Bool(true)}};
}

Kind LimitKind() {
  return {"must be an integer, 1 to 1000",
          {Int(1), Int(1000), Hex("d1 0064")},
          {Int(0), Int(1001), Int(-1), Uint(UINT64_MAX), Uint(4294967297), Float(), Str("10"),
           Bool(true)}};
}

Kind CursorKind() {
  return {"must be a str as an earlier answer gave it",
          {Str(""), Str("opaque"), Str(std::string(4096, 'c'))},
          {Str(std::string(4097, 'c')), Bin("opaque"), Int(1), Bool(true), Arr({})}};
}

Kind SchemeKind() {
  return {"must be \"sha256\" or \"sha256-after-bar\"",
          {Str("sha256"), Str("sha256-after-bar")},
          {Str(""), Str("md5"), Str("SHA256"), Bin("sha256"), Int(1), Bool(true)}};
}

Kind PositionKind() {
  return {"must be a map or a str of at most 4096 bytes when encoded",
          {Str(""), Str("binlog.000123:4711"), Map({{"file", Str("b")}, {"pos", Int(1)}}),
           Str(std::string(4093, 'p'))},
          {Str(std::string(4094, 'p')), Bin("p"), Int(1), Arr({}), Bool(true)}};
}

Kind KeyKind() {
  return {"must be a bin or ext type 1 of 32 bytes",
          {Bin(std::string(32, 'k')), Ext(1, std::string(32, 'k'))},
          {Bin(std::string(31, 'k')), Bin(std::string(33, 'k')), Str(std::string(32, 'k')),
           Ext(1, std::string(31, 'k')), Ext(2, std::string(32, 'k')), Int(1), Bool(true)}};
}

Kind ImportIdKind() {
  return {"must be the str that import_begin answered",
          {Str("i1"), Str(std::string(1024, 'i'))},
          {Str(std::string(1025, 'i')), Str("\xff"), Bin("i1"), Int(1), Bool(true), Map({})}};
}

// Where a field stands in the params of its method: puts a value there, with all else good.
using Place = std::function<std::string(const std::string& value)>;

struct FieldRow {
  std::string method;
  std::string field;
  Kind kind;
  Place place;
};

Place InMap(const std::string& key) {
  return [=](const std::string& value) { return Arr({Map({{key, value}})}); };
}
Place InMapWith(const std::string& other, const std::string& other_value, const std::string& key) {
  return [=](const std::string& value) { return Arr({Map({{other, other_value}, {key, value}})}); };
}
Place InRow(const std::string& key) {
  return [=](const std::string& value) {
    return Arr({Str("i1"), Arr({Map({{"token", kToken}, {key, value}})})});
  };
}

std::vector<FieldRow> Fields() {
  const auto at_first = [](const std::string& value) { return Arr({value}); };
  const auto after = [](const std::string& first) {
    return [=](const std::string& value) { return Arr({first, value}); };
  };
  std::vector<FieldRow> rows = {
      {"hello", "client", TextKind(), InMap("client")},
      {"hello", "version", TextKind(), InMap("version")},
      {"validate", "token", TokenKind(), at_first},
      {"validate", "namespace", NamespaceKind(), after(kToken)},
      {"validate_many", "tokens[0]", TokenKind(), [](auto& v) { return Arr({Arr({v})}); }},
      {"validate_many", "tokens[1]", TokenKind(),
       [](auto& v) {
         return Arr({Arr({kToken, v})});
       }},
      {"validate_many", "namespace", NamespaceKind(), after(Arr({kToken}))},
      {"issue", "prefix", PrefixKind(), InMap("prefix")},
      {"revoke", "token", TokenKind(), at_first},
      {"revoke", "namespace", NamespaceKind(), after(kToken)},
      {"revoke_id", "id", IdKind(), at_first},
      {"revoke_id", "namespace", NamespaceKind(), after(kId)},
      {"revoke_owner", "owner", TextKind(), at_first},
      {"revoke_owner", "namespace", NamespaceKind(), after(Str("o"))},
      {"extend", "token", TokenKind(), at_first},
      {"extend", "expires_at", TimeKind(), after(kToken)},
      {"extend", "namespace", NamespaceKind(),
       [](auto& v) {
         return Arr({kToken, Nil(), v});
       }},
      {"update", "id", IdKind(), InMap("id")},
      {"update", "namespace", NamespaceKind(), InMapWith("id", kId, "namespace")},
      {"update", "name", TextKind(), InMapWith("id", kId, "name")},
      {"update", "scopes", ScopesKind(), InMapWith("id", kId, "scopes")},
      {"update", "attributes", AttributesKind(), InMapWith("id", kId, "attributes")},
      {"rotate", "token", TokenKind(), at_first},
      {"rotate", "namespace", NamespaceKind(),
       [](auto& v) {
         return Arr({kToken, Map({}), v});
       }},
      {"get", "token", TokenKind(), at_first},
      {"get", "namespace", NamespaceKind(), after(kToken)},
      {"get", "id", IdKind(), InMap("id")},
      {"get", "namespace", NamespaceKind(), InMapWith("id", kId, "namespace")},
      {"list", "order", OrderKind(), InMap("order")},
      {"list", "limit", LimitKind(), InMap("limit")},
      {"list", "cursor", CursorKind(), InMap("cursor")},
      {"purge_expired", "before", TimeKind(), at_first},
      {"purge_expired", "namespace", NamespaceKind(), after(Int(1))},
      {"import_begin", "namespace", NamespaceKind(), InMap("namespace")},
      {"import_begin", "scheme", SchemeKind(), InMap("scheme")},
      {"import_begin", "source", TextKind(), InMap("source")},
      {"import_begin", "position", PositionKind(), InMap("position")},
      {"import_rows", "import id", ImportIdKind(),
       [](auto& v) {
         return Arr({v, Arr({})});
       }},
      {"import_rows", "key", KeyKind(),
       [](auto& v) {
         return Arr({Str("i1"), Arr({Map({{"key", v}})})});
       }},
      {"import_rows", "token", TokenKind(),
       [](auto& v) {
         return Arr({Str("i1"), Arr({Map({{"token", v}})})});
       }},
      {"import_rows", "owner", TextKind(), InRow("owner")},
      {"import_rows", "name", TextKind(), InRow("name")},
      {"import_rows", "scopes", ScopesKind(), InRow("scopes")},
      {"import_rows", "expires_at", TimeKind(), InRow("expires_at")},
      {"import_rows", "state", StateKind(), InRow("state")},
      {"import_rows", "created_at", TimeKind(), InRow("created_at")},
      {"import_rows", "updated_at", TimeKind(), InRow("updated_at")},
      {"import_rows", "last_used_at", TimeKind(), InRow("last_used_at")},
      {"import_rows", "use_count", CountKind(), InRow("use_count")},
      {"import_rows", "source_id", TextKind(), InRow("source_id")},
      {"import_rows", "attributes", AttributesKind(), InRow("attributes")},
      {"import_end", "import id", ImportIdKind(), at_first},
  };
  // insert, its like in insert_many, and issue.
  const std::vector<std::pair<std::string, Kind>> kInsertFields = {{"expires_at", TimeKind()},
                                                                   {"ttl_ms", TtlKind()},
                                                                   {"owner", TextKind()},
                                                                   {"name", TextKind()},
                                                                   {"scopes", ScopesKind()},
                                                                   {"namespace", NamespaceKind()},
                                                                   {"attributes", AttributesKind()},
                                                                   {"replace", BoolKind()}};
  for (const auto& [field, kind] : kInsertFields) {
    rows.push_back({"insert", field, kind, InMapWith("token", kToken, field)});
    rows.push_back({"insert_many", field, kind, [field = field](auto& v) {
                      return Arr({Arr({Map({{"token", kToken}, {field, v}})})});
                    }});
    if (field != "replace") rows.push_back({"issue", field, kind, InMap(field)});
  }
  rows.push_back({"insert", "token", TokenKind(), InMap("token")});
  rows.push_back({"insert_many", "token", TokenKind(), [](auto& v) {
                    return Arr({Arr({Map({{"token", v}})})});
                  }});
  for (const auto& [field, kind] :
       std::vector<std::pair<std::string, Kind>>{{"overlap_ms", DurationKind()},
                                                 {"prefix", PrefixKind()},
                                                 {"expires_at", TimeKind()},
                                                 {"ttl_ms", TtlKind()}}) {
    rows.push_back({"rotate", field, kind, [field = field](auto& v) {
                      return Arr({kToken, Map({{field, v}})});
                    }});
  }
  for (const std::string method : {"list", "count"}) {
    rows.push_back({method, "namespace", NamespaceKind(), InMap("namespace")});
    rows.push_back({method, "owner", TextKind(), InMap("owner")});
    rows.push_back({method, "state", StateKind(), InMap("state")});
    rows.push_back({method, "expires_after", TimeKind(), InMap("expires_after")});
    rows.push_back({method, "expires_before", TimeKind(), InMap("expires_before")});
  }
  return rows;
}

TEST(ParamsDecodeTest, EveryFieldTakesEveryGoodValueOfItsKind) {
  for (const FieldRow& row : Fields()) {
    for (size_t i = 0; i < row.kind.good.size(); ++i) {
      SCOPED_TRACE(row.method + " " + row.field + " good " + std::to_string(i));
      ExpectTaken(row.method, row.place(row.kind.good[i]));
    }
  }
}

TEST(ParamsDecodeTest, EveryFieldRefusesEveryBadValueOfItsKindAndSaysWhatItShouldBe) {
  for (const FieldRow& row : Fields()) {
    for (size_t i = 0; i < row.kind.bad.size(); ++i) {
      SCOPED_TRACE(row.method + " " + row.field + " bad " + std::to_string(i));
      ExpectRefused(row.method, row.place(row.kind.bad[i]), row.field + ": " + row.kind.rule);
    }
  }
}

TEST(ParamsDecodeTest, EveryScopeIsCheckedAndNamedByItsIndex) {
  const std::string rule = "must be a str of valid UTF-8, 1 to 128 bytes";
  for (const FieldRow& row : Fields()) {
    if (row.field != "scopes") continue;
    for (const std::string& bad :
         {Str(""), Str(std::string(129, 's')), Str("\xff"), Bin("s"), Int(1), Nil(), Arr({})}) {
      ExpectRefused(row.method, row.place(Arr({bad})), "scopes[0]: " + rule);
      ExpectRefused(row.method, row.place(Arr({Str("a"), Str("b"), bad})), "scopes[2]: " + rule);
    }
  }
}

TEST(ParamsDecodeTest, NilIsAsGoodAsMissing) {
  for (const FieldRow& row : Fields()) {
    SCOPED_TRACE(row.method + " " + row.field);
    const std::string params = row.place(Nil());
    static const std::vector<std::string> kRequired = {
        "token", "id", "key", "import id", "tokens[0]", "tokens[1]", "before"};
    const bool required =
        std::find(kRequired.begin(), kRequired.end(), row.field) != kRequired.end() ||
        (row.method == "revoke_owner" && row.field == "owner");
    if (required) {
      EXPECT_EQ(Decode(row.method, params).code(), ErrorCode::kBadParams);
      const bool is_row = row.method == "import_rows" && row.field == "token";  // or key
      EXPECT_THAT(Decode(row.method, params).message(),
                  StartsWith((is_row ? "key" : row.field) + ": "));
    } else {
      ExpectTaken(row.method, params);
    }
  }
}

TEST(ParamsDecodeTest, WhatIsRequiredIsMissedByName) {
  const std::string token =
      "token: missing; must be a str or bin of 1 to 65536 bytes, or ext type 1 of 32 bytes";
  const std::string id = "id: missing; must be a str of 24 lower-case hex digits";
  for (const std::string method : {"validate", "revoke", "insert", "extend", "rotate", "get"}) {
    ExpectRefused(method, Arr({}), token);
    ExpectRefused(method, Arr({Nil()}), token);
  }
  for (const std::string method : {"validate", "revoke", "extend", "rotate", "get"}) {
    ExpectRefused(method, Arr({Nil(), Nil()}), token);
  }
  for (const std::string& map : {Map({}), Map({{"token", Nil()}}), Map({{"owner", Str("o")}})}) {
    ExpectRefused("insert", Arr({map}), token);
    ExpectRefused("insert_many", Arr({Arr({map})}), token);
  }
  for (const std::string method : {"revoke_id", "update"}) {
    ExpectRefused(method, Arr({}), id);
    ExpectRefused(method, Arr({Nil()}), id);
  }
  for (const std::string method : {"update", "get"}) {
    ExpectRefused(method, Arr({Map({})}), id);
    ExpectRefused(method, Arr({Map({{"id", Nil()}})}), id);
    ExpectRefused(method, Arr({Map({{"namespace", Str("n")}})}), id);
  }
  ExpectRefused("revoke_owner", Arr({}),
                "owner: missing; must be a str of valid UTF-8, at most 1024 bytes");
  ExpectRefused("purge_expired", Arr({}),
                "before: missing; must be an integer of Unix milliseconds, 0 to 9007199254740991");
  ExpectRefused("validate_many", Arr({}), "tokens: missing; must be an array of tokens");
  ExpectRefused("validate_many", Arr({Nil(), Str("n")}),
                "tokens: missing; must be an array of tokens");
  ExpectRefused("insert_many", Arr({}),
                "inserts: missing; must be an array of maps as insert takes them");
  for (const std::string method : {"import_rows", "import_end"}) {
    ExpectRefused(method, Arr({}),
                  "import id: missing; must be the str that import_begin answered");
  }
  ExpectRefused("import_rows", Arr({Str("i1")}), "rows: missing; must be an array of maps");
  for (const std::string& row : {Map({}), Map({{"key", Nil()}, {"token", Nil()}})}) {
    ExpectRefused("import_rows", Arr({Str("i1"), Arr({row})}),
                  "key: missing; must be given, or token in its place");
  }
}

TEST(ParamsDecodeTest, WhatIsOptionalMayBeLeftOut) {
  for (const std::string method : {"hello", "issue", "list", "count", "import_begin"}) {
    ExpectTaken(method, Arr({}));
    ExpectTaken(method, Arr({Nil()}));
    ExpectTaken(method, Arr({Map({})}));
  }
  for (const std::string method : {"validate", "revoke", "extend", "rotate", "get"}) {
    ExpectTaken(method, Arr({kToken}));
    ExpectTaken(method, Arr({kToken, Nil()}));
  }
  ExpectTaken("rotate", Arr({kToken, Nil(), Nil()}));
  ExpectTaken("rotate", Arr({kToken, Nil(), Str("n")}));
  ExpectTaken("validate_many", Arr({Arr({})}));
  ExpectTaken("insert_many", Arr({Arr({})}));
  ExpectTaken("import_rows", Arr({Str("i1"), Arr({})}));
  ExpectTaken("update", Arr({Map({{"id", kId}})}));
  ExpectTaken("ping", Arr({}));
  ExpectTaken("stats", Arr({}));
}

// Each with its last good position filled, and one more: a nil is as surplus as anything else.
TEST(ParamsDecodeTest, SurplusPositionsAreNamed) {
  const struct {
    const char* method;
    std::vector<std::string> good;
    const char* message;
  } kRows[] = {
      {"ping", {}, "position 1, counted from 1: the parameters are []"},
      {"stats", {}, "position 1, counted from 1: the parameters are []"},
      {"hello", {Map({})}, "position 2, counted from 1: the parameters are [{client, version, "},
      {"validate", {kToken, Str("n")}, "position 3, counted from 1: the parameters are [token, n"},
      {"revoke", {kToken, Str("n")}, "position 3, counted from 1: the parameters are [token, n"},
      {"validate_many", {Arr({}), Str("n")}, "position 3, counted from 1: the parameters are [[t"},
      {"insert", {Map({{"token", kToken}})}, "position 2, counted from 1: the parameters are [{t"},
      {"insert_many", {Arr({})}, "position 2, counted from 1: the parameters are [[{token, ...}"},
      {"issue", {Map({})}, "position 2, counted from 1: the parameters are [{owner, ..., prefix}]"},
      {"revoke_id", {kId, Str("n")}, "position 3, counted from 1: the parameters are [id, name"},
      {"revoke_owner", {Str("o"), Str("n")}, "position 3, counted from 1: the parameters are [ow"},
      {"extend", {kToken, Nil(), Str("n")}, "position 4, counted from 1: the parameters are [tok"},
      {"update", {Map({{"id", kId}})}, "position 2, counted from 1: the parameters are [{id, ...}"},
      {"rotate", {kToken, Map({}), Str("n")}, "position 4, counted from 1: the parameters are [t"},
      {"get", {kToken, Str("n")}, "position 3, counted from 1: the parameters are [token, names"},
      {"get", {Map({{"id", kId}})}, "position 2, counted from 1: the parameters are [token, name"},
      {"list", {Map({})}, "position 2, counted from 1: the parameters are [{namespace, owner, .."},
      {"count", {Map({})}, "position 2, counted from 1: the parameters are [{namespace, owner, ."},
      {"purge_expired", {Int(1), Str("n")}, "position 3, counted from 1: the parameters are [bef"},
      {"import_begin", {Map({})}, "position 2, counted from 1: the parameters are [{namespace, s"},
      {"import_rows", {Str("i"), Arr({})}, "position 3, counted from 1: the parameters are [impo"},
      {"import_end", {Str("i")}, "position 2, counted from 1: the parameters are [import id]"},
  };
  const auto array = [](const std::vector<std::string>& values) {
    std::string bytes(1, static_cast<char>(0x90 + values.size()));
    for (const std::string& value : values) bytes += value;
    return bytes;
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.method);
    ExpectTaken(row.method, array(row.good));
    for (const std::string& surplus : {Nil(), Int(1), Map({})}) {
      std::vector<std::string> values = row.good;
      values.push_back(surplus);
      const Status status = Decode(row.method, array(values));
      EXPECT_EQ(status.code(), ErrorCode::kBadParams);
      EXPECT_THAT(status.message(), StartsWith(std::string("surplus parameter at ") + row.message));
    }
  }
}

// A map in its place among the params of each method that takes one.
struct MapRow {
  std::string method;
  std::string what;
  std::string known;
  std::string key;  // a known one, with a good value
  std::string value;
  Place place;
};

std::vector<MapRow> Maps() {
  const auto at_first = [](const std::string& map) { return Arr({map}); };
  const std::string insert =
      "token, replace, expires_at, ttl_ms, owner, name, scopes, namespace, attributes";
  return {
      {"insert", "insert", insert, "token", kToken, at_first},
      {"insert_many", "insert", insert, "token", kToken, [](auto& m) { return Arr({Arr({m})}); }},
      {"issue", "issue", "expires_at, ttl_ms, owner, name, scopes, namespace, attributes, prefix",
       "owner", Str("o"), at_first},
      {"update", "update", "id, namespace, name, scopes, attributes", "id", kId, at_first},
      {"rotate", "rotate", "overlap_ms, prefix, expires_at, ttl_ms", "overlap_ms", Int(1),
       [](auto& m) {
         return Arr({kToken, m});
       }},
      {"get", "get", "id, namespace", "id", kId, at_first},
      {"list", "list",
       "namespace, owner, state, expires_after, expires_before, order, limit, cursor", "owner",
       Str("o"), at_first},
      {"count", "count", "namespace, owner, state, expires_after, expires_before", "owner",
       Str("o"), at_first},
      {"import_begin", "import_begin", "namespace, scheme, source, position", "source", Str("s"),
       at_first},
      {"import_rows", "row",
       "key, token, owner, name, scopes, expires_at, state, created_at, updated_at, last_used_at, "
       "use_count, source_id, attributes",
       "token", kToken,
       [](auto& m) {
         return Arr({Str("i1"), Arr({m})});
       }},
  };
}

TEST(ParamsDecodeTest, UnknownKeysAreNamed) {
  for (const MapRow& row : Maps()) {
    SCOPED_TRACE(row.method);
    ExpectTaken(row.method, row.place(Map({{row.key, row.value}})));
    for (const std::string unknown : {"expire_at", "", "Owner", "owner_", "toke", "tokens"}) {
      const std::string message =
          "unknown key \"" + unknown + "\" in " + row.what + "; known keys are " + row.known;
      // Whether it has a value or not, before what is right and after it.
      ExpectRefused(row.method, row.place(Map({{row.key, row.value}, {unknown, Int(1)}})), message);
      ExpectRefused(row.method, row.place(Map({{unknown, Nil()}, {row.key, row.value}})), message);
    }
  }
  ExpectRefused("issue", Arr({Map({{"token", kToken}})}),
                "unknown key \"token\" in issue; known keys are expires_at, ttl_ms, owner, name, "
                "scopes, namespace, attributes, prefix");
  EXPECT_THAT(Decode("issue", Arr({Map({{"replace", Bool(true)}})})).message(),
              StartsWith("unknown key \"replace\" in issue"));
  EXPECT_THAT(Decode("insert", Arr({Map({{"prefix", Str("tk")}})})).message(),
              StartsWith("unknown key \"prefix\" in insert"));
  for (const std::string key : {"order", "limit", "cursor"}) {
    EXPECT_THAT(Decode("count", Arr({Map({{key, Nil()}})})).message(),
                StartsWith("unknown key \"" + key + "\" in count"));
  }
}

TEST(ParamsDecodeTest, RepeatedKeysAreNamed) {
  for (const MapRow& row : Maps()) {
    SCOPED_TRACE(row.method);
    const std::string message = "repeated key \"" + row.key + "\" in " + row.what;
    for (const auto& [first, second] : std::vector<std::pair<std::string, std::string>>{
             {row.value, row.value}, {Nil(), row.value}, {row.value, Nil()}, {Nil(), Nil()}}) {
      ExpectRefused(row.method, row.place(Map({{row.key, first}, {row.key, second}})), message);
    }
  }
  ExpectRefused("hello", Arr({Map({{"client", Str("c")}, {"client", Str("c")}})}),
                "repeated key \"client\" in hello");
}

TEST(ParamsDecodeTest, KeysAreStr) {
  for (const MapRow& row : Maps()) {
    for (const std::string& key : {Int(1), Nil(), Bin(row.key), Arr({}), Bool(true)}) {
      const std::string map = "\x81" + key + row.value;
      ExpectRefused(row.method, row.place(map), "key in " + row.what + ": must be a str");
    }
  }
}

TEST(ParamsDecodeTest, WhatShouldBeAMapIsRefusedByItsMethod) {
  for (const MapRow& row : Maps()) {
    if (row.method == "get") continue;  // anything else stands for a token
    for (const std::string& wrong : {Int(1), Str("x"), Arr({}), Bool(false), Ext(1, "x")}) {
      ExpectRefused(row.method, row.place(wrong),
                    row.what + ": must be a map; known keys are " + row.known);
    }
  }
  // An element that is nil is an element that is wrong.
  ExpectRefused("insert_many", Arr({Arr({Nil()})}),
                "insert: must be a map; known keys are token, replace, expires_at, ttl_ms, owner, "
                "name, scopes, namespace, attributes");
  EXPECT_THAT(Decode("hello", Arr({Str("x")})).message(), StartsWith("hello: must be a map"));
}

TEST(ParamsDecodeTest, HelloAloneIgnoresWhatItDoesNotKnow) {
  ExpectTaken("hello", Arr({Map({{"client", Str("c")},
                                 {"future", Map({{"a", Arr({Nil()})}})},
                                 {"version", Str("1")},
                                 {"future", Int(1)}})}));
  ExpectTaken("hello", Arr({Hex("82 01 02 90 c0")}));  // {1: 2, []: nil}
}

TEST(ParamsDecodeTest, ArraysOfManyAreArraysAndBounded) {
  for (const std::string& wrong : {Int(1), Str("x"), Map({}), Bool(true), Bin("x")}) {
    ExpectRefused("validate_many", Arr({wrong}), "tokens: must be an array of tokens");
    ExpectRefused("insert_many", Arr({wrong}),
                  "inserts: must be an array of maps as insert takes them");
    ExpectRefused("import_rows", Arr({Str("i1"), wrong}), "rows: must be an array of maps");
  }
  // Limits() allows three.
  const std::string insert = Map({{"token", kToken}});
  ExpectTaken("validate_many", Arr({ArrOf(3, kToken)}));
  ExpectTaken("insert_many", Arr({ArrOf(3, insert)}));
  ExpectTaken("import_rows", Arr({Str("i1"), ArrOf(3, insert)}));
  const struct {
    const char* method;
    std::string params;
    const char* message;
  } kRows[] = {
      {"validate_many", Arr({ArrOf(4, kToken)}), "tokens: must have at most 3 elements, not 4"},
      {"insert_many", Arr({ArrOf(4, insert)}), "inserts: must have at most 3 elements, not 4"},
      {"import_rows", Arr({Str("i1"), ArrOf(4, insert)}),
       "rows: must have at most 3 elements, not 4"},
      // Bytes that nobody checked, with a count that nothing stands behind.
      {"insert_many", Hex("91 dd ffffffff"),
       "inserts: must have at most 3 elements, not 4294967295"},
  };
  for (const auto& row : kRows) {
    const Status status = Decode(row.method, row.params);
    EXPECT_EQ(status.code(), ErrorCode::kTooLarge) << row.method;
    EXPECT_EQ(status.message(), row.message);
  }
}

TEST(ParamsDecodeTest, ExpiryIsGivenOnce) {
  const std::string message = "expires_at: must not be given together with ttl_ms";
  const auto both = [](const std::string& expires_at, const std::string& ttl_ms) {
    return Map({{"expires_at", expires_at}, {"ttl_ms", ttl_ms}});
  };
  const auto insert = [](const std::string& expires_at, const std::string& ttl_ms) {
    return Map({{"ttl_ms", ttl_ms}, {"token", kToken}, {"expires_at", expires_at}});
  };
  ExpectRefused("insert", Arr({insert(Int(0), Int(1))}), message);
  ExpectRefused("insert_many", Arr({Arr({insert(Int(5), Int(1))})}), message);
  ExpectRefused("issue", Arr({both(Int(5), Int(1))}), message);
  ExpectRefused("rotate", Arr({kToken, both(Int(5), Int(1))}), message);
  ExpectTaken("insert", Arr({insert(Nil(), Int(1))}));
  ExpectTaken("insert", Arr({insert(Int(1), Nil())}));
  ExpectTaken("rotate", Arr({kToken, both(Nil(), Int(1))}));
  ExpectTaken("issue", Arr({both(Int(1), Nil())}));
}

TEST(ParamsDecodeTest, RowIsGivenByKeyOrToken) {
  const auto rows = [](const std::string& map) { return Arr({Str("i1"), Arr({map})}); };
  const std::string key = Bin(std::string(32, 'k'));
  ExpectRefused("import_rows", rows(Map({{"key", key}, {"token", kToken}})),
                "key: must not be given together with token");
  ExpectTaken("import_rows", rows(Map({{"key", key}, {"token", Nil()}})));
  ExpectTaken("import_rows", rows(Map({{"key", Nil()}, {"token", kToken}})));
}

// It would come in as a token that never expires.
TEST(ParamsDecodeTest, ExpiredRowNeedsItsTime) {
  const auto rows = [](const std::string& expires_at) {
    return Arr(
        {Str("i1"),
         Arr({Map({{"token", kToken}, {"expires_at", expires_at}, {"state", Str("expired")}})})});
  };
  const std::string params = rows(Int(0));
  ImportRowsParams out;
  ASSERT_TRUE(DecodeImportRows(params, Limits(), &out).ok());
  ASSERT_TRUE(out.rows.at(0).status.ok());
  EXPECT_FALSE(out.rows.at(0).row.revoked);
  EXPECT_EQ(out.rows.at(0).row.expires_at_ms, 0u);
  ExpectRefused("import_rows", rows(Nil()),
                "expires_at: missing; must be given where state is \"expired\"");
}

// The checks come in one order: surplus, then position by position, key by key, then across fields.
TEST(ParamsDecodeTest, FirstErrorIsTheOneThatIsTold) {
  EXPECT_THAT(Decode("validate", Arr({Int(1), Int(2), Nil()})).message(), StartsWith("surplus"));
  EXPECT_THAT(Decode("validate", Arr({Int(1), Int(2)})).message(), StartsWith("token: "));
  EXPECT_THAT(Decode("insert", Arr({Map({{"owner", Int(1)}, {"typo", Int(1)}})})).message(),
              StartsWith("owner: "));
  EXPECT_THAT(Decode("insert", Arr({Map({{"typo", Int(1)}, {"owner", Int(1)}})})).message(),
              StartsWith("unknown key \"typo\""));
  EXPECT_THAT(Decode("insert", Arr({Map({{"expires_at", Int(1)}, {"ttl_ms", Int(1)}})})).message(),
              StartsWith("token: missing"));
}

TEST(ParamsDecodeTest, NoMessageShowsAToken) {
  const std::string secret = "tk_SECRETSECRETSECRETSECRETSECRET4IOrqg";
  const std::string value = Str(secret);
  for (const FieldRow& row : Fields()) {
    for (const std::string& wrong : {value, Arr({value}), Map({{secret, value}}), Bin(secret)}) {
      EXPECT_THAT(Decode(row.method, row.place(wrong)).message(), Not(HasSubstr("SECRET")))
          << row.method << " " << row.field;
    }
  }
  for (const MapRow& row : Maps()) {
    const std::string message = Decode(row.method, row.place(Map({{secret, value}}))).message();
    EXPECT_THAT(message, StartsWith("unknown key (39 bytes) in " + row.what));
    EXPECT_THAT(message, Not(HasSubstr("SECRET")));
  }
}

TEST(ParamsDecodeTest, ParamsAreAnArray) {
  for (const std::string method :
       {"hello",      "validate",  "validate_many", "insert",        "insert_many",  "issue",
        "revoke",     "revoke_id", "revoke_owner",  "extend",        "update",       "rotate",
        "get",        "list",      "count",         "purge_expired", "import_begin", "import_rows",
        "import_end", "stats",     "ping"}) {
    for (const std::string& wrong : {std::string(), Nil(), Map({}), Int(1), Hex("c1")}) {
      ExpectRefused(method, wrong, "params: must be an array");
    }
  }
}

// Bytes that no CheckValue has seen: each prefix of good params ends in an error, not in a read
// past the end.
TEST(ParamsDecodeTest, ParamsCutShortAreRefused) {
  for (const FieldRow& row : Fields()) {
    const std::string params = row.place(row.kind.good[0]);
    for (size_t size = 0; size < params.size(); ++size) {
      EXPECT_FALSE(Decode(row.method, std::string_view(params).substr(0, size)).ok())
          << row.method << " " << row.field << " cut at " << size;
    }
  }
}

// Any byte set to any value: taken or refused, and a refusal says why in plain ASCII, whatever the
// bytes were.
TEST(ParamsDecodeTest, EveryDamageOfOneByteIsTakenOrRefused) {
  int taken = 0, refused = 0;
  for (const FieldRow& row : Fields()) {
    const std::string good = row.place(row.kind.good[0]);
    for (size_t at = 0; at < good.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string params = good;
        params[at] = static_cast<char>(byte);
        const Status status = Decode(row.method, params);
        if (status.ok()) {
          ++taken;
          continue;
        }
        ++refused;
        ASSERT_TRUE(status.code() == ErrorCode::kBadParams ||
                    status.code() == ErrorCode::kTooLarge);
        ASSERT_FALSE(status.message().empty());
        for (const char c : status.message()) ASSERT_TRUE(c >= ' ' && c <= '~');
      }
    }
  }
  EXPECT_GT(taken, 0);
  EXPECT_GT(refused, 0);
}

// What comes out.

TEST(ParamsDecodeTest, TokensAreBytesOrKeys) {
  const std::string key(32, '\xab');
  const std::string params = Arr({Arr({Str("a"), Bin("\xff"), Ext(1, key)}), Str("n")});
  TokensParams out;
  ASSERT_TRUE(DecodeTokens(params, Limits(), &out).ok());
  ASSERT_EQ(out.tokens.size(), 3u);
  EXPECT_FALSE(out.tokens[0].is_key);
  EXPECT_EQ(out.tokens[0].token, "a");
  EXPECT_EQ(out.tokens[1].token, "\xff");
  EXPECT_TRUE(out.tokens[2].is_key);
  EXPECT_EQ(out.tokens[2].key.view(), key);
  EXPECT_EQ(out.namespace_name, "n");
  // Views are into the params, not copies.
  EXPECT_GE(out.tokens[0].token.data(), params.data());
  EXPECT_LT(out.tokens[0].token.data(), params.data() + params.size());
}

// An object that is decoded into again keeps nothing of what it held.
TEST(ParamsDecodeTest, OutputIsWrittenWhole) {
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

TEST(ParamsDecodeTest, ElementsOfInsertManyStandAlone) {
  const std::string params =
      Arr({Arr({Map({{"token", Str("a")}}), Map({{"expire_at", Int(1)}, {"x", Nested(5)}}),
                Map({{"token", Str("c")}, {"owner", Str("o")}})})});
  std::vector<InsertElement> out;
  ASSERT_TRUE(DecodeInsertMany(params, Limits(), &out).ok());
  ASSERT_EQ(out.size(), 3u);
  EXPECT_TRUE(out[0].status.ok());
  EXPECT_EQ(out[0].insert.token.token, "a");
  EXPECT_EQ(out[1].status.code(), ErrorCode::kBadParams);
  EXPECT_THAT(out[1].status.message(), StartsWith("unknown key \"expire_at\" in insert"));
  EXPECT_TRUE(out[2].status.ok());
  EXPECT_EQ(out[2].insert.token.token, "c");
  EXPECT_EQ(out[2].insert.owner, "o");
}

TEST(ParamsDecodeTest, RowsOfAnImportStandAlone) {
  const std::string params =
      Arr({Str("i1"), Arr({Map({{"token", Str("a")}, {"state", Str("revoked")}}), Int(5),
                           Map({{"key", Bin(std::string(32, 'k'))}, {"use_count", Int(3)}})})});
  ImportRowsParams out;
  ASSERT_TRUE(DecodeImportRows(params, Limits(), &out).ok());
  EXPECT_EQ(out.import_id, "i1");
  ASSERT_EQ(out.rows.size(), 3u);
  EXPECT_TRUE(out.rows[0].status.ok());
  EXPECT_EQ(out.rows[0].row.token.token, "a");
  EXPECT_TRUE(out.rows[0].row.revoked);
  EXPECT_EQ(out.rows[0].row.expires_at_ms, kNever);
  EXPECT_THAT(out.rows[1].status.message(), StartsWith("row: must be a map"));
  EXPECT_TRUE(out.rows[2].status.ok());
  EXPECT_TRUE(out.rows[2].row.token.is_key);
  EXPECT_EQ(out.rows[2].row.use_count, 3u);
  EXPECT_FALSE(out.rows[2].row.revoked);
}

TEST(ParamsDecodeTest, DefaultsAreThoseOfTheProtocol) {
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

TEST(ParamsDecodeTest, UpdateTellsNothingFromEmpty) {
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

TEST(ParamsDecodeTest, GetIsByTokenOrById) {
  GetParams get;
  const std::string by_token = Arr({Str("a"), Str("n")});
  ASSERT_TRUE(DecodeGet(by_token, &get).ok());
  ASSERT_TRUE(get.token.has_value());
  EXPECT_EQ(get.token->token, "a");
  EXPECT_EQ(get.namespace_name, "n");
  ASSERT_TRUE(DecodeGet(Arr({Map({{"id", kId}})}), &get).ok());
  EXPECT_FALSE(get.token.has_value());
  EXPECT_EQ(ToHex(get.id), "00112233445566778899aabb");
  EXPECT_EQ(get.namespace_name, "default");
}

}  // namespace
}  // namespace tokend
