// tokenctl as a function: arguments, output, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tokenctl_fixture.h"

namespace tokend::tokenctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// --- the command line itself ---

TEST_F(TokenctlTest, EveryCommandHasHelpWithExamples) {
  Context context;
  std::unique_ptr<CLI::App> app = MakeApp(&context);
  std::vector<std::vector<std::string>> commands;
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back({command->get_name()});
  }
  commands.push_back({"clock", "accept"});
  EXPECT_GE(commands.size(), 17u);
  for (std::vector<std::string> command : commands) {
    std::string name = command.back();
    command.push_back("--help");
    EXPECT_EQ(RunAlone(command), kExitOk) << name;
    EXPECT_THAT(out(), HasSubstr("Usage: tokenctl ")) << name;
    EXPECT_THAT(out(), HasSubstr("Example")) << name;
    EXPECT_EQ(err(), "");
  }
  EXPECT_EQ(RunAlone({"--help"}), kExitOk);
  EXPECT_THAT(out(), HasSubstr("Exit codes: 0 done; 1 failed"));
  EXPECT_EQ(RunAlone({"--version"}), kExitOk);
  EXPECT_THAT(out(), StartsWith("tokenctl "));
}

TEST_F(TokenctlTest, WrongUsageIsExitCodeTwo) {
  struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {
      {{}, "a command is needed"},
      {{"lst"}, "there is no command \"lst\""},
      {{"clock"}, "a command is needed"},
      {{"list", "--bogus"}, "there is no option --bogus"},
      {{"list", "--bogus=1"}, "there is no option --bogus\n"},
      {{"list", "--state", "dead"}, "--state"},
      {{"list", "--limit", "0"}, "--limit"},
      {{"list", "--expires-within", "7"}, "--expires-within: \"7\" should be a duration"},
      {{"list", "--expires-within", "7d", "--expires-before", "now"}, "--expires-within"},
      {{"list", "--expires-before", "never"}, "--expires-before should be a time, not never"},
      {{"extend", "x"}, "--expires-at is required"},
      {{"extend", "x", "--expires-at", "soon"}, "\"soon\" should be a time"},
      {{"issue", "--expires-at", "now", "--ttl", "1d"}, "--expires-at excludes --ttl"},
      {{"issue", "--attributes", "{"}, "--attributes: not JSON"},
      {{"issue", "--attributes", "[1]"}, "--attributes should be a JSON object"},
      {{"update", "--id", kId}, "nothing to update"},
      {{"update", "--id", "xyz", "--name", "n"}, "24 lower-case hexadecimal digits"},
      {{"revoke", "--owner", "a", "--id", kId}, "one of them"},
      {{"get", "x", "--id", kId}, "give a token or --id"},
      {{"rotate", "x", "--expires-at", "never"}, "extend the new token"},
      {{"validate", "--key", "abc"}, "--key should be 64 hexadecimal digits"},
      {{"validate", "--key", std::string(63, '0') + "g"}, "--key should be"},
      {{"validate", "--token-file", "/nonexistent"}, "cannot read the token file /nonexistent"},
      {{"validate", ""}, "a token has at least one byte"},
      {{"completion", "csh"}, "csh"},
      {{"ping", "--timeout", "5"}, "--timeout"},
      {{"ping", "--server", "nowhere"}, "should be HOST:PORT"},
  };
  for (const auto& one : cases) {
    std::vector<std::string> arguments = one.arguments;
    // Some are only found to be wrong with a connection at hand.
    EXPECT_EQ(Run(arguments), kExitUsage) << one.message;
    EXPECT_THAT(err(), HasSubstr(one.message));
    EXPECT_EQ(out(), "") << one.message;
    EXPECT_THAT(asked_, ElementsAre()) << one.message;
  }
}

TEST_F(TokenctlTest, SharedOptionsStandBeforeOrAfterTheCommand) {
  Answers("count", {Int(3)});
  EXPECT_EQ(Run({"--json", "count"}), kExitOk);
  EXPECT_EQ(out(), "{\"count\":3}\n");
  EXPECT_EQ(Run({"count", "--json"}), kExitOk);
  EXPECT_EQ(out(), "{\"count\":3}\n");
}

