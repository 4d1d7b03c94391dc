// tokenctl validate
#include <fmt/format.h>

#include <ostream>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/pipeline.h"
#include "client/tokenctl/records.h"
#include "client/tokenctl/table.h"
#include "client/tokenctl/time_arg.h"

namespace tokend::tokenctl {

namespace {

using client::Result;
using client::Verdict;

struct ValidateOptions {
  TokenInput tokens;
  std::string namespace_name;
};

constexpr char kValidateExamples[] =
    "Exit codes: 0 all are valid; 4 one is not (unknown, expired or revoked); 5 the server "
    "cannot\n"
    "say, which is no \"no\"; 1 failed; 2 wrong usage.\n"
    "\nExamples:\n"
    "  tokenctl validate                          asks for the token without echo\n"
    "  printf %s \"$TOKEN\" | tokenctl validate -\n"
    "  tokenctl validate --token-file tokens.txt --json\n"
    "  tokenctl validate --namespace portal --key "
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";

std::string VerdictText(const Verdict& verdict) {
  return verdict.valid() ? "valid" : verdict.invalid() ? verdict.reason : "cannot say";
}

int ExitCodeOf(const Verdict& verdict) {
  return verdict.valid() ? kExitOk : verdict.invalid() ? kExitNo : kExitCannotSay;
}

void PrintOne(const Context& context, const Verdict& verdict) {
  if (!verdict.valid()) {
    context.out() << Printable(VerdictText(verdict)) << '\n';
    return;
  }
  PrintFields(context, {{"verdict", "valid"},
                        {"owner", verdict.owner.value_or("")},
                        {"scopes", Joined(verdict.scopes)},
                        {"expires_at", ExpiryText(verdict.expires_at_ms)}});
}

int Validate(const Context& context, const ValidateOptions& options) {
  std::vector<GivenToken> tokens = ReadTokens(context, options.tokens);
  client::Client client = context.Connect();
  // Tokens are not shown, so their place among those given stands for them.
  Table table({{"#", Table::Align::kRight}, {"VERDICT"}, {"OWNER"}, {"SCOPES"}, {"EXPIRES_AT"}});
  int code = kExitOk;
  Pipeline(
      tokens,
      [&](const GivenToken& token) {
        return client.SendValidate(token.view(), options.namespace_name);
      },
      [&](size_t index, Result<Verdict> answer) {
        const Verdict verdict = Need(std::move(answer));
        code = WorseExit(code, ExitCodeOf(verdict));
        if (context.json) {
          context.PrintJson(VerdictJson(verdict));
        } else if (tokens.size() == 1) {
          PrintOne(context, verdict);
        } else {
          table.Add({std::to_string(index + 1), VerdictText(verdict), verdict.owner.value_or(""),
                     Joined(verdict.scopes),
                     verdict.valid() ? ExpiryText(verdict.expires_at_ms) : ""});
        }
        return true;
      });
  if (!context.json && tokens.size() > 1) context.out() << table.ToString(context.env.columns);
  return code;
}

}  // namespace

void AddValidateCommand(CLI::App* app, Context* context) {
  AddCommand<ValidateOptions>(
      app, context, "validate", "Say whether tokens are valid now, and whose they are",
      [](CLI::App* command, ValidateOptions* options) {
        AddTokenInput(command, &options->tokens);
        AddNamespace(command, &options->namespace_name);
      },
      Validate)
      ->footer(kValidateExamples);
}

}  // namespace tokend::tokenctl
