#include "tests/system/crash_round.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include "bench/process_stats.h"
#include "tests/system/connect.h"
#include "tests/system/crash_writer.h"

namespace tokend::testing {
namespace {

// What a kill under load, or at a point of it, may write.
constexpr uint64_t kBusyBatches = 20;
// A point that has not been passed by then never will be.
constexpr std::chrono::seconds kPointPatience(120);

// What is rare otherwise comes within a second or two: files of RocksDB, old backups, usage.
std::vector<std::string> BusyArgs(std::string_view point) {
  // Where usage is written often, no token is left that expires before its usage is.
  const char* const usage_flush_interval_ms = point == "reclaim.dropped" ? "60000" : "100";
  return {"--write-buffer-bytes", "1048576", "--usage-flush-interval-ms", usage_flush_interval_ms,
          "--backup-keep",        "2",       "--import-direct-rows",      "100"};
}

// Of all files there; what is not on the disk yet is brought there first.
void DropCache(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    const bool dropped =
        file >= 0 && fsync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0;
    if (file >= 0) close(file);
    if (!dropped)
      throw std::runtime_error("cannot drop what is cached of " + entry.path().string());
  }
}

uint64_t NowMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

CrashRound::CrashRound(const CrashOptions& options, uint64_t seed, Failures* failures)
    : options_(options),
      failures_(*failures),
      random_(seed),
      plan_(seed, NowMs()),
      written_{&plan_,
               // Room for what is still being written when the last kill comes.
               Ledger((options.tokens / kBatchTokens + 200 +
                       (options.busy_kills + options.points + 1) * kBusyBatches) *
                      kBatchTokens)},
      check_(&written_, failures),
      churn_({.seed = seed}, failures),
      imports_(options.busy_kills + options.points, seed, NowMs(), failures),
      backups_(options.server, DataDir(), options.dir, LogPath(), failures) {
  std::filesystem::remove_all(options_.dir);
  std::filesystem::create_directories(options_.dir);
}

std::unique_ptr<ServerProcess> CrashRound::Start(const std::string& crash_at,
                                                 const std::vector<std::string>& more_args) {
  std::vector<std::string> args = options_.server_args;
  if (audits()) args.insert(args.end(), {"--audit-file", AuditPath()});
  args.insert(args.end(), more_args.begin(), more_args.end());
  return std::make_unique<ServerProcess>(options_.server, DataDir(), LogPath(), args, crash_at);
}

// --- at random moments while it writes and while it loads ---

void CrashRound::WriteUntilKilled(uint64_t kill_at) {
  CrashWriter writer(&written_, Connect(*server_), written_.ledger.size() / kBatchTokens);
  std::thread killer;
  const uint64_t acknowledged_before = acknowledged_;
  const auto delay = std::chrono::microseconds(random_() % 20000);
  const uint64_t started_ns = SteadyNs();
  uint64_t killed_ns = 0;
  const std::vector<std::string> failures = writer.Run([&](uint64_t count) {
    acknowledged_ = acknowledged_before + count;
    if (acknowledged_ < kill_at || killer.joinable()) return;
    killed_ns = SteadyNs();
    killer = std::thread([this, delay] {
      std::this_thread::sleep_for(delay);
      server_->Kill();
    });
  });
  for (const std::string& failure : failures) failures_.Add(failure);
  if (!killer.joinable()) {
    throw std::runtime_error("the server hung up before it was killed; see " + LogPath());
  }
  killer.join();
  figures_.acknowledged_per_second = static_cast<double>(acknowledged_ - acknowledged_before) *
                                     1e9 / static_cast<double>(killed_ns - started_ns);
  std::printf("killed -9 after %llu acknowledged tokens (%.0f/s)\n",
              static_cast<unsigned long long>(acknowledged_), figures_.acknowledged_per_second);
}

// A crash during recovery must cost nothing either.
void CrashRound::KillWhileLoading() {
  const auto server = Start();
  std::this_thread::sleep_for(std::chrono::microseconds(random_() % 60000));
  server->Kill();
}

void CrashRound::Restart() {
  if (options_.cold) DropCache(DataDir());
  const uint64_t token = check_.TokenThatIs(TokenFate::kLive, &random_).value();
  const std::string text = plan_.Token(token);
  server_ = Start();
  const uint64_t started_ns = server_->started_ns();
  const auto since_start_ms = [&] { return static_cast<double>(SteadyNs() - started_ns) / 1e6; };
  client::Client client = Connect(*server_);
  while (true) {
    const auto verdict = client.Validate(text);
    if (!verdict) throw std::runtime_error("validate: " + verdict.error().message);
    if (verdict->kind == client::Verdict::Kind::kCannotSay) {
      failures_.Add("the first answer after the restart says nothing: " + verdict->reason);
      continue;
    }
    figures_.first_answer_ms = since_start_ms();
    TokenFate fate = TokenFate::kAbsent;
    if (!plan_.FateOf(token, *verdict, &fate) || fate != TokenFate::kLive) {
      failures_.Add("the first answer after the restart, for token " + std::to_string(token));
    }
    break;
  }
  WaitUntilReady(&client, [&] {
    if (options_.alone) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } else {
      check_.CheckSome(&client, &random_);
    }
  });
  figures_.loaded_ms = since_start_ms();
  figures_.resident_bytes = bench::ResidentBytes(server_->pid()).value_or(0);
  figures_.tokens = check_.CheckAll(&client);
  check_.CheckRecords(&client, &random_, 500);
}

