// What RocksDB's log says of itself: up to which Mutation its writer had seen it on the disk.
//
// A log whose end is torn is what a power loss leaves, and ends there. A log that breaks off where
// a later record says that the disk had it has been damaged since, and to go on without a word
// would lose what was acknowledged. RocksDB does not tell the two apart; nor does it miss a log
// that is gone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rocksdb {
class Env;
}

namespace tokend {

struct LogClaims {
  // The highest sequence number that a readable record of any log gives as synced, records behind
  // unreadable places included; 0 if there is none.
  uint64_t synced = 0;
  // Whether there is an unreadable place: a torn end is one, too.
  bool is_broken = false;
  // The last sequence number before the first such place, and when it was about; 0 = not known.
  uint64_t last_before = 0;
  uint64_t before_ms = 0;
  // When the first change behind the last such place was made; 0 where there is none.
  uint64_t after_ms = 0;
};

// Of all logs in the directory. Changes nothing.
LogClaims ReadLogClaims(const std::string& db_path, rocksdb::Env* env);

// The records of a log that can be read, as a log that is whole. RocksDB itself stops behind a
// record that was damaged where it goes over more than one block.
std::string ReadableRecords(std::string_view log);

// RocksDB takes the logs that it finds, and misses none. The list of its files tells, though, with
// each file that is made of rows, which log came after them. The number that the newest log has at
// least; 0 = there need not be one, or nobody knows.
uint64_t NewestLogAtLeast(const std::string& db_path, rocksdb::Env* env);
bool HasLogFrom(const std::string& db_path, uint64_t number, rocksdb::Env* env);
// "000016.log"
std::string LogName(uint64_t number);

}  // namespace tokend
