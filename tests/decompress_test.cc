#include "import/decompress.h"

#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

namespace tokend {
namespace {

std::string Gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string Xz(const std::string& text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  size_t used = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr,
                                    reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                    reinterpret_cast<uint8_t*>(out.data()), &used, out.size()),
            LZMA_OK);
  out.resize(used);
  return out;
}

struct Result {
  Status status;
  std::string text;
  bool truncated = false;
  Compression compression = Compression::kNone;
};

Result Read(std::string_view bytes, size_t in_step = SIZE_MAX, size_t out_step = 64 * 1024) {
  MemorySource raw(bytes, in_step);
  std::unique_ptr<ByteSource> source;
  Result result;
  result.status = OpenDecompressed(&raw, "file", &source, &result.compression);
  std::string buffer(out_step, '\0');
  while (result.status.ok()) {
    size_t got = 0;
    result.status = source->Read(buffer.data(), buffer.size(), &got);
    result.text.append(buffer, 0, got);
    if (got == 0) break;
  }
  result.truncated = source != nullptr && source->truncated();
  return result;
}

// Compresses to something, but not to nothing.
std::string SampleText(int numbers = 3000) {
  std::string text;
  for (int i = 0; i < numbers; ++i) text += std::to_string(i * 7919 % 10007) + ",";
  return text;
}

struct Format {
  Compression compression;
  std::string (*compress)(const std::string&);
};

class CompressedTest : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Formats, CompressedTest,
                         testing::Values(Format{Compression::kGzip, Gzip},
                                         Format{Compression::kZstd, Zstd},
                                         Format{Compression::kXz, Xz}),
                         [](const testing::TestParamInfo<Format>& format) {
                           return std::string(CompressionName(format.param.compression));
                         });

TEST_P(CompressedTest, IsToldByItsFirstBytes) {
  std::string text = SampleText();
  Result result = Read(GetParam().compress(text));
  EXPECT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_EQ(result.compression, GetParam().compression);
  EXPECT_EQ(result.text, text);
  EXPECT_FALSE(result.truncated);
}

TEST_P(CompressedTest, IsReadInPiecesOfAnySize) {
  std::string text = SampleText();
  std::string bytes = GetParam().compress(text);
  for (size_t step : {1, 2, 3, 5, 17, 1000}) {
    EXPECT_EQ(Read(bytes, step, step).text, text) << step;
  }
}

TEST_P(CompressedTest, GoesOnWithTheNextMember) {
  std::string bytes = GetParam().compress("one ") + GetParam().compress("two ") +
                      GetParam().compress("") + GetParam().compress("three");
  for (size_t step : {size_t{1}, SIZE_MAX}) {
    Result result = Read(bytes, step);
    EXPECT_TRUE(result.status.ok()) << result.status.message();
    EXPECT_EQ(result.text, "one two three");
    EXPECT_FALSE(result.truncated);
  }
}

TEST_P(CompressedTest, IsTruncatedAtEveryCut) {
  std::string text = SampleText(300);
  std::string bytes = GetParam().compress(text);
  for (size_t cut = 6; cut < bytes.size(); ++cut) {
    Result result = Read(std::string_view(bytes).substr(0, cut));
    ASSERT_TRUE(result.status.ok()) << cut << ": " << result.status.message();
    ASSERT_TRUE(result.truncated) << cut;
    ASSERT_TRUE(text.starts_with(result.text)) << cut;
  }
  // Of more than one block the first are given.
  bytes = GetParam().compress(SampleText(200000));
  EXPECT_GT(Read(std::string_view(bytes).substr(0, bytes.size() - 1)).text.size(), 500000u);
}

TEST_P(CompressedTest, IsAnErrorWhenDamaged) {
  std::string bytes = GetParam().compress(SampleText());
  // What holds no checksum of itself may go by; in the middle something has to give.
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 4; ++i) bytes[i] = ~bytes[i];
  Result result = Read(bytes);
  if (GetParam().compression == Compression::kZstd && result.status.ok()) {
    // ZSTD_compress writes no checksum, so damage may change the text only.
    EXPECT_NE(result.text, SampleText());
    return;
  }
  EXPECT_FALSE(result.status.ok());
  EXPECT_TRUE(result.status.message().starts_with("file: damaged ")) << result.status.message();
}

TEST_P(CompressedTest, IsAnErrorWithSomethingElseBehind) {
  Result result = Read(GetParam().compress("one") + "something else, and more than a header of it");
  EXPECT_FALSE(result.status.ok());
  EXPECT_EQ(result.text, "one");
}

TEST(DecompressTest, IgnoresZerosBehindGzip) {
  Result result = Read(Gzip("one") + std::string(1000, '\0'));
  EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(result.text, "one");
  EXPECT_FALSE(result.truncated);
}

TEST(DecompressTest, PassesOtherBytesThrough) {
  for (std::string_view text : {"", "-", "--", "INSERT", "-- MariaDB dump 10", "\x1f"}) {
    for (size_t step : {size_t{1}, SIZE_MAX}) {
      Result result = Read(text, step);
      EXPECT_TRUE(result.status.ok());
      EXPECT_EQ(result.compression, Compression::kNone);
      EXPECT_EQ(result.text, text);
      EXPECT_FALSE(result.truncated);
    }
  }
  EXPECT_EQ(Read("\xef\xbb\xbfSET").text, "SET");
}

TEST(DecompressTest, NamesWhatItDoesNotRead) {
  const std::pair<std::string, std::string> cases[] = {
      {"BZh91AY&SY", "bzip2"},
      {"PK\x03\x04....", "zip"},
      {"\x04\x22\x4d\x18....", "lz4"},
      {std::string("\xff\xfe-\0-\0 \0", 8), "UTF-16"},
      {std::string("\xfe\xff\0-\0-\0 ", 8), "UTF-16"},
  };
  for (const auto& [bytes, name] : cases) {
    Result result = Read(bytes);
    EXPECT_FALSE(result.status.ok());
    EXPECT_NE(result.status.message().find(name), std::string::npos) << result.status.message();
  }
}

}  // namespace
}  // namespace tokend
