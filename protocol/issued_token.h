// Tokens that the server issues: PREFIX_ + 30 base62 characters + 6 of checksum.
#pragma once

#include <string_view>

#include "protocol/secret.h"

namespace tokend {

inline constexpr std::string_view kIssuedPrefixDefault = "tk";

// [A-Za-z0-9]{1,20}
bool IsValidIssuedPrefix(std::string_view prefix);

// A fresh token from the system's CSPRNG. Requires a valid prefix. Throws std::runtime_error where
// the system has no randomness to give.
Secret MakeIssuedToken(std::string_view prefix);

// The one token that belongs to `name` under a secret: the same again for the same, and nobody who
// lacks the secret can tell it. Requires a valid prefix.
Secret DeriveIssuedToken(std::string_view prefix, SecretView secret, std::string_view name);

// Whether the shape and the checksum are those of an issued token. For secret scanners and
// tokenctl; validation looks every token up whatever its checksum.
bool HasIssuedChecksum(std::string_view token);

}  // namespace tokend
