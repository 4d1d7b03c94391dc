#include "server/http_endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/http_connection.h"
#include "server/http_json.h"
#include "server/http_sign_in.h"

namespace tokend {
namespace {

// Path, whether it takes more behind it, methods, right, credentials, handler.
constexpr auto kEndpoints = std::to_array<HttpEndpoint>({
    {"/auth", true, "", Right::kValidate, Credentials::kForwarded, &HandleAuth},
    {"/introspect", false, "POST", Right::kIntrospect, Credentials::kAuthorizationOrForm,
     &HandleIntrospect},
    {"/revoke", false, "POST", Right::kRevoke, Credentials::kAuthorizationOrForm,
     &HandleRevokeToken},
    {"/metrics", false, "GET, HEAD", Right::kRead, Credentials::kAuthorization, &HandleMetrics},
    {"/livez", false, "GET, HEAD", Right::kNone, Credentials::kAuthorization, &HandleLivez},
    {"/readyz", false, "GET, HEAD", Right::kNone, Credentials::kAuthorization, &HandleReadyz},
    {"/healthz", false, "GET, HEAD", Right::kNone, Credentials::kAuthorization, &HandleReadyz},
});

bool IsOf(const HttpEndpoint& endpoint, std::string_view path) {
  if (!path.starts_with(endpoint.path)) return false;
  const std::string_view rest = path.substr(endpoint.path.size());
  return rest.empty() || (endpoint.takes_suffix && rest.starts_with('/'));
}

// `list` is "GET, HEAD".
bool IsAmong(std::string_view list, std::string_view method) {
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(','));
    if (one == method) return true;
    list.remove_prefix(std::min(list.size(), one.size() + 2));
  }
  return false;
}

void RefuseForwarded(HttpExchange& exchange, const MethodAnswer&) {
  exchange.Respond(
      {.status = 503, .body = "this gateway may not ask: see [[caller]]\n", .fields = kRetryAfter});
}

void RefuseUnknown(HttpExchange& exchange, const MethodAnswer&) {
  // As RFC 6749 has it.
  exchange.Respond({.status = 401,
                    .content_type = kJsonType,
                    .body =
                        R"({"error":"invalid_client","error_description":"a caller's client id )"
                        R"(and secret are needed"})",
                    .fields = "WWW-Authenticate: Basic realm=\"tokend callers\"\r\n"});
}

// Whether the caller may ask there; else it is answered.
bool IsAllowed(HttpExchange& exchange, const HttpEndpoint& endpoint) {
  const bool is_forwarded = endpoint.credentials == Credentials::kForwarded;
  if (!is_forwarded && !IsFromNoWebPage(exchange)) {
    exchange.Respond({.status = 421,
                      .body = "Host must be an address, localhost or one of http_hosts, and there "
                              "must be no Origin\n"});
    return false;
  }
  if (endpoint.right == Right::kNone) return true;
  if (!SignIn(exchange, endpoint.credentials)) {
    exchange.RefuseCaller(is_forwarded ? &RefuseForwarded : &RefuseUnknown);
    return false;
  }
  const Caller& caller = exchange.connection().caller();
  if (caller.Has(endpoint.right)) return true;
  if (is_forwarded) {
    RefuseForwarded(exchange, {});
  } else if (!caller.is_known()) {
    RefuseUnknown(exchange, {});
  } else {
    exchange.Respond({.status = 403, .body = "not for this caller\n"});
  }
  return false;
}

}  // namespace

void HandleHttp(HttpExchange& exchange) {
  const HttpRequest& request = exchange.request();
  for (const HttpEndpoint& endpoint : kEndpoints) {
    if (!IsOf(endpoint, request.path)) continue;
    if (endpoint.methods.empty() || IsAmong(endpoint.methods, request.method)) {
      if (IsAllowed(exchange, endpoint)) endpoint.handle(exchange);
      return;
    }
    const std::string body = fmt::format("only {}\n", endpoint.methods);
    const std::string allow = fmt::format("Allow: {}\r\n", endpoint.methods);
    exchange.Respond({.status = 405, .body = body, .fields = allow});
    return;
  }
  exchange.Respond({.status = 404, .body = "not found\n"});
}

}  // namespace tokend
