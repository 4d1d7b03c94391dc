// overload-test: everything at once that a server should not have to bear, against the program as
// it is: thousands of connections that say nothing, write a byte now and then, never read, flood it
// with unknown tokens or send what is malformed, too deep, too long or too much. Each is answered
// or closed as the protocol says; beside them well-behaved connections get every answer right; the
// server's memory stays within what its settings add up to; and afterwards it is as before.
//
// With --measure it says instead what the abusers cost the well-behaved in time.
#include <sched.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/process_stats.h"
#include "client/client.h"
#include "tests/system/overload_abusers.h"
#include "tests/system/overload_crowd.h"
#include "tests/system/overload_gauge.h"
#include "tests/system/server_process.h"

namespace tokend::testing {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMiB = 1 << 20;
constexpr size_t kGoodConnections = 16;
// Left free for peers that connect anew before the server has seen them go.
constexpr size_t kSpareConnections = 200;
constexpr uint64_t kPatienceNs = 240'000'000'000;

struct Options {
  std::string server = "tokend";
  std::string dir = "overload-test-data";
  std::vector<std::string> server_args;
  size_t connections = 10000;
  bool memory_is_bounded = true;
  bool measure = false;
  bool realtime = false;
  std::vector<std::string> kinds;
  size_t rounds = 20;
  double seconds = 1;
  double requests_per_second = 1000;
  double server_cpu_share = 0.5;
  uint64_t seed = 0;
};

// The settings of the server under check: small, so that abusers reach them soon, and with
// connections time enough to be slow in.
struct Settings {
  uint64_t threads = 2;
  uint64_t message_bytes_max = kMiB;
  uint64_t many_max = 1000;
  uint64_t nesting_max = 16;
  uint64_t output_bytes_max = 64 << 10;
  uint64_t buffer_bytes_max = 64 * kMiB;
  uint64_t timeout_ms = 5000;  // of a message, and of a write
  uint64_t memory_bytes_max = 8 * kMiB;
  uint64_t queue_bytes_max = 8 * kMiB;
  uint64_t write_buffer_bytes = 8 * kMiB;
  uint64_t block_cache_bytes = 4 * kMiB;

  std::vector<std::string> Args(size_t connections) const {
    std::vector<std::string> args;
    const auto add = [&](const char* flag, uint64_t value) {
      args.insert(args.end(), {flag, std::to_string(value)});
    };
    add("--threads", threads);
    add("--connections-max", connections);
    add("--message-bytes-max", message_bytes_max);
    add("--many-max", many_max);
    add("--nesting-max", nesting_max);
    add("--output-bytes-max", output_bytes_max);
    add("--buffer-bytes-max", buffer_bytes_max);
    add("--message-timeout-ms", timeout_ms);
    add("--write-timeout-ms", timeout_ms);
    add("--memory-bytes-max", memory_bytes_max);
    add("--queue-bytes-max", queue_bytes_max);
    add("--write-buffer-bytes", write_buffer_bytes);
    add("--block-cache-bytes", block_cache_bytes);
    return args;
  }

  // What may be resident beyond an empty server.
  uint64_t MemoryBytes(size_t connections) const {
    // A connection itself, as the setting's text has it.
    uint64_t bytes = connections * 1024;
    // A string that grows is at most twice as large as what it holds.
    bytes += 2 * buffer_bytes_max;
    // Buffers that each loop keeps for reuse (server/loop.cc): 64 of 256 KiB.
    bytes += threads * 16 * kMiB;
    bytes += memory_bytes_max;
    bytes += 2 * queue_bytes_max;
    // RocksDB fills one memtable while it writes another.
    bytes += 2 * write_buffer_bytes + block_cache_bytes;
    return bytes;
  }
};

// All abusers of a run, and the idle.
struct Abusers {
  explicit Abusers(const std::string& address) : idle(address), slow(address), busy(address) {}

  Crowd idle, slow, busy;
  std::vector<IdlePeer*> idlers;
  std::vector<SlowWriter*> slow_writers;
  std::vector<EndlessWriter*> endless_writers;
  std::vector<NeverReader*> never_readers;
  std::vector<SlowReader*> slow_readers;
  std::vector<Flooder*> flooders;
  std::vector<HostilePeer*> hostiles;

