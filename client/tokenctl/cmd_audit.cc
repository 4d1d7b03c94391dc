// tokenctl audit verify
#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <istream>
#include <ostream>

#include "client/json.h"
#include "client/tokenctl/audit_check.h"
#include "client/tokenctl/commands.h"
#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

namespace {

struct AuditOptions {
  std::vector<std::string> files;
  std::string head;
  bool live = false;
};

constexpr char kAuditExamples[] =
    "Reads the files of an audit log, the oldest first, and says which is the first\n"
    "line that is missing, altered or in the wrong place: each line has the hash of\n"
    "the one before it. Lines that were cut off at the end show by --live, which\n"
    "compares with what the server says that it has written, or by --head, with what\n"
    "an earlier run has printed and somebody has kept. Exit code 1 where something is\n"
    "wrong.\n"
    "\nExamples:\n"
    "  tokenctl audit verify /var/log/tokend/audit.jsonl\n"
    "  tokenctl audit verify audit.jsonl.2 audit.jsonl.1 audit.jsonl --live\n"
    "  zcat audit.jsonl.2.gz | tokenctl audit verify - audit.jsonl.1 audit.jsonl\n";

// What must be among the lines: all up to `written`, and `head`, if it comes, as it is. Zeros:
// nothing.
struct Expected {
  uint64_t written = 0;
  AuditHead head;
  std::string_view by;
};

Expected ReadHead(const std::string& text) {
  AuditHead head;
  const size_t colon = text.find(':');
  const char* const end = text.data() + std::min(colon, text.size());
  const auto [after, error] = std::from_chars(text.data(), end, head.seq);
  const auto hash =
      colon == std::string::npos ? std::nullopt : ParseAuditHash(text.substr(colon + 1));
  if (error != std::errc() || after != end || head.seq == 0 || !hash) {
    throw UsageError("--head: a line's number, a colon and 64 hexadecimal digits, as printed");
  }
  head.hash = *hash;
  return {head.seq, head, "--head"};
}

Expected AskServer(const Context& context) {
  const nlohmann::ordered_json stats = client::ToJson(Need(context.Connect().Stats()).encoded);
  Expected expected{.written = stats.value("audit_lines_written", uint64_t{0}),
                    .head = {.seq = stats.value("audit_lines", uint64_t{0}), .hash = {}},
                    .by = "the server"};
  if (const auto hash = ParseAuditHash(stats.value("audit_head", std::string()))) {
    expected.head.hash = *hash;
    return expected;
  }
  throw Failure({client::Error::Source::kServer, "no_audit_log",
                 "the server keeps no audit log; give it an audit_file, or leave --live out", ""});
}

// What is wrong; empty = nothing.
std::string ReadFiles(const Context& context, const std::vector<std::string>& files,
                      AuditCheck* check) {
  for (const std::string& name : files) {
    std::string wrong;
    if (name == "-") {
      wrong = check->Read(*context.env.in, "standard input");
    } else {
      std::ifstream file(name, std::ios::binary);
      wrong = file ? check->Read(file, name) : name + ": it cannot be read";
    }
    if (!wrong.empty()) return wrong;
  }
  return check->lines() == 0 ? "there is no line" : "";
}

std::string Compare(const AuditCheck& check, const Expected& expected) {
  if (check.head().seq < expected.written) {
    return fmt::format(
        "the last line is {}, but {} knows of line {}: lines are missing at the end, or a newer "
        "file was not given",
        check.head().seq, expected.by, expected.written);
  }
  if (check.watched() && *check.watched() != expected.head.hash) {
    return fmt::format(
        "line {} is not the one that {} knows: the files are not the ones that were written",
        expected.head.seq, expected.by);
  }
  return {};
}

int VerifyAudit(const Context& context, const AuditOptions& options) {
  if (!options.head.empty() && options.live) throw UsageError("give --head or --live");
  Expected expected;
  if (!options.head.empty()) expected = ReadHead(options.head);
  // Before the files are read: what it has written by now is in them.
  if (options.live) expected = AskServer(context);
  AuditCheck check;
  check.Watch(expected.head.seq);
  std::string wrong = ReadFiles(context, options.files, &check);
  if (wrong.empty()) wrong = Compare(check, expected);
  if (!wrong.empty()) {
    context.Tell({client::Error::Source::kCaller, "audit_log_damaged", wrong, ""});
    return kExitFailed;
  }
  const std::string head = fmt::format("{}:{}", check.head().seq, ToHex(check.head().hash));
  if (context.json) {
    context.PrintJson({{"lines", check.lines()},
                       {"first", check.first_seq()},
                       {"last", check.head().seq},
                       {"first_at", check.first_at()},
                       {"last_at", check.last_at()},
                       {"head", head}});
    return kExitOk;
  }
  context.out() << Printable(fmt::format("whole: {} lines, {} ({}) to {} ({})",
                                         WithCommas(check.lines()), check.first_seq(),
                                         check.first_at(), check.head().seq, check.last_at()))
                << '\n';
  if (check.first_seq() != 1) {
    context.out() << "begins at line " << check.first_seq() << ": those before it were not given\n";
  }
  context.out() << "head:  " << head << '\n';
  return kExitOk;
}

}  // namespace

void AddAuditCommands(CLI::App* app, Context* context) {
  CLI::App* audit = app->add_subcommand("audit", "The audit log");
  audit->require_subcommand(1)->footer(kAuditExamples);
  AddCommand<AuditOptions>(
      audit, context, "verify", "See whether its files are as they were written",
      [](CLI::App* command, AuditOptions* options) {
        command->add_option("FILE", options->files, "The oldest first; - is standard input")
            ->required();
        command
            ->add_option("--head", options->head,
                         "A line that must be there, as an earlier run "
                         "has printed it")
            ->type_name("LINE:HASH");
        command->add_flag("--live", options->live, "Compare with what the server has written");
      },
      VerifyAudit)
      ->footer(kAuditExamples);
}

}  // namespace tokend::tokenctl
