// tokenctl revoke, extend, update
#include <fmt/format.h>

#include <ostream>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/pipeline.h"
#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

namespace {

using client::Result;

struct RevokeOptions {
  TokenInput tokens;
  std::vector<std::string> ids;
  std::optional<std::string> owner;
  std::string namespace_name;
};

struct ExtendOptions {
  TokenInput token;
  std::optional<TimeArg> expires_at;
  std::string namespace_name;
};

struct UpdateOptions {
  std::string id;
  std::string namespace_name;
  std::optional<std::string> name;
  std::vector<std::string> scopes;
  bool no_scopes = false;
  std::string attributes_json;
};

constexpr char kRevokeExamples[] =
    "For tokens and ids: exit code 4 where one was not live (unknown, expired or revoked "
    "before).\n"
    "For an owner: prints how many tokens were live, and ends with 0 whatever the number.\n"
    "\nExamples:\n"
    "  tokenctl revoke --token-file leaked.txt\n"
    "  tokenctl revoke --id 9f86d081884c7d659a2feaa0\n"
    "  tokenctl revoke --owner alice --namespace portal     everything that alice has there\n";

constexpr char kExtendExamples[] =
    "May shorten as well. Exit code 4 where the token is not live; nothing changes then.\n"
    "\nExamples:\n"
    "  tokenctl extend --expires-at 30d --token-file token.txt\n"
    "  tokenctl extend --expires-at never\n";

constexpr char kUpdateExamples[] =
    "What is not given stays as it is. Exit code 4 where the token is not live.\n"
    "\nExamples:\n"
    "  tokenctl update --id 9f86d081884c7d659a2feaa0 --name \"old laptop\" --scope read\n"
    "  tokenctl update --id 9f86d081884c7d659a2feaa0 --no-scopes --attributes '{\"team\": "
    "\"core\"}'\n";

// One line for a token, by its place among those given, or for an id.
int PrintRevoked(const Context& context, const std::string& what, bool was_live) {
  if (context.json) {
    context.PrintJson({{"revoked", was_live}});
  } else {
    context.out() << what << (was_live ? "revoked" : "was not live") << '\n';
  }
  return was_live ? kExitOk : kExitNo;
}

int RevokeOwner(const Context& context, const RevokeOptions& options) {
  uint64_t count = Need(context.Connect().RevokeOwner(*options.owner, options.namespace_name));
  if (context.json) {
    context.PrintJson({{"revoked", count}});
  } else {
    context.out() << WithCommas(count) << " revoked\n";
  }
  return kExitOk;
}

int Revoke(const Context& context, const RevokeOptions& options) {
  int ways = (IsGiven(options.tokens) ? 1 : 0) + (options.ids.empty() ? 0 : 1) +
             (options.owner.has_value() ? 1 : 0);
  if (ways > 1) throw UsageError("give tokens, --id or --owner: one of them");
  if (options.owner.has_value()) return RevokeOwner(context, options);

  int code = kExitOk;
  // Revoking goes on after an error of the server: the others shall be revoked all the same.
  auto take = [&](const std::string& what, const Result<bool>& answer) {
    code = WorseExit(code,
                     answer ? PrintRevoked(context, what, *answer) : context.Tell(answer.error()));
    return answer.ok() || answer.error().source == client::Error::Source::kServer;
  };
  if (!options.ids.empty()) {
    client::Client client = context.Connect();
    Pipeline(
        options.ids,
        [&](const std::string& id) { return client.SendRevokeId(id, options.namespace_name); },
        [&](size_t index, const Result<bool>& answer) {
          return take(Printable(options.ids[index]) + " ", answer);
        });
    return code;
  }
  std::vector<GivenToken> tokens = ReadTokens(context, options.tokens);
  client::Client client = context.Connect();
  Pipeline(
      tokens,
      [&](const GivenToken& token) {
        return client.SendRevoke(token.view(), options.namespace_name);
      },
      [&](size_t index, const Result<bool>& answer) {
        return take(tokens.size() == 1 ? "" : fmt::format("#{} ", index + 1), answer);
      });
  return code;
}

int PrintChanged(const Context& context, const char* name, bool was_live) {
  if (context.json) {
    context.PrintJson({{name, was_live}});
  } else {
    context.out() << (was_live ? name : "was not live") << '\n';
  }
  return was_live ? kExitOk : kExitNo;
}

int Extend(const Context& context, const ExtendOptions& options) {
  std::optional<uint64_t> expires_at_ms;
  if (options.expires_at->kind != TimeArg::Kind::kNever) {
    expires_at_ms = ResolveTime(*options.expires_at, context.now_ms());
  }
  GivenToken token = ReadToken(context, options.token);
  return PrintChanged(
      context, "extended",
      Need(context.Connect().Extend(token.view(), expires_at_ms, options.namespace_name)));
}

int Update(const Context& context, const UpdateOptions& options) {
  client::UpdateRequest request;
  request.id = options.id;
  request.namespace_name = options.namespace_name;
  request.name = options.name;
  if (!options.scopes.empty() || options.no_scopes) request.scopes = options.scopes;
  if (!options.attributes_json.empty()) {
    request.attributes = EncodeAttributes(options.attributes_json);
  }
  if (!request.name && !request.scopes && !request.attributes) {
    throw UsageError("nothing to update: give --name, --scope, --no-scopes or --attributes");
  }
  return PrintChanged(context, "updated", Need(context.Connect().Update(request)));
}

}  // namespace

void AddChangeCommands(CLI::App* app, Context* context) {
  AddCommand<RevokeOptions>(
      app, context, "revoke", "Revoke tokens, or everything that an owner has",
      [](CLI::App* command, RevokeOptions* options) {
        AddTokenInput(command, &options->tokens);
        command->add_option("--id", options->ids, "Id of a token; repeat for more")
            ->type_name("ID")
            ->allow_extra_args(false);
        command->add_option("--owner", options->owner, "Revoke all tokens of this owner")
            ->type_name("OWNER");
        AddNamespace(command, &options->namespace_name);
      },
      Revoke)
      ->footer(kRevokeExamples);
  AddCommand<ExtendOptions>(
      app, context, "extend", "Change when a token expires",
      [](CLI::App* command, ExtendOptions* options) {
        AddTokenInput(command, &options->token);
        AddTime(command, "--expires-at", &options->expires_at, "When it expires from now on")
            ->required();
        AddNamespace(command, &options->namespace_name);
      },
      Extend)
      ->footer(kExtendExamples);
  AddCommand<UpdateOptions>(
      app, context, "update", "Change name, scopes or attributes of a token",
      [](CLI::App* command, UpdateOptions* options) {
        command->add_option("--id", options->id, "Id of the token")->type_name("ID")->required();
        AddNamespace(command, &options->namespace_name);
        command->add_option("--name", options->name, "What it is for")->type_name("TEXT");
        CLI::Option* scope =
            command->add_option("--scope", options->scopes, "A scope that it has; repeat for more")
                ->type_name("SCOPE")
                ->allow_extra_args(false);
        command->add_flag("--no-scopes", options->no_scopes, "Take all its scopes away")
            ->excludes(scope);
        AddAttributes(command, &options->attributes_json);
      },
      Update)
      ->footer(kUpdateExamples);
}

}  // namespace tokend::tokenctl
