// A client of a server that a test has just started.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "client/client.h"
#include "tests/system/server_process.h"

namespace tokend::testing {

// As soon as it takes connections; nothing where it has ended. Throws std::runtime_error where it
// takes two minutes.
std::optional<client::Client> ConnectUnlessGone(const ServerProcess& server);
// Throws where it has ended, too.
client::Client Connect(const ServerProcess& server);

// Until all is loaded, doing `meanwhile` again and again. Throws std::runtime_error where it cannot
// get there, or takes five minutes.
void WaitUntilReady(client::Client* client, const std::function<void()>& meanwhile = {});

// No answer: the server is gone, which is what a crash test waits for.
bool IsGone(const client::Error& error);

}  // namespace tokend::testing
