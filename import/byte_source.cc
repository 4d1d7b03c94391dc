#include "import/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tokend {

Status MemorySource::Read(char* out, size_t capacity, size_t* bytes) {
  *bytes = std::min({capacity, step_, bytes_.size()});
  if (*bytes > 0) std::memcpy(out, bytes_.data(), *bytes);
  bytes_.remove_prefix(*bytes);
  return Status::Ok();
}

Status PeekedSource::Peek(std::string_view* head) {
  head_.resize(kHeadBytes);
  size_t have = 0, got = 0;
  Status status;
  do {
    status = source_->Read(head_.data() + have, kHeadBytes - have, &got);
    have += status.ok() ? got : 0;
  } while (status.ok() && got > 0 && have < kHeadBytes);
  head_.resize(have);
  *head = head_;
  return status;
}

Status PeekedSource::Read(char* out, size_t capacity, size_t* bytes) {
  if (given_ == head_.size()) return source_->Read(out, capacity, bytes);
  *bytes = std::min(capacity, head_.size() - given_);
  std::memcpy(out, head_.data() + given_, *bytes);
  given_ += *bytes;
  return Status::Ok();
}

FileSource::~FileSource() {
  if (owned_) close(fd_);
}

Status FileSource::Open(const std::string& path) {
  path_ = path;
  if (path == "-") {
    fd_ = STDIN_FILENO;
  } else {
    fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) return {ErrorCode::kInternal, path + ": " + std::strerror(errno)};
    owned_ = true;
  }
  struct stat info;
  if (fstat(fd_, &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {ErrorCode::kInternal, path + ": is a directory"};
    if (S_ISREG(info.st_mode)) size_ = static_cast<uint64_t>(info.st_size);
  }
  return Status::Ok();
}

Status FileSource::Read(char* out, size_t capacity, size_t* bytes) {
  ssize_t got;
  do {
    got = read(fd_, out, capacity);
  } while (got < 0 && errno == EINTR);
  *bytes = 0;
  if (got < 0) return {ErrorCode::kInternal, path_ + ": " + std::strerror(errno)};
  *bytes = static_cast<size_t>(got);
  bytes_read_ += *bytes;
  return Status::Ok();
}

}  // namespace tokend
