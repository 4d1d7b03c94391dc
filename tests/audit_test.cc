// The audit log of a server: who asked, from where, what, and what became of it; and no token.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "protocol/audit_line.h"
#include "protocol/sealer.h"
#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr const char* kAddress = R"(127\.0\.0\.1:[0-9]+)";

class AuditTest : public ServerFixture {
 protected:
  AuditTest() { config_.audit_file = path_; }

  void ConfigureCallers() {
    const auto secret_of = [](const std::string& secret) {
      std::string hex;
      for (const char c : KeyOf(secret)) {
        hex += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
        hex += "0123456789abcdef"[static_cast<uint8_t>(c) & 15];
      }
      return hex;
    };
    config_.callers = {{.name = "boss",
                        .secrets_sha256 = {secret_of("boss-secret")},
                        .roles = {"admin", "issue", "revoke", "read", "reveal", "validate"}},
                       {.name = "portal",
                        .secrets_sha256 = {secret_of("portal-secret")},
                        .roles = {"issue", "revoke", "introspect"},
                        .namespaces = {"portal"}}};
  }
  void SignIn(const std::string& name) {
    Must("hello", Json::array({{{"client_id", name}, {"client_secret", name + "-secret"}}}));
  }
  // The answer waits for the clock.
  void SignInWrongly(const std::string& id, const std::string& secret) {
    std::atomic<bool> answered{false};
    std::thread time([&] {
      EXPECT_TRUE(Eventually([&] {
        clock_.Advance(100);
        return answered.load();
      }));
    });
    EXPECT_FALSE(Call("hello", Json::array({{{"client_id", id}, {"client_secret", secret}}})).ok());
    answered = true;
    time.join();
  }
  static std::string HttpRequest(const std::string& line, const std::string& fields,
                                 const std::string& body = {}) {
    return line + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::string Http(const std::string& request) {
    ClientSocket socket = ConnectHttp();
    socket.Send(request);
    std::string all;
    for (std::string bytes = socket.Receive(); !bytes.empty(); bytes = socket.Receive()) {
      all += bytes;
    }
    return all;
  }

  // Refusals are answered before their lines are committed; commits are in order.
  void WaitUntilAudited() {
    struct Barrier : Submission {
      void Done(std::unique_ptr<Submission> /*self*/) override { done.set_value(); }
      std::promise<void> done;
    };
    auto barrier = std::make_unique<Barrier>();
    std::future<void> done = barrier->done.get_future();
    std::unique_ptr<Submission> submission = std::move(barrier);
    ASSERT_TRUE(server_->store().Submit(submission).ok());
    done.wait();
    server_->store().WaitUntilAudited();
  }
  std::vector<Json> Lines() {
    WaitUntilAudited();
    std::ifstream file(path_);
    std::vector<Json> lines;
    AuditHead head;
    for (std::string line; std::getline(file, line);) {
      const auto link = ReadAuditLink(line);
      EXPECT_TRUE(link && link->seq == head.seq + 1 && link->prev == head.hash) << line;
      head = HeadOf(head.seq + 1, line);
      lines.push_back(Json::parse(line));
    }
    return lines;
  }
  // "caller via op result", of those of callers.
  std::vector<std::string> Short() {
    std::vector<std::string> out;
    for (const Json& line : Lines()) {
      if (line["via"] == "internal" || line["via"] == "configuration") continue;
      EXPECT_THAT(line["from"].get<std::string>(), MatchesRegex(kAddress));
      out.push_back((line["caller"].is_null() ? "nobody" : line["caller"].get<std::string>()) +
                    " " + line["via"].get<std::string>() + " " + line["op"].get<std::string>() +
                    " " + line["result"].get<std::string>());
    }
    return out;
  }

  const std::string path_ = dir_.path() + "/audit.jsonl";
};

TEST_F(AuditTest, WhoeverChangesSomething) {
  ConfigureCallers();
  Start();
  SignIn("boss");
  Must("insert", Json::array({{{"token", "a"}, {"owner", "bob"}}}));
  Must("revoke", {"a"});
  const std::string basic =
      "Authorization: Basic Ym9zczpib3NzLXNlY3JldA==\r\n";  // boss:boss-secret
  EXPECT_THAT(
      Http(HttpRequest("POST /revoke",
                       basic + "Content-Type: application/x-www-form-urlencoded\r\n", "token=a")),
      HasSubstr("200 OK"));
  EXPECT_THAT(Short(),
              ElementsAre("boss rpc insert ok", "boss rpc revoke ok", "boss http revoke not_live"));
  EXPECT_EQ(Lines()[1]["id"], IdOf("a"));
}

TEST_F(AuditTest, WithoutCallersItIsAnyone) {
  Start();
  Must("insert", Json::array({{{"token", "a"}}}));
  EXPECT_THAT(Short(), ElementsAre("anyone rpc insert ok"));
}

TEST_F(AuditTest, ConfiguredNamespacesAreOfTheConfiguration) {
  config_.namespaces.push_back({"portal"});
  Start();
  Restart();
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["via"], "configuration");
  EXPECT_EQ(lines[1]["namespace"], "portal");
}

