// The rows of each column family: their keys and values as bytes (docs/storage.md).
//
//   tokens   namespace:2 key:32                                      -> stored record
//   owners   namespace:2 size:2 owner class:1 expires:8 key:32       -> kept_from or nothing
//   expiry   namespace:2 class:1 expires:8 key:32                    -> kept_from or nothing
//   usage    namespace:2 key:32                  -> kept_from:8 last_used:varint count:varint
//   meta     see the k...Row names below
//
// Integers in keys are big-endian, so that byte order is sort order; expires is 2^64-1 for never,
// class is 1 for a revoked token and 0 otherwise. So each filter of a query is one or two ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/audit_line.h"
#include "protocol/digest.h"
#include "protocol/token.h"
#include "storage/reclaim_clock.h"
#include "storage/stored_record.h"
#include "storage/token_table.h"

namespace tokend {

inline constexpr size_t kNamespaceIdBytes = 2;
inline constexpr size_t kTokenRowKeyBytes = kNamespaceIdBytes + kTokenKeyBytes;
inline constexpr size_t kIndexTailBytes = 1 + 8 + kTokenKeyBytes;  // class, expires, key

std::string NamespacePrefix(NamespaceId ns);
std::string TokenRowKey(NamespaceId ns, const TokenKey& key);
void AppendTokenRowKey(NamespaceId ns, const TokenKey& key, std::string* out);

// The token that a row of `tokens` or `usage` is of. Requires kTokenRowKeyBytes.
struct TokenRowName {
  NamespaceId ns = 0;
  TokenKey key;
};
TokenRowName ParseTokenRowKey(std::string_view row_key);

// An index is a prefix (a namespace, or an owner in it) and then class, expires, key.
std::string ExpiryIndexPrefix(NamespaceId ns);
std::string OwnerIndexPrefix(NamespaceId ns, std::string_view owner);
void AppendOwnerIndexPrefix(NamespaceId ns, std::string_view owner, std::string* out);

struct IndexEntry {
  bool revoked = false;
  uint64_t expires_at_ms = 0;
  TokenKey key;
};
std::string IndexRowKey(std::string_view prefix, const IndexEntry& entry);
void AppendIndexEntry(const IndexEntry& entry, std::string* out);  // to the prefix
IndexEntry IndexEntryOf(const StoredRecord& stored);
// The rows of one class that expire at from_ms or later and before before_ms (missing: to the end,
// those that never expire included): [start, end).
struct IndexRange {
  std::string start, end;
};
IndexRange MakeIndexRange(std::string_view prefix, bool revoked, uint64_t from_ms,
                          std::optional<uint64_t> before_ms);
// The entry at the end of an index row's key; nullopt where it is too short.
std::optional<IndexEntry> ParseIndexRowKey(std::string_view row_key);
// Nothing unless the record had expired when it was written.
std::string IndexRowValue(const StoredRecord& stored);
// From when on the row is only kept for its retention, from its own bytes alone.
std::optional<uint64_t> IndexRowKeptFrom(std::string_view row_key, std::string_view row_value);

struct UsageRow {
  uint64_t kept_from_ms = kNever;
  uint64_t last_used_at_ms = 0;
  uint64_t use_count = 0;
};
std::string EncodeUsageRow(const UsageRow& usage);
bool DecodeUsageRow(std::string_view bytes, UsageRow* usage);

// meta. Row names are persisted.
inline constexpr std::string_view kFormatRow = "format";         // -> version, decimal
inline constexpr std::string_view kSequenceRow = "sequence";     // -> SequenceRow
inline constexpr std::string_view kReclaimClockRow = "reclaim";  // -> varint ms, varint gap age ms
inline constexpr std::string_view kNamespaceRowPrefix = "ns/";   // id:2 -> scheme:1 name
inline constexpr std::string_view kCutoffRowPrefix = "cutoff/";  // id:2 owner -> CutoffRow
// id -> namespace:varint begun_at:varint source position; id/end -> taken replaced unchanged
// refused
inline constexpr std::string_view kImportRowPrefix = "import/";
inline constexpr const char* kImportEndSuffix = "/end";
// The audit log: where its chain has got to; sequence number:8 -> a line that is not known to be in
// the file yet; id -> what an import's line will say that has not ended.
inline constexpr std::string_view kAuditHeadRow = "audit";  // -> varint seq, hash of the line
inline constexpr std::string_view kAuditLineRowPrefix = "audit/";
inline constexpr std::string_view kAuditImportRowPrefix = "audit.import/";
inline constexpr uint64_t kFormatVersion = 1;

struct SequenceRow {
  uint64_t last = 0;    // the last sequence number given
  uint64_t synced = 0;  // the last one that was on the disk for certain when this was written
};
std::string EncodeSequenceRow(const SequenceRow& row);
bool DecodeSequenceRow(std::string_view bytes, SequenceRow* row);

std::string NamespaceRowKey(NamespaceId ns);
std::string EncodeNamespaceRow(DigestScheme scheme, std::string_view name);
bool DecodeNamespaceRow(std::string_view row_key, std::string_view row_value, NamespaceId* ns,
                        DigestScheme* scheme, std::string* name);

std::string EncodeReclaimClockRow(const ReclaimClock::State& state);
bool DecodeReclaimClockRow(std::string_view bytes, ReclaimClock::State* state);

std::string AuditLineRowKey(uint64_t seq);
std::optional<uint64_t> ParseAuditLineRowKey(std::string_view row_key);
std::string EncodeAuditHeadRow(const AuditHead& head);
bool DecodeAuditHeadRow(std::string_view bytes, AuditHead* head);

// Tokens of the owner inserted before `sequence` are revoked; `swept` once each record says so.
struct CutoffRow {
  uint64_t sequence = 0;
  uint64_t at_ms = 0;
  bool swept = false;
};
std::string CutoffRowKey(NamespaceId ns, std::string_view owner);
bool ParseCutoffRowKey(std::string_view row_key, NamespaceId* ns, std::string* owner);
std::string EncodeCutoffRow(const CutoffRow& cutoff);
bool DecodeCutoffRow(std::string_view bytes, CutoffRow* cutoff);

}  // namespace tokend
