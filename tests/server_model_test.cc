// Random requests of several clients, over real sockets, to a server with a real database, against
// a plain model of what may be observed; with tokens that expire, a clock that moves, clean stops,
// kills and power losses. A server lives for an episode; each round of it ends with everything at
// rest, where every token, list and count is compared with the model.
//
// TOKEND_TEST_SEED takes a printed seed back, TOKEND_MODEL_SECONDS says for how long it goes on.
// The order in which threads run is not the seed's to say: what happens at most times with one seed
// may take some runs to happen again.
#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "server/server.h"
#include "tests/model/journal.h"
#include "tests/model/model_client.h"
#include "tests/model/operation.h"
#include "tests/model/token_history.h"
#include "tests/model/token_pool.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/test_seed.h"

namespace tokend::testing {
namespace {

using Kind = Operation::Kind;

constexpr int kRoundsEach = 25;

struct Totals {
  uint64_t episodes = 0, rounds = 0, operations = 0, unanswered = 0;
  uint64_t clean_stops = 0, kills = 0, power_losses = 0, jumps = 0;
};

// How a round ends.
enum class End : uint8_t { kAtRest, kRestart, kStop, kKill, kPowerLoss };
constexpr std::string_view kEndNames[] = {"at rest", "with a restart", "with a stop", "with a kill",
                                          "with a power loss"};

class Episode {
 public:
  Episode(uint64_t seed, Totals* totals)
      : random_(seed),
        totals_(*totals),
        log_(LogLevel::kWarning, LogFormat::kText,
             std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_)) {
    static constexpr std::string_view kLevels[] = {"sync", "interval", "none"};
    if (!OneIn(4)) {
      files_ = std::make_shared<FaultFileSystem>();
      env_ = rocksdb::NewCompositeEnv(files_);
      // What waits in the queue meanwhile is what revokes have to overtake.
      files_->SetSyncTime(std::chrono::microseconds(OneIn(2) ? 0 : Below(3000)));
    }
    config_.data_dir = dir_.path() + "/data";
    config_.listen = "127.0.0.1:0";
    config_.http = "127.0.0.1:0";
    config_.threads = 1 + Below(3);
    config_.tokens_max = 1 << 20;
    config_.drain_ms = 60'000;
    config_.durability = OneIn(2) ? "sync" : kLevels[Below(std::size(kLevels))];
    config_.sync_interval_ms = 5;
    config_.write_buffer_bytes = 1 << 20;
    config_.namespaces = {{"second", DigestScheme::kSha256},
                          {std::string(TokenPool::kAfterBar), DigestScheme::kSha256AfterBar}};
  }

