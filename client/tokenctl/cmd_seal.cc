// tokenctl reveal, rekey
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "client/json.h"
#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

namespace {

struct RevealOptions {
  std::string id;
  std::optional<std::string> owner;
  std::string namespace_name;
};

struct RekeyOptions {
  std::string namespace_name;
};

// All records are read.
constexpr uint64_t kRekeyTimeoutMs = 24ull * 3600 * 1000;

constexpr char kRevealExamples[] =
    "Prints a token that the server has kept sealed, and nothing else: of the valid ones that "
    "which\n"
    "expires last. Exit code 4 where there is none. Takes the role \"reveal\".\n"
    "\nExamples:\n"
    "  TOKEN=$(tokenctl reveal --namespace pm_api_token)\n"
    "  tokenctl reveal --owner portal\n"
    "  tokenctl reveal --id 9f86d081884c7d659a2feaa0 --namespace pm_api_token --json\n";

constexpr char kRekeyExamples[] =
    "After a new key was put in front of the others in the server's seal_key_file: seals by it "
    "what\n"
    "they have sealed, so that they can be removed. May be asked for again at any time. Exit code "
    "4\n"
    "where there were tokens whose key is not in the file.\n"
    "\nExamples:\n"
    "  tokenctl rekey\n"
    "  tokenctl rekey --namespace pm_api_token\n";

int Reveal(const Context& context, const RevealOptions& options) {
  if (!options.id.empty() && options.owner.has_value()) throw UsageError("give --owner or --id");
  client::Client client = context.Connect();
  const std::optional<client::RevealedToken> revealed =
      Need(options.id.empty() ? client.Reveal(options.owner, options.namespace_name)
                              : client.RevealId(options.id, options.namespace_name));
  if (!revealed) {
    context.err() << "tokenctl: there is no valid token that is sealed\n";
    if (context.json) context.PrintJson(nullptr);
    return kExitNo;
  }
  if (context.json) {
    nlohmann::ordered_json expires_at;
    if (revealed->expires_at_ms) expires_at = *revealed->expires_at_ms;
    context.PrintJson({{"id", revealed->id},
                       {"token", revealed->token},
                       {"expires_at", std::move(expires_at)},
                       {"key_id", revealed->key_id}});
  } else {
    context.out() << revealed->token << '\n';
  }
  return kExitOk;
}

int Rekey(const Context& context, const RekeyOptions& options) {
  Context patient = context;
  patient.timeout_ms = std::max(context.timeout_ms, kRekeyTimeoutMs);
  const client::RekeyTotals totals = Need(patient.Connect().Rekey(options.namespace_name));
  if (context.json) {
    context.PrintJson({{"resealed", totals.resealed}, {"unopened", totals.unopened}});
  } else {
    context.out() << WithCommas(totals.resealed) << " sealed anew\n";
    if (totals.unopened != 0) {
      context.out() << WithCommas(totals.unopened)
                    << " not, since their key is not in seal_key_file or they are damaged: put the "
                       "key back behind the others, and ask again\n";
    } else if (options.namespace_name.empty()) {
      context.out()
          << "Only the first key of seal_key_file is needed now, but for backups that are "
             "older.\n";
    }
  }
  return totals.unopened == 0 ? kExitOk : kExitNo;
}

}  // namespace

void AddSealCommands(CLI::App* app, Context* context) {
  AddCommand<RevealOptions>(
      app, context, "reveal", "Print a token that is kept sealed",
      [](CLI::App* command, RevealOptions* options) {
        command->add_option("--owner", options->owner, "Only tokens of this owner")
            ->type_name("OWNER");
        command->add_option("--id", options->id, "The token of this id")->type_name("ID");
        AddNamespace(command, &options->namespace_name);
      },
      Reveal)
      ->footer(kRevealExamples);
  AddCommand<RekeyOptions>(
      app, context, "rekey", "Seal by the current key what older ones have sealed",
      [](CLI::App* command, RekeyOptions* options) {
        command
            ->add_option("-n,--namespace", options->namespace_name,
                         "In this namespace alone; in all unless given")
            ->type_name("NAME");
      },
      Rekey)
      ->footer(kRekeyExamples);
}

}  // namespace tokend::tokenctl
