#include "tests/model/token_history.h"

#include <algorithm>
#include <sstream>
#include <tuple>

namespace tokend::testing {
namespace {

using Kind = Operation::Kind;

uint64_t Bit(size_t slot) { return uint64_t{1} << slot; }

bool BeginsGeneration(const Operation& operation) {
  return operation.kind == Kind::kInsert || operation.kind == Kind::kRotatedTo ||
         operation.kind == Kind::kImportRow;
}

}  // namespace

std::string TokenHistory::Check(const std::vector<Operation*>& operations, uint64_t gone_at) {
  struct Event {
    uint64_t moment;
    Operation* operation;  // null: the server is gone
    bool is_answer;
  };
  std::vector<Event> events = {{gone_at, nullptr, false}};
  for (Operation* operation : operations) {
    if (operation->IsQuery() && !operation->HasAnswer()) continue;
    events.push_back({operation->invoked, operation, false});
    if (operation->HasAnswer()) events.push_back({operation->answered, operation, true});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.moment < b.moment; });
  NoteUsage(operations, gone_at);

  const std::set<TokenState> before = states_;
  possible_.clear();
  for (const TokenState& state : states_) possible_.insert({0, state});
  possible_on_disk_ = possible_;
  under_way_.fill(nullptr);
  queries_.clear();
  counted_.clear();
  failure_.clear();
  for (const Event& event : events) {
    if (event.operation == nullptr) {
      Gone();
    } else if (event.is_answer) {
      Answered(event.operation);
    } else {
      Invoke(event.operation);
    }
    if (!failure_.empty()) break;
    LookForQueries();
  }
  for (const auto& [operation, counted] : counted_) {
    operation->count_max += counted.maybe ? 1 : 0;
    operation->count_min += counted.maybe && !counted.maybe_not ? 1 : 0;
  }
  states_.clear();
  for (Possibility possibility : possible_) {
    possibility.state.BeginImport();  // imports end with their round
    states_.insert(possibility.state);
  }
  if (failure_.empty()) return {};
  std::ostringstream out;
  out << name_ << " (" << ns_ << " " << id_ << ")\n"
      << failure_ << "\nits history; at first it was\n";
  for (const TokenState& state : before) out << "    " << state << "\n";
  for (const Operation* operation : operations) out << "  " << *operation << "\n";
  out << "  server gone at " << gone_at << "\n";
  return out.str();
}

void TokenHistory::Invoke(Operation* operation) {
  if (operation->IsQuery()) {
    Query query{operation, true, {}};
    for (const Operation* other : under_way_) {
      if (other != nullptr && other->IsWrite()) query.is_quiet = false;
    }
    queries_.push_back(query);
    return;
  }
  const auto slot = std::find(under_way_.begin(), under_way_.end(), nullptr);
  if (slot == under_way_.end()) {
    Fail(*operation, "too many operations under way for this check");
    return;
  }
  *slot = operation;
  for (Operation* other : under_way_) {
    if (other == nullptr) continue;
    if (operation->kind == Kind::kRevokeOwner) other->meets_owner_revoke = true;
    if (other->kind == Kind::kRevokeOwner) operation->meets_owner_revoke = true;
  }
  if (operation->IsWrite()) {
    for (Query& query : queries_) query.is_quiet = false;
    return;
  }
  std::set<Possibility> next;
  for (Possibility possibility : possible_) {
    TakeInValidates(&possibility);
    next.insert(possibility);
  }
  possible_ = std::move(next);
}

void TokenHistory::Answered(Operation* operation) {
  if (operation->IsQuery()) {
    const auto query = std::find_if(queries_.begin(), queries_.end(),
                                    [&](const Query& open) { return open.operation == operation; });
    AnswerQuery(*query);
    queries_.erase(query);
    return;
  }
  const auto slot = static_cast<size_t>(std::find(under_way_.begin(), under_way_.end(), operation) -
                                        under_way_.begin());
  std::set<Possibility> next = Without(slot, /*must=*/true, possible_);
  if (next.empty()) {
    Fail(*operation, "no order of what is under way gives this answer");
    return;
  }
  possible_ = std::move(next);
  possible_on_disk_ = Without(slot, operation->IsWrite(), possible_on_disk_);
  under_way_[slot] = nullptr;
  ForgetLeftOwners();
}

// A revoke of an owner that is asked for later does not meet the rows that took tokens away.
void TokenHistory::ForgetLeftOwners() {
  for (const Operation* other : under_way_) {
    if (other != nullptr &&
        (other->kind == Kind::kRevokeOwner || other->kind == Kind::kImportRow)) {
      return;
    }
  }
  for (std::set<Possibility>* possible : {&possible_, &possible_on_disk_}) {
    std::set<Possibility> next;
    for (Possibility possibility : *possible) {
      possibility.state.left_owner.reset();
      next.insert(std::move(possibility));
    }
    *possible = std::move(next);
  }
}

