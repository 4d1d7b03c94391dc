#include "bench/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace tokend::bench {
namespace {

[[noreturn]] void Fail(const std::string& address, const char* reason) {
  throw std::runtime_error("cannot connect to " + address + ": " + reason);
}

int ConnectSocket(int family, const sockaddr* peer, socklen_t peer_size,
                  const std::string& address) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, peer, peer_size) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    Fail(address, std::strerror(error));
  }
  return fd;
}

}  // namespace

int ConnectTo(const std::string& address) {
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) {
    sockaddr_un peer{};
    peer.sun_family = AF_UNIX;
    const std::string path = address.substr(kUnix.size());
    if (path.size() >= sizeof peer.sun_path) Fail(address, "the path is too long for a socket");
    std::memcpy(peer.sun_path, path.c_str(), path.size() + 1);
    return ConnectSocket(AF_UNIX, reinterpret_cast<const sockaddr*>(&peer), sizeof peer, address);
  }
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) Fail(address, "it should be HOST:PORT or unix:PATH");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(),
                                &hints, &found);
  if (error != 0) Fail(address, gai_strerror(error));
  int fd = -1;
  try {
    fd = ConnectSocket(found->ai_family, found->ai_addr, found->ai_addrlen, address);
  } catch (...) {
    freeaddrinfo(found);
    throw;
  }
  freeaddrinfo(found);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace tokend::bench
