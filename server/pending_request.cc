#include "server/pending_request.h"

#include "server/completion.h"
#include "server/connection.h"
#include "server/loop.h"

namespace tokend {

PendingRequest::PendingRequest(const Call& call) : PendingRequest(call.connection, call.tag) {}

PendingRequest::PendingRequest(Connection& connection, const RequestTag& tag)
    : loop_(connection.loop()), connection_(connection.ref()), tag_(tag) {}

void PendingRequest::Post(std::unique_ptr<Completion> completion) const {
  loop_.Post(std::move(completion));
}

Connection* PendingRequest::Return(Loop& loop) const {
  Connection* connection = loop.FindConnection(connection_);
  if (connection == nullptr) return nullptr;
  connection->RequestReturned();
  if (!connection->takes_answers()) return nullptr;
  loop.TakeBuffer(&connection->output());
  loop.FlushLater(*connection);
  return connection;
}

}  // namespace tokend
