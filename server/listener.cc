#include "server/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace tokend {
namespace {

constexpr mode_t kUnixSocketMode = 0660;
// A peer that has gone without a word is noticed after some minutes, not after two hours.
constexpr int kKeepAliveIdleSeconds = 300;

Status Failed(std::string_view what, int error) {
  if (error == EADDRINUSE) {
    return Status(
        ErrorCode::kInternal,
        fmt::format("{}: in use; another server is there, stop it or choose another", what));
  }
  return Status(ErrorCode::kInternal, fmt::format("{}: {}", what, std::strerror(error)));
}

bool SetOption(int fd, int level, int name, int value = 1) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

UniqueFd MakeTcpSocket(int family) {
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  // A restart need not wait for the last server's connections to leave TIME_WAIT. The other options
  // are taken over by the connections that are accepted.
  if (!SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR) ||
      !SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY) ||
      !SetOption(fd.get(), SOL_SOCKET, SO_KEEPALIVE) ||
      !SetOption(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds)) {
    return UniqueFd();
  }
  if (family == AF_INET6 && !SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY)) return UniqueFd();
  return fd;
}

bool BindAndListen(int fd, const Endpoint& endpoint, int backlog) {
  return bind(fd, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) == 0 &&
         listen(fd, backlog) == 0;
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());  // CheckUnixPath has seen to its length
  return address;
}

// Ok where a socket may be put at `path`.
Status CheckUnixPathFree(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? Status::Ok() : Failed(path, errno);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Status(
        ErrorCode::kInternal,
        fmt::format("{}: is there and is no socket; remove it or choose another path", path));
  }
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = UnixAddress(path);
  if (!probe) return Failed(path, errno);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {  // its backlog is full: it lives
    return Failed(path, EADDRINUSE);
  }
  // ECONNREFUSED: nobody listens there any more.
  return errno == ECONNREFUSED ? Status::Ok() : Failed(path, errno);
}

}  // namespace

Status OpenTcpListeners(const Endpoint& endpoint, size_t count, int backlog,
                        std::vector<UniqueFd>* sockets, Endpoint* bound) {
  sockets->clear();
  const int family = endpoint.address.ss_family;
  const std::string name = endpoint.ToString();

  UniqueFd first = MakeTcpSocket(family);
  if (!first || !BindAndListen(first.get(), endpoint, backlog)) return Failed(name, errno);
  *bound = endpoint;
  bound->size = sizeof bound->address;
  if (getsockname(first.get(), reinterpret_cast<sockaddr*>(&bound->address), &bound->size) != 0 ||
      !SetOption(first.get(), SOL_SOCKET, SO_REUSEPORT)) {
    return Failed(name, errno);
  }
  sockets->push_back(std::move(first));

  while (sockets->size() < count) {
    UniqueFd sibling = MakeTcpSocket(family);
    if (!sibling || !SetOption(sibling.get(), SOL_SOCKET, SO_REUSEPORT) ||
        !BindAndListen(sibling.get(), *bound, backlog)) {
      return Failed(name, errno);
    }
    sockets->push_back(std::move(sibling));
  }
  return Status::Ok();
}

Status OpenUnixListeners(const std::string& path, size_t count, int backlog,
                         std::vector<UniqueFd>* sockets) {
  sockets->clear();
  if (Status status = CheckUnixPathFree(path); !status.ok()) return status;

  // Under a name of its own until its mode is right, so that nobody can connect before; the rename
  // then puts it in the place of a dead server's socket in one step.
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = UnixAddress(fresh);
  if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(fresh.c_str(), kUnixSocketMode) != 0 || listen(fd.get(), backlog) != 0 ||
      std::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(fresh.c_str());
    return Failed(path, error);
  }
  sockets->push_back(std::move(fd));
  while (sockets->size() < count) {
    UniqueFd copy(fcntl(sockets->front().get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return Failed(path, errno);
    sockets->push_back(std::move(copy));
  }
  return Status::Ok();
}

}  // namespace tokend