  void Pump(int timeout_ms) {
    busy.Pump(timeout_ms);
    slow.Pump(0);
    idle.Pump(0);
  }
  void CloseAll() {
    for (Crowd* crowd : {&idle, &slow, &busy}) crowd->CloseAll();
  }
};

class OverloadTest {
 public:
  explicit OverloadTest(const Options& options) : options_(options) {}

  int Run() { return options_.measure ? Measure() : Check(); }

 private:
  void Prepare();
  void Start(const std::vector<std::string>& args);
  void Fill();
  void RaiseOpenFileLimit();
  client::Client Connect();
  Json Stats();
  std::unique_ptr<Abusers> MakeAbusers();
  bool Has(const std::string& kind) const {
    return options_.kinds.empty() ||
           std::find(options_.kinds.begin(), options_.kinds.end(), kind) != options_.kinds.end();
  }
  std::unique_ptr<Gauge> MakeGauge();

  int Check();
  void CheckAbuse(Abusers* abusers);
  void CheckConnectionLimit();
  void CheckFullBuffers();
  void CheckMemoryLimit();
  void CheckAsBefore();
  void CheckLog();
  void Until(const std::string& what, const std::function<void()>& step,
             const std::function<bool()>& holds);
  void TakeFailures(const Crowd& crowd);
  void Fail(const std::string& what);

  int Measure();
  void PreferServer();
  bench::Histogram MeasureFor(const Gauge& gauge, Abusers* abusers);

  const Options options_;
  const Settings settings_;
  OverloadLimits limits_;
  std::vector<HostileMessage> messages_;
  size_t connections_ = 0;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<client::Client> control_;
  uint64_t empty_bytes_ = 0;
  uint64_t resident_bytes_max_ = 0;
  uint64_t failures_ = 0;
  pid_t gauge_thread_ = 0;
  double turns_per_second_ = 1000;
};

void OverloadTest::Fail(const std::string& what) {
  if (++failures_ <= 20) std::fprintf(stderr, "WRONG: %s\n", what.c_str());
}

void OverloadTest::TakeFailures(const Crowd& crowd) {
  for (const std::string& failure : crowd.failures()) Fail(failure);
}

// The server raises its own.
void OverloadTest::RaiseOpenFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  // Of the server's too: RocksDB's and others.
  constexpr uint64_t kOtherFiles = 1024;
  connections_ = options_.connections;
  if (limit.rlim_cur < connections_ + kOtherFiles) {
    connections_ = limit.rlim_cur - kOtherFiles;
    std::printf("%llu open files are allowed, so there are fewer connections\n",
                static_cast<unsigned long long>(limit.rlim_cur));
  }
  std::printf("%zu connections\n", connections_);
}

void OverloadTest::Prepare() {
  std::printf("seed %llu\n", static_cast<unsigned long long>(options_.seed));
  std::filesystem::remove_all(options_.dir);
  std::filesystem::create_directories(options_.dir);
  RaiseOpenFileLimit();
}

