#include "storage/backup.h"

#include <rocksdb/db.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/utilities/backup_engine.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "storage/backup_env.h"
#include "storage/crash_point.h"
#include "storage/crash_point_rocksdb.h"
#include "storage/data_directory.h"
#include "storage/database.h"
#include "storage/log_claim.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;

Status Cannot(const std::string& doing, const std::string& directory,
              const rocksdb::Status& status) {
  return {ErrorCode::kInternal, "cannot " + doing + " " + directory + ": " + status.ToString()};
}

// RocksDB copies as much at a time as a refill of the limiter gives; 5 MiB where there is none.
constexpr uint64_t kRefillPeriodUsMax = 100'000;

int64_t RefillPeriodUs(uint64_t bytes_per_second) {
  const uint64_t us = uint64_t{kBackupPieceBytes} * 1'000'000 / bytes_per_second;
  return static_cast<int64_t>(std::clamp<uint64_t>(us, 1, kRefillPeriodUsMax));
}

BackupInfo InfoOf(const rocksdb::BackupInfo& info) {
  return {info.backup_id, static_cast<uint64_t>(info.timestamp), info.size};
}

Status OpenToRead(const std::string& directory,
                  std::unique_ptr<rocksdb::BackupEngineReadOnly>* engine) {
  if (!fs::is_directory(directory + "/meta")) {
    return {ErrorCode::kInternal, "there are no backups in " + directory};
  }
  rocksdb::BackupEngineReadOnly* opened = nullptr;
  const auto status = rocksdb::BackupEngineReadOnly::Open(
      rocksdb::Env::Default(), rocksdb::BackupEngineOptions(directory), &opened);
  engine->reset(opened);
  return status.ok() ? Status() : Cannot("read the backups in", directory, status);
}

// The first of its files that is not there; RocksDB says only that the backup cannot be used. Its
// list has lines of a path and a checksum, after some that have no path.
std::string MissingFile(const std::string& directory, uint32_t id) {
  std::ifstream list(directory + "/meta/" + std::to_string(id));
  std::string line;
  while (std::getline(list, line)) {
    std::string path = line.substr(0, line.find(' '));
    if (path.find('/') == std::string::npos) continue;
    if (!fs::exists(fs::path(directory) / path)) return path;
  }
  return {};
}

Status Find(const rocksdb::BackupEngineReadOnly& engine, const std::string& directory,
            std::optional<uint32_t> id, BackupInfo* backup) {
  std::vector<rocksdb::BackupInfo> infos;
  std::vector<rocksdb::BackupID> damaged;
  engine.GetBackupInfo(&infos);
  engine.GetCorruptedBackups(&damaged);
  if (infos.empty() && damaged.empty()) {
    return {ErrorCode::kInternal, "there are no backups in " + directory};
  }
  const uint32_t newest = infos.empty() ? 0 : infos.back().backup_id;
  const uint32_t newest_damaged =
      damaged.empty() ? 0 : *std::max_element(damaged.begin(), damaged.end());
  const uint32_t wanted = id.value_or(std::max(newest, newest_damaged));
  for (const rocksdb::BackupInfo& info : infos) {
    if (info.backup_id != wanted) continue;
    *backup = InfoOf(info);
    return {};
  }
  const std::string name = "backup " + std::to_string(wanted) + " in " + directory;
  if (std::find(damaged.begin(), damaged.end(), wanted) != damaged.end()) {
    const std::string missing = MissingFile(directory, wanted);
    return {ErrorCode::kInternal,
            name + " is damaged: " +
                (missing.empty() ? "its list or a file has changed" : missing + " is missing") +
                (infos.empty() ? "; there is no other one"
                               : "; use another one, backup " + std::to_string(newest) + " say")};
  }
  if (infos.empty()) return {ErrorCode::kInternal, "there is no " + name};
  return {ErrorCode::kInternal, "there is no " + name + "; those from " +
                                    std::to_string(infos.front().backup_id) + " to " +
                                    std::to_string(infos.back().backup_id) + " are kept"};
}

Status Verify(const rocksdb::BackupEngineReadOnly& engine, const std::string& directory,
              uint32_t id) {
  const auto status = engine.VerifyBackup(id, /*verify_with_checksum=*/true);
  if (status.ok()) return {};
  return {ErrorCode::kInternal, "backup " + std::to_string(id) + " in " + directory +
                                    " is damaged: " + status.ToString() + "; use another one"};
}

}  // namespace

