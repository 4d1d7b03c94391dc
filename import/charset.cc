#include "import/charset.h"

#include <algorithm>
#include <array>

#include "import/sql_text.h"
#include "protocol/msgpack.h"

namespace tokend {
namespace {

struct CharsetName {
  std::string_view name;
  Charset charset;
};
// Those not listed are taken as supersets of ASCII, which all others of MySQL are.
constexpr CharsetName kNames[] = {
    {"utf8mb4", Charset::kUtf8},  {"utf8mb3", Charset::kUtf8},   {"utf8", Charset::kUtf8},
    {"uca1400", Charset::kUtf8},  // MariaDB 11's collations may leave utf8mb4 out
    {"latin1", Charset::kLatin1}, {"ascii", Charset::kAscii},    {"binary", Charset::kBinary},
    {"gbk", Charset::kUnsafe},    {"gb18030", Charset::kUnsafe}, {"big5", Charset::kUnsafe},
    {"sjis", Charset::kUnsafe},   {"cp932", Charset::kUnsafe},   {"ucs2", Charset::kWide},
    {"utf16", Charset::kWide},    {"utf16le", Charset::kWide},   {"utf32", Charset::kWide},
};

// Code points of cp1252's 0x80 ... 0x9f; MySQL maps the five holes to themselves.
constexpr std::array<uint16_t, 32> kCp1252 = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178};

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
  } else if (code < 0x800) {
    *out += static_cast<char>(0xc0 | code >> 6);
    *out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *out += static_cast<char>(0xe0 | code >> 12);
    *out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

}  // namespace

Charset ParseCharset(std::string_view name) {
  std::string lower = ToLowerAscii(name.substr(0, name.find('_')));
  for (const CharsetName& known : kNames) {
    if (known.name == lower) return known.charset;
  }
  return lower.empty() || lower == "default" ? Charset::kUnknown : Charset::kAsciiSuperset;
}

ConvertResult ToUtf8(std::string_view text, Charset charset, std::string* buffer,
                     std::string_view* out) {
  *out = text;
  if (charset == Charset::kWide) return ConvertResult::kUnsupported;
  if (IsAscii(text)) return ConvertResult::kOk;
  switch (charset) {
    case Charset::kUnknown:
    case Charset::kUtf8:
    case Charset::kBinary:
      return msgpack_io::IsValidUtf8(text) ? ConvertResult::kOk : ConvertResult::kInvalid;
    case Charset::kLatin1:
      buffer->clear();
      for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        AppendUtf8(byte >= 0x80 && byte < 0xa0 ? kCp1252[byte - 0x80] : byte, buffer);
      }
      *out = *buffer;
      return ConvertResult::kOk;
    case Charset::kAscii:
      return ConvertResult::kInvalid;
    case Charset::kAsciiSuperset:
    case Charset::kUnsafe:
    case Charset::kWide:
      break;
  }
  return ConvertResult::kUnsupported;
}

}  // namespace tokend
