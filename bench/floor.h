// The sizes that floor-server and its driver agree on: those of a `validate` of a 43-byte token,
// [0, msgid, "validate", ["tk_..."]] with a five-byte msgid, and of its usual answer.
#pragma once

#include <cstddef>
#include <string_view>

namespace tokend::bench {

inline constexpr size_t kFloorRequestBytes = 62;
inline constexpr size_t kFloorAnswerBytes = 48;
// In both: an array of four, the type, then the msgid as ce and four bytes.
inline constexpr size_t kFloorMsgidOffset = 3;
inline constexpr size_t kFloorMsgidBytes = 4;

// The answer before its msgid is put in: [1, msgid, nil, a str that fills it up].
inline constexpr char kFloorAnswer[kFloorAnswerBytes + 1] =
    "\x94\x01\xce\0\0\0\0\xc0\xd9\x26good-until-the-end-of-the-measurement!";
static_assert(kFloorAnswerBytes == 8 + 2 + 0x26);

}  // namespace tokend::bench
