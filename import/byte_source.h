// Where bytes come from: a file, standard input, memory, or a decompressor over one of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/error.h"

namespace tokend {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Reads 1 ... capacity bytes; *bytes == 0 at the end and ever after. An error is final.
  virtual Status Read(char* out, size_t capacity, size_t* bytes) = 0;
  // Once the end was read: it came before the stream's own end mark.
  virtual bool truncated() const { return false; }
};

// Bytes of the caller's, given at most `step` at a time, so that tests can cut anywhere.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes, size_t step = SIZE_MAX)
      : bytes_(bytes), step_(step) {}
  Status Read(char* out, size_t capacity, size_t* bytes) override;

 private:
  std::string_view bytes_;
  size_t step_;
};

// Another source whose first bytes can be looked at beforehand.
class PeekedSource : public ByteSource {
 public:
  static constexpr size_t kHeadBytes = 4096;

  explicit PeekedSource(ByteSource* source) : source_(source) {}
  // The first kHeadBytes, or all there is; once, before Read.
  Status Peek(std::string_view* head);
  Status Read(char* out, size_t capacity, size_t* bytes) override;
  bool truncated() const override { return source_->truncated(); }

 private:
  ByteSource* const source_;
  std::string head_;
  size_t given_ = 0;  // of head_
};

// A file or standard input.
class FileSource : public ByteSource {
 public:
  FileSource() = default;
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  Status Open(const std::string& path);  // "-" = standard input
  Status Read(char* out, size_t capacity, size_t* bytes) override;

  uint64_t bytes_read() const { return bytes_read_; }
  // Of a regular file.
  std::optional<uint64_t> size() const { return size_; }

 private:
  int fd_ = -1;
  bool owned_ = false;
  std::string path_;
  uint64_t bytes_read_ = 0;
  std::optional<uint64_t> size_;
};

}  // namespace tokend
