#include "tests/system/backup_work.h"

#include <signal.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <random>
#include <utility>
#include <vector>

#include "tests/system/connect.h"
#include "tests/system/server_process.h"

namespace tokend::testing {

namespace fs = std::filesystem;

void LedgerDesk::Serve(const Ledger& ledger) {
  const std::lock_guard lock(mutex_);
  if (!is_asked_ || copy_) return;
  copy_ = ledger;
  served_.notify_one();
}

void LedgerDesk::Close(const Ledger& ledger) {
  const std::lock_guard lock(mutex_);
  copy_ = ledger;
  is_closed_ = true;
  served_.notify_one();
}

void LedgerDesk::Open() {
  const std::lock_guard lock(mutex_);
  copy_.reset();
  is_closed_ = false;
}

Ledger LedgerDesk::Ask() {
  std::unique_lock lock(mutex_);
  is_asked_ = true;
  served_.wait(lock, [this] { return copy_.has_value(); });
  is_asked_ = false;
  if (is_closed_) return *copy_;
  Ledger ledger = std::move(*copy_);
  copy_.reset();
  return ledger;
}

BackupWork::BackupWork(const std::string& server, const std::string& data_dir,
                       const std::string& scratch_dir, const std::string& log_path,
                       Failures* failures)
    : server_(server),
      backup_dir_(data_dir + "/backup"),
      scratch_dir_(scratch_dir),
      log_path_(log_path),
      failures_(*failures) {}

void BackupWork::Run(client::Client client, LedgerDesk* desk, const std::atomic<bool>& stop) {
  while (!stop.load()) {
    const auto backup = MakeOne(&client, desk->Ask());
    if (backup) continue;
    // A clean stop gives a backup up.
    if (!IsGone(backup.error()) && !stop.load()) failures_.Add("backup: " + backup.error().message);
    return;
  }
}

void BackupWork::MakeOne(client::Client client, const Written& written) {
  const auto backup = MakeOne(&client, written.ledger);
  if (!backup) failures_.Add("backup: " + backup.error().message);
}

client::Result<client::BackupInfo> BackupWork::MakeOne(client::Client* client, Ledger ledger) {
  under_way_ = std::move(ledger);
  auto backup = client->Backup();
  if (!backup) return backup;
  latest_ = backup->id;
  ledgers_.insert_or_assign(backup->id, std::move(*under_way_));
  under_way_.reset();
  answered_total_.fetch_add(1, std::memory_order_relaxed);
  return backup;
}

int BackupWork::RunOffline(const std::vector<std::string>& args, const std::string& crash_at) {
  return RunProgram(server_, args, log_path_, crash_at);
}

void BackupWork::VerifyAll(const Written& written) {
  std::vector<uint64_t> ids;
  const fs::path meta = backup_dir_ + "/meta";
  if (fs::is_directory(meta)) {
    for (const auto& entry : fs::directory_iterator(meta)) {
      const std::string name = entry.path().filename().string();
      const bool is_listed = std::all_of(name.begin(), name.end(),
                                         [](unsigned char c) { return std::isdigit(c) != 0; });
      if (is_listed) ids.push_back(std::stoull(name));
    }
  }
  std::sort(ids.begin(), ids.end());
  if (latest_ != 0 && !std::binary_search(ids.begin(), ids.end(), latest_)) {
    failures_.Add("backup " + std::to_string(latest_) + " was whole and is gone");
  }
  std::erase_if(ledgers_, [&](const auto& entry) {
    return !std::binary_search(ids.begin(), ids.end(), entry.first);
  });
  for (const uint64_t id : ids) {
    // Whole, but the crash came before the answer.
    if (!ledgers_.contains(id)) ledgers_.emplace(id, under_way_.value_or(written.ledger));
    if (RunOffline({"--verify-backup", backup_dir_, "--backup-id", std::to_string(id)}) != 0) {
      failures_.Add("backup " + std::to_string(id) + " is listed and not whole");
    }
  }
  if (!ids.empty()) latest_ = ids.back();
  under_way_.reset();
}

void BackupWork::RestoreLatest(const Written& written, const std::string& crash_at) {
  if (ledgers_.empty()) return;
  const uint64_t id = ledgers_.rbegin()->first;
  fs::remove_all(DirectoryOfRestored());
  const std::vector<std::string> args = {"--restore-backup", backup_dir_,  "--backup-id",
                                         std::to_string(id), "--data-dir", DirectoryOfRestored()};
  if (!crash_at.empty()) {
    if (RunOffline(args, crash_at) != -SIGKILL) failures_.Add(crash_at + " was never passed");
    ServerProcess server(server_, DirectoryOfRestored(), log_path_);
    if (!server.WaitForEnd(std::chrono::seconds(60)) || server.Kill() == SIGKILL) {
      failures_.Add("tokend starts with what a restore left that was cut short");
    }
  }
  if (RunOffline(args) != 0) {
    failures_.Add("backup " + std::to_string(id) + " cannot be restored");
    return;
  }
  CheckRestored(static_cast<uint32_t>(id), written);
  fs::remove_all(DirectoryOfRestored());
}

void BackupWork::CheckRestored(uint32_t id, const Written& written) {
  Written between = written;
  between.ledger = ledgers_.at(id).Until(written.ledger);
  ServerProcess server(server_, DirectoryOfRestored(), log_path_);
  client::Client client = Connect(server);
  WaitUntilReady(&client);
  const uint64_t failures_before = failures_.count();
  LedgerCheck check(&between, &failures_);
  check.CheckAll(&client);
  std::mt19937_64 random(id);
  check.CheckRecords(&client, &random, 100);
  if (failures_.count() != failures_before) {
    failures_.Add("(the last were of backup " + std::to_string(id) + ")");
  }
}

}  // namespace tokend::testing
