#include "server/auth_routes.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "protocol/http.h"
#include "protocol/url.h"

namespace tokend {
namespace {

// Without its port, and without the dot that a name may end in.
std::string_view NameOf(std::string_view host) {
  host = WithoutPort(host);
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool IsBelow(std::string_view path, std::string_view prefix) {
  if (prefix == "/") return true;
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace

AuthRoutes::AuthRoutes(std::vector<RouteConfig> routes) : routes_(std::move(routes)) {
  std::ranges::stable_sort(routes_, [](const RouteConfig& a, const RouteConfig& b) {
    return std::tuple(a.host.empty(), b.path.size()) < std::tuple(b.host.empty(), a.path.size());
  });
  have_paths_ = std::ranges::any_of(routes_, [](const auto& route) { return !route.path.empty(); });
}

const RouteConfig* AuthRoutes::Find(std::string_view host, std::string_view path,
                                    bool* ambiguous) const {
  *ambiguous = false;
  if (routes_.empty()) return nullptr;
  std::string normal;
  if (have_paths_ && !path.empty() && !NormalizePath(path, &normal)) {
    *ambiguous = true;
    return nullptr;
  }
  host = NameOf(host);
  for (const RouteConfig& route : routes_) {
    if (!route.host.empty() && !IsSameIgnoringCase(host, route.host)) continue;
    if (!route.path.empty() && (normal.empty() || !IsBelow(normal, route.path))) continue;
    return &route;
  }
  return nullptr;
}

}  // namespace tokend
