// The TokenTable against a plain map: random operations, with time moving both ways. A failure
// prints its seed, RC_PARAMS="seed=..." takes it back, and the commands are shrunk to few.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/token_table.h"
#include "tests/token_table_fixture.h"

namespace tokend {
namespace {

constexpr uint64_t kKeys = 40;        // those that single commands name
constexpr uint64_t kManyKeys = 3000;  // those that come and go in hundreds
constexpr uint64_t kStart = 1'800'000'000'000;
constexpr NamespaceId kNamespaces = 2;

enum class Kind {
  kPut,
  kPutMany,
  kDeny,
  kLift,
  kRevoke,
  kDenyOwner,
  kErase,
  kEraseMany,
  kMoveTime,
  kReclaim,
  kForgetReclaimed,
  kMissesUnavailable,
  kTakeUsage,
  kQuiesce,
  kSleep,
  kEnd
};

struct Command {
  Kind kind = Kind::kPut;
  NamespaceId ns = 0;
  uint64_t number = 0;  // of a key
  uint64_t count = 0;   // of many keys, or a budget
  int64_t time_ms = 0;  // a step of the clock, or an expiry from now on
  uint32_t time_shift = 0;
  PutMode mode = PutMode::kReset;
  uint32_t owner = 0;  // 0 = none
  uint32_t scopes = 0;
  bool flag = false;

  // Steps of all sizes, from milliseconds to years.
  int64_t Step() const { return time_ms >> time_shift; }
};

// rapidcheck looks for this name. NOLINTNEXTLINE(readability-identifier-naming)
void showValue(const Command& command, std::ostream& out) {
  out << "{kind " << static_cast<int>(command.kind) << " ns " << command.ns << " number "
      << command.number << " count " << command.count << " step " << command.Step() << " mode "
      << static_cast<int>(command.mode) << " owner " << command.owner << " scopes "
      << command.scopes << " flag " << command.flag << "}";
}

}  // namespace
}  // namespace tokend

namespace rc {

template <>
struct Arbitrary<tokend::Command> {
  static Gen<tokend::Command> arbitrary() {
    using tokend::Command;
    return gen::build<Command>(
        gen::set(&Command::kind,
                 gen::weightedElement<tokend::Kind>({{12, tokend::Kind::kPut},
                                                     {2, tokend::Kind::kPutMany},
                                                     {3, tokend::Kind::kDeny},
                                                     {2, tokend::Kind::kLift},
                                                     {2, tokend::Kind::kRevoke},
                                                     {3, tokend::Kind::kDenyOwner},
                                                     {4, tokend::Kind::kErase},
                                                     {1, tokend::Kind::kEraseMany},
                                                     {5, tokend::Kind::kMoveTime},
                                                     {5, tokend::Kind::kReclaim},
                                                     {1, tokend::Kind::kForgetReclaimed},
                                                     {1, tokend::Kind::kMissesUnavailable},
                                                     {2, tokend::Kind::kTakeUsage},
                                                     {3, tokend::Kind::kQuiesce},
                                                     {1, tokend::Kind::kSleep}})),
        gen::set(&Command::ns, gen::inRange<tokend::NamespaceId>(0, tokend::kNamespaces)),
        gen::set(&Command::number, gen::inRange<uint64_t>(0, tokend::kKeys)),
        gen::set(&Command::count, gen::inRange<uint64_t>(0, 400)),
        gen::set(&Command::time_ms, gen::inRange<int64_t>(-(int64_t{1} << 40), int64_t{1} << 40)),
        gen::set(&Command::time_shift, gen::inRange<uint32_t>(0, 40)),
        gen::set(&Command::mode, gen::element(tokend::PutMode::kReset, tokend::PutMode::kKeep,
                                              tokend::PutMode::kIfAbsent)),
        gen::set(&Command::owner, gen::inRange<uint32_t>(0, 5)),
        gen::set(&Command::scopes, gen::inRange<uint32_t>(0, 4)),
        gen::set(&Command::flag, gen::arbitrary<bool>()));
  }
};

}  // namespace rc

namespace tokend {
namespace {

// What the table ought to be.
struct ModelToken {
  uint64_t expires_at_ms = kNever;
  std::optional<std::string> owner;
  std::string scopes;
  bool revoked = false;
  bool denied = false;
  bool owner_dead = false;
  uint64_t use_count = 0;
  uint64_t last_used_at_ms = 0;
};
using ModelKey = std::pair<NamespaceId, uint64_t>;

class Run {
 public:
  explicit Run(const TokenTableOptions& options)
      : grace_ms_(options.reclaim_grace_ms), table_(options), reader_(&table_) {}

