// A request that is answered later, from another thread's work. Names its connection without
// holding it: the connection may be gone by then.
#pragma once

#include <memory>

#include "server/methods.h"
#include "server/stream.h"

namespace tokend {

class Completion;
class Loop;
class Connection;

class PendingRequest {
 public:
  // Loop thread. Whoever hands the request on tells the connection so (RequestHandedOn).
  explicit PendingRequest(const Call& call);
  PendingRequest(Connection& connection, const RequestTag& tag);

  const RequestTag& tag() const { return tag_; }
  // Any thread: hands `completion`, which holds this request, to the loop.
  void Post(std::unique_ptr<Completion> completion) const;
  // Loop thread, once: the connection, which is flushed before the loop sleeps; null if it is gone
  // or has been refused, since the refusal is the last thing that it is told.
  Connection* Return(Loop& loop) const;

 private:
  Loop& loop_;
  StreamRef connection_;
  RequestTag tag_;
};

}  // namespace tokend
