// The lock of a data directory: one process at a time has it, until it ends, however it ends.
#pragma once

#include <memory>
#include <string>

#include "protocol/error.h"

namespace tokend {

class DirectoryLock {
 public:
  // Makes the directory if it is missing. Errors say what to do.
  static Status Take(const std::string& data_dir, std::unique_ptr<DirectoryLock>* lock);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  const int fd_;
};

}  // namespace tokend