client::Client OverloadTest::Connect() {
  client::ClientOptions options;
  options.answer_timeout = std::chrono::seconds(120);
  const uint64_t deadline_ns = SteadyNs() + kPatienceNs;
  while (SteadyNs() < deadline_ns) {
    auto client = client::Client::Connect(server_->address(), options);
    if (client) return std::move(*client);
    if (!server_->IsRunning()) throw std::runtime_error("the server ended by itself");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  throw std::runtime_error("the server took no connection");
}

void OverloadTest::Start(const std::vector<std::string>& args) {
  std::vector<std::string> all = args;
  all.insert(all.end(), options_.server_args.begin(), options_.server_args.end());
  server_ = std::make_unique<ServerProcess>(options_.server, options_.dir + "/data",
                                            options_.dir + "/server.log", all);
  control_ = std::make_unique<client::Client>(Connect());
  while (Stats().at("state") == "loading")
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  empty_bytes_ = bench::ResidentBytes(server_->pid()).value();
}

Json OverloadTest::Stats() {
  const auto stats = control_->Stats();
  if (!stats) throw std::runtime_error("stats: " + stats.error().message);
  const std::string& encoded = stats->encoded;
  resident_bytes_max_ =
      std::max(resident_bytes_max_, bench::ResidentBytes(server_->pid()).value_or(0));
  return Json::from_msgpack(encoded.begin(), encoded.end());
}

// The tokens that are asked for.
void OverloadTest::Fill() {
  const Gauge::Options defaults;
  for (uint64_t i = 0; i < defaults.tokens; ++i) {
    client::InsertRequest request;
    const std::string token = Gauge::Token(i);
    request.token = token;
    request.owner = Gauge::Owner(i);
    request.scopes = {"read"};
    if (const auto id = control_->Insert(request); !id) {
      throw std::runtime_error("insert: " + id.error().message);
    }
  }
  client::InsertRequest fat;
  fat.token = kFatToken;
  fat.scopes = FatScopes();
  if (const auto id = control_->Insert(fat); !id) {
    throw std::runtime_error("insert: " + id.error().message);
  }
}

std::unique_ptr<Abusers> OverloadTest::MakeAbusers() {
  auto all = std::make_unique<Abusers>(server_->address());
  const size_t room = connections_ - std::min(connections_ / 2, kSpareConnections);
  const auto add = [&](const char* kind, size_t percent, const auto& make) {
    if (!Has(kind)) return;
    for (size_t i = 0; i < std::max<size_t>(room * percent / 100, 1); ++i) make();
  };
  add("slow_writers", 30, [&] { all->slow_writers.push_back(all->slow.Add<SlowWriter>()); });
  add("endless_writers", 10,
      [&] { all->endless_writers.push_back(all->slow.Add<EndlessWriter>()); });
  // Interleaved, so that no kind has its turns in a row.
  std::vector<std::function<void()>> busy;
  add("never_readers", 1,
      [&] { busy.push_back([&] { all->never_readers.push_back(all->busy.Add<NeverReader>()); }); });
  add("slow_readers", 1,
      [&] { busy.push_back([&] { all->slow_readers.push_back(all->busy.Add<SlowReader>()); }); });
  add("flooders", 2, [&] {
    busy.push_back([&] {
      all->flooders.push_back(all->busy.Add<Flooder>(static_cast<uint32_t>(all->flooders.size())));
    });
  });
  std::mt19937_64 random(options_.seed);
  add("hostile", 2, [&] {
    busy.push_back(
        [&] { all->hostiles.push_back(all->busy.Add<HostilePeer>(&messages_, random())); });
  });
  std::shuffle(busy.begin(), busy.end(), random);
  for (const auto& make : busy) make();
  if (Has("idle")) {
    const size_t taken = all->slow.size() + all->busy.size();
    for (size_t i = taken; i < room; ++i) all->idlers.push_back(all->idle.Add<IdlePeer>());
  }
  return all;
}

std::unique_ptr<Gauge> OverloadTest::MakeGauge() {
  return std::make_unique<Gauge>(Gauge::Options{.address = server_->address(),
                                                .connections = kGoodConnections,
                                                .requests_per_second = options_.requests_per_second,
                                                .seed = options_.seed});
}

// --- whether all is right ---

void OverloadTest::Until(const std::string& what, const std::function<void()>& step,
                         const std::function<bool()>& holds) {
  const uint64_t deadline_ns = SteadyNs() + kPatienceNs;
  while (!holds()) {
    if (SteadyNs() > deadline_ns) {
      Fail("it did not come to pass: " + what);
      return;
    }
    if (!server_->IsRunning()) throw std::runtime_error("the server ended by itself");
    step();
  }
}

// All kinds at once, until each has had what it is owed.
void OverloadTest::CheckAbuse(Abusers* abusers) {
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) crowd->ConnectAll();
  const auto all = [](const auto& peers, const auto& holds) {
    return std::all_of(peers.begin(), peers.end(), holds);
  };
  const auto step = [&] {
    abusers->slow.GiveTurns(abusers->slow.size());
    abusers->busy.GiveTurns(abusers->busy.size());
    abusers->Pump(1);
    Stats();
  };
  Until("endless writers are closed", step, [&] {
    return all(abusers->endless_writers, [](auto* peer) { return peer->closed() > 0; });
  });
  Until("those that never read are closed", step,
        [&] { return all(abusers->never_readers, [](auto* peer) { return peer->closed() > 0; }); });
  Until("slow writers are answered", step, [&] {
    return all(abusers->slow_writers, [](auto* peer) { return peer->answered() > 1; });
  });
  Until("floods are answered", step,
        [&] { return all(abusers->flooders, [](auto* peer) { return peer->answered() > 1000; }); });
  Until("each hostile message is met with what it is owed", step, [&] {
    return all(abusers->hostiles, [&](auto* peer) { return peer->told() >= messages_.size(); });
  });
  for (SlowReader* peer : abusers->slow_readers) peer->AskNoMore();
  Until("slow readers get all of their answers", step, [&] {
    return all(abusers->slow_readers, [](auto* peer) {
      return peer->answered() > 10 && peer->answered() == peer->asked();
    });
  });
  for (IdlePeer* peer : abusers->idlers) peer->Ask();
  Until(
      "idle connections are served when they ask", [&] { abusers->Pump(1); },
      [&] { return all(abusers->idlers, [](auto* peer) { return peer->pongs() > 0; }); });
  for (const IdlePeer* peer : abusers->idlers) {
    if (peer->was_closed()) Fail("an idle connection was closed");
  }
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) TakeFailures(*crowd);
}

