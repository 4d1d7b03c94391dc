#include "storage/rows.h"

#include "storage/byte_codec.h"

namespace tokend {

std::string NamespacePrefix(NamespaceId ns) {
  std::string out;
  AppendBigEndian(ns, kNamespaceIdBytes, &out);
  return out;
}

std::string TokenRowKey(NamespaceId ns, const TokenKey& key) {
  std::string out;
  out.reserve(kTokenRowKeyBytes);
  AppendTokenRowKey(ns, key, &out);
  return out;
}

void AppendTokenRowKey(NamespaceId ns, const TokenKey& key, std::string* out) {
  AppendBigEndian(ns, kNamespaceIdBytes, out);
  out->append(key.view());
}

TokenRowName ParseTokenRowKey(std::string_view row_key) {
  return {static_cast<NamespaceId>(LoadBigEndian(row_key.data(), kNamespaceIdBytes)),
          TokenKey::FromBytes(row_key.substr(kNamespaceIdBytes))};
}

std::string ExpiryIndexPrefix(NamespaceId ns) { return NamespacePrefix(ns); }

std::string OwnerIndexPrefix(NamespaceId ns, std::string_view owner) {
  std::string out;
  AppendOwnerIndexPrefix(ns, owner, &out);
  return out;
}

void AppendOwnerIndexPrefix(NamespaceId ns, std::string_view owner, std::string* out) {
  AppendBigEndian(ns, kNamespaceIdBytes, out);
  AppendBigEndian(owner.size(), 2, out);
  out->append(owner);
}

std::string IndexRowKey(std::string_view prefix, const IndexEntry& entry) {
  std::string out;
  out.reserve(prefix.size() + kIndexTailBytes);
  out.append(prefix);
  AppendIndexEntry(entry, &out);
  return out;
}

void AppendIndexEntry(const IndexEntry& entry, std::string* out) {
  out->push_back(entry.revoked ? '\1' : '\0');
  AppendBigEndian(entry.expires_at_ms, 8, out);
  out->append(entry.key.view());
}

IndexRange MakeIndexRange(std::string_view prefix, bool revoked, uint64_t from_ms,
                          std::optional<uint64_t> before_ms) {
  IndexRange range;
  range.start = IndexRowKey(prefix, {revoked, from_ms, TokenKey{}});
  if (before_ms) {
    range.end = IndexRowKey(prefix, {revoked, *before_ms, TokenKey{}});
  } else {
    range.end.append(prefix).push_back(revoked ? '\2' : '\1');
  }
  return range;
}

IndexEntry IndexEntryOf(const StoredRecord& stored) {
  return {stored.record.revoked, stored.record.expires_at_ms, stored.record.key};
}

std::optional<IndexEntry> ParseIndexRowKey(std::string_view row_key) {
  if (row_key.size() < kNamespaceIdBytes + kIndexTailBytes) return std::nullopt;
  const std::string_view tail = row_key.substr(row_key.size() - kIndexTailBytes);
  IndexEntry entry;
  entry.revoked = tail[0] != '\0';
  entry.expires_at_ms = LoadBigEndian(tail.data() + 1, 8);
  entry.key = TokenKey::FromBytes(tail.substr(9));
  return entry;
}

std::string IndexRowValue(const StoredRecord& stored) {
  std::string out;
  if (stored.record.expires_at_ms != kNever &&
      stored.written_expired_at_ms > stored.record.expires_at_ms) {
    AppendBigEndian(stored.written_expired_at_ms, 8, &out);
  }
  return out;
}

std::optional<uint64_t> IndexRowKeptFrom(std::string_view row_key, std::string_view row_value) {
  const std::optional<IndexEntry> entry = ParseIndexRowKey(row_key);
  if (!entry || (!row_value.empty() && row_value.size() != 8)) return std::nullopt;
  if (entry->expires_at_ms == kNever || row_value.empty()) return entry->expires_at_ms;
  return LoadBigEndian(row_value.data(), 8);
}

std::string EncodeUsageRow(const UsageRow& usage) {
  std::string out;
  AppendBigEndian(usage.kept_from_ms, 8, &out);
  PutVarint(usage.last_used_at_ms, &out);
  PutVarint(usage.use_count, &out);
  return out;
}

bool DecodeUsageRow(std::string_view bytes, UsageRow* usage) {
  ByteReader in(bytes);
  in.BigEndian(8, &usage->kept_from_ms);
  in.Varint(&usage->last_used_at_ms);
  in.Varint(&usage->use_count);
  return in.Done();
}

std::string EncodeSequenceRow(const SequenceRow& row) {
  std::string out;
  PutVarint(row.last, &out);
  PutVarint(row.synced, &out);
  return out;
}

bool DecodeSequenceRow(std::string_view bytes, SequenceRow* row) {
  ByteReader reader(bytes);
  return reader.Varint(&row->last) && reader.Varint(&row->synced);
}

std::string NamespaceRowKey(NamespaceId ns) {
  return std::string(kNamespaceRowPrefix) + NamespacePrefix(ns);
}

std::string EncodeNamespaceRow(DigestScheme scheme, std::string_view name) {
  std::string out(1, static_cast<char>(scheme));
  out.append(name);
  return out;
}

bool DecodeNamespaceRow(std::string_view row_key, std::string_view row_value, NamespaceId* ns,
                        DigestScheme* scheme, std::string* name) {
  if (row_key.size() != kNamespaceRowPrefix.size() + kNamespaceIdBytes || row_value.size() < 2) {
    return false;
  }
  *ns = static_cast<NamespaceId>(
      LoadBigEndian(row_key.data() + kNamespaceRowPrefix.size(), kNamespaceIdBytes));
  *scheme = static_cast<DigestScheme>(row_value[0]);
  if (ParseDigestScheme(DigestSchemeName(*scheme)) != *scheme) return false;
  name->assign(row_value.substr(1));
  return true;
}

std::string EncodeReclaimClockRow(const ReclaimClock::State& state) {
  std::string out;
  PutVarint(state.now_ms, &out);
  PutVarint(state.gap_age_ms, &out);
  return out;
}

bool DecodeReclaimClockRow(std::string_view bytes, ReclaimClock::State* state) {
  ByteReader in(bytes);
  in.Varint(&state->now_ms);
  in.Varint(&state->gap_age_ms);
  return in.Done();
}

std::string AuditLineRowKey(uint64_t seq) {
  std::string out(kAuditLineRowPrefix);
  AppendBigEndian(seq, 8, &out);
  return out;
}

std::optional<uint64_t> ParseAuditLineRowKey(std::string_view row_key) {
  if (!row_key.starts_with(kAuditLineRowPrefix)) return std::nullopt;
  row_key.remove_prefix(kAuditLineRowPrefix.size());
  if (row_key.size() != 8) return std::nullopt;
  return LoadBigEndian(row_key.data(), 8);
}

std::string EncodeAuditHeadRow(const AuditHead& head) {
  std::string out;
  PutVarint(head.seq, &out);
  out.append(reinterpret_cast<const char*>(head.hash.data()), head.hash.size());
  return out;
}

bool DecodeAuditHeadRow(std::string_view bytes, AuditHead* head) {
  ByteReader in(bytes);
  in.Varint(&head->seq);
  for (uint8_t& byte : head->hash) in.Byte(&byte);
  return in.Done();
}

std::string CutoffRowKey(NamespaceId ns, std::string_view owner) {
  std::string out(kCutoffRowPrefix);
  out += NamespacePrefix(ns);
  out.append(owner);
  return out;
}

bool ParseCutoffRowKey(std::string_view row_key, NamespaceId* ns, std::string* owner) {
  if (row_key.size() < kCutoffRowPrefix.size() + kNamespaceIdBytes) return false;
  row_key.remove_prefix(kCutoffRowPrefix.size());
  *ns = static_cast<NamespaceId>(LoadBigEndian(row_key.data(), kNamespaceIdBytes));
  owner->assign(row_key.substr(kNamespaceIdBytes));
  return true;
}

std::string EncodeCutoffRow(const CutoffRow& cutoff) {
  std::string out;
  PutVarint(cutoff.sequence, &out);
  PutVarint(cutoff.at_ms, &out);
  out.push_back(cutoff.swept ? '\1' : '\0');
  return out;
}

bool DecodeCutoffRow(std::string_view bytes, CutoffRow* cutoff) {
  ByteReader in(bytes);
  uint8_t swept = 0;
  in.Varint(&cutoff->sequence);
  in.Varint(&cutoff->at_ms);
  in.Byte(&swept);
  cutoff->swept = swept != 0;
  return in.Done();
}

}  // namespace tokend
