// Get, List and Count: what the disk answers, with memory's word worked in where that is stricter
// (a denial that is not durable yet) or fresher (usage).
//
// Any thread; reads the disk.
//
// A list runs over ranges of an index, so that it reads what it returns and little else:
//   order by expiry     the owner's index, or the namespace's
//   order by key        an owner, an expiry window, revoked or expired ones: all that match is read
//                       from the index once a page, and the page's lowest keys are kept;
//                       else the tokens themselves, in their own order
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/error.h"
#include "protocol/params.h"
#include "storage/list_cursor.h"
#include "storage/store.h"
#include "storage/store_parts.h"

namespace tokend {

class Queries {
 public:
  explicit Queries(const StoreParts& parts) : parts_(parts) {}

  Status Get(std::string_view namespace_name, const TokenKey& key,
             std::optional<Record>* record) const;
  Status GetById(std::string_view namespace_name, const TokenId& id,
                 std::optional<Record>* record) const;
  Status List(const ListParams& params, ListPage* page) const;
  Status Count(const ListParams& params, uint64_t* count) const;
  Status FindSealed(const RevealParams& params, std::span<const std::string> owners,
                    std::optional<SealedToken>* found) const;
  Status ValidateFromDisk(NamespaceId ns, const TokenKey& key, Store::DiskVerdict* verdict) const;

 private:
  Status FindNamespace(std::string_view name, NamespaceInfo* info) const;
  // Works memory and cut-offs into what the disk says.
  Status Complete(std::string_view namespace_name, NamespaceId ns, StoredRecord* stored) const;

  // Where it is valid now and sealed, one of `owners` and of the owner that is asked for, and later
  // than *latest (may be none): takes its place there.
  Status TakeIfLater(const RevealParams& params, std::span<const std::string> owners,
                     NamespaceId ns, const TokenKey& key, uint64_t now_ms,
                     std::optional<StoredRecord>* latest) const;

  Status ListByExpiry(const ListParams& params, NamespaceId ns, uint64_t now_ms,
                      const std::optional<ListPosition>& after, ListPage* page) const;
  Status ListByKeyFromIndex(const ListParams& params, NamespaceId ns, uint64_t now_ms,
                            const std::optional<ListPosition>& after, ListPage* page) const;
  Status ListByKey(const ListParams& params, NamespaceId ns, uint64_t now_ms,
                   const std::optional<ListPosition>& after, ListPage* page) const;
  // Reads a record and appends it if it matches.
  Status Append(const ListParams& params, NamespaceId ns, const TokenKey& key, uint64_t now_ms,
                ListPage* page) const;

  const StoreParts parts_;
};

}  // namespace tokend