TEST_F(AuditTest, WhoeverIsRefused) {
  ConfigureCallers();
  Start();
  EXPECT_FALSE(Call("validate", {"a"}).ok());
  EXPECT_FALSE(Call("stats", Json::array()).ok());
  SignIn("portal");
  EXPECT_FALSE(Call("list", Json::array()).ok());  // the role
  EXPECT_FALSE(Call("revoke", {"a"}).ok());        // the namespace
  Must("insert_many", {Json::array({{{"token", "a"}, {"namespace", "portal"}},
                                    {{"token", "b"}, {"namespace", "other"}}})});
  Http(HttpRequest("POST /introspect", "", "token=a"));
  Http(HttpRequest("GET /v1/tokens", "Authorization: Bearer portal-secret\r\n"));
  Http(HttpRequest("GET /auth", "X: y\r\n"));
  EXPECT_THAT(Short(),
              ElementsAre("nobody rpc validate unauthenticated", "nobody rpc stats unauthenticated",
                          "portal rpc list forbidden", "portal rpc revoke forbidden",
                          "portal rpc insert_many forbidden", "portal rpc insert ok",
                          "nobody http /introspect unauthenticated",
                          "portal http /v1/tokens forbidden", "nobody http /auth unauthenticated"));
  EXPECT_EQ(Lines().at(5)["op"], "insert_many");
  EXPECT_EQ(Lines().at(5)["namespace"], "other");
}

TEST_F(AuditTest, WhoeverGivesAWrongSecret) {
  ConfigureCallers();
  Start();
  SignInWrongly("boss", "guess");
  EXPECT_THAT(Short(), ElementsAre("nobody rpc sign_in unauthenticated"));
}

TEST_F(AuditTest, AFloodOfRefusalsIsCounted) {
  ConfigureCallers();
  Start();
  for (int i = 0; i < 1200; ++i) EXPECT_FALSE(Call("ping_me", Json::array()).ok());
  for (int i = 0; i < 1200; ++i) EXPECT_FALSE(Call("stats", Json::array()).ok());
  EXPECT_EQ(Short().size(), 1000u);
  clock_.Advance(1000);
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(Call("stats", Json::array()).ok());
  const std::vector<Json> lines = Lines();
  EXPECT_EQ(Short().size(), 1100u);
  EXPECT_EQ(lines[1001]["suppressed"], 200);
  EXPECT_FALSE(lines[1002].contains("suppressed"));
  SignIn("boss");
  const Json stats = Stats();
  EXPECT_EQ(stats["audit_suppressed_total"], 300);
  EXPECT_EQ(stats["audit_lines"], lines.back()["seq"]);
  EXPECT_EQ(stats["audit_lines_written"], stats["audit_lines"]);
  EXPECT_EQ(stats["audit_failure"], "");
}

TEST_F(AuditTest, WhatIsRevealedIsRecordedFirst) {
  std::shared_ptr<const Sealer> sealer;
  ASSERT_TRUE(Sealer::Make(SecretView(std::string(64, 'a')), &sealer).ok());
  config_.sealer = sealer;
  config_.namespaces.push_back({"pm", DigestScheme::kSha256, "", Secret(), /*seal=*/true});
  Start();
  Must("insert", Json::array({{{"token", "a"}, {"namespace", "pm"}}}));
  EXPECT_EQ(Must("reveal", Json::array({{{"namespace", "pm"}}}))["token"], "a");
  EXPECT_EQ(Must("reveal", Json::array({{{"namespace", "pm"}, {"owner", "bob"}}})), Json());
  EXPECT_THAT(Short(), ElementsAre("anyone rpc insert ok", "anyone rpc reveal ok",
                                   "anyone rpc reveal unknown"));
  EXPECT_EQ(Lines()[3]["id"], IdOf("a"));
}

TEST_F(AuditTest, NoTokenIsInItWhereverItWasPut) {
  ConfigureCallers();
  Start();
  const std::string token = "tokd_0123456789abcdefghijklmnopqrstuvwxyz";
  SignIn("portal");
  Call("revoke", {token, token});
  SignInWrongly(token, token);
  SignIn("boss");
  Must("insert", Json::array({{{"token", token},
                               {"owner", token},
                               {"name", token},
                               {"scopes", {token}},
                               {"namespace", token}}}));
  Call("revoke_owner", {token, token});
  const Json begun = Must("import_begin", Json::array({{{"source", token}, {"namespace", token}}}));
  Call("import_end", {token});
  Must("import_end", {begun});
  Http(HttpRequest("GET /v1/tokens/" + token, ""));
  WaitUntilAudited();
  std::ifstream file(path_);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(text, Not(HasSubstr(token)));
  EXPECT_GE(Short().size(), 7u);
}

TEST_F(AuditTest, AFileThatCannotBeOpenedEndsTheStart) {
  std::filesystem::create_directory(path_);
  const Status status = TryStart();
  EXPECT_EQ(status.message(), "audit_file: cannot open " + path_ + ": it is not a file");
  config_.audit_file = dir_.path() + "/none/audit.jsonl";
  EXPECT_THAT(TryStart().message(), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace tokend::testing
