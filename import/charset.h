// Character sets of MySQL, as far as their text can be turned into UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tokend {

enum class Charset : uint8_t {
  kUnknown,  // not said: taken as UTF-8
  kUtf8,     // utf8mb4, utf8mb3, utf8
  kLatin1,   // MySQL's latin1, which is cp1252 with its five holes filled
  kAscii,
  kBinary,
  kAsciiSuperset,  // any other in which bytes below 0x80 are ASCII: only such text is taken
  kUnsafe,  // gbk, sjis, ...: a backslash may be half of a character, so tokens of SQL are unsure
  kWide,    // ucs2, utf16, utf32
};

// Of a character set's or a collation's name, in any case ("utf8mb4_bin" is utf8mb4).
Charset ParseCharset(std::string_view name);

enum class ConvertResult : uint8_t { kOk, kInvalid, kUnsupported };

// UTF-8 of `text`: a view of `text` where nothing changes, else of *buffer. For kBinary, kUnknown
// and kUtf8 the text must be UTF-8 already.
ConvertResult ToUtf8(std::string_view text, Charset charset, std::string* buffer,
                     std::string_view* out);

}  // namespace tokend
