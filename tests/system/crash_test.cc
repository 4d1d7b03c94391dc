// crash-test: kills tokend with kill -9 in the middle of writes, starts it again, and looks whether
// everything that was acknowledged is there: every token with its fields, every revocation by
// token, by id and by owner, every extension and replacement. What was under way may be there or
// not, but wholly: an owner's revocation holds for all of its tokens or for none. While the server
// loads, it may say that it cannot say; it may never be wrong.
#include <sys/types.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/process_stats.h"
#include "client/client.h"
#include "tests/system/crash_plan.h"
#include "tests/system/crash_writer.h"
#include "tests/system/ledger.h"
#include "tests/system/server_process.h"

namespace tokend::testing {
namespace {

struct Options {
  std::string server = "tokend";
  std::string dir = "crash-test-data";
  std::vector<std::string> server_args;
  uint64_t tokens = 200000;
  uint64_t kills = 4;
  uint64_t seed = 0;
  std::string json_path;
};

struct RestartFigures {
  double first_answer_ms = 0;  // from the start of the process to the first correct answer
  double loaded_ms = 0;        // to the state "ready"
  uint64_t resident_bytes = 0;
  uint64_t tokens = 0;
};

class CrashTest {
 public:
  explicit CrashTest(const Options& options)
      : options_(options),
        random_(options.seed),
        plan_(options.seed, NowMs()),
        // Room for what is still being written when the last kill comes.
        ledger_((options.tokens / kBatchTokens + 200) * kBatchTokens) {}

  int Run();

 private:
  static uint64_t NowMs() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  }
  std::string LogPath() const { return options_.dir + "/server.log"; }

  std::unique_ptr<ServerProcess> Start() {
    return std::make_unique<ServerProcess>(options_.server, options_.dir + "/data", LogPath(),
                                           options_.server_args);
  }
  client::Client Connect(const ServerProcess& server);
  void WaitUntilReady(client::Client* client);
  void WriteUntilKilled(ServerProcess* server, uint64_t kill_at);
  void KillWhileLoading();
  RestartFigures Restart(std::unique_ptr<ServerProcess>* server);
  std::optional<uint64_t> SettledToken(TokenFate fate);
  void CheckSomeWhileLoading(client::Client* client);
  void CheckAll(client::Client* client);
  void CheckVerdict(uint64_t token, const client::Verdict& verdict,
                    std::map<uint64_t, uint64_t>* cut_revoked);
  void CheckRecords(client::Client* client);
  void CheckLog();
  void Fail(const std::string& what);

