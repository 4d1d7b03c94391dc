#include "storage/mapped_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tokend {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kHugePageBytes = 2 << 20;

}  // namespace

MappedMemory::MappedMemory(size_t bytes, const char* what) : bytes_(bytes) {
  data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
  if (data_ == MAP_FAILED) {
    throw std::runtime_error("cannot reserve " + std::to_string(bytes >> 20) +
                             " MiB of address space for " + what + ": " +
                             std::generic_category().message(errno));
  }
  // Fails on kernels built without it, and then only costs a larger dump.
  madvise(data_, bytes, MADV_DONTDUMP);
}

MappedMemory::~MappedMemory() { munmap(data_, bytes_); }

void AdviseHugePages(void* data, size_t bytes) {
  const uintptr_t base = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = (base + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  const uintptr_t last = (base + bytes) & ~(kHugePageBytes - 1);
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

void MappedMemory::AdviseHugePages(size_t from, size_t to) {
  tokend::AdviseHugePages(as<char>() + from, to - from);
}

void MappedMemory::Populate(size_t from, size_t to) {
  const size_t first = from & ~(kPageBytes - 1);
  madvise(as<char>() + first, to - first, MADV_POPULATE_WRITE);
}

}  // namespace tokend
