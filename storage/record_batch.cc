#include "storage/record_batch.h"

#include <cstring>
#include <optional>

#include "protocol/msgpack.h"
#include "storage/rows.h"
#include "storage/seeded_hash.h"

namespace tokend {

RecordBatch::RecordBatch(const StoreParts& parts, KeyFilter* forgotten)
    : parts_(parts), forgotten_(forgotten), first_block_(kBlockBytes) {
  entries_.reserve(kRecords);
  inserted_sequences_.reserve(kRecords);
}

bool RecordBatch::Add(std::string_view row_key, std::string_view row_value) {
  StoredRecordView stored;
  if (!DecodeStoredRecord(row_value, &stored)) return false;
  if (read_++ == 0) now_ms_ = parts_.clock->NowMs();
  const TokenRowName name = ParseTokenRowKey(row_key);
  if (stored.expires_at_ms <= now_ms_) {
    // Would only be dropped again. Reclaimable or not, a clock set back finds it on disk.
    parts_.table->NoteDropped(stored.expires_at_ms);
    if (forgotten_ != nullptr) forgotten_->Add(FilterHashOf(name.ns, name.key));
    return true;
  }
  TokenEntry entry;
  entry.namespace_id = name.ns;
  entry.key = name.key;
  entry.expires_at_ms = stored.expires_at_ms;
  if (stored.owner) entry.owner = Keep(*stored.owner);
  entry.scopes_encoded = ScopesOf(stored);
  entry.revoked = stored.revoked;
  entries_.push_back(entry);
  inserted_sequences_.push_back(stored.inserted_sequence);
  return true;
}

Status RecordBatch::Put(uint64_t* put) {
  *put += entries_.size();
  const PutResult result = parts_.table->PutMany(entries_, [&](size_t i) { return IsDenied(i); });
  read_ = 0;
  entries_.clear();
  inserted_sequences_.clear();
  scope_sets_ = {};
  bytes_.release();
  if (result == PutResult::kPut) return {};
  return {ErrorCode::kMemoryLimit,
          "the tokens on disk do not fit below the memory limit; raise memory_bytes_max or "
          "tokens_max"};
}

std::string_view RecordBatch::ScopesOf(const StoredRecordView& stored) {
  if (stored.scope_count == 0) return kNoScopes;
  ScopeSet& set = scope_sets_[HashBytes(stored.scopes, 0, 0) % scope_sets_.size()];
  if (set.encoded.empty() || set.stored != stored.scopes) {
    scopes_encoded_.clear();
    msgpack_io::Writer writer(&scopes_encoded_);
    writer.ArrayHeader(static_cast<uint32_t>(stored.scope_count));
    stored.ForEachScope([&](std::string_view scope) { writer.Str(scope); });
    set = {Keep(stored.scopes), Keep(scopes_encoded_)};
  }
  return set.encoded;
}

std::string_view RecordBatch::Keep(std::string_view bytes) {
  char* const copy = static_cast<char*>(bytes_.allocate(bytes.size(), 1));
  std::memcpy(copy, bytes.data(), bytes.size());
  return {copy, bytes.size()};
}

bool RecordBatch::IsDenied(size_t i) const {
  // Most often there is none of either, and the entry need not be fetched.
  if (parts_.cutoffs->empty() && parts_.denials->empty()) return false;
  const TokenEntry& entry = entries_[i];
  std::optional<std::string> owner;
  if (entry.owner) owner = *entry.owner;
  if (owner && !entry.revoked &&
      parts_.cutoffs->Hitting(entry.namespace_id, *owner, inserted_sequences_[i])) {
    return true;
  }
  return parts_.denials->Hits(entry.namespace_id, entry.key, owner ? &*owner : nullptr,
                              /*ticket=*/0);
}

}  // namespace tokend
