#include "import/decompress.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tokend {
namespace {

constexpr size_t kHeadBytes = 6;  // the longest magic, that of xz
constexpr size_t kInputBytes = 128 * 1024;
// What a stream may ask for: `zstd --long` has 2^27, `xz -9` 65 MiB.
constexpr int kZstdWindowLogMax = 27;
constexpr uint64_t kXzMemoryMax = uint64_t{192} << 20;

using namespace std::string_view_literals;

struct Magic {
  std::string_view bytes;
  Compression compression;
  const char* unread;  // set: what it is, and what to do instead
};
constexpr Magic kMagics[] = {
    {"\x1f\x8b"sv, Compression::kGzip, nullptr},
    {"\x28\xb5\x2f\xfd"sv, Compression::kZstd, nullptr},
    {"\xfd\x37zXZ\0"sv, Compression::kXz, nullptr},
    {"BZh"sv, Compression::kNone, "is compressed with bzip2: decompress it first"},
    {"\x04\x22\x4d\x18"sv, Compression::kNone, "is compressed with lz4: decompress it first"},
    {"PK\x03\x04"sv, Compression::kNone, "is a zip archive: unpack it first"},
    {"\xff\xfe"sv, Compression::kNone,
     "is UTF-16 (a shell's '>' did that): dump again with --result-file"},
    {"\xfe\xff"sv, Compression::kNone,
     "is UTF-16 (a shell's '>' did that): dump again with --result-file"},
};

// One compressed format: turns input into output, member after member.
class Codec {
 public:
  virtual ~Codec() = default;
  // Advances *in and *out. `in_end`: nothing follows *in. Returns an error for damaged input.
  virtual Status Step(std::string_view* in, bool in_end, char** out, size_t* out_bytes) = 0;
  // Between members: the input may end here.
  virtual bool at_boundary() const = 0;
};

Status Damaged(const char* format, const char* detail) {
  std::string message = std::string("damaged ") + format + " stream";
  if (detail != nullptr) message += std::string(": ") + detail;
  return {ErrorCode::kInternal, message};
}

class GzipCodec : public Codec {
 public:
  GzipCodec() { ok_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~GzipCodec() override {
    if (ok_) inflateEnd(&stream_);
  }

  Status Step(std::string_view* in, bool, char** out, size_t* out_bytes) override {
    if (!ok_) return {ErrorCode::kInternal, "no memory for gzip"};
    if (boundary_) {
      // Tapes pad with zeros.
      while (members_ > 0 && !in->empty() && in->front() == '\0') in->remove_prefix(1);
      if (in->empty()) return Status::Ok();
      if (members_ > 0) inflateReset(&stream_);
      boundary_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in->data()));
    stream_.avail_in = static_cast<uInt>(in->size());
    stream_.next_out = reinterpret_cast<Bytef*>(*out);
    stream_.avail_out = static_cast<uInt>(*out_bytes);
    int result = inflate(&stream_, Z_NO_FLUSH);
    in->remove_prefix(in->size() - stream_.avail_in);
    *out += *out_bytes - stream_.avail_out;
    *out_bytes = stream_.avail_out;
    if (result == Z_STREAM_END) {
      boundary_ = true;
      ++members_;
      return Status::Ok();
    }
    if (result != Z_OK && result != Z_BUF_ERROR) return Damaged("gzip", stream_.msg);
    return Status::Ok();
  }
  bool at_boundary() const override { return boundary_ && members_ > 0; }

 private:
  z_stream stream_{};
  bool ok_ = false;
  bool boundary_ = true;
  uint64_t members_ = 0;
};

class ZstdCodec : public Codec {
 public:
  ZstdCodec() : stream_(ZSTD_createDStream()) {
    if (stream_ != nullptr) {
      ZSTD_initDStream(stream_);
      ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kZstdWindowLogMax);
    }
  }
  ~ZstdCodec() override { ZSTD_freeDStream(stream_); }

  Status Step(std::string_view* in, bool, char** out, size_t* out_bytes) override {
    if (stream_ == nullptr) return {ErrorCode::kInternal, "no memory for zstd"};
    if (boundary_ && in->empty()) return Status::Ok();
    ZSTD_inBuffer input{in->data(), in->size(), 0};
    ZSTD_outBuffer output{*out, *out_bytes, 0};
    size_t result = ZSTD_decompressStream(stream_, &output, &input);
    if (ZSTD_isError(result)) return Damaged("zstd", ZSTD_getErrorName(result));
    in->remove_prefix(input.pos);
    *out += output.pos;
    *out_bytes -= output.pos;
    boundary_ = result == 0;
    return Status::Ok();
  }
  bool at_boundary() const override { return boundary_; }

 private:
  ZSTD_DStream* stream_;
  bool boundary_ = false;
};

class XzCodec : public Codec {
 public:
  XzCodec() { ok_ = lzma_stream_decoder(&stream_, kXzMemoryMax, LZMA_CONCATENATED) == LZMA_OK; }
  ~XzCodec() override { lzma_end(&stream_); }

