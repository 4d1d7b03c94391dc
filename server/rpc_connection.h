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

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "protocol/rpc.h"
#include "server/connection.h"

namespace tokend {

class RpcConnection final : public Connection {
 public:
  RpcConnection(Loop& loop, StreamRef ref);
  ~RpcConnection() override;

  void Refuse(std::string_view why) override;

  // A result that makes the message too long becomes the error too_large.
  void AnswerError(const RequestTag& tag, const Status& error,
                   std::string_view id_hex = {}) override;

  std::string TakeHeld(std::string_view part) override;
  void FlushAnswers() override;

 private:
  std::string* BeginAnswer(const RequestTag& tag) override;
  void EndAnswer(const RequestTag& tag) override;
  void OnBytes(std::string_view bytes) override;
  void OnOutputTaken() override;
  bool IsInLongMessage() const override;
  bool HasWork() const override { return requests_pending() > 0 || paused_ || gathered(); }
  bool IsOverdue(uint64_t steady_ms, bool active) override;

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
  bool paused_ = false;         // held_ may have whole messages; not reading
  bool message_begun_ = false;  // the first byte not handled begins a message that is not whole
  msgpack_io::ValueScan scan_;  // of that message
  uint64_t message_since_ms_ = 0;
  size_t answer_begin_ = 0;  // in output(), of the one that is being written
  bool swept_ = false;
  uint64_t active_at_ms_ = 0;  // sweep that last found it busy
};

}  // namespace tokend
