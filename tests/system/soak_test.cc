// soak-test: tokend under load for minutes or hours. Tokens come and go (insert, extend, revoke by
// token and by owner, expiry after seconds, purges), others stay; the server is stopped and killed
// and started again; backups are made, verified and restored. Nothing that was acknowledged may be
// lost, and from the middle on, where one server runs to the end, its memory and its disk may not
// grow (flatness.h).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/process_stats.h"
#include "client/client.h"
#include "tests/system/backup_work.h"
#include "tests/system/churn.h"
#include "tests/system/connect.h"
#include "tests/system/crash_writer.h"
#include "tests/system/failures.h"
#include "tests/system/flatness.h"
#include "tests/system/ledger_check.h"
#include "tests/system/server_process.h"
#include "tests/test_seed.h"

namespace tokend::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kChurners = 2;
constexpr uint64_t kStayingBatches = 40;  // 20,000 tokens
constexpr double kRestarts = 6;           // in the first half
constexpr double kBackups = 16;
// Of a shorter run the second half is warming up still.
constexpr double kJudgedSecondsMin = 120;
// Below that a rise is a buffer: of memory a write buffer, of the disk a log.
constexpr double kMemoryFloor = 8 << 20;
constexpr double kDiskFloor = 8 << 20;
// Small, so that what fills up slowly is full when it begins to count.
const std::vector<std::string> kServerArgs = {
    "--retention-ms",      "5000",    "--write-buffer-bytes",      "4194304",
    "--block-cache-bytes", "4194304", "--usage-flush-interval-ms", "1000",
    "--backup-keep",       "2"};

struct SoakOptions {
  std::string server;
  std::string dir = "soak-test-data";
  std::string samples_path;
  double seconds = 600;
};

uint64_t NowMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

