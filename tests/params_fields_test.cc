// The decoders of protocol/params.h: every field of every method meets every good and every bad
// value of its kind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "protocol/params.h"
#include "tests/encoded.h"
#include "tests/params_decoders.h"

namespace tokend {
namespace {

using testing::Arr;
using testing::ArrOf;
using testing::Bin;
using testing::Bool;
using testing::Ext;
using testing::Float;
using ::testing::HasSubstr;
using testing::Hex;
using testing::Int;
using testing::Map;
using testing::Nil;
using ::testing::Not;
using ::testing::StartsWith;
using testing::Str;
using testing::Uint;

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
  return {
      "must be sha256, sha256-after-bar, sha512, hmac-sha256-wc-api, sha256-with-secret, "
      "sha512-with-secret or hmac-sha512-with-secret",
      {Str("sha256"), Str("sha256-after-bar")},
      {Str(""), Str("md5"), Str("SHA256"), Bin("sha256"), Int(1), Bool(true)}};
}

Kind PositionKind() {
  return {"must be a map or a str of at most 4096 bytes when encoded",
          {Str(""), Str("binlog.000123:4711"), Map({{"file", Str("b")}, {"pos", Int(1)}}),
           Str(std::string(4093, 'p'))},
          {Str(std::string(4094, 'p')), Bin("p"), Int(1), Arr({}), Bool(true)}};
}

Kind MergeKind() {
  return {"must be \"later\" or \"stricter\"",
          {Str("later"), Str("stricter")},
          {Str(""), Str("Later"), Bin("later"), Int(1), Bool(true)}};
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
      {"reveal", "namespace", NamespaceKind(), InMapWith("id", kId, "namespace")},
      {"reveal", "owner", TextKind(), InMap("owner")},
      {"reveal", "id", IdKind(), InMap("id")},
      {"rekey", "namespace", NamespaceKind(), at_first},
      {"list", "order", OrderKind(), InMap("order")},
      {"list", "limit", LimitKind(), InMap("limit")},
      {"list", "cursor", CursorKind(), InMap("cursor")},
      {"purge_expired", "before", TimeKind(), at_first},
      {"purge_expired", "namespace", NamespaceKind(), after(Int(1))},
      {"import_begin", "namespace", NamespaceKind(), InMap("namespace")},
      {"import_begin", "scheme", SchemeKind(), InMap("scheme")},
      {"import_begin", "source", TextKind(), InMap("source")},
      {"import_begin", "position", PositionKind(), InMap("position")},
      {"import_begin", "merge", MergeKind(), InMap("merge")},
      {"import_begin", "seal", BoolKind(), InMap("seal")},
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

TEST(ParamsFieldsTest, EveryFieldTakesEveryGoodValueOfItsKind) {
  for (const FieldRow& row : Fields()) {
    for (size_t i = 0; i < row.kind.good.size(); ++i) {
      SCOPED_TRACE(row.method + " " + row.field + " good " + std::to_string(i));
      ExpectTaken(row.method, row.place(row.kind.good[i]));
    }
  }
}

TEST(ParamsFieldsTest, EveryFieldRefusesEveryBadValueOfItsKindAndSaysWhatItShouldBe) {
  for (const FieldRow& row : Fields()) {
    for (size_t i = 0; i < row.kind.bad.size(); ++i) {
      SCOPED_TRACE(row.method + " " + row.field + " bad " + std::to_string(i));
      ExpectRefused(row.method, row.place(row.kind.bad[i]), row.field + ": " + row.kind.rule);
    }
  }
}

TEST(ParamsFieldsTest, EveryScopeIsCheckedAndNamedByItsIndex) {
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

TEST(ParamsFieldsTest, NilIsAsGoodAsMissing) {
  for (const FieldRow& row : Fields()) {
    SCOPED_TRACE(row.method + " " + row.field);
    const std::string params = row.place(Nil());
    static const std::vector<std::string> kRequired = {
        "token", "id", "key", "import id", "tokens[0]", "tokens[1]", "before"};
    const bool required =
        row.method != "reveal" &&
        (std::find(kRequired.begin(), kRequired.end(), row.field) != kRequired.end() ||
         (row.method == "revoke_owner" && row.field == "owner"));
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

TEST(ParamsFieldsTest, NoMessageShowsAValue) {
  const std::string secret = "tk_SECRETSECRETSECRETSECRETSECRET4IOrqg";
  const std::string value = Str(secret);
  for (const FieldRow& row : Fields()) {
    for (const std::string& wrong : {value, Arr({value}), Map({{secret, value}}), Bin(secret)}) {
      EXPECT_THAT(Decode(row.method, row.place(wrong)).message(), Not(HasSubstr("SECRET")))
          << row.method << " " << row.field;
    }
  }
}

// Bytes that no CheckValue has seen: each prefix of good params ends in an error, not in a read
// past the end.
TEST(ParamsFieldsTest, ParamsCutShortAreRefused) {
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
TEST(ParamsFieldsTest, EveryDamageOfOneByteIsTakenOrRefused) {
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

}  // namespace
}  // namespace tokend
