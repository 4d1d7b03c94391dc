// The validates of a turn of the loop, from any of its connections: gathered, digested and looked
// up together, so that memory's latency overlaps, and answered together.
//
// Loop thread only. Tokens are views into what was read, which stays until Run().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/digest.h"
#include "protocol/params.h"
#include "server/connection.h"
#include "server/methods.h"
#include "server/space.h"
#include "server/stream.h"
#include "storage/store.h"
#include "storage/token_table.h"

namespace tokend {

class Dispatcher;

class ValidateBatch {
 public:
  // Requires of a token that is no key: space.has_keys(), as AddLookup does.
  void Add(Connection& connection, const RequestTag& tag, const Space& space,
           const TokenRef& token) {
    AddRequest(connection, tag, 1, false);
    AddLookup(space, token);
  }
  // A validate_many: `count` calls of AddLookup or AddUnavailable follow.
  void AddMany(Connection& connection, const RequestTag& tag, size_t count) {
    AddRequest(connection, tag, count, true);
  }
  void AddLookup(const Space& space, const TokenRef& token) {
    if (token.is_key) {
      Lookup& lookup = lookups_.emplace_back();
      lookup.namespace_id = space.id;
      lookup.key = token.key;
    } else {
      AddLookup(space, token.token);
    }
  }
  void AddLookup(const Space& space, SecretView token) {
    lookups_.emplace_back().namespace_id = space.id;
    if (IsSha256(space.scheme)) [[likely]] {
      undigested_.push_back({DigestedPart(space.scheme, token.bytes()), lookups_.size() - 1});
    } else {
      others_.push_back({token, lookups_.size() - 1, space.scheme, space.secret});
    }
  }
  // A token that cannot become a key. The disk is asked about none of its request, not even while
  // the store is loading.
  void AddUnavailable() {
    unavailable_.push_back(lookups_.size());
    lookups_.emplace_back();
    requests_.back().may_ask_disk = false;
  }

  bool empty() const { return requests_.empty(); }
  size_t lookups() const { return lookups_.size(); }

  // Answers all of it, or hands on what must wait for the disk; empty afterwards. Answers are put
  // into the output of those connections that are still there, and not sent.
  void Run(Dispatcher& dispatcher);

 private:
  struct Request {
    StreamRef from;
    RequestTag tag;
    size_t lookups;
    bool is_many;
    bool may_ask_disk;
  };

  class Answerer;

  struct Undigested {
    std::string_view part;
    size_t lookup;  // whose key it is
  };
  struct OtherUndigested {
    SecretView token;
    size_t lookup;
    DigestScheme scheme;  // !IsSha256()
    SecretView secret;
  };

  void AddRequest(Connection& connection, const RequestTag& tag, size_t lookups, bool is_many) {
    connection.ValidateGathered();
    requests_.push_back({connection.ref(), tag, lookups, is_many, true});
  }
  void Digest(Digester& digester);

  std::vector<Request> requests_;
  std::vector<Undigested> undigested_;
  std::vector<OtherUndigested> others_;
  std::vector<size_t> unavailable_;  // of lookups_
  std::vector<Lookup> lookups_;      // those of each request in turn
};

}  // namespace tokend
