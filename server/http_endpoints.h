// What can be asked over HTTP: a row for each endpoint.
#pragma once

#include <string_view>

#include "server/http_exchange.h"

namespace tokend {

// Where an endpoint has those of its caller, besides in Tokend-Authorization.
enum class Credentials : uint8_t {
  kAuthorization,
  kAuthorizationOrForm,  // client_id and client_secret, as RFC 6749 allows
  // In no other place, since gateways ask on behalf of others: Authorization, Host and Origin are
  // those of their clients, and whatever is wrong with the gateway itself is no denial.
  kForwarded,
};

// Several may have one path, each with methods of its own.
struct HttpEndpoint {
  // A segment may be {}, which is any, and the endpoint's argument.
  std::string_view path;
  bool takes_suffix = false;      // "/path/..." is its, too
  std::string_view methods = {};  // "GET, HEAD"; empty = any
  Right right = Right::kNone;
  Credentials credentials = Credentials::kAuthorization;
  void (*handle)(HttpExchange& exchange) = nullptr;
};

// Hands the request to its endpoint, or answers that there is none.
void HandleHttp(HttpExchange& exchange);

// http_tokens.cc
void HandleListTokens(HttpExchange& exchange);
void HandleCreateToken(HttpExchange& exchange);
void HandleGetToken(HttpExchange& exchange);
void HandleUpdateToken(HttpExchange& exchange);
void HandleDeleteToken(HttpExchange& exchange);
void HandleDeleteOwnersTokens(HttpExchange& exchange);
void HandleOpenApi(HttpExchange& exchange);
// http_health.cc
void HandleLivez(HttpExchange& exchange);
void HandleReadyz(HttpExchange& exchange);
// http_auth.cc
void HandleAuth(HttpExchange& exchange);
// http_metrics.cc
void HandleMetrics(HttpExchange& exchange);
// http_oauth.cc
void HandleIntrospect(HttpExchange& exchange);
void HandleRevokeToken(HttpExchange& exchange);

}  // namespace tokend
