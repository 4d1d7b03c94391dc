#include "storage/audit_file.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "storage/crash_point.h"
#include "storage/rows.h"
#include "storage/thread_role.h"

namespace tokend {
namespace {

constexpr size_t kReadBytes = 1 << 20;
// Lines in memory that wait for their turn.
constexpr size_t kWaitingBytesMax = 8 << 20;
// Of the file's end: what one write has at the most, which a crash may tear, and more.
constexpr uint64_t kTailBytes = 2 * kWaitingBytesMax;
// Lines are gathered for so long: each sync of this file is one that the data's log may wait for.
constexpr std::chrono::milliseconds kGatherTime(50);
constexpr std::chrono::milliseconds kRetryTime(1000);
constexpr mode_t kFileMode = 0640;

Status CannotOpen(const std::string& path, const std::string& why) {
  return {ErrorCode::kInternal, "audit_file: cannot open " + path + ": " + why};
}

rocksdb::EnvOptions FileOptions() {
  rocksdb::EnvOptions options;
  options.allow_fallocate = false;
  options.use_mmap_writes = false;
  return options;
}

// A first line that was torn.
bool MayBeTorn(std::string_view text) {
  constexpr std::string_view kBegin = "{\"seq\":";
  return text.substr(0, kBegin.size()) == kBegin.substr(0, text.size()) ||
         text.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

AuditFile::AuditFile(const Options& options, Database* database)
    : options_(options),
      env_(options.env != nullptr ? options.env : rocksdb::Env::Default()),
      database_(database) {}

AuditFile::~AuditFile() { Stop(); }

Status AuditFile::Open(const Options& options, Database* database,
                       std::unique_ptr<AuditFile>* file) {
  std::unique_ptr<AuditFile> opened(new AuditFile(options, database));
  if (Status status = opened->ReadRows(); !status.ok()) return status;
  Tail tail;
  if (Status status = opened->OpenForAppend(); !status.ok()) return status;
  if (Status status = opened->ReadTail(&tail); !status.ok()) return status;
  if (Status status = opened->FitTogether(tail); !status.ok()) return status;
  *file = std::move(opened);
  return {};
}

Status AuditFile::ReadRows() {
  std::optional<std::string> row;
  if (Status status = database_->ReadMeta(kAuditHeadRow, &row); !status.ok()) return status;
  Status damaged{ErrorCode::kInternal,
                 "a row of the audit log on disk is damaged or of a newer tokend; restore "
                 "from a backup, or use the tokend that wrote it"};
  if (row && !DecodeAuditHeadRow(*row, &data_head_)) return damaged;
  rows_from_ = data_head_.seq + 1;
  first_row_prev_ = data_head_;
  const std::unique_ptr<rocksdb::Iterator> it(database_->NewIterator(Database::kMeta));
  it->Seek(AuditLineRowKey(0));
  if (!it->Valid()) return FromRocksDb(it->status(), "cannot read the audit log's rows");
  const std::string_view key(it->key().data(), it->key().size());
  if (!key.starts_with(kAuditLineRowPrefix)) return {};
  const auto seq = ParseAuditLineRowKey(key);
  const auto link = ReadAuditLink({it->value().data(), it->value().size()});
  if (!seq || !link || link->seq != *seq) return damaged;
  rows_from_ = *seq;
  first_row_prev_ = {*seq - 1, link->prev};
  return {};
}

Status AuditFile::ReadTail(Tail* tail) const {
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  rocksdb::Status status = env_->NewRandomAccessFile(options_.path, &file, FileOptions());
  if (status.ok()) status = env_->GetFileSize(options_.path, &tail->size);
  const uint64_t begin = tail->size > kTailBytes ? tail->size - kTailBytes : 0;
  std::string scratch(tail->size - begin, '\0');
  rocksdb::Slice slice;
  if (status.ok() && !scratch.empty()) {
    status = file->Read(begin, scratch.size(), &slice, scratch.data());
  }
  if (!status.ok()) return CannotOpen(options_.path, status.ToString());
  std::string_view text(slice.data(), slice.size());
  uint64_t at = begin;
  if (begin != 0) {  // somewhere in a line
    const size_t first = std::min(text.find('\n'), text.size() - 1) + 1;
    text.remove_prefix(first);
    at += first;
  }
  tail->good_size = at;
  const std::string_view all = text;
  while (!text.empty()) {
    const size_t size = text.find('\n');
    if (size == std::string_view::npos) break;
    const std::string_view line = text.substr(0, size);
    const auto link = ReadAuditLink(line);
    if (!link) break;
    if (tail->last.seq != 0 && (link->seq != tail->last.seq + 1 || link->prev != tail->last.hash)) {
      break;
    }
    // The hash of a torn line is nowhere, if it is the last.
    std::optional<std::string> row;
    if (link->seq >= rows_from_ && link->seq <= data_head_.seq) {
      if (Status read = database_->ReadMeta(AuditLineRowKey(link->seq), &row); !read.ok()) {
        return read;
      }
      if (row && *row != line) break;
    }
    tail->last = HeadOf(link->seq, line);
    tail->good_size += size + 1;
    text.remove_prefix(size + 1);
  }
  for (size_t size = 0; (size = text.find('\n')) != std::string_view::npos;) {
    const std::string_view line = text.substr(0, size);
    if (const auto link = ReadAuditLink(line)) tail->behind = HeadOf(link->seq, line);
    text.remove_prefix(size + 1);
  }
  if (tail->last.seq == 0 && !all.empty() && (begin != 0 || !MayBeTorn(all))) {
    return CannotOpen(options_.path,
                      "it is there, and no audit log; move it away, or give another name");
  }
  return {};
}

Status AuditFile::FitTogether(const Tail& tail) {
  // What follows on nothing is a write that was torn, where its lines are rows still, or where it
  // has no whole line. Else somebody has altered what was synced once, and nothing of it is cut
  // off.
  const bool is_torn = (tail.last.seq == 0 || tail.last.seq + 1 >= rows_from_) &&
                       (tail.behind.seq == 0 ||
                        (tail.behind.seq >= rows_from_ && tail.behind.seq <= data_head_.seq));
  const AuditHead& last = is_torn || tail.behind.seq == 0 ? tail.last : tail.behind;
  written_ = std::max(last.seq, rows_from_ - 1);
  synced_ = rows_from_ - 1;
  begin_ = last.seq > data_head_.seq ? last : data_head_;
  committed_ = begin_;
  if (!is_torn) {
    Warn("line " + std::to_string(tail.last.seq) +
         ", or what should come after it, is missing or was altered; see: tokenctl audit verify");
    return {};
  }
  if ((tail.last.seq + 1 == rows_from_ && tail.last != first_row_prev_) ||
      (tail.last.seq == data_head_.seq && tail.last != data_head_)) {
    Warn("its last line is not the one that the data goes on from; see: tokenctl audit verify");
  }
  if (tail.good_size == size_) return {};
  const rocksdb::Status status = file_->Truncate(tail.good_size);
  if (!status.ok()) return CannotOpen(options_.path, status.ToString());
  size_ = tail.good_size;
  needs_newline_ = false;
  return {};
}

Status AuditFile::OpenForAppend() {
  const bool is_new = env_->FileExists(options_.path).IsNotFound();
  if (is_new) {
    // RocksDB would make one that everybody may read.
    const int fd = ::open(options_.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kFileMode);
    if (fd < 0) return CannotOpen(options_.path, std::strerror(errno));
    ::close(fd);
  } else if (!std::filesystem::is_regular_file(options_.path)) {
    return CannotOpen(options_.path, "it is not a file");
  }
  uint64_t size = 0;
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env_->ReopenWritableFile(options_.path, &file, FileOptions());
  if (status.ok()) status = env_->GetFileSize(options_.path, &size);
  if (status.ok() && is_new) {
    const std::filesystem::path parent = std::filesystem::path(options_.path).parent_path();
    std::unique_ptr<rocksdb::Directory> directory;
    status = env_->NewDirectory(parent.empty() ? "." : parent.string(), &directory);
    if (status.ok()) status = directory->Fsync();
  }
  char last = '\n';
  if (status.ok() && size != 0) {
    rocksdb::Slice slice;
    std::unique_ptr<rocksdb::RandomAccessFile> reader;
    status = env_->NewRandomAccessFile(options_.path, &reader, FileOptions());
    if (status.ok()) status = reader->Read(size - 1, 1, &slice, &last);
    if (status.ok() && slice.size() == 1) last = slice[0];
  }
  if (!status.ok()) return CannotOpen(options_.path, status.ToString());
  file_ = std::move(file);
  size_ = size;
  needs_newline_ = last != '\n';
  return {};
}

void AuditFile::Start() {
  thread_ = std::thread([this] { Run(); });
}

void AuditFile::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AuditFile::LinesCommitted(uint64_t first_seq, const AuditHead& head, std::string_view lines) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) waiting_from_ = first_seq;
  if (waiting_.empty() ||
      (waiting_to_ + 1 == first_seq && waiting_.size() + lines.size() <= kWaitingBytesMax)) {
    waiting_.append(lines);
    waiting_to_ = head.seq;
  }
  // The thread looks for more after each write; it waits where there was none.
  if (committed_.seq == synced_) changed_.notify_all();
  committed_ = head;
}

uint64_t AuditFile::synced_seq() const {
  const std::lock_guard lock(mutex_);
  return synced_;
}

void AuditFile::Reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  changed_.notify_all();
}

