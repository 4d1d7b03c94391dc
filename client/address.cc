#include "client/address.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace tokend::client {

namespace {

using SteadyClock = std::chrono::steady_clock;

Error Unreachable(std::string message) {
  return {Error::Source::kTransport, "unreachable", std::move(message), ""};
}

Error BadAddress(std::string_view text) {
  return {Error::Source::kCaller, "bad_params",
          "address \"" + std::string(text) +
              "\" should be HOST:PORT, [IPV6]:PORT, tls:HOST:PORT or unix:PATH",
          ""};
}

bool IsPort(std::string_view text) {
  unsigned port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

// 0, or the errno of why not. Leaves the socket as it is.
int ConnectSocket(int fd, const sockaddr* address, socklen_t size,
                  SteadyClock::time_point deadline) {
  if (connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd entry{fd, POLLOUT, 0};
    int ready = poll(&entry, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return errno;
    if (ready == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t error_size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) return errno;
    return error;
  }
}

Result<int> ConnectUnix(const std::string& path, SteadyClock::time_point deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Unreachable("the path of a unix socket has at most " +
                       std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Unreachable(std::strerror(errno));
  int error =
      ConnectSocket(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline);
  if (error == 0) return fd;
  close(fd);
  return Unreachable(std::strerror(error));
}

Result<int> ConnectTcp(const Address& address, SteadyClock::time_point deadline) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int failed = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (failed != 0) return Unreachable(gai_strerror(failed));
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);

  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    int fd =
        socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, one->ai_protocol);
    if (fd < 0) {
      error = errno;
      continue;
    }
    error = ConnectSocket(fd, one->ai_addr, one->ai_addrlen, deadline);
    if (error == 0) {
      int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // for speed only: may fail
      return fd;
    }
    close(fd);
  }
  return Unreachable(std::strerror(error));
}

}  // namespace

Result<Address> ParseAddress(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  Address address;
  if (text.substr(0, kUnix.size()) == kUnix) {
    address.unix_path = text.substr(kUnix.size());
    if (address.unix_path.empty() || address.unix_path.find('\0') != std::string::npos) {
      return BadAddress(text);
    }
    return address;
  }
  constexpr std::string_view kTls = "tls:";
  std::string_view rest = text;
  // A host may have that name: "tls:7717".
  if (text.substr(0, kTls.size()) == kTls &&
      text.find(':', kTls.size()) != std::string_view::npos) {
    address.is_tls = true;
    rest.remove_prefix(kTls.size());
  }
  size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return BadAddress(text);
  std::string_view host = rest.substr(0, colon);
  std::string_view port = rest.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of("[]:") != std::string_view::npos) {
    return BadAddress(text);
  }
  if (host.empty() || host.find('\0') != std::string_view::npos || !IsPort(port)) {
    return BadAddress(text);
  }
  address.host = host;
  address.port = port;
  return address;
}

Result<int> ConnectTo(const Address& address, std::chrono::milliseconds timeout) {
  SteadyClock::time_point deadline = SteadyClock::now() + timeout;
  if (!address.unix_path.empty()) return ConnectUnix(address.unix_path, deadline);
  return ConnectTcp(address, deadline);
}

}  // namespace tokend::client
