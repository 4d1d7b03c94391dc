// Where a tokend listens, as people write it, and a socket that is connected to it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "client/client.h"

namespace tokend::client {

struct Address {
  std::string unix_path;  // else host and port
  std::string host;
  std::string port;
  bool is_tls = false;
};

// HOST:PORT, [IPV6]:PORT, either with tls: before it, or unix:PATH; kCaller where it is none of
// them, saying what it should be.
Result<Address> ParseAddress(std::string_view text);

// A connected, non-blocking, close-on-exec socket, which is the caller's to close. Tries every
// address of the host's name, together within the timeout ("unreachable" after that). Looking the
// name up is the system's and has a timeout of its own.
Result<int> ConnectTo(const Address& address, std::chrono::milliseconds timeout);

}  // namespace tokend::client
