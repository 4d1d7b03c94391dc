#include "storage/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "storage/data_directory.h"

namespace tokend {
namespace {

Status CannotUse(const std::string& how, const std::string& data_dir, const std::string& why) {
  return {ErrorCode::kInternal, "cannot " + how + " data directory " + data_dir + ": " + why +
                                    "; give one that can be written with --data-dir"};
}

}  // namespace

Status DirectoryLock::Take(const std::string& data_dir, std::unique_ptr<DirectoryLock>* lock) {
  if (Status status = CheckIsDataDirectory(data_dir); !status.ok()) return status;
  std::error_code made;
  std::filesystem::create_directories(data_dir, made);
  if (made) return CannotUse("make", data_dir, made.message());
  const std::string path = data_dir + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  // The lock may be there already where nothing else can be made.
  if (fd < 0 || faccessat(AT_FDCWD, data_dir.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    Status status = CannotUse("write to", data_dir, std::strerror(errno));
    if (fd >= 0) close(fd);
    return status;
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
