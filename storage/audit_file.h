// AuditFile: the audit log as a file. A thread of its own takes the lines that were committed with
// the changes, appends them, syncs, and says how far it has got; their rows are taken away after
// that. It is given the lines in memory; those that are too many to wait there, that a failed write
// has had, or that an earlier run has left, it reads from their rows. So whatever happens to the
// process, to the power or to the file's disk, each line comes into the file once, and nothing that
// is served waits for this file.
//
// Threads: Open, then Start; LinesCommitted by the Committer alone; the rest any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "protocol/audit_line.h"
#include "protocol/error.h"
#include "storage/database.h"
#include "storage/store.h"
#include "storage/store_listener.h"

namespace rocksdb {
class Env;
class WritableFile;
}  // namespace rocksdb

namespace tokend {

class AuditFile {
 public:
  struct Options {
    std::string path;
    rocksdb::Env* env = nullptr;        // null = rocksdb::Env::Default()
    StoreListener* listener = nullptr;  // may be null
  };

  // Finds where file and rows have got to. Of the file's end what a crash has torn is cut off; it
  // comes again from the rows. Errors say what to do: not to be opened, or no audit log.
  static Status Open(const Options& options, Database* database, std::unique_ptr<AuditFile>* file);
  // Stop()
  ~AuditFile();
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Where the chain goes on: after the data's last line, or after the file's, where that has more
  // of them, as after a power loss or a restore.
  AuditHead head() const { return begin_; }
  // The data's last line, at the start.
  AuditHead data_head() const { return data_head_; }
  // The first line that there may be a row of.
  uint64_t rows_from() const { return rows_from_; }

  void Start();
  // Tries once more to bring all lines into the file; what is left comes at the next start.
  void Stop();

  // There are rows of these lines, `first_seq` to `head`.
  void LinesCommitted(uint64_t first_seq, const AuditHead& head, std::string_view lines);
  // The lines up to this one are in the file, and on its disk.
  uint64_t synced_seq() const;
  // From now on into whatever has the file's name, which may be a new one. Soon; where it cannot be
  // opened, the old one is kept.
  void Reopen();
  // Blocks until what was committed is in the file, or that has failed.
  void WaitUntilWritten();

  AuditStats stats() const;

 private:
  AuditFile(const Options& options, Database* database);

  // The lines at the file's end that follow on each other.
  struct Tail {
    uint64_t size = 0;       // of the file
    uint64_t good_size = 0;  // up to the end of the last one
    AuditHead last;          // seq 0: there is none
    AuditHead behind;        // the last whole line after what does not follow; seq 0: there is none
  };
  Status ReadTail(Tail* tail) const;
  Status ReadRows();
  Status FitTogether(const Tail& tail);

  void Run();
  // Appends what is committed and not written, and syncs.
  Status Write();
  Status OpenForAppend();
  // Some of those from `from` on.
  Status NextLines(uint64_t from, std::string* lines, uint64_t* last);
  void Warn(const std::string& what) const;
  void SetFailure(const Status& status);

  const Options options_;
  rocksdb::Env* const env_;
  Database* const database_;
  AuditHead begin_, data_head_;
  AuditHead first_row_prev_;  // the line before the first row, as that row has it
  uint64_t rows_from_ = 1;

  // The thread's own.
  std::unique_ptr<rocksdb::WritableFile> file_;
  uint64_t size_ = 0;     // of the file, without what a failed write has left
  uint64_t written_ = 0;  // the last line in the file
  bool needs_newline_ = false;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  AuditHead committed_;
  std::string waiting_;  // lines, waiting_from_ to waiting_to_
  uint64_t waiting_from_ = 0, waiting_to_ = 0;
  uint64_t synced_ = 0;
  std::string failure_;
  uint64_t tries_ = 0;
  bool reopen_ = false;
  bool hurry_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tokend
