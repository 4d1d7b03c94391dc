// RocksDB's own steps as crash points (crash_point.h): what it does to the log, the list of its
// files and the files of a backup. Without crash points these add nothing.
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/utilities/backup_engine.h>

namespace tokend {

#if defined(TOKEND_CRASH_POINTS)

void AddCrashPoints(rocksdb::DBOptions* options);
void AddCrashPoints(rocksdb::BackupEngineOptions* options);

#else

inline void AddCrashPoints(rocksdb::DBOptions* /*options*/) {}
inline void AddCrashPoints(rocksdb::BackupEngineOptions* /*options*/) {}

#endif

}  // namespace tokend
