// memcpy for what is short most of the time. Two copies of a fixed size that overlap take a few
// cycles, where the call of memcpy takes as long as the work around it.
#pragma once

#include <cstddef>
#include <cstring>

namespace tokend {

// Requires that the two do not overlap.
inline void ShortCopy(void* to, const void* from, size_t size) {
  char* const out = static_cast<char*>(to);
  const char* const in = static_cast<const char*>(from);
  const auto ends = [&](size_t piece) __attribute__((always_inline)) {
    std::memcpy(out, in, piece);
    std::memcpy(out + size - piece, in + size - piece, piece);
  };
  if (size > 64) {
    std::memcpy(out, in, size);
  } else if (size >= 32) {
    ends(32);
  } else if (size >= 16) {
    ends(16);
  } else if (size >= 8) {
    ends(8);
  } else if (size >= 4) {
    ends(4);
  } else {
    for (size_t i = 0; i < size; ++i) out[i] = in[i];
  }
}

}  // namespace tokend