Status CreateBackup(Database* database, const BackupOptions& options, BackupInfo* backup) {
  rocksdb::BackupEngineOptions engine_options(options.directory);
  if (options.bytes_per_second_max != 0) {
    engine_options.backup_rate_limiter.reset(
        rocksdb::NewGenericRateLimiter(static_cast<int64_t>(options.bytes_per_second_max),
                                       RefillPeriodUs(options.bytes_per_second_max)));
  }
  engine_options.backup_env = BackupEnv();
  AddCrashPoints(&engine_options);
  std::unique_ptr<rocksdb::BackupEngine> engine;
  {
    rocksdb::BackupEngine* opened = nullptr;
    const auto status =
        rocksdb::BackupEngine::Open(rocksdb::Env::Default(), engine_options, &opened);
    engine.reset(opened);
    if (!status.ok()) return Cannot("back up to", options.directory, status);
  }
  rocksdb::CreateBackupOptions create;
  create.flush_before_backup = false;  // the log is copied instead: no pause, no burst of writes
  create.decrease_background_thread_cpu_priority = true;
  create.background_thread_cpu_priority = rocksdb::CpuPriority::kLow;
  create.progress_callback = [&] {
    if (options.stop != nullptr && options.stop->load(std::memory_order_relaxed)) {
      engine->StopBackup();
    }
  };
  TOKEND_CRASH_POINT("backup.begun");
  rocksdb::BackupID id = 0;
  rocksdb::Status status = engine->CreateNewBackup(create, database->db(), &id);
  TOKEND_CRASH_POINT("backup.copied");
  if (status.ok() && options.keep != 0) status = engine->PurgeOldBackups(options.keep);
  rocksdb::BackupInfo info;
  if (status.ok()) status = engine->GetBackupInfo(id, &info);
  if (!status.ok()) return Cannot("back up to", options.directory, status);
  *backup = InfoOf(info);
  TOKEND_CRASH_POINT("backup.over");
  return {};
}

Status ListBackups(const std::string& directory, std::vector<BackupInfo>* backups) {
  std::unique_ptr<rocksdb::BackupEngineReadOnly> engine;
  if (Status status = OpenToRead(directory, &engine); !status.ok()) return status;
  std::vector<rocksdb::BackupInfo> infos;
  engine->GetBackupInfo(&infos);
  backups->clear();
  for (const rocksdb::BackupInfo& info : infos) backups->push_back(InfoOf(info));
  return {};
}

Status VerifyBackup(const std::string& directory, std::optional<uint32_t> id, BackupInfo* backup) {
  std::unique_ptr<rocksdb::BackupEngineReadOnly> engine;
  if (Status status = OpenToRead(directory, &engine); !status.ok()) return status;
  if (Status status = Find(*engine, directory, id, backup); !status.ok()) return status;
  return Verify(*engine, directory, backup->id);
}

Status RestoreBackup(const std::string& directory, std::optional<uint32_t> id,
                     const std::string& data_dir, BackupInfo* backup) {
  // RocksDB would empty it first.
  const std::string path = data_dir + "/db";
  if (fs::exists(path)) {
    return {ErrorCode::kInternal, "there is a database in " + data_dir + " already; move " + path +
                                      " away, or name another "
                                      "directory with --data-dir"};
  }
  if (Status status = CheckIsDataDirectory(data_dir); !status.ok()) return status;
  std::unique_ptr<rocksdb::BackupEngineReadOnly> engine;
  if (Status status = OpenToRead(directory, &engine); !status.ok()) return status;
  if (Status status = Find(*engine, directory, id, backup); !status.ok()) return status;
  if (Status status = Verify(*engine, directory, backup->id); !status.ok()) return status;
  // Under another name until it is whole.
  const std::string work = data_dir + "/restore";
  std::error_code error;
  fs::remove_all(work, error);
  fs::create_directories(work, error);
  if (error) {
    return {ErrorCode::kInternal, "cannot make " + work + ": " + error.message()};
  }
  const auto restored = engine->RestoreDBFromBackup(backup->id, work, work);
  if (!restored.ok()) return Cannot("restore to", data_dir, restored);
  // RocksDB leaves a log out that has nothing in it. It must be there, or it counts as missing.
  rocksdb::Env* const env = rocksdb::Env::Default();
  if (const uint64_t log = NewestLogAtLeast(work, env); log != 0 && !HasLogFrom(work, log, env)) {
    const auto made =
        rocksdb::WriteStringToFile(env, "", work + "/" + LogName(log), /*should_sync=*/true);
    if (!made.ok()) return Cannot("restore to", data_dir, made);
  }
  TOKEND_CRASH_POINT("restore.renaming");
  fs::rename(work, path, error);
  if (error) return {ErrorCode::kInternal, "cannot make " + path + ": " + error.message()};
  return {};
}

}  // namespace tokend
