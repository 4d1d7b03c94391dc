// Options that several commands share: how they look on the command line, and what they become.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/tokenctl/context.h"
#include "client/tokenctl/time_arg.h"
#include "protocol/secret.h"

namespace tokend::tokenctl {

CLI::Option* AddTime(CLI::App* command, const std::string& name, std::optional<TimeArg>* out,
                     const std::string& help);
CLI::Option* AddDuration(CLI::App* command, const std::string& name, std::optional<uint64_t>* out,
                         const std::string& help);
void AddNamespace(CLI::App* command, std::string* out);
// By the same rule as the server reads its secret files. Throws UsageError.
Secret ReadSecretFile(const std::string& path);

// --- tokens ---

// Tokens from the argument list (one at the most), a file, standard input or a prompt.
struct TokenInput {
  std::optional<std::string> argument;  // "-" = standard input
  std::vector<std::string> files;       // "-" = standard input
  std::vector<std::string> keys_hex;
};

struct GivenToken {
  std::string bytes;
  bool is_key = false;

  client::Token view() const { return is_key ? client::Token::Key(bytes) : client::Token(bytes); }
};

void AddTokenInput(CLI::App* command, TokenInput* input);
bool IsGiven(const TokenInput& input);
// In the order argument, files, keys. Where none is given: asks on the terminal without echo, or
// reads standard input where that is no terminal. Throws UsageError; a message never holds a token.
std::vector<GivenToken> ReadTokens(const Context& context, const TokenInput& input);
// The same where exactly one is needed.
GivenToken ReadToken(const Context& context, const TokenInput& input);

// --- fields ---

struct ExpiryOptions {
  std::optional<TimeArg> expires_at;
  std::optional<uint64_t> ttl_ms;
};

void AddExpiry(CLI::App* command, ExpiryOptions* options, const std::string& unless_given);

// Durations become ttl_ms, so that the server's clock counts.
template <class Request>
void ApplyExpiry(const ExpiryOptions& options, uint64_t now_ms, Request* request) {
  request->ttl_ms = options.ttl_ms;
  if (!options.expires_at.has_value() || options.expires_at->kind == TimeArg::Kind::kNever) return;
  if (options.expires_at->kind == TimeArg::Kind::kRelative && options.expires_at->ms > 0) {
    request->ttl_ms = static_cast<uint64_t>(options.expires_at->ms);
  } else {
    request->expires_at_ms = ResolveTime(*options.expires_at, now_ms);
  }
}

// What insert and issue take.
struct FieldOptions {
  ExpiryOptions expiry;
  std::optional<std::string> owner, name;
  std::vector<std::string> scopes;
  std::string namespace_name;
  std::string attributes_json;
};

void AddFields(CLI::App* command, FieldOptions* options);
void AddAttributes(CLI::App* command, std::string* json);
// An encoded map. Throws UsageError where the text is not a JSON object.
std::string EncodeAttributes(const std::string& json);

template <class Request>
void ApplyFields(const FieldOptions& options, uint64_t now_ms, Request* request) {
  ApplyExpiry(options.expiry, now_ms, request);
  request->owner = options.owner;
  request->name = options.name;
  request->scopes = options.scopes;
  request->namespace_name = options.namespace_name;
  if (!options.attributes_json.empty()) {
    request->attributes = EncodeAttributes(options.attributes_json);
  }
}

}  // namespace tokend::tokenctl
