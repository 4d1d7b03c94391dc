// The crash test's writer: one connection with many writes under way, until the server is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "client/client.h"
#include "protocol/digest.h"
#include "tests/system/crash_plan.h"
#include "tests/system/ledger.h"
#include "tests/system/ledger_check.h"

namespace tokend::testing {

class CrashWriter {
 public:
  // Goes on where `written` ends, up to batch `end_batch`, and notes in it what it does; it
  // outlives the writer, and its ledger has room for those batches.
  CrashWriter(Written* written, client::Client client, uint64_t end_batch);

  // Writes on and on, `on_acknowledged(tokens inserted so far by this writer)` after each batch,
  // until the connection breaks or all batches are written. Gives what the server should not have
  // answered; empty = nothing.
  std::vector<std::string> Run(const std::function<void(uint64_t)>& on_acknowledged);

 private:
  template <class T>
  struct UnderWay {
    uint64_t number;  // of the batch or the token
    client::Pending<T> answer;
  };
  struct Insert : UnderWay<std::vector<client::InsertOutcome>> {};
  struct Revoke : UnderWay<bool> {};
  struct Extend : UnderWay<bool> {};
  struct Replace : UnderWay<std::string> {};
  struct RevokeOwner : UnderWay<uint64_t> {};
  using AnyWrite = std::variant<Insert, Revoke, Extend, Replace, RevokeOwner>;

  void SendBatch();
  void SendSecondWrites(uint64_t batch);
  std::string IdOf(uint64_t token);

  // Each takes one answer. False when the connection broke.
  bool Take(Insert write);
  bool Take(Revoke write);
  bool Take(Extend write);
  bool Take(Replace write);
  bool Take(RevokeOwner write);
  // What both kinds of second writes share: the answer's error, or what was wrong with its value.
  bool TakeSecond(uint64_t token, const client::Error* error, bool is_right, TokenFate fate);
  bool IsBroken(const client::Error& error, const std::string& what);

  Written& written_;
  const CrashPlan& plan_;
  Ledger& ledger_;
  client::Client client_;
  Digester digester_;
  const uint64_t end_batch_;
  uint64_t tokens_acknowledged_ = 0;
  size_t batches_under_way_ = 0;
  std::deque<AnyWrite> under_way_;
  std::vector<std::string> failures_;
};

}  // namespace tokend::testing
