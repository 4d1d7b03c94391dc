// Addresses to listen on.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"

namespace tokend {

// A TCP address, IPv4 or IPv6.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;

  bool IsLoopback() const;
  uint16_t port() const;
  std::string ToString() const;  // "127.0.0.1:7717", "[::1]:7717"
};

// "HOST:PORT", several with commas; "off" gives none. A host name gives every address that it has.
// May ask the resolver for names that are not addresses.
Status ResolveEndpoints(std::string_view text, std::vector<Endpoint>* endpoints);

// Whether a path fits into a unix socket's address; the empty one (no socket) does.
Status CheckUnixPath(const std::string& path);

}  // namespace tokend
