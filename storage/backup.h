// Backups of a database: incremental (a file that an earlier backup has is not copied again),
// checksummed, made while the server goes on.
//
// Blocking, for minutes where there is much to copy: not on a loop. One at a time for a directory.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/error.h"

namespace tokend {

class Database;

struct BackupInfo {
  uint32_t id = 0;            // 1, 2, ... in the order in which they were made
  uint64_t created_at_s = 0;  // Unix seconds
  uint64_t bytes = 0;         // that a restore writes, files that backups share included
};

struct BackupOptions {
  std::string directory;                    // made if missing
  uint64_t bytes_per_second_max = 0;        // 0 = as fast as the disk is
  uint32_t keep = 0;                        // how many to keep, the new one included; 0 = all
  const std::atomic<bool>* stop = nullptr;  // looked at every few MiB; may be null
};

// Has everything that was acknowledged before the call. *backup is the new one.
Status CreateBackup(Database* database, const BackupOptions& options, BackupInfo* backup);

// Oldest first.
Status ListBackups(const std::string& directory, std::vector<BackupInfo>* backups);

// Reads every file of a backup (nullopt: the latest) and compares it with its checksum.
Status VerifyBackup(const std::string& directory, std::optional<uint32_t> id, BackupInfo* backup);

// Verifies it, and makes data_dir's database of it. There must be none yet.
Status RestoreBackup(const std::string& directory, std::optional<uint32_t> id,
                     const std::string& data_dir, BackupInfo* backup);

}  // namespace tokend