TEST_F(TokenctlTest, TakesTheServerFromTheEnvironment) {
  std::vector<std::string> asked;
  FakeTokend server([&](FakePeer& peer) {
    while (auto request = peer.Read()) {
      asked.push_back(request->method);
      peer.Answer(request->msgid, [](auto& out) { out.Uint(1); });
    }
  });
  setenv("TOKEND_SERVER", server.address().c_str(), 1);
  EXPECT_EQ(RunAlone({"count"}), kExitOk) << err();
  server.Join();
  EXPECT_THAT(asked, ElementsAre("count"));
}

TEST_F(TokenctlTest, SaysThatTheServerCannotBeReached) {
  EXPECT_EQ(RunAlone({"--server", "unix:/nonexistent.sock", "stats"}), kExitFailed);
  EXPECT_EQ(err(),
            "tokenctl: cannot reach tokend at unix:/nonexistent.sock: No such file or directory; "
            "is it running? (tokend --help)\n");
  EXPECT_EQ(out(), "");
  EXPECT_EQ(RunAlone({"--server", "unix:/nonexistent.sock", "stats", "--json"}), kExitFailed);
  EXPECT_EQ(out(),
            "{\"error\":{\"code\":\"unreachable\",\"message\":\"unix:/nonexistent.sock: No such "
            "file or directory\"}}\n");
}

TEST_F(TokenctlTest, TellsErrorsOfTheServer) {
  Fails("count", {Failed("unknown_namespace", "namespace \"x\" does not exist")});
  EXPECT_EQ(Run({"count", "-n", "x"}), kExitFailed);
  EXPECT_EQ(err(),
            "tokenctl: the server answers unknown_namespace: namespace \"x\" does not exist\n");

  Fails("count", {Failed("unavailable", "still loading")});
  EXPECT_EQ(Run({"count", "--json"}), kExitCannotSay);
  EXPECT_EQ(out(), "{\"error\":{\"code\":\"unavailable\",\"message\":\"still loading\"}}\n");
}

TEST_F(TokenctlTest, GivesUpWaitingAfterTheTimeout) {
  FakeTokend server([](FakePeer& peer) {
    while (peer.Read()) {
    }
  });
  EXPECT_EQ(RunAlone({"--server", server.address(), "--timeout", "20ms", "count"}), kExitFailed);
  EXPECT_THAT(err(), HasSubstr("has not answered within 20 ms"));
}

// --- validate ---

TEST_F(TokenctlTest, ValidateOne) {
  Answers("validate", {Valid()});
  EXPECT_EQ(Run({"validate", kSecret, "--namespace", "portal"}), kExitOk);
  EXPECT_EQ(out(),
            "verdict     valid\n"
            "owner       alice\n"
            "scopes      read write\n"
            "expires_at  2031-05-01T12:30:15Z\n");
  EXPECT_THAT(asked_, ElementsAre("validate [" + AsBin(kSecret) + ",\"portal\"]"));

  Answers("validate", {Arr({Bool(true), Nil(), Nil(), Arr({})})});
  EXPECT_EQ(Run({"validate", kSecret}), kExitOk);
  EXPECT_THAT(out(), HasSubstr("owner       -\n"));
  EXPECT_THAT(out(), HasSubstr("expires_at  never\n"));
}

TEST_F(TokenctlTest, ValidateTellsNoFromCannotSay) {
  for (const char* reason : {"unknown", "expired", "revoked"}) {
    Answers("validate", {Invalid(reason)});
    EXPECT_EQ(Run({"validate", kSecret}), kExitNo);
    EXPECT_EQ(out(), std::string(reason) + "\n");
  }
  Answers("validate", {CannotSay()});
  EXPECT_EQ(Run({"validate", kSecret}), kExitCannotSay);
  EXPECT_EQ(out(), "cannot say\n");
  Fails("validate", {Failed("unavailable", "loading")});
  EXPECT_EQ(Run({"validate", kSecret}), kExitCannotSay);
  EXPECT_EQ(out(), "cannot say\n");
}

