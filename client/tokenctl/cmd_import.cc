// tokenctl import
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "client/json.h"
#include "client/tokenctl/commands.h"
#include "client/tokenctl/import_progress.h"
#include "client/tokenctl/import_report.h"
#include "client/tokenctl/import_sender.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/table.h"
#include "import/importer.h"
#include "import/presets.h"
#include "tokend_version.h"

namespace tokend::tokenctl {

namespace {

// Each batch of rows holds up what its loop has to answer meanwhile: some 60 us.
constexpr size_t kThrottledRows = 100;
constexpr int kThrottledNice = 10;

struct ImportCommandOptions {
  ImportOptions import;
  std::string namespace_name;
  std::string scheme;
  std::string secret_file;
  std::string zero_dates = "refuse";
  std::string format = "auto";
  // Missing: the format's own.
  std::optional<std::string> field_end, quote, escape, null;
  std::string column_names;
  bool header = false, no_header = false;
  std::string duplicates = "later";
  uint64_t rate = 0;
  bool dry_run = false;
  bool presets = false;
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
    "  tokenctl import dump.sql --table pm_api_token --seal\n"
    "  tokenctl import dump.sql --table auth.sessions --namespace sessions \\\n"
    "      --columns token=session_key,owner=user_id,expires_at=valid_until --time-zone +05:30\n"
    "  tokenctl import data.sql --schema schema.sql --json\n"
    "  tokenctl import /backup/portal                    a directory of mydumper or --tab\n"
    "  tokenctl import tokens.csv --table api_token --fields-escaped-by '\\'\n"
    "  mariadb -N -B -e 'SELECT token, user FROM t' | tokenctl import - --format batch --table t "
    "\\\n"
    "      --column-names token,user --columns token=token,owner=user\n";

// Reads and throws away, for --dry-run.
class NoSink : public RowSink {
 public:
  Status BeginTable(const TableInfo&) override { return Status::Ok(); }
  Status Row(const TableInfo&, const ImportRow&, const RowPosition&) override {
    return Status::Ok();
  }
};

std::vector<std::string> SplitNames(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    names.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

TextOptions TextOptionsOf(const ImportCommandOptions& options) {
  TextOptions text;
  const auto take = [](const char* flag, const std::optional<std::string>& value,
                       std::optional<char>* out) {
    if (!value) return;
    if (Status status = ParseTextByte(flag, *value, out); !status.ok()) {
      throw UsageError(status.message());
    }
  };
  take("--fields-terminated-by", options.field_end, &text.field_end);
  take("--fields-enclosed-by", options.quote, &text.quote);
  take("--fields-escaped-by", options.escape, &text.escape);
  if (text.field_end == '\0') throw UsageError("--fields-terminated-by: should be one byte or \\t");
  text.null = options.null;
  if (options.header) text.header = true;
  if (options.no_header) text.header = false;
  text.columns = SplitNames(options.column_names);
  return text;
}

ImportOptions ImportOptionsOf(const ImportCommandOptions& options) {
  ImportOptions import = options.import;
  import.format = *ParseInputFormat(options.format);
  import.text = TextOptionsOf(options);
  if (!options.namespace_name.empty()) import.namespace_name = options.namespace_name;
  if (!options.scheme.empty()) import.scheme = ParseDigestScheme(options.scheme);
  if (!options.secret_file.empty()) import.secret = ReadSecretFile(options.secret_file);
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
  ProgressLine line(&context.err(), context.env.err_is_terminal, context.env.steady_ms);
  Status status = RunImport(
      options, sink, [&](const ImportProgress& progress) { line.Update(progress); }, report);
  line.Clear();
  return status;
}

// Batches that the server's limits have room for, with what stands around the rows and with one row
// more: no row is longer than 64 KiB, the half of the least that message_bytes can be, but for a
// token to be sealed, which may be as long.
ImportSenderOptions SenderOptionsFor(client::Client* client, const ImportCommandOptions& command) {
  ImportSenderOptions options;
  options.rows_per_second_max = command.rate;
  if (command.rate != 0) {
    // Whoever sets a rate has other work that is not to wait.
    (void)setpriority(PRIO_PROCESS, 0, kThrottledNice);
    options.batch_rows_max = kThrottledRows;
  }
  options.stricter = command.duplicates == "stricter";
  options.seal = command.import.seal;
  const auto limits = client::ToJson(Need(client->Hello("tokenctl", TOKEND_VERSION)).limits);
  options.batch_bytes_max =
      std::min(options.batch_bytes_max, limits.value("message_bytes", size_t{4} << 20) /
                                            (options.seal ? size_t{4} : size_t{2}));
  options.batch_rows_max = std::min(options.batch_rows_max, limits.value("many", size_t{10000}));
  return options;
}

// Where the binary log stood, if the whole input was read and says so once.
std::optional<BinlogPosition> PositionOf(const ImportReport& report) {
  std::optional<BinlogPosition> found;
  if (!report.complete()) return found;
  for (const InputReport& input : report.inputs) {
    if (!input.position) continue;
    if (found) return std::nullopt;
    found = input.position;
  }
  return found;
}

int ListPresets(const Context& context) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::string text;
  for (const Preset& preset : Presets()) {
    json.push_back({{"name", preset.name},
                    {"table", preset.table},
                    {"prefixed", preset.prefixed},
                    {"columns", preset.columns},
                    {"where", preset.where},
                    {"scheme", DigestSchemeName(preset.scheme)},
                    {"secret", preset.secret},
                    {"stored", preset.stored},
                    {"refused", preset.refused},
                    {"by_name_only", preset.by_name_only}});
    text += fmt::format("{}\n  table: {}{}{}\n  stored: {}\n", preset.name,
                        preset.prefixed ? "[PREFIX_]" : "", preset.table,
                        preset.by_name_only ? " (with --preset only)" : "", preset.stored);
    if (!preset.refused.empty()) {
      text += fmt::format("  refused: {}\n", preset.refused);
    } else {
      text += fmt::format("  columns: {}\n", preset.columns);
      if (!preset.where.empty()) text += fmt::format("  where: {}\n", preset.where);
      if (!preset.secret.empty()) text += fmt::format("  secret: {}\n", preset.secret);
    }
  }
  if (context.json) {
    context.PrintJson(json);
  } else {
    context.out() << text;
  }
  return kExitOk;
}

std::string TimeText(uint64_t rows, double seconds) {
  std::string text = fmt::format("time: {:.1f} s", seconds);
  // Of less a rate says nothing.
  if (seconds >= 0.1) {
    text += fmt::format(", {} rows a second",
                        WithCommas(static_cast<uint64_t>(static_cast<double>(rows) / seconds)));
  }
  return text + "\n";
}

int Import(const Context& context, const ImportCommandOptions& command_options) {
  if (command_options.presets) return ListPresets(context);
  const ImportOptions options = ImportOptionsOf(command_options);
  if (Status status = CheckImportOptions(options); !status.ok()) {
    throw UsageError(status.message());
  }
  const uint64_t begun_ms = context.env.steady_ms();
  ImportReport report;
  std::vector<std::optional<client::ImportTotals>> totals;
  std::optional<client::Error> error;
  if (command_options.dry_run) {
    NoSink sink;
    Status status = Read(context, options, &sink, &report);
    if (!status.ok()) error = ErrorOf(status);
  } else {
    client::Client client = context.Connect();
    ImportSender sender(&client, SenderOptionsFor(&client, command_options));
    Status status = Read(context, options, &sender, &report);
    if (!status.ok()) error = ErrorOf(status);
    // What was read before an input failed is taken all the same.
    if (!sender.error()) (void)sender.Finish(PositionOf(report));
    if (sender.error()) error = sender.error();
    const auto take_totals = [&](size_t index) {
      if (totals.size() <= index) totals.resize(index + 1);
      totals[index] = sender.totals(index);
    };
    for (const TableReport& table : report.tables) {
      take_totals(table.table.index);
      for (const TableReport::Namespace& part : table.namespaces) take_totals(part.index);
    }
  }

  const double seconds = static_cast<double>(context.env.steady_ms() - begun_ms) / 1000;
  uint64_t rows = 0;
  for (const TableReport& table : report.tables) rows += table.rows_read;
  auto totals_of = [&](size_t index) -> std::optional<client::ImportTotals> {
    return index < totals.size() ? totals[index] : std::nullopt;
  };
  if (context.json) {
    nlohmann::ordered_json json = ImportReportJson(report, totals_of);
    json["dry_run"] = command_options.dry_run;
    json["seconds"] = seconds;
    if (error) json["error"] = ErrorJson(*error);
    context.PrintJson(json);
  } else {
    context.out() << ImportReportText(report, totals_of) << TimeText(rows, seconds);
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
                         "Dumps, plain or in gzip, zstd or xz, or directories of mydumper or "
                         "mysqldump --tab; - is standard input")
            ->type_name("FILE");
        command->add_flag("--presets", options->presets,
                          "List the tables that are known, and how each has its tokens");
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
            ->add_option("--preset", options->import.preset,
                         "Read the one table of --table as this one of --presets")
            ->type_name("PRESET");
        AddDuration(command, "--lifetime", &options->import.lifetime_ms,
                    "Tokens expire so long after they were created, unless they do earlier");
        command
            ->add_option("--where", options->import.conditions,
                         "Take rows only where COLUMN is VALUE, or one of several, or NULL; repeat "
                         "for more columns")
            ->type_name("COLUMN=VALUE[,VALUE]")
            ->allow_extra_args(false);
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
            ->add_option("--namespace-column", options->import.namespace_column,
                         "Each row goes to the namespace that this column of it names")
            ->type_name("COLUMN");
        command
            ->add_option("--scheme", options->scheme,
                         "With --columns: how presented tokens become keys; sha256 unless given")
            ->type_name("SCHEME")
            ->check(CLI::IsMember({"sha256", "sha256-after-bar", "sha512", "hmac-sha256-wc-api",
                                   "sha256-with-secret", "sha512-with-secret",
                                   "hmac-sha512-with-secret"}));
        command
            ->add_option("--secret-file", options->secret_file,
                         "Where tokens are in clear and SCHEME takes a secret: the file that holds "
                         "it; a newline at its end is not part of it")
            ->type_name("FILE");
        command->add_flag("--seal", options->import.seal,
                          "Send tokens in clear as they are, so that the server keeps them sealed "
                          "and can reveal them; takes seal = true of their [[namespace]] there");
        command
            ->add_option("--format", options->format,
                         "What FILE is; auto: told by its first bytes, else by its name")
            ->type_name("FORMAT")
            ->check(CLI::IsMember({"auto", "sql", "xml", "batch", "outfile", "csv"}))
            ->capture_default_str();
        const auto text_option = [&](const char* name, std::optional<std::string>* value,
                                     const char* type, const char* help) {
          command->add_option(name, *value, help)->type_name(type);
        };
        text_option("--fields-terminated-by", &options->field_end, "BYTE",
                    "Of text: what ends a field; \\t, of csv a comma");
        text_option("--fields-enclosed-by", &options->quote, "BYTE",
                    "Of text: the quote of fields; of csv \"");
        text_option("--fields-escaped-by", &options->escape, "BYTE",
                    "Of text: '\\', of csv the quote itself, which is doubled; '' for none");
        text_option("--null", &options->null, "WORD",
                    "Of text: a field that is this is NULL, as \\N is, and in batch and csv NULL");
        command
            ->add_option("--column-names", options->column_names,
                         "Of text: the names of its columns, with commas between")
            ->type_name("NAMES");
        auto* header = command->add_flag("--header", options->header,
                                         "Of text: the first line names the columns");
        command
            ->add_flag("--no-header", options->no_header,
                       "Of text: the first line is a row; unless told, it is one where it does not "
                       "name the token's column")
            ->excludes(header);
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
        command
            ->add_option("--duplicates", options->duplicates,
                         "Of a token that comes more than once, or is there: the row that was "
                         "changed later, or the stricter of the expiries. Revoked if either is")
            ->type_name("WHICH")
            ->check(CLI::IsMember({"later", "stricter"}))
            ->capture_default_str();
        command
            ->add_option("--rate", options->rate,
                         "Send so many rows a second at most, so that a busy server keeps its "
                         "answers quick; 0: as fast as it goes")
            ->type_name("N")
            ->capture_default_str();
        command->add_flag("--dry-run", options->dry_run,
                          "Read and report, and ask nothing of the server");
      },
      Import)
      ->footer("COLUMNS is " + std::string(kColumnsHelp) + "\n\n" + kImportExamples);
}

}  // namespace tokend::tokenctl
