#include "storage/queries.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "protocol/msgpack.h"
#include "storage/index_merge.h"
#include "storage/list_cursor.h"
#include "storage/rows.h"

namespace tokend {
namespace {

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

bool Matches(const ListParams& params, const Record& record, uint64_t now_ms) {
  if (params.owner && (!record.owner || *record.owner != *params.owner)) return false;
  if (params.state && record.StateAt(now_ms) != *params.state) return false;
  if (params.expires_after_ms && record.expires_at_ms < *params.expires_after_ms) return false;
  return !params.expires_before_ms || record.expires_at_ms < *params.expires_before_ms;
}

// A page ends here too, so that its answer stays below any message limit worth having.
constexpr size_t kPageBytesMax = 2 << 20;

// To find the latest: no index has those that expire at the same time by their creation.
constexpr size_t kRevealReadsMax = 1000;

size_t WireBytes(const Record& record) {
  size_t bytes = 256 + record.attributes.size() + record.source_id.size();
  if (record.owner) bytes += record.owner->size();
  if (record.name) bytes += record.name->size();
  for (const std::string& scope : record.scopes) bytes += 3 + scope.size();
  return bytes;
}

bool IsFull(const ListParams& params, const ListPage& page) {
  return page.records.size() >= params.limit || page.bytes >= kPageBytesMax;
}

void Add(StoredRecord* stored, ListPage* page) {
  page->bytes += WireBytes(stored->record);
  page->records.push_back(std::move(stored->record));
}

// The ranges of the index that hold what matches and nothing else.
std::vector<IndexRange> MatchingRanges(const ListParams& params, std::string_view prefix,
                                       uint64_t now_ms) {
  uint64_t from_ms = params.expires_after_ms.value_or(0);
  std::optional<uint64_t> before_ms = params.expires_before_ms;
  if (params.state == TokenState::kActive) {
    from_ms = std::max(from_ms, now_ms + 1);
  } else if (params.state == TokenState::kExpired) {
    before_ms = std::min(before_ms.value_or(kNever), now_ms + 1);
  }
  if (before_ms && *before_ms <= from_ms) return {};
  std::vector<IndexRange> ranges;
  if (params.state != TokenState::kRevoked) {
    ranges.push_back(MakeIndexRange(prefix, /*revoked=*/false, from_ms, before_ms));
  }
  if (!params.state || params.state == TokenState::kRevoked) {
    ranges.push_back(MakeIndexRange(prefix, /*revoked=*/true, from_ms, before_ms));
  }
  return ranges;
}

}  // namespace

Status Queries::FindNamespace(std::string_view name, NamespaceInfo* info) const {
  const auto snapshot = parts_.namespaces->snapshot();
  const auto it = snapshot->find(std::string(name));
  if (it == snapshot->end()) return UnknownNamespace(name);
  *info = it->second;
  return {};
}

Status Queries::Complete(std::string_view namespace_name, NamespaceId ns,
                         StoredRecord* stored) const {
  Record& record = stored->record;
  record.namespace_name = namespace_name;
  if (const auto cutoff = parts_.cutoffs->Hitting(ns, *stored)) {
    record.revoked = true;
    record.updated_at_ms = cutoff->at_ms;
  }
  rocksdb::PinnableSlice value;
  Database* database = parts_.database;
  const auto status =
      database->db()->Get(rocksdb::ReadOptions(), database->family(Database::kUsage),
                          TokenRowKey(ns, record.key), &value);
  if (!status.ok() && !status.IsNotFound()) return FromRocksDb(status, "cannot read usage");
  UsageRow usage;
  if (status.ok() && !DecodeUsageRow(View(value), &usage)) {
    return {ErrorCode::kInternal, "a usage row on disk is damaged"};
  }
  if (const auto peeked = parts_.table->Peek(ns, record.key)) {
    record.revoked = record.revoked || peeked->denied;
    usage.last_used_at_ms = std::max(usage.last_used_at_ms, peeked->usage.last_used_at_ms);
    usage.use_count += peeked->usage.use_count;
  }
  if (usage.last_used_at_ms != 0) record.last_used_at_ms = usage.last_used_at_ms;
  record.use_count = usage.use_count;
  return {};
}

Status Queries::Get(std::string_view namespace_name, const TokenKey& key,
                    std::optional<Record>* record) const {
  record->reset();
  NamespaceInfo info;
  if (Status status = FindNamespace(namespace_name, &info); !status.ok()) return status;
  std::optional<StoredRecord> stored;
  if (Status status = parts_.database->ReadRecord(info.id, key, &stored); !status.ok()) {
    return status;
  }
  if (!stored || parts_.database->IsReclaimable(stored->KeptFromMs())) return {};
  if (Status status = Complete(namespace_name, info.id, &*stored); !status.ok()) return status;
  *record = std::move(stored->record);
  return {};
}

Status Queries::GetById(std::string_view namespace_name, const TokenId& id,
                        std::optional<Record>* record) const {
  record->reset();
  NamespaceInfo info;
  if (Status status = FindNamespace(namespace_name, &info); !status.ok()) return status;
  const std::string prefix = NamespacePrefix(info.id) + std::string(id.view());
  const std::unique_ptr<rocksdb::Iterator> it(parts_.database->NewIterator(Database::kTokens));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    const TokenRowName name = ParseTokenRowKey(View(it->key()));
    if (Status status = Get(namespace_name, name.key, record); !status.ok()) return status;
    if (*record) return {};
  }
  return FromRocksDb(it->status(), "cannot look an id up");
}

