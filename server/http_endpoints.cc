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
    {"/v1/tokens", false, "GET, HEAD", Right::kRead, Credentials::kAuthorization,
     &HandleListTokens},
    {"/v1/tokens", false, "POST", Right::kIssue, Credentials::kAuthorization, &HandleCreateToken},
    {"/v1/tokens/{}", false, "GET, HEAD", Right::kRead, Credentials::kAuthorization,
     &HandleGetToken},
    {"/v1/tokens/{}", false, "PATCH", Right::kIssue, Credentials::kAuthorization,
     &HandleUpdateToken},
    {"/v1/tokens/{}", false, "DELETE", Right::kRevoke, Credentials::kAuthorization,
     &HandleDeleteToken},
    {"/v1/owners/{}/tokens", false, "DELETE", Right::kRevoke, Credentials::kAuthorization,
     &HandleDeleteOwnersTokens},
    {"/v1/openapi.json", false, "GET, HEAD", Right::kNone, Credentials::kAuthorization,
     &HandleOpenApi},
    {"/metrics", false, "GET, HEAD", Right::kRead, Credentials::kAuthorization, &HandleMetrics},
    {"/livez", false, "GET, HEAD", Right::kNone, Credentials::kAuthorization, &HandleLivez},
    {"/readyz", false, "GET, HEAD", Right::kNone, Credentials::kAuthorization, &HandleReadyz},
    {"/healthz", false, "GET, HEAD", Right::kNone, Credentials::kAuthorization, &HandleReadyz},
});

// *argument becomes what stands for {}, as sent.
bool IsOf(const HttpEndpoint& endpoint, std::string_view path, std::string_view* argument) {
  const size_t hole = endpoint.path.find("{}");
  std::string_view end = endpoint.path;
  if (hole != endpoint.path.npos) {
    if (!path.starts_with(endpoint.path.substr(0, hole))) return false;
    path.remove_prefix(hole);
    *argument = path.substr(0, path.find('/'));
    if (argument->empty()) return false;
    path.remove_prefix(argument->size());
    end = endpoint.path.substr(hole + 2);
  }
  if (!path.starts_with(end)) return false;
  path.remove_prefix(end.size());
  return path.empty() || (endpoint.takes_suffix && path.starts_with('/'));
}

// Whether it answers with problems of RFC 9457.
bool HasProblems(std::string_view path) { return path.starts_with("/v1/"); }

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

void RefuseUnknownWithProblem(HttpExchange& exchange, const MethodAnswer&) {
  RespondProblem(exchange, 401, "unauthenticated", "a caller's client id and secret are needed",
                 "WWW-Authenticate: Basic realm=\"tokend callers\"\r\n");
}

// Whether the caller may ask there; else it is answered.
bool IsAllowed(HttpExchange& exchange, const HttpEndpoint& endpoint) {
  const bool is_forwarded = endpoint.credentials == Credentials::kForwarded;
  if (!is_forwarded && !IsFromNoWebPage(exchange)) {
    exchange.connection().NoteRefusal(endpoint.path, ErrorCode::kForbidden);
    exchange.Respond({.status = 421,
                      .body = "Host must be an address, localhost or one of http_hosts, and there "
                              "must be no Origin\n"});
    return false;
  }
  if (endpoint.right == Right::kNone) return true;
  const bool has_problems = HasProblems(endpoint.path);
  const HttpExchange::Then refuse_unknown =
      has_problems ? &RefuseUnknownWithProblem : &RefuseUnknown;
  if (!SignIn(exchange, endpoint.credentials)) {
    exchange.RefuseCaller(is_forwarded ? &RefuseForwarded : refuse_unknown);
    return false;
  }
  const Caller& caller = exchange.connection().caller();
  if (caller.Has(endpoint.right)) return true;
  exchange.connection().NoteRefusal(
      endpoint.path, caller.is_known() ? ErrorCode::kForbidden : ErrorCode::kUnauthenticated);
  if (is_forwarded) {
    RefuseForwarded(exchange, {});
  } else if (!caller.is_known()) {
    refuse_unknown(exchange, {});
  } else if (has_problems) {
    RespondProblem(exchange, 403, "forbidden", "not for this caller");
  } else {
    exchange.Respond({.status = 403, .body = "not for this caller\n"});
  }
  return false;
}

}  // namespace

void HandleHttp(HttpExchange& exchange) {
  const HttpRequest& request = exchange.request();
  std::string methods;
  for (const HttpEndpoint& endpoint : kEndpoints) {
    std::string_view argument;
    if (!IsOf(endpoint, request.path, &argument)) continue;
    if (endpoint.methods.empty() || IsAmong(endpoint.methods, request.method)) {
      exchange.set_argument(argument);
      if (IsAllowed(exchange, endpoint)) endpoint.handle(exchange);
      return;
    }
    methods.append(methods.empty() ? "" : ", ").append(endpoint.methods);
  }
  const unsigned status = methods.empty() ? 404 : 405;
  const std::string allow = methods.empty() ? "" : fmt::format("Allow: {}\r\n", methods);
  if (HasProblems(request.path)) {
    RespondProblem(exchange, status, "",
                   methods.empty() ? "there is nothing here" : "only " + methods, allow);
    return;
  }
  const std::string body = methods.empty() ? "not found\n" : fmt::format("only {}\n", methods);
  exchange.Respond({.status = status, .body = body, .fields = allow});
}

}  // namespace tokend
