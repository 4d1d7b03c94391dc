// Store: the whole of tokend's state behind one door. TokenTable for reads, the Committer for
// writes, RocksDB under both.
//
// Threads: everything may be called from any thread. validate goes to table() and touches memory
// only; Get, List and Count may read the disk, so they belong on a worker thread, never on a loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/audit_line.h"
#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/params.h"
#include "protocol/record.h"
#include "protocol/sealer.h"
#include "storage/backup.h"
#include "storage/clock.h"
#include "storage/mutation.h"
#include "storage/rocksdb_numbers.h"
#include "storage/store_listener.h"
#include "storage/token_table.h"

namespace rocksdb {
class Env;
}

namespace tokend {

// When a write is on the disk (fsync), as against its acknowledgement. Revokes do not ask: they are
// on the disk before they are acknowledged, whatever the level. kill -9 loses nothing at any level.
enum class Durability : uint8_t {
  kSync,      // before it
  kInterval,  // at most sync_interval_ms after it
  kNone,      // when the kernel writes it back
};

struct StoreOptions {
  std::string data_dir;
  TokenTableOptions table;
  const Clock* clock = nullptr;       // null = SystemClock()
  rocksdb::Env* env = nullptr;        // null = rocksdb::Env::Default()
  StoreListener* listener = nullptr;  // may be null; outlives the store
  Durability durability = Durability::kSync;
  uint64_t sync_interval_ms = 1000;                    // for kInterval
  uint64_t retention_ms = 7ull * 24 * 3600 * 1000;     // expired records stay on disk so long
  uint64_t clock_gap_accept_ms = 24ull * 3600 * 1000;  // a gap this old is taken over
  size_t namespaces_max = 1000;                        // that writes may make
  size_t queue_mutations_max = 200000;                 // waiting for the Committer; beyond: busy
  size_t queue_bytes_max = 256 << 20;
  size_t load_threads = 3;
  uint64_t usage_flush_interval_ms = 60000;  // 0 = usage is not kept
  // An import's first rows are written like any other; those after them gather, and are written as
  // files of so many bytes of rows, or half as much again. Two such take memory.
  size_t import_direct_rows = 10000;
  size_t import_run_bytes = 48 << 20;
  size_t block_cache_bytes = 32 << 20;
  size_t write_buffer_bytes = 64 << 20;  // all column families together
  std::shared_ptr<const Sealer> sealer;  // for rekey; may be null
  std::string audit_file;                // empty = nothing is audited
};

// What a namespace is to its readers.
struct NamespaceInfo {
  NamespaceId id = 0;
  DigestScheme scheme = DigestScheme::kSha256;
};
using NamespaceMap = std::unordered_map<std::string, NamespaceInfo>;

// The answer to one Mutation.
struct Outcome {
  Status status;
  TokenId id;             // insert, rotate (the new token); with kExists and kRevoked too
  bool was_live = false;  // revoke, revoke_id; extend, update, rotate: whether it was done
  uint64_t count = 0;     // revoke_owner, purge_expired; rekey: sealed anew
  uint64_t unopened =
      0;  // rekey: not sealed anew, since their key is not there or they are damaged
  uint64_t expires_at_ms = kNever;                               // insert, rotate
  std::string import_id;                                         // import_begin
  uint64_t taken = 0, replaced = 0, unchanged = 0, refused = 0;  // import_rows, import_end
};

// Mutations that are answered together. Derive, submit, and get it back in Done().
class Submission {
 public:
  virtual ~Submission() = default;
  // On the Committer's thread, once everything is durable (or refused): may not block. Owns itself
  // again; outcomes stand in the order of mutations.
  virtual void Done(std::unique_ptr<Submission> self) = 0;

