// The memtables of tokend's column families: a RowTree each, for readers beside the one writer.
#pragma once

#include <rocksdb/memtablerep.h>

#include <memory>

namespace tokend {

// Takes one writer at a time: DBOptions::allow_concurrent_memtable_write must be false.
std::shared_ptr<rocksdb::MemTableRepFactory> MakeRowTreeMemtables();

}  // namespace tokend
