// The built tokenctl against the built tokend: every command, imports of real dumps, a terminal.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "client/client.h"
#include "tests/encoded.h"
#include "tests/system/server_process.h"

namespace tokend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using namespace tokend::testing;

struct Ran {
  int code = -1;
  std::string out, err;

  Json json() const { return Json::parse(out); }
  std::vector<Json> json_lines() const {
    std::vector<Json> lines;
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    return lines;
  }
};

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A server of the test's own in a directory of its own, and tokenctl talking to it.
class TokenctlIntegration : public ::testing::Test {
 protected:
  TokenctlIntegration() {
    char path[] = "/tmp/tokenctl-test-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("mkdtemp");
    dir_ = path;
    StartServer();
  }
  ~TokenctlIntegration() override {
    server_.reset();
    if (HasFailure()) std::fputs(ReadFile(dir_ + "/log").c_str(), stderr);
    std::filesystem::remove_all(dir_);
  }

  void StartServer(const std::vector<std::string>& more_args = {}) {
    server_.emplace(TOKEND_PROGRAM, dir_ + "/data", dir_ + "/log", more_args);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (true) {
      Ran stats = Run({"stats", "--json"});
      if (stats.code == 0 && stats.json()["state"] == "ready") return;
      if (std::chrono::steady_clock::now() > deadline || !server_->IsRunning()) {
        throw std::runtime_error("tokend does not come up: " + stats.err);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  // Runs tokenctl with this on its standard input.
  Ran Run(const std::vector<std::string>& arguments, const std::string& input = "") {
    const std::string in_path = dir_ + "/in", out_path = dir_ + "/out", err_path = dir_ + "/err";
    std::ofstream(in_path, std::ios::binary) << input;
    std::vector<std::string> words = {TOKENCTL_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string server = server_ ? server_->address() : "";
    pid_t pid = fork();
    if (pid == 0) {
      setenv("TOKEND_SERVER", server.c_str(), 1);
      dup2(open(in_path.c_str(), O_RDONLY), STDIN_FILENO);
      dup2(open(out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
      dup2(open(err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
      execv(TOKENCTL_PROGRAM, argv.data());
      _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    Ran ran;
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    ran.out = ReadFile(out_path);
    ran.err = ReadFile(err_path);
    return ran;
  }

  // Runs where 0 is expected and gives what was printed.
  std::string Do(const std::vector<std::string>& arguments, const std::string& input = "") {
    Ran ran = Run(arguments, input);
    EXPECT_EQ(ran.code, 0) << arguments.front() << ": " << ran.err;
    return ran.out;
  }
  Json DoJson(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    return Json::parse(Do(arguments));
  }

  std::vector<std::string> ListedIds(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "list");
    std::vector<std::string> ids;
    const Json page = DoJson(arguments);
    for (const Json& item : page["items"]) ids.push_back(item["id"]);
    return ids;
  }

  std::string dir_;
  std::optional<ServerProcess> server_;
};

// --- a token's life ---

TEST_F(TokenctlIntegration, PingsAndCounts) {
  EXPECT_THAT(Do({"ping"}), HasSubstr("pong in "));
  EXPECT_EQ(DoJson({"ping"})["server"], "tokend");
  EXPECT_EQ(Do({"count"}), "0\n");
  EXPECT_EQ(Do({"clock", "accept"}), "accepted\n");
}

TEST_F(TokenctlIntegration, IssueUseRevoke) {
  Json issued = DoJson({"issue", "--owner", "alice", "--name", "laptop", "--scope", "read",
                        "--scope", "write", "--ttl", "30d", "--attributes", R"({"team":"core"})"});
  const std::string token = issued["token"], id = issued["id"];
  EXPECT_THAT(token, ::testing::StartsWith("tk_"));

  Json verdict = DoJson({"validate", token});
  EXPECT_EQ(verdict["valid"], true);
  EXPECT_EQ(verdict["owner"], "alice");
  EXPECT_EQ(verdict["scopes"], Json({"read", "write"}));
  EXPECT_EQ(verdict["expires_at"], issued["expires_at"]);
  DoJson({"validate", token});

  for (const std::vector<std::string>& by :
       {std::vector<std::string>{"get", token}, std::vector<std::string>{"get", "--id", id}}) {
    Json record = DoJson(by);
    EXPECT_EQ(record["id"], id);
    EXPECT_EQ(record["name"], "laptop");
    EXPECT_EQ(record["attributes"], Json({{"team", "core"}}));
    EXPECT_EQ(record["use_count"], 2);
    EXPECT_GE(record["last_used_at"], record["created_at"]);
  }

  EXPECT_EQ(Do({"update", "--id", id, "--name", "old laptop", "--no-scopes"}), "updated\n");
  EXPECT_EQ(DoJson({"get", "--id", id})["name"], "old laptop");
  EXPECT_EQ(DoJson({"validate", token})["scopes"], Json::array());
  EXPECT_EQ(Do({"extend", token, "--expires-at", "2040-01-01"}), "extended\n");
  EXPECT_EQ(DoJson({"get", "--id", id})["expires_at"], 2208988800000);
  EXPECT_EQ(Do({"extend", "--expires-at", "never"}, token), "extended\n");
  EXPECT_EQ(DoJson({"get", "--id", id})["expires_at"], nullptr);

  Json rotated = DoJson({"rotate", token, "--overlap", "1h", "--prefix", "ci"});
  EXPECT_THAT(rotated["token"], ::testing::StartsWith("ci_"));
  EXPECT_EQ(DoJson({"validate", token})["valid"], true);  // within the overlap
  EXPECT_EQ(DoJson({"validate", rotated["token"]})["owner"], "alice");

  EXPECT_EQ(Do({"revoke", token}), "revoked\n");
  Ran revoked = Run({"validate", token});
  EXPECT_EQ(revoked.code, 4);
  EXPECT_EQ(revoked.out, "revoked\n");
  Ran again = Run({"revoke", token});
  EXPECT_EQ(again.code, 4);
  EXPECT_EQ(again.out, "was not live\n");
  EXPECT_EQ(Run({"extend", token, "--expires-at", "1d"}).code, 4);
  EXPECT_EQ(Run({"update", "--id", id, "--name", "x"}).code, 4);
  EXPECT_EQ(Run({"rotate", token}).code, 1);
  EXPECT_EQ(Do({"revoke", "--id", rotated["id"]}), std::string(rotated["id"]) + " revoked\n");
  EXPECT_EQ(Run({"validate", rotated["token"]}).code, 4);
}

TEST_F(TokenctlIntegration, InsertOfTokensOfOnesOwn) {
  EXPECT_EQ(Do({"insert", "-", "--owner", "ci", "--ttl", "1h"}, "one\ntwo\nthree\n"),
            "7692c3ad3540bb803c020b3a\n"
            "3fc4ccfe745870e2c0d99f71\n"
            "8b5b9db0c13db24256c829aa\n");
  Ran many = Run({"validate", "-", "--json"}, "one\nfour\nthree\n");
  EXPECT_EQ(many.code, 4);
  ASSERT_EQ(many.json_lines().size(), 3u);
  EXPECT_EQ(many.json_lines()[0]["valid"], true);
  EXPECT_EQ(many.json_lines()[1]["reason"], "unknown");
  EXPECT_EQ(many.json_lines()[2]["valid"], true);
  // By its key: the SHA-256 of "one".
  EXPECT_EQ(DoJson({"validate", "--key",
                    "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"})["valid"],
            true);

  Ran there = Run({"insert", "one", "--json"});
  EXPECT_EQ(there.code, 1);
  EXPECT_EQ(there.json()["error"]["code"], "exists");
  EXPECT_EQ(there.json()["error"]["id"], "7692c3ad3540bb803c020b3a");
  Do({"revoke", "one"});
  EXPECT_EQ(Run({"insert", "one", "--json"}).json()["error"]["code"], "revoked");
  Do({"insert", "one", "--replace"});
  EXPECT_EQ(Run({"validate", "one"}).code, 0);

  Do({"insert", "past", "--expires-at", "-1d"});
  Ran past = Run({"validate", "past"});
  EXPECT_EQ(past.code, 4);
}

// --- the queries that the tables of today serve ---

TEST_F(TokenctlIntegration, Queries) {
  auto issue = [&](const char* owner, const char* expires_at) {
    return std::string(DoJson({"issue", "--owner", owner, "--expires-at", expires_at})["id"]);
  };
  const std::string soon = issue("alice", "2h"), late = issue("alice", "90d"),
                    never = issue("alice", "never"), mid = issue("alice", "30d"),
                    gone = issue("carol", "-1h"), bobs = issue("bob", "3h");
  const std::string dead = issue("alice", "60d");
  Do({"revoke", "--id", dead});

  // The valid tokens of an owner, newest expiry first.
  EXPECT_THAT(ListedIds({"--owner", "alice", "--state", "active", "--order", "-expires_at"}),
              ElementsAre(never, late, mid, soon));
  EXPECT_THAT(ListedIds({"--owner", "alice", "--state", "active", "--order", "expires_at"}),
              ElementsAre(soon, mid, late, never));
  // The latest valid token of a namespace.
  EXPECT_THAT(ListedIds({"--state", "active", "--order", "-expires_at", "--limit", "1"}),
              ElementsAre(never));
  // What expires within a window.
  EXPECT_THAT(ListedIds({"--expires-within", "1d", "--order", "expires_at"}),
              ElementsAre(soon, bobs));
  EXPECT_THAT(ListedIds({"--expires-after", "29d", "--expires-before", "61d", "--state", "active"}),
              ElementsAre(mid));
  // Count.
  EXPECT_EQ(Do({"count"}), "7\n");
  EXPECT_EQ(Do({"count", "--state", "active"}), "5\n");
  EXPECT_EQ(Do({"count", "--state", "expired"}), "1\n");
  EXPECT_EQ(Do({"count", "--owner", "alice", "--state", "revoked"}), "1\n");
  // Page after page.
  Json first = DoJson({"list", "--limit", "4"});
  EXPECT_EQ(first["items"].size(), 4u);
  Json second = DoJson({"list", "--limit", "4", "--cursor", first["cursor"]});
  EXPECT_EQ(second["items"].size(), 3u);
  EXPECT_EQ(second["cursor"], nullptr);
  Ran all = Run({"list", "--all", "--limit", "2", "--json"});
  EXPECT_EQ(all.json_lines().size(), 4u);
  Ran table = Run({"list", "--owner", "bob"});
  EXPECT_THAT(table.out, AllOf(HasSubstr(bobs), HasSubstr("EXPIRES_AT"), Not(HasSubstr(soon))));

  // Revoke everything an owner has.
  EXPECT_EQ(Do({"revoke", "--owner", "alice"}), "4 revoked\n");
  EXPECT_EQ(Do({"count", "--owner", "alice", "--state", "active"}), "0\n");
  EXPECT_EQ(Do({"count", "--owner", "bob", "--state", "active"}), "1\n");
  // Clean up.
  EXPECT_EQ(Do({"count", "--state", "expired"}), "1\n");
  Do({"purge-expired"});
  EXPECT_EQ(Do({"count", "--state", "expired"}), "0\n");
  EXPECT_EQ(Run({"get", "--id", gone}).code, 4);
}

TEST_F(TokenctlIntegration, ErrorsHaveExitCodes) {
  Ran unknown = Run({"count", "--namespace", "nope"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("the server answers unknown_namespace"));
  EXPECT_EQ(Run({"validate", "t", "--namespace", "nope"}).code, 1);
  EXPECT_EQ(Run({"frobnicate"}).code, 2);
  EXPECT_EQ(Run({"get", "nothing"}).code, 4);
  server_->Stop();
  Ran down = Run({"validate", "t"});
  EXPECT_EQ(down.code, 1);
  EXPECT_THAT(down.err, AllOf(HasSubstr("cannot reach tokend at unix:"),
                              HasSubstr("is it running? (tokend --help)")));
}

TEST_F(TokenctlIntegration, TokensAreNotShownAgain) {
  const std::string secret = "a-secret-that-nobody-shall-see";
  std::string all;
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"insert", "-"},
                                                    {"validate", "-"},
                                                    {"get", "-"},
                                                    {"insert", "-"},
                                                    {"extend", "-", "--expires-at", "1d"},
                                                    {"rotate", "-"},
                                                    {"revoke", "-"},
                                                    {"list"},
                                                    {"stats"},
                                                    {"validate", "-", "-n", "nope"}}) {
    Ran ran = Run(arguments, secret + "\n");
    all += ran.out + ran.err;
  }
  EXPECT_THAT(all, Not(HasSubstr(secret)));
  EXPECT_THAT(ReadFile(dir_ + "/log"), Not(HasSubstr(secret)));
}

// --- import ---

std::string Dump(const std::string& name) { return std::string(TOKEND_TEST_DATA "/dumps/") + name; }

struct ExpectedRow {
  std::string token;  // stored bytes
  bool is_plain = false;
  std::string key_hex, owner, state;
};

std::vector<ExpectedRow> Expected(const std::string& table) {
  std::ifstream in(Dump("expected/" + table + ".tsv"));
  std::vector<ExpectedRow> rows;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::vector<std::string> cells;
    std::istringstream fields(line);
    for (std::string cell; std::getline(fields, cell, '\t');) cells.push_back(cell);
    std::string owner = cells.at(4);
    if (owner.substr(0, 4) == "hex:") owner = Hex(owner.substr(4));
    rows.push_back({Hex(cells.at(2)), cells.at(1) == "plain", cells.at(3), owner, cells.at(6)});
  }
  return rows;
}

void ExpectVerdict(const Json& verdict, const ExpectedRow& row) {
  if (row.state == "active") {
    EXPECT_EQ(verdict["valid"], true) << row.key_hex;
    EXPECT_EQ(verdict["owner"], row.owner.empty() ? Json() : Json(row.owner)) << row.key_hex;
  } else {
    EXPECT_EQ(verdict["valid"], false) << row.key_hex;
    // Expired ones may have been taken out of memory already; a zero date was never taken.
    std::vector<Json> reasons = {"unknown"};
    if (row.state != "zerodate") reasons.push_back(row.state);
    EXPECT_THAT(reasons, ::testing::Contains(verdict["reason"])) << row.key_hex << row.state;
  }
}

TEST_F(TokenctlIntegration, BackupVerifyRestoreRepair) {
  Do({"insert", "kept", "--owner", "bob"});
  const Json backup = Json::parse(Do({"backup", "--json"}));
  EXPECT_EQ(backup["id"], 1);
  Do({"insert", "later"});
  server_.reset();
  const std::string directory = dir_ + "/data/backup";
  EXPECT_THAT(Do({"verify", directory}), HasSubstr("backup 1 is whole"));
  EXPECT_THAT(Do({"restore", directory, "--data-dir", dir_ + "/restored", "--id", "1"}),
              HasSubstr("backup 1 is restored to " + dir_ + "/restored"));
  const Ran again = Run({"restore", directory, "--data-dir", dir_ + "/restored"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("tokend: there is a database in"));
  EXPECT_EQ(Run({"verify", dir_ + "/nowhere"}).code, 1);
  EXPECT_EQ(Run({"verify", directory, "--id", "0"}).code, 2);
  std::filesystem::remove_all(dir_ + "/data");
  std::filesystem::rename(dir_ + "/restored", dir_ + "/data");
  StartServer();
  EXPECT_EQ(Run({"validate", "kept"}).code, 0);
  EXPECT_EQ(Run({"validate", "later"}).code, 4);
}

TEST_F(TokenctlIntegration, SealedTokensComeBack) {
  server_.reset();
  const auto serve_with = [&](const std::string& keys) {
    server_.reset();
    std::ofstream(dir_ + "/seal.keys") << keys;
    std::filesystem::permissions(dir_ + "/seal.keys", std::filesystem::perms::owner_read |
                                                          std::filesystem::perms::owner_write);
    StartServer({"--config", dir_ + "/tokend.toml"});
  };
  std::ofstream(dir_ + "/tokend.toml") << "seal_key_file = '" << dir_
                                       << "/seal.keys'\n[[namespace]]\nname = 'pm_api_token'\n"
                                          "seal = true\n";
  const std::string key_a(64, 'a'), key_b(64, 'b');
  serve_with(key_a + "\n");
  const std::vector<std::string> import = {"import", Dump("01_default.sql"), "--seal", "--json",
                                           "--table"};
  const auto import_table = [&](const std::string& table) {
    std::vector<std::string> arguments = import;
    arguments.push_back(table);
    return Run(arguments);
  };
  const Ran imported = import_table("pm_api_token");
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_EQ(imported.json()["tables"][0]["server"]["taken"], 155);
  EXPECT_EQ(import_table("pm_api_token").json()["tables"][0]["server"]["unchanged"], 155);
  // What cannot be sealed says so.
  const Ran digests = import_table("api_token");
  EXPECT_EQ(digests.code, 2);
  EXPECT_THAT(digests.err, HasSubstr("--seal: the table holds digests"));
  const Ran plain = import_table("auth_user_tokens");
  EXPECT_EQ(plain.code, 1);
  EXPECT_THAT(plain.err, HasSubstr("\"auth_user_tokens\" does not keep its tokens sealed; give it "
                                   "seal = true"));

  const auto expect_all = [&] {
    size_t active = 0;
    for (const ExpectedRow& row : Expected("pm_api_token")) {
      const Ran revealed = Run({"reveal", "-n", "pm_api_token", "--id", row.key_hex.substr(0, 24)});
      const bool is_active = row.state == "active";
      EXPECT_EQ(revealed.code, is_active ? 0 : 4) << row.key_hex << revealed.err;
      EXPECT_EQ(revealed.out, is_active ? row.token + "\n" : "") << row.key_hex;
      active += is_active ? 1 : 0;
    }
    EXPECT_GT(active, 20u);
  };
  expect_all();
  const std::vector<std::string> last = ListedIds(
      {"-n", "pm_api_token", "--state", "active", "--order", "-expires_at", "--limit", "1"});
  EXPECT_EQ(DoJson({"reveal", "-n", "pm_api_token"})["id"], last.at(0));
  const Ran none = Run({"reveal", "-n", "pm_api_token", "--owner", "nobody"});
  EXPECT_EQ(none.code, 4);
  EXPECT_THAT(none.err, HasSubstr("there is no valid token that is sealed"));
  EXPECT_EQ(Run({"reveal", "--owner", "a", "--id", "b"}).code, 2);

  // A new key, then without the old one.
  serve_with(key_b + "\n" + key_a + "\n");
  EXPECT_THAT(Do({"rekey"}), AllOf(HasSubstr("155 sealed anew"), HasSubstr("Only the first key")));
  serve_with(key_b + "\n");
  EXPECT_EQ(DoJson({"rekey"}), Json({{"resealed", 0}, {"unopened", 0}}));
  expect_all();
  serve_with(key_a + "\n");
  const Ran lost = Run({"rekey", "--namespace", "pm_api_token"});
  EXPECT_EQ(lost.code, 4);
  EXPECT_THAT(lost.out, HasSubstr("155 not, since their key is not in seal_key_file"));
  EXPECT_EQ(Run({"reveal", "-n", "pm_api_token"}).code, 5);  // cannot say
  // A lost key is made good by another import.
  EXPECT_EQ(import_table("pm_api_token").json()["tables"][0]["server"]["replaced"], 155);
  expect_all();
}

TEST_F(TokenctlIntegration, ImportsWhatTheDumpHolds) {
  Ran import = Run({"import", Dump("01_default.sql"), "--json"});
  ASSERT_EQ(import.code, 0) << import.err;
  EXPECT_EQ(import.json()["complete"], true);
  EXPECT_THAT(import.err, Not(HasSubstr("\x1b")));  // not a terminal
  std::map<std::string, Json> tables;
  const Json report = import.json();
  for (const Json& table : report["tables"]) tables[table["table"]] = table;
  ASSERT_EQ(tables.size(), 4u);
  for (const auto& [name, table] : tables) {
    EXPECT_EQ(table["rows_read"], 160) << name;
    EXPECT_EQ(table["server"]["taken"], table["rows_taken"]) << name;
    EXPECT_EQ(table["server"]["refused"], 0) << name;
  }
  EXPECT_EQ(tables["pm_api_token"]["refusals"][0]["reason"], "zero_date");
  EXPECT_EQ(tables["pm_api_token"]["refusals"][0]["rows"], 5);

  for (const auto& [name, table] : tables) {
    std::vector<ExpectedRow> rows = Expected(name);
    ASSERT_EQ(rows.size(), 160u);
    std::vector<std::string> arguments = {"validate", "--namespace", name, "--json"};
    for (const ExpectedRow& row : rows) arguments.insert(arguments.end(), {"--key", row.key_hex});
    std::vector<Json> verdicts = Run(arguments).json_lines();
    ASSERT_EQ(verdicts.size(), rows.size());
    for (size_t i = 0; i < rows.size(); ++i) ExpectVerdict(verdicts[i], rows[i]);

    // And by the tokens themselves, as gateways ask, but for those that no line of text can hold.
    std::string lines;
    std::vector<ExpectedRow> sent;
    for (const ExpectedRow& row : rows) {
      if (!row.is_plain || row.token.find('\n') != std::string::npos || row.token.back() == '\r') {
        continue;
      }
      lines += row.token + "\n";
      sent.push_back(row);
    }
    if (sent.empty()) continue;
    verdicts = Run({"validate", "--namespace", name, "--json", "-"}, lines).json_lines();
    ASSERT_EQ(verdicts.size(), sent.size());
    for (size_t i = 0; i < sent.size(); ++i) ExpectVerdict(verdicts[i], sent[i]);
  }
}

TEST_F(TokenctlIntegration, ImportingTwiceChangesNothing) {
  const std::vector<std::string> import = {"import", Dump("01_default.sql"), "--json"};
  ASSERT_EQ(Run(import).code, 0);
  std::string before = Do({"list", "--all", "-n", "auth_user_tokens", "--json"});
  Ran again = Run(import);
  EXPECT_EQ(again.code, 0);
  const Json report = again.json();
  EXPECT_EQ(report["tables"].size(), 4u);
  for (const Json& table : report["tables"]) {
    EXPECT_EQ(table["server"]["taken"], 0);
    EXPECT_EQ(table["server"]["replaced"], 0);
    EXPECT_EQ(table["server"]["unchanged"], table["rows_taken"]);
  }
  EXPECT_EQ(Do({"list", "--all", "-n", "auth_user_tokens", "--json"}), before);
  // Nor does a restart.
  server_->Kill();
  server_.reset();
  StartServer();
  EXPECT_EQ(Do({"list", "--all", "-n", "auth_user_tokens", "--json"}), before);
}

TEST_F(TokenctlIntegration, ImportsCompressedInputAndStandardInput) {
  int number = 0;
  for (const char* name : {"30_master_data2.sql.gz", "30_master_data2.sql.zst",
                           "30_master_data2.sql.xz", "08_master_data2.sql"}) {
    const std::string space = "space" + std::to_string(++number);
    Ran import = Run({"import", "-", "--table", "portal.api_token", "-n", space, "--json"},
                     ReadFile(Dump(name)));
    EXPECT_EQ(import.code, 0) << import.err;
    EXPECT_EQ(Do({"count", "-n", space}), "160\n") << name;
  }
}

TEST_F(TokenctlIntegration, ImportsWithColumnsOfAnUnknownTable) {
  std::ofstream(dir_ + "/schema.sql") << "CREATE TABLE `sessions` (`k` varchar(64), `who` int, "
                                         "`until` datetime, `dead` tinyint(1));\n";
  std::ofstream(dir_ + "/data.sql")
      << "INSERT INTO `sessions` VALUES ('tok-1',7,'2031-01-01 00:00:00',0),"
         "('tok-2',8,'2031-01-01 00:00:00',1),(NULL,9,NULL,0);\n";
  Ran import = Run({"import", dir_ + "/data.sql", "--schema", dir_ + "/schema.sql", "--table",
                    "sessions", "--columns", "token=k,owner=who,expires_at=until,revoked=dead",
                    "--time-zone", "+05:30", "--json"});
  ASSERT_EQ(import.code, 0) << import.err;
  EXPECT_EQ(import.json()["tables"][0]["refusals"][0]["reason"], "null_token");
  Json verdict = DoJson({"validate", "tok-1", "-n", "sessions"});
  EXPECT_EQ(verdict["owner"], "7");
  EXPECT_EQ(verdict["expires_at"], 1924972200000);  // 2030-12-31T18:30:00Z
  EXPECT_EQ(Run({"validate", "tok-2", "-n", "sessions"}).out, "revoked\n");
}

TEST_F(TokenctlIntegration, ImportsIntoTheNamespacesThatAColumnNames) {
  std::ofstream(dir_ + "/dump.sql")
      << "CREATE TABLE `keys` (`k` varchar(64), `tenant` varchar(64));\n"
         "INSERT INTO `keys` VALUES ('tok-1','acme'),('tok-2','other'),('tok-3','acme'),"
         "('tok-4',NULL);\n";
  const std::vector<std::string> import = {"import",
                                           dir_ + "/dump.sql",
                                           "--table",
                                           "keys",
                                           "--columns",
                                           "token=k,owner=tenant",
                                           "--namespace-column",
                                           "tenant"};
  const Ran text = Run(import);
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("keys -> namespaces by column (sha256, --columns)"));
  EXPECT_THAT(text.out, HasSubstr("  namespace acme: 2 taken; server: 2 taken, 0 replaced"));
  EXPECT_THAT(text.out, HasSubstr("refused: 1 bad_namespace"));
  EXPECT_EQ(DoJson({"validate", "tok-3", "-n", "acme"})["owner"], "acme");
  EXPECT_EQ(DoJson({"validate", "tok-2", "-n", "other"})["owner"], "other");
  EXPECT_EQ(Run({"validate", "tok-2", "-n", "acme"}).out, "unknown\n");
  std::vector<std::string> again = import;
  again.emplace_back("--json");
  const Json table = Run(again).json()["tables"][0];
  EXPECT_TRUE(table["namespace"].is_null());
  EXPECT_TRUE(table["server"].is_null());
  EXPECT_EQ(table["namespaces"][0]["namespace"], "acme");
  EXPECT_EQ(table["namespaces"][0]["server"]["unchanged"], 2);
}

TEST_F(TokenctlIntegration, ImportsTheLaterOrTheStricterOfTwoRows) {
  std::ofstream(dir_ + "/dump.sql")
      << "CREATE TABLE `keys` (`k` varchar(64), `until` datetime, `changed` datetime);\n"
         "INSERT INTO `keys` VALUES ('tok-1','2031-01-01 00:00:00','2025-01-01 00:00:00'),"
         "('tok-1','2032-01-01 00:00:00','2025-01-02 00:00:00');\n";
  const auto expiry_of = [&](const std::string& which) {
    Do({"import", dir_ + "/dump.sql", "--table", "keys", "--namespace", which, "--duplicates",
        which, "--columns", "token=k,expires_at=until,updated_at=changed"});
    return DoJson({"validate", "tok-1", "-n", which})["expires_at"];
  };
  EXPECT_EQ(expiry_of("later"), 1956528000000);     // 2032
  EXPECT_EQ(expiry_of("stricter"), 1924992000000);  // 2031
}

// A table whose digests are made with a secret: before the server's configuration has it, and then.
TEST_F(TokenctlIntegration, ImportsATableWhoseDigestsHaveASecret) {
  // hashlib.sha512(b"abc" + b"s3cr3t").hexdigest() in Python.
  const std::string digest =
      "d4d5151bea608b21e416371df273f4f66b2cc4e63595ce279fc8b466144d780c"
      "1da289041229e016726c3e6f7cf310a70b9de7b6f66224733426908bf7225711";
  std::ofstream(dir_ + "/data.sql")
      << "CREATE TABLE `matomo_user_token_auth` (`idusertokenauth` bigint PRIMARY KEY, `login` "
         "text,"
         "`description` text, `password` text, `hash_algo` text, `last_used` datetime,"
         "`date_created` datetime, `date_expired` datetime);\n"
         "INSERT INTO `matomo_user_token_auth` VALUES (1,'alice','d','"
      << digest << "','sha512',NULL,'2020-01-01 00:00:00',NULL);\n";
  Ran import = Run({"import", dir_ + "/data.sql", "-n", "reports"});
  ASSERT_EQ(import.code, 0) << import.err;
  EXPECT_THAT(
      import.out,
      HasSubstr("note: matomo_user_token_auth: its tokens are unavailable until the server's "
                "configuration has [[namespace]] name = \"reports\", scheme = "
                "\"sha512-with-secret\", secret_file = the path of a file with the secret, "
                "which is 'salt' of [General] in config/config.ini.php\n"));
  Ran unavailable = Run({"validate", "abc", "-n", "reports"});
  EXPECT_EQ(unavailable.code, 5) << unavailable.out << unavailable.err;
  EXPECT_EQ(Run({"validate", "--key", digest.substr(0, 64), "-n", "reports"}).code, 0);

  // Tokens in clear of another table become such keys here, if the secret is told.
  std::ofstream(dir_ + "/clear.sql") << "INSERT INTO t (token) VALUES ('in clear');\n";
  std::vector<std::string> clear = {
      "import",   dir_ + "/clear.sql",  "--table", "t",      "--columns", "token=token",
      "--scheme", "sha512-with-secret", "-n",      "reports"};
  EXPECT_THAT(Run(clear).err, HasSubstr("--secret-file"));
  clear.insert(clear.end(), {"--secret-file", dir_ + "/secret"});
  EXPECT_THAT(Run(clear).err, HasSubstr("cannot read the secret file " + dir_ + "/secret"));
  std::ofstream(dir_ + "/secret") << "\n";
  EXPECT_THAT(Run(clear).err, HasSubstr("should hold 1 to 4096 bytes"));
  std::ofstream(dir_ + "/secret") << "s3cr3t\n";
  ASSERT_EQ(Run(clear).code, 0);

  server_.reset();
  std::ofstream(dir_ + "/tokend.toml")
      << "[[namespace]]\nname = \"reports\"\nscheme = \"sha512-with-secret\"\nsecret_file = \""
      << dir_ << "/secret\"\n";
  StartServer({"--config", dir_ + "/tokend.toml"});
  EXPECT_EQ(DoJson({"validate", "abc", "-n", "reports"})["owner"], "alice");
  EXPECT_EQ(Run({"validate", "in clear", "-n", "reports"}).code, 0);
  EXPECT_EQ(Run({"validate", "abcd", "-n", "reports"}).code, 4);
  EXPECT_THAT(ReadFile(dir_ + "/log"),
              AllOf(HasSubstr("may be read by others than its owner"), Not(HasSubstr("s3cr3t"))));
}

TEST_F(TokenctlIntegration, ACallerShowsItsSecret) {
  server_.reset();
  // printf %s s3cret | sha256sum
  std::ofstream(dir_ + "/tokend.toml")
      << "[[caller]]\nname = \"ops\"\nroles = [\"read\"]\nsecrets_sha256 = "
         "[\"1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0\"]\n";
  std::ofstream(dir_ + "/ops.secret") << "s3cret\n";
  std::ofstream(dir_ + "/wrong.secret") << "s3cre\n";
  StartServer({"--config", dir_ + "/tokend.toml"});
  EXPECT_EQ(Run({"stats"}).code, 0) << "on the unix socket its own user needs no secret";
  const std::vector<std::string> ops = {"--client-id", "ops", "--client-secret-file",
                                        dir_ + "/ops.secret"};
  const auto as_ops = [&](std::vector<std::string> words) {
    words.insert(words.end(), ops.begin(), ops.end());
    return Run(words);
  };
  EXPECT_EQ(as_ops({"count"}).out, "0\n");
  EXPECT_THAT(as_ops({"issue"}).err, HasSubstr("forbidden: issue is not for caller \"ops\""));
  const Ran wrong =
      Run({"count", "--client-id", "ops", "--client-secret-file", dir_ + "/wrong.secret"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("unauthenticated"), Not(HasSubstr("s3cre"))));
  EXPECT_EQ(Run({"count", "--client-id", "ops"}).code, 2);
  EXPECT_EQ(Run({"count", "--client-id", "ops", "--client-secret-file", dir_ + "/none"}).code, 2);
}

TEST_F(TokenctlIntegration, ExportsWhatATableShouldKnow) {
  std::ofstream(dir_ + "/data.sql")
      << "CREATE TABLE `pm_api_token` (`id` int PRIMARY KEY, `token` text, `expires` datetime,"
         "`usage_count` int, `is_active` int);"
         "INSERT INTO `pm_api_token` VALUES (1,'tok-1','2131-01-01 00:00:00',5,1),"
         "(2,'tok-2','2131-01-01 00:00:00',0,0),(3,'tok-3','2131-01-01 00:00:00',0,1);\n";
  ASSERT_EQ(Run({"import", dir_ + "/data.sql"}).code, 0);
  Do({"validate", "tok-1", "-n", "pm_api_token"});
  const std::vector<std::string> sql = {"export",   "-n",  "pm_api_token",
                                        "--format", "sql", "--delete"};
  EXPECT_THAT(Do(sql), HasSubstr("UPDATE `pm_api_token` SET `usage_count` = CASE `id` WHEN 1 THEN "
                                 "6 ELSE `usage_count` END, `updated_at` = `updated_at` WHERE `id` "
                                 "IN (1);\nDELETE FROM `pm_api_token` WHERE `id` IN (2);\n"));

  std::vector<std::string> without = sql;
  without.insert(without.end(), {"--updated-column", ""});
  EXPECT_THAT(Do(without), HasSubstr("ELSE `usage_count` END WHERE `id` IN (1);"));

  // What text says can be imported elsewhere, but for the tokens.
  std::ofstream(dir_ + "/out.tsv") << Do({"export", "-n", "pm_api_token"});
  const std::string columns =
      "token=id,source_id=source_id,expires_at=expires_at,use_count=use_count,status=state";
  Ran again = Run(
      {"import", dir_ + "/out.tsv", "--dry-run", "--json", "--table", "t", "--columns", columns});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.json()["tables"][0]["rows_taken"], 3);
  EXPECT_EQ(again.json()["tables"][0]["rows_revoked"], 1);

  const std::string lines = Do({"export", "-n", "pm_api_token", "--format", "jsonl"});
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_EQ(Run({"export", "--format", "sql"}).code, 2);
  EXPECT_EQ(Run({"export", "--format", "sql", "--table", "t"}).code, 2);
}

TEST_F(TokenctlIntegration, ImportExitCodes) {
  Ran truncated = Run({"import", Dump("70_truncated.sql")});
  EXPECT_EQ(truncated.code, 3);
  EXPECT_THAT(truncated.out, HasSubstr("incomplete: "));
  EXPECT_NE(Do({"count", "-n", "api_token"}), "0\n");
  EXPECT_EQ(Run({"import", Dump("71_truncated.sql.gz"), "--json"}).code, 3);

  EXPECT_EQ(Run({"import", dir_ + "/nothing.sql"}).code, 1);
  EXPECT_EQ(Run({"import", Dump("01_default.sql"), "--table", "nope"}).code, 2);
  EXPECT_EQ(Run({"import", Dump("01_default.sql"), "--columns", "token=x"}).code, 2);
  EXPECT_EQ(Run({"import"}).code, 2);
}

TEST_F(TokenctlIntegration, ADryRunAsksNothingOfTheServer) {
  server_->Stop();
  Ran dry = Run({"import", Dump("01_default.sql"), "--dry-run", "--json"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_EQ(dry.json()["dry_run"], true);
  EXPECT_EQ(dry.json()["tables"][0]["rows_taken"], 160);
  EXPECT_EQ(dry.json()["tables"][0]["server"], nullptr);
}

// --- a terminal ---

TEST_F(TokenctlIntegration, AsksForATokenWithoutEcho) {
  Do({"insert", "typed-secret", "--owner", "alice"});
  int terminal = -1;
  pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    execl(TOKENCTL_PROGRAM, "tokenctl", "--server", server_->address().c_str(), "validate",
          static_cast<char*>(nullptr));
    _exit(127);
  }
  std::string seen;
  bool typed = false;
  pollfd entry{terminal, POLLIN, 0};
  while (poll(&entry, 1, 30000) == 1) {
    char bytes[1024];
    ssize_t got = read(terminal, bytes, sizeof bytes);
    if (got <= 0) break;
    seen.append(bytes, static_cast<size_t>(got));
    if (!typed && seen.find("Token (not shown): ") != std::string::npos) {
      typed = true;
      ASSERT_EQ(write(terminal, "typed-secret\n", 13), 13);
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  close(terminal);
  EXPECT_TRUE(typed);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << seen;
  EXPECT_THAT(seen, AllOf(HasSubstr("alice"), Not(HasSubstr("typed-secret"))));
}

// --- the library ---

TEST_F(TokenctlIntegration, TheLibraryPipelinesWritesAndReads) {
  client::Result<client::Client> connected = client::Client::Connect(server_->address());
  ASSERT_TRUE(connected);
  client::Client& client = *connected;
  std::vector<client::Pending<std::string>> inserts;
  for (int i = 0; i < 2000; ++i) {
    client::InsertRequest request;
    std::string token = "token-" + std::to_string(i);
    request.token = token;
    request.owner = "owner-" + std::to_string(i % 7);
    inserts.push_back(client.SendInsert(request));
  }
  for (auto& insert : inserts) ASSERT_TRUE(insert.Wait());
  std::vector<client::Pending<client::Verdict>> verdicts;
  for (int i = 0; i < 2000; ++i)
    verdicts.push_back(client.SendValidate("token-" + std::to_string(i)));
  for (int i = 0; i < 2000; ++i) {
    auto verdict = verdicts[static_cast<size_t>(i)].Wait();
    ASSERT_TRUE(verdict && verdict->valid()) << i;
    EXPECT_EQ(verdict->owner, "owner-" + std::to_string(i % 7));
  }
  auto count = client.Count({});
  EXPECT_TRUE(count && *count == 2000);
}

}  // namespace
}  // namespace tokend