  std::vector<Mutation> mutations;
  std::vector<Outcome> outcomes;
};

enum class StoreState : uint8_t { kLoading, kReady, kReadOnly };
std::string_view StoreStateName(StoreState state);  // "loading", "ready", "read_only"

// The audit log, zeros where there is none.
struct AuditStats {
  AuditHead head;           // of what was committed
  uint64_t synced_seq = 0;  // the last line that is in the file, and on its disk
  std::string failure;      // why lines wait; empty = they do not
};

struct StoreStats {
  StoreState state = StoreState::kLoading;
  std::string read_only_reason;
  uint64_t load_records = 0, load_records_estimate = 0, load_ms = 0;
  std::string load_error;  // loading has failed: memory lacks tokens, misses ask the disk
  TokenTableStats table;
  uint64_t namespaces = 0;
  uint64_t mutations_total = 0, commits_total = 0, commit_bytes_total = 0;
  uint64_t commit_us_total = 0;  // of it all: waiting for the write and its fsync
  uint64_t queue_mutations = 0, queue_bytes = 0;
  uint64_t usage_flushed_total = 0;
  uint64_t disk_bytes = 0, rocksdb_memory_bytes = 0;
  RocksDbNumbers rocksdb;
  uint64_t reclaim_clock_ms = 0;
  // For how long memory has had expired tokens that were due to leave it, to about a second.
  uint64_t reclaim_lag_ms = 0;
  uint64_t sequence = 0;
  AuditStats audit;
};

struct ListPage {
  std::vector<Record> records;  // usage and the stricter of memory and disk are in them
  std::string cursor;           // empty = no more
  size_t bytes = 0;             // about what the records take on the wire; a page is bounded in it
};

// What `reveal` opens.
struct SealedToken {
  TokenKey key;
  uint64_t expires_at_ms = kNever;
  std::string sealed;
};

class Store {
 public:
  // Takes the directory's lock, opens RocksDB and starts loading in the background. Errors say what
  // to do: directory in use, not ours, of a newer version, damaged.
  static Status Open(const StoreOptions& options, std::unique_ptr<Store>* store);
  // Commits what was submitted, writes usage and the reclaim clock, closes. Nothing may be
  // submitted any more.
  ~Store();

  TokenTable& table();

  // The namespaces as of now; the version changes when they do. A loop keeps the pointer and asks
  // for it again only when the version has moved.
  std::shared_ptr<const NamespaceMap> namespaces() const;
  uint64_t namespaces_version() const;

  // Queues mutations. A revoke takes effect in memory before this returns. kBusy where the queue is
  // full, and then nothing has happened and `submission` stays with the caller. Submissions of one
  // thread apply in order.
  Status Submit(std::unique_ptr<Submission>& submission);
  // The same for one Mutation, and waits for its answer. Not on a loop, nor from a Done().
  Status SubmitAndWait(Mutation mutation, Outcome* outcome);

  // nullopt and Ok: no such token.
  Status Get(std::string_view namespace_name, const TokenKey& key, std::optional<Record>* record);
  Status GetById(std::string_view namespace_name, const TokenId& id, std::optional<Record>* record);
  Status List(const ListParams& params, ListPage* page);
  Status Count(const ListParams& params, uint64_t* count);
  // The valid and sealed token that expires last; of several the one that was made last, then by
  // key; of `owners` alone unless that is empty. kTooLarge where there are too many to tell.
  Status FindSealed(const RevealParams& params, std::span<const std::string> owners,
                    std::optional<SealedToken>* found);
  // Loading only: what the disk says of a token that memory does not have (yet).
  struct DiskVerdict {
    Verdict verdict = Verdict::kUnknown;
    uint64_t expires_at_ms = kNever;
    std::string owner_encoded, scopes_encoded;
  };
  Status ValidateFromDisk(NamespaceId ns, const TokenKey& key, DiskVerdict* verdict);

  bool audits() const;
  // The audit log goes on in whatever has its file's name now.
  void ReopenAuditFile();
  // Blocks until it has what was committed, or cannot be written.
  void WaitUntilAudited();

  StoreState state() const;
  StoreStats stats() const;
  // Blocks until loading is over. For tests and tools.
  void WaitUntilLoaded();
  // Blocking; not on a loop. See backup.h.
  Status Backup(const BackupOptions& options, BackupInfo* backup);
  // One turn of upkeep (reclaim memory, advance the reclaim clock, write usage when due), done when
  // it returns. It also happens by itself; tests that move time call it.
  void Maintain();
  void FlushUsage();

 private:
  Store();
  Status EnsureDefaultNamespace();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tokend
