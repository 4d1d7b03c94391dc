// OverloadScene: a server with a few tokens, abusers of each kind, and a gauge of what well-behaved
// connections see beside them. What is done with them is the derived class's.
//
// One thread; the gauge has one of its own.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/client.h"
#include "tests/system/overload_abusers.h"
#include "tests/system/overload_crowd.h"
#include "tests/system/overload_gauge.h"
#include "tests/system/server_process.h"

namespace tokend::testing {

inline constexpr uint64_t kMiB = 1 << 20;

struct OverloadOptions {
  std::string server = "tokend";
  std::string dir = "overload-test-data";
  std::vector<std::string> server_args;
  size_t connections = 10000;
  bool memory_is_bounded = true;
  bool realtime = false;
  std::vector<std::string> kinds;
  size_t rounds = 20;
  double seconds = 1;
  double requests_per_second = 1000;
  double server_cpu_share = 0.5;
  uint64_t seed = 0;
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

// Throws std::runtime_error where it cannot go on.
class OverloadScene {
 public:
  OverloadScene(const OverloadScene&) = delete;
  OverloadScene& operator=(const OverloadScene&) = delete;

 protected:
  using Json = nlohmann::json;

  static constexpr uint64_t kPatienceNs = 240'000'000'000;
  static constexpr size_t kGoodConnections = 16;

  // Makes the scratch directory, and finds out how many connections there may be.
  explicit OverloadScene(const OverloadOptions& options);
  ~OverloadScene() = default;

  void Start(const std::vector<std::string>& args);
  // Stores the tokens that are asked for.
  void Fill();
  // Notes how much memory the server has, too.
  Json Stats();
  std::unique_ptr<Abusers> MakeAbusers();
  std::unique_ptr<Gauge> MakeGauge();
  void Fail(const std::string& what);
  void TakeFailures(const Crowd& crowd);

  const OverloadOptions options_;
  size_t connections_ = 0;
  std::vector<HostileMessage> messages_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<client::Client> control_;
  uint64_t empty_bytes_ = 0;  // resident, right after the start
  uint64_t resident_bytes_max_ = 0;
  uint64_t failures_ = 0;

 private:
  void RaiseOpenFileLimit();
  client::Client Connect();
  bool Has(const std::string& kind) const {
    return options_.kinds.empty() ||
           std::find(options_.kinds.begin(), options_.kinds.end(), kind) != options_.kinds.end();
  }
};

}  // namespace tokend::testing