Status Queries::List(const ListParams& params, ListPage* page) const {
  *page = {};
  NamespaceInfo info;
  if (Status status = FindNamespace(params.namespace_name, &info); !status.ok()) return status;
  std::optional<ListPosition> after;
  if (!params.cursor.empty()) {
    after = DecodeListCursor(params, params.cursor);
    if (!after) {
      return {ErrorCode::kBadParams,
              "cursor: is not of a list with these filters; take it from the answer before, and "
              "leave the filters as they were"};
    }
  }
  const uint64_t now_ms = parts_.clock->NowMs();
  if (params.order != ListOrder::kKey) return ListByExpiry(params, info.id, now_ms, after, page);
  // Active ones are most of a namespace, as a rule: going through it in key order passes few over.
  const bool selective = params.owner || params.expires_after_ms || params.expires_before_ms ||
                         (params.state && *params.state != TokenState::kActive);
  return selective ? ListByKeyFromIndex(params, info.id, now_ms, after, page)
                   : ListByKey(params, info.id, now_ms, after, page);
}

Status Queries::Append(const ListParams& params, NamespaceId ns, const TokenKey& key,
                       uint64_t now_ms, ListPage* page) const {
  std::optional<StoredRecord> stored;
  if (Status status = parts_.database->ReadRecord(ns, key, &stored); !status.ok()) return status;
  // The index may be of a moment before: what the record says counts.
  if (!stored || parts_.database->IsReclaimable(stored->KeptFromMs())) return {};
  if (Status status = Complete(params.namespace_name, ns, &*stored); !status.ok()) return status;
  if (Matches(params, stored->record, now_ms)) Add(&*stored, page);
  return {};
}

Status Queries::ListByExpiry(const ListParams& params, NamespaceId ns, uint64_t now_ms,
                             const std::optional<ListPosition>& after, ListPage* page) const {
  const std::string prefix =
      params.owner ? OwnerIndexPrefix(ns, *params.owner) : ExpiryIndexPrefix(ns);
  IndexMerge merge(parts_.database, params.owner ? Database::kOwners : Database::kExpiry,
                   MatchingRanges(params, prefix, now_ms),
                   params.order == ListOrder::kExpiresAtDescending, after);
  ListPosition position;
  for (; merge.Valid() && !IsFull(params, *page); merge.Next()) {
    position = {merge.entry().expires_at_ms, merge.entry().key};
    if (Status status = Append(params, ns, position.key, now_ms, page); !status.ok()) {
      return status;
    }
    // A token that has moved in the order since is given where it is now, or was given already.
    if (!page->records.empty() && page->records.back().key == position.key &&
        page->records.back().expires_at_ms != position.expires_at_ms) {
      page->records.pop_back();
    }
  }
  if (merge.Valid()) page->cursor = EncodeListCursor(params, position);
  return merge.status();
}