std::set<TokenHistory::Possibility> TokenHistory::Without(size_t slot, bool must,
                                                          const std::set<Possibility>& from) {
  std::set<Possibility> next;
  for (Possibility possibility : must ? Closure(from) : from) {
    if (must && (possibility.taken_in & Bit(slot)) == 0) continue;
    possibility.taken_in &= ~Bit(slot);
    next.insert(possibility);
  }
  return next;
}

// What validate said of a revoke that was not answered need not be so any more.
void TokenHistory::Gone() {
  std::set<Possibility> next;
  for (Possibility possibility : Closure(possible_on_disk_)) {
    possibility.taken_in = 0;
    next.insert(possibility);
  }
  possible_ = possible_on_disk_ = std::move(next);
  under_way_.fill(nullptr);
}

bool TokenHistory::MayTakeIn(const Possibility& possibility, size_t slot) const {
  const Operation& operation = *under_way_[slot];
  if ((possibility.taken_in & Bit(slot)) != 0) return false;
  if (!operation.IsWrite()) return true;
  for (size_t other = 0; other < kUnderWayMax; ++other) {
    if (under_way_[other] == nullptr || (possibility.taken_in & Bit(other)) != 0) continue;
    const Operation& earlier = *under_way_[other];
    if (earlier.IsWrite() && earlier.connection == operation.connection &&
        earlier.invoked < operation.invoked) {
      return false;
    }
  }
  return true;
}

// Whether it has not taken in a revoke that held by the time the validate was asked for. Of an
// owner that tells of that owner's tokens alone: what another has may yet become this one's, by an
// insert that came before the revoke, and end then.
bool TokenHistory::PassesOver(const Possibility& possibility, const Operation& validate) const {
  for (size_t slot = 0; slot < kUnderWayMax; ++slot) {
    const Operation* revoke = under_way_[slot];
    if (revoke == nullptr || revoke->holds_from >= validate.invoked) continue;
    const bool concerns_it =
        revoke->kind != Kind::kRevokeOwner || validate.verdict.owner == revoke->owner;
    if (concerns_it && (possibility.taken_in & Bit(slot)) == 0) return true;
  }
  return false;
}

// They change nothing, so nothing is lost by taking one in as soon as it may be.
void TokenHistory::TakeInValidates(Possibility* possibility) {
  for (size_t slot = 0; slot < kUnderWayMax; ++slot) {
    Operation* operation = under_way_[slot];
    if (operation == nullptr || operation->IsWrite() || !MayTakeIn(*possibility, slot)) continue;
    if (operation->verdict.valid() && PassesOver(*possibility, *operation)) continue;
    if (!Apply(*operation, possibility->state).empty()) possibility->taken_in |= Bit(slot);
  }
}

std::set<TokenHistory::Possibility> TokenHistory::Closure(const std::set<Possibility>& possible) {
  std::set<Possibility> all = possible;
  std::vector<Possibility> left(all.begin(), all.end());
  while (!left.empty()) {
    const Possibility from = std::move(left.back());
    left.pop_back();
    for (size_t slot = 0; slot < kUnderWayMax; ++slot) {
      Operation* operation = under_way_[slot];
      if (operation == nullptr || !operation->IsWrite() || !MayTakeIn(from, slot)) continue;
      for (Step& step : Apply(*operation, from.state)) {
        if (operation->kind == Kind::kRevokeOwner || operation->kind == Kind::kPurge) {
          Counted& counted = counted_[operation];
          (step.counted ? counted.maybe : counted.maybe_not) = true;
        }
        Possibility next{from.taken_in | Bit(slot), std::move(step.next)};
        TakeInValidates(&next);
        if (all.insert(next).second) left.push_back(next);
      }
    }
  }
  return all;
}

void TokenHistory::LookForQueries() {
  if (queries_.empty()) return;
  for (const Possibility& possibility : Closure(possible_on_disk_)) {
    for (Query& query : queries_) query.seen.insert(possibility.state);
  }
}

bool TokenHistory::Shows(const Query& query, const client::TokenInfo& record,
                         const TokenState& state) const {
  const auto& clocks_ms = query.operation->clocks_ms;
  const bool names_state = std::any_of(clocks_ms.begin(), clocks_ms.end(), [&](uint64_t now_ms) {
    return state.StateName(now_ms) == record.state;
  });
  if (names_state && state.IsShownBy(record)) return true;
  // Memory's word is worked in where it is stricter: a revoke that is not on the disk yet.
  if (query.is_quiet || record.state != "revoked" || state.revoked) return false;
  TokenState denied = state;
  denied.revoked = true;
  return denied.IsShownBy(record) &&
         std::any_of(query.seen.begin(), query.seen.end(),
                     [](const TokenState& seen) { return seen.revoked; });
}

