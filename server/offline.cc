#include "server/offline.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "storage/backup.h"
#include "storage/repair.h"

namespace tokend {
namespace {

constexpr int kExitLost = 3;  // repaired, but not all of it was left

int Fail(const Status& status) {
  fmt::print(stderr, "tokend: {}\n", status.message());
  return 1;
}

int RunRepair(const std::string& data_dir) {
  RepairReport report;
  if (Status status = RepairDataDirectory(data_dir, &report); !status.ok()) return Fail(status);
  fmt::print("{} tokens kept, of about {}\n", report.tokens, report.tokens_estimate);
  for (const std::string& loss : report.losses) fmt::print("lost: {}\n", loss);
  for (const std::string& note : report.notes) fmt::print("damaged: {}\n", note);
  if (report.losses.empty()) fmt::print("nothing was lost\n");
  fmt::print("the database as it was is in {}; remove it when you need it no more\n",
             report.old_database);
  return report.losses.empty() ? 0 : kExitLost;
}

}  // namespace

int RunOffline(const ConfigResult& settings) {
  const std::string& data_dir = settings.config.data_dir;
  if (settings.next == ConfigResult::Next::kRepair) return RunRepair(data_dir);
  std::optional<uint32_t> id;
  if (settings.backup_id != 0) id = static_cast<uint32_t>(settings.backup_id);
  BackupInfo backup;
  if (settings.next == ConfigResult::Next::kVerifyBackup) {
    if (Status status = VerifyBackup(settings.backup_dir, id, &backup); !status.ok()) {
      return Fail(status);
    }
    fmt::print("backup {} is whole: {} bytes\n", backup.id, backup.bytes);
    return 0;
  }
  if (Status status = RestoreBackup(settings.backup_dir, id, data_dir, &backup); !status.ok()) {
    return Fail(status);
  }
  fmt::print("backup {} is restored to {}: {} bytes\n", backup.id, data_dir, backup.bytes);
  return 0;
}

}  // namespace tokend