// As many as may be are served, and one more is told why not.
void OverloadTest::CheckConnectionLimit() {
  // The well-behaved and this one.
  const uint64_t open = kGoodConnections + 1;
  Until(
      "the abusers' connections are gone",
      [] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); },
      [&] { return Stats().at("connections") == open; });
  Crowd crowd(server_->address());
  std::vector<IdlePeer*> peers;
  for (uint64_t i = open; i < connections_; ++i) peers.push_back(crowd.Add<IdlePeer>());
  crowd.ConnectAll();
  for (IdlePeer* peer : peers) peer->Ask();
  Until(
      "connections up to the limit are served", [&] { crowd.Pump(1); },
      [&] {
        return std::all_of(peers.begin(), peers.end(),
                           [](auto* peer) { return peer->pongs() == 1; });
      });
  if (Stats().at("connections") != connections_) Fail("connections are not at their limit");
  auto refused = client::Client::Connect(server_->address());
  if (refused) {
    const auto pong = refused->Ping();
    if (pong || pong.error().message.find("too many connections") == std::string::npos) {
      Fail("the connection past the limit was not told so");
    }
  }
  if (Stats().at("connections_refused_total") != 1) Fail("connections_refused_total is not 1");
  TakeFailures(crowd);
}

// More than all buffers hold, of answers that are not taken: the server closes whom it must.
void OverloadTest::CheckFullBuffers() {
  Crowd crowd(server_->address());
  std::vector<NeverReader*> peers;
  // Each makes the server hold a batch of answers of 8 KiB; together four times the bound.
  const size_t count = 4 * settings_.buffer_bytes_max / settings_.output_bytes_max;
  for (size_t i = 0; i < std::min(count, connections_ / 2); ++i) {
    peers.push_back(crowd.Add<NeverReader>());
  }
  crowd.ConnectAll();
  Until(
      "buffers are full and connections closed for it",
      [&] {
        crowd.GiveTurns(crowd.size());
        crowd.Pump(1);
        Stats();
      },
      [&] {
        return std::all_of(peers.begin(), peers.end(), [](auto* peer) { return peer->closed(); });
      });
  TakeFailures(crowd);
}

// Inserts are refused at the limit and nothing that is there goes for it; a revoke makes no room,
// but is done.
void OverloadTest::CheckMemoryLimit() {
  std::vector<std::string> stored;
  bool is_full = false;
  while (!is_full) {
    std::vector<std::string> tokens;
    std::vector<client::InsertRequest> requests;
    for (size_t i = 0; i < settings_.many_max; ++i) {
      tokens.push_back("filler-" + std::to_string(stored.size() + i));
    }
    for (const std::string& token : tokens) {
      client::InsertRequest request;
      request.token = token;
      requests.push_back(request);
    }
    const auto outcomes = control_->InsertMany(requests);
    if (!outcomes) throw std::runtime_error("insert_many: " + outcomes.error().message);
    for (size_t i = 0; i < outcomes->size(); ++i) {
      const client::InsertOutcome& outcome = (*outcomes)[i];
      if (!outcome.error && !is_full) {
        stored.push_back(tokens[i]);
      } else if (!outcome.error) {
        Fail("a token was stored after one was refused for memory");
      } else {
        is_full = true;
        if (outcome.error->code != "memory_limit") Fail("an insert: " + outcome.error->code);
      }
    }
    const Json stats = Stats();
    uint64_t bytes = 0;
    for (const char* part : {"slot_bytes", "index_bytes", "wheel_bytes", "owner_bytes"}) {
      bytes += stats.at(part).get<uint64_t>();
    }
    if (bytes > settings_.memory_bytes_max) Fail("the table is larger than its limit");
  }
  std::printf("%zu tokens until memory_limit\n", stored.size());
  for (size_t first = 0; first < stored.size(); first += settings_.many_max) {
    const size_t end = std::min<size_t>(first + settings_.many_max, stored.size());
    const std::vector<client::Token> asked(stored.begin() + static_cast<ptrdiff_t>(first),
                                           stored.begin() + static_cast<ptrdiff_t>(end));
    const auto verdicts = control_->ValidateMany(asked);
    if (!verdicts) throw std::runtime_error("validate_many: " + verdicts.error().message);
    for (const client::Verdict& verdict : *verdicts) {
      if (!verdict.valid()) Fail("a live token went at the memory limit: " + verdict.reason);
    }
  }
  const auto revoked = control_->Revoke(stored[0]);
  if (!revoked || !*revoked) Fail("a revoke at the memory limit");
  const auto verdict = control_->Validate(stored[0]);
  if (!verdict || verdict->reason != "revoked") Fail("a token revoked at the memory limit");
}

