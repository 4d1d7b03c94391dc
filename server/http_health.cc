// /livez and /readyz, as orchestrators and load balancers ask them.
#include <fmt/format.h>

#include "server/context.h"
#include "server/http_endpoints.h"

namespace tokend {

void HandleLivez(HttpExchange& exchange) { exchange.Respond({.body = "ok\n"}); }

void HandleReadyz(HttpExchange& exchange) {
  const StoreState state = exchange.server().store.state();
  if (state == StoreState::kReady) {
    exchange.Respond({.body = "ok\n"});
    return;
  }
  const std::string body = fmt::format("{}\n", StoreStateName(state));
  exchange.Respond({.status = 503, .body = body, .fields = kRetryAfter});
}

}  // namespace tokend
