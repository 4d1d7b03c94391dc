// What RocksDB warns of, in a file beside its own. Its own logger must not be appended to once an
// append has failed: where RocksDB is built with assertions, as Debian's is, a full disk would end
// the process there. This one drops what it cannot write.
#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <string>

namespace tokend {

// Warnings and errors go to `path`; what was there before a mebibyte of them goes to `path`.old.
std::shared_ptr<rocksdb::Logger> MakeRocksDbLog(const std::string& path);

}  // namespace tokend