  void Run() {
    Start();
    for (int round = 0; round < kRoundsEach && !::testing::Test::HasFailure(); ++round) {
      Round();
    }
    ++totals_.episodes;
    if (::testing::Test::HasFailure()) std::cout << "the server's log:\n" << log_text_.str();
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  void Start();
  void Round();
  End DrawEnd();
  // While the clients run: time passes, and upkeep is done.
  void MoveOn();
  void MoveClockAtRest();
  // The clock is set by an hour or a year, either way; the next time it is set right.
  void Jump();
  void StopServer(End end);
  void Check(const std::vector<Operation*>& operations, uint64_t gone_at, End end);
  void CheckNamespaces(const std::vector<Operation*>& operations);
  // Tokens that came into being without an answer.
  std::map<std::string, uint64_t> AdoptUnknown(const std::vector<Operation*>& operations);

  std::mt19937_64 random_;
  Totals& totals_;
  TempDir dir_;
  ManualClock clock_;
  Journal journal_{&clock_};
  TokenPool pool_;
  ModelWorld world_;
  std::vector<TokenHistory> histories_;  // in the order in which the tokens came into being
  // When each namespace was first asked for by what makes it, and first seen.
  std::map<std::string, uint64_t> named_at_{{"default", 0}, {"second", 0}, {"bar", 0}}, seen_at_;
  bool is_loading_ = false;
  int64_t jumped_ms_ = 0;

  std::shared_ptr<FaultFileSystem> files_;  // null: the system's own
  std::unique_ptr<rocksdb::Env> env_;
  Config config_;
  std::ostringstream log_text_;
  Logger log_;
  std::unique_ptr<Server> server_;
};

void Episode::Start() {
  const Status status =
      Server::Start(config_, {.clock = &clock_, .env = env_.get()}, log_, &server_);
  ASSERT_TRUE(status.ok()) << status.message();
  world_.journal = &journal_;
  world_.pool = &pool_;
  world_.addresses = {server_->rpc_endpoints().at(0).ToString(), "unix:" + server_->unix_path()};
  world_.cut_at = 0;
  is_loading_ = OneIn(2);
  if (!is_loading_) server_->store().WaitUntilLoaded();
}

End Episode::DrawEnd() {
  const uint64_t choice = Below(10);
  if (choice < 5) return End::kAtRest;
  if (choice < 6) return End::kRestart;
  if (choice < 7 || files_ == nullptr) return End::kStop;
  return config_.durability == "sync" && OneIn(2) ? End::kPowerLoss : End::kKill;
}

void Episode::Round() {
  const End end = DrawEnd();
  const bool is_cut = end == End::kKill || end == End::kPowerLoss;
  world_.import_is_open = false;
  world_.imports = !is_cut;  // whose rows are promised to be there only with the answer to its end
  world_.may_be_unavailable = is_loading_;
  std::vector<std::unique_ptr<ModelClient>> clients;
  for (uint64_t left = 1 + Below(5); left > 0; --left) {
    clients.push_back(std::make_unique<ModelClient>(&world_, clients.size(), random_()));
  }
  const int turns = static_cast<int>(3 + Below(12));
  std::atomic<size_t> running{clients.size()};
  std::vector<std::thread> threads;
  for (const auto& client : clients) {
    threads.emplace_back([&running, turns, one = client.get()] {
      one->Run(turns);
      --running;
    });
  }
  const bool stops = is_cut || end == End::kStop;
  for (uint64_t left = Below(40); running > 0 && !(stops && left == 0); left -= left > 0) MoveOn();
  if (stops) StopServer(end);
  for (std::thread& thread : threads) thread.join();
  const uint64_t gone_at = journal_.Next();
  if (end == End::kRestart) StopServer(end);
  MoveClockAtRest();
  if (server_ == nullptr) Start();
  if (::testing::Test::HasFatalFailure()) return;
  world_.may_be_unavailable = is_loading_;
  // With it all that goes on by itself is over, such as writing usage. Not so the loading.
  server_->store().Maintain();
  clients.push_back(std::make_unique<ModelClient>(&world_, clients.size(), random_()));
  clients.back()->Audit();
  if (OneIn(2)) {
    server_->store().WaitUntilLoaded();
    is_loading_ = false;
  }

  std::vector<Operation*> operations;
  for (const auto& client : clients) {
    for (Operation& operation : client->operations()) {
      if (!operation.HasAnswer()) {
        operation.clocks_ms = journal_.ClocksBetween(operation.invoked, gone_at);
        ++totals_.unanswered;
      }
      operations.push_back(&operation);
    }
  }
  std::sort(operations.begin(), operations.end(),
            [](const Operation* a, const Operation* b) { return a->invoked < b->invoked; });
  ++totals_.rounds;
  totals_.operations += operations.size();
  SCOPED_TRACE("the round ended " + std::string(kEndNames[static_cast<size_t>(end)]) +
               ", with durability " + config_.durability);
  Check(operations, gone_at, end);
}

void Episode::MoveOn() {
  std::this_thread::sleep_for(std::chrono::microseconds(Below(1500)));
  switch (Below(12)) {
    case 0:
    case 1:
      journal_.MoveClock([this](ManualClock& clock) { clock.Advance(1 + Below(800)); });
      break;
    case 2:
      // Usage is written then, and most of what can expire has: not often.
      if (OneIn(6)) journal_.MoveClock([](ManualClock& clock) { clock.Advance(60'000); });
      break;
    case 3:
      server_->store().Maintain();
      break;
    case 4:
      server_->store().FlushUsage();
      break;
    default:
      break;
  }
}

void Episode::MoveClockAtRest() {
  const uint64_t now_ms = clock_.NowMs();
  switch (Below(8)) {
    case 0:
    case 1:
      journal_.MoveClock([this](ManualClock& clock) { clock.Advance(Below(3000)); });
      break;
    case 2:
      journal_.MoveClock([&](ManualClock& clock) { clock.SetWall(now_ms + Below(3000)); });
      break;
    case 3:
      journal_.MoveClock([&](ManualClock& clock) { clock.SetWall(now_ms - Below(3000)); });
      break;
    case 4:
      Jump();
      break;
    default:
      break;
  }
}

void Episode::Jump() {
  constexpr int64_t kHourMs = 3'600'000, kYearMs = 365 * 24 * kHourMs;
  int64_t by_ms = -jumped_ms_;
  if (by_ms == 0) by_ms = (OneIn(2) ? kHourMs : kYearMs) * (OneIn(2) ? 1 : -1);
  jumped_ms_ += by_ms;
  world_.is_clock_ahead = jumped_ms_ > 0;
  ++totals_.jumps;
  journal_.MoveClock([&](ManualClock& clock) { clock.SetWall(clock.NowMs() + by_ms); });
}

void Episode::StopServer(End end) {
  if (end == End::kKill || end == End::kPowerLoss) {
    world_.cut_at = journal_.Next();
    files_->CutUnseen();
  }
  server_.reset();
  if (end == End::kKill) {
    files_->Keep();
    ++totals_.kills;
  } else if (end == End::kPowerLoss) {
    files_->Lose(&random_);
    ++totals_.power_losses;
  } else {
    ++totals_.clean_stops;
  }
}

void Episode::CheckNamespaces(const std::vector<Operation*>& operations) {
  const auto note = [](std::map<std::string, uint64_t>* first, const std::string& ns, uint64_t at) {
    const auto [it, is_new] = first->try_emplace(ns, at);
    it->second = std::min(it->second, at);
  };
  for (const Operation* operation : operations) {
    if (operation->kind == Kind::kInsert || operation->kind == Kind::kImportBegin) {
      note(&named_at_, operation->ns, operation->invoked);
    }
    if (operation->HasAnswer() && operation->error != "unknown_namespace") {
      note(&seen_at_, operation->ns, operation->answered);
    }
  }
  for (const Operation* operation : operations) {
    if (!operation->HasAnswer()) continue;
    if (operation->error == "unknown_namespace") {
      const auto seen = seen_at_.find(operation->ns);
      EXPECT_TRUE(seen == seen_at_.end() || operation->invoked < seen->second)
          << operation->ns << " is gone: " << *operation;
    } else {
      const auto named = named_at_.find(operation->ns);
      EXPECT_TRUE(named != named_at_.end() && named->second < operation->answered)
          << operation->ns << " is there before it was made: " << *operation;
    }
  }
}

void Episode::Check(const std::vector<Operation*>& operations, uint64_t gone_at, End end) {
  CheckNamespaces(operations);
  for (const PoolToken& token : pool_.All()) {
    const bool is_known = std::any_of(histories_.begin(), histories_.end(), [&](const auto& known) {
      return known.ns() == token.ns && known.id() == token.id;
    });
    if (!is_known) histories_.emplace_back(token.ns, token.id, token.text);
  }
  for (TokenHistory& history : histories_) {
    if (end == End::kKill || end == End::kPowerLoss) history.LoseUsage(gone_at);
    std::vector<Operation*> its_own;
    for (Operation* operation : operations) {
      const bool of_all = operation->kind == Kind::kRevokeOwner ||
                          operation->kind == Kind::kPurge ||
                          operation->kind == Kind::kImportBegin || operation->kind == Kind::kList ||
                          operation->kind == Kind::kCount;
      if (operation->ns == history.ns() && (of_all || operation->id == history.id())) {
        its_own.push_back(operation);
      }
    }
    if (const std::string wrong = history.Check(its_own, gone_at); !wrong.empty()) {
      ADD_FAILURE() << wrong;
      return;
    }
  }
  const std::map<std::string, uint64_t> adopted = AdoptUnknown(operations);
  for (const Operation* operation : operations) {
    const bool counts = operation->kind == Kind::kRevokeOwner || operation->kind == Kind::kCount ||
                        operation->second_part != nullptr;
    if (!counts || !operation->HasAnswer() || !operation->error.empty()) continue;
    uint64_t least = operation->count_min, most = operation->count_max;
    if (const Operation* second = operation->second_part; second != nullptr) {
      least += second->count_min;
      most += second->count_max;
    }
    if (const auto more = adopted.find(operation->ns); more != adopted.end()) most += more->second;
    EXPECT_GE(operation->count, least) << *operation;
    EXPECT_LE(operation->count, most) << *operation;
  }
}

std::map<std::string, uint64_t> Episode::AdoptUnknown(const std::vector<Operation*>& operations) {
  std::map<std::string, uint64_t> unanswered;
  std::map<std::string, std::map<std::string, client::TokenInfo>> unknown;
  for (const Operation* operation : operations) {
    const bool makes_one =
        operation->kind == Kind::kInsert ? operation->id.empty() : operation->kind == Kind::kRotate;
    if (makes_one && !operation->HasAnswer()) ++unanswered[operation->ns];
    if (operation->kind != Kind::kList) continue;
    for (const auto& [id, record] : operation->records) {
      const bool is_known =
          std::any_of(histories_.begin(), histories_.end(), [&, id = id](const auto& known) {
            return known.ns() == operation->ns && known.id() == id;
          });
      if (!is_known) unknown[operation->ns].insert_or_assign(id, record);
    }
  }
  for (const auto& [ns, records] : unknown) {
    EXPECT_LE(records.size(), unanswered[ns]) << "tokens in " << ns << " that nobody made";
    for (const auto& [id, record] : records) {
      TokenState state;
      state.is_there = true;
      state.owner = record.owner;
      state.name = record.name;
      state.scopes = record.scopes;
      state.attributes = record.attributes;
      state.created_at_ms = record.created_at_ms;
      state.updated_at_ms = record.updated_at_ms;
      state.expires_at_ms = record.expires_at_ms.value_or(kNever);
      state.revoked = record.state == "revoked";
      state.generation = record.generation;
      histories_.emplace_back(ns, id, "made without an answer").Adopt(state);
    }
  }
  return unanswered;
}

std::chrono::seconds Duration() {
  const char* given = std::getenv("TOKEND_MODEL_SECONDS");
  return std::chrono::seconds(given != nullptr ? std::strtoull(given, nullptr, 10) : 4);
}

TEST(ServerModelTest, EveryAnswerIsOneThatTheModelAllows) {
  std::signal(SIGPIPE, SIG_IGN);  // as main does: a peer that is gone is an error of write()
  uint64_t seed = TestSeed();
  Totals totals;
  const auto until = std::chrono::steady_clock::now() + Duration();
  do {
    SCOPED_TRACE("TOKEND_TEST_SEED=" + std::to_string(seed));
    Episode(seed, &totals).Run();
    ++seed;
  } while (!HasFailure() && std::chrono::steady_clock::now() < until);
  std::cout << totals.episodes << " episodes, " << totals.rounds << " rounds, " << totals.operations
            << " operations, " << totals.unanswered << " without an answer, " << totals.clean_stops
            << " clean stops, " << totals.kills << " kills, " << totals.power_losses
            << " power losses, " << totals.jumps << " jumps of the clock\n";
}

}  // namespace
}  // namespace tokend::testing
