// The history of one token, checked against the model: is there an order of what was asked, each at
// some moment between its invocation and its answer, in which every answer is right?
//
// What may be so at each moment is kept as a set: every state that some order gives which agrees
// with the answers so far, with what of the operations under way it has taken in already. An answer
// leaves those that agree with it. Where none is left, the server was wrong.
//
// Writes and validates stand in one order. What reads the disk (get, list, count) may be ahead of
// validate or behind it while a write is under way, so it is held to an order of the writes alone,
// and has to show what was so at some moment.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/model/operation.h"

namespace tokend::testing {

class TokenHistory {
 public:
  TokenHistory(std::string ns, std::string id, std::string name)
      : ns_(std::move(ns)), id_(std::move(id)), name_(std::move(name)), states_{TokenState()} {}

  // Goes on with these operations, which touch the token and stand in the order of their
  // invocations; before `gone_at`, the moment after which what has no answer cannot be done any
  // more, and after it. The text says what is wrong; empty = nothing.
  std::string Check(const std::vector<Operation*>& operations, uint64_t gone_at);

  // The server was killed: usage that was not written is lost.
  void LoseUsage(uint64_t moment) { usage_lost_at_ = moment; }
  // It came into being without an answer, and this is what it looks like.
  void Adopt(const TokenState& state) { states_ = {state}; }

  const std::string& ns() const { return ns_; }
  const std::string& id() const { return id_; }
  const std::set<TokenState>& states() const { return states_; }

 private:
  static constexpr size_t kUnderWayMax = 64;
  struct Possibility {
    uint64_t taken_in = 0;  // a bit for each operation under way
    TokenState state;
    friend auto operator<=>(const Possibility&, const Possibility&) = default;
  };
  struct Query {
    Operation* operation;
    bool is_quiet = true;  // no write was under way
    std::set<TokenState> seen;
  };
  struct Span {
    uint64_t from = 0, to = 0;
    bool certain = true;
  };
  struct Counted {
    bool maybe = false, maybe_not = false;
  };

  void Invoke(Operation* operation);
  void Answered(Operation* operation);
  void Gone();
  // Every possibility that comes of taking in what is under way.
  std::set<Possibility> Closure(const std::set<Possibility>& possible);
  // Those that have taken it in, where they must; done with it.
  std::set<Possibility> Without(size_t slot, bool must, const std::set<Possibility>& from);
  void ForgetLeftOwners();
  void TakeInValidates(Possibility* possibility);
  bool PassesOver(const Possibility& possibility, const Operation& validate) const;
  bool MayTakeIn(const Possibility& possibility, size_t slot) const;
  void LookForQueries();
  void AnswerQuery(const Query& query);
  bool Shows(const Query& query, const client::TokenInfo& record, const TokenState& state) const;
  void CheckUsage(const Operation& get, const client::TokenInfo& record);
  void NoteUsage(const std::vector<Operation*>& operations, uint64_t gone_at);
  void Fail(const Operation& operation, const std::string& what);

  const std::string ns_, id_, name_;
  std::set<TokenState> states_;  // between two calls of Check

  // Of all calls so far.
  std::vector<Span> uses_, generations_;
  uint64_t usage_lost_at_ = 0;

  // While Check runs.
  std::set<Possibility> possible_;
  std::set<Possibility> possible_on_disk_;  // whatever validate says
  std::array<Operation*, kUnderWayMax> under_way_{};
  std::vector<Query> queries_;
  std::map<Operation*, Counted> counted_;
  std::string failure_;
};

}  // namespace tokend::testing
