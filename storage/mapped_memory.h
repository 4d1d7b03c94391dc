// Address space reserved at once and backed by memory page by page, as it is first touched.
//
// So an array can grow to its final size without ever moving, copying or doubling, and readers keep
// plain pointers into it. What is mapped reads as zero until it is written.
#pragma once

#include <cstddef>

namespace tokend {

// Lets it be of huge pages, as far as whole ones fit: for what is large and read here and there.
// Advice only.
void AdviseHugePages(void* data, size_t bytes);

class MappedMemory {
 public:
  // Throws std::runtime_error naming `what` where the system refuses so much address space. Takes
  // no memory. Core dumps leave it out: it holds digests of every token.
  MappedMemory(size_t bytes, const char* what);
  ~MappedMemory();
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

  // The same of [from, to).
  void AdviseHugePages(size_t from, size_t to);
  // Has [from, to) backed by memory, its content unchanged; may run beside any use of it. Where the
  // kernel cannot do that, pages are backed when they are touched, as ever.
  void Populate(size_t from, size_t to);

 private:
  void* data_;
  size_t bytes_;
};

}  // namespace tokend