  Status Step(std::string_view* in, bool in_end, char** out, size_t* out_bytes) override {
    if (!ok_) return {ErrorCode::kInternal, "no memory for xz"};
    if (done_) return Status::Ok();
    stream_.next_in = reinterpret_cast<const uint8_t*>(in->data());
    stream_.avail_in = in->size();
    stream_.next_out = reinterpret_cast<uint8_t*>(*out);
    stream_.avail_out = *out_bytes;
    lzma_ret result = lzma_code(&stream_, in_end ? LZMA_FINISH : LZMA_RUN);
    in->remove_prefix(in->size() - stream_.avail_in);
    *out += *out_bytes - stream_.avail_out;
    *out_bytes = stream_.avail_out;
    switch (result) {
      case LZMA_STREAM_END:
        done_ = true;
        return Status::Ok();
      case LZMA_OK:
      case LZMA_BUF_ERROR:
        return Status::Ok();
      case LZMA_MEMLIMIT_ERROR:
        return Damaged("xz", "its dictionary is too large");
      default:
        return Damaged("xz", nullptr);
    }
  }
  bool at_boundary() const override { return done_; }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ok_ = false;
  bool done_ = false;
};

// Gives `head` again, then the rest of `raw`.
class HeadSource : public ByteSource {
 public:
  HeadSource(std::string head, ByteSource* raw) : head_(std::move(head)), raw_(raw) {}
  Status Read(char* out, size_t capacity, size_t* bytes) override {
    if (given_ == head_.size()) return raw_->Read(out, capacity, bytes);
    *bytes = std::min(capacity, head_.size() - given_);
    std::memcpy(out, head_.data() + given_, *bytes);
    given_ += *bytes;
    return Status::Ok();
  }

 private:
  std::string head_;
  size_t given_ = 0;
  ByteSource* raw_;
};

class DecompressingSource : public ByteSource {
 public:
  DecompressingSource(std::unique_ptr<ByteSource> raw, std::unique_ptr<Codec> codec,
                      std::string name)
      : raw_(std::move(raw)),
        codec_(std::move(codec)),
        name_(std::move(name)),
        buffer_(std::make_unique<char[]>(kInputBytes)) {}

  Status Read(char* out, size_t capacity, size_t* bytes) override {
    *bytes = 0;
    char* at = out;
    size_t room = capacity;
    while (!end_) {
      if (input_.empty() && !raw_end_) {
        size_t got = 0;
        if (Status read = raw_->Read(buffer_.get(), kInputBytes, &got); !read.ok()) return read;
        input_ = {buffer_.get(), got};
        raw_end_ = got == 0;
      }
      size_t input_before = input_.size();
      Status step = codec_->Step(&input_, raw_end_, &at, &room);
      if (!step.ok()) {
        end_ = true;
        failure_ = {step.code(), name_ + ": " + step.message()};
      }
      if (at != out) {
        *bytes = static_cast<size_t>(at - out);
        return Status::Ok();
      }
      if (!end_ && raw_end_ && input_.size() == input_before) {
        end_ = true;
        truncated_ = !codec_->at_boundary();
      }
    }
    // What came before the damage was given first.
    return failure_;
  }
  bool truncated() const override { return truncated_; }

 private:
  std::unique_ptr<ByteSource> raw_;
  std::unique_ptr<Codec> codec_;
  std::string name_;
  std::unique_ptr<char[]> buffer_;
  std::string_view input_;
  bool raw_end_ = false;
  bool end_ = false;
  bool truncated_ = false;
  Status failure_;
};

}  // namespace

std::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "none";
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
    case Compression::kXz:
      return "xz";
  }
  return "none";
}

Status OpenDecompressed(ByteSource* raw, const std::string& name, std::unique_ptr<ByteSource>* out,
                        Compression* compression) {
  std::string head(kHeadBytes, '\0');
  size_t have = 0;
  while (have < kHeadBytes) {
    size_t got = 0;
    if (Status read = raw->Read(head.data() + have, kHeadBytes - have, &got); !read.ok())
      return read;
    if (got == 0) break;
    have += got;
  }
  head.resize(have);

  *compression = Compression::kNone;
  for (const Magic& magic : kMagics) {
    if (!head.starts_with(magic.bytes)) continue;
    if (magic.unread != nullptr) return {ErrorCode::kInternal, name + " " + magic.unread};
    *compression = magic.compression;
    break;
  }
  if (*compression == Compression::kNone && head.starts_with("\xef\xbb\xbf")) head.erase(0, 3);

  auto whole = std::make_unique<HeadSource>(std::move(head), raw);
  std::unique_ptr<Codec> codec;
  switch (*compression) {
    case Compression::kNone:
      *out = std::move(whole);
      return Status::Ok();
    case Compression::kGzip:
      codec = std::make_unique<GzipCodec>();
      break;
    case Compression::kZstd:
      codec = std::make_unique<ZstdCodec>();
      break;
    case Compression::kXz:
      codec = std::make_unique<XzCodec>();
      break;
  }
  *out = std::make_unique<DecompressingSource>(std::move(whole), std::move(codec), name);
  return Status::Ok();
}

}  // namespace tokend