void AuditFile::WaitUntilWritten() {
  std::unique_lock lock(mutex_);
  const uint64_t tries = tries_;
  hurry_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] {
    return !reopen_ && (synced_ >= committed_.seq || (tries_ > tries + 1 && !failure_.empty()));
  });
  hurry_ = false;
}

AuditStats AuditFile::stats() const {
  const std::lock_guard lock(mutex_);
  return {committed_, synced_, failure_};
}

void AuditFile::Run() {
  BeginThread("audit", ThreadRole::kBackground);
  std::unique_lock lock(mutex_);
  while (true) {
    const auto is_urgent = [this] { return stopping_ || reopen_ || hurry_; };
    changed_.wait(lock, [&] { return stopping_ || reopen_ || synced_ < committed_.seq; });
    if (!is_urgent()) changed_.wait_for(lock, kGatherTime, is_urgent);
    const bool is_last = stopping_;
    const bool reopen = reopen_;
    lock.unlock();
    // All of before goes into the old one.
    Status status = Write();
    if (status.ok() && reopen) status = OpenForAppend();
    lock.lock();
    SetFailure(status);
    ++tries_;
    if (reopen) reopen_ = false;
    changed_.notify_all();
    if (is_last) break;
    if (!status.ok()) changed_.wait_for(lock, kRetryTime, is_urgent);
  }
}

