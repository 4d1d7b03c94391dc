#include "storage/import_run.h"

#include <rocksdb/sst_file_writer.h>

#include "storage/crash_point.h"

namespace tokend {
namespace {

// What a token's rows take, about: so that memory for both rows and bytes is reserved.
constexpr size_t kTokenBytes = 280;
constexpr size_t kTokenRows = 4;

rocksdb::Slice SliceOf(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

ImportRun::ImportRun(size_t bytes) { rows_.Reserve(bytes / kTokenBytes * kTokenRows, bytes); }

// The rows of a token are added one after the other, as Take expects.
void ImportRun::Add(NamespaceId ns, const StoredRecord& stored, const UsageRow& usage) {
  const std::string row_key = TokenRowKey(ns, stored.record.key);
  value_.clear();
  EncodeStoredRecord(stored, &value_);
  rows_.Put(Database::kTokens, row_key, value_);
  const IndexEntry entry = IndexEntryOf(stored);
  const std::string index_value = IndexRowValue(stored);
  rows_.Put(Database::kExpiry, IndexRowKey(ExpiryIndexPrefix(ns), entry), index_value);
  if (stored.record.owner) {
    rows_.Put(Database::kOwners, IndexRowKey(OwnerIndexPrefix(ns, *stored.record.owner), entry),
              index_value);
  }
  if (usage.last_used_at_ms != 0 || usage.use_count != 0) {
    rows_.Put(Database::kUsage, row_key, EncodeUsageRow(usage));
  }
  ++tokens_;
}

void ImportRun::Seal() { rows_.Sort(); }

ImportRun::Token ImportRun::DecodeRow(size_t row) const {
  const TokenRowName name = ParseTokenRowKey(rows_.key(row));
  Token token;
  token.ns = name.ns;
  // Our own bytes: they decode.
  (void)DecodeStoredRecord(rows_.value(row), &token.stored);
  token.stored.record.key = name.key;
  return token;
}

ImportRun::Token ImportRun::TakeUnsealed(size_t row) {
  Token token = DecodeRow(row);
  do {
    if (rows_.family(row) == Database::kUsage) {
      (void)DecodeUsageRow(rows_.value(row), &token.usage);
    }
    rows_.Drop(row);
  } while (++row < rows_.size() && rows_.family(row) != Database::kTokens);
  --tokens_;
  return token;
}

size_t ImportRun::FindRow(Database::Family family, std::string_view key, size_t begin) const {
  for (size_t row = rows_.LowerBound(family, key); row < rows_.size(); ++row) {
    if (rows_.family(row) != family || rows_.key(row) != key) break;
    if (rows_.begin(row) == begin) return row;
  }
  return kNoRow;
}

ImportRun::Companions ImportRun::CompanionsOf(size_t row, const Token& token) const {
  const IndexEntry entry = IndexEntryOf(token.stored);
  Companions found{kNoRow, kNoRow, kNoRow};
  size_t next = rows_.end(row);
  found.expiry = FindRow(Database::kExpiry, IndexRowKey(ExpiryIndexPrefix(token.ns), entry), next);
  if (found.expiry != kNoRow) next = rows_.end(found.expiry);
  if (const auto& owner = token.stored.record.owner) {
    found.owner =
        FindRow(Database::kOwners, IndexRowKey(OwnerIndexPrefix(token.ns, *owner), entry), next);
    if (found.owner != kNoRow) next = rows_.end(found.owner);
  }
  found.usage = FindRow(Database::kUsage, rows_.key(row), next);
  return found;
}

ImportRun::Token ImportRun::TokenAt(size_t row) const {
  Token token = DecodeRow(row);
  const size_t usage = CompanionsOf(row, token).usage;
  if (usage != kNoRow) (void)DecodeUsageRow(rows_.value(usage), &token.usage);
  return token;
}

void ImportRun::Take(size_t row, Rows* out) {
  const Companions companions = CompanionsOf(row, DecodeRow(row));
  for (const size_t of_token : {row, companions.expiry, companions.owner, companions.usage}) {
    if (of_token != kNoRow) rows_.Drop(of_token);
  }
  --tokens_;
  out->push_back(static_cast<uint32_t>(row));
}

void ImportRun::TakePrefix(const std::string& prefix, Rows* out) {
  for (size_t row = rows_.LowerBound(Database::kTokens, prefix);
       IsToken(row) && rows_.key(row).starts_with(prefix); ++row) {
    if (!rows_.dropped(row)) Take(row, out);
  }
}

void ImportRun::TakeToken(NamespaceId ns, const TokenKey& key, Rows* out) {
  TakePrefix(TokenRowKey(ns, key), out);
}

void ImportRun::TakeById(NamespaceId ns, const TokenId& id, Rows* out) {
  TakePrefix(NamespacePrefix(ns) + std::string(id.view()), out);
}

void ImportRun::TakeOwner(NamespaceId ns, std::string_view owner, Rows* out) {
  const std::string prefix = OwnerIndexPrefix(ns, owner);
  for (size_t row = rows_.LowerBound(Database::kOwners, prefix);
       row < rows_.size() && rows_.family(row) == Database::kOwners &&
       rows_.key(row).starts_with(prefix);
       ++row) {
    if (rows_.dropped(row)) continue;
    if (const auto entry = ParseIndexRowKey(rows_.key(row))) TakeToken(ns, entry->key, out);
  }
}

rocksdb::Status ImportRun::WriteFiles(Database* database, Database::RunFiles* files) const {
  files->fill({});
  std::unique_ptr<rocksdb::SstFileWriter> writer;
  rocksdb::Status status;
  for (size_t row = 0; row < rows_.size() && status.ok(); ++row) {
    rows_.Prefetch(row + kAhead);
    if (rows_.dropped(row)) continue;
    const Database::Family family = rows_.family(row);
    std::string& path = (*files)[family];
    if (path.empty()) {
      if (writer != nullptr) status = writer->Finish();
      path = database->NewRunFile(family);
      writer = database->NewRunWriter(family);
      if (status.ok()) status = writer->Open(path);
      TOKEND_CRASH_POINT("import.file");
    }
    if (status.ok()) status = writer->Put(SliceOf(rows_.key(row)), SliceOf(rows_.value(row)));
  }
  if (writer != nullptr && status.ok()) status = writer->Finish();
  return status;
}

}  // namespace tokend
