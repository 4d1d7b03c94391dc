// RocksDB's log, damaged in any way: what can be read of it is a log again, in which nothing is
// unreadable and which claims the same. The same bytes as a list of files.
#include <rocksdb/env.h>

#include <memory>
#include <string>

#include "storage/log_claim.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;

class Logs {
 public:
  Logs() : env_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {
    Require(env_->CreateDir(kPath).ok(), "memory can be a directory");
  }
  LogClaims ClaimsOf(std::string_view log) {
    Write("000007.log", log);
    const LogClaims claims = ReadLogClaims(kPath, env_.get());
    Require(env_->DeleteFile(Path("000007.log")).ok(), "a file can be deleted");
    return claims;
  }
  uint64_t NewestByList(std::string_view list) {
    Write("MANIFEST-000001", list);
    Write("CURRENT", "MANIFEST-000001\n");
    return NewestLogAtLeast(kPath, env_.get());
  }

 private:
  static constexpr const char* kPath = "/db";

  static std::string Path(const std::string& name) { return std::string(kPath) + "/" + name; }
  void Write(const std::string& name, std::string_view bytes) {
    Require(rocksdb::WriteStringToFile(env_.get(), {bytes.data(), bytes.size()}, Path(name)).ok(),
            "memory can be written");
  }

  const std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Logs logs;
  std::string_view bytes = fuzz::View(data, size);
  size_t damaged_at = fuzz::TakeByte(&bytes) << 8;
  damaged_at += fuzz::TakeByte(&bytes);

  const LogClaims claims = logs.ClaimsOf(bytes);
  std::string readable = ReadableRecords(bytes);
  Require(ReadableRecords(readable) == readable, "what can be read can be read again");
  const LogClaims readable_claims = logs.ClaimsOf(readable);
  Require(readable_claims.synced == claims.synced, "it claims the same");
  Require(!readable_claims.is_broken, "all of it can be read");
  Require(claims.is_broken || readable_claims.last_before == claims.last_before,
          "nor is anything missing where nothing was damaged");
  Require(logs.NewestByList(bytes) == logs.NewestByList(readable), "as a list it says the same");

  // Damaged anew it is broken, or the byte was of the filling between blocks.
  if (damaged_at >= readable.size()) return 0;
  const std::string whole = readable;
  readable[damaged_at] = static_cast<char>(readable[damaged_at] ^ 0x40);
  Require(logs.ClaimsOf(readable).is_broken || ReadableRecords(readable) == whole,
          "damage is seen");
  return 0;
}
