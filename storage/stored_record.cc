#include "storage/stored_record.h"

#include <algorithm>

#include "storage/byte_codec.h"

namespace tokend {
namespace {

enum Flag : uint8_t {
  kHasOwner = 1,
  kHasName = 2,
  kRevokedFlag = 4,
  kExpires = 8,
  kHasSourceId = 16,
  kHasScopes = 32,
  kHasAttributes = 64,
  kKeptFrom = 128,
};

}  // namespace

void EncodeStoredRecord(const StoredRecord& stored, std::string* out) {
  const Record& r = stored.record;
  unsigned flags = 0;
  if (r.owner) flags |= kHasOwner;
  if (r.name) flags |= kHasName;
  if (r.revoked) flags |= kRevokedFlag;
  if (r.expires_at_ms != kNever) {
    flags |= kExpires;
    if (stored.written_expired_at_ms > r.expires_at_ms) flags |= kKeptFrom;
  }
  if (!r.source_id.empty()) flags |= kHasSourceId;
  if (!r.scopes.empty()) flags |= kHasScopes;
  if (!r.attributes.empty()) flags |= kHasAttributes;

  out->push_back(static_cast<char>(kStoredRecordVersion));
  out->push_back(static_cast<char>(flags));
  if (flags & kExpires) PutBigEndian(r.expires_at_ms, 8, out);
  if (flags & kKeptFrom) PutBigEndian(stored.written_expired_at_ms, 8, out);
  PutVarint(r.created_at_ms, out);
  PutVarint(r.updated_at_ms, out);
  PutVarint(r.generation, out);
  PutVarint(stored.inserted_sequence, out);
  PutVarint(stored.sequence, out);
  if (r.owner) PutBytes(*r.owner, out);
  if (r.name) PutBytes(*r.name, out);
  if (flags & kHasSourceId) PutBytes(r.source_id, out);
  if (flags & kHasScopes) {
    PutVarint(r.scopes.size(), out);
    for (const std::string& scope : r.scopes) PutBytes(scope, out);
  }
  if (flags & kHasAttributes) PutBytes(r.attributes, out);
}

bool DecodeStoredRecord(std::string_view bytes, StoredRecord* stored) {
  ByteReader in(bytes);
  Record& r = stored->record;
  uint8_t version = 0;
  uint8_t flags = 0;
  if (!in.Byte(&version) || version != kStoredRecordVersion || !in.Byte(&flags)) return false;
  r.expires_at_ms = kNever;
  stored->written_expired_at_ms = 0;
  if ((flags & kExpires) && !in.BigEndian(8, &r.expires_at_ms)) return false;
  if ((flags & kKeptFrom) && !in.BigEndian(8, &stored->written_expired_at_ms)) return false;
  in.Varint(&r.created_at_ms);
  in.Varint(&r.updated_at_ms);
  in.Varint(&r.generation);
  in.Varint(&stored->inserted_sequence);
  in.Varint(&stored->sequence);
  r.revoked = (flags & kRevokedFlag) != 0;
  r.owner.reset();
  r.name.reset();
  r.source_id.clear();
  r.scopes.clear();
  r.attributes.clear();
  if (flags & kHasOwner) in.String(&r.owner.emplace());
  if (flags & kHasName) in.String(&r.name.emplace());
  if (flags & kHasSourceId) in.String(&r.source_id);
  if (flags & kHasScopes) {
    uint64_t count = 0;
    // Each scope takes a byte at least, so a count that cannot be is found before it is believed.
    if (!in.Varint(&count) || count > in.rest().size()) return false;
    r.scopes.resize(count);
    for (std::string& scope : r.scopes) {
      if (!in.String(&scope)) return false;
    }
  }
  if (flags & kHasAttributes) in.String(&r.attributes);
  return in.Done();
}

std::optional<uint64_t> StoredRecordKeptFrom(std::string_view bytes) {
  ByteReader in(bytes);
  uint8_t version = 0;
  uint8_t flags = 0;
  if (!in.Byte(&version) || version != kStoredRecordVersion || !in.Byte(&flags)) {
    return std::nullopt;
  }
  uint64_t expires = kNever;
  uint64_t written = 0;
  if ((flags & kExpires) && !in.BigEndian(8, &expires)) return std::nullopt;
  if ((flags & kKeptFrom) && !in.BigEndian(8, &written)) return std::nullopt;
  return expires == kNever ? kNever : std::max(expires, written);
}

}  // namespace tokend
