#include "storage/store_parts.h"

#include "protocol/msgpack.h"

namespace tokend {

TokenEntry MakeTokenEntry(NamespaceId ns, const StoredRecord& stored, std::string* scopes_encoded) {
  const Record& record = stored.record;
  scopes_encoded->clear();
  msgpack_io::Writer writer(scopes_encoded);
  writer.ArrayHeader(static_cast<uint32_t>(record.scopes.size()));
  for (const std::string& scope : record.scopes) writer.Str(scope);
  TokenEntry entry;
  entry.namespace_id = ns;
  entry.key = record.key;
  entry.expires_at_ms = record.expires_at_ms;
  if (record.owner) entry.owner = *record.owner;
  entry.scopes_encoded = *scopes_encoded;
  entry.revoked = record.revoked;
  return entry;
}

}  // namespace tokend
