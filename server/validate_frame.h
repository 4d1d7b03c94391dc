// The common form of a validate request, decoded in one go:
//
//   94 00 MSGID a8 "validate" (91 TOKEN | 92 TOKEN NAMESPACE)
//
// with MSGID in a shortest-or-wider unsigned encoding of at most 32 bits, TOKEN a str, bin or ext
// 1, NAMESPACE a str. What it takes, ReadFrame and DecodeToken take with the same outcome; it need
// not take everything that they do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/params.h"

namespace tokend {

struct ValidateFrame {
  uint32_t msgid = 0;
  TokenRef token;
  bool has_namespace = false;  // else it is the default one
  // Not checked against the rules for names: only good for finding a namespace that exists.
  std::string_view namespace_name;
};

// The most bytes that such a request takes; message limits are above it.
inline constexpr size_t kValidateFrameBytesMax = kTokenBytesMax + kNamespaceBytesMax + 64;

// The size of the request at the front of `bytes`; 0 if it is anything else, or unfinished. Views
// point into `bytes`.
size_t ReadValidateFrame(std::string_view bytes, ValidateFrame* frame);

}  // namespace tokend