void OverloadTest::CheckAsBefore() {
  Until(
      "connections and buffers are given back",
      [] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); },
      [&] {
        const Json stats = Stats();
        return stats.at("connections") == 1 && stats.at("buffered_bytes") == 0 &&
               stats.at("queue_mutations") == 0;
      });
  for (uint64_t i = 0; i < Gauge::Options().tokens; ++i) {
    const auto verdict = control_->Validate(Gauge::Token(i));
    if (!verdict || !verdict->valid() || verdict->owner != Gauge::Owner(i)) {
      Fail("a good token afterwards");
    }
  }
}

// What a sanitizer found need not show in the exit status.
void OverloadTest::CheckLog() {
  std::ifstream file(options_.dir + "/server.log");
  const std::string log(std::istreambuf_iterator<char>(file), {});
  for (const char* sign : {"SUMMARY: ", "runtime error:", "Assertion"}) {
    if (log.find(sign) == std::string::npos) continue;
    Fail(std::string("the server's log has \"") + sign + "\"");
    std::fprintf(stderr, "%s\n", log.c_str());
    return;
  }
}

int OverloadTest::Check() {
  Prepare();
  limits_ = {settings_.message_bytes_max, settings_.many_max, settings_.nesting_max};
  messages_ = HostileMessages(limits_);
  Start(settings_.Args(connections_));
  Fill();
  {
    const std::unique_ptr<Gauge> gauge = MakeGauge();
    {
      const std::unique_ptr<Abusers> abusers = MakeAbusers();
      CheckAbuse(abusers.get());
    }
    CheckConnectionLimit();
    CheckFullBuffers();
    CheckMemoryLimit();
    std::printf("%llu answers to well-behaved connections meanwhile\n",
                static_cast<unsigned long long>(gauge->latencies().count()));
    if (gauge->wrong() != 0) Fail(gauge->failure());
    if (gauge->latencies().count() < 1000) Fail("the well-behaved got too few answers");
  }
  CheckAsBefore();
  const uint64_t bound_bytes = empty_bytes_ + settings_.MemoryBytes(connections_);
  std::printf("resident: %.1f MiB empty, %.1f MiB at most; the settings allow %.1f MiB\n",
              static_cast<double>(empty_bytes_) / kMiB,
              static_cast<double>(resident_bytes_max_) / kMiB,
              static_cast<double>(bound_bytes) / kMiB);
  if (options_.memory_is_bounded && resident_bytes_max_ > bound_bytes) {
    Fail("more memory than the settings allow");
  }
  control_.reset();
  const int status = server_->Stop();
  if (status != 0) Fail("SIGTERM ended the server with status " + std::to_string(status));
  CheckLog();
  if (failures_ != 0) {
    std::fprintf(stderr, "%llu wrong; run again with --seed %llu\n",
                 static_cast<unsigned long long>(failures_),
                 static_cast<unsigned long long>(options_.seed));
    return 1;
  }
  std::filesystem::remove_all(options_.dir);
  std::puts("each was answered or closed as it should be");
  return 0;
}

// --- what it costs the others ---

