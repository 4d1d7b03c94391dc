#include "storage/commit_group.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "storage/byte_codec.h"
#include "storage/crash_point.h"
#include "storage/seeded_hash.h"

namespace tokend {
namespace {

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Any value that outsiders cannot know.
uint64_t GroupHashSeed() {
  static const uint64_t seed = [] {
    static const int anchor = 0;
    return reinterpret_cast<uintptr_t>(&anchor) ^ SystemClock().SteadyMs() << 32;
  }();
  return seed;
}

}  // namespace

size_t CommitGroup::NameHash::operator()(const TokenName& name) const {
  return HashKey(name.key.bytes.data(), name.ns, GroupHashSeed());
}

CommitGroup::CommitGroup(const StoreParts& parts) : parts_(parts) {}

CommitGroup::Token* CommitGroup::Add(const TokenName& name, std::optional<StoredRecord> on_disk) {
  Token& token = tokens_.emplace_back();
  token.name = name;
  token.on_disk = std::move(on_disk);
  if (token.on_disk && !parts_.database->IsReclaimable(token.on_disk->KeptFromMs())) {
    token.now = token.on_disk;
  }
  by_name_.emplace(name, &token);
  return &token;
}

Status CommitGroup::Prefetch(std::span<const TokenName> names) {
  std::vector<std::string> row_keys;
  std::vector<const TokenName*> wanted;
  row_keys.reserve(names.size());
  for (const TokenName& name : names) {
    if (by_name_.contains(name)) continue;
    row_keys.push_back(TokenRowKey(name.ns, name.key));
    wanted.push_back(&name);
  }
  const size_t count = wanted.size();
  const std::vector<rocksdb::Slice> keys(row_keys.begin(), row_keys.end());
  const auto values = std::make_unique<rocksdb::PinnableSlice[]>(count);
  const auto statuses = std::make_unique<rocksdb::Status[]>(count);
  Database* database = parts_.database;
  database->db()->MultiGet(rocksdb::ReadOptions(), database->family(Database::kTokens), count,
                           keys.data(), values.get(), statuses.get());
  for (size_t i = 0; i < count; ++i) {
    if (by_name_.contains(*wanted[i])) continue;  // named twice
    if (statuses[i].IsNotFound()) {
      Add(*wanted[i], std::nullopt);
      continue;
    }
    if (!statuses[i].ok()) return FromRocksDb(statuses[i], "cannot read a record");
    StoredRecord stored;
    stored.record.key = wanted[i]->key;
    if (!DecodeStoredRecord(View(values[i]), &stored)) {
      return {ErrorCode::kInternal,
              "record " + ToHex(TokenId::Of(wanted[i]->key)) + " on disk is damaged"};
    }
    Add(*wanted[i], std::move(stored));
  }
  return {};
}

Status CommitGroup::Find(const TokenName& name, Token** token) {
  const auto it = by_name_.find(name);
  if (it != by_name_.end()) {
    *token = it->second;
  } else {
    std::optional<StoredRecord> stored;
    if (Status status = parts_.database->ReadRecord(name.ns, name.key, &stored); !status.ok()) {
      return status;
    }
    *token = Add(name, std::move(stored));
  }
  WorkInCutoff(*token);
  return {};
}

Status CommitGroup::FindById(NamespaceId ns, const TokenId& id, Token** token) {
  *token = nullptr;
  for (Token& held : tokens_) {
    if (held.name.ns == ns && held.now && TokenId::Of(held.name.key) == id) {
      *token = &held;
      WorkInCutoff(*token);
      return {};
    }
  }
  const std::string prefix = NamespacePrefix(ns) + std::string(id.view());
  const std::unique_ptr<rocksdb::Iterator> it(parts_.database->NewIterator(Database::kTokens));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    Token* found = nullptr;
    const TokenRowName name = ParseTokenRowKey(View(it->key()));
    if (Status status = Find({name.ns, name.key}, &found); !status.ok()) return status;
    if (found->now) {
      *token = found;
      return {};
    }
  }
  return FromRocksDb(it->status(), "cannot look an id up");
}

