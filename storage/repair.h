// Repair: keeps what can be read of a damaged data directory. What is left of the database is
// copied row by row into a new one, which takes its place; the old one stays beside it, untouched.
//
// It fails closed: a token is copied as the newest row says, or not at all. Only where the list of
// the database's files itself is lost, or an index that tells is lost as well, does an older state
// of a token pass for its newest, and then the report says so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/error.h"

namespace tokend {

struct RepairReport {
  uint64_t tokens = 0;              // kept
  uint64_t tokens_estimate = 0;     // RocksDB's guess of how many there were
  std::vector<std::string> losses;  // a sentence each; empty = nothing was lost
  std::vector<std::string> notes;   // what was damaged and could be made anew
  std::string old_database;         // where the old one is now
};

// No server may hold the directory. Needs as much room on its disk as the database takes. Where it
// fails, the database is as it was.
Status RepairDataDirectory(const std::string& data_dir, RepairReport* report);

}  // namespace tokend
