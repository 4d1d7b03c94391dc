// tokenctl import
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ostream>

#include "client/json.h"
#include "client/tokenctl/commands.h"
#include "client/tokenctl/import_progress.h"
#include "client/tokenctl/import_report.h"
#include "client/tokenctl/import_sender.h"
#include "client/tokenctl/options.h"
#include "import/importer.h"
#include "tokend_version.h"

namespace tokend::tokenctl {

namespace {

struct ImportCommandOptions {
  ImportOptions import;
  std::string namespace_name;
  std::string scheme;
  std::string zero_dates = "refuse";
  bool dry_run = false;
};

constexpr char kImportExamples[] =
    "Tables that are known are taken without being named; --table picks others, --columns says "
    "what\n"
    "is what in them. Nothing is overwritten blindly: importing merges, and twice changes "
    "nothing.\n"
    "Rows that cannot be taken are counted by reason in the report; they do not change the exit "
    "code.\n"
    "\nExit codes: 0 the whole input was read; 1 failed; 2 wrong usage, or the options do not fit "
    "the\n"
    "input; 3 the input ends too early, and what stood before the end was taken.\n"
    "\nExamples:\n"
    "  tokenctl import dump.sql.gz --dry-run             what would be taken, and how\n"
    "  tokenctl import dump.sql.gz\n"
    "  mysqldump --single-transaction portal | tokenctl import - --table portal.api_token\n"
    "  tokenctl import dump.sql --table auth.sessions --namespace sessions \\\n"
    "      --columns token=session_key,owner=user_id,expires_at=valid_until --time-zone +05:30\n"
    "  tokenctl import data.sql --schema schema.sql --json\n";

// Reads and throws away, for --dry-run.
class NoSink : public RowSink {
 public:
  Status BeginTable(const TableInfo&) override { return Status::Ok(); }
  Status Row(const TableInfo&, const ImportRow&, const RowPosition&) override {
    return Status::Ok();
  }
};

uint64_t SteadyMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

ImportOptions ImportOptionsOf(const ImportCommandOptions& options) {
  ImportOptions import = options.import;
  if (!options.namespace_name.empty()) import.namespace_name = options.namespace_name;
  if (!options.scheme.empty()) import.scheme = ParseDigestScheme(options.scheme);
  import.zero_dates = options.zero_dates == "never" ? ZeroDates::kTakeAsNever : ZeroDates::kRefuse;
  return import;
}

client::Error ErrorOf(const Status& status) {
  bool usage = status.code() == ErrorCode::kBadParams;
  // What the importer says of files is neither the server's nor the connection's.
  return {usage ? client::Error::Source::kCaller : client::Error::Source::kTransport,
          usage ? "bad_params" : "import_failed", status.message(), ""};
}

// Reads everything into the sink. Gives what went wrong on this side, or in the sink.
Status Read(const Context& context, const ImportOptions& options, RowSink* sink,
            ImportReport* report) {
  ProgressLine line(&context.err(), context.env.err_is_terminal, SteadyMs);
  Status status = RunImport(
      options, sink, [&](const ImportProgress& progress) { line.Update(progress); }, report);
  line.Clear();
  return status;
}

// Batches that the server's limits have room for, with what stands around the rows and with one row
// more: no row is longer than 64 KiB, the half of the least that message_bytes can be.
ImportSenderOptions SenderOptionsFor(client::Client* client) {
  ImportSenderOptions options;
  const auto limits = client::ToJson(Need(client->Hello("tokenctl", TOKEND_VERSION)).limits);
  options.batch_bytes_max =
      std::min(options.batch_bytes_max, limits.value("message_bytes", size_t{4} << 20) / 2);
  options.batch_rows_max = std::min(options.batch_rows_max, limits.value("many", size_t{10000}));
  return options;
}

int Import(const Context& context, const ImportCommandOptions& command_options) {
  const ImportOptions options = ImportOptionsOf(command_options);
  if (Status status = CheckImportOptions(options); !status.ok()) {
    throw UsageError(status.message());
  }
  ImportReport report;
  std::vector<std::optional<client::ImportTotals>> totals;
  std::optional<client::Error> error;
  if (command_options.dry_run) {
    NoSink sink;
    Status status = Read(context, options, &sink, &report);
    if (!status.ok()) error = ErrorOf(status);
  } else {
    client::Client client = context.Connect();
    ImportSender sender(&client, SenderOptionsFor(&client));
    Status status = Read(context, options, &sender, &report);
    if (!status.ok()) error = ErrorOf(status);
    // What was read before an input failed is taken all the same.
    if (!sender.error()) (void)sender.Finish();
    if (sender.error()) error = sender.error();
    for (const TableReport& table : report.tables) {
      totals.push_back(sender.totals(table.table.index));
    }
  }

  auto totals_of = [&](size_t index) -> std::optional<client::ImportTotals> {
    return index < totals.size() ? totals[index] : std::nullopt;
  };
  if (context.json) {
    nlohmann::ordered_json json = ImportReportJson(report, totals_of);
    json["dry_run"] = command_options.dry_run;
    if (error) json["error"] = ErrorJson(*error);
    context.PrintJson(json);
  } else {
    context.out() << ImportReportText(report, totals_of);
  }
  if (error) return context.TellPeople(*error);
  return report.complete() ? kExitOk : kExitIncomplete;
}

}  // namespace

void AddImportCommand(CLI::App* app, Context* context) {
  AddCommand<ImportCommandOptions>(
      app, context, "import", "Take the tokens of a database dump in",
      [](CLI::App* command, ImportCommandOptions* options) {
        command
            ->add_option("FILE", options->import.inputs,
                         "Dumps, plain or in gzip, zstd or xz; - is standard input")
            ->type_name("FILE")
            ->required();
        command
            ->add_option("--table", options->import.tables,
                         "Take this table, NAME or DATABASE.NAME; repeat for more")
            ->type_name("TABLE")
            ->allow_extra_args(false);
        command
            ->add_option("--columns", options->import.columns,
                         "What is what in the one table of --table, see below")
            ->type_name("COLUMNS");
        command
            ->add_option("--schema", options->import.schema_files,
                         "Read CREATE TABLE from this file; repeat for more")
            ->type_name("FILE")
            ->allow_extra_args(false);
        command
            ->add_option("-n,--namespace", options->namespace_name,
                         "Where the tokens go; a namespace of the table's name unless given")
            ->type_name("NAME");
        command
            ->add_option("--scheme", options->scheme,
                         "With --columns: how presented tokens become keys; sha256 unless given")
            ->type_name("SCHEME")
            ->check(CLI::IsMember({"sha256", "sha256-after-bar"}));
        command
            ->add_option("--time-zone", options->import.time_zone,
                         "Of times that the dump names no zone for: UTC, +HH:MM, Europe/Berlin; "
                         "UTC unless given")
            ->type_name("ZONE");
        command
            ->add_option("--zero-dates", options->zero_dates,
                         "An expiry of 0000-00-00: refuse the row, or take it as never")
            ->type_name("WHAT")
            ->check(CLI::IsMember({"refuse", "never"}))
            ->capture_default_str();
        command->add_flag("--dry-run", options->dry_run,
                          "Read and report, and ask nothing of the server");
      },
      Import)
      ->footer("COLUMNS is " + std::string(kColumnsHelp) + "\n\n" + kImportExamples);
}

}  // namespace tokend::tokenctl
