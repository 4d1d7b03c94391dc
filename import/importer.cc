#include "import/importer.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "import/byte_source.h"
#include "import/decompress.h"
#include "import/equal_tokens.h"
#include "import/input_files.h"
#include "import/presets.h"
#include "import/row_builder.h"
#include "import/sql_dump_reader.h"
#include "import/table_catalog.h"
#include "import/table_mapping.h"
#include "import/table_rows.h"
#include "import/text_reader.h"
#include "import/time_zone.h"
#include "import/xml_dump_reader.h"

namespace tokend {
namespace {

constexpr uint64_t kProgressBytes = 1 << 20;
constexpr size_t kNamespacesMax = 1000;     // of one table: as many as a server has by default
constexpr size_t kSkippedTablesMax = 1000;  // in the report
constexpr size_t kTablesMax = 10000;        // to keep an account of

Status Bad(const std::string& message) { return {ErrorCode::kBadParams, message}; }

std::optional<uint64_t> TotalBytes(const std::vector<InputFile>& files) {
  uint64_t total = 0;
  for (const InputFile& file : files) {
    struct stat info;
    if (file.path == "-" || stat(file.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
      return std::nullopt;
    }
    total += static_cast<uint64_t>(info.st_size);
  }
  return total;
}

// Tells of each so many bytes that were read.
class WatchedSource : public ByteSource {
 public:
  WatchedSource(ByteSource* source, std::function<void(uint64_t)> watch)
      : source_(source), watch_(std::move(watch)) {}
  Status Read(char* out, size_t capacity, size_t* bytes) override {
    Status status = source_->Read(out, capacity, bytes);
    unsaid_ += *bytes;
    if (unsaid_ >= kProgressBytes) Say();
    return status;
  }
  void Say() {
    watch_(unsaid_);
    unsaid_ = 0;
  }

 private:
  ByteSource* source_;
  std::function<void(uint64_t)> watch_;
  uint64_t unsaid_ = 0;
};

// Whether rows of such a table, or a definition of it in whichever database, may be of use.
bool Wants(const ImportOptions& options, std::string_view name) {
  if (options.tables.empty()) return !PresetsOfTable(name).empty();
  return std::any_of(options.tables.begin(), options.tables.end(), [name](std::string_view entry) {
    return entry == name || (entry.size() > name.size() && entry.ends_with(name) &&
                             entry[entry.size() - name.size() - 1] == '.');
  });
}

// Of --schema files only the definitions count.
class NoRows : public RowsConsumer {
 public:
  explicit NoRows(const ImportOptions& options) : options_(options) {}
  bool OnTable(const TableName& name) override { return Wants(options_, name.name); }
  Status BeginRows(const RowsHeader&, RowsPlan* plan) override {
    plan->take = false;
    return Status::Ok();
  }
  Status Row(const std::vector<Cell>&, const RowPosition&) override { return Status::Ok(); }
  void SkippedRows(const TableName&, uint64_t) override {}
  void SkippedChange(const TableName&, std::string_view) override {}

 private:
  const ImportOptions& options_;
};

class Import : public RowsConsumer {
 public:
  Import(const ImportOptions& options, RowSink* sink, const ProgressCallback& progress,
         ImportReport* report)
      : options_(options), sink_(sink), progress_(progress), report_(report) {}

  Status Run();

 private:
  // What a table's columns may mean.
  struct Candidate {
    const Preset* preset = nullptr;  // null: --columns
    TableMapping mapping;
  };
  struct Table {
    TableReport report;
    bool take = false;
    std::string skip_reason;
    uint64_t skipped_rows = 0;
    bool picked = false;                // by the options; else recognised
    bool picked_in_full = false;        // with its database
    bool begun = false;                 // the sink knows it
    const Preset* preset = nullptr;     // that `builder` is of; null: --columns
    std::vector<Candidate> candidates;  // one of them once `builder` is there
    std::unique_ptr<RowBuilder> builder;
    // By namespace, where a column names them. They do not move.
    struct Part {
      size_t position = 0;  // in TableReport::namespaces
      TableInfo info;
    };
    std::map<std::string, Part, std::less<>> parts;
    // What the builder is bound to.
    bool bound = false;
    const TableSchema* schema = nullptr;
    std::vector<std::string> columns;
  };

  bool OnTable(const TableName& name) override;
  Status BeginRows(const RowsHeader& header, RowsPlan* plan) override;
  Status Row(const std::vector<Cell>& cells, const RowPosition& position) override;
  void SkippedRows(const TableName& name, uint64_t rows) override;
  void SkippedChange(const TableName& name, std::string_view kind) override;

  Status ReadSchemas();
  Status ReadInput(const InputFile& file);
  Status ReadSql(const InputFile& file, ByteSource* source, InputReport* report);
  Status ReadXml(const InputFile& file, ByteSource* source, InputReport* report);
  Status ReadText(const InputFile& file, InputFormat format, ByteSource* source,
                  InputReport* report);
  TableName TableOf(const InputFile& file) const;
  void CompareRows(const std::map<TableName, uint64_t>& told);
  Status CheckFound() const;
  void NoteTypes(const Table& table);
  void NoteSecret(const Table& table);
  void Finish();

  Table& Find(const TableName& name);
  bool Picks(const TableName& name, bool* in_full) const;
  Status Choose(const RowBuilder::Layout& layout, Table* table) const;
  Status Bind(const RowsHeader& header, Table* table, bool* fits);
  Status SetZones(const RowsHeader& header, Table* table);
  Status Begin(const RowsHeader& header, Table* table);
  Status ClaimNamespace(const std::string& name, const TableInfo& by);
  Status FindTarget(Table* table, const TableInfo** target);
  void LookForEqual(Table* table, const RowPosition& position);
  void Refuse(Table* table, RefusalReason reason, const RowPosition& position);
  void Note(const std::string& note);

  const ImportOptions& options_;
  RowSink* const sink_;
  const ProgressCallback& progress_;
  ImportReport* const report_;

  TimeZone own_zone_;  // of the options, else UTC
  TableMapping columns_;
  TableCatalog catalog_;
  // What the last SQL input was read with: a definition's, for the text that belongs to it.
  std::string schema_database_;
  std::optional<std::string> schema_time_zone_;
  std::map<std::string, TimeZone> zones_;      // that inputs named
  std::unique_ptr<EqualTokens> equal_tokens_;  // made with the first that might be
  std::map<TableName, Table> tables_;
  std::vector<Table*> begun_;
  size_t next_index_ = 0;  // TableInfo's
  struct Claim {
    std::string table;
    DigestScheme scheme;
  };
  std::map<std::string, Claim> claims_;  // of namespaces, by the first table that has rows there
  std::map<std::string, uint64_t> skipped_statements_;
  Table others_;  // what is skipped beyond kTablesMax
  Table* current_ = nullptr;
  ImportRow row_;
  ImportProgress so_far_;
};

Status Import::Run() {
  if (Status check = CheckImportOptions(options_); !check.ok()) return check;
  if (!options_.time_zone.empty()) {
    if (Status zone = TimeZone::Load(options_.time_zone, &own_zone_); !zone.ok()) return zone;
  }
  if (!options_.columns.empty()) {
    if (Status parsed = ParseMapping(options_.columns, &columns_); !parsed.ok()) return parsed;
  }
  Status status = ReadSchemas();
  InputSet set;
  for (const std::string& path : options_.inputs) {
    if (status.ok()) status = AddInput(path, options_.format, &set);
  }
  so_far_.bytes_total = TotalBytes(set.files);
  if (set.metadata) report_->inputs.push_back(*set.metadata);
  for (const InputFile& file : set.files) {
    if (!status.ok()) break;
    status = ReadInput(file);
  }
  Finish();
  CompareRows(set.rows);
  if (status.ok() && report_->complete()) status = CheckFound();
  return status;
}

Status Import::ReadSchemas() {
  TableCatalog schemas;
  for (const std::string& path : options_.schema_files) {
    FileSource file;
    if (Status open = file.Open(path); !open.ok()) return open;
    std::unique_ptr<ByteSource> source;
    Compression compression;
    if (Status open = OpenDecompressed(&file, path, &source, &compression); !open.ok()) return open;
    NoRows nobody(options_);
    SqlDumpReader reader(source.get(), path, {}, &schemas, &nobody);
    InputReport read;
    size_t before = schemas.size();
    if (Status run = reader.Run(&read); !run.ok()) return run;
    if (schemas.size() == before) return Bad("schema: " + path + " has no CREATE TABLE");
  }
  // The data may come under another database's name, or none: the table's name alone will do where
  // it is the only one.
  for (const auto& [name, schema] : schemas) {
    catalog_[name] = schema;
    size_t same = 0;
    for (const auto& other : schemas) same += other.first.name == name.name ? 1 : 0;
    if (same == 1) catalog_[{"", name.name}] = schema;
  }
  return Status::Ok();
}

Status Import::ReadInput(const InputFile& input) {
  const std::string& path = input.path;
  FileSource file;
  if (Status open = file.Open(path); !open.ok()) return open;
  WatchedSource watched(&file, [this, &path](uint64_t bytes) {
    so_far_.input = path;
    so_far_.bytes_read += bytes;
    if (progress_) progress_(so_far_);
  });
  InputReport& report = report_->inputs.emplace_back();
  report.path = path;
  report.incomplete_reason = "reading was given up";
  std::unique_ptr<ByteSource> source;
  Compression compression = Compression::kNone;
  Status status = OpenDecompressed(&watched, path, &source, &compression);
  report.compression = CompressionName(compression);
  if (status.ok()) {
    PeekedSource peeked(source.get());
    std::string_view head;
    status = peeked.Peek(&head);
    const InputFormat format =
        input.format == InputFormat::kAuto ? DetectFormat(path, head) : input.format;
    report.format = InputFormatName(format);
    if (status.ok()) {
      switch (format) {
        case InputFormat::kSql:
          status = ReadSql(input, &peeked, &report);
          break;
        case InputFormat::kXml:
          status = ReadXml(input, &peeked, &report);
          break;
        default:
          status = ReadText(input, format, &peeked, &report);
      }
    }
  }
  report.bytes = file.bytes_read();
  if (status.ok() && source->truncated()) {
    report.complete = false;
    report.incomplete_reason = "the " + report.compression + " stream ends before its end mark";
  }
  watched.Say();
  return status;
}

Status Import::ReadSql(const InputFile& file, ByteSource* source, InputReport* report) {
  SqlTokenizer::Options limits;
  limits.value_bytes_max = options_.cell_bytes_max;
  SqlDumpReader reader(source, file.path, limits, &catalog_, this);
  if (file.table_is_sure) reader.set_database(file.table.database);
  Status status = reader.Run(report);
  for (const auto& [kind, count] : reader.skipped_statements()) skipped_statements_[kind] += count;
  for (const std::string& note : reader.notes()) Note(file.path + ": " + note);
  schema_database_ = reader.database();
  schema_time_zone_ = reader.time_zone();
  return status;
}

// The one that is picked, else that of the file's name.
TableName Import::TableOf(const InputFile& file) const {
  if (file.table_is_sure || options_.tables.size() != 1) return file.table;
  const std::string& picked = options_.tables.front();
  const size_t dot = picked.rfind('.');
  if (dot == std::string::npos) return {"", picked};
  return {picked.substr(0, dot), picked.substr(dot + 1)};
}

Status Import::ReadXml(const InputFile& file, ByteSource* source, InputReport* report) {
  XmlDumpReader reader(source, file.path, options_.cell_bytes_max, TableOf(file), &catalog_, this);
  return reader.Run(report);
}

Status Import::ReadText(const InputFile& file, InputFormat format, ByteSource* source,
                        InputReport* report) {
  TextReader::Table table;
  table.name = TableOf(file);
  if (file.table_is_sure) {
    table.name.database = schema_database_;
    table.time_zone = schema_time_zone_;
    table.header = false;
  } else if (!Wants(options_, table.name.name)) {
    return Bad(file.path + ": does not say which table it is of: name it with --table");
  }
  if (!file.table_is_sure && options_.text.header) table.header = options_.text.header;
  table.columns = options_.text.columns;
  table.schema = FindSchema(catalog_, table.name);
  table.own_charsets = format == InputFormat::kOutfile;
  for (const Candidate& candidate : Find(table.name).candidates) {
    for (const FieldMapping& field : candidate.mapping.fields) {
      if (IsKeyField(field.field)) table.token_columns.push_back(field.column);
    }
  }
  const TextFormat text = MakeTextFormat(format, options_.text);
  if (!file.table_is_sure) {
    Note(file.path + ": read as " + std::string(InputFormatName(format)) + ": " + text.Text());
  }
  TextReader reader(source, file.path, text, table, options_.cell_bytes_max, this);
  Status status = reader.Run(report);
  if (reader.had_header() && !table.header) {
    Note(file.path + ": its first line names the columns; if it is a row, say --no-header");
  }
  return status;
}

// What a metadata file says of the rows, against what came.
void Import::CompareRows(const std::map<TableName, uint64_t>& told) {
  for (const auto& [name, rows] : told) {
    const auto known = tables_.find(name);
    if (known == tables_.end()) continue;
    const uint64_t came = known->second.report.rows_read + known->second.skipped_rows;
    if (came != rows) {
      Note(name.Text() + " should have " + std::to_string(rows) + " rows, as the metadata says; " +
           std::to_string(came) + " came");
    }
  }
}

// Tables

bool Import::Picks(const TableName& name, bool* in_full) const {
  bool picked = false;
  for (const std::string& entry : options_.tables) {
    if (entry == name.Text()) *in_full = !name.database.empty();
    picked = picked || entry == name.name || entry == name.Text();
  }
  return picked;
}

Import::Table& Import::Find(const TableName& name) {
  auto known = tables_.find(name);
  if (known != tables_.end()) return known->second;
  if (tables_.size() >= kTablesMax && !Wants(options_, name.name)) return others_;
  Table& table = tables_[name];
  TableInfo& info = table.report.table;
  info.database = name.database;
  info.name = name.name;
  info.namespace_name = options_.namespace_name.value_or(name.name);
  table.picked = Picks(name, &table.picked_in_full);
  if (!options_.tables.empty() && !table.picked) {
    table.skip_reason = "not picked";
    return table;
  }
  if (!options_.columns.empty()) {
    table.candidates.push_back({nullptr, columns_});
  } else if (!options_.preset.empty()) {
    const Preset* preset = FindPreset(options_.preset);
    table.candidates.push_back({preset, MappingOf(*preset)});
  } else {
    for (const Preset* preset : PresetsOfTable(name.name)) {
      table.candidates.push_back({preset, MappingOf(*preset)});
    }
  }
  if (table.candidates.empty()) {
    table.skip_reason = "not a known token table";
    return table;
  }
  for (Candidate& candidate : table.candidates) {
    for (const std::string& text : options_.conditions) {
      // Checked with the options.
      (void)ParseCondition(text, &candidate.mapping.conditions.emplace_back()).ok();
    }
    if (!options_.namespace_column.empty()) {
      candidate.mapping.fields.push_back(
          {.field = Field::kNamespace, .column = options_.namespace_column});
    }
  }
  table.take = true;
  return table;
}

bool Import::OnTable(const TableName& name) {
  Table& table = Find(name);
  if (table.report.rows_read > 0) {
    Note(name.Text() + " is created anew after rows of it were read: rows of both are taken");
  }
  // A definition may serve a table of another name too (see SqlDumpReader), so all are bound anew.
  for (Table* known : begun_) known->bound = false;
  return Wants(options_, name.name);
}

Status Import::BeginRows(const RowsHeader& header, RowsPlan* plan) {
  Table& table = Find(*header.table);
  plan->take = false;
  current_ = &table;
  if (!table.take) return Status::Ok();
  bool fits = false;
  if (Status bind = Bind(header, &table, &fits); !bind.ok()) return bind;
  if (!fits) return Status::Ok();
  if (Status zones = SetZones(header, &table); !zones.ok()) return zones;
  if (!table.begun) {
    if (Status begin = Begin(header, &table); !begin.ok()) return begin;
  }
  plan->take = true;
  plan->wanted = table.builder->wanted();
  return Status::Ok();
}

// The first of the candidates that the columns fit.
Status Import::Choose(const RowBuilder::Layout& layout, Table* table) const {
  TableInfo& info = table->report.table;
  Status first;
  for (const Candidate& candidate : table->candidates) {
    const Preset* preset = candidate.preset;
    std::optional<RowBuilder::Lifetime> lifetime;
    if (options_.lifetime_ms) {
      lifetime = {*options_.lifetime_ms, preset != nullptr && preset->lifetime_from != Field::kToken
                                             ? preset->lifetime_from
                                             : Field::kCreatedAt};
    }
    info.mapping = preset != nullptr ? "preset " + std::string(preset->name) : "--columns";
    info.scheme =
        preset != nullptr ? preset->scheme : options_.scheme.value_or(DigestScheme::kSha256);
    auto builder = std::make_unique<RowBuilder>(
        candidate.mapping, RowBuilder::Scheme{info.scheme, options_.secret, options_.seal},
        options_.zero_dates, lifetime);
    if (Status bind = builder->Bind(layout); !bind.ok()) {
      if (first.ok()) first = bind;
      continue;
    }
    if (preset != nullptr && !preset->refused.empty()) {
      return Bad("tokens of " + std::string(preset->name) +
                 " are not taken: " + std::string(preset->refused));
    }
    if (options_.seal && candidate.mapping.Find(Field::kToken) == nullptr) {
      return Bad(
          "--seal: the table holds digests of its tokens, which cannot be given back: import "
          "it without --seal, and the tables that hold tokens by themselves, with --table");
    }
    if (lifetime && candidate.mapping.Find(lifetime->from) == nullptr) {
      return Bad("--lifetime counts from " + std::string(FieldName(lifetime->from)) +
                 ", which no column is mapped to");
    }
    if (!lifetime && preset != nullptr && preset->lifetime_from != Field::kToken &&
        candidate.mapping.Find(Field::kExpiresAt) == nullptr) {
      return Bad("when tokens of " + std::string(preset->name) +
                 " expire is in the application's configuration: say it as --lifetime");
    }
    table->builder = std::move(builder);
    table->preset = preset;
    return Status::Ok();
  }
  if (table->candidates.front().preset == nullptr || table->picked) return first;
  return Bad("named like a known token table, but has " + first.message());
}

// Binds the builder to the columns that rows now have. *fits = false: the table only has the name
// of a preset.
Status Import::Bind(const RowsHeader& header, Table* table, bool* fits) {
  *fits = true;
  const std::string name = header.table->Text();
  if (header.columns == nullptr && header.schema == nullptr) {
    return Bad(name +
               ": its rows come without column names, and no CREATE TABLE came before them: "
               "bring its definition with --schema, or of text name its --column-names");
  }
  const bool same =
      table->bound && table->schema == header.schema &&
      (header.columns != nullptr ? table->columns == *header.columns : table->columns.empty());
  if (same) return Status::Ok();
  RowBuilder::Layout layout;
  layout.schema = header.schema;
  if (header.columns != nullptr) {
    layout.columns = *header.columns;
  } else {
    for (const ColumnSchema& column : header.schema->columns) layout.columns.push_back(column.name);
  }
  if (Status status =
          table->builder != nullptr ? table->builder->Bind(layout) : Choose(layout, table);
      !status.ok()) {
    if (table->picked || table->begun) return Bad(name + ": " + status.message());
    table->take = false;
    table->skip_reason = status.message();
    *fits = false;
    return Status::Ok();
  }
  table->bound = true;
  table->schema = header.schema;
  table->columns = header.columns != nullptr ? *header.columns : std::vector<std::string>();
  return Status::Ok();
}

Status Import::SetZones(const RowsHeader& header, Table* table) {
  const TimeZone* timestamps = &own_zone_;
  if (header.time_zone && table->builder->uses_timestamp_zone()) {
    auto [at, fresh] = zones_.try_emplace(*header.time_zone);
    if (fresh) {
      if (Status load = TimeZone::Load(*header.time_zone, &at->second); !load.ok()) {
        zones_.erase(at);
        return Bad(std::string(header.input) +
                   " sets a time zone that is not known here: " + load.message());
      }
    }
    timestamps = &at->second;
  }
  table->builder->SetZones(timestamps, &own_zone_);
  return Status::Ok();
}

// Settles what the header of the report says of a table, and tells the sink.
Status Import::Begin(const RowsHeader& header, Table* table) {
  TableInfo& info = table->report.table;
  if (begun_.size() >= kTablesMax) return Bad("there are more token tables than an import takes");
  for (const Table* other : begun_) {
    const TableInfo& known = other->report.table;
    // Two databases' tokens must not get mixed unless that was asked for.
    if (known.name == info.name && !known.database.empty() && !info.database.empty() &&
        !(other->picked_in_full && table->picked_in_full)) {
      return Bad("table " + info.name + " is there as " + header.table->Text() + " and as " +
                 (known.database.empty() ? known.name : known.database + "." + known.name) +
                 ": say which one is meant");
    }
  }
  const bool by_column = table->builder->mapping().Find(Field::kNamespace) != nullptr;
  if (by_column) {
    info.namespace_name.clear();
  } else if (!IsNamespaceName(info.namespace_name)) {
    return Bad("table " + info.name +
               ": its name cannot be a namespace: name one with --namespace");
  } else if (Status own = ClaimNamespace(info.namespace_name, info); !own.ok()) {
    return own;
  }
  const bool zone_given = !options_.time_zone.empty();
  const std::string own = zone_given ? own_zone_.name() + " (as told)" : "UTC (not told otherwise)";
  const std::string stamps = header.time_zone ? *header.time_zone + " (as the dump says)" : own;
  info.index = next_index_++;
  info.fields = table->builder->Describe(stamps, own);
  info.ignored_columns = table->builder->IgnoredColumns();
  const bool expires = options_.lifetime_ms ||
                       std::any_of(info.fields.begin(), info.fields.end(), [](const FieldUse& use) {
                         return use.field == FieldName(Field::kExpiresAt) ||
                                use.field == FieldName(Field::kExpiresIn);
                       });
  if (!expires) {
    Note(info.name +
         ": no column says when tokens expire, so they never do; if they should, say "
         "--lifetime");
  }
  if (!zone_given && table->builder->uses_other_zone()) {
    Note("DATETIME and text have no time zone: read as UTC; if that is wrong, say --time-zone");
  }
  if (!zone_given && !header.time_zone && table->builder->uses_timestamp_zone()) {
    Note(std::string(header.input) +
         " names no time zone: TIMESTAMP is read as UTC; if that is wrong, say --time-zone");
  }
  if (TakesSecret(info.scheme)) NoteSecret(*table);
  begun_.push_back(table);
  table->begun = true;
  return by_column ? Status::Ok() : sink_->BeginTable(info);
}

// A namespace has one scheme.
Status Import::ClaimNamespace(const std::string& name, const TableInfo& by) {
  const auto [at, is_new] = claims_.try_emplace(name, Claim{by.name, by.scheme});
  if (is_new || at->second.scheme == by.scheme) return Status::Ok();
  return Bad("tables " + at->second.table + " and " + by.name +
             " keep digests of different schemes: they cannot share namespace " + name);
}

// Of the row in hand: the table itself, or its part in the row's namespace.
Status Import::FindTarget(Table* table, const TableInfo** target) {
  *target = &table->report.table;
  if (table->builder->mapping().Find(Field::kNamespace) == nullptr) return Status::Ok();
  const std::string_view name = table->builder->row_namespace();
  auto part = table->parts.find(name);
  if (part == table->parts.end()) {
    std::vector<TableReport::Namespace>& namespaces = table->report.namespaces;
    if (namespaces.size() == kNamespacesMax) {
      return Bad("table " + table->report.table.name +
                 ": its column names more than 1,000 namespaces: is it another one?");
    }
    part = table->parts.try_emplace(std::string(name)).first;
    part->second.position = namespaces.size();
    TableInfo& info = part->second.info;
    info = table->report.table;
    info.namespace_name = name;
    info.index = next_index_++;
    namespaces.push_back({info.namespace_name, info.index});
    if (Status own = ClaimNamespace(info.namespace_name, info); !own.ok()) return own;
    if (Status begin = sink_->BeginTable(info); !begin.ok()) return begin;
  }
  ++table->report.namespaces[part->second.position].rows_taken;
  *target = &part->second.info;
  return Status::Ok();
}

// Rows

Status Import::Row(const std::vector<Cell>& cells, const RowPosition& position) {
  Table& table = *current_;
  ++table.report.rows_read;
  ++so_far_.rows_read;
  if (!table.builder->Selects(cells)) {
    ++table.report.rows_not_selected;
    return Status::Ok();
  }
  if (std::optional<RefusalReason> reason = table.builder->Build(cells, &row_)) {
    Refuse(&table, *reason, position);
    return Status::Ok();
  }
  const TableInfo* target = nullptr;
  if (Status found = FindTarget(&table, &target); !found.ok()) return found;
  ++table.report.rows_taken;
  ++so_far_.rows_taken;
  if (row_.revoked) ++table.report.rows_revoked;
  if (row_.expires_at_ms == kNever) ++table.report.rows_never;
  if (!table.builder->loose_token().empty()) LookForEqual(&table, position);
  return sink_->Row(*target, row_, position);
}

void Import::LookForEqual(Table* table, const RowPosition& position) {
  if (equal_tokens_ == nullptr) equal_tokens_ = std::make_unique<EqualTokens>();
  TableReport& report = table->report;
  const auto input = static_cast<uint32_t>(report_->inputs.size() - 1);
  const auto earlier =
      equal_tokens_->Add(report.table.index, table->builder->loose_token(), row_.token.key,
                         {input, static_cast<uint32_t>(position.row)});
  report.loose_collation = table->builder->loose_collation();
  report.equal_tokens_are_all = !equal_tokens_->is_full();
  if (!earlier) return;
  ++report.equal_tokens;
  if (report.first_equal_tokens.size() == TableReport::EqualToken::kFirstMax) return;
  report.first_equal_tokens.push_back({std::string(position.input), position.row,
                                       report_->inputs[earlier->input].path, earlier->row});
}

void Import::Refuse(Table* table, RefusalReason reason, const RowPosition& position) {
  ++table->report.rows_refused;
  std::vector<RefusalReport>& refusals = table->report.refusals;
  auto found = std::find_if(refusals.begin(), refusals.end(), [reason](const RefusalReport& known) {
    return known.reason == reason;
  });
  if (found == refusals.end()) {
    refusals.emplace_back();
    found = refusals.end() - 1;
    found->reason = reason;
  }
  ++found->count;
  if (found->first.size() < RefusalReport::kFirstMax) {
    found->first.push_back({std::string(position.input), position.row, position.offset});
  }
}

void Import::SkippedRows(const TableName& name, uint64_t rows) { Find(name).skipped_rows += rows; }

void Import::SkippedChange(const TableName& name, std::string_view kind) {
  auto found = tables_.find(name);
  if (found == tables_.end() || !found->second.take) return;
  // Emptying a table before its rows come is what some tools do.
  const bool adds = kind.find("SELECT") != std::string_view::npos || kind == "LOAD";
  if (found->second.report.rows_read == 0 && !adds) return;
  Note(std::string(kind) + " of " + name.Text() +
       " is not executed: its rows are taken as they stand");
}

void Import::Note(const std::string& note) {
  std::vector<std::string>& notes = report_->notes;
  if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(note);
}

void Import::Finish() {
  for (Table* table : begun_) {
    for (size_t i = 0; i < kFields; ++i) {
      uint64_t rows = table->builder->left_out(static_cast<Field>(i));
      if (rows > 0) {
        table->report.left_out.push_back({std::string(FieldName(static_cast<Field>(i))), rows});
      }
    }
    NoteTypes(*table);
    if (!table->report.loose_collation.empty()) {
      Note(table->report.table.name + ": its database compares tokens by " +
           table->report.loose_collation +
           ", without regard to case or to blanks at the end; tokend compares bytes, so clients "
           "have to present each token as it is stored");
    }
    if (table->builder->all_look_hashed()) {
      Note("every token of " + table->report.table.name +
           " looks like a SHA-256 in hexadecimal digits: if they are digests, map the column with "
           "key_hex= in place of token=");
    }
    report_->tables.push_back(table->report);
  }
  size_t more = 0;
  for (auto& [name, table] : tables_) {
    if (table.begun) continue;
    if (table.take) {
      // Created, and without a row.
      table.report.table.index = next_index_++;
      report_->tables.push_back(table.report);
    } else if (report_->skipped_tables.size() < kSkippedTablesMax) {
      report_->skipped_tables.push_back(
          {name.database, name.name, table.skipped_rows, table.skip_reason});
    } else {
      ++more;
    }
  }
  if (more > 0) Note(std::to_string(more) + " more tables were skipped and are not listed");
  if (others_.skipped_rows > 0) {
    Note(std::to_string(others_.skipped_rows) + " rows of further tables were skipped");
  }
  for (const auto& [kind, count] : skipped_statements_) {
    report_->skipped_statements.push_back({kind, count});
  }
}

// Access and refresh tokens side by side are all tokens to whoever asks.
void Import::NoteTypes(const Table& table) {
  const std::map<std::string, uint64_t>& types = table.builder->types();
  if (types.size() < 2) return;
  const std::string& column = table.builder->mapping().Find(Field::kType)->column;
  std::string text;
  for (const auto& [type, rows] : types) {
    text += (text.empty() ? "" : ", ") + type + " " + std::to_string(rows);
  }
  Note(table.report.table.name + ": " + column + " has more than one value (" + text +
       "), and rows of each are taken; if not all of them are to be let in, say --where " + column +
       "=" + types.begin()->first);
}

// The rows are no good to anyone who presents tokens before the server has it.
void Import::NoteSecret(const Table& table) {
  const TableInfo& info = table.report.table;
  std::string where = "the secret";
  if (table.preset != nullptr) where += ", which is " + std::string(table.preset->secret);
  Note(info.name +
       ": its tokens are unavailable until the server's configuration has [[namespace]] "
       "name = " +
       QuoteName(info.namespace_name) + ", scheme = \"" +
       std::string(DigestSchemeName(info.scheme)) + "\", secret_file = the path of a file with " +
       where);
}

// Whether the input held what the options ask for.
Status Import::CheckFound() const {
  std::string seen;
  size_t names = 0;
  bool taken = false;
  for (const auto& [name, table] : tables_) {
    if (++names <= 20) {
      seen += (seen.empty() ? "" : ", ") + name.Text();
      if (!table.take && !PresetsOfTable(name.name).empty()) seen += " (" + table.skip_reason + ")";
    }
    taken = taken || table.take;
  }
  if (names > 20) seen += ", ...";
  const std::string there = seen.empty() ? "there are no tables at all" : "there are " + seen;
  for (const std::string& entry : options_.tables) {
    bool found = std::any_of(tables_.begin(), tables_.end(), [&](const auto& known) {
      return entry == known.first.name || entry == known.first.Text();
    });
    if (!found)
      return Bad(std::string("table ").append(entry).append(" is not in the input; ") + there);
  }
  if (taken) return Status::Ok();
  return Bad("no known token table is in the input; " + there +
             ". Name one with --table, and its columns with --columns");
}

}  // namespace

Status RunImport(const ImportOptions& options, RowSink* sink, const ProgressCallback& progress,
                 ImportReport* report) {
  *report = ImportReport();
  return Import(options, sink, progress, report).Run();
}

}  // namespace tokend
