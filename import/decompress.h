// Decompressing byte sources, chosen by the first bytes of a stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "import/byte_source.h"
#include "protocol/error.h"

namespace tokend {

enum class Compression : uint8_t { kNone, kGzip, kZstd, kXz };
std::string_view CompressionName(Compression compression);  // "none", "gzip", "zstd", "xz"

// Puts the fitting decompressor before `raw`, which must outlive the result. gzip members and zstd
// frames may follow one another (as pigz and cat make them). What is known but not read (bzip2,
// lz4, zip, UTF-16) gets an error that names it. Bytes that fit no magic are passed through, less a
// UTF-8 byte order mark.
//
// The result's truncated() tells a stream that stops before its end mark; damage is an error.
Status OpenDecompressed(ByteSource* raw, const std::string& name, std::unique_ptr<ByteSource>* out,
                        Compression* compression);

}  // namespace tokend