  void Apply(const Command& command) {
    const ModelKey key(command.ns, command.number);
    switch (command.kind) {
      case Kind::kPut:
        Put(key, command, command.mode);
        break;
      case Kind::kPutMany:
        if (command.mode == PutMode::kIfAbsent) {
          PutAbsent(command);
          break;
        }
        for (uint64_t i = 0; i < command.count; ++i) {
          Put({command.ns, kKeys + (command.number * 73 + i) % kManyKeys}, command, command.mode);
        }
        break;
      case Kind::kDeny:
        RC_ASSERT(table_.Deny(key.first, KeyOf(key.second)) == model_.contains(key));
        if (model_.contains(key)) model_[key].denied = true;
        break;
      case Kind::kLift:
        RC_ASSERT(table_.LiftDenial(key.first, KeyOf(key.second)) == model_.contains(key));
        if (model_.contains(key)) model_[key].denied = false;
        break;
      case Kind::kRevoke:
        RC_ASSERT(table_.MarkRevoked(key.first, KeyOf(key.second)) == model_.contains(key));
        if (model_.contains(key)) model_[key].revoked = true;
        break;
      case Kind::kDenyOwner: {
        const std::string owner = OwnerName(command.owner);
        table_.DenyOwner(command.ns, owner);
        for (auto& [name, token] : model_) {
          if (name.first == command.ns && token.owner == owner) token.owner_dead = true;
        }
        break;
      }
      case Kind::kErase:
        Erase(key);
        break;
      case Kind::kEraseMany:
        for (uint64_t i = 0; i < command.count; ++i) {
          Erase({command.ns, kKeys + (command.number * 73 + i) % kManyKeys});
        }
        break;
      case Kind::kMoveTime:
        now_ms_ = At(command.Step());
        break;
      case Kind::kReclaim:
        Reclaim(command.flag ? command.count : 100000);
        break;
      case Kind::kForgetReclaimed:
        table_.ForgetReclaimedAfter(now_ms_);
        reclaimed_expiry_max_ms_ = std::min(reclaimed_expiry_max_ms_, now_ms_);
        break;
      case Kind::kMissesUnavailable:
        misses_unavailable_ = command.flag;
        table_.SetMissesUnavailable(command.flag);
        break;
      case Kind::kTakeUsage:
        TakeUsage(command.count + 1);
        break;
      case Kind::kQuiesce:
        reader_.Quiesce();
        break;
      case Kind::kSleep:
        reader_.GoOffline();
        table_.Reclaim(0, 0);  // what was retired goes while nobody looks
        reader_.GoOnline();
        break;
      case Kind::kEnd:
        break;
    }
    LookAt(key);
    if (++commands_ % 16 == 0) table_.CheckInvariants();
  }

