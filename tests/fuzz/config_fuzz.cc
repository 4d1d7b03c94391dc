// Settings files: refused with the file's name, or taken; what is taken is printed as a file that
// gives the same settings.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "server/config.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace tokend;
using fuzz::Require;

Status ReadText(std::string_view text, Config* config) {
  const int fd = memfd_create("config", 0);
  Require(fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
          "memory can be a file");
  Status status = ReadConfigFile("/proc/self/fd/" + std::to_string(fd), config);
  close(fd);
  return status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::View(data, size);
  Config config;
  if (const Status status = ReadText(text, &config); !status.ok()) {
    Require(status.message().find("/proc/self/fd/") != std::string::npos,
            "an error names the file");
    return 0;
  }
  const std::string printed = ConfigToToml(config);
  Config again;
  Require(ReadText(printed, &again).ok(), "what is printed can be read");
  Require(ConfigToToml(again) == printed, "and says the same");
  return 0;
}
