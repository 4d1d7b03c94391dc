// Pieces of answers that several methods share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "storage/store.h"
#include "storage/token_table.h"

namespace tokend {

// nil for kNever.
void WriteExpiry(uint64_t expires_at_ms, msgpack_io::Writer* out);

// One verdict as validate answers it: [true, expires_at, owner, scopes], [false, "unknown"] and so
// on; [nil, "unavailable"] for kUnavailable.
void WriteVerdict(const Lookup& lookup, msgpack_io::Writer* out);

// The same bytes in a quarter of the time. Only where the names are short enough; gives the end of
// what was written, at most kShortAnswerBytes.
inline constexpr size_t kShortAnswerBytes = 256;
bool HasShortAnswer(const Lookup& lookup);
char* WriteShortVerdict(const Lookup& lookup, char* out);
// The whole answer to a validate: what BeginResponse() and WriteVerdict() make.
char* WriteShortAnswer(uint32_t msgid, const Lookup& lookup, char* out);

// What validate has answered, read back. Views into the result.
struct VerdictView {
  bool is_valid = false;
  // Of a valid one:
  std::optional<uint64_t> expires_at_ms;  // none = never
  std::optional<std::string_view> owner;
  msgpack_io::Reader scopes{{}};  // at their array
};
// nullopt for [nil, "unavailable"].
std::optional<VerdictView> ReadVerdict(std::string_view result);

// The same from the disk's answer.
void WriteDiskVerdict(const Store::DiskVerdict& verdict, msgpack_io::Writer* out);

}  // namespace tokend
