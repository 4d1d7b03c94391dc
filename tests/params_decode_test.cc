// The decoders of protocol/params.h: what each method takes, and how it refuses the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
using ::testing::HasSubstr;
using testing::Hex;
using testing::Int;
using testing::Map;
using testing::Nil;
using ::testing::Not;
using ::testing::StartsWith;
using testing::Str;

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
  ExpectRefused("reveal", Arr({Map({{"id", kId}, {"owner", Str("o")}})}),
                "owner: must not be given together with id");
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
  for (const std::string method : {"hello", "issue", "list", "count", "import_begin", "reveal"}) {
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
  ExpectTaken("rekey", Arr({}));
  ExpectTaken("rekey", Arr({Nil()}));
  ExpectTaken("reveal", Arr({Map({{"owner", Str("o")}})}));
  ExpectTaken("reveal", Arr({Map({{"id", kId}, {"owner", Nil()}})}));
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
      {"reveal", {Map({})}, "position 2, counted from 1: the parameters are [{namespace, owner "},
      {"rekey", {Str("n")}, "position 2, counted from 1: the parameters are [namespace?]"},
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

// Puts a map there, with all else good.
using Place = std::function<std::string(const std::string& map)>;

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
      {"update", "update", "id, namespace, name, scopes, attributes, expires_at, never_expires",
       "id", kId, at_first},
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
      {"reveal", "reveal", "namespace, owner, id", "owner", Str("o"), at_first},
      {"import_begin", "import_begin", "namespace, scheme, source, position, merge, seal", "source",
       Str("s"), at_first},
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
        "import_end", "stats",     "ping",          "reveal",        "rekey"}) {
    for (const std::string& wrong : {std::string(), Nil(), Map({}), Int(1), Hex("c1")}) {
      ExpectRefused(method, wrong, "params: must be an array");
    }
  }
}

}  // namespace
}  // namespace tokend
