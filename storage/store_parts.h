// What the rooms of a store share. Plain pointers: Store owns all of it and outlives every user.
#pragma once

#include "protocol/sealer.h"
#include "storage/clock.h"
#include "storage/database.h"
#include "storage/denials.h"
#include "storage/namespace_registry.h"
#include "storage/owner_cutoffs.h"
#include "storage/reclaim_clock.h"
#include "storage/token_table.h"

namespace tokend {

struct StoreParts {
  const Clock* clock = nullptr;
  Database* database = nullptr;
  TokenTable* table = nullptr;
  NamespaceRegistry* namespaces = nullptr;
  Denials* denials = nullptr;
  OwnerCutoffs* cutoffs = nullptr;
  ReclaimClock* reclaim_clock = nullptr;
  const Sealer* sealer = nullptr;  // may be null
};

// What memory keeps of a record. `scopes_encoded` holds the bytes that the entry points to.
TokenEntry MakeTokenEntry(NamespaceId ns, const StoredRecord& stored, std::string* scopes_encoded);

}  // namespace tokend
