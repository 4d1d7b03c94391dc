#include "tests/system/overload_scene.h"

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <random>
#include <stdexcept>
#include <thread>

#include "bench/process_stats.h"

namespace tokend::testing {
namespace {

// Left free for peers that connect anew before the server has seen them go.
constexpr size_t kSpareConnections = 200;

}  // namespace

void OverloadScene::Fail(const std::string& what) {
  if (++failures_ <= 20) std::fprintf(stderr, "WRONG: %s\n", what.c_str());
}

void OverloadScene::TakeFailures(const Crowd& crowd) {
  for (const std::string& failure : crowd.failures()) Fail(failure);
}

// The server raises its own.
void OverloadScene::RaiseOpenFileLimit() {
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

OverloadScene::OverloadScene(const OverloadOptions& options) : options_(options) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(options_.seed));
  std::filesystem::remove_all(options_.dir);
  std::filesystem::create_directories(options_.dir);
  RaiseOpenFileLimit();
}

client::Client OverloadScene::Connect() {
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

void OverloadScene::Start(const std::vector<std::string>& args) {
  std::vector<std::string> all = args;
  all.insert(all.end(), options_.server_args.begin(), options_.server_args.end());
  server_ = std::make_unique<ServerProcess>(options_.server, options_.dir + "/data",
                                            options_.dir + "/server.log", all);
  control_ = std::make_unique<client::Client>(Connect());
  while (Stats().at("state") == "loading")
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  empty_bytes_ = bench::ResidentBytes(server_->pid()).value();
}

nlohmann::json OverloadScene::Stats() {
  const auto stats = control_->Stats();
  if (!stats) throw std::runtime_error("stats: " + stats.error().message);
  const std::string& encoded = stats->encoded;
  resident_bytes_max_ =
      std::max(resident_bytes_max_, bench::ResidentBytes(server_->pid()).value_or(0));
  return Json::from_msgpack(encoded.begin(), encoded.end());
}

void OverloadScene::Fill() {
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

std::unique_ptr<Abusers> OverloadScene::MakeAbusers() {
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

std::unique_ptr<Gauge> OverloadScene::MakeGauge() {
  return std::make_unique<Gauge>(Gauge::Options{.address = server_->address(),
                                                .connections = kGoodConnections,
                                                .requests_per_second = options_.requests_per_second,
                                                .seed = options_.seed});
}

}  // namespace tokend::testing
