// tokenctl export
#include <ostream>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/export_format.h"
#include "client/tokenctl/options.h"
#include "import/presets.h"

namespace tokend::tokenctl {

namespace {

struct ExportOptions {
  std::string namespace_name;
  std::optional<std::string> owner;
  std::string state;
  std::string format = "tsv";
  std::string times = "datetime";
  ExportTable table;
  std::optional<std::string> updated_column;  // empty: there is none
};

constexpr char kExportExamples[] =
    "Writes to standard output. tsv, csv and jsonl have every record, without its token and its "
    "key,\n"
    "times in UTC. sql has an UPDATE for each 500 rows of the table that the tokens were imported\n"
    "from, found by its ids, with when they were last used; with --delete also a DELETE of those "
    "that\n"
    "are expired or revoked. Columns are those of the table's preset unless named.\n"
    "\nExamples:\n"
    "  tokenctl export --namespace api_token --format csv > tokens.csv\n"
    "  tokenctl export --namespace api_token --format sql --delete | mariadb portal\n"
    "  tokenctl export --namespace sessions --format sql --table auth.sessions \\\n"
    "      --id-column sid --last-used-column seen_at --times epoch_s\n";

ExportFormat FormatOf(const std::string& name) {
  if (name == "csv") return ExportFormat::kCsv;
  if (name == "jsonl") return ExportFormat::kJsonLines;
  return name == "sql" ? ExportFormat::kSql : ExportFormat::kTsv;
}

ExportTable::Times TimesOf(const std::string& name) {
  if (name == "epoch_s") return ExportTable::Times::kEpochSeconds;
  return name == "epoch_ms" ? ExportTable::Times::kEpochMilliseconds
                            : ExportTable::Times::kDateTime;
}

// What was not named, by the preset of the table.
void TakeDefaults(const ExportOptions& options, ExportTable* table) {
  if (table->name.empty()) table->name = options.namespace_name;
  table->updated_column = options.updated_column.value_or("");
  if (table->name.empty()) throw UsageError("--format sql: name the table with --table");
  const std::string bare = table->name.substr(table->name.find('.') + 1);
  const std::vector<const Preset*> presets = PresetsOfTable(bare);
  if (!presets.empty()) {
    const TableMapping mapping = MappingOf(*presets.front());
    const auto take = [&](Field field, std::string* column) {
      const FieldMapping* mapped = mapping.Find(field);
      if (column->empty() && mapped != nullptr) *column = mapped->column;
    };
    take(Field::kSourceId, &table->id_column);
    take(Field::kLastUsedAt, &table->last_used_column);
    take(Field::kUseCount, &table->use_count_column);
    if (!options.updated_column) take(Field::kUpdatedAt, &table->updated_column);
  }
  if (table->id_column.empty()) table->id_column = "id";
  if (table->last_used_column.empty() && table->use_count_column.empty() && !table->deletes) {
    throw UsageError(
        "--format sql: nothing to be said; name --last-used-column or --use-count-column, or say "
        "--delete");
  }
}

int Export(const Context& context, const ExportOptions& options) {
  const ExportFormat format = FormatOf(options.format);
  ExportTable table = options.table;
  table.times = TimesOf(options.times);
  if (format == ExportFormat::kSql) TakeDefaults(options, &table);
  client::ListRequest request;
  request.namespace_name = options.namespace_name;
  request.owner = options.owner;
  request.state = options.state;
  request.limit = 1000;
  client::Client client = context.Connect();
  ExportWriter writer(format, table);
  bool has_begun = false;
  do {
    const client::TokenPage page = Need(client.List(request));
    if (!has_begun) context.out() << writer.Begin();
    has_begun = true;
    context.out() << writer.Write(page.items);
    request.cursor = page.cursor;
  } while (!request.cursor.empty());
  context.out() << writer.End();
  if (writer.without_source() > 0) {
    context.err() << "tokenctl: " << writer.without_source()
                  << " tokens did not come from a table and are left out\n";
  }
  return kExitOk;
}

}  // namespace

void AddExportCommand(CLI::App* app, Context* context) {
  AddCommand<ExportOptions>(
      app, context, "export", "Write the tokens of a namespace, or what their table should know",
      [](CLI::App* command, ExportOptions* options) {
        AddNamespace(command, &options->namespace_name);
        command->add_option("--owner", options->owner, "Only tokens of this owner")
            ->type_name("OWNER");
        command->add_option("--state", options->state, "Only tokens that are so")
            ->type_name("STATE")
            ->check(CLI::IsMember({"active", "expired", "revoked"}));
        command->add_option("--format", options->format, "How to write them")
            ->type_name("FORMAT")
            ->check(CLI::IsMember({"tsv", "csv", "jsonl", "sql"}))
            ->capture_default_str();
        command
            ->add_option("--table", options->table.name,
                         "Of sql: the table, NAME or DATABASE.NAME; that of the namespace's name "
                         "unless given")
            ->type_name("TABLE");
        command
            ->add_option("--id-column", options->table.id_column,
                         "Of sql: the column of the ids; the preset's, else id, unless given")
            ->type_name("COLUMN");
        command
            ->add_option("--last-used-column", options->table.last_used_column,
                         "Of sql: the column of the last use")
            ->type_name("COLUMN");
        command
            ->add_option("--use-count-column", options->table.use_count_column,
                         "Of sql: the column of the number of uses")
            ->type_name("COLUMN");
        command
            ->add_option("--updated-column", options->updated_column,
                         "Of sql: a column to keep as it is, which an UPDATE would set by itself; "
                         "the preset's unless given, '' for none")
            ->type_name("COLUMN");
        command->add_option("--times", options->times, "Of sql: how the table has times, in UTC")
            ->type_name("TIMES")
            ->check(CLI::IsMember({"datetime", "epoch_s", "epoch_ms"}))
            ->capture_default_str();
        command->add_flag("--delete", options->table.deletes,
                          "Of sql: delete rows whose tokens are expired or revoked");
      },
      Export)
      ->footer(kExportExamples);
}

}  // namespace tokend::tokenctl
