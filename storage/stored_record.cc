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

// The bytes that every version begins with.
bool ReadHead(ByteReader* in, uint8_t* version, uint8_t* flags) {
  return in->Byte(version) &&
         (*version == kStoredRecordVersion || *version == kStoredRecordVersionSealed) &&
         in->Byte(flags);
}

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

  const bool is_sealed = !stored.sealed.empty();
  out->push_back(static_cast<char>(is_sealed ? kStoredRecordVersionSealed : kStoredRecordVersion));
  out->push_back(static_cast<char>(flags));
  if (flags & kExpires) AppendBigEndian(r.expires_at_ms, 8, out);
  if (flags & kKeptFrom) AppendBigEndian(stored.written_expired_at_ms, 8, out);
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
  if (is_sealed) PutBytes(stored.sealed, out);
}

bool DecodeStoredRecord(std::string_view bytes, StoredRecordView* stored) {
  ByteReader in(bytes);
  uint8_t version = 0;
  uint8_t flags = 0;
  if (!ReadHead(&in, &version, &flags)) return false;
  stored->expires_at_ms = kNever;
  if (flags & kExpires) in.BigEndian(8, &stored->expires_at_ms);
  if (flags & kKeptFrom) in.BigEndian(8, &stored->written_expired_at_ms);
  in.Varint(&stored->created_at_ms);
  in.Varint(&stored->updated_at_ms);
  in.Varint(&stored->generation);
  in.Varint(&stored->inserted_sequence);
  in.Varint(&stored->sequence);
  stored->revoked = (flags & kRevokedFlag) != 0;
  if (flags & kHasOwner) in.Bytes(&stored->owner.emplace());
  if (flags & kHasName) in.Bytes(&stored->name.emplace());
  if (flags & kHasSourceId) in.Bytes(&stored->source_id);
  if (flags & kHasScopes) {
    in.Varint(&stored->scope_count);
    const std::string_view from = in.rest();
    std::string_view scope;
    for (uint64_t i = 0; i < stored->scope_count; ++i) {
      if (!in.Bytes(&scope)) return false;
    }
    stored->scopes = from.substr(0, from.size() - in.rest().size());
  }
  if (flags & kHasAttributes) in.Bytes(&stored->attributes);
  if (version == kStoredRecordVersionSealed) {
    in.Bytes(&stored->sealed);
    if (stored->sealed.empty()) return false;
  }
  return in.Done();
}

bool DecodeStoredRecord(std::string_view bytes, StoredRecord* stored) {
  StoredRecordView view;
  if (!DecodeStoredRecord(bytes, &view)) return false;
  stored->inserted_sequence = view.inserted_sequence;
  stored->sequence = view.sequence;
  stored->written_expired_at_ms = view.written_expired_at_ms;
  Record& r = stored->record;
  r.expires_at_ms = view.expires_at_ms;
  r.created_at_ms = view.created_at_ms;
  r.updated_at_ms = view.updated_at_ms;
  r.generation = view.generation;
  r.revoked = view.revoked;
  r.owner = view.owner;
  r.name = view.name;
  r.source_id = view.source_id;
  r.scopes.clear();
  r.scopes.reserve(view.scope_count);
  view.ForEachScope([&](std::string_view scope) { r.scopes.emplace_back(scope); });
  r.attributes = view.attributes;
  stored->sealed = view.sealed;
  return true;
}

std::optional<uint64_t> StoredRecordKeptFrom(std::string_view bytes) {
  ByteReader in(bytes);
  uint8_t version = 0;
  uint8_t flags = 0;
  if (!ReadHead(&in, &version, &flags)) return std::nullopt;
  uint64_t expires = kNever;
  uint64_t written = 0;
  if ((flags & kExpires) && !in.BigEndian(8, &expires)) return std::nullopt;
  if ((flags & kKeptFrom) && !in.BigEndian(8, &written)) return std::nullopt;
  return expires == kNever ? kNever : std::max(expires, written);
}

}  // namespace tokend
