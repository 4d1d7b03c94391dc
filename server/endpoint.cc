#include "server/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <optional>

namespace tokend {
namespace {

constexpr std::string_view kEndpointRule =
    "must be HOST:PORT or [IPv6]:PORT with a port of 0 to "
    "65535, several with commas, or off";

// Where a socket is made, its name is first `.new`: see OpenUnixListeners.
constexpr size_t kUnixSuffixBytes = 4;

const sockaddr_in& AsV4(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in&>(address);
}
const sockaddr_in6& AsV6(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in6&>(address);
}

struct HostPort {
  std::string host, port;
};

std::optional<HostPort> SplitHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address without brackets: its last part is no port
  }
  if (host.empty()) return std::nullopt;
  return HostPort{std::string(host), std::to_string(number)};
}

Status ResolveOne(std::string_view text, std::vector<Endpoint>* endpoints) {
  const std::optional<HostPort> parts = SplitHostPort(text);
  if (!parts) return Status(ErrorCode::kBadParams, std::string(kEndpointRule));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int rc = getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found);
  if (rc != 0) {
    return Status(ErrorCode::kBadParams,
                  fmt::format("cannot resolve {}: {}", parts->host, gai_strerror(rc)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    Endpoint endpoint;
    std::memcpy(&endpoint.address, info->ai_addr, info->ai_addrlen);
    endpoint.size = info->ai_addrlen;
    endpoints->push_back(endpoint);
  }
  return Status::Ok();
}

}  // namespace

bool Endpoint::IsLoopback() const {
  if (address.ss_family == AF_INET) {
    return (ntohl(AsV4(address).sin_addr.s_addr) >> 24) == 127;
  }
  const in6_addr& v6 = AsV6(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

uint16_t Endpoint::port() const {
  return ntohs(address.ss_family == AF_INET ? AsV4(address).sin_port : AsV6(address).sin6_port);
}

std::string Endpoint::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &AsV4(address).sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, port());
  }
  inet_ntop(AF_INET6, &AsV6(address).sin6_addr, text, sizeof text);
  return fmt::format("[{}]:{}", text, port());
}

Status ResolveEndpoints(std::string_view text, std::vector<Endpoint>* endpoints) {
  endpoints->clear();
  if (text == "off") return Status::Ok();
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    if (Status status = ResolveOne(text.substr(0, comma), endpoints); !status.ok()) return status;
    if (comma == text.size()) return Status::Ok();
    text.remove_prefix(comma + 1);
  }
}

Status CheckUnixPath(const std::string& path) {
  constexpr size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1 - kUnixSuffixBytes;
  if (path.size() <= kPathBytesMax) return Status::Ok();
  return Status(ErrorCode::kBadParams,
                fmt::format("{} is {} bytes long, and a unix socket's path has at most {} here; "
                            "give a shorter one, or off",
                            path, path.size(), kPathBytesMax));
}

}  // namespace tokend
