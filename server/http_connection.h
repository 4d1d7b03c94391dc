// An HTTP/1.1 connection: cuts bytes into requests, one after the other, and carries answers.
// Keep-alive and pipelining; a request is not looked at before the one ahead of it is answered.
//
// Requests are handled where they lie in the loop's read buffer; only an unfinished one, or one
// that has to wait, is copied aside, and wiped afterwards.
//
// Loop thread only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/http.h"
#include "server/connection.h"
#include "server/http_exchange.h"

namespace tokend {

class HttpConnection final : public Connection {
 public:
  HttpConnection(Loop& loop, StreamRef ref);
  ~HttpConnection() override;

  void Refuse(std::string_view why) override;
  void AnswerError(const RequestTag& tag, const Status& error,
                   std::string_view id_hex = {}) override;
  void FlushAnswers() override;

  // For the exchange: its answer.
  void Respond(const HttpResponse& response);

 private:
  std::string* BeginAnswer(const RequestTag& tag) override;
  void EndAnswer(const RequestTag& tag) override;
  void OnBytes(std::string_view bytes) override;
  void OnOutputTaken() override;
  bool HasWork() const override { return requests_pending() > 0 || paused_ || gathered(); }
  bool IsOverdue(uint64_t steady_ms, bool active) override;

  // Handles whole requests from the front of `bytes`, and gives how many bytes they had.
  size_t Handle(std::string_view bytes);
  void HandleHeld();
  void HandleRequest();
  // Tells the exchange's endpoint what its method has said.
  void MethodDone(const MethodAnswer& answer);
  void Write(const HttpResponse& response);
  // The last answer on this connection.
  void End(const HttpResponse& response);
  void CheckHeldBytes();
  void Resume();

  HttpReader reader_;  // of the request that is coming in
  HttpExchange exchange_;
  bool busy_ = false;           // the exchange's answer is not there yet
  std::string held_;            // from the first byte not handled on
  bool paused_ = false;         // not reading, until output is taken or an answer is there
  bool request_begun_ = false;  // the first byte not handled begins a request that is not whole
  bool continued_ = false;      // "100 Continue" was sent for it
  uint64_t request_since_ms_ = 0;
  bool swept_ = false;
  uint64_t active_at_ms_ = 0;  // sweep that last found it busy
};

}  // namespace tokend