// --- under all kinds of load, and at crash points ---

void CrashRound::LoadUntilGone(const std::function<void(std::atomic<bool>* stop)>& end) {
  std::atomic<bool> stop{false};
  desk_.Open();
  std::vector<std::thread> threads;
  const auto start = [&](auto work) {
    std::optional<client::Client> client = ConnectUnlessGone(*server_);
    if (!client) return;
    threads.emplace_back(
        [work, client = std::move(*client)]() mutable { work(std::move(client)); });
  };
  start([&](client::Client client) { churn_.Run(std::move(client), stop); });
  start([&](client::Client client) { imports_.Run(std::move(client), stop); });
  start([&](client::Client client) { backups_.Run(std::move(client), &desk_, stop); });
  if (std::optional<client::Client> client = ConnectUnlessGone(*server_)) {
    CrashWriter writer(&written_, std::move(*client), written_.next_batch + kBusyBatches);
    const std::vector<std::string> failures =
        writer.Run([&](uint64_t /*count*/) { desk_.Serve(written_.ledger); });
    for (const std::string& failure : failures) failures_.Add(failure);
  }
  desk_.Close(written_.ledger);
  end(&stop);
  for (std::thread& thread : threads) thread.join();
}

void CrashRound::KillWhenBusy() {
  EndServer();
  server_ = Start({}, BusyArgs({}));
  const uint64_t delay_ms = random_() % 1500;
  std::printf("killing -9 under load after %llu ms\n", static_cast<unsigned long long>(delay_ms));
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    server_->Kill();
  });
  LoadUntilGone([&](std::atomic<bool>* /*stop*/) { killer.join(); });
  CompareAll(/*with_restore=*/random_() % 2 == 0);
}

void CrashRound::ExpectCrash(ServerProcess* server, const std::string& at) {
  const bool ended = server->WaitForEnd(kPointPatience);
  const int signal = server->Kill();
  if (!ended) failures_.Add(at + " was never passed");
  if (signal != SIGKILL) failures_.Add(at + ": the server ended by itself before");
}