Status AuditFile::Write() {
  uint64_t committed = 0, synced = 0;
  {
    const std::lock_guard lock(mutex_);
    committed = committed_.seq;
    synced = synced_;
  }
  while (synced < committed) {
    if (file_ == nullptr) {
      // It may have more than is known to be in it, of the write that failed.
      const uint64_t good_size = size_;
      const bool needs_newline = needs_newline_;
      if (Status status = OpenForAppend(); !status.ok()) return status;
      if (size_ > good_size) {
        if (const auto status = file_->Truncate(good_size); !status.ok()) {
          file_.reset();
          size_ = good_size;
          return CannotOpen(options_.path, status.ToString());
        }
        size_ = good_size;
        needs_newline_ = needs_newline;
      }
    }
    std::string lines;
    uint64_t last = written_;
    if (Status status = NextLines(written_ + 1, &lines, &last); !status.ok()) return status;
    if (needs_newline_ && !lines.empty()) lines.insert(lines.begin(), '\n');
    rocksdb::Status status = lines.empty() ? rocksdb::Status() : file_->Append(lines);
    TOKEND_CRASH_POINT("audit.appended");
    if (status.ok()) status = file_->Sync();
    if (!status.ok()) {
      file_.reset();
      return {ErrorCode::kInternal, options_.path + ": " + status.ToString()};
    }
    TOKEND_CRASH_POINT("audit.synced");
    if (!lines.empty()) needs_newline_ = false;
    size_ += lines.size();
    // A row that is not there is one that was lost: the gap shows in the file.
    written_ = lines.empty() ? std::max(written_, committed) : last;
    const std::lock_guard lock(mutex_);
    synced = synced_ = written_;
  }
  return {};
}

Status AuditFile::NextLines(uint64_t from, std::string* lines, uint64_t* last) {
  {
    const std::lock_guard lock(mutex_);
    // Those before were read from their rows meanwhile, or again.
    if (waiting_from_ < from) waiting_.clear();
    if (!waiting_.empty() && waiting_from_ == from) {
      lines->swap(waiting_);
      *last = waiting_to_;
      return {};
    }
  }
  const std::unique_ptr<rocksdb::Iterator> it(database_->NewIterator(Database::kMeta));
  for (it->Seek(AuditLineRowKey(from)); it->Valid() && lines->size() < kReadBytes; it->Next()) {
    const auto seq = ParseAuditLineRowKey({it->key().data(), it->key().size()});
    if (!seq) break;
    lines->append(it->value().data(), it->value().size()).push_back('\n');
    *last = *seq;
  }
  return FromRocksDb(it->status(), "cannot read the audit log's rows");
}

void AuditFile::Warn(const std::string& what) const {
  if (options_.listener != nullptr) options_.listener->OnAuditDoubtful(options_.path, what);
}

void AuditFile::SetFailure(const Status& status) {
  const bool had_failed = !failure_.empty();
  failure_ = status.message();
  if (options_.listener == nullptr || had_failed == !failure_.empty()) return;
  if (failure_.empty()) {
    options_.listener->OnAuditWritten();
  } else {
    options_.listener->OnAuditFailed(failure_);
  }
}

}  // namespace tokend
