// What an import tells of itself. Plain data, to be printed as text or as JSON; no value of a token
// column is ever in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/digest.h"

namespace tokend {

// Why a row cannot be taken. Names (RefusalName) are for reports and scripts and never change.
enum class RefusalReason : uint8_t {
  kNullToken,     // "null_token"
  kEmptyToken,    // "empty_token"
  kTokenTooLong,  // "token_too_long": more than kTokenBytesMax
  kBadKey,        // "bad_key": not 64 hexadecimal digits, not 32 bytes
  kPasswordHash,  // "password_hash": bcrypt and the like, which cannot be looked up
  kZeroDate,      // "zero_date": an expiry of 0000-00-00, or of 0 in a number
  kBadTime,       // "bad_time": an expiry that is no time, or beyond what can be kept
  kBadFlag,       // "bad_flag": revoked, active or status holds a word that decides nothing
  kBadText,       // "bad_text": not valid in its character set
  kBadCharset,    // "bad_charset": a character set that this importer does not convert
  kOwnerTooLong,  // "owner_too_long"
  kBadScopes,     // "bad_scopes": no list of words, or over the limits of a record
  kValueTooLong,  // "value_too_long": over ImportOptions::cell_bytes_max
  kExpression,    // "expression": a function call or DEFAULT where a value is needed
  kColumnCount,   // "column_count": more or fewer values than the table has columns
  kBadNamespace,  // "bad_namespace": the column that names the row's namespace holds no name
};
inline constexpr size_t kRefusalReasons = 16;

std::string_view RefusalName(RefusalReason reason);
// One line for people, such as "the expiry is a zero date".
std::string_view RefusalText(RefusalReason reason);

// Where a row stands.
struct RowPosition {
  std::string_view input;  // the file; lives until RunImport returns
  uint64_t row = 0;        // in its table and input, from 1
  uint64_t offset = 0;     // of the row's first byte in the (decompressed) input
};

// Refused rows of one table for one reason.
struct RefusalReport {
  static constexpr size_t kFirstMax = 5;

  RefusalReason reason{};
  uint64_t count = 0;
  struct Place {
    std::string input;
    uint64_t row = 0;
    uint64_t offset = 0;
  };
  std::vector<Place> first;  // the first kFirstMax of them
};

// How one column is used, for the header of the report: `expires_at` ← `expires` (DATETIME, read in
// UTC).
struct FieldUse {
  std::string field;  // as --columns calls it
  std::string column;
  std::string reading;  // how values are read; empty where nothing is to be said
};

// A table that rows are taken from, and how. Settled before its first row.
struct TableInfo {
  size_t index = 0;      // from 0 on; of one table in several namespaces each has its own
  std::string database;  // empty where the input does not say
  std::string name;
  std::string
      namespace_name;  // in a report empty where a column names them: TableReport::namespaces
  DigestScheme scheme = DigestScheme::kSha256;  // what the namespace must have
  std::string mapping;                          // "preset NAME" or "--columns"
  std::vector<FieldUse> fields;
  std::vector<std::string> ignored_columns;
};

struct TableReport {
  TableInfo table;
  uint64_t rows_read = 0;          // = rows_taken + rows_refused + rows_not_selected
  uint64_t rows_not_selected = 0;  // by ImportOptions::conditions
  uint64_t rows_taken = 0;
  uint64_t rows_refused = 0;
  uint64_t rows_revoked = 0;            // of those taken
  uint64_t rows_never = 0;              // of those taken: without expiry
  std::vector<RefusalReport> refusals;  // in the order of first appearance
  struct LeftOut {
    std::string field;  // name, source_id, use_count, or a time other than the expiry
    uint64_t rows = 0;
  };
  std::vector<LeftOut> left_out;  // rows taken without a field whose value was of no use
  // Rows taken whose token the table's own database takes for that of an earlier row, by the
  // collation of its column: tokend tells them apart.
  struct EqualToken {
    static constexpr size_t kFirstMax = 5;
    std::string input;
    uint64_t row = 0;
    std::string earlier_input;
    uint64_t earlier_row = 0;
  };
  // Where a column names them, in the order of appearance.
  struct Namespace {
    std::string name;
    size_t index = 0;  // TableInfo's
    uint64_t rows_taken = 0;
  };
  std::vector<Namespace> namespaces;
  std::string loose_collation;  // empty: it compares bytes, or keeps digests
  uint64_t equal_tokens = 0;
  std::vector<EqualToken> first_equal_tokens;  // the first kFirstMax
  bool equal_tokens_are_all = true;            // or those among the first tokens only
};

struct SkippedTable {
  std::string database;
  std::string name;
  uint64_t rows = 0;
  std::string reason;  // "not a known token table", "not picked by --table", ...
};

// Statements of a kind that is not executed, such as UPDATE or CREATE TRIGGER.
struct SkippedStatements {
  std::string kind;
  uint64_t count = 0;
};

// Where the dumped server's binary log stood, for following it from there.
struct BinlogPosition {
  std::string file;  // empty when only the GTID is known
  uint64_t offset = 0;
  std::string gtid;
  bool upstream = false;  // --dump-slave: a position of the server that the dumped one replicates
};

struct InputReport {
  std::string path;         // "-" = standard input
  std::string format;       // "sql", "xml", "batch", "outfile", "csv"; "mydumper" of its metadata
  std::string compression;  // "none", "gzip", "zstd", "xz"
  std::string producer;  // the dump's first remark, such as "MariaDB dump 10.19 ..."; may be empty
  uint64_t bytes = 0;    // read, before decompression
  uint64_t text_bytes = 0;  // after it
  bool footer = false;      // "Dump completed" was seen outside of values
  bool complete = false;
  std::string incomplete_reason;  // when !complete
  std::optional<BinlogPosition> position;
};

struct ImportReport {
  std::vector<InputReport> inputs;  // those that were opened
  std::vector<TableReport> tables;
  std::vector<SkippedTable> skipped_tables;
  std::vector<SkippedStatements> skipped_statements;
  std::vector<std::string> notes;  // for people: default zone used, suspicious values, ...

  // Every input was read to its proper end.
  bool complete() const {
    for (const InputReport& input : inputs) {
      if (!input.complete) return false;
    }
    return true;
  }
};

}  // namespace tokend
