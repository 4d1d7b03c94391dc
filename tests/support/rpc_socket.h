// A MessagePack-RPC client of the tests' own, blocking and plain: messages are JSON values, packed
// and unpacked by nlohmann-json, so that no encoder of ours has both sides of the table.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/msgpack.h"
#include "server/endpoint.h"
#include "server/uv_handle.h"

namespace tokend::testing {

using Json = nlohmann::json;

inline std::string Packed(const Json& value) {
  const std::vector<uint8_t> bytes = Json::to_msgpack(value);
  return {bytes.begin(), bytes.end()};
}
inline Json Unpacked(std::string_view bytes) {
  return Json::from_msgpack(bytes.begin(), bytes.end());
}
inline std::string Request(uint32_t msgid, std::string_view method, const Json& params) {
  return Packed({0, msgid, method, params});
}
inline std::string Notification(std::string_view method, const Json& params) {
  return Packed({2, method, params});
}

// Braces list params: {"a", {{"k", 1}}} are two, Json::array() is none. An overload for it, since
// nlohmann-json would take {x} for x.
using Params = std::initializer_list<Json>;

struct Answer {
  Json error, result;

  bool ok() const { return error.is_null(); }
  std::string code() const { return ok() ? "ok" : error.at("code").get<std::string>(); }
  std::string message() const { return ok() ? "" : error.at("message").get<std::string>(); }
};
inline void PrintTo(const Answer& answer, std::ostream* out) {
  *out << "error " << answer.error << ", result " << answer.result;
}

// A stream socket that gives up after a while instead of hanging.
class ClientSocket {
 public:
  explicit ClientSocket(const Endpoint& endpoint)
      : ClientSocket(endpoint.address.ss_family,
                     reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) {}
  explicit ClientSocket(const std::string& unix_path) : ClientSocket(UnixAddress(unix_path)) {}

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // What has come, at least a byte; empty at the end of the stream.
  std::string Receive() {
    std::string bytes(65536, '\0');
    ssize_t size = -1;
    // With a time-out set, a signal interrupts it, whatever the handler was installed with.
    do {
      size = recv(fd_.get(), bytes.data(), bytes.size(), 0);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == ECONNRESET) return {};
    if (size < 0) throw std::runtime_error(std::string("recv: ") + std::strerror(errno));
    bytes.resize(static_cast<size_t>(size));
    return bytes;
  }
  void ShutdownWrites() { shutdown(fd_.get(), SHUT_WR); }
  int fd() const { return fd_.get(); }

 private:
  explicit ClientSocket(const sockaddr_un& address)
      : ClientSocket(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address) {}
  ClientSocket(int family, const sockaddr* address, socklen_t size)
      : fd_(socket(family, SOCK_STREAM, 0)) {
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    // A second piece would wait for the first one's acknowledgement, which comes after 40 ms.
    const int on = 1;
    if (family != AF_UNIX) setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // With a time-out set, a signal interrupts it; it goes on, and a second call waits for its end.
    int failed = connect(fd_.get(), address, size);
    while (failed != 0 && (errno == EINTR || errno == EALREADY)) {
      failed = connect(fd_.get(), address, size);
    }
    if (failed != 0 && errno != EISCONN) {
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    }
  }
  static sockaddr_un UnixAddress(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }

  UniqueFd fd_;
};

class RpcSocket : public ClientSocket {
 public:
  using ClientSocket::ClientSocket;

  // The next message; nullopt at the end of the stream.
  std::optional<Json> Read() {
    while (true) {
      size_t size = 0;
      if (msgpack_io::CheckValue(in_, 64, 1u << 30, &size) == msgpack_io::CheckResult::kOk) {
        const Json message = Unpacked(std::string_view(in_).substr(0, size));
        in_.erase(0, size);
        return message;
      }
      const std::string more = Receive();
      if (more.empty()) return std::nullopt;
      in_ += more;
    }
  }
  // The next message, which must be a response.
  Answer ReadAnswer(uint32_t* msgid = nullptr) {
    const std::optional<Json> message = Read();
    if (!message) throw std::runtime_error("the server has closed the connection");
    if (message->size() != 4 || message->at(0) != 1) {
      throw std::runtime_error("not a response: " + message->dump());
    }
    if (msgid != nullptr) *msgid = message->at(1).get<uint32_t>();
    return {message->at(2), message->at(3)};
  }
  Answer Call(std::string_view method, const Json& params) {
    Send(Request(++last_msgid_, method, params));
    return AnswerTo(last_msgid_);
  }
  Answer Call(std::string_view method, Params params) {
    return Call(method, Json(Json::array_t(params)));
  }
  // The same with params that are encoded already.
  Answer CallEncoded(std::string_view method, std::string_view params) {
    std::string bytes = Packed({0, ++last_msgid_, method, nullptr});
    bytes.pop_back();  // the nil
    Send(bytes.append(params));
    return AnswerTo(last_msgid_);
  }
  // The message of the "error" notification that ends a connection.
  std::string ReadProtocolError() {
    const std::optional<Json> message = Read();
    if (!message) throw std::runtime_error("closed without a word");
    if (message->size() != 3 || message->at(0) != 2 || message->at(1) != "error" ||
        message->at(2).at(0).at("code") != "protocol_error") {
      throw std::runtime_error("not a protocol error: " + message->dump());
    }
    return message->at(2).at(0).at("message").get<std::string>();
  }

 private:
  Answer AnswerTo(uint32_t wanted) {
    uint32_t msgid = 0;
    Answer answer = ReadAnswer(&msgid);
    if (msgid != wanted) throw std::runtime_error("an answer to another request");
    return answer;
  }

  std::string in_;
  uint32_t last_msgid_ = 1000;
};

}  // namespace tokend::testing