void TokenHistory::AnswerQuery(const Query& query) {
  Operation& operation = *query.operation;
  const std::set<TokenState>& seen = query.seen;
  const auto found = operation.records.find(id_);
  const client::TokenInfo* record = found == operation.records.end() ? nullptr : &found->second;
  if (record != nullptr && (record->id != id_ || record->namespace_name != ns_)) {
    Fail(operation, "a record of another token");
    return;
  }
  const auto shows = [&](const TokenState& state) {
    return record == nullptr ? !state.is_there : Shows(query, *record, state);
  };
  if (operation.kind == Kind::kGet || record != nullptr || operation.error == "unknown_namespace") {
    if (std::none_of(seen.begin(), seen.end(), shows)) {
      std::ostringstream out;
      out << "it shows what was not so at any moment";
      if (record != nullptr) {
        out << ": state " << record->state << ", expires "
            << (record->expires_at_ms ? std::to_string(*record->expires_at_ms) : "never")
            << ", owner " << record->owner.value_or("-") << ", name " << record->name.value_or("-")
            << ", created " << record->created_at_ms << ", updated " << record->updated_at_ms
            << ", generation " << record->generation;
      }
      Fail(operation, out.str());
      return;
    }
  }
  if (operation.kind == Kind::kGet) {
    if (!query.is_quiet) return;
    for (std::set<Possibility>* possible : {&possible_, &possible_on_disk_}) {
      std::erase_if(*possible, [&](const Possibility& one) { return !shows(one.state); });
    }
    if (possible_.empty()) Fail(operation, "it shows what validate did not");
    // Otherwise some of it may be on its way from memory to the disk, where nobody sees it.
    if (record != nullptr && operation.is_at_rest) CheckUsage(operation, *record);
    return;
  }
  if (!operation.error.empty()) return;

  bool always = true, ever = false, moves = false;
  for (const TokenState& state : seen) {
    for (const uint64_t now_ms : operation.clocks_ms) {
      const bool matches = state.Matches(operation.filters, now_ms);
      always = always && matches;
      ever = ever || matches;
    }
    moves = moves || state.expires_at_ms != seen.begin()->expires_at_ms ||
            state.revoked != seen.begin()->revoked;
  }
  if (operation.kind == Kind::kCount) {
    operation.count_min += always ? 1 : 0;
    operation.count_max += ever ? 1 : 0;
    return;
  }
  if (record != nullptr && !ever) Fail(operation, "it is given, and never matched");
  const bool may_be_passed =
      moves && !operation.filters.order.empty() && operation.filters.order != "key";
  if (record == nullptr && always && !may_be_passed) {
    Fail(operation, "it is not given, and matched throughout");
  }
}

void TokenHistory::NoteUsage(const std::vector<Operation*>& operations, uint64_t gone_at) {
  for (const Operation* operation : operations) {
    const bool answered = operation->HasAnswer();
    const uint64_t to = answered ? operation->answered : gone_at;
    if (operation->kind == Kind::kValidate) {
      if (!answered || operation->verdict.valid()) {
        // While the server loads, what the disk answers is not counted.
        uses_.push_back({operation->invoked, to, answered && !operation->may_be_unavailable});
      }
    } else if (BeginsGeneration(*operation) && operation->error.empty()) {
      // Of an import's row only the model of the whole knows whether the token was new.
      const bool certain = answered && operation->kind != Kind::kImportRow;
      generations_.push_back({operation->invoked, to, certain});
    }
  }
}

// Every validate of this generation that found it valid, and no other.
void TokenHistory::CheckUsage(const Operation& get, const client::TokenInfo& record) {
  // The generation began with one of those that no other certainly came after.
  uint64_t latest_from = 0, begun_from = 0, begun_to = usage_lost_at_;
  for (const Span& begun : generations_) {
    if (begun.from > get.answered) continue;
    begun_to = std::max(begun_to, begun.to);
    if (begun.certain) latest_from = std::max(latest_from, begun.from);
  }
  begun_from = latest_from;
  for (const Span& begun : generations_) {
    if (begun.certain && begun.to >= latest_from) begun_from = std::min(begun_from, begun.from);
  }
  uint64_t least = 0, most = 0;
  for (const Span& use : uses_) {
    if (use.from < get.answered && use.to > begun_from) ++most;
    if (use.certain && use.to < get.invoked && use.from > begun_to) ++least;
  }
  if (record.use_count < least || record.use_count > most) {
    Fail(get, "use_count is " + std::to_string(record.use_count) + ", not " +
                  std::to_string(least) + " to " + std::to_string(most));
  } else if (record.last_used_at_ms.has_value() != (record.use_count > 0)) {
    Fail(get, "last_used_at and use_count do not agree");
  }
}

void TokenHistory::Fail(const Operation& operation, const std::string& what) {
  std::ostringstream out;
  out << what << "\n  " << operation << "\nwhen it may have been\n";
  std::set<TokenState> states;
  for (const Possibility& possibility : possible_) states.insert(possibility.state);
  for (const TokenState& state : states) out << "    " << state << "\n";
  failure_ = out.str();
}

}  // namespace tokend::testing
