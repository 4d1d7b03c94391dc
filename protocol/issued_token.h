// Tokens that the server issues: PREFIX_ + 30 base62 characters + 6 of checksum.
#pragma once

#include <string>
#include <string_view>

namespace tokend {

inline constexpr std::string_view kIssuedPrefixDefault = "tk";

// [A-Za-z0-9]{1,20}
bool IsValidIssuedPrefix(std::string_view prefix);

// A fresh token from the system's CSPRNG. Requires a valid prefix. Throws std::runtime_error where
// the system has no randomness to give.
std::string MakeIssuedToken(std::string_view prefix);

// Whether the shape and the checksum are those of an issued token. For secret scanners and
// tokenctl; validation looks every token up whatever its checksum.
bool HasIssuedChecksum(std::string_view token);

}  // namespace tokend
