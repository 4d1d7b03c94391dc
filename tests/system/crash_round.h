// CrashRound: one life of a data directory, from empty on. The server that has it is killed again
// and again, at random moments and at crash points; after each time it is started anew and compared
// with what it had acknowledged.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "client/client.h"
#include "protocol/audit_line.h"
#include "tests/system/backup_work.h"
#include "tests/system/churn.h"
#include "tests/system/crash_cases.h"
#include "tests/system/failures.h"
#include "tests/system/import_work.h"
#include "tests/system/ledger_check.h"
#include "tests/system/server_process.h"

namespace tokend::testing {

struct CrashOptions {
  std::string server = "tokend";
  std::string dir = "crash-test-data";
  std::vector<std::string> server_args;
  uint64_t tokens = 200000;    // acknowledged before the last of `kills`
  uint64_t kills = 4;          // at random moments while it writes; beyond 1, also while it loads
  uint64_t busy_kills = 0;     // at random moments under all kinds of load at once
  uint64_t points = 0;         // at crash points; all of them are kCrashCases.size()
  std::string point;           // at this one alone, at each of its passages by chance
  bool last_passages = false;  // at the last passage that is certain instead
  bool alone = false;          // after the last of `kills`, ask for nothing more while it loads
  bool cold = false;           // drop what the system has cached of its files before that
};

struct CrashFigures {
  uint64_t tokens = 0;
  double acknowledged_per_second = 0;
  double first_answer_ms = 0;  // from the start of the process to the first correct answer
  double loaded_ms = 0;        // to the state "ready"
  uint64_t resident_bytes = 0;
  uint64_t empty_bytes = 0;
};

class CrashRound {
 public:
  // `failures` outlives it. Empties the directory.
  CrashRound(const CrashOptions& options, uint64_t seed, Failures* failures);

  // Throws std::runtime_error where it cannot go on.
  void Run();
  // Of the last of `kills`.
  const CrashFigures& figures() const { return figures_; }

 private:
  std::string DataDir() const { return options_.dir + "/data"; }
  std::string LogPath() const { return options_.dir + "/server.log"; }
  std::string AuditPath() const { return options_.dir + "/audit.jsonl"; }
  // Not where what a restart takes is measured.
  bool audits() const { return options_.busy_kills + options_.points != 0; }

  std::unique_ptr<ServerProcess> Start(const std::string& crash_at = {},
                                       const std::vector<std::string>& more_args = {});
  void WriteUntilKilled(uint64_t kill_at);
  void KillWhileLoading();
  void Restart();

  // All kinds of load at once, until the server is gone. `end` sees to that; it is called once the
  // writer has written its share or lost the server, and may have the other load stop.
  void LoadUntilGone(const std::function<void(std::atomic<bool>* stop)>& end);
  void KillWhenBusy();
  void CrashAtPoints();
  void CrashAt(const CrashCase& crash_case, uint64_t passage);
  void CrashWhenFresh(const std::string& at);
  void CrashWhenRestoring(const std::string& at);
  void CrashWhenRepairing(const std::string& at);
  // That it ends by itself, and by nothing but the crash point.
  void ExpectCrash(ServerProcess* server, const std::string& at);
  // Kills what runs, or stops it.
  void EndServer();
  // Without a kill: the audit log is whole then.
  void StopServer();
  void CheckAudit();
  // After a crash under load: the backups, while the server is down; then all the rest.
  void CompareAll(bool with_restore);
  void ExpectUnknownPointsRefused();
  void CheckLog();

  const CrashOptions options_;
  Failures& failures_;
  std::mt19937_64 random_;
  const CrashPlan plan_;
  Written written_;
  LedgerCheck check_;
  Churn churn_;
  ImportWork imports_;
  BackupWork backups_;
  LedgerDesk desk_;
  std::unique_ptr<ServerProcess> server_;
  uint64_t acknowledged_ = 0;
  // How far the audit log has been read.
  AuditHead audit_head_;
  uint64_t audit_bytes_ = 0;
  CrashFigures figures_;
};

}  // namespace tokend::testing
