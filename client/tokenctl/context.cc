#include "client/tokenctl/context.h"

#include <fmt/format.h>

#include <array>
#include <ostream>

#include "client/json.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

using client::Error;

const char kExitCodesHelp[] =
    "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the input of an import is incomplete;\n"
    "4 no (not valid, not live, not there); 5 the server cannot say at the moment.";

client::Client Context::Connect() const {
  client::ClientOptions options;
  options.answer_timeout = std::chrono::milliseconds(timeout_ms);
  options.connect_timeout = std::min(options.connect_timeout, options.answer_timeout);
  options.tls = tls;
  if (client_id.empty() != client_secret_file.empty()) {
    throw UsageError("--client-id and --client-secret-file go together");
  }
  client::Client client = Need(client::Client::Connect(server, options));
  if (!client_id.empty()) {
    const Secret secret = ReadSecretFile(client_secret_file);
    Need(client.SignIn(client_id, secret.bytes()));
  }
  return client;
}

void Context::PrintJson(const nlohmann::ordered_json& line) const {
  out() << client::Dump(line) << '\n';
}

int Context::TellPeople(const Error& error) const {
  std::string text;
  if (error.code == "unreachable") {
    text = fmt::format("cannot reach tokend at {}; is it running? (tokend --help)", error.message);
  } else if (error.source == Error::Source::kServer) {
    text = fmt::format("the server answers {}: {}", error.code, error.message);
    if (!error.id.empty()) text += fmt::format(" (id {})", error.id);
  } else {
    text = error.message;
  }
  err() << "tokenctl: " << Printable(text) << '\n';
  return ExitCodeOf(error);
}

int Context::Tell(const Error& error) const {
  if (json) PrintJson({{"error", ErrorJson(error)}});
  return TellPeople(error);
}

nlohmann::ordered_json ErrorJson(const Error& error) {
  nlohmann::ordered_json json{{"code", error.code}, {"message", error.message}};
  if (!error.id.empty()) json["id"] = error.id;
  return json;
}

int ExitCodeOf(const Error& error) {
  if (error.source == Error::Source::kCaller) return kExitUsage;
  if (error.source == Error::Source::kServer && error.code == "unavailable") return kExitCannotSay;
  return kExitFailed;
}

int WorseExit(int a, int b) {
  for (int code : {kExitFailed, kExitUsage, kExitCannotSay, kExitIncomplete, kExitNo}) {
    if (a == code || b == code) return code;
  }
  return kExitOk;
}

}  // namespace tokend::tokenctl