void CrashRound::CrashAtPoints() {
  std::vector<CrashCase> cases;
  for (const CrashCase& crash_case : kCrashCases) {
    if (options_.point.empty() || crash_case.point == options_.point) cases.push_back(crash_case);
  }
  std::shuffle(cases.begin(), cases.end(), random_);
  // Each scene has its turn before any has a second one.
  std::map<CrashScene, size_t> turns;
  std::vector<std::pair<size_t, CrashCase>> ordered;
  for (const CrashCase& crash_case : cases) {
    ordered.emplace_back(turns[crash_case.scene]++, crash_case);
  }
  std::ranges::stable_sort(ordered, {}, &std::pair<size_t, CrashCase>::first);
  for (uint64_t i = 0; i < options_.points; ++i) {
    const CrashCase& crash_case = ordered[i % ordered.size()].second;
    CrashAt(crash_case,
            options_.last_passages ? crash_case.passages : 1 + random_() % crash_case.passages);
  }
}

void CrashRound::CrashAt(const CrashCase& crash_case, uint64_t passage) {
  const std::string at = std::string(crash_case.point) + ":" + std::to_string(passage);
  std::printf("crashing at %s\n", at.c_str());
  std::fflush(stdout);
  EndServer();
  switch (crash_case.scene) {
    case CrashScene::kBusy:
      server_ = Start(at, BusyArgs(crash_case.point));
      LoadUntilGone([&](std::atomic<bool>* /*stop*/) { ExpectCrash(server_.get(), at); });
      CompareAll(/*with_restore=*/at.starts_with("backup.") || random_() % 4 == 0);
      break;
    case CrashScene::kStopping:
      server_ = Start(at, BusyArgs(crash_case.point));
      LoadUntilGone([&](std::atomic<bool>* stop) {
        *stop = true;
        server_->AskToStop();
        ExpectCrash(server_.get(), at);
      });
      CompareAll(/*with_restore=*/false);
      break;
    case CrashScene::kOpening:
      server_ = Start(at, BusyArgs(crash_case.point));
      ExpectCrash(server_.get(), at);
      CompareAll(/*with_restore=*/false);
      break;
    case CrashScene::kFresh:
      CrashWhenFresh(at);
      break;
    case CrashScene::kRestoring:
      CrashWhenRestoring(at);
      break;
    case CrashScene::kRepairing:
      CrashWhenRepairing(at);
      break;
  }
}

void CrashRound::CrashWhenFresh(const std::string& at) {
  const std::string data_dir = options_.dir + "/fresh";
  {
    ServerProcess crashing(options_.server, data_dir, LogPath(), options_.server_args, at);
    ExpectCrash(&crashing, at);
  }
  {
    ServerProcess server(options_.server, data_dir, LogPath(), options_.server_args);
    client::Client client = Connect(server);
    WaitUntilReady(&client);
    client::InsertRequest request;
    request.token = client::Token("first");
    if (!client.Insert(request)) failures_.Add("no insert after a crash of the first start");
  }
  std::filesystem::remove_all(data_dir);
  CompareAll(/*with_restore=*/false);
}

void CrashRound::CrashWhenRestoring(const std::string& at) {
  server_ = Start({}, BusyArgs({}));
  backups_.MakeOne(Connect(*server_), written_);
  EndServer();
  backups_.VerifyAll(written_);
  backups_.RestoreLatest(written_, at);
  CompareAll(/*with_restore=*/false);
}

// The first repair is cut short. Nothing is damaged, so after the second all is there. In between
// the server either has everything or does not start.
void CrashRound::CrashWhenRepairing(const std::string& at) {
  const std::vector<std::string> args = {"--repair", "--data-dir", DataDir()};
  if (RunProgram(options_.server, args, LogPath(), at) != -SIGKILL) {
    failures_.Add(at + " was never passed");
  }
  server_ = Start();
  std::optional<client::Client> client = ConnectUnlessGone(*server_);
  if (client && client->Ping()) {
    WaitUntilReady(&*client);
    check_.CheckAll(&*client);
  } else if (!server_->WaitForEnd(kPointPatience)) {
    failures_.Add(at + ": the server neither starts after it nor ends");
  }
  server_->Kill();
  if (RunProgram(options_.server, args, LogPath()) != 0) {
    failures_.Add("a repair that was cut short cannot be repeated");
  }
  CompareAll(/*with_restore=*/false);
  for (const auto& entry : std::filesystem::directory_iterator(DataDir())) {
    if (entry.path().filename().string().starts_with("db.damaged-")) {
      std::filesystem::remove_all(entry.path());
    }
  }
}

