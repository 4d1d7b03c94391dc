// tokenctl insert, issue, rotate
#include <ostream>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/pipeline.h"
#include "client/tokenctl/records.h"

namespace tokend::tokenctl {

namespace {

using client::Result;

struct InsertOptions {
  TokenInput tokens;
  FieldOptions fields;
  bool replace = false;
};

struct IssueOptions {
  FieldOptions fields;
  std::string prefix;
  bool quiet = false;
};

struct RotateOptions {
  TokenInput token;
  std::string namespace_name;
  std::optional<uint64_t> overlap_ms;
  std::string prefix;
  ExpiryOptions expiry;
  bool quiet = false;
};

constexpr char kInsertExamples[] =
    "Prints the id of each token. A token that is there is an error (exists, revoked) unless\n"
    "--replace is given, which alone brings a revoked token back.\n"
    "\nExamples:\n"
    "  tokenctl insert --owner alice --name laptop --scope read --scope write --ttl 30d\n"
    "  tokenctl insert --token-file tokens.txt --namespace portal --expires-at 2031-05-01\n"
    "  tokenctl insert --owner ci --attributes '{\"team\": \"core\"}' - < token.txt\n";

constexpr char kIssueExamples[] =
    "The server makes the token, and this answer is the one time that it is shown.\n"
    "\nExamples:\n"
    "  tokenctl issue --owner alice --ttl 30d\n"
    "  tokenctl issue --owner ci --prefix ci --scope deploy --quiet > token.txt\n";

constexpr char kRotateExamples[] =
    "Issues a token in place of one that is live: owner, name, scopes and attributes are taken\n"
    "over. The old one ends after the overlap. One that is not live is refused.\n"
    "\nExamples:\n"
    "  tokenctl rotate --overlap 15m --token-file old-token.txt --quiet > new-token.txt\n"
    "  tokenctl rotate --ttl 30d\n";

int Insert(const Context& context, const InsertOptions& options) {
  client::InsertRequest request;
  ApplyFields(options.fields, context.now_ms(), &request);
  request.replace = options.replace;
  std::vector<GivenToken> tokens = ReadTokens(context, options.tokens);
  client::Client client = context.Connect();
  int code = kExitOk;
  Pipeline(
      tokens,
      [&](const GivenToken& token) {
        request.token = token.view();
        return client.SendInsert(request);
      },
      [&](size_t, Result<std::string> answer) {
        if (!answer) {
          code = WorseExit(code, context.Tell(answer.error()));
          // One token that is refused says nothing of the next; a lost connection does.
          return answer.error().source == client::Error::Source::kServer;
        }
        if (context.json) {
          context.PrintJson({{"id", *answer}});
        } else {
          context.out() << *answer << '\n';
        }
        return true;
      });
  return code;
}

void PrintIssued(const Context& context, const client::IssuedToken& issued, bool quiet) {
  if (context.json) {
    context.PrintJson(IssuedJson(issued));
  } else if (quiet) {
    context.out() << issued.token << '\n';
  } else {
    PrintFields(context, {{"id", issued.id},
                          {"token", issued.token},
                          {"expires_at", ExpiryText(issued.expires_at_ms)}});
  }
}

int Issue(const Context& context, const IssueOptions& options) {
  client::IssueRequest request;
  ApplyFields(options.fields, context.now_ms(), &request);
  request.prefix = options.prefix;
  PrintIssued(context, Need(context.Connect().Issue(request)), options.quiet);
  return kExitOk;
}

int Rotate(const Context& context, const RotateOptions& options) {
  const std::optional<TimeArg>& expires_at = options.expiry.expires_at;
  if (expires_at.has_value() && expires_at->kind == TimeArg::Kind::kNever) {
    throw UsageError("rotate cannot take an expiry away: extend the new token afterwards");
  }
  client::RotateRequest request;
  ApplyExpiry(options.expiry, context.now_ms(), &request);
  GivenToken token = ReadToken(context, options.token);
  request.token = token.view();
  request.overlap_ms = options.overlap_ms.value_or(0);
  request.prefix = options.prefix;
  request.namespace_name = options.namespace_name;
  PrintIssued(context, Need(context.Connect().Rotate(request)), options.quiet);
  return kExitOk;
}

void AddPrefixAndQuiet(CLI::App* command, std::string* prefix, bool* quiet) {
  command
      ->add_option("--prefix", *prefix,
                   "What the token begins with: 1 to 20 letters and digits; tk unless given")
      ->type_name("TEXT");
  command->add_flag("-q,--quiet", *quiet, "Print the token and nothing else");
}

}  // namespace

void AddInsertCommands(CLI::App* app, Context* context) {
  AddCommand<InsertOptions>(
      app, context, "insert", "Take tokens of yours in",
      [](CLI::App* command, InsertOptions* options) {
        AddTokenInput(command, &options->tokens);
        AddFields(command, &options->fields);
        command->add_flag("--replace", options->replace,
                          "Replace a token that is there, live, expired or revoked");
      },
      Insert)
      ->footer(kInsertExamples);
  AddCommand<IssueOptions>(
      app, context, "issue", "Have the server make a token",
      [](CLI::App* command, IssueOptions* options) {
        AddFields(command, &options->fields);
        AddPrefixAndQuiet(command, &options->prefix, &options->quiet);
      },
      Issue)
      ->footer(kIssueExamples);
  AddCommand<RotateOptions>(
      app, context, "rotate", "Issue a token in place of another",
      [](CLI::App* command, RotateOptions* options) {
        AddTokenInput(command, &options->token);
        AddNamespace(command, &options->namespace_name);
        AddDuration(command, "--overlap", &options->overlap_ms,
                    "For how long the old token stays good; not at all unless given");
        AddExpiry(command, &options->expiry, "as the old one");
        AddPrefixAndQuiet(command, &options->prefix, &options->quiet);
      },
      Rotate)
      ->footer(kRotateExamples);
}

}  // namespace tokend::tokenctl
