// The validates of one read: gathered, looked up together, answered together.
//
// Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/methods.h"
#include "storage/token_table.h"

namespace tokend {

class RpcConnection;

class ValidateBatch {
 public:
  void Add(const RequestTag& tag, NamespaceId ns, const TokenKey& key) {
    requests_.push_back({tag, 1, false});
    AddLookup(ns, key);
  }
  // A validate_many: `count` calls of AddLookup follow.
  void AddMany(const RequestTag& tag, size_t count) { requests_.push_back({tag, count, true}); }
  void AddLookup(NamespaceId ns, const TokenKey& key) {
    Lookup& lookup = lookups_.emplace_back();
    lookup.key = key;
    lookup.namespace_id = ns;
  }

  bool empty() const { return requests_.empty(); }
  size_t lookups() const { return lookups_.size(); }

  // Answers all of it, or hands on what must wait for the disk; empty afterwards. All of it came
  // from this connection.
  void Run(RpcConnection& connection);

 private:
  struct Request {
    RequestTag tag;
    size_t lookups;
    bool is_many;
  };

  std::vector<Request> requests_;
  std::vector<Lookup> lookups_;  // those of each request in turn
};

}  // namespace tokend
