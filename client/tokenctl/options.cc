#include "client/tokenctl/options.h"

#include <fmt/format.h>

#include <fstream>
#include <istream>

#include "protocol/digest.h"
#include "protocol/msgpack.h"
#include "protocol/token.h"

namespace tokend::tokenctl {

namespace {

// The line's end is not part of a token, empty lines hold none; nothing else is trimmed.
void ReadTokenLines(std::istream& in, std::vector<GivenToken>* tokens) {
  std::string line;
  while (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) tokens->push_back({line, false});
  }
}

void ReadTokenFile(const Context& context, const std::string& path,
                   std::vector<GivenToken>* tokens) {
  if (path == "-") return ReadTokenLines(*context.env.in, tokens);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError(fmt::format("cannot read the token file {}", path));
  ReadTokenLines(file, tokens);
  if (file.bad()) throw UsageError(fmt::format("cannot read the token file {}", path));
}

std::optional<std::string> ParseKey(const std::string& hex) {
  if (hex.size() != 2 * kTokenKeyBytes) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    unsigned byte = 0;
    for (char c : {hex[i], hex[i + 1]}) {
      if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
      byte = byte * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

// An option whose value is parsed at once, so that a wrong one is a usage error that names it.
template <class T>
CLI::Option* AddParsed(CLI::App* command, const std::string& name, std::optional<T>* out,
                       const std::string& help, client::Result<T> (*parse)(std::string_view)) {
  return command->add_option_function<std::string>(
      name,
      [out, name, parse](const std::string& text) {
        client::Result<T> value = parse(text);
        if (!value) throw CLI::ValidationError(name, value.error().message);
        *out = *value;
      },
      help);
}

}  // namespace

CLI::Option* AddTime(CLI::App* command, const std::string& name, std::optional<TimeArg>* out,
                     const std::string& help) {
  return AddParsed(command, name, out, help, ParseTime)->type_name("TIME");
}

CLI::Option* AddDuration(CLI::App* command, const std::string& name, std::optional<uint64_t>* out,
                         const std::string& help) {
  return AddParsed(command, name, out, help, ParseDuration)->type_name("DURATION");
}

void AddNamespace(CLI::App* command, std::string* out) {
  command->add_option("-n,--namespace", *out, "Namespace of the tokens; \"default\" unless given")
      ->type_name("NAME");
}

void AddTokenInput(CLI::App* command, TokenInput* input) {
  command
      ->add_option("TOKEN", input->argument,
                   "The token; - reads standard input, a token a line. Arguments are visible to "
                   "other users (ps): better leave it out, to be asked for it without echo, or use "
                   "--token-file")
      ->type_name("");
  command
      ->add_option("--token-file", input->files,
                   "Read tokens from this file, one a line; - is standard input")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command
      ->add_option("--key", input->keys_hex,
                   "The token's key (its digest) as 64 hexadecimal digits, in place of the token")
      ->type_name("HEX")
      ->allow_extra_args(false);
}

bool IsGiven(const TokenInput& input) {
  return input.argument.has_value() || !input.files.empty() || !input.keys_hex.empty();
}

std::vector<GivenToken> ReadTokens(const Context& context, const TokenInput& input) {
  std::vector<GivenToken> tokens;
  if (input.argument == "-") {
    ReadTokenFile(context, "-", &tokens);
  } else if (input.argument.has_value()) {
    tokens.push_back({*input.argument, false});
  }
  for (const std::string& path : input.files) ReadTokenFile(context, path, &tokens);
  for (const std::string& hex : input.keys_hex) {
    std::optional<std::string> key = ParseKey(hex);
    if (!key.has_value()) throw UsageError("--key should be 64 hexadecimal digits");
    tokens.push_back({*key, true});
  }
  if (!IsGiven(input)) {
    if (!context.env.in_is_terminal) {
      ReadTokenFile(context, "-", &tokens);
    } else if (auto answer = context.env.ask_secret("Token (not shown): ")) {
      if (!answer->empty()) tokens.push_back({*answer, false});
    }
  }
  for (const GivenToken& token : tokens) {
    if (token.bytes.empty()) throw UsageError("a token has at least one byte");
  }
  if (tokens.empty()) throw UsageError("no token was given");
  return tokens;
}

GivenToken ReadToken(const Context& context, const TokenInput& input) {
  std::vector<GivenToken> tokens = ReadTokens(context, input);
  if (tokens.size() != 1) {
    throw UsageError(fmt::format("one token is needed, {} were given", tokens.size()));
  }
  return std::move(tokens.front());
}

void AddExpiry(CLI::App* command, ExpiryOptions* options, const std::string& unless_given) {
  CLI::Option* at = AddTime(command, "--expires-at", &options->expires_at,
                            "When it expires; " + unless_given + " unless given");
  CLI::Option* ttl = AddDuration(command, "--ttl", &options->ttl_ms, "How long it lives from now");
  ttl->excludes(at);
}

void AddFields(CLI::App* command, FieldOptions* options) {
  AddNamespace(command, &options->namespace_name);
  command->add_option("--owner", options->owner, "Whose it is")->type_name("OWNER");
  command->add_option("--name", options->name, "What it is for")->type_name("TEXT");
  command->add_option("--scope", options->scopes, "A scope of it; repeat for more")
      ->type_name("SCOPE")
      ->allow_extra_args(false);
  AddExpiry(command, &options->expiry, "never");
  AddAttributes(command, &options->attributes_json);
}

Secret ReadSecretFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Secret secret(std::string(kSecretBytesMax + 2, '\0'));
  std::string& bytes = *secret.mutable_bytes();
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.is_open() || file.bad()) {
    throw UsageError(fmt::format("cannot read the secret file {}", path));
  }
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (bytes.ends_with('\n')) bytes.pop_back();
  if (bytes.empty() || bytes.size() > kSecretBytesMax) {
    throw UsageError(
        fmt::format("the secret file {} should hold 1 to {} bytes", path, kSecretBytesMax));
  }
  return secret;
}

void AddAttributes(CLI::App* command, std::string* json) {
  command->add_option("--attributes", *json, "Further data about it: a JSON object")
      ->type_name("JSON");
}

std::string EncodeAttributes(const std::string& json) {
  client::Result<std::string> encoded = client::JsonToMsgpack(json);
  if (!encoded) throw UsageError("--attributes: " + encoded.error().message);
  if (msgpack_io::Reader(*encoded).PeekType() != msgpack_io::Type::kMap) {
    throw UsageError("--attributes should be a JSON object, as in '{\"team\": \"core\"}'");
  }
  return *std::move(encoded);
}

}  // namespace tokend::tokenctl
