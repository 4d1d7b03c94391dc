// What RocksDB's log says of itself: up to which Mutation its writer had seen it on the disk.
//
// A log whose end is torn is what a power loss leaves, and ends there. A log that breaks off where
// a later record says that the disk had it has been damaged since, and to go on without a word
// would lose what was acknowledged. RocksDB does not tell the two apart.
#pragma once

#include <cstdint>
#include <string>

namespace rocksdb {
class Env;
}

namespace tokend {

// The highest sequence number that a readable record of any log in the directory gives as synced,
// records behind unreadable places included; 0 if there is none. Changes nothing.
uint64_t SyncedByLogs(const std::string& db_path, rocksdb::Env* env);

}  // namespace tokend