  void LookAtAll() {
    for (NamespaceId ns = 0; ns < kNamespaces; ++ns) {
      std::vector<uint64_t> numbers(kKeys + kManyKeys);
      for (uint64_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
      LookAt(ns, numbers);
    }
    RC_ASSERT(table_.stats().tokens == model_.size());
    table_.CheckInvariants();
  }

 private:
  static std::string OwnerName(uint32_t number) {
    // Short ones, and one that takes many granules.
    return number == 4 ? std::string(300, 'o') : "owner " + std::to_string(number);
  }
  static std::string Scopes(uint32_t number) {
    return EncodedScopes(std::vector<std::string>(number, "scope " + std::to_string(number)));
  }
  uint64_t At(int64_t step_ms) const {
    const int64_t at = static_cast<int64_t>(now_ms_) + step_ms;
    return std::clamp<int64_t>(at, 0, static_cast<int64_t>(kTimeMsMax));
  }
  uint64_t ExpiryOf(const Command& command) const {
    switch (command.time_shift) {
      case 0:
        return kNever;
      case 1:
        return 0;
      case 2:
        return kTimeMsMax;
      case 3:
        return now_ms_;
      default:
        return At(command.Step());
    }
  }

  void Put(const ModelKey& key, const Command& command, PutMode mode) {
    const std::string scopes = Scopes(command.scopes);
    const std::string owner = OwnerName(command.owner);
    TokenEntry entry;
    entry.namespace_id = key.first;
    entry.key = KeyOf(key.second);
    entry.expires_at_ms = ExpiryOf(command);
    if (command.owner != 0) entry.owner = owner;
    entry.scopes_encoded = scopes;
    entry.revoked = command.flag && command.number % 3 == 0;
    const bool denied = command.flag && command.number % 3 == 1;
    bool asked = false;
    const std::function<bool()> denied_by_queue = [&] {
      asked = true;
      return denied;
    };
    const PutResult result = table_.Put(entry, mode, &denied_by_queue);

    const bool present = model_.contains(key);
    if (present && mode == PutMode::kIfAbsent) {
      RC_ASSERT(result == PutResult::kPresent);
      RC_ASSERT(!asked);
      return;
    }
    RC_ASSERT(result == PutResult::kPut);
    const bool same_owner = present && model_[key].owner == entry.owner;
    RC_ASSERT(asked == (!same_owner || mode == PutMode::kReset));
    ModelToken token;
    token.denied = denied;
    if (present && mode == PutMode::kKeep) {
      const ModelToken& old = model_[key];
      token.denied = old.denied || (!same_owner && (denied || old.owner_dead));
      token.owner_dead = old.owner_dead && same_owner;
      token.use_count = old.use_count;
      token.last_used_at_ms = old.last_used_at_ms;
    }
    token.expires_at_ms = entry.expires_at_ms;
    if (command.owner != 0) token.owner = owner;
    token.scopes = scopes;
    token.revoked = entry.revoked;
    model_[key] = token;
  }

  // Some of both kinds of keys, some of them twice.
  void PutAbsent(const Command& command) {
    const std::string scopes = Scopes(command.scopes);
    const std::string owner = OwnerName(command.owner);
    std::vector<TokenEntry> entries;
    std::vector<ModelKey> keys;
    for (uint64_t i = 0; i < command.count; ++i) {
      keys.emplace_back(command.ns, i % 3 == 0 ? (command.number + i) % kKeys
                                               : kKeys + (command.number * 73 + i) % kManyKeys);
      TokenEntry entry;
      entry.namespace_id = keys.back().first;
      entry.key = KeyOf(keys.back().second);
      entry.expires_at_ms = ExpiryOf(command);
      if (command.owner != 0 && i % 2 == 0) entry.owner = owner;
      if (i % 5 != 0) entry.scopes_encoded = scopes;
      if (i % 5 == 0) entry.scopes_encoded = kNoScopes;
      entry.revoked = command.flag && i % 7 == 0;
      entries.push_back(entry);
    }
    if (command.number % 2 == 0) table_.Reserve(command.number % 4 == 0 ? entries.size() : 3);
    const auto denied = [&](size_t i) { return command.flag && i % 4 == 1; };
    std::set<size_t> asked;
    RC_ASSERT(table_.PutMany(entries, [&](size_t i) {
      RC_ASSERT(asked.insert(i).second);
      return denied(i);
    }) == PutResult::kPut);
    for (size_t i = 0; i < entries.size(); ++i) {
      const bool present = model_.contains(keys[i]);
      RC_ASSERT(asked.contains(i) == !present);
      if (present) continue;
      ModelToken token;
      token.denied = denied(i);
      token.expires_at_ms = entries[i].expires_at_ms;
      if (entries[i].owner) token.owner = owner;
      token.scopes = std::string(entries[i].scopes_encoded);
      token.revoked = entries[i].revoked;
      model_[keys[i]] = token;
    }
  }

  void Erase(const ModelKey& key) {
    RC_ASSERT(table_.Erase(key.first, KeyOf(key.second)) == (model_.erase(key) == 1));
  }

  void Reclaim(size_t budget) {
    std::vector<TokenTable::UsageEntry> unsaved;
    const size_t handled = table_.Reclaim(now_ms_, budget, &unsaved);
    RC_ASSERT(handled <= budget);
    // With a small budget, which of the due tokens went is the table's business.
    for (auto it = model_.begin(); it != model_.end();) {
      const ModelToken& token = it->second;
      const bool due = now_ms_ >= grace_ms_ && token.expires_at_ms <= now_ms_ - grace_ms_;
      if (table_.Peek(it->first.first, KeyOf(it->first.second))) {
        RC_ASSERT(!due || handled == budget);
        ++it;
        continue;
      }
      RC_ASSERT(due);
      reclaimed_expiry_max_ms_ = std::max(reclaimed_expiry_max_ms_, token.expires_at_ms);
      const auto saved = std::find_if(unsaved.begin(), unsaved.end(), [&](const auto& entry) {
        return entry.namespace_id == it->first.first && entry.key == KeyOf(it->first.second);
      });
      RC_ASSERT((saved != unsaved.end()) == (token.use_count != 0));
      if (saved != unsaved.end()) RC_ASSERT(saved->usage.use_count == token.use_count);
      it = model_.erase(it);
    }
    RC_ASSERT(table_.reclaimed_expiry_max_ms() == reclaimed_expiry_max_ms_);
  }

  void TakeUsage(size_t limit) {
    std::map<std::pair<NamespaceId, TokenKey>, TokenTable::UsageEntry> taken;
    for (size_t shard = 0; shard < table_.shard_count(); ++shard) {
      uint64_t cursor = 0;
      do {
        std::vector<TokenTable::UsageEntry> some;
        tokend::TakeUsage(&table_, shard, &cursor, limit, &some);
        RC_ASSERT(some.size() <= limit);
        for (const auto& entry : some) {
          RC_ASSERT(taken.emplace(std::pair(entry.namespace_id, entry.key), entry).second);
        }
      } while (cursor != 0);
    }
    for (auto& [key, token] : model_) {
      if (token.use_count == 0) continue;
      const auto it = taken.find(std::pair(key.first, KeyOf(key.second)));
      RC_ASSERT(it != taken.end());
      RC_ASSERT(it->second.usage.use_count == token.use_count);
      RC_ASSERT(it->second.usage.last_used_at_ms == token.last_used_at_ms);
      RC_ASSERT(it->second.expires_at_ms == token.expires_at_ms);
      token.use_count = token.last_used_at_ms = 0;
      taken.erase(it);
    }
    RC_ASSERT(taken.empty());
  }

  void LookAt(const ModelKey& key) { LookAt(key.first, {key.second}); }
  void LookAt(NamespaceId ns, const std::vector<uint64_t>& numbers) {
    std::vector<Lookup> lookups(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i) {
      lookups[i].namespace_id = ns;
      lookups[i].key = KeyOf(numbers[i]);
    }
    table_.FindBatch(&reader_, lookups, now_ms_);
    for (size_t i = 0; i < numbers.size(); ++i) Compare({ns, numbers[i]}, lookups[i]);
  }
  void Compare(const ModelKey& key, const Lookup& lookup) {
    const auto peeked = table_.Peek(key.first, KeyOf(key.second));
    RC_ASSERT(peeked.has_value() == model_.contains(key));
    if (!peeked) {
      const bool unavailable = misses_unavailable_ || now_ms_ < reclaimed_expiry_max_ms_;
      RC_ASSERT(lookup.verdict == (unavailable ? Verdict::kUnavailable : Verdict::kUnknown));
      return;
    }
    ModelToken& token = model_[key];
    if (token.revoked || token.denied || token.owner_dead) {
      RC_ASSERT(lookup.verdict == Verdict::kRevoked);
    } else if (now_ms_ >= token.expires_at_ms) {
      RC_ASSERT(lookup.verdict == Verdict::kExpired);
    } else {
      RC_ASSERT(lookup.verdict == Verdict::kValid);
      RC_ASSERT(lookup.expires_at_ms == token.expires_at_ms);
      RC_ASSERT(lookup.owner_encoded ==
                (token.owner ? EncodedStr(*token.owner) : std::string("\xc0")));
      RC_ASSERT(lookup.scopes_encoded == token.scopes);
      ++token.use_count;
      token.last_used_at_ms = std::min(now_ms_, (uint64_t{1} << 48) - 1);
    }
    RC_ASSERT(peeked->expires_at_ms == token.expires_at_ms);
    RC_ASSERT(peeked->revoked == token.revoked);
    RC_ASSERT(peeked->denied == (token.denied || token.owner_dead));
    RC_ASSERT(peeked->usage.use_count == token.use_count);
    RC_ASSERT(peeked->usage.last_used_at_ms == token.last_used_at_ms);
  }

  const uint64_t grace_ms_;
  TokenTable table_;
  TokenTable::Reader reader_;
  std::map<ModelKey, ModelToken> model_;
  uint64_t now_ms_ = kStart;
  uint64_t reclaimed_expiry_max_ms_ = 0;
  bool misses_unavailable_ = false;
  uint64_t commands_ = 0;
};

RC_GTEST_PROP(TokenTableModelTest, AgreesWithAMap, ()) {
  TokenTableOptions options = SmallOptions();
  options.shards = *rc::gen::element<size_t>(1, 4);
  options.hash_seed = *rc::gen::arbitrary<uint64_t>();
  options.reclaim_grace_ms = *rc::gen::element<uint64_t>(0, 1000);
  const auto commands = *rc::gen::scale(
      10.0, rc::gen::container<std::vector<Command>>(rc::gen::arbitrary<Command>()));
  Run run(options);
  for (const Command& command : commands) run.Apply(command);
  run.LookAtAll();
}

}  // namespace
}  // namespace tokend
