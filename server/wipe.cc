#include "server/wipe.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace tokend {
namespace {

// To give pages back costs a system call, and a fault each if they are used again.
constexpr size_t kGiveBackBytes = 256 << 10;

}  // namespace

void Wipe(char* bytes, size_t size) {
  static const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes);
  const uintptr_t first = (begin + page_bytes - 1) & ~(page_bytes - 1);
  const uintptr_t last = (begin + size) & ~(page_bytes - 1);
  if (size < kGiveBackBytes || last <= first ||
      madvise(bytes + (first - begin), last - first, MADV_DONTNEED) != 0) {
    explicit_bzero(bytes, size);
    return;
  }
  explicit_bzero(bytes, first - begin);
  explicit_bzero(bytes + (last - begin), begin + size - last);
}

void WipeAll(std::string* text) {
  text->resize(text->capacity());
  Wipe(text->data(), text->size());
  text->clear();
}

}  // namespace tokend