  const Options options_;
  std::mt19937_64 random_;
  const CrashPlan plan_;
  Ledger ledger_;
  uint64_t next_batch_ = 0;
  uint64_t acknowledged_ = 0;
  double acknowledged_per_second_ = 0;
  uint64_t present_ = 0;  // tokens that the last full check found
  std::set<uint64_t> cut_batches_;
  uint64_t failures_ = 0;
};

void CrashTest::Fail(const std::string& what) {
  if (++failures_ <= 20) std::fprintf(stderr, "WRONG: %s\n", what.c_str());
}

client::Client CrashTest::Connect(const ServerProcess& server) {
  const uint64_t deadline_ns = SteadyNs() + 120'000'000'000;
  client::ClientOptions options;
  options.answer_timeout = std::chrono::seconds(120);
  while (SteadyNs() < deadline_ns) {
    auto client = client::Client::Connect(server.address(), options);
    if (client) return std::move(*client);
    if (!server.IsRunning()) {
      throw std::runtime_error("the server ended by itself; see " + LogPath());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  throw std::runtime_error("the server took no connection for two minutes; see " + LogPath());
}

void CrashTest::WaitUntilReady(client::Client* client) {
  const uint64_t deadline_ns = SteadyNs() + 300'000'000'000;
  while (SteadyNs() < deadline_ns) {
    const auto stats = client->Stats();
    if (!stats) throw std::runtime_error("stats: " + stats.error().message);
    if (stats->state == "ready") return;
    if (stats->state != "loading") throw std::runtime_error("the state is " + stats->state);
    CheckSomeWhileLoading(client);
  }
  throw std::runtime_error("the server was not ready after five minutes");
}

void CrashTest::WriteUntilKilled(ServerProcess* server, uint64_t kill_at) {
  CrashWriter writer(&plan_, &ledger_, Connect(*server), next_batch_);
  std::thread killer;
  const uint64_t acknowledged_before = acknowledged_;
  const auto delay = std::chrono::microseconds(random_() % 20000);
  const uint64_t started_ns = SteadyNs();
  uint64_t killed_ns = 0;
  const std::vector<std::string> failures = writer.Run([&](uint64_t count) {
    acknowledged_ = acknowledged_before + count;
    if (acknowledged_ < kill_at || killer.joinable()) return;
    killed_ns = SteadyNs();
    killer = std::thread([server, delay] {
      std::this_thread::sleep_for(delay);
      server->Kill();
    });
  });
  for (const std::string& failure : failures) Fail(failure);
  next_batch_ = writer.next_batch();
  cut_batches_.insert(writer.cut_batches().begin(), writer.cut_batches().end());
  if (!killer.joinable()) {
    throw std::runtime_error("the server hung up before it was killed; see " + LogPath());
  }
  killer.join();
  acknowledged_per_second_ = static_cast<double>(acknowledged_ - acknowledged_before) * 1e9 /
                             static_cast<double>(killed_ns - started_ns);
  std::printf("killed -9 after %llu acknowledged tokens (%.0f/s)\n",
              static_cast<unsigned long long>(acknowledged_), acknowledged_per_second_);
}

// A crash during recovery must cost nothing either.
void CrashTest::KillWhileLoading() {
  const auto server = Start();
  std::this_thread::sleep_for(std::chrono::microseconds(random_() % 60000));
  server->Kill();
}

std::optional<uint64_t> CrashTest::SettledToken(TokenFate fate) {
  const uint64_t written = next_batch_ * kBatchTokens;
  const uint64_t start = random_() % written;
  for (uint64_t i = 0; i < written; ++i) {
    const uint64_t token = (start + i) % written;
    if (ledger_.Is(token, fate)) return token;
  }
  return std::nullopt;
}

RestartFigures CrashTest::Restart(std::unique_ptr<ServerProcess>* server) {
  const uint64_t token = SettledToken(TokenFate::kLive).value();
  const std::string text = plan_.Token(token);
  RestartFigures figures;
  *server = Start();
  const uint64_t started_ns = (*server)->started_ns();
  const auto since_start_ms = [&] { return static_cast<double>(SteadyNs() - started_ns) / 1e6; };
  client::Client client = Connect(**server);
  while (true) {
    const auto verdict = client.Validate(text);
    if (!verdict) throw std::runtime_error("validate: " + verdict.error().message);
    if (verdict->kind == client::Verdict::Kind::kCannotSay) continue;
    figures.first_answer_ms = since_start_ms();
    TokenFate fate = TokenFate::kAbsent;
    if (!plan_.FateOf(token, *verdict, &fate) || fate != TokenFate::kLive) {
      Fail("the first answer after the restart, for token " + std::to_string(token));
    }
    break;
  }
  WaitUntilReady(&client);
  figures.loaded_ms = since_start_ms();
  figures.resident_bytes = bench::ResidentBytes((*server)->pid()).value_or(0);
  CheckAll(&client);
  CheckRecords(&client);
  figures.tokens = present_;
  return figures;
}

// "unavailable" is no answer; any other must be right.
void CrashTest::CheckSomeWhileLoading(client::Client* client) {
  if (next_batch_ == 0) return;  // nothing was written yet
  for (int i = 0; i < 20; ++i) {
    const uint64_t token = random_() % (next_batch_ * kBatchTokens);
    const auto verdict = client->Validate(plan_.Token(token));
    if (!verdict) throw std::runtime_error("validate: " + verdict.error().message);
    if (verdict->kind == client::Verdict::Kind::kCannotSay) continue;
    TokenFate fate = TokenFate::kAbsent;
    if (!plan_.FateOf(token, *verdict, &fate) || !ledger_.MayBe(token, fate)) {
      Fail("token " + std::to_string(token) + " while loading: " + verdict->reason);
    }
  }
}

void CrashTest::CheckAll(client::Client* client) {
  constexpr uint64_t kAsk = 1000;
  const uint64_t written = next_batch_ * kBatchTokens;
  std::map<uint64_t, uint64_t> cut_revoked;  // by batch; only those whose fate was open
  present_ = 0;
  for (uint64_t first = 0; first < written; first += kAsk) {
    const uint64_t end = std::min(first + kAsk, written);
    std::vector<std::string> texts;
    for (uint64_t token = first; token < end; ++token) texts.push_back(plan_.Token(token));
    const std::vector<client::Token> asked(texts.begin(), texts.end());
    const auto verdicts = client->ValidateMany(asked);
    if (!verdicts) throw std::runtime_error("validate_many: " + verdicts.error().message);
    if (verdicts->size() != asked.size()) throw std::runtime_error("validate_many fell short");
    for (uint64_t token = first; token < end; ++token) {
      CheckVerdict(token, (*verdicts)[token - first], &cut_revoked);
    }
  }
  for (const auto& [batch, count] : cut_revoked) {
    if (count != 0 && count != kCutTokens) {
      Fail("revoke_owner under way at the kill took " + std::to_string(count) + " tokens of " +
           std::to_string(kCutTokens));
    }
  }
}

void CrashTest::CheckVerdict(uint64_t token, const client::Verdict& verdict,
                             std::map<uint64_t, uint64_t>* cut_revoked) {
  TokenFate fate = TokenFate::kAbsent;
  if (!plan_.FateOf(token, verdict, &fate)) {
    Fail("token " + std::to_string(token) + " has a field that was never written (" +
         verdict.owner.value_or("no owner") + ")");
    return;
  }
  if (fate != TokenFate::kAbsent) ++present_;
  if (!ledger_.MayBe(token, fate)) {
    Fail("token " + std::to_string(token) + " is " + (verdict.valid() ? "valid" : verdict.reason) +
         " and should not be");
    return;
  }
  const uint64_t batch = token / kBatchTokens;
  if (CrashPlan::IsCut(token) && !ledger_.IsCertain(token) && cut_batches_.contains(batch)) {
    (*cut_revoked)[batch] += fate == TokenFate::kRevoked ? 1 : 0;
  }
  ledger_.Settle(token, fate);
}

// What `get` reads from disk says the same as memory does. After CheckAll every token is settled.
void CrashTest::CheckRecords(client::Client* client) {
  for (int i = 0; i < 500; ++i) {
    const uint64_t token = random_() % (next_batch_ * kBatchTokens);
    const auto record = client->Get(plan_.Token(token));
    if (!record) throw std::runtime_error("get: " + record.error().message);
    TokenFate fate = TokenFate::kAbsent;
    for (const TokenFate candidate :
         {TokenFate::kLive, TokenFate::kExtended, TokenFate::kReplaced, TokenFate::kRevoked}) {
      if (ledger_.Is(token, candidate)) fate = candidate;
    }
    bool is_right = record->has_value() == (fate != TokenFate::kAbsent);
    if (is_right && record->has_value()) {
      const client::TokenInfo& info = **record;
      is_right = info.state == (fate == TokenFate::kRevoked ? "revoked" : "active") &&
                 info.owner == plan_.Owner(token, fate) && info.scopes == plan_.Scopes(token) &&
                 info.expires_at_ms == plan_.ExpiresAtMs(token, fate) &&
                 info.generation == (fate == TokenFate::kReplaced ? 2 : 1);
    }
    if (!is_right) Fail("the record of token " + std::to_string(token));
  }
}

// A killed server cannot say by its exit status what a sanitizer found in it.
void CrashTest::CheckLog() {
  std::ifstream file(LogPath());
  const std::string log(std::istreambuf_iterator<char>(file), {});
  for (const char* sign : {"SUMMARY: ", "runtime error:", "Assertion"}) {
    if (log.find(sign) != std::string::npos) {
      Fail(std::string("the server's log has \"") + sign + "\"");
      std::fprintf(stderr, "%s\n", log.c_str());
      return;
    }
  }
}

int CrashTest::Run() {
  std::printf("seed %llu\n", static_cast<unsigned long long>(options_.seed));
  std::filesystem::remove_all(options_.dir);
  std::filesystem::create_directories(options_.dir);
  std::unique_ptr<ServerProcess> server = Start();
  {
    client::Client client = Connect(*server);
    WaitUntilReady(&client);
  }
  const uint64_t empty_bytes = bench::ResidentBytes(server->pid()).value_or(0);
  RestartFigures figures;
  for (uint64_t kill = 1; kill <= options_.kills; ++kill) {
    WriteUntilKilled(server.get(), options_.tokens * kill / options_.kills);
    if (options_.kills > 1) KillWhileLoading();
    figures = Restart(&server);
    std::printf("restarted: first correct answer after %.0f ms, loaded after %.0f ms\n",
                figures.first_answer_ms, figures.loaded_ms);
  }
  const double bytes_per_token = static_cast<double>(figures.resident_bytes - empty_bytes) /
                                 static_cast<double>(figures.tokens);
  std::printf("%llu tokens in memory, %.1f bytes each (resident %llu, when empty %llu)\n",
              static_cast<unsigned long long>(figures.tokens), bytes_per_token,
              static_cast<unsigned long long>(figures.resident_bytes),
              static_cast<unsigned long long>(empty_bytes));
  const int status = server->Stop();
  if (status != 0) Fail("SIGTERM ended the server with status " + std::to_string(status));
  CheckLog();
  if (!options_.json_path.empty()) {
    std::ofstream(options_.json_path) << nlohmann::json{
        {"tokens", figures.tokens},
        {"acknowledged_per_second", acknowledged_per_second_},
        {"first_answer_ms", figures.first_answer_ms},
        {"loaded_ms", figures.loaded_ms},
        {"bytes_per_token", bytes_per_token},
        {"resident_bytes", figures.resident_bytes},
        {"empty_bytes", empty_bytes},
        {"failures", failures_},
    };
  }
  if (failures_ != 0) {
    std::fprintf(stderr, "%llu wrong; run again with --seed %llu\n",
                 static_cast<unsigned long long>(failures_),
                 static_cast<unsigned long long>(options_.seed));
    return 1;
  }
  std::filesystem::remove_all(options_.dir);
  std::puts("every acknowledged token and revocation was there");
  return 0;
}

}  // namespace
}  // namespace tokend::testing

int main(int argc, char** argv) {
  tokend::testing::Options options;
  options.seed = std::random_device()();
  CLI::App app(
      "Kills tokend in the middle of writes and looks whether what it acknowledged is there.");
  app.add_option("--server", options.server, "The tokend to test")->required();
  app.add_option("--dir", options.dir, "Scratch directory; emptied first")->capture_default_str();
  app.add_option("--server-arg", options.server_args, "A further argument for tokend");
  app.add_option("--tokens", options.tokens, "Tokens to be acknowledged before the last kill")
      ->check(CLI::Range(uint64_t{1000}, uint64_t{1} << 32))
      ->capture_default_str();
  app.add_option("--kills", options.kills, "How often; beyond 1, also while it loads")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Tokens and moments; random unless given");
  app.add_option("--json", options.json_path, "Write the figures into this file");
  CLI11_PARSE(app, argc, argv);
  try {
    return tokend::testing::CrashTest(options).Run();
  } catch (const std::exception& error) {
    std::cerr << "crash-test: " << error.what() << std::endl;
    return 2;
  }
}
