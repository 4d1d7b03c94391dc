// The whole server, built by hand and in order, each step with its undo.
//
//   Start()                                      undone by Stop()
//   1 the directory's lock                        7 given back
//   2 sockets: ports and path are ours            6 closed; socket file removed
//   3 Store::Open, configured namespaces          5 Store closed: what was submitted is committed
//                                                   (durable)
//   4 worker pools                                4 joined: no query runs
//   5 loops run: requests are answered            3 loops drained and joined: all is answered that
//                                                   could be in time, every connection closed
//
// The lock comes first: who holds it may take a dead server's socket file away. The sockets come
// before the store, which may take a second to open: who connects meanwhile waits in the kernel,
// and is answered as soon as there is an answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "protocol/error.h"
#include "server/config.h"
#include "server/context.h"
#include "server/endpoint.h"
#include "server/logging.h"
#include "server/loop.h"
#include "server/store_log.h"
#include "server/worker_pool.h"
#include "storage/clock.h"
#include "storage/directory_lock.h"
#include "storage/store.h"

namespace tokend {

// What a test puts in the place of the system's.
struct ServerParts {
  const Clock* clock = nullptr;  // null = SystemClock()
  rocksdb::Env* env = nullptr;   // null = rocksdb::Env::Default()
  uint64_t tick_ms = 100;        // how often a loop looks for connections that are overdue
};

class Server {
 public:
  // Requires a config that CheckConfig finds right. `log` outlives the server. The error is one
  // line for whoever started it.
  static Status Start(const Config& config, const ServerParts& parts, Logger& log,
                      std::unique_ptr<Server>* server);
  ~Server();  // Stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Drains and closes, in order; returns when all is closed. Any thread, once.
  void Stop();

  // Takes over what a running server can of the settings that were read anew: the callers and the
  // files of TLS. All of it, or, where something is wrong, nothing, and the log says what.
  void Reload(const Config& config);

  Store& store() { return *store_; }
  // Of each loop; for as long as it is there.
  const std::vector<const LoopCounters*>& loop_counters() const { return context_->loops; }
  // Where it listens, with the ports that were given for port 0.
  const std::vector<Endpoint>& rpc_endpoints() const { return rpc_endpoints_; }
  const std::vector<Endpoint>& http_endpoints() const { return http_endpoints_; }
  const std::vector<Endpoint>& rpc_tls_endpoints() const { return rpc_tls_endpoints_; }
  const std::vector<Endpoint>& http_tls_endpoints() const { return http_tls_endpoints_; }
  const std::string& unix_path() const { return unix_path_; }  // empty = none

 private:
  Server(const Config& config, Logger& log) : config_(config), log_(log), store_log_(log) {}

  Status Open(const ServerParts& parts);
  // Listening sockets of one address, one for each loop.
  struct Sockets {
    ListenerKind kind;
    std::vector<UniqueFd> fds;
  };

  Status CreateNamespaces();
  Status BindTcp(const std::string& text, const ListenerKind& kind, std::vector<Endpoint>* bound);
  Status BindUnix();

  const Config config_;
  Logger& log_;
  StoreLog store_log_;
  const Clock* clock_ = nullptr;
  std::string unix_path_;
  std::vector<Endpoint> rpc_endpoints_, http_endpoints_, rpc_tls_endpoints_, http_tls_endpoints_;
  // In the order of building; see above for that of taking down.
  std::unique_ptr<DirectoryLock> lock_;
  std::vector<Sockets> sockets_;  // until the loops have them
  std::unique_ptr<Store> store_;
  std::unique_ptr<WorkerPool> workers_, backups_;
  std::unique_ptr<CallerDirectory> callers_;
  std::unique_ptr<Replaceable<TlsContext>> tls_;
  std::unique_ptr<FailedTries> failed_tries_;
  std::unique_ptr<RefusalAudit> refusals_;
  std::unique_ptr<Census> census_;
  std::unique_ptr<Idempotency> idempotency_;
  std::unique_ptr<ServerContext> context_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace tokend
