#include "server/answers.h"

#include <cstring>

#include "protocol/big_endian.h"
#include "protocol/record.h"
#include "protocol/short_copy.h"

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
constexpr std::string_view kResponseHead = "\x94\x01";
constexpr char kNil = '\xc0';
// All of a short answer but the names, at most: heads, msgid, nil, expiry; or what Encoded() gives.
constexpr size_t kShortAnswerRest = 32;

char* Put(std::string_view bytes, char* out) {
  ShortCopy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

// The shortest encoding.
char* PutUint(uint64_t value, char* out) {
  if (value < 0x80) {
    *out = static_cast<char>(value);
    return out + 1;
  }
  // 2^k bytes after a lead of 0xcc + k, most significant first.
  const int k = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : value <= UINT32_MAX ? 2 : 3;
  *out++ = static_cast<char>(0xcc + k);
  const uint64_t big_endian = BigEndian(value, size_t{1} << k);
  std::memcpy(out, &big_endian, sizeof big_endian);
  return out + (1 << k);
}

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

bool HasShortAnswer(const Lookup& lookup) {
  // For kValid alone are the names set.
  return lookup.verdict != Verdict::kValid ||
         lookup.owner_encoded.size() + lookup.scopes_encoded.size() <=
             kShortAnswerBytes - kShortAnswerRest;
}

char* WriteShortVerdict(const Lookup& lookup, char* out) {
  if (lookup.verdict != Verdict::kValid) return Put(Encoded(lookup.verdict), out);
  out = Put(kValidHead, out);
  if (lookup.expires_at_ms == kNever) {
    *out++ = kNil;
  } else {
    out = PutUint(lookup.expires_at_ms, out);
  }
  out = Put(lookup.owner_encoded, out);
  return Put(lookup.scopes_encoded, out);
}

char* WriteShortAnswer(uint32_t msgid, const Lookup& lookup, char* out) {
  out = Put(kResponseHead, out);
  out = PutUint(msgid, out);
  *out++ = kNil;
  return WriteShortVerdict(lookup, out);
}

std::optional<VerdictView> ReadVerdict(std::string_view result) {
  VerdictView verdict;
  msgpack_io::Reader reader(result);
  uint32_t count = 0;
  if (!reader.ReadArrayHeader(&count) || !reader.ReadBool(&verdict.is_valid)) return std::nullopt;
  if (!verdict.is_valid) return verdict;
  uint64_t expires_at_ms = 0;
  if (reader.ReadUint(&expires_at_ms)) {
    verdict.expires_at_ms = expires_at_ms;
  } else {
    reader.ReadNil();
  }
  std::string_view owner;
  if (reader.ReadStr(&owner)) {
    verdict.owner = owner;
  } else {
    reader.ReadNil();
  }
  verdict.scopes = reader;
  return verdict;
}

void WriteDiskVerdict(const Store::DiskVerdict& verdict, msgpack_io::Writer* out) {
  if (verdict.verdict == Verdict::kValid) {
    WriteValid(verdict.expires_at_ms, verdict.owner_encoded, verdict.scopes_encoded, out);
  } else {
    out->Raw(Encoded(verdict.verdict));
  }
}

}  // namespace tokend
