// Namespaces whose keys are made of a token and a secret: with it, and without.
#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/encoded.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kSecret = "s3cr3t-of-the-application";

struct Case {
  const char* scheme;
  const char* key;  // of "abc", in hexadecimal digits
};

// As Python has them, each cut to 64 digits:
//   hashlib.sha256(b"abc" + secret).hexdigest(), hashlib.sha512(b"abc" + secret).hexdigest(),
//   hmac.new(secret, b"abc", hashlib.sha512).hexdigest()
constexpr Case kCases[] = {
    {"sha256-with-secret", "3871501e75ebe9ac8e4118c23b9adba23962e99d2685e66460e5c96c3f63a0ec"},
    {"sha512-with-secret", "b026c595c72494e112826a7ddbbcaadf98bdfcbf5f79664b74fe0fb3d206b3d6"},
    {"hmac-sha512-with-secret", "14c4ff890694b92f216d840b89c272f82b0b0c92c9487d28ee7b3b831f02998f"},
};

class NamespaceSecretTest : public ServerFixture {
 protected:
  static Json Key(const std::string& hex, int ext = 1) {
    const std::string bytes = Hex(hex);
    return Json::binary({bytes.begin(), bytes.end()}, static_cast<uint8_t>(ext));
  }
  // The namespace that an import makes, with one token, whose key stands in the table.
  void Import(const Case& of) {
    const Json import = Must("import_begin", {{{"namespace", of.scheme}, {"scheme", of.scheme}}});
    Must("import_rows", {import, Json::array({{{"key", Key(of.key)}, {"owner", "imported"}}})});
    Must("import_end", {import});
  }
  void Configure(const Case& of, const std::string& secret) {
    config_.namespaces.push_back(
        {of.scheme, *ParseDigestScheme(of.scheme), "a file", Secret(secret)});
  }
  void ExpectUnavailable(std::string_view method, const Json& params) {
    const Answer answer = Call(method, params);
    EXPECT_EQ(answer.code(), "unavailable") << method << params;
    EXPECT_THAT(answer.message(), HasSubstr("and no secret; give it a secret_file")) << method;
  }

  const Json imported_ = {true, nullptr, "imported", Json::array()};
  const Json unknown_ = {false, "unknown"};
  const Json unavailable_ = {nullptr, "unavailable"};
};

TEST_F(NamespaceSecretTest, WithItTokensOfTheTableAreFound) {
  for (const Case& one : kCases) Configure(one, kSecret);
  Start();
  for (const Case& one : kCases) {
    const std::string ns = one.scheme;
    SCOPED_TRACE(ns);
    Import(one);
    EXPECT_EQ(Must("validate", {"abc", ns}), imported_);
    EXPECT_EQ(Must("validate", {Key(one.key), ns}), imported_);
    EXPECT_EQ(Must("validate", {"abcd", ns}), unknown_);
    EXPECT_EQ(Must("validate", {"abc"}), unknown_);
    EXPECT_EQ(Must("get", {"abc", ns}).at("owner"), "imported");
    const Json few = {"x", "abc", Key(one.key)};
    EXPECT_EQ(Must("validate_many", {few, ns}), Json({unknown_, imported_, imported_}));
    Json many = Json::array();
    for (int i = 0; i < 300; ++i) many.push_back(i == 7 ? "abc" : "x" + std::to_string(i));
    const Json answers = Must("validate_many", {many, ns});
    EXPECT_EQ(answers.at(6), unknown_);
    EXPECT_EQ(answers.at(7), imported_);
    // Tokens that are new in it get keys of the same kind.
    Must("insert", {{{"token", "new"}, {"namespace", ns}}});
    EXPECT_EQ(Must("validate", {"new", ns}).at(0), true);
    const std::string issued = Must("issue", {{{"namespace", ns}}}).at("token");
    const std::string rotated = Must("rotate", {issued, nullptr, ns}).at("token");
    EXPECT_EQ(Must("validate", {rotated, ns}).at(0), true);
    EXPECT_EQ(Must("extend", {"abc", nullptr, ns}), true);
    EXPECT_EQ(Must("revoke", {"abc", ns}), true);
    EXPECT_EQ(Must("validate", {Key(one.key), ns}), Json({false, "revoked"}));
  }
  Must("stats", Json::array());
  connection_.reset();
  server_->Stop();
  EXPECT_THAT(Log(), Not(HasSubstr(kSecret)));
  EXPECT_THAT(Log(), Not(HasSubstr("secret_missing")));
}

