// Reads dumps of token tables and gives their rows: the entry of this room.
//
// Inputs are SQL files of mysqldump and its like, XML of theirs, delimited text, and directories of
// them, plain or compressed (gzip, zstd, xz: told by their first bytes, not by name), read as a
// stream in bounded memory: however big the file, a line or a value is, no more than a few buffers
// and the wanted cells of one row are held. Statements are never executed: rows come from INSERT
// and REPLACE, column names and types from CREATE TABLE, and what else there is gets counted.
//
// A table is taken when it is one of the presets (presets.h) or when the options pick it. Tokens in
// clear are digested here: every row that comes out has a key, and no token leaves this room unless
// ImportOptions::seal says so.
//
// Times are UTC milliseconds; digits below are cut off, so an expiry is never later than the
// table's. An expiry before 1970 becomes 0. A local time that occurs twice means its first
// occurrence, one that does not occur is read with the offset before the gap.
//
// Zones. TIMESTAMP values are in the zone that the dump names by SET TIME_ZONE, else in
// ImportOptions::time_zone, else UTC. DATETIME, DATE and text have no zone:
// ImportOptions::time_zone, else UTC. TableInfo::fields and the report's notes say which it was.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/report.h"
#include "import/text_format.h"
#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/params.h"

namespace tokend {

enum class ZeroDates : uint8_t {
  kRefuse,       // refuse the row, counted as "zero_date"
  kTakeAsNever,  // the token has no expiry
};

struct ImportOptions {
  // Paths of files, or of directories that mydumper or mysqldump --tab made; "-" = standard input.
  // Read in order. Table definitions carry over from one to the next, session settings (SQL mode,
  // zone, character set, database) do not.
  std::vector<std::string> inputs;
  InputFormat format = InputFormat::kAuto;  // of all inputs
  TextOptions text;                         // of those that are delimited text
  // SQL files that bring CREATE TABLE only; rows in them are not taken.
  std::vector<std::string> schema_files;
  // Tables to take, "name" or "database.name". Empty: every table that is of a preset.
  std::vector<std::string> tables;
  // Rows are taken where all of these hold, "column=value[,value...]"; of every table.
  std::vector<std::string> conditions;
  // Takes exactly one entry in `tables`: the preset (presets.h) that it is read by, whatever its
  // name. Empty: by the table's name and columns.
  std::string preset;
  // Tokens expire so long after they were created, or were last used where a preset says so, unless
  // they expire earlier.
  std::optional<uint64_t> lifetime_ms;
  // Takes exactly one entry in `tables`. See kColumnsHelp for the grammar. Empty: presets.
  std::string columns;
  // Where rows go; missing: the namespace of the table's own name.
  std::optional<std::string> namespace_name;
  // A column whose values are the namespaces that rows go to, as namespace= in `columns` is; not
  // with `namespace_name`. Empty: none.
  std::string namespace_column;
  // How presented tokens become keys, for tables mapped by `columns`; missing: sha256.
  std::optional<DigestScheme> scheme;
  // Of that scheme, if it takes one and `columns` maps tokens in clear; else empty.
  Secret secret;
  // "UTC", "+HH:MM", "-HH:MM" or a name of the system's time zone database. Empty: not given.
  std::string time_zone;
  ZeroDates zero_dates = ZeroDates::kRefuse;
  // Tokens in clear are given on as they are, to be kept sealed; a table without them is an error.
  bool seal = false;
  // A longer value in a wanted column refuses its row.
  size_t cell_bytes_max = size_t{1} << 20;
};

// The grammar of ImportOptions::columns, for --help.
extern const char kColumnsHelp[];

// Takes what is imported. Called from RunImport's thread.
class RowSink {
 public:
  virtual ~RowSink() = default;

  // Once for each table, before its first row. `table` lives until RunImport returns.
  virtual Status BeginTable(const TableInfo& table) = 0;

  // Rows of different tables may alternate. What `row` points to is valid during the call only
  // (RowBatch keeps copies); row.token.is_key is true unless ImportOptions::seal. An error stops
  // the import.
  virtual Status Row(const TableInfo& table, const ImportRow& row, const RowPosition& position) = 0;
};

struct ImportProgress {
  std::string_view input;               // of the file being read; lives during the call
  uint64_t bytes_read = 0;              // over all inputs so far, before decompression
  std::optional<uint64_t> bytes_total;  // of all inputs; missing when one is no regular file
  uint64_t rows_read = 0;               // of tables that are taken
  uint64_t rows_taken = 0;
};
using ProgressCallback = std::function<void(const ImportProgress&)>;

// Checks what can be checked before anything is read: kBadParams names the option and what it
// should be.
Status CheckImportOptions(const ImportOptions& options);
// Whether a namespace can have this name.
bool IsNamespaceName(std::string_view name);

// Reads all inputs. `progress` may be empty; it is called about once for each MiB read, and at each
// input's end. The report is filled as far as things went, whatever the outcome.
//
// Ok: everything there was got read; an input that ends too early (in a statement, in a compressed
// stream, without the footer that its header promises) is no error but report->complete() == false,
// and what stood before the end has been taken.
// kBadParams: the options are wrong or do not fit the input (a column that is not there, a picked
// table that never came, the same table in two databases).
// Else: reading failed (no such file, damaged compression), or the sink's error.
Status RunImport(const ImportOptions& options, RowSink* sink, const ProgressCallback& progress,
                 ImportReport* report);

}  // namespace tokend
