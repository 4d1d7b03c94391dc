// A MessagePack-RPC connection: cuts bytes into messages, and carries answers.
//
// Messages are handled where they lie in the loop's read buffer; only an unfinished one is copied
// aside. A peer that does not take its answers, or has too many requests under way, is read no
// further until that is better: what it had sent by then is kept aside too, unhandled.
//
// Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "protocol/rpc.h"
#include "server/methods.h"
#include "server/stream.h"

namespace tokend {

class RpcConnection final : public Stream {
 public:
  RpcConnection(Loop& loop, StreamRef ref);
  ~RpcConnection() override;

  void Refuse(std::string_view why) override;

  // --- answers: they are sent when the read, or the list of completions, has been worked off ---

  // `encode` is given a Writer and writes the result, one value. For a notification it is not
  // called. A result that makes the message too long becomes the error too_large.
  template <typename Encode>
  void Answer(const RequestTag& tag, Encode&& encode) {
    if (tag.is_notification) return;
    const size_t start = output().size();
    msgpack_io::Writer writer(&output());
    BeginResponse(tag.msgid, &writer);
    std::forward<Encode>(encode)(writer);
    CheckAnswerSize(tag, start);
  }
  // `id_hex`: of the token that is in the way (exists, revoked), or empty.
  void AnswerError(const RequestTag& tag, const Status& error, std::string_view id_hex = {});
  // Takes an answer back that began at `start` and is over the limit, and says so instead.
  void CheckAnswerSize(const RequestTag& tag, size_t start);

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
  std::string TakeHeld(std::string_view part);
  // After answers to such requests were written: sends them and goes on with what waited.
  void FlushAnswers();

 private:
  void OnBytes(std::string_view bytes) override;
  void OnOutputTaken() override;
  bool IsInLongMessage() const override;
  bool HasWork() const override { return requests_pending_ > 0 || paused_ || gathered_; }
  bool IsOverdue(uint64_t steady_ms, bool active) override;

  void BeginGathered();
  // Handles whole messages from the front of `bytes`, and gives how many bytes they had. Validates
  // among them may wait in the batch afterwards, with views into the bytes.
  size_t Handle(std::string_view bytes);
  void HandleHeld();
  // Refuses where all connections together hold too much.
  void CheckHeldBytes();
  void Resume();
  // Whether the peer must take answers, or have some made, before more requests are handled.
  bool OverBounds() const;
  bool WellUnderBounds() const;

  std::string held_;            // from the first byte not handled on
  bool gathered_ = false;       // validates wait in the batch
  bool paused_ = false;         // held_ may have whole messages; not reading
  bool message_begun_ = false;  // the first byte not handled begins a message that is not whole
  msgpack_io::ValueScan scan_;  // of that message
  uint64_t message_since_ms_ = 0;
  uint32_t requests_pending_ = 0;
  bool swept_ = false;
  uint64_t active_at_ms_ = 0;  // sweep that last found it busy
};

}  // namespace tokend