void CrashRound::EndServer() {
  if (server_ == nullptr) return;
  if (random_() % 2 == 0) {
    server_->Kill();
  } else {
    StopServer();
  }
  server_.reset();
}

void CrashRound::StopServer() {
  if (const int status = server_->Stop(); status != 0) {
    failures_.Add("SIGTERM ended the server with status " + std::to_string(status));
  }
  if (audits()) CheckAudit();
}

// Whatever has happened to those who wrote it: each line follows on the one before it.
void CrashRound::CheckAudit() {
  std::ifstream file(AuditPath(), std::ios::binary);
  file.seekg(static_cast<std::streamoff>(audit_bytes_));
  for (std::string line; std::getline(file, line); audit_bytes_ += line.size() + 1) {
    const auto link = ReadAuditLink(line);
    if (file.eof() || !link || link->seq != audit_head_.seq + 1 || link->prev != audit_head_.hash) {
      failures_.Add("the audit log is broken after line " + std::to_string(audit_head_.seq));
      return;
    }
    audit_head_ = HeadOf(link->seq, line);
  }
}

void CrashRound::CompareAll(bool with_restore) {
  backups_.VerifyAll(written_);
  server_ = Start();
  client::Client client = Connect(*server_);
  WaitUntilReady(&client, [&] { check_.CheckSome(&client, &random_); });
  churn_.CheckAll(&client);
  check_.CheckAll(&client);
  check_.CheckRecords(&client, &random_, 100);
  imports_.CheckAll(&client);
  if (with_restore) backups_.RestoreLatest(written_);
}

void CrashRound::ExpectUnknownPointsRefused() {
  constexpr int kWrongSettings = 2;
  ServerProcess server(options_.server, DataDir(), LogPath(), options_.server_args, "no.such");
  if (!server.WaitForEnd(kPointPatience) || server.Stop() != kWrongSettings) {
    failures_.Add("TOKEND_CRASH_AT=no.such did not end the start with status 2");
  }
}

// A killed server cannot say by its exit status what a sanitizer found in it.
void CrashRound::CheckLog() {
  std::ifstream file(LogPath());
  const std::string log(std::istreambuf_iterator<char>(file), {});
  for (const char* sign : {"SUMMARY: ", "runtime error:", "Assertion"}) {
    if (log.find(sign) != std::string::npos) {
      failures_.Add(std::string("the server's log has \"") + sign + "\"");
      std::fprintf(stderr, "%s\n", log.c_str());
      return;
    }
  }
}

void CrashRound::Run() {
  server_ = Start();
  {
    client::Client client = Connect(*server_);
    WaitUntilReady(&client);
  }
  figures_.empty_bytes = bench::ResidentBytes(server_->pid()).value_or(0);
  for (uint64_t kill = 1; kill <= options_.kills; ++kill) {
    WriteUntilKilled(options_.tokens * kill / options_.kills);
    if (options_.kills > 1) KillWhileLoading();
    Restart();
    std::printf("restarted: first correct answer after %.0f ms, loaded after %.0f ms\n",
                figures_.first_answer_ms, figures_.loaded_ms);
  }
  for (uint64_t kill = 0; kill < options_.busy_kills; ++kill) KillWhenBusy();
  if (options_.points != 0) {
    EndServer();
    ExpectUnknownPointsRefused();
    CrashAtPoints();
  }
  StopServer();
  if (audits() && audit_head_.seq < acknowledged_) {
    failures_.Add("the audit log has " + std::to_string(audit_head_.seq) + " lines of " +
                  std::to_string(acknowledged_) + " inserts");
  }
  CheckLog();
}

}  // namespace tokend::testing