Status Queries::ListByKeyFromIndex(const ListParams& params, NamespaceId ns, uint64_t now_ms,
                                   const std::optional<ListPosition>& after, ListPage* page) const {
  const std::string prefix =
      params.owner ? OwnerIndexPrefix(ns, *params.owner) : ExpiryIndexPrefix(ns);
  IndexMerge merge(parts_.database, params.owner ? Database::kOwners : Database::kExpiry,
                   MatchingRanges(params, prefix, now_ms), /*descending=*/false, std::nullopt);
  // The lowest keys after the position, the highest of them on top; one more tells of a next page.
  std::vector<TokenKey> lowest;
  for (; merge.Valid(); merge.Next()) {
    const TokenKey& key = merge.entry().key;
    if (after && key <= after->key) continue;
    if (lowest.size() > params.limit) {
      if (key >= lowest.front()) continue;
      std::pop_heap(lowest.begin(), lowest.end());
      lowest.pop_back();
    }
    lowest.push_back(key);
    std::push_heap(lowest.begin(), lowest.end());
  }
  if (Status status = merge.status(); !status.ok()) return status;
  std::sort_heap(lowest.begin(), lowest.end());
  size_t taken = 0;
  for (; taken < lowest.size() && !IsFull(params, *page); ++taken) {
    if (Status status = Append(params, ns, lowest[taken], now_ms, page); !status.ok()) {
      return status;
    }
  }
  // Where all of them were taken, since some did not match any more, there may be others behind.
  if (taken < lowest.size() || lowest.size() > params.limit) {
    page->cursor = EncodeListCursor(params, {0, lowest[taken - 1]});
  }
  return {};
}

Status Queries::ListByKey(const ListParams& params, NamespaceId ns, uint64_t now_ms,
                          const std::optional<ListPosition>& after, ListPage* page) const {
  const std::string prefix = NamespacePrefix(ns);
  const std::unique_ptr<rocksdb::Iterator> it(parts_.database->NewIterator(Database::kTokens));
  const std::string start = after ? TokenRowKey(ns, after->key) : prefix;
  it->Seek(start);
  if (after && it->Valid() && it->key() == start) it->Next();
  TokenKey last;
  for (; it->Valid() && it->key().starts_with(prefix) && !IsFull(params, *page); it->Next()) {
    last = ParseTokenRowKey(View(it->key())).key;
    StoredRecord stored;
    stored.record.key = last;
    if (!DecodeStoredRecord(View(it->value()), &stored)) {
      return {ErrorCode::kInternal, "record " + ToHex(TokenId::Of(last)) + " on disk is damaged"};
    }
    if (parts_.database->IsReclaimable(stored.KeptFromMs())) continue;
    if (!Matches(params, stored.record, now_ms)) continue;
    if (Status status = Complete(params.namespace_name, ns, &stored); !status.ok()) return status;
    if (Matches(params, stored.record, now_ms)) Add(&stored, page);
  }
  if (it->Valid() && it->key().starts_with(prefix)) {
    page->cursor = EncodeListCursor(params, {0, last});
  }
  return FromRocksDb(it->status(), "cannot read the tokens");
}

Status Queries::Count(const ListParams& params, uint64_t* count) const {
  *count = 0;
  NamespaceInfo info;
  if (Status status = FindNamespace(params.namespace_name, &info); !status.ok()) return status;
  const std::string prefix =
      params.owner ? OwnerIndexPrefix(info.id, *params.owner) : ExpiryIndexPrefix(info.id);
  IndexMerge merge(parts_.database, params.owner ? Database::kOwners : Database::kExpiry,
                   MatchingRanges(params, prefix, parts_.clock->NowMs()), /*descending=*/false,
                   std::nullopt);
  for (; merge.Valid(); merge.Next()) ++*count;
  return merge.status();
}

