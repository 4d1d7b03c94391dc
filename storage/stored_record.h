// A record as it stands on disk, and its bytes.
//
//   value      = version:1 flags:1 [expires:8] [kept_from:8] created updated generation
//                inserted_sequence sequence [owner] [name] [source_id] [scopes] [attributes]
//                [sealed]
//   version    = 2 where the sealed token (protocol/sealer.h) stands at the end, else 1
//   flags      = 1 owner | 2 name | 4 revoked | 8 expires | 16 source_id | 32 scopes
//                | 64 attributes | 128 kept_from
//   scopes     = count, then each as a string
//
// Fixed fields are big-endian, the others LEB128 varints, strings prefixed by their length. The
// fixed fields come first so that the compaction filter judges without decoding the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/record.h"
#include "storage/byte_codec.h"

namespace tokend {

// Persisted.
inline constexpr uint8_t kStoredRecordVersion = 1;
inline constexpr uint8_t kStoredRecordVersionSealed = 2;

struct StoredRecord {
  Record record;  // key and namespace_name come from the row's key, usage from its own row
  // Sequence number of the Mutation that began this generation. An owner's cut-off hits what was
  // inserted before it.
  uint64_t inserted_sequence = 0;
  // Of the last Mutation that changed it; one with a lower number has been applied already.
  uint64_t sequence = 0;
  // Where it had expired before it was written, by the wall clock or by the reclaim clock: when
  // that was. Retention counts from the later.
  uint64_t written_expired_at_ms = 0;
  // Not in the Record, which is what answers show; empty = none.
  std::string sealed;

  // From when on it is only kept for its retention; kNever while it does not expire.
  uint64_t KeptFromMs() const {
    if (record.expires_at_ms == kNever) return kNever;
    return record.expires_at_ms > written_expired_at_ms ? record.expires_at_ms
                                                        : written_expired_at_ms;
  }
};

// An encoded record, as views into its bytes.
struct StoredRecordView {
  uint64_t expires_at_ms = 0;
  uint64_t written_expired_at_ms = 0;
  uint64_t created_at_ms = 0;
  uint64_t updated_at_ms = 0;
  uint64_t generation = 0;
  uint64_t inserted_sequence = 0;
  uint64_t sequence = 0;
  bool revoked = false;
  std::optional<std::string_view> owner;
  std::optional<std::string_view> name;
  std::string_view source_id;
  std::string_view attributes;
  std::string_view sealed;
  uint64_t scope_count = 0;

  template <typename Take>
  void ForEachScope(const Take& take) const {
    ByteReader in(scopes);
    std::string_view scope;
    while (in.Bytes(&scope)) take(scope);
  }
  std::string_view scopes;  // one after the other, each with its length
};

void EncodeStoredRecord(const StoredRecord& stored, std::string* out);
// false where the bytes are not a record of a version that we know.
// *stored is a new one.
bool DecodeStoredRecord(std::string_view bytes, StoredRecordView* stored);
// Leaves key, namespace and usage alone.
bool DecodeStoredRecord(std::string_view bytes, StoredRecord* stored);
// KeptFromMs() of an encoded record, cheaply; nullopt as above.
std::optional<uint64_t> StoredRecordKeptFrom(std::string_view bytes);

}  // namespace tokend
