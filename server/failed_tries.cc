#include "server/failed_tries.h"

#include <algorithm>
#include <memory>

#include "server/completion.h"
#include "server/connection.h"
#include "server/context.h"
#include "server/loop.h"
#include "server/pending_request.h"

namespace tokend {
namespace {

class LateAnswer final : public Completion {
 public:
  LateAnswer(Connection& connection, const RequestTag& tag) : request_(connection, tag) {}

  void OnLoop(Loop& loop) override {
    Connection* connection = request_.Return(loop);
    if (connection == nullptr) return;
    connection->set_failed_try(false);
    connection->AnswerError(request_.tag(),
                            Status(ErrorCode::kUnauthenticated,
                                   "there is no caller with this client_id and client_secret"));
  }

 private:
  PendingRequest request_;
};

}  // namespace

uint64_t FailedTries::Add(const std::string& address) {
  const uint64_t now_ms = clock_.SteadyMs();
  const MutexLock lock(&mutex_);
  ++total_;
  if (by_address_.size() >= kAddressesMax && !by_address_.contains(address)) {
    std::erase_if(by_address_,
                  [&](const auto& one) { return now_ms - one.second.last_ms >= kForgottenMs; });
    // More addresses than can be kept are trying at once: all of them wait.
    if (by_address_.size() >= kAddressesMax) return kDelayMsMax;
  }
  Tries& tries = by_address_[address];
  if (now_ms - tries.last_ms >= kForgottenMs) tries.count = 0;
  tries.last_ms = now_ms;
  const uint64_t doublings = std::min<uint64_t>(tries.count++, 16);
  return std::min(kFirstDelayMs << doublings, kDelayMsMax);
}

uint64_t FailedTries::total() const {
  const MutexLock lock(&mutex_);
  return total_;
}

void AnswerFailedTry(Connection& connection, const RequestTag& tag) {
  Loop& loop = connection.loop();
  ServerContext& server = loop.server();
  const std::string address = connection.PeerAddress();
  const uint64_t delay_ms = server.failed_tries.Add(address);
  uint64_t held_back = 0;
  if (loop.failed_tries_log().Allow(server.clock.SteadyMs(), &held_back)) {
    server.log.Warning("caller_refused",
                       {{"address", address}, {"delay_ms", delay_ms}, {"more_like_it", held_back}});
  }
  connection.NoteRefusal("sign_in", ErrorCode::kUnauthenticated);
  if (connection.has_failed_try()) {
    connection.Refuse("a wrong secret must be answered before the next one is tried");
    return;
  }
  connection.set_failed_try(true);
  connection.RequestHandedOn();
  loop.PostLater(delay_ms, std::make_unique<LateAnswer>(connection, tag));
}

}  // namespace tokend
