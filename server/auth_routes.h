// Which namespace a gateway's request is looked up in, and which scopes it takes: by host and path.
//
// Immutable once built; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tokend {

// [[route]] in the file.
struct RouteConfig {
  std::string host = {};  // without port, in lower case; empty = any
  std::string path = {};  // "/v1" is "/v1" and "/v1/..."; empty = any, also where none is known
  std::string namespace_name;
  std::vector<std::string> scopes = {};  // all of them are required
};

class AuthRoutes {
 public:
  explicit AuthRoutes(std::vector<RouteConfig> routes);

  // The route of the most: with a host before without, with a longer path before a shorter one.
  // Null if there is none. `host` may have a port; `path` is as sent, empty = not known.
  // *ambiguous: the path can be understood in more than one way, so that nobody can tell.
  const RouteConfig* Find(std::string_view host, std::string_view path, bool* ambiguous) const;

 private:
  std::vector<RouteConfig> routes_;  // those that go before others first
  bool have_paths_ = false;
};

}  // namespace tokend
