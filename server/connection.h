// A connection as the handlers of methods know it, whatever is spoken on it.
//
// Loop thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "server/methods.h"
#include "server/stream.h"

namespace tokend {

class Connection : public Stream {
 public:
  // --- answers: they are sent when the read, or the list of completions, has been worked off ---

  // `encode` is given a Writer and writes the result, one value. For a notification it is not
  // called.
  template <typename Encode>
  void Answer(const RequestTag& tag, Encode&& encode) {
    if (tag.is_notification) return;
    msgpack_io::Writer writer(BeginAnswer(tag));
    std::forward<Encode>(encode)(writer);
    EndAnswer(tag);
  }
  // `id_hex`: of the token that is in the way (exists, revoked), or empty.
  virtual void AnswerError(const RequestTag& tag, const Status& error,
                           std::string_view id_hex = {}) = 0;
  // Whether the answer to a validate may be put into output() as the bytes that MessagePack-RPC has
  // for it, without Answer().
  bool is_rpc() const { return is_rpc_; }

  // --- requests that are answered later (PendingRequest) ---
  void RequestHandedOn() { ++requests_pending_; }
  void RequestReturned() { --requests_pending_; }
  // A validate of this connection waits in the batch; its answer is there when the batch has run.
  void ValidateGathered() {
    if (!gathered_) BeginGathered();
  }
  void ValidatesAnswered() { gathered_ = false; }
  // For the handler of a long request whose params are `part` of what was kept of this connection's
  // bytes: all of it, so that it need not be copied, or an empty string where that would be a
  // waste. The params stay where they are.
  virtual std::string TakeHeld(std::string_view) { return {}; }
  // After answers to such requests were written: sends them and goes on with what waited.
  virtual void FlushAnswers() = 0;

 protected:
  Connection(Loop& loop, StreamRef ref, bool is_rpc) : Stream(loop, ref), is_rpc_(is_rpc) {}

  uint32_t requests_pending() const { return requests_pending_; }
  // Validates wait in the batch.
  bool gathered() const { return gathered_; }

 private:
  // Where the result of this request is to be written.
  virtual std::string* BeginAnswer(const RequestTag& tag) = 0;
  virtual void EndAnswer(const RequestTag& tag) = 0;
  void BeginGathered();

  const bool is_rpc_;
  bool gathered_ = false;
  uint32_t requests_pending_ = 0;
};

}  // namespace tokend
