// Listening sockets: made by hand, one for each loop, and given to libuv.
//
// TCP: every loop has a socket of its own with SO_REUSEPORT, and the kernel spreads connections
// over them by hash. SO_REUSEPORT alone would let a second server of the same user bind the same
// port unnoticed. So the first socket is bound and listening before it has that option, which fails
// wherever anybody else has the port, and gets the option afterwards so that its siblings may join.
//
// Unix: one socket, whose descriptor is duplicated into each loop. All loops are woken by a new
// connection and the first one takes it: an idle loop is quicker than a busy one, which spreads by
// load. That costs the others a wake-up, but connections are made rarely and kept.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "protocol/error.h"
#include "server/endpoint.h"
#include "server/uv_handle.h"

namespace tokend {

// `count` listening sockets on one endpoint. *bound is the endpoint with the port that was given
// for port 0.
Status OpenTcpListeners(const Endpoint& endpoint, size_t count, int backlog,
                        std::vector<UniqueFd>* sockets, Endpoint* bound);

// `count` descriptors of one listening socket at `path`, mode 0660. Takes the place of a socket
// that a dead server has left behind; refuses where a live one answers or where something else
// stands.
Status OpenUnixListeners(const std::string& path, size_t count, int backlog,
                         std::vector<UniqueFd>* sockets);

}  // namespace tokend
