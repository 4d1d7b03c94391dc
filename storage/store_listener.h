// Who wants to hear what happens inside a store: the server's log.
//
// Called on the store's own threads, one at a time for each call's kind; must not block for long,
// nor call the store.
#pragma once

#include <cstdint>
#include <string>

namespace tokend {

class StoreListener {
 public:
  struct LoadProgress {
    uint64_t records = 0;           // read from the disk so far
    uint64_t records_estimate = 0;  // RocksDB's guess of how many there are
    uint64_t ms = 0;                // since loading began
  };

  virtual ~StoreListener() = default;
  // About once a second while loading.
  virtual void OnLoadProgress(const LoadProgress& progress) = 0;
  // Loading is over. `error` is empty, or says why memory lacks tokens.
  virtual void OnLoaded(const LoadProgress& progress, const std::string& error) = 0;
  // No more writes are taken until a restart, or until OnWritable.
  virtual void OnReadOnly(const std::string& reason) = 0;
  // What imports had staged could not be written; they have ended. The store goes on.
  virtual void OnImportFailed(const std::string& reason) = 0;
  // The audit log's file cannot be written: its lines wait beside the data.
  virtual void OnAuditFailed(const std::string& reason) = 0;
  // It could be written again, and has all of them.
  virtual void OnAuditWritten() = 0;
  // The file is not as it was left.
  virtual void OnAuditDoubtful(const std::string& path, const std::string& what) = 0;
  // The disk has room again, and writes are taken.
  virtual void OnWritable() = 0;
  // The wall clock was set, ahead or (negative) back by so much: while the store runs, or since it
  // ran last. Then ahead may just be the time that it was closed.
  virtual void OnClockJumped(int64_t ms, bool while_closed) = 0;
  // A wall clock ahead by so much has been so for long enough: disk reclaiming follows it now.
  virtual void OnClockGapAccepted(uint64_t ms) = 0;
  // The wall clock is behind the expiry of tokens that memory has dropped: they are read back.
  virtual void OnClockWentBack(uint64_t ms) = 0;
};

}  // namespace tokend
