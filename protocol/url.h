// Percent-encoding, forms, hosts and paths of URLs (RFC 3986; application/x-www-form-urlencoded).
#pragma once

#include <string>
#include <string_view>

namespace tokend {

// Takes the text up to the next separator off the front, and the separator: "a,b" leaves "b".
inline std::string_view TakePiece(std::string_view* rest, char separator) {
  const std::string_view piece = rest->substr(0, rest->find(separator));
  rest->remove_prefix(piece.size() + (piece.size() < rest->size() ? 1 : 0));
  return piece;
}

// "example.com" of "example.com:80"; "[::1]" has colons and no port.
std::string_view WithoutPort(std::string_view host);

// Takes the next field off the front of a form or a query, decoded: "a=1&b=%20". False where
// nothing is left; *malformed is set where a percent sign is not followed by two digits.
bool NextFormField(std::string_view* rest, std::string* name, std::string* value, bool* malformed);

// What is percent-encoded becomes bytes; nothing else changes. False as above.
bool PercentDecode(std::string_view text, std::string* out);

// Every byte but those of visible ASCII, and the percent sign itself, becomes %XX: what can stand
// in a header's field whatever it is.
void AppendPercentEncoded(std::string_view text, std::string* out);

// The path as servers that tidy paths up understand it: decoded once, without "//", "." and "..".
// False where servers would not agree what it is: an encoded slash, backslash, percent sign or
// control character, a backslash, a semicolon or a hash sign, one that climbs above the root or
// does not begin with a slash.
bool NormalizePath(std::string_view path, std::string* out);

}  // namespace tokend
