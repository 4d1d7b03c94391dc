// Records and rows as they stand on disk: whatever decodes is encoded to the same, and the
// compaction filter's short look sees what the whole one sees.
#include <string>

#include "storage/rows.h"
#include "storage/stored_record.h"
#include "tests/fuzz/fuzz.h"

using namespace tokend;
using fuzz::Require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::View(data, size);
  StoredRecord stored;
  if (DecodeStoredRecord(bytes, &stored)) {
    const std::optional<uint64_t> kept_from = StoredRecordKeptFrom(bytes);
    Require(kept_from && *kept_from == stored.KeptFromMs(), "the short look sees the same");
    std::string encoded, again;
    EncodeStoredRecord(stored, &encoded);
    StoredRecord decoded;
    Require(DecodeStoredRecord(encoded, &decoded), "what was encoded decodes");
    EncodeStoredRecord(decoded, &again);
    Require(encoded == again, "and is the same");
  }
  UsageRow usage;
  if (DecodeUsageRow(bytes, &usage)) {
    UsageRow again;
    Require(DecodeUsageRow(EncodeUsageRow(usage), &again) &&
                again.kept_from_ms == usage.kept_from_ms && again.use_count == usage.use_count &&
                again.last_used_at_ms == usage.last_used_at_ms,
            "usage decodes as it was encoded");
  }
  CutoffRow cutoff;
  if (DecodeCutoffRow(bytes, &cutoff)) {
    CutoffRow again;
    Require(DecodeCutoffRow(EncodeCutoffRow(cutoff), &again) && again.sequence == cutoff.sequence &&
                again.at_ms == cutoff.at_ms && again.swept == cutoff.swept,
            "a cut-off decodes as it was encoded");
  }
  ReclaimClock::State clock;
  (void)DecodeReclaimClockRow(bytes, &clock);
  NamespaceId ns = 0;
  DigestScheme scheme = DigestScheme::kSha256;
  std::string name;
  if (bytes.starts_with(kCutoffRowPrefix) && ParseCutoffRowKey(bytes, &ns, &name)) {
    Require(CutoffRowKey(ns, name) == bytes, "a cut-off's key is that of its parts");
  }
  (void)DecodeNamespaceRow(NamespaceRowKey(7), bytes, &ns, &scheme, &name);
  if (const auto entry = ParseIndexRowKey(bytes)) {
    const std::string_view prefix = bytes.substr(0, bytes.size() - kIndexTailBytes);
    const std::string key = IndexRowKey(prefix, *entry);
    Require(key.size() == bytes.size(), "an index key is that of its parts");
    (void)IndexRowKeptFrom(bytes, bytes);
  }
  return 0;
}
