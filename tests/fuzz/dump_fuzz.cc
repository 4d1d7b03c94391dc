// Whole dumps, as files of any compression: read to the end or refused in words; every row that
// comes out has a key; reading again gives the same.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_import.h"

namespace {

using namespace tokend;
using fuzz::Require;

// One file in memory for all runs.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("dump", 0)), path_("/proc/self/fd/" + std::to_string(fd_)) {
    Require(fd_ >= 0, "memory can be a file");
  }
  const std::string& Write(std::string_view bytes) {
    Require(ftruncate(fd_, 0) == 0 &&
                pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "memory can be written");
    return path_;
  }

 private:
  const int fd_;
  const std::string path_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static MemoryFile file;
  const std::string& path = file.Write(fuzz::View(data, size));
  Require(fuzz::Import(path) == fuzz::Import(path), "reading again gives the same");
  return 0;
}