Status Queries::TakeIfLater(const RevealParams& params, std::span<const std::string> owners,
                            NamespaceId ns, const TokenKey& key, uint64_t now_ms,
                            std::optional<StoredRecord>* latest) const {
  std::optional<StoredRecord> stored;
  if (Status status = parts_.database->ReadRecord(ns, key, &stored); !status.ok()) return status;
  if (!stored || stored->sealed.empty()) return {};
  if (parts_.database->IsReclaimable(stored->KeptFromMs())) return {};
  if (Status status = Complete(params.namespace_name, ns, &*stored); !status.ok()) return status;
  const Record& record = stored->record;
  if (record.StateAt(now_ms) != TokenState::kActive) return {};
  // The index may be of a moment before: what the record says counts.
  if (params.owner && record.owner != params.owner) return {};
  if (!owners.empty() &&
      (!record.owner || std::ranges::find(owners, *record.owner) == owners.end())) {
    return {};
  }
  const auto rank = [](const Record& of) {
    return std::tie(of.expires_at_ms, of.created_at_ms, of.key);
  };
  if (!*latest || rank((*latest)->record) < rank(record)) *latest = std::move(stored);
  return {};
}

Status Queries::FindSealed(const RevealParams& params, std::span<const std::string> owners,
                           std::optional<SealedToken>* found) const {
  found->reset();
  NamespaceInfo info;
  if (Status status = FindNamespace(params.namespace_name, &info); !status.ok()) return status;
  const uint64_t now_ms = parts_.clock->NowMs();
  std::optional<StoredRecord> latest;
  const auto take = [&](const TokenKey& key) {
    return TakeIfLater(params, owners, info.id, key, now_ms, &latest);
  };
  if (params.id) {
    const std::string prefix = NamespacePrefix(info.id) + std::string(params.id->view());
    const std::unique_ptr<rocksdb::Iterator> it(parts_.database->NewIterator(Database::kTokens));
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      Status status = take(ParseTokenRowKey(View(it->key())).key);
      if (!status.ok()) return status;
    }
    if (Status status = FromRocksDb(it->status(), "cannot look an id up"); !status.ok()) {
      return status;
    }
  } else {
    const std::string prefix =
        params.owner ? OwnerIndexPrefix(info.id, *params.owner) : ExpiryIndexPrefix(info.id);
    IndexMerge merge(parts_.database, params.owner ? Database::kOwners : Database::kExpiry,
                     {MakeIndexRange(prefix, /*revoked=*/false, now_ms + 1, std::nullopt)},
                     /*descending=*/true, std::nullopt);
    size_t read = 0;
    for (; merge.Valid(); merge.Next()) {
      if (latest && merge.entry().expires_at_ms < latest->record.expires_at_ms) break;
      if (++read > kRevealReadsMax) {
        return {ErrorCode::kTooLarge,
                "more than " + std::to_string(kRevealReadsMax) +
                    " tokens expire at the same time as the latest, or later and are not sealed; "
                    "reveal one by its owner, or by its id, as list shows it"};
      }
      if (Status status = take(merge.entry().key); !status.ok()) return status;
    }
    if (Status status = merge.status(); !status.ok()) return status;
  }
  if (latest) {
    *found = {latest->record.key, latest->record.expires_at_ms, std::move(latest->sealed)};
  }
  return {};
}

Status Queries::ValidateFromDisk(NamespaceId ns, const TokenKey& key,
                                 Store::DiskVerdict* verdict) const {
  *verdict = {};
  std::optional<StoredRecord> stored;
  if (Status status = parts_.database->ReadRecord(ns, key, &stored); !status.ok()) return status;
  if (!stored || parts_.database->IsReclaimable(stored->KeptFromMs())) return {};
  const Record& record = stored->record;
  const std::optional<std::string>& owner = record.owner;
  if (parts_.cutoffs->Hitting(ns, *stored) ||
      parts_.denials->Hits(ns, key, owner ? &*owner : nullptr, /*ticket=*/0)) {
    verdict->verdict = Verdict::kRevoked;
    return {};
  }
  switch (record.StateAt(parts_.clock->NowMs())) {
    case TokenState::kRevoked:
      verdict->verdict = Verdict::kRevoked;
      return {};
    case TokenState::kExpired:
      verdict->verdict = Verdict::kExpired;
      return {};
    case TokenState::kActive:
      break;
  }
  verdict->verdict = Verdict::kValid;
  verdict->expires_at_ms = record.expires_at_ms;
  msgpack_io::Writer writer(&verdict->owner_encoded);
  if (owner) {
    writer.Str(*owner);
  } else {
    writer.Nil();
  }
  MakeTokenEntry(ns, *stored, &verdict->scopes_encoded);
  return {};
}

}  // namespace tokend