TEST_F(TokenctlTest, ValidateMany) {
  Answers("validate", {Valid(), Invalid("expired"), CannotSay()});
  in_.str("a\nb\nc\n");
  EXPECT_EQ(Run({"validate", "-"}), kExitCannotSay);
  EXPECT_EQ(out(),
            "#  VERDICT     OWNER  SCOPES      EXPIRES_AT\n"
            "1  valid       alice  read write  2031-05-01T12:30:15Z\n"
            "2  expired     -      -           -\n"
            "3  cannot say  -      -           -\n");

  Answers("validate", {Valid(), Invalid("expired"), CannotSay()});
  in_.clear();
  in_.str("a\nb\nc\n");
  EXPECT_EQ(Run({"validate", "-", "--json"}), kExitCannotSay);
  EXPECT_EQ(out(),
            R"({"valid":true,"expires_at":1935405015000,"owner":"alice","scopes":["read","write"]})"
            "\n"
            R"({"valid":false,"reason":"expired"})"
            "\n"
            R"({"valid":null,"reason":"unavailable"})"
            "\n");

  Answers("validate", {Valid(), Invalid("expired")});
  in_.clear();
  in_.str("a\nb\n");
  EXPECT_EQ(Run({"validate", "-"}), kExitNo);
}

TEST_F(TokenctlTest, ValidateMoreThanAWindow) {
  Answers("validate", {Valid()});
  std::string tokens;
  for (int i = 0; i < 1000; ++i) tokens += "token-" + std::to_string(i) + "\n";
  in_.str(tokens);
  EXPECT_EQ(Run({"validate", "-", "--json"}), kExitOk);
  ASSERT_EQ(asked_.size(), 1000u);
  EXPECT_EQ(asked_[999], "validate [" + AsBin("token-999") + "]");
  std::string lines = out();
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1000);
}

// --- insert, issue, rotate ---

TEST_F(TokenctlTest, InsertTakesAllFields) {
  Answers("insert", {Str(kId)});
  EXPECT_EQ(Run({"insert", kSecret, "--owner", "alice", "--name", "laptop", "--scope", "read",
                 "--scope", "a,b", "--ttl", "30d", "-n", "portal", "--attributes",
                 R"({"team": "core"})", "--replace"}),
            kExitOk)
      << err();
  EXPECT_EQ(out(), std::string(kId) + "\n");
  ASSERT_EQ(asked_.size(), 1u);
  for (const std::string& part :
       {"\"token\":" + AsBin(kSecret), std::string(R"("owner":"alice")"),
        std::string(R"("name":"laptop")"), std::string(R"("scopes":["read","a,b"])"),
        std::string(R"("ttl_ms":2592000000)"), std::string(R"("namespace":"portal")"),
        std::string(R"("attributes":{"team":"core"})"), std::string(R"("replace":true)")}) {
    EXPECT_THAT(asked_[0], HasSubstr(part));
  }
}

TEST_F(TokenctlTest, InsertTakesTimesOfEveryKind) {
  Answers("insert", {Str(kId)});
  struct {
    const char* given;
    const char* sent;
  } cases[] = {{"1935405015000", R"("expires_at":1935405015000)"},
               {"2031-05-01T12:30:15Z", R"("expires_at":1935405015000)"},
               {"+15m", R"("ttl_ms":900000)"},
               {"30d", R"("ttl_ms":2592000000)"},
               {"-1s", R"("expires_at":1899999999000)"},
               {"now", R"("expires_at":1900000000000)"}};
  for (const auto& one : cases) {
    EXPECT_EQ(Run({"insert", "t", "--expires-at", one.given}), kExitOk) << err();
    EXPECT_THAT(asked_, ElementsAre(HasSubstr(one.sent)));
  }
  EXPECT_EQ(Run({"insert", "t", "--expires-at", "never"}), kExitOk);
  EXPECT_THAT(asked_, ElementsAre("insert [{\"token\":" + AsBin("t") + "}]"));
  // An owner without a name is an owner.
  EXPECT_EQ(Run({"insert", "t", "--owner", ""}), kExitOk);
  EXPECT_THAT(asked_, ElementsAre(HasSubstr(R"("owner":"")")));
}

TEST_F(TokenctlTest, InsertGoesOnAfterARefusal) {
  Fails("insert",
        {Map({{"code", Str("exists")}, {"message", Str("it is there")}, {"id", Str(kId)}})});
  in_.str("a\nb\n");
  EXPECT_EQ(Run({"insert", "-", "--json"}), kExitFailed);
  EXPECT_EQ(asked_.size(), 2u);
  const std::string line =
      R"({"error":{"code":"exists","message":"it is there","id":"9f86d081884c7d659a2feaa0"}})"
      "\n";
  EXPECT_EQ(out(), line + line);
  EXPECT_THAT(err(),
              HasSubstr("the server answers exists: it is there (id 9f86d081884c7d659a2feaa0)"));
}

