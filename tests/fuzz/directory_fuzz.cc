// Directories of mydumper and of mysqldump --tab: read to the end or refused in words; every row
// that comes out has a key; reading again gives the same. The input is what stands in the files,
// each after a line "=== NAME".
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_import.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace tokend;
using fuzz::Require;

constexpr std::string_view kMark = "=== ";
constexpr size_t kFilesMax = 16;

// Takes what stands before the mark, and the mark.
std::string_view TakeUntil(std::string_view mark, std::string_view* bytes) {
  const size_t at = bytes->find(mark);
  const std::string_view taken = bytes->substr(0, at);
  bytes->remove_prefix(at == std::string_view::npos ? bytes->size() : at + mark.size());
  return taken;
}

bool IsFileName(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos && name != "." && name != "..";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes = fuzz::View(data, size);
  const TempDir dir;
  TakeUntil(kMark, &bytes);
  for (size_t i = 0; i < kFilesMax && !bytes.empty(); ++i) {
    const std::string_view name = TakeUntil("\n", &bytes);
    const std::string_view text = TakeUntil(kMark, &bytes);
    if (!IsFileName(name)) continue;
    std::ofstream(std::filesystem::path(dir.path()) / name, std::ios::binary) << text;
  }
  Require(fuzz::Import(dir.path()) == fuzz::Import(dir.path()), "reading again gives the same");
  return 0;
}