TEST_F(NamespaceSecretTest, WithoutItTokensCannotBeJudgedAndKeysCan) {
  Start();
  for (const Case& one : kCases) {
    const std::string ns = one.scheme;
    Import(one);
    ExpectUnavailable("validate", {"abc", ns});
    EXPECT_EQ(Must("validate", {Key(one.key), ns}), imported_);
    const Json few = {"abc", Key(one.key), "x"};
    EXPECT_EQ(Must("validate_many", {few, ns}), Json({unavailable_, imported_, unavailable_}));
    Json many = Json::array();
    for (int i = 0; i < 300; ++i) many.push_back(i == 7 ? Key(one.key) : Json("abc"));
    many.push_back(std::string(20'000, 't'));
    const Json answers = Must("validate_many", {many, ns});
    for (size_t i = 0; i < many.size(); ++i) {
      EXPECT_EQ(answers.at(i), i == 7 ? imported_ : unavailable_) << i;
    }
    EXPECT_EQ(Must("validate", {"abc"}), unknown_);  // others go on
  }
  EXPECT_EQ(Stats().at("validate_total").at("unavailable"), 3 * (1 + 2 + 300));
}

TEST_F(NamespaceSecretTest, WithoutItNothingIsWrittenByToken) {
  Start();
  Import(kCases[1]);
  const std::string ns = kCases[1].scheme;
  const Json key = Key(kCases[1].key);
  ExpectUnavailable("insert", Json::array({{{"token", "abc"}, {"namespace", ns}}}));
  ExpectUnavailable("issue", Json::array({{{"namespace", ns}}}));
  ExpectUnavailable("revoke", {"abc", ns});
  ExpectUnavailable("extend", {"abc", nullptr, ns});
  ExpectUnavailable("rotate", {"abc", nullptr, ns});
  ExpectUnavailable("rotate", {key, nullptr, ns});  // the new one could have no key
  ExpectUnavailable("get", {"abc", ns});
  const Json elements = {{{"token", "abc"}, {"namespace", ns}}, {{"token", "abc"}}};
  const Json inserted = Must("insert_many", {elements});
  EXPECT_EQ(inserted.at(0).at("code"), "unavailable");
  EXPECT_TRUE(inserted.at(1).is_string());
  const Json import = Must("import_begin", {{{"namespace", ns}}});
  const std::string other = std::string(64, '1');
  ExpectUnavailable("import_rows",
                    {import, Json::array({{{"key", Key(other)}}, {{"token", "abc"}}})});
  EXPECT_EQ(Must("import_end", {import}).at("taken"), 0);
  EXPECT_EQ(Must("count", {{{"namespace", ns}}}), 1);

  EXPECT_EQ(Must("extend", {key, nullptr, ns}), true);
  EXPECT_EQ(Must("get", {key, ns}).at("owner"), "imported");
  EXPECT_EQ(Must("revoke", {key, ns}), true);
  EXPECT_EQ(Must("validate", {key, ns}), Json({false, "revoked"}));
}

TEST_F(NamespaceSecretTest, IsGivenWithTheNextStart) {
  Start();
  Import(kCases[1]);
  Restart();
  ExpectUnavailable("validate", {"abc", kCases[1].scheme});
  connection_.reset();
  server_->Stop();
  EXPECT_THAT(Log(), HasSubstr("warning secret_missing namespace=sha512-with-secret"));
  Configure(kCases[1], kSecret);
  Start();
  EXPECT_EQ(Must("validate", {"abc", kCases[1].scheme}), imported_);
  // Another one makes other keys.
  config_.namespaces.back().secret = Secret("wrong");
  Restart();
  EXPECT_EQ(Must("validate", {"abc", kCases[1].scheme}), unknown_);
}

// The one that needs no name.
TEST_F(NamespaceSecretTest, OfTheDefaultNamespace) {
  config_.namespaces = {{"default", DigestScheme::kSha512WithSecret}};
  Start();
  ExpectUnavailable("validate", Json::array({"abc"}));
  EXPECT_EQ(Must("validate_many", {Json::array({"abc"})}), Json::array({unavailable_}));
  Must("insert", {{{"token", Key(kCases[1].key)}}});
  EXPECT_EQ(Must("validate", {Key(kCases[1].key)}).at(0), true);
  config_.namespaces[0].secret = Secret(kSecret);
  Restart();
  EXPECT_EQ(Must("validate", {"abc"}).at(0), true);
  EXPECT_EQ(Must("validate_many", {Json::array({"abc"})}).at(0).at(0), true);
}

// While memory lacks tokens the disk is asked, but not for what has no key.
TEST_F(NamespaceSecretTest, WithoutItLoadingMakesNoDifference) {
  Start();
  Import(kCases[0]);
  const std::string ns = kCases[0].scheme;
  server_->store().table().SetMissesUnavailable(true);
  ExpectUnavailable("validate", {"abc", ns});
  const Json few = {"abc", Key(kCases[0].key)};
  EXPECT_EQ(Must("validate_many", {few, ns}), Json({unavailable_, imported_}));
  const Json keys = {Key(kCases[0].key), Key(std::string(64, '1'))};
  EXPECT_EQ(Must("validate_many", {keys, ns}), Json({imported_, unknown_}));
}

}  // namespace
}  // namespace tokend::testing
