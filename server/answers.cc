#include "server/answers.h"

#include "protocol/record.h"

namespace tokend {
namespace {

// Encoded ahead: most answers of these kinds are the same few bytes.
constexpr std::string_view kUnknown = "\x92\xc2\xa7unknown";
constexpr std::string_view kExpired =
    "\x92\xc2\xa7"
    "expired";
constexpr std::string_view kRevoked = "\x92\xc2\xa7revoked";
constexpr std::string_view kUnavailable = "\x92\xc0\xabunavailable";
constexpr std::string_view kValidHead = "\x94\xc3";

void WriteValid(uint64_t expires_at_ms, std::string_view owner, std::string_view scopes,
                msgpack_io::Writer* out) {
  out->Raw(kValidHead);
  WriteExpiry(expires_at_ms, out);
  out->Raw(owner);
  out->Raw(scopes);
}

// What every verdict but kValid is.
std::string_view Encoded(Verdict verdict) {
  switch (verdict) {
    case Verdict::kUnknown:
      return kUnknown;
    case Verdict::kExpired:
      return kExpired;
    case Verdict::kRevoked:
      return kRevoked;
    case Verdict::kValid:
    case Verdict::kUnavailable:
      break;
  }
  return kUnavailable;
}

}  // namespace

void WriteExpiry(uint64_t expires_at_ms, msgpack_io::Writer* out) {
  if (expires_at_ms == kNever) {
    out->Nil();
  } else {
    out->Uint(expires_at_ms);
  }
}

void WriteVerdict(const Lookup& lookup, msgpack_io::Writer* out) {
  if (lookup.verdict == Verdict::kValid) {
    WriteValid(lookup.expires_at_ms, lookup.owner_encoded, lookup.scopes_encoded, out);
  } else {
    out->Raw(Encoded(lookup.verdict));
  }
}

void WriteDiskVerdict(const Store::DiskVerdict& verdict, msgpack_io::Writer* out) {
  if (verdict.verdict == Verdict::kValid) {
    WriteValid(verdict.expires_at_ms, verdict.owner_encoded, verdict.scopes_encoded, out);
  } else {
    out->Raw(Encoded(verdict.verdict));
  }
}

}  // namespace tokend
