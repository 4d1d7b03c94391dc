// Whole dumps, as files of any compression: read to the end or refused in words; every row that
// comes out has a key; reading again gives the same.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "import/importer.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;

class CountingSink : public RowSink {
 public:
  Status BeginTable(const TableInfo& /*table*/) override { return {}; }
  Status Row(const TableInfo& /*table*/, const ImportRow& row,
             const RowPosition& /*position*/) override {
    Require(row.token.is_key, "a row has a key");
    Require(row.expires_at_ms == kNever || row.expires_at_ms <= kTimeMsMax, "a time is one");
    Require(row.scopes.size() <= kScopesMax, "scopes are bounded");
    for (const uint8_t byte : row.token.key.bytes) sum = sum * 31 + byte;
    sum = sum * 31 + row.expires_at_ms + row.use_count + (row.owner ? row.owner->size() : 0);
    ++rows;
    return {};
  }
  uint64_t rows = 0, sum = 0;
};

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

struct Outcome {
  bool ok = false;
  uint64_t rows = 0, sum = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome Import(const std::string& path) {
  ImportOptions options;
  options.inputs = {path};
  options.cell_bytes_max = 4096;
  CountingSink sink;
  ImportReport report;
  const Status status = RunImport(options, &sink, {}, &report);
  Require(status.ok() || !status.message().empty(), "a refusal says why");
  return {status.ok(), sink.rows, sink.sum};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static MemoryFile file;
  const std::string& path = file.Write(fuzz::View(data, size));
  Require(Import(path) == Import(path), "reading again gives the same");
  return 0;
}
