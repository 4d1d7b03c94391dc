// From messages to handlers: what one loop needs to answer requests.
//
// Loop thread only. A read's messages go through TryValidate() or Dispatch() after Begin(). Its
// validates are gathered, with those of the loop's other connections, until RunValidates().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocol/digest.h"
#include "protocol/params.h"
#include "protocol/rpc.h"
#include "server/context.h"
#include "server/methods.h"
#include "server/space.h"
#include "server/validate_batch.h"
#include "server/validate_frame.h"
#include "storage/store.h"

namespace tokend {

class Loop;
class Connection;

// The store's namespaces as this loop last saw them, with the secrets of the configuration; asked
// for again only when they have changed.
class NamespaceCache {
 public:
  NamespaceCache(Store& store, const Config& config) : store_(store), config_(config) {}

  void Refresh() {
    if (const uint64_t version = store_.namespaces_version(); version != version_) Load(version);
  }
  // Null if there is none, which is never for long; or if it has no keys, as below.
  const Space* DefaultWithKeys() const { return default_; }
  // Null if there is none of that name, or if it has no keys: who finds one need not ask.
  const Space* FindWithKeys(std::string_view name) const {
    if (default_ != nullptr && name == kDefaultNamespace) return default_;
    const auto found = with_keys_.find(name);
    return found == with_keys_.end() ? nullptr : &found->second;
  }
  // Null if there is none of that name.
  const Space* Find(std::string_view name) const {
    if (const Space* space = FindWithKeys(name)) return space;
    const auto found = without_keys_.find(name);
    return found == without_keys_.end() ? nullptr : &found->second;
  }

 private:
  void Load(uint64_t version);

  // A look-up by view needs no string of its own.
  using Spaces = std::unordered_map<std::string_view, Space>;

  Store& store_;
  const Config& config_;
  uint64_t version_ = UINT64_MAX;
  std::shared_ptr<const NamespaceMap> namespaces_;  // whose names the views are
  Spaces with_keys_, without_keys_;
  const Space* default_ = nullptr;
};

// This loop's TokenTable::Reader. Online from the first look-up after a sleep: libuv runs its I/O
// callbacks inside the wait itself, so there is no single place after a sleep to go online at.
class TableReader {
 public:
  explicit TableReader(TokenTable& table) : table_(table), reader_(&table) { Sleep(); }

  void Find(std::span<Lookup> lookups, uint64_t now_ms) {
    if (!online_) reader_.GoOnline();
    online_ = true;
    table_.FindBatch(&reader_, lookups, now_ms);
  }
  // Every view that Find() gave is done with.
  void Quiesce() {
    if (online_) reader_.Quiesce();
  }
  void Sleep() {
    if (online_) reader_.GoOffline();
    online_ = false;
  }

 private:
  TokenTable& table_;
  TokenTable::Reader reader_;
  bool online_ = true;  // as a new Reader is
};

class Dispatcher {
 public:
  Dispatcher(Loop& loop, ServerContext& server);

  void Begin() { namespaces_.Refresh(); }
  // Gathers the validate or validate_many at the front of `bytes` if it has the common form, and
  // gives its size; else 0, and ReadFrame must see to it.
  size_t TryValidate(Connection& connection, std::string_view bytes);
  // A request or a notification.
  void Dispatch(Connection& connection, const Frame& frame);
  // Looks up what has been gathered and puts the answers into their connections' output.
  void RunValidates();
  // The loop is about to sleep.
  void Sleep() { reader_.Sleep(); }

  // --- for handlers ---
  Loop& loop() { return loop_; }
  ServerContext& server() { return server_; }
  NamespaceCache& namespaces() { return namespaces_; }
  TableReader& reader() { return reader_; }
  ValidateBatch& batch() { return batch_; }
  Digester& digester() { return digester_; }
  // Requires of a token that is no key: space.has_keys().
  TokenKey KeyOf(const TokenRef& token, const Space& space) {
    return token.is_key ? token.key
                        : digester_.Digest(space.scheme, token.token.bytes(), space.secret.bytes());
  }
  // Reused by the handler of validate_many, so that it allocates nothing in steady state.
  TokensParams& tokens_params() { return tokens_params_; }
  // Counts a notification that could not be done, and logs some of them.
  void NotificationFailed(const Method* method, const Status& error);

 private:
  size_t TryValidateMany(Connection& connection, std::string_view bytes);

  Loop& loop_;
  ServerContext& server_;
  const Method* const validate_;
  const Method* const validate_many_;
  NamespaceCache namespaces_;
  Digester digester_;
  TableReader reader_;
  ValidateBatch batch_;
  uint64_t taken_ = 0;  // validates that TryValidate took and that are not counted yet
  // Of the last ones: to make a new one takes as long as to read it.
  ValidateFrame frame_;
  ValidateManyFrame many_frame_;
  TokensParams tokens_params_;
  LogLimiter log_limiter_;
};

}  // namespace tokend