TEST_F(TokenctlTest, IssueShowsTheToken) {
  Answers("issue", {Map({{"id", Str(kId)}, {"token", Str("ci_abc")}, {"expires_at", Nil()}})});
  EXPECT_EQ(Run({"issue", "--owner", "ci", "--prefix", "ci"}), kExitOk);
  EXPECT_THAT(asked_, ElementsAre(R"(issue [{"owner":"ci","prefix":"ci"}])"));
  EXPECT_EQ(out(),
            "id          9f86d081884c7d659a2feaa0\n"
            "token       ci_abc\n"
            "expires_at  never\n");
  EXPECT_EQ(Run({"issue", "--quiet"}), kExitOk);
  EXPECT_EQ(out(), "ci_abc\n");
  EXPECT_EQ(Run({"issue", "--json"}), kExitOk);
  EXPECT_EQ(out(), R"({"id":"9f86d081884c7d659a2feaa0","token":"ci_abc","expires_at":null})"
                   "\n");
}

TEST_F(TokenctlTest, Rotate) {
  Answers("rotate", {Map({{"id", Str(kId)}, {"token", Str("tk_new")}, {"expires_at", Int(0)}})});
  EXPECT_EQ(Run({"rotate", kSecret, "--overlap", "15m", "--ttl", "1h", "-n", "portal", "-q"}),
            kExitOk);
  EXPECT_EQ(out(), "tk_new\n");
  EXPECT_THAT(asked_, ElementsAre("rotate [" + AsBin(kSecret) +
                                  R"(,{"overlap_ms":900000,"ttl_ms":3600000},"portal"])"));
  Fails("rotate", {Failed("bad_params", "token: must be live to be rotated")});
  EXPECT_EQ(Run({"rotate", kSecret}), kExitFailed);
  EXPECT_EQ(out(), "");
  EXPECT_THAT(err(), HasSubstr("must be live"));
}

// --- revoke, extend, update ---

TEST_F(TokenctlTest, RevokeTokensIdsAndOwners) {
  Answers("revoke", {Bool(true), Bool(false)});
  EXPECT_EQ(Run({"revoke", kSecret}), kExitOk);
  EXPECT_EQ(out(), "revoked\n");
  EXPECT_EQ(Run({"revoke", kSecret}), kExitNo);
  EXPECT_EQ(out(), "was not live\n");

  Answers("revoke", {Bool(true), Bool(false)});
  in_.str("a\nb\n");
  EXPECT_EQ(Run({"revoke", "-"}), kExitNo);
  EXPECT_EQ(out(), "#1 revoked\n#2 was not live\n");

  Answers("revoke_id", {Bool(true)});
  EXPECT_EQ(Run({"revoke", "--id", kId, "--id", kId, "-n", "p"}), kExitOk);
  EXPECT_EQ(out(),
            "9f86d081884c7d659a2feaa0 revoked\n"
            "9f86d081884c7d659a2feaa0 revoked\n");
  EXPECT_THAT(asked_[1], HasSubstr(R"(["9f86d081884c7d659a2feaa0","p"])"));

  Answers("revoke_owner", {Int(12345)});
  EXPECT_EQ(Run({"revoke", "--owner", "alice"}), kExitOk);
  EXPECT_EQ(out(), "12,345 revoked\n");
  EXPECT_THAT(asked_, ElementsAre(R"(revoke_owner ["alice"])"));
  EXPECT_EQ(Run({"revoke", "--owner", "alice", "--json"}), kExitOk);
  EXPECT_EQ(out(), "{\"revoked\":12345}\n");
}