uint64_t ProcessCpuNs(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

void SetPolicy(pid_t thread, int policy) {
  const sched_param priority{.sched_priority = policy == SCHED_FIFO ? 1 : 0};
  if (sched_setscheduler(thread, policy, &priority) != 0) {
    throw std::runtime_error(std::string("sched_setscheduler: ") + std::strerror(errno));
  }
}

// The gauge and the server have a processor as soon as they want one, whatever else this machine
// does: then what is measured is the server's order of doing things. All of its threads, since a
// loop may wait for one that rings its bell.
void OverloadTest::PreferServer() {
  SetPolicy(gauge_thread_, SCHED_FIFO);
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(server_->pid()) + "/task")) {
    SetPolicy(std::stoi(task.path().filename()), SCHED_FIFO);
  }
}

// What the gauge saw for a while. Abusers act so much that the server uses the share of a
// processor that it may; the slow ones send a byte a second.
bench::Histogram OverloadTest::MeasureFor(const Gauge& gauge, Abusers* abusers) {
  constexpr uint64_t kTickNs = 200'000;
  constexpr uint64_t kControlNs = 100'000'000;
  constexpr double kCatchUpSeconds = 0.0005;
  const bench::Histogram before = gauge.latencies();
  const Json turns_before = Stats().at("loop_turns");
  const uint64_t started_ns = SteadyNs();
  const auto end_ns = started_ns + static_cast<uint64_t>(options_.seconds * 1e9);
  uint64_t control_ns = started_ns + kControlNs;
  uint64_t cpu_ns = ProcessCpuNs(server_->pid());
  const uint64_t cpu_started_ns = cpu_ns;
  uint64_t last_ns = started_ns;
  double busy_turns = 0, slow_turns = 0, given_seconds = 0;
  for (uint64_t now_ns = started_ns; now_ns < end_ns; now_ns = SteadyNs()) {
    const double seconds = static_cast<double>(now_ns - last_ns) / 1e9;
    last_ns = now_ns;
    if (abusers != nullptr) {
      // What could not be done in time is not made up for: that would be a burst, and no limit.
      const double had_seconds = std::min(seconds, kCatchUpSeconds);
      given_seconds += had_seconds;
      busy_turns += had_seconds * turns_per_second_;
      slow_turns += had_seconds * static_cast<double>(abusers->slow.size());
      abusers->busy.GiveTurns(static_cast<size_t>(busy_turns));
      busy_turns -= static_cast<double>(static_cast<size_t>(busy_turns));
      abusers->slow.GiveTurns(static_cast<size_t>(slow_turns));
      slow_turns -= static_cast<double>(static_cast<size_t>(slow_turns));
      abusers->Pump(0);
      if (now_ns >= control_ns) {
        const uint64_t cpu_now_ns = ProcessCpuNs(server_->pid());
        const double share = static_cast<double>(cpu_now_ns - cpu_ns) /
                             static_cast<double>(now_ns - control_ns + kControlNs);
        // As though turns had come without a gap.
        const double wanted = options_.server_cpu_share * given_seconds /
                              (static_cast<double>(now_ns - control_ns + kControlNs) / 1e9);
        given_seconds = 0;
        turns_per_second_ *= std::clamp(wanted / share, 0.8, 1.25);
        turns_per_second_ = std::clamp(turns_per_second_, 10.0, 1e6);
        cpu_ns = cpu_now_ns;
        control_ns = now_ns + kControlNs;
      }
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(kTickNs));
  }
  const bench::Histogram since = gauge.latencies().Since(before);
  const auto us = [&](double fraction) {
    return static_cast<double>(since.PercentileNs(fraction)) / 1000;
  };
  std::printf("%-8s %8llu requests  p50 %8.1f  p99 %8.1f  p99.9 %8.1f us   server's CPU %3.0f %%\n",
              abusers == nullptr ? "quiet" : "abused",
              static_cast<unsigned long long>(since.count()), us(0.5), us(0.99), us(0.999),
              100.0 * static_cast<double>(ProcessCpuNs(server_->pid()) - cpu_started_ns) /
                  static_cast<double>(SteadyNs() - started_ns));
  const Json turns = Stats().at("loop_turns");
  const auto turns_within = [&](const char* us_max) {
    return turns.at(us_max).get<uint64_t>() - turns_before.at(us_max).get<uint64_t>();
  };
  const uint64_t all = turns_within("inf");
  std::printf("         turns of the loop: %llu, longer than 100 us %llu, 1 ms %llu, 10 ms %llu\n",
              static_cast<unsigned long long>(all),
              static_cast<unsigned long long>(all - turns_within("100")),
              static_cast<unsigned long long>(all - turns_within("1000")),
              static_cast<unsigned long long>(all - turns_within("10000")));
  return since;
}

