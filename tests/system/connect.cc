#include "tests/system/connect.h"

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

namespace tokend::testing {

std::optional<client::Client> ConnectUnlessGone(const ServerProcess& server) {
  const uint64_t deadline_ns = SteadyNs() + 120'000'000'000;
  client::ClientOptions options;
  options.answer_timeout = std::chrono::seconds(120);
  while (SteadyNs() < deadline_ns) {
    auto client = client::Client::Connect(server.address(), options);
    if (client) return std::move(*client);
    if (!server.IsRunning()) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  throw std::runtime_error("the server at " + server.address() +
                           " took no connection for two minutes; see its log");
}

client::Client Connect(const ServerProcess& server) {
  std::optional<client::Client> client = ConnectUnlessGone(server);
  if (!client) {
    throw std::runtime_error("the server at " + server.address() + " ended by itself; see its log");
  }
  return std::move(*client);
}

void WaitUntilReady(client::Client* client, const std::function<void()>& meanwhile) {
  const uint64_t deadline_ns = SteadyNs() + 300'000'000'000;
  while (SteadyNs() < deadline_ns) {
    const auto stats = client->Stats();
    if (!stats) throw std::runtime_error("stats: " + stats.error().message);
    if (stats->state == "ready") return;
    if (stats->state != "loading") throw std::runtime_error("the state is " + stats->state);
    if (meanwhile) meanwhile();
  }
  throw std::runtime_error("the server was not ready after five minutes");
}

bool IsGone(const client::Error& error) {
  return error.source == client::Error::Source::kTransport && error.code != "timeout";
}

}  // namespace tokend::testing
