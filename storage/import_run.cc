#include "storage/import_run.h"

#include <rocksdb/sst_file_writer.h>

#include "storage/crash_point.h"

namespace tokend {
namespace {

// No row is shorter than its key, so that there are never more of them than are reserved.
constexpr size_t kRowBytesMin = kTokenRowKeyBytes;

rocksdb::Slice SliceOf(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

ImportRun::ImportRun(size_t bytes, TwoThreads* threads) : threads_(threads) {
  rows_.Reserve(bytes / kRowBytesMin, bytes);
}

// The rows of a token are added one after the other, as Take expects.
void ImportRun::Add(NamespaceId ns, const StoredRecord& stored, const UsageRow& usage) {
  value_.clear();
  EncodeStoredRecord(stored, &value_);
  key_.clear();
  AppendTokenRowKey(ns, stored.record.key, &key_);
  rows_.Put(Database::kTokens, key_, value_);
  const IndexEntry entry = IndexEntryOf(stored);
  const std::string index_value = IndexRowValue(stored);
  key_.clear();
  key_.append(ExpiryIndexPrefix(ns));
  AppendIndexEntry(entry, &key_);
  rows_.Put(Database::kExpiry, key_, index_value);
  if (stored.record.owner) {
    key_.clear();
    AppendOwnerIndexPrefix(ns, *stored.record.owner, &key_);
    AppendIndexEntry(entry, &key_);
    rows_.Put(Database::kOwners, key_, index_value);
  }
  if (usage.last_used_at_ms != 0 || usage.use_count != 0) {
    key_.clear();
    AppendTokenRowKey(ns, stored.record.key, &key_);
    rows_.Put(Database::kUsage, key_, EncodeUsageRow(usage));
  }
  ++tokens_;
}

void ImportRun::Seal() {
  rows_.Sort([this](const auto& first, const auto& second) { threads_->Run(first, second); });
}

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
  std::array<rocksdb::Status, 2> statuses;
  // A token's two index rows take as long as its record and its usage.
  threads_->Run(
      [&] {
        statuses[0] = WriteFamilies(database, {Database::kTokens, Database::kUsage}, files);
      },
      [&] {
        statuses[1] = WriteFamilies(database, {Database::kOwners, Database::kExpiry}, files);
      });
  return statuses[0].ok() ? statuses[1] : statuses[0];
}

rocksdb::Status ImportRun::WriteFamilies(Database* database,
                                         std::initializer_list<Database::Family> families,
                                         Database::RunFiles* files) const {
  rocksdb::Status status;
  for (const Database::Family family : families) {
    if (status.ok()) status = WriteFile(database, family, &(*files)[family]);
  }
  return status;
}

rocksdb::Status ImportRun::WriteFile(Database* database, Database::Family family,
                                     std::string* path) const {
  std::unique_ptr<rocksdb::SstFileWriter> writer;
  rocksdb::Status status;
  for (size_t row = rows_.Begin(family);
       row < rows_.size() && rows_.family(row) == family && status.ok(); ++row) {
    rows_.Prefetch(row + kAhead);
    if (rows_.dropped(row)) continue;
    if (writer == nullptr) {
      *path = database->NewRunFile(family);
      status = database->OpenRunFile(family, *path, &writer);
      TOKEND_CRASH_POINT("import.file");
    }
    if (status.ok()) status = writer->Put(SliceOf(rows_.key(row)), SliceOf(rows_.value(row)));
  }
  if (writer != nullptr && status.ok()) status = writer->Finish();
  return status;
}

}  // namespace tokend
