// Where a backup writes its files: past the system's cache, in pieces. That takes a quarter of the
// processor, does not push the database's files out of the cache, and leaves nothing to be written
// in one go at a file's end; who shares the processor with the thread that copies waits for one
// piece at the most.
#pragma once

#include <rocksdb/env.h>

#include <cstddef>

namespace tokend {

// What is read and written in one system call: some 30 us, for which a thread that has to answer
// may have to wait. A multiple of every file system's block.
inline constexpr size_t kBackupPieceBytes = 128 << 10;

// Lives as long as the process. Thread-safe.
rocksdb::Env* BackupEnv();

}  // namespace tokend
