// What the fuzz targets of imports hold: an import ends, in rows that have a key or in a refusal
// that says why.
#pragma once

#include <string>

#include "import/importer.h"
#include "tests/fuzz/fuzz.h"

namespace tokend::fuzz {

class CountingSink : public RowSink {
 public:
  Status BeginTable(const TableInfo& /*table*/) override { return {}; }
  Status Row(const TableInfo& /*table*/, const ImportRow& row,
             const RowPosition& /*position*/) override {
    Require(row.token.is_key, "a row has a key");
    Require(row.expires_at_ms == kNever || row.expires_at_ms <= kTimeMsMax, "a time is one");
    Require(row.scopes.size() <= kScopesMax, "scopes are bounded");
    for (const uint8_t byte : row.token.key.bytes) sum = sum * 31 + byte;
    sum = sum * 31 + row.expires_at_ms + row.use_count + (row.owner ? row.owner->size() : 0);
    ++rows;
    return {};
  }
  uint64_t rows = 0, sum = 0;
};

struct Outcome {
  bool ok = false;
  uint64_t rows = 0, sum = 0;
  bool operator==(const Outcome&) const = default;
};

inline Outcome Import(const std::string& path) {
  ImportOptions options;
  options.inputs = {path};
  options.cell_bytes_max = 4096;
  CountingSink sink;
  ImportReport report;
  const Status status = RunImport(options, &sink, {}, &report);
  Require(status.ok() || !status.message().empty(), "a refusal says why");
  return {status.ok(), sink.rows, sink.sum};
}

}  // namespace tokend::fuzz
