// What can be asked over HTTP: a row for each endpoint.
#pragma once

#include <span>
#include <string_view>

#include "server/http_exchange.h"

namespace tokend {

struct HttpEndpoint {
  std::string_view path;
  bool takes_suffix = false;      // "/path/..." is its, too
  std::string_view methods = {};  // "GET, HEAD"; empty = any
  void (*handle)(HttpExchange& exchange) = nullptr;
};

std::span<const HttpEndpoint> HttpEndpoints();

// Hands the request to its endpoint, or answers that there is none.
void HandleHttp(HttpExchange& exchange);

// http_health.cc
void HandleLivez(HttpExchange& exchange);
void HandleReadyz(HttpExchange& exchange);
// http_auth.cc
void HandleAuth(HttpExchange& exchange);

}  // namespace tokend
