// What all loops share. Built by Server, outlives them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/rpc.h"
#include "protocol/tls.h"
#include "server/auth_routes.h"
#include "server/callers.h"
#include "server/census.h"
#include "server/config.h"
#include "server/counters.h"
#include "server/failed_tries.h"
#include "server/idempotency.h"
#include "server/logging.h"
#include "server/refusal_audit.h"
#include "server/replaceable.h"
#include "server/worker_pool.h"
#include "storage/clock.h"
#include "storage/mutex.h"
#include "storage/store.h"

namespace tokend {

// Which namespace each open import writes into: rows name their import alone, and the namespace's
// scheme digests their tokens. Any thread.
class OpenImports {
 public:
  void Add(const std::string& import_id, std::string namespace_name) {
    const MutexLock lock(&mutex_);
    if (!namespaces_.emplace(import_id, std::move(namespace_name)).second) return;
    order_.push_back(import_id);
    // Imports that were begun and never ended must not pile up; the oldest goes.
    if (order_.size() > kImportsMax) {
      namespaces_.erase(order_.front());
      order_.pop_front();
    }
  }
  // It has ended.
  void Remove(const std::string& import_id) {
    const MutexLock lock(&mutex_);
    if (namespaces_.erase(import_id) != 0) std::erase(order_, import_id);
  }
  std::optional<std::string> Find(std::string_view import_id) const {
    const MutexLock lock(&mutex_);
    const auto found = namespaces_.find(std::string(import_id));
    return found == namespaces_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  static constexpr size_t kImportsMax = 10000;

  mutable Mutex mutex_;
  std::unordered_map<std::string, std::string> namespaces_ TOKEND_GUARDED_BY(mutex_);
  std::deque<std::string> order_ TOKEND_GUARDED_BY(mutex_);
};

struct ServerContext {
  const Config& config;
  const RpcLimits limits;
  const Clock& clock;
  Logger& log;
  Store& store;
  WorkerPool& workers;  // queries
  WorkerPool& backups;  // one at a time
  CallerDirectory& callers;
  Replaceable<TlsContext>& tls;  // null where nothing listens for TLS
  FailedTries& failed_tries;
  RefusalAudit& refusals;
  Census& census;
  Idempotency& idempotency;
  const AuthRoutes auth_routes;
  const bool is_http_on_loopback;  // alone
  const uint64_t started_steady_ms;
  const uint64_t tick_ms;  // of each loop's timer
  // Constant once the loops run.
  std::vector<const LoopCounters*> loops{};

  OpenImports imports{};
  std::atomic<bool> stopping{false};        // a backup under way is given up
  std::atomic<uint64_t> connections{0};     // of all loops, against connections_max
  std::atomic<uint64_t> buffered_bytes{0};  // of all connections, against buffer_bytes_max
};

}  // namespace tokend
