// Backups, one after the other, while a writer goes on; each with the ledger as it was when it was
// asked for. After a crash: the backups that are there are whole, and restore to what had been
// acknowledged when they were asked for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "client/client.h"
#include "tests/system/failures.h"
#include "tests/system/ledger_check.h"

namespace tokend::testing {

// Where a thread asks for a copy of the ledger that another one writes.
class LedgerDesk {
 public:
  // The writer, every now and then.
  void Serve(const Ledger& ledger);
  // The writer has ended: this is the ledger from now on, until Open.
  void Close(const Ledger& ledger);
  void Open();
  // Waits for either.
  Ledger Ask();

 private:
  std::mutex mutex_;
  std::condition_variable served_;
  bool is_asked_ = false;
  bool is_closed_ = false;
  std::optional<Ledger> copy_;
};

class BackupWork {
 public:
  // The backups are in `data_dir`/backup. `scratch_dir` is its own, for restoring, and so is all
  // under it. What its servers say goes to `log_path`. `failures` outlives it.
  BackupWork(const std::string& server, const std::string& data_dir, const std::string& scratch_dir,
             const std::string& log_path, Failures* failures);

  // Until the server is gone or `stop`.
  void Run(client::Client client, LedgerDesk* desk, const std::atomic<bool>& stop);
  // One backup, of all that is written.
  void MakeOne(client::Client client, const Written& written);
  // While no server runs on data_dir: each backup that is there is whole, and the last that was
  // answered is there. `written` is what has been written until now.
  void VerifyAll(const Written& written);
  // Restores the latest and looks whether it holds what was acknowledged before it was asked for,
  // and nothing but what was written. Does nothing where there is none. With `crash_at` the first
  // attempt ends there.
  void RestoreLatest(const Written& written, const std::string& crash_at = {});

  uint64_t answered() const { return answered_total_.load(std::memory_order_relaxed); }

 private:
  client::Result<client::BackupInfo> MakeOne(client::Client* client, Ledger ledger);
  int RunOffline(const std::vector<std::string>& args, const std::string& crash_at = {});
  void CheckRestored(uint32_t id, const Written& written);
  std::string DirectoryOfRestored() const { return scratch_dir_ + "/restored"; }

  const std::string server_, backup_dir_, scratch_dir_, log_path_;
  Failures& failures_;
  std::map<uint64_t, Ledger> ledgers_;  // by backup: as it was asked for
  std::optional<Ledger> under_way_;     // of the one that is not answered yet
  // Answered, or found whole after a crash. Of the two that are kept it is one at least.
  uint64_t latest_ = 0;
  std::atomic<uint64_t> answered_total_{0};
};

}  // namespace tokend::testing