TEST_F(TokenctlTest, RevokeGoesOnAfterAnError) {
  Fails("revoke", {Failed("not_durable", "denied now, may come back")});
  in_.str("a\nb\n");
  EXPECT_EQ(Run({"revoke", "-"}), kExitFailed);
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(TokenctlTest, Extend) {
  Answers("extend", {Bool(true)});
  EXPECT_EQ(Run({"extend", "t", "--expires-at", "30d"}), kExitOk);
  EXPECT_EQ(out(), "extended\n");
  EXPECT_THAT(asked_, ElementsAre("extend [" + AsBin("t") + ",1902592000000]"));
  EXPECT_EQ(Run({"extend", "t", "--expires-at", "never"}), kExitOk);
  EXPECT_THAT(asked_, ElementsAre("extend [" + AsBin("t") + ",null]"));
  Answers("extend", {Bool(false)});
  EXPECT_EQ(Run({"extend", "t", "--expires-at", "-1d", "--json"}), kExitNo);
  EXPECT_EQ(out(), "{\"extended\":false}\n");
}

TEST_F(TokenctlTest, Update) {
  Answers("update", {Bool(true)});
  EXPECT_EQ(Run({"update", "--id", kId, "--name", "", "--scope", "r"}), kExitOk) << err();
  EXPECT_THAT(
      asked_,
      ElementsAre(R"(update [{"id":"9f86d081884c7d659a2feaa0","name":"","scopes":["r"]}])"));
  EXPECT_EQ(Run({"update", "--id", kId, "--no-scopes", "--attributes", "{}"}), kExitOk) << err();
  EXPECT_THAT(asked_, ElementsAre(HasSubstr(R"("scopes":[],"attributes":{})")));
}

// --- get, list, count ---

TEST_F(TokenctlTest, Get) {
  Answers("get", {Record("alice")});
  EXPECT_EQ(Run({"get", "--id", kId}), kExitOk);
  EXPECT_EQ(out(),
            "id            9f86d081884c7d659a2feaa0\n"
            "source_id     -\n"
            "namespace     default\n"
            "owner         alice\n"
            "name          laptop\n"
            "scopes        read\n"
            "state         active\n"
            "created_at    2023-11-14T22:13:20.123Z\n"
            "updated_at    2023-11-14T22:13:20.123Z\n"
            "expires_at    2031-05-01T12:30:15Z\n"
            "last_used_at  -\n"
            "use_count     42\n"
            "generation    2\n"
            "attributes    {\"team\":\"core\"}\n");
  EXPECT_EQ(Run({"get", kSecret, "--json"}), kExitOk);
  EXPECT_EQ(out(),
            R"({"id":"9f86d081884c7d659a2feaa0","source_id":null,"namespace":"default",)"
            R"("owner":"alice","name":"laptop","scopes":["read"],"created_at":1700000000123,)"
            R"("updated_at":1700000000123,"expires_at":1935405015000,"last_used_at":null,)"
            R"("use_count":42,"state":"active","generation":2,"attributes":{"team":"core"}})"
            "\n");
  Answers("get", {Nil()});
  EXPECT_EQ(Run({"get", kSecret}), kExitNo);
  EXPECT_EQ(out(), "");
  EXPECT_EQ(Run({"get", kSecret, "--json"}), kExitNo);
  EXPECT_EQ(out(), "null\n");
}

std::string Page(std::initializer_list<std::string> items, const std::string& cursor) {
  return Map({{"items", Arr(items)}, {"cursor", cursor.empty() ? Nil() : Str(cursor)}});
}

TEST_F(TokenctlTest, ListSendsItsFilters) {
  Answers("list", {Page({}, "")});
  EXPECT_EQ(Run({"list", "-n", "portal", "--owner", "alice", "--state", "active", "--order",
                 "-expires_at", "--limit", "1", "--cursor", "c0", "--expires-after", "-1d",
                 "--expires-before", "2031-05-01"}),
            kExitOk)
      << err();
  ASSERT_EQ(asked_.size(), 1u);
  for (const char* part :
       {R"("namespace":"portal")", R"("owner":"alice")", R"("state":"active")",
        R"("order":"-expires_at")", R"("limit":1)", R"("cursor":"c0")",
        R"("expires_after":1899913600000)", R"("expires_before":1935360000000)"}) {
    EXPECT_THAT(asked_[0], HasSubstr(part));
  }
  EXPECT_EQ(out(), "");
  EXPECT_EQ(err(), "No tokens.\n");

  EXPECT_EQ(Run({"list", "--expires-within", "7d"}), kExitOk);
  EXPECT_THAT(
      asked_,
      ElementsAre(HasSubstr(R"("expires_after":1900000000000,"expires_before":1900604800000)")));
}

TEST_F(TokenctlTest, ListShowsATableAndSaysThatThereIsMore) {
  Answers("list", {Page({Record("alice"), Record("bob\x1b[2J")}, "c1")});
  EXPECT_EQ(Run({"list"}), kExitOk);
  EXPECT_EQ(out(),
            "ID                        STATE   OWNER       NAME    SCOPES  EXPIRES_AT            "
            "LAST_USED_AT  USES\n"
            "9f86d081884c7d659a2feaa0  active  alice       laptop  read    2031-05-01T12:30:15Z  "
            "-               42\n"
            "9f86d081884c7d659a2feaa0  active  bob\\x1b[2J  laptop  read    2031-05-01T12:30:15Z  "
            "-               42\n");
  EXPECT_EQ(err(), "There is more: the same with --cursor c1, or --all.\n");

  environment_.columns = 80;
  EXPECT_EQ(Run({"list"}), kExitOk);
  std::istringstream lines(out());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u + 4) << line;
}

