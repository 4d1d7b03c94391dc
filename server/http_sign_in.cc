#include "server/http_sign_in.h"

#include <arpa/inet.h>
#include <openssl/evp.h>

#include <optional>
#include <string>

#include "protocol/url.h"
#include "server/context.h"
#include "server/http_connection.h"
#include "server/http_json.h"
#include "server/loop.h"
#include "server/wipe.h"

namespace tokend {
namespace {

// nullopt where it is no base64.
std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

bool TakesScheme(std::string_view* value, std::string_view scheme) {
  if (value->size() <= scheme.size() || (*value)[scheme.size()] != ' ' ||
      !IsSameIgnoringCase(value->substr(0, scheme.size()), scheme)) {
    return false;
  }
  value->remove_prefix(scheme.size());
  while (value->starts_with(' ')) value->remove_prefix(1);
  return true;
}

std::optional<Identity> IdentityOf(std::string_view value) {
  if (TakesScheme(&value, "basic")) {
    std::optional<std::string> pair = DecodeBase64(value);
    if (!pair) return std::nullopt;
    const size_t colon = pair->find(':');
    std::optional<Identity> identity;
    if (colon != std::string::npos && colon > 0) {
      identity = Identity::OfSecret(std::string_view(*pair).substr(0, colon),
                                    SecretView(std::string_view(*pair).substr(colon + 1)));
    }
    Wipe(pair->data(), pair->size());
    return identity;
  }
  if (TakesScheme(&value, "bearer")) return Identity::OfSecret({}, SecretView(value));
  return std::nullopt;
}

bool IsAddress(const std::string& host) {
  unsigned char address[sizeof(in6_addr)];
  if (host.starts_with('[') && host.ends_with(']')) {
    return inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), address) == 1;
  }
  return inet_pton(AF_INET, host.c_str(), address) == 1;
}

bool IsListed(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    if (IsSameIgnoringCase(TakePiece(&list, ','), name)) return true;
  }
  return false;
}

bool SignInByForm(HttpExchange& exchange) {
  std::string_view rest = exchange.request().body;
  std::string name, value, id, secret;
  value.reserve(rest.size());  // so that no copies are left behind as it grows
  bool malformed = false;
  while (NextFormField(&rest, &name, &value, &malformed)) {
    if (name == "client_id") id = value;
    if (name != "client_secret") continue;
    secret.swap(value);
    value.reserve(exchange.request().body.size());
  }
  // The value of another field may be a token.
  WipeAll(&value);
  const bool is_right =
      id.empty() || exchange.connection().SignIn(Identity::OfSecret(id, SecretView(secret)));
  WipeAll(&secret);
  return is_right;
}

}  // namespace

bool SignIn(HttpExchange& exchange, Credentials credentials) {
  if (!exchange.connection().has_callers()) return true;
  const HttpRequest& request = exchange.request();
  const HttpField* field = request.Find("Tokend-Authorization");
  if (field == nullptr && credentials != Credentials::kForwarded) {
    field = request.Find("Authorization");
  }
  if (field == nullptr) {
    if (credentials != Credentials::kAuthorizationOrForm || !IsForm(request)) return true;
    return SignInByForm(exchange);
  }
  std::optional<Identity> identity = IdentityOf(field->value);
  return identity && exchange.connection().SignIn(std::move(*identity));
}

bool IsFromNoWebPage(const HttpExchange& exchange) {
  const ServerContext& server = exchange.server();
  if (!server.is_http_on_loopback) return true;
  const HttpRequest& request = exchange.request();
  if (request.Find("Origin") != nullptr) return false;
  const std::string_view host = WithoutPort(request.host);
  // HTTP/1.0 has none, and no browser speaks it.
  return host.empty() || IsSameIgnoringCase(host, "localhost") || IsAddress(std::string(host)) ||
         IsListed(server.config.http_hosts, host);
}

}  // namespace tokend
