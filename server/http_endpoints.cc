#include "server/http_endpoints.h"

#include <fmt/format.h>

#include <array>

namespace tokend {
namespace {

constexpr auto kEndpoints = std::to_array<HttpEndpoint>({
    {"/auth", true, "", &HandleAuth},
    {"/livez", false, "GET, HEAD", &HandleLivez},
    {"/readyz", false, "GET, HEAD", &HandleReadyz},
    {"/healthz", false, "GET, HEAD", &HandleReadyz},
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

}  // namespace

std::span<const HttpEndpoint> HttpEndpoints() { return kEndpoints; }

void HandleHttp(HttpExchange& exchange) {
  const HttpRequest& request = exchange.request();
  for (const HttpEndpoint& endpoint : kEndpoints) {
    if (!IsOf(endpoint, request.path)) continue;
    if (endpoint.methods.empty() || IsAmong(endpoint.methods, request.method)) {
      endpoint.handle(exchange);
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
