#include "protocol/url.h"

#include <algorithm>
#include <cstdint>

namespace tokend {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool Decode(std::string_view text, bool plus_is_blank, std::string* out) {
  out->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out->push_back(' ');
    } else if (text[i] != '%') {
      out->push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return false;
      out->push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return true;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string_view WithoutPort(std::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon == host.npos || host.find(']', colon) != host.npos) return host;
  return host.substr(0, colon);
}

bool NextFormField(std::string_view* rest, std::string* name, std::string* value, bool* malformed) {
  while (rest->starts_with('&')) rest->remove_prefix(1);
  if (rest->empty()) return false;
  std::string_view text = TakePiece(rest, '&');
  const std::string_view encoded_name = TakePiece(&text, '=');
  if (!Decode(encoded_name, true, name) || !Decode(text, true, value)) {
    *malformed = true;
    return false;
  }
  return true;
}

bool PercentDecode(std::string_view text, std::string* out) { return Decode(text, false, out); }

void AppendPercentEncoded(std::string_view text, std::string* out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (c > 0x20 && c < 0x7f && c != '%') {
      out->push_back(c);
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out->push_back('%');
      out->push_back(kDigits[byte >> 4]);
      out->push_back(kDigits[byte & 15]);
    }
  }
}

bool NormalizePath(std::string_view path, std::string* out) {
  out->clear();
  if (!path.starts_with('/')) return false;
  std::string segment;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view encoded = path.substr(0, path.find('/'));
    path.remove_prefix(encoded.size());
    if (encoded.find('\\') != encoded.npos || !PercentDecode(encoded, &segment)) return false;
    // What begins parameters for some, or ends the path.
    if (segment.find_first_of(";#") != segment.npos) return false;
    // Encoded once more, or something that ends a segment for some.
    if (segment != encoded &&
        std::ranges::any_of(segment, [](char c) { return c == '/' || c == '\\' || c == '%'; })) {
      return false;
    }
    if (std::ranges::any_of(segment, IsControl)) return false;
    if (segment == "..") {
      if (out->empty()) return false;
      out->resize(out->rfind('/'));
    } else if (!segment.empty() && segment != ".") {
      out->append("/").append(segment);
    }
  }
  if (out->empty()) out->push_back('/');
  return true;
}

}  // namespace tokend
