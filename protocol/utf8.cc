#include <cstdint>
#include <cstring>

#include "protocol/msgpack.h"

namespace tokend::msgpack_io {

// RFC 3629, section 4, where the second byte's range depends on the first:
//
//   00..7F
//   C2..DF  80..BF
//   E0      A0..BF  80..BF           (below: overlong)
//   E1..EC  80..BF  80..BF
//   ED      80..9F  80..BF           (above: surrogates)
//   EE..EF  80..BF  80..BF
//   F0      90..BF  80..BF  80..BF   (below: overlong)
//   F1..F3  80..BF  80..BF  80..BF
//   F4      80..8F  80..BF  80..BF   (above: past U+10FFFF)
bool IsValidUtf8(std::string_view text) {
  const auto* at = reinterpret_cast<const uint8_t*>(text.data());
  const auto* const end = at + text.size();
  while (at < end) {
    // Most text is ASCII: eight bytes at a time.
    uint64_t word;
    if (end - at >= 8 && (std::memcpy(&word, at, 8), (word & 0x8080808080808080) == 0)) {
      at += 8;
      continue;
    }
    const uint8_t lead = *at++;
    if (lead < 0x80) continue;
    int more;
    uint8_t second_min = 0x80, second_max = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) second_min = 0xa0;
      if (lead == 0xed) second_max = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) second_min = 0x90;
      if (lead == 0xf4) second_max = 0x8f;
    } else {
      return false;
    }
    if (end - at < more) return false;
    if (*at < second_min || *at > second_max) return false;
    for (int i = 1; i < more; ++i) {
      if (at[i] < 0x80 || at[i] > 0xbf) return false;
    }
    at += more;
  }
  return true;
}

}  // namespace tokend::msgpack_io