// What the files below a directory take. Files go while they are counted.
uint64_t BytesBelow(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    const uint64_t size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

ChurnOptions OptionsOfChurner(uint64_t seed, size_t number) {
  return {.seed = seed + number,
          .ttl_ms_min = 1000,
          .ttl_ms_max = 8000,
          .held_max = 3000,
          .owners = 200,
          .writes_a_step = 32,
          .pause_ms = 20};
}

class SoakTest {
 public:
  SoakTest(const SoakOptions& options, uint64_t seed)
      : options_(options),
        random_(seed),
        plan_(seed, NowMs()),
        written_{&plan_, Ledger(kStayingBatches * kBatchTokens)},
        check_(&written_, &failures_),
        backups_(options.server, DataDir(), options.dir, LogPath(), &failures_) {
    for (size_t i = 0; i < kChurners; ++i) {
      churners_.push_back(std::make_unique<Churn>(OptionsOfChurner(seed, i), &failures_));
    }
    fs::remove_all(options_.dir);
    fs::create_directories(options_.dir);
  }

  int Run();

 private:
  std::string DataDir() const { return options_.dir + "/data"; }
  std::string LogPath() const { return options_.dir + "/server.log"; }
  double SinceStart() const { return static_cast<double>(SteadyNs() - started_ns_) / 1e9; }
  uint64_t Writes() const {
    uint64_t writes = 0;
    for (const auto& churner : churners_) writes += churner->writes();
    return writes;
  }

  void Start();
  void WriteWhatStays();
  void StartLoad();
  // Samples each second, and makes backups when they are due, until that time.
  void WatchUntil(double end_s);
  void TakeSample();
  void MakeBackup();
  void EndServer(bool by_kill);
  bool JudgeFlatness();

  const SoakOptions options_;
  Failures failures_;
  std::mt19937_64 random_;
  const CrashPlan plan_;
  Written written_;
  LedgerCheck check_;
  BackupWork backups_;
  std::vector<std::unique_ptr<Churn>> churners_;
  std::unique_ptr<ServerProcess> server_;
  std::vector<std::thread> load_;
  std::atomic<bool> stop_{false};
  uint64_t started_ns_ = 0;
  double next_backup_s_ = 0;
  uint64_t writes_sampled_ = 0;
  std::ofstream samples_;
  std::vector<Sample> memory_, disk_;  // of the second half
};

void SoakTest::Start() {
  server_ = std::make_unique<ServerProcess>(options_.server, DataDir(), LogPath(), kServerArgs);
  client::Client client = Connect(*server_);
  WaitUntilReady(&client, [&] { (void)check_.CheckSome(&client, &random_); });
  for (const auto& churner : churners_) churner->CheckAll(&client);
  check_.CheckAll(&client);
  check_.CheckRecords(&client, &random_, 100);
}

void SoakTest::WriteWhatStays() {
  CrashWriter writer(&written_, Connect(*server_), kStayingBatches);
  for (const std::string& failure : writer.Run([](uint64_t /*count*/) {})) failures_.Add(failure);
}

void SoakTest::StartLoad() {
  stop_ = false;
  for (const auto& churner : churners_) {
    load_.emplace_back([this, &churner, client = Connect(*server_)]() mutable {
      churner->Run(std::move(client), stop_);
    });
  }
  load_.emplace_back([this, seed = random_(), client = Connect(*server_)]() mutable {
    std::mt19937_64 random(seed);
    while (!stop_ && check_.CheckSome(&client, &random)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
}

void SoakTest::TakeSample() {
  const double at_s = SinceStart();
  const uint64_t resident = bench::ResidentBytes(server_->pid()).value_or(0);
  const uint64_t disk = BytesBelow(DataDir() + "/db");
  const uint64_t writes = Writes();
  samples_ << at_s << ',' << resident << ',' << disk << ',' << BytesBelow(DataDir() + "/backup")
           << ',' << writes - writes_sampled_ << std::endl;
  writes_sampled_ = writes;
  if (at_s < options_.seconds / 2) return;
  memory_.push_back({at_s, static_cast<double>(resident)});
  disk_.push_back({at_s, static_cast<double>(disk)});
}

void SoakTest::MakeBackup() {
  backups_.MakeOne(Connect(*server_), written_);
  backups_.VerifyAll(written_);
  if (backups_.answered() % 2 == 0) backups_.RestoreLatest(written_);
}

void SoakTest::WatchUntil(double end_s) {
  while (SinceStart() < end_s) {
    TakeSample();
    if (SinceStart() >= next_backup_s_) {
      MakeBackup();
      next_backup_s_ = SinceStart() + options_.seconds / kBackups;
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
    if (!server_->IsRunning()) throw std::runtime_error("the server ended; see " + LogPath());
  }
}

void SoakTest::EndServer(bool by_kill) {
  std::printf("%6.0f s: %s, after %llu writes\n", SinceStart(), by_kill ? "kill -9" : "SIGTERM",
              static_cast<unsigned long long>(Writes()));
  std::fflush(stdout);
  if (by_kill) {
    server_->Kill();
  } else if (const int status = server_->Stop(); status != 0) {
    failures_.Add("SIGTERM ended the server with status " + std::to_string(status));
  }
  stop_ = true;
  for (std::thread& thread : load_) thread.join();
  load_.clear();
}

bool SoakTest::JudgeFlatness() {
  bool is_flat = true;
  const auto judge = [&](const char* what, const std::vector<Sample>& samples, double floor) {
    constexpr double kMiB = 1 << 20;
    const bool flat = IsFlat(samples, floor);
    std::printf(
        "%s in the second half: %.1f MiB on average, %+.1f MiB from its start to its end%s\n", what,
        MeanOf(samples) / kMiB, RiseOf(samples) / kMiB, flat ? "" : ": it grows");
    is_flat = is_flat && flat;
  };
  judge("memory", memory_, kMemoryFloor);
  judge("disk", disk_, kDiskFloor);
  return is_flat;
}

int SoakTest::Run() {
  samples_.open(options_.samples_path);
  samples_ << "seconds,resident_bytes,disk_bytes,backup_bytes,writes" << std::endl;
  Start();
  WriteWhatStays();
  started_ns_ = SteadyNs();
  next_backup_s_ = options_.seconds / kBackups / 2;
  const double half_s = options_.seconds / 2;
  for (int life = 1; life <= kRestarts; ++life) {
    StartLoad();
    WatchUntil(half_s * life / kRestarts);
    EndServer(/*by_kill=*/life % 3 == 0);
    Start();
  }
  StartLoad();
  WatchUntil(options_.seconds);
  EndServer(/*by_kill=*/false);
  Start();
  MakeBackup();
  EndServer(/*by_kill=*/false);

  uint64_t checks = 0;
  for (const auto& churner : churners_) checks += churner->checks();
  std::printf(
      "%llu writes and %llu checks of tokens that come and go, %llu tokens that stay, "
      "%llu backups\n",
      static_cast<unsigned long long>(Writes()), static_cast<unsigned long long>(checks),
      static_cast<unsigned long long>(written_.tokens()),
      static_cast<unsigned long long>(backups_.answered()));
  bool is_good = failures_.count() == 0;
  if (is_good) std::puts("nothing was lost");
  if (half_s >= kJudgedSecondsMin) {
    is_good = JudgeFlatness() && is_good;
  } else {
    std::printf("too short to tell whether memory and disk stay flat: that takes %.0f s\n",
                2 * kJudgedSecondsMin);
  }
  if (is_good) fs::remove_all(options_.dir);
  return is_good ? 0 : 1;
}

}  // namespace
}  // namespace tokend::testing

int main(int argc, char** argv) {
  tokend::testing::SoakOptions options;
  double minutes = 10;
  uint64_t seed = 0;
  CLI::App app("Load, restarts, kill -9 and backups: is anything lost, do memory and disk grow?");
  app.add_option("--server", options.server, "The tokend to test")->required();
  app.add_option("--dir", options.dir, "Scratch directory; emptied first")->capture_default_str();
  app.add_option("--minutes", minutes, "How long")
      ->check(CLI::Range(0.1, 100'000.0))
      ->capture_default_str();
  app.add_option("--samples", options.samples_path, "Where the samples go, as CSV")->required();
  const CLI::Option* const seed_option =
      app.add_option("--seed", seed, "Of the load; TOKEND_TEST_SEED or random unless given");
  CLI11_PARSE(app, argc, argv);
  options.seconds = minutes * 60;
  if (seed_option->count() == 0) seed = tokend::TestSeed();
  try {
    return tokend::testing::SoakTest(options, seed).Run();
  } catch (const std::exception& error) {
    std::cerr << "soak-test: " << error.what() << std::endl;
    return 2;
  }
}
