#include "client/tokenctl/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/help.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/table.h"
#include "tokend_version.h"

namespace tokend::tokenctl {

namespace {

constexpr char kFooter[] =
    "Every command takes the options above too, before or after its name.\n"
    "tokenctl COMMAND --help shows a command's options and examples.\n"
    "\n"
    "TIME is Unix milliseconds, ISO-8601 (2031-05-01, 2031-05-01T12:30:00Z), a DURATION from now\n"
    "(30d, +15m, 1h30m) or ago (-7d), now or never. Units: ms, s, m, h, d, w.\n"
    "\n";

// A name such as --expire-at or -x, and nothing that may be a token.
bool LooksLikeAnOption(const std::string& word) {
  if (word.size() == 2) return word.front() == '-';
  return word.substr(0, 2) == "--" && word.size() <= 24 &&
         std::ranges::all_of(word, [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); });
}

// CLI11 would show what it did not expect, which may be a token too many.
std::string NotExpected(const CLI::App& app) {
  for (const std::string& word : app.remaining(true)) {
    if (word.substr(0, 1) != "-" || word == "--") continue;
    std::string name = word.substr(0, word.find('='));
    if (LooksLikeAnOption(name)) return "there is no option " + name;
    return "there is no such option; -- goes before a token that begins with -";
  }
  return "there is an argument too many";
}

// CLI11's own message would be "A subcommand is required".
std::string CommandNeeded(const CLI::App& app) {
  std::vector<std::string> words = app.remaining();
  if (!app.get_subcommands().empty() || words.empty()) return "a command is needed";
  if (words.front().substr(0, 1) == "-") return NotExpected(app);
  return fmt::format("there is no command \"{}\"", Printable(words.front()));
}

int TellUsage(const CLI::App& app, const Context& context, const std::string& message) {
  const CLI::App* command = &app;
  std::string name = "tokenctl";
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  context.err() << "tokenctl: " << message << "\nTry " << name << " --help.\n";
  return kExitUsage;
}

int Parse(CLI::App& app, const Context& context, const std::vector<std::string>& arguments) {
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    return kExitOk;
  } catch (const CLI::CallForHelp&) {
    context.out() << HelpText(app);
    return -1;
  } catch (const CLI::CallForVersion& version) {
    context.out() << version.what() << '\n';
    return -1;
  } catch (const CLI::RequiredError& error) {
    const std::string message = error.what();
    bool command_needed = message == "A subcommand is required";
    return TellUsage(app, context, command_needed ? CommandNeeded(app) : message);
  } catch (const CLI::ExtrasError&) {
    return TellUsage(app, context, NotExpected(app));
  } catch (const CLI::ParseError& error) {
    return TellUsage(app, context, error.what());
  }
}

void AddTlsOptions(CLI::App* app, client::TlsOptions* tls) {
  const auto add = [&](const char* flag, const char* variable, std::string* value,
                       const char* meaning, const char* type) {
    app->add_option(flag, *value, meaning)->type_name(type)->envname(variable)->take_last();
  };
  add("--tls-ca-file", "TOKEND_TLS_CA_FILE", &tls->ca_file,
      "Whom to trust at tls:, as PEM; whom the system trusts unless given", "FILE");
  add("--tls-client-certificate-file", "TOKEND_TLS_CLIENT_CERTIFICATE_FILE", &tls->certificate_file,
      "The certificate to show there, as PEM", "FILE");
  add("--tls-client-key-file", "TOKEND_TLS_CLIENT_KEY_FILE", &tls->key_file, "Its private key",
      "FILE");
  add("--tls-server-name", "TOKEND_TLS_SERVER_NAME", &tls->server_name,
      "Whom the server's certificate must name; HOST unless given", "NAME");
}

}  // namespace

std::unique_ptr<CLI::App> MakeApp(Context* context) {
  auto app = std::make_unique<CLI::App>("The command line of tokend", "tokenctl");
  app->formatter(std::make_shared<HelpFormatter>());
  app->footer(kFooter + std::string(kExitCodesHelp) + "\n");
  app->set_version_flag("--version", "tokenctl " TOKEND_VERSION, "Show the version and end");
  app->fallthrough();
  app->require_subcommand(1);
  app->add_option("--server", context->server,
                  "Where tokend listens: HOST:PORT, [IPV6]:PORT, tls:HOST:PORT or unix:PATH")
      ->type_name("ADDRESS")
      ->envname("TOKEND_SERVER")
      ->take_last()
      ->capture_default_str();
  app->add_option("--client-id", context->client_id,
                  "Which of the server's callers asks, where it has any")
      ->type_name("ID")
      ->envname("TOKEND_CLIENT_ID")
      ->take_last();
  app->add_option("--client-secret-file", context->client_secret_file, "What holds its secret")
      ->type_name("FILE")
      ->envname("TOKEND_CLIENT_SECRET_FILE")
      ->take_last();
  AddTlsOptions(app.get(), &context->tls);
  app->add_option_function<std::string>(
         "--timeout",
         [context](const std::string& text) {
           client::Result<uint64_t> timeout = ParseDuration(text);
           if (!timeout) throw CLI::ValidationError("--timeout", timeout.error().message);
           context->timeout_ms = *timeout;
         },
         "How long to wait for an answer")
      ->type_name("DURATION")
      ->take_last()
      ->default_str("30s");
  app->add_flag("--json", context->json,
                "Print JSON, one object a line: names as in the protocol, times in Unix ms");

  AddValidateCommand(app.get(), context);
  AddInsertCommands(app.get(), context);
  AddChangeCommands(app.get(), context);
  AddQueryCommands(app.get(), context);
  AddSealCommands(app.get(), context);
  AddAuditCommands(app.get(), context);
  AddServerCommands(app.get(), context);
  AddTopCommand(app.get(), context);
  AddBackupCommands(app.get(), context);
  AddImportCommand(app.get(), context);
  AddExportCommand(app.get(), context);
  AddCompletionCommand(app.get(), context);
  return app;
}

int RunTokenctl(const std::vector<std::string>& arguments, const Environment& environment) {
  Context context;
  context.env = environment;
  std::unique_ptr<CLI::App> app = MakeApp(&context);
  int parsed = Parse(*app, context, arguments);
  if (parsed < 0) return kExitOk;
  if (parsed != kExitOk) return parsed;
  try {
    int code = context.run();
    if (!context.out().flush()) throw std::runtime_error("cannot write the output");
    return code;
  } catch (const UsageError& error) {
    return TellUsage(*app, context, error.what());
  } catch (const Failure& failure) {
    return context.Tell(failure.error());
  } catch (const std::exception& error) {
    context.err() << "tokenctl: " << error.what() << '\n';
    return kExitFailed;
  }
}

}  // namespace tokend::tokenctl