bool CommitGroup::Changes(const TokenName& name) const {
  if (tokens_.empty()) return false;
  const auto it = by_name_.find(name);
  return it != by_name_.end() && it->second->changed;
}

void CommitGroup::WorkInCutoff(Token* token) {
  if (!token->now) return;
  const auto cutoff = parts_.cutoffs->Hitting(token->name.ns, *token->now);
  if (cutoff) End(token, *token->now->record.owner, *cutoff);
}

void CommitGroup::End(Token* token, const std::string& owner, const OwnerCutoffs::Cutoff& cutoff) {
  StoredRecord& stored = *token->now;
  if (stored.record.revoked) return;
  if (stored.record.StateAt(cutoff.at_ms) == TokenState::kActive) {
    parts_.cutoffs->CountLive(token->name.ns, owner, cutoff.sequence);
  }
  stored.record.revoked = true;
  stored.record.updated_at_ms = cutoff.at_ms;
  stored.sequence = std::max(stored.sequence, cutoff.sequence);
  if (cutoff.at_ms >= stored.record.expires_at_ms) {
    stored.written_expired_at_ms = std::max(stored.written_expired_at_ms, cutoff.at_ms);
  }
  token->changed = true;
}

const std::string* CommitGroup::OwnerLeft(const Token& token) {
  // A new generation comes after the revoke, whoever had the old one.
  if (token.reset || !token.now || !token.on_disk || !token.on_disk->record.owner) return nullptr;
  if (token.on_disk->record.owner == token.now->record.owner) return nullptr;
  return &*token.on_disk->record.owner;
}

void CommitGroup::OwnerCut(NamespaceId ns, const std::string& owner,
                           const OwnerCutoffs::Cutoff& cutoff) {
  for (Token& token : tokens_) {
    if (token.name.ns != ns || !token.now) continue;
    const std::string* left = OwnerLeft(token);
    if (token.now->record.owner == owner || (left != nullptr && *left == owner)) {
      End(&token, owner, cutoff);
    }
  }
}

void CommitGroup::Change(Token* token, StoredRecord next, uint64_t ticket, bool reset) {
  if (!token->on_disk && !token->now) ++tokens_added_;
  token->now = std::move(next);
  token->ticket = ticket;
  token->changed = true;
  token->reset = token->reset || reset;
  if (reset) token->imported_usage.reset();
}

void CommitGroup::Erase(Token* token) {
  token->now.reset();
  token->changed = true;
}

void CommitGroup::PutMeta(std::string_view row_key, std::string_view row_value) {
  rows_.Put(Database::kMeta, row_key, row_value);
}

void CommitGroup::DeleteMeta(std::string_view row_key) { rows_.Delete(Database::kMeta, row_key); }

void CommitGroup::DeleteMetaRange(std::string begin, std::string end) {
  meta_range_begin_ = std::move(begin);
  meta_range_end_ = std::move(end);
}

void CommitGroup::MergeUsage(std::span<const TokenTable::UsageEntry> entries) {
  for (const TokenTable::UsageEntry& entry : entries) {
    // As for a record: what has expired as the disk has it is kept from now on.
    const UsageRow usage{std::max(entry.expires_at_ms, parts_.reclaim_clock->now_ms()),
                         entry.usage.last_used_at_ms, entry.usage.use_count};
    rows_.Merge(Database::kUsage, TokenRowKey(entry.namespace_id, entry.key),
                EncodeUsageRow(usage));
  }
}

void CommitGroup::EncodeIndex(const Token& token, Database::Family family,
                              const std::string& old_row, const std::string& new_row) {
  if (!old_row.empty() && old_row != new_row) rows_.Delete(family, old_row);
  if (new_row.empty()) return;
  const std::string value = IndexRowValue(*token.now);
  if (old_row != new_row || value != IndexRowValue(*token.on_disk)) {
    rows_.Put(family, new_row, value);
  }
}

