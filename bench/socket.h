// Stream sockets by address, for programs that talk to a server under test.
#pragma once

#include <string>

namespace tokend::bench {

// Connects to HOST:PORT (a number, IPv4 or a name) or unix:PATH, blocking, with TCP_NODELAY. Throws
// std::runtime_error, saying to what and why not.
int ConnectTo(const std::string& address);

}  // namespace tokend::bench
