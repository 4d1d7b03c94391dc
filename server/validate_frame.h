// The common forms of validate and validate_many, each decoded in one go:
//
//   94 00 MSGID a8 "validate"      (91 TOKEN   | 92 TOKEN NAMESPACE)
//   94 00 MSGID ad "validate_many" (91 [TOKEN] | 92 [TOKEN] NAMESPACE)
//
// with MSGID in a shortest-or-wider unsigned encoding of at most 32 bits, TOKEN a str, bin or ext
// 1, NAMESPACE a str; in [TOKEN] at most 256 strs or bins of at most 255 bytes. What they take,
// ReadFrame and DecodeToken or DecodeTokens take with the same outcome; they need not take
// everything that those do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/params.h"

namespace tokend {

struct ValidateFrame {
  uint32_t msgid = 0;
  TokenRef token;
  bool has_namespace = false;  // else it is the default one
  // Not checked against the rules for names: only good for finding a namespace that exists.
  std::string_view namespace_name;
};

struct ValidateManyFrame {
  uint32_t msgid = 0;
  std::vector<std::string_view> tokens;  // reused: allocates nothing in steady state
  bool has_namespace = false;
  std::string_view namespace_name;  // not checked, as above
};

inline constexpr size_t kValidateManyFrameTokensMax = 256;

// The most bytes that either request takes; message limits are above it.
inline constexpr size_t kValidateFrameBytesMax =
    kValidateManyFrameTokensMax * (2 + 255) + kNamespaceBytesMax + 64;
static_assert(kValidateFrameBytesMax > kTokenBytesMax + kNamespaceBytesMax + 64);

// The size of the request at the front of `bytes`; 0 if it is anything else, or unfinished. Views
// point into `bytes`.
size_t ReadValidateFrame(std::string_view bytes, ValidateFrame* frame);
size_t ReadValidateManyFrame(std::string_view bytes, ValidateManyFrame* frame);

}  // namespace tokend