int OverloadTest::Measure() {
  Prepare();
  limits_ = {4 * kMiB, 10000, 16};  // the defaults
  messages_ = HostileMessages(limits_);
  // Time for a message that is written a byte a second, and not at all while it is quiet.
  Start({"--threads", "1", "--connections-max", std::to_string(connections_),
         "--message-timeout-ms", "600000"});
  Fill();
  const std::unique_ptr<Gauge> gauge = MakeGauge();
  gauge_thread_ = gauge->thread_id();
  // This thread is the abusers' alone from here on, and gives way: what the gauge waits for should
  // be the server.
  if (options_.realtime) {
    PreferServer();
  } else {
    SetPolicy(0, SCHED_IDLE);
  }
  // Connected in both halves: what they do is measured, not that they are there.
  const std::unique_ptr<Abusers> abusers = MakeAbusers();
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) crowd->ConnectAll();
  std::vector<double> quiet_us, abused_us;
  for (size_t round = 0; round <= options_.rounds; ++round) {
    const bench::Histogram quiet = MeasureFor(*gauge, nullptr);
    const bench::Histogram abused = MeasureFor(*gauge, abusers.get());
    if (round == 0) continue;  // for the abusers' rate to settle
    quiet_us.push_back(static_cast<double>(quiet.PercentileNs(0.99)) / 1000);
    abused_us.push_back(static_cast<double>(abused.PercentileNs(0.99)) / 1000);
  }
  std::sort(quiet_us.begin(), quiet_us.end());
  std::sort(abused_us.begin(), abused_us.end());
  const auto at = [](const std::vector<double>& sorted, double fraction) {
    return sorted[static_cast<size_t>(fraction * static_cast<double>(sorted.size() - 1))];
  };
  for (const auto& [name, sorted] : {std::pair("quiet", &quiet_us), {"abused", &abused_us}}) {
    std::printf("p99 of %zu rounds, %-6s: lower quartile %.1f, median %.1f, upper %.1f us\n",
                sorted->size(), name, at(*sorted, 0.25), at(*sorted, 0.5), at(*sorted, 0.75));
  }
  std::printf("ratio of the medians %.2f\n", at(abused_us, 0.5) / at(quiet_us, 0.5));
  Stats();
  std::printf("%.0f turns of busy abusers a second; resident %.1f MiB at most\n", turns_per_second_,
              static_cast<double>(resident_bytes_max_) / kMiB);
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) TakeFailures(*crowd);
  if (gauge->wrong() != 0) Fail(gauge->failure());
  return failures_ == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tokend::testing

int main(int argc, char** argv) {
  tokend::testing::Options options;
  options.seed = std::random_device()();
  CLI::App app("Looks what becomes of a tokend, and of its other clients, among abusers.");
  app.add_option("--server", options.server, "The tokend to test")->required();
  app.add_option("--dir", options.dir, "Scratch directory; emptied first")->capture_default_str();
  app.add_option("--server-arg", options.server_args, "A further argument for tokend");
  app.add_option("--connections", options.connections, "Connections in all")
      ->check(CLI::Range(size_t{100}, size_t{1'000'000}))
      ->capture_default_str();
  app.add_flag("!--memory-unbounded", options.memory_is_bounded,
               "Do not compare the server's memory with its settings (for sanitizers)");
  app.add_flag("--measure", options.measure, "Print latencies in quiet and beside abusers");
  app.add_flag("--realtime", options.realtime,
               "With --measure: real-time priority for the server and the well-behaved");
  app.add_option("--kinds", options.kinds, "With --measure: these abusers alone")
      ->delimiter(',')
      ->check(CLI::IsMember({"idle", "slow_writers", "endless_writers", "never_readers",
                             "slow_readers", "flooders", "hostile"}));
  app.add_option("--rounds", options.rounds, "Of quiet and abuse")->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each half of a round")->capture_default_str();
  app.add_option("--rate", options.requests_per_second, "Well-behaved requests a second")
      ->capture_default_str();
  app.add_option("--cpu-share", options.server_cpu_share, "Of a processor, for the server")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Random unless given");
  CLI11_PARSE(app, argc, argv);
  try {
    return tokend::testing::OverloadTest(options).Run();
  } catch (const std::exception& error) {
    std::cerr << "overload-test: " << error.what() << std::endl;
    return 2;
  }
}