TEST_F(TokenctlTest, ListFollowsTheCursorToTheEnd) {
  Answers("list", {Page({Record("alice")}, "c1"), Page({Record("bob")}, "")});
  EXPECT_EQ(Run({"list", "--all", "--json"}), kExitOk);
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_THAT(asked_[0], HasSubstr(R"("limit":1000)"));
  EXPECT_THAT(asked_[1], HasSubstr(R"("cursor":"c1")"));
  std::istringstream lines(out());
  std::string first, second, third;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_FALSE(std::getline(lines, third));
  EXPECT_THAT(first, HasSubstr(R"("cursor":"c1")"));
  EXPECT_THAT(second, HasSubstr(R"("owner":"bob")"));
  EXPECT_THAT(second, HasSubstr(R"("cursor":null)"));
}

TEST_F(TokenctlTest, Count) {
  Answers("count", {Int(1234567)});
  EXPECT_EQ(Run({"count", "--owner", "alice", "--state", "expired"}), kExitOk);
  EXPECT_EQ(out(), "1234567\n");
  EXPECT_THAT(asked_, ElementsAre(R"(count [{"owner":"alice","state":"expired"}])"));
}

// --- the server's own ---

TEST_F(TokenctlTest, Stats) {
  Answers("stats",
          {Map({{"state", Str("ready")}, {"memory", Map({{"slots", Int(5)}})}, {"x", Nil()}})});
  EXPECT_EQ(Run({"stats"}), kExitOk);
  EXPECT_EQ(out(),
            "state         ready\n"
            "memory.slots  5\n"
            "x             -\n");
  EXPECT_EQ(Run({"stats", "--json"}), kExitOk);
  EXPECT_EQ(out(), R"({"state":"ready","memory":{"slots":5},"x":null})"
                   "\n");
}

TEST_F(TokenctlTest, Ping) {
  Answers("hello", {Map({{"server", Str("tokend")},
                         {"version", Str("0.1.0")},
                         {"protocol", Int(1)},
                         {"limits", Map({})}})});
  Answers("ping", {Str("pong")});
  EXPECT_EQ(Run({"ping"}), kExitOk);
  EXPECT_THAT(out(),
              ::testing::MatchesRegex(
                  "tokend 0.1.0 \\(protocol 1\\) at 127.0.0.1:[0-9]+: pong in [0-9.]+ ms\n"));
}

TEST_F(TokenctlTest, PurgeExpired) {
  Answers("purge_expired", {Int(1000)});
  EXPECT_EQ(Run({"purge-expired"}), kExitOk);
  EXPECT_EQ(out(), "1,000 purged\n");
  EXPECT_THAT(asked_, ElementsAre("purge_expired [1900000000000]"));
  EXPECT_EQ(Run({"purge", "--before", "-7d", "-n", "portal", "--json"}), kExitOk);
  EXPECT_EQ(out(), "{\"purged\":1000}\n");
  EXPECT_THAT(asked_, ElementsAre(R"(purge_expired [1899395200000,"portal"])"));
}

TEST_F(TokenctlTest, Backup) {
  Answers("backup",
          {Map({{"id", Int(3)}, {"bytes", Int(1234567)}, {"directory", Str("d/backup")}})});
  EXPECT_EQ(Run({"backup"}), kExitOk);
  EXPECT_EQ(out(), "backup 3 in d/backup: 1,234,567 bytes\n");
  EXPECT_THAT(asked_, ElementsAre("backup []"));
  EXPECT_EQ(Run({"backup", "--json"}), kExitOk);
  EXPECT_EQ(out(), "{\"id\":3,\"bytes\":1234567,\"directory\":\"d/backup\"}\n");
}

TEST_F(TokenctlTest, ClockAccept) {
  Answers("clock_accept", {Bool(true)});
  EXPECT_EQ(Run({"clock", "accept"}), kExitOk);
  EXPECT_EQ(out(), "accepted\n");
  EXPECT_THAT(asked_, ElementsAre("clock_accept []"));
}

}  // namespace
}  // namespace tokend::tokenctl
