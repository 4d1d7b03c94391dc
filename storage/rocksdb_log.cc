#include "storage/rocksdb_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <mutex>

namespace tokend {
namespace {

constexpr off_t kBytesMax = 1 << 20;

class RocksDbLog : public rocksdb::Logger {
 public:
  explicit RocksDbLog(std::string path)
      : Logger(rocksdb::WARN_LEVEL), path_(std::move(path)), old_path_(path_ + ".old") {}

  // Its options, at each start, which are in a file of their own.
  void LogHeader(const char* /*format*/, va_list /*values*/) override {}

  using Logger::Logv;
  // Opened for each line: there are few, and a file that could not be opened, or has been taken
  // away, is nothing to remember.
  void Logv(const char* format, va_list values) override {
    char line[4096];
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    size_t size = std::strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ ", &utc);
    const int text = std::vsnprintf(line + size, sizeof(line) - size, format, values);
    if (text < 0) return;
    size = std::min(size + static_cast<size_t>(text), sizeof(line) - 1);
    if (line[size - 1] != '\n') line[size++] = '\n';

    const std::lock_guard lock(mutex_);
    struct stat found;
    if (stat(path_.c_str(), &found) == 0 && found.st_size >= kBytesMax) {
      std::rename(path_.c_str(), old_path_.c_str());
    }
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    [[maybe_unused]] const ssize_t written = write(fd, line, size);
    close(fd);
  }

 private:
  const std::string path_, old_path_;
  std::mutex mutex_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> MakeRocksDbLog(const std::string& path) {
  return std::make_shared<RocksDbLog>(path);
}

}  // namespace tokend
