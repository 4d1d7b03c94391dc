// Where a backup writes its files: in small pieces, so that whoever shares the processor with the
// thread that copies waits for one of them at the most, and to the disk as they come, so that the
// sync at a file's end has little left to do.
#pragma once

#include <rocksdb/env.h>

namespace tokend {

// Lives as long as the process. Thread-safe.
rocksdb::Env* BackupEnv();

}  // namespace tokend
