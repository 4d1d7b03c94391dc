#include "storage/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace tokend {

Status DirectoryLock::Take(const std::string& data_dir, std::unique_ptr<DirectoryLock>* lock) {
  std::error_code made;
  std::filesystem::create_directories(data_dir, made);
  const std::string path = data_dir + "/lock";
  const int fd = made ? -1 : open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    return {ErrorCode::kInternal, "cannot make data directory " + data_dir + ": " +
                                      (made ? made.message() : std::strerror(errno)) +
                                      "; give one that can be written with --data-dir"};
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return {ErrorCode::kInternal, "data directory " + data_dir +
                                      " is in use by another tokend; stop that one, or give this "
                                      "one its own with --data-dir"};
  }
  lock->reset(new DirectoryLock(fd));
  return {};
}

DirectoryLock::~DirectoryLock() { close(fd_); }

}  // namespace tokend