void CommitGroup::EncodeToken(const Token& token) {
  const auto [ns, key] = token.name;
  const std::string row_key = TokenRowKey(ns, key);
  const auto expiry_row = [ns = ns](const std::optional<StoredRecord>& stored) {
    return stored ? IndexRowKey(ExpiryIndexPrefix(ns), IndexEntryOf(*stored)) : std::string();
  };
  const auto owner_row = [ns = ns](const std::optional<StoredRecord>& stored) {
    return stored && stored->record.owner
               ? IndexRowKey(OwnerIndexPrefix(ns, *stored->record.owner), IndexEntryOf(*stored))
               : std::string();
  };
  if (token.now) {
    std::string value;
    EncodeStoredRecord(*token.now, &value);
    rows_.Put(Database::kTokens, row_key, value);
  } else if (token.on_disk) {
    rows_.Delete(Database::kTokens, row_key);
  }
  EncodeIndex(token, Database::kExpiry, expiry_row(token.on_disk), expiry_row(token.now));
  EncodeIndex(token, Database::kOwners, owner_row(token.on_disk), owner_row(token.now));

  if (token.on_disk && (token.reset || !token.now)) rows_.Delete(Database::kUsage, row_key);
  if (!token.now) return;
  if (token.imported_usage) {
    // It lives as long as the token does, which a later row of the group may have changed.
    UsageRow usage = *token.imported_usage;
    usage.kept_from_ms = token.now->KeptFromMs();
    rows_.Merge(Database::kUsage, row_key, EncodeUsageRow(usage));
  } else if (token.on_disk && !token.reset &&
             token.on_disk->record.expires_at_ms != token.now->record.expires_at_ms) {
    // The row carries its own retention: it has to live as long as the token now does.
    rows_.Merge(Database::kUsage, row_key, EncodeUsageRow({token.now->KeptFromMs(), 0, 0}));
  }
}

rocksdb::Status CommitGroup::Write(bool sync, const SequenceRow& sequence) {
  for (const Token& token : tokens_) {
    if (token.changed) EncodeToken(token);
  }
  if (rows_.empty() && meta_range_end_.empty()) return {};
  PutMeta(kSequenceRow, EncodeSequenceRow(sequence));
  bytes_ = rows_.bytes();
  // A row's head and two lengths: what it takes beyond its bytes, about.
  rocksdb::WriteBatch batch(bytes_ + bytes_ / 8);
  rocksdb::Status status;
  if (!meta_range_end_.empty()) {
    status = batch.DeleteRange(parts_.database->family(Database::kMeta), meta_range_begin_,
                               meta_range_end_);
    if (!status.ok()) return status;
  }
  rows_.MoveTo(parts_.database, &batch);
  rocksdb::WriteOptions options;
  options.sync = sync;
  return parts_.database->db()->Write(options, &batch);
}

void CommitGroup::Apply() {
  std::string scopes_encoded;
  const Token* applied = nullptr;
  // A revoke that waits in the queue hits what becomes visible here.
  const std::function<bool()> denied_by_queue = [this, &applied] {
    const auto& [ns, key] = applied->name;
    const StoredRecord& now = *applied->now;
    const std::string* left = OwnerLeft(*applied);
    if (left != nullptr && !now.record.revoked &&
        parts_.denials->HitsOwner(ns, *left, applied->ticket)) {
      left_owners_.push_back({applied->name, *left, now.inserted_sequence});
      return true;
    }
    const std::optional<std::string>& owner = now.record.owner;
    return parts_.denials->Hits(ns, key, owner ? &*owner : nullptr, applied->ticket);
  };
  for (const Token& token : tokens_) {
    if (!token.changed) continue;
    if (!token.now) {
      parts_.table->Erase(token.name.ns, token.name.key);
      continue;
    }
    applied = &token;
    const TokenEntry entry = MakeTokenEntry(token.name.ns, *token.now, &scopes_encoded);
    parts_.table->Put(entry, token.reset ? PutMode::kReset : PutMode::kKeep, &denied_by_queue);
    TOKEND_CRASH_POINT("commit.applying");
  }
}

}  // namespace tokend
