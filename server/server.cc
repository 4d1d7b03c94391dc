#include "server/server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "server/listener.h"
#include "server/methods.h"
#include "tokend_version.h"

namespace tokend {
namespace {

StoreOptions MakeStoreOptions(const Config& config, const ServerParts& parts,
                              StoreListener* listener) {
  StoreOptions options;
  options.data_dir = config.data_dir;
  options.table.tokens_max = config.tokens_max;
  options.table.memory_bytes_max = config.memory_bytes_max;
  std::random_device random;
  options.table.hash_seed = uint64_t{random()} << 32 | random();
  options.clock = parts.clock;
  options.env = parts.env;
  options.listener = listener;
  options.durability = config.durability == "interval" ? Durability::kInterval
                       : config.durability == "none"   ? Durability::kNone
                                                       : Durability::kSync;
  options.sync_interval_ms = config.sync_interval_ms;
  options.retention_ms = config.retention_ms;
  options.clock_gap_accept_ms = config.clock_gap_accept_ms;
  options.namespaces_max = config.namespaces_max;
  options.queue_mutations_max = config.queue_mutations_max;
  options.queue_bytes_max = config.queue_bytes_max;
  options.load_threads = config.load_threads;
  options.usage_flush_interval_ms = config.usage_flush_interval_ms;
  options.block_cache_bytes = config.block_cache_bytes;
  options.write_buffer_bytes = config.write_buffer_bytes;
  options.import_direct_rows = config.import_direct_rows;
  options.import_run_bytes = config.import_run_bytes;
  options.sealer = config.sealer;
  options.audit_file = config.audit_file;
  return options;
}

bool AreLoopback(const std::vector<Endpoint>& endpoints) {
  return std::ranges::all_of(endpoints, &Endpoint::IsLoopback);
}

std::string_view ProtocolName(const ListenerKind& kind) {
  if (kind.protocol == ListenerProtocol::kRpc) return kind.is_tls ? "rpc-tls" : "rpc";
  return kind.is_tls ? "http-tls" : "http";
}

// None where nothing listens for it.
Status MakeTls(const Config& config, std::shared_ptr<const TlsContext>* tls) {
  if (!config.has_tls()) return Status::Ok();
  return TlsContext::MakeServer(
      {.certificate_file = config.tls_certificate_file,
       .key_file = config.tls_key_file,
       .client_ca_file = config.tls_client_ca_file,
       .client_certificate_required = config.tls_client_certificates == "required",
       .only_1_3 = config.tls_version_min == "1.3"},
      tls);
}

size_t LoopCount(const Config& config) {
  if (config.threads != 0) return config.threads;
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

Status Server::Start(const Config& config, const ServerParts& parts, Logger& log,
                     std::unique_ptr<Server>* server) {
  if (Status status = CheckMethods(); !status.ok()) return status;
  std::unique_ptr<Server> started(new Server(config, log));
  try {
    if (Status status = started->Open(parts); !status.ok()) return status;
  } catch (const std::runtime_error& error) {
    return Status(ErrorCode::kInternal, error.what());
  }
  *server = std::move(started);
  return Status::Ok();
}

Server::~Server() { Stop(); }

Status Server::Open(const ServerParts& parts) {
  clock_ = parts.clock != nullptr ? parts.clock : &SystemClock();
  log_.Info("start", {{"version", TOKEND_VERSION},
                      {"pid", static_cast<int64_t>(getpid())},
                      {"data_dir", config_.data_dir},
                      {"threads", LoopCount(config_)}});
  Status status = DirectoryLock::Take(config_.data_dir, &lock_);
  if (!status.ok()) return status;
  std::shared_ptr<const TlsContext> tls;
  if (status = MakeTls(config_, &tls); !status.ok()) return status;
  tls_ = std::make_unique<Replaceable<TlsContext>>(std::move(tls));
  status = BindTcp(config_.listen, {.protocol = ListenerProtocol::kRpc}, &rpc_endpoints_);
  if (!status.ok()) return status;
  if (status = BindUnix(); !status.ok()) return status;
  status = BindTcp(config_.http, {.protocol = ListenerProtocol::kHttp}, &http_endpoints_);
  if (!status.ok()) return status;
  status = BindTcp(config_.listen_tls, {.protocol = ListenerProtocol::kRpc, .is_tls = true},
                   &rpc_tls_endpoints_);
  if (!status.ok()) return status;
  status = BindTcp(config_.http_tls, {.protocol = ListenerProtocol::kHttp, .is_tls = true},
                   &http_tls_endpoints_);
  if (!status.ok()) return status;
  status = Store::Open(MakeStoreOptions(config_, parts, &store_log_), &store_);
  if (!status.ok()) return status;
  if (status = CreateNamespaces(); !status.ok()) return status;
  workers_ = std::make_unique<WorkerPool>("query", ThreadRole::kServing, config_.query_threads,
                                          config_.query_queue_max, 2 * config_.message_bytes_max);
  backups_ = std::make_unique<WorkerPool>("backup", ThreadRole::kBackground, 1, 1, SIZE_MAX);
  callers_ = std::make_unique<CallerDirectory>(std::make_shared<Callers>(config_.callers));
  failed_tries_ = std::make_unique<FailedTries>(*clock_);
  refusals_ = std::make_unique<RefusalAudit>(*store_, *clock_);
  census_ = std::make_unique<Census>(*store_, *clock_);
  idempotency_ = std::make_unique<Idempotency>(*clock_);
  context_.reset(new ServerContext{
      .config = config_,
      .limits = {.message_bytes_max = config_.message_bytes_max,
                 .depth_max = config_.nesting_max,
                 .many_max = config_.many_max},
      .clock = *clock_,
      .log = log_,
      .store = *store_,
      .workers = *workers_,
      .backups = *backups_,
      .callers = *callers_,
      .tls = *tls_,
      .failed_tries = *failed_tries_,
      .refusals = *refusals_,
      .census = *census_,
      .idempotency = *idempotency_,
      .auth_routes = AuthRoutes(config_.routes),
      .is_http_on_loopback = AreLoopback(http_endpoints_) && AreLoopback(http_tls_endpoints_),
      .started_steady_ms = clock_->SteadyMs(),
      .tick_ms = parts.tick_ms,
  });
  for (size_t i = 0; i < LoopCount(config_); ++i) {
    loops_.push_back(std::make_unique<Loop>(*context_, loops_.size()));
    context_->loops.push_back(&std::as_const(*loops_.back()).counters());
  }
  for (Sockets& sockets : sockets_) {
    for (size_t i = 0; i < loops_.size(); ++i) {
      status = loops_[i]->Listen(std::move(sockets.fds[i]), sockets.kind);
      if (!status.ok()) return status;
    }
  }
  sockets_.clear();
  for (const std::unique_ptr<Loop>& loop : loops_) {
    if (status = loop->Start(); !status.ok()) return status;
  }
  return Status::Ok();
}

Status Server::CreateNamespaces() {
  const auto origin = std::make_shared<const Origin>(Origin{{}, {}, "configuration"});
  for (const NamespaceConfig& space : config_.namespaces) {
    Outcome outcome;
    Status status = store_->SubmitAndWait(
        {space.name, CreateNamespaceMutation{space.scheme}, {}, origin}, &outcome);
    if (!status.ok()) return status;
  }
  std::set<std::string_view> with_secret;
  for (const NamespaceConfig& space : config_.namespaces) {
    if (!space.secret.empty()) with_secret.insert(space.name);
  }
  const auto namespaces = store_->namespaces();
  for (const auto& [name, info] : *namespaces) {
    if (!TakesSecret(info.scheme) || with_secret.contains(name)) continue;
    log_.Warning("secret_missing",
                 {{"namespace", name}, {"scheme", DigestSchemeName(info.scheme)}});
  }
  return Status::Ok();
}

Status Server::BindTcp(const std::string& text, const ListenerKind& kind,
                       std::vector<Endpoint>* bound) {
  std::vector<Endpoint> endpoints;
  Status status = ResolveEndpoints(text, &endpoints);
  if (!status.ok()) return status;
  for (const Endpoint& endpoint : endpoints) {
    Sockets sockets{kind, {}};
    status = OpenTcpListeners(endpoint, LoopCount(config_), static_cast<int>(config_.backlog),
                              &sockets.fds, &bound->emplace_back());
    if (!status.ok()) return status;
    sockets_.push_back(std::move(sockets));
    log_.Info("listening",
              {{"protocol", ProtocolName(kind)}, {"address", bound->back().ToString()}});
  }
  return Status::Ok();
}

Status Server::BindUnix() {
  const std::string path = config_.UnixSocketPath();
  if (path.empty()) return Status::Ok();
  Sockets sockets{{.protocol = ListenerProtocol::kRpc, .is_unix = true}, {}};
  Status status =
      OpenUnixListeners(path, LoopCount(config_), static_cast<int>(config_.backlog), &sockets.fds);
  if (!status.ok()) return status;
  unix_path_ = path;
  sockets_.push_back(std::move(sockets));
  log_.Info("listening",
            {{"protocol", ProtocolName(sockets_.back().kind)}, {"address", "unix:" + path}});
  return Status::Ok();
}

void Server::Reload(const Config& config) {
  // What it listens on stays, whatever the file says now.
  if (config.callers.empty() &&
      !(AreLoopback(rpc_endpoints_) && AreLoopback(http_endpoints_) &&
        AreLoopback(rpc_tls_endpoints_) && AreLoopback(http_tls_endpoints_))) {
    log_.Error(
        "reload_failed",
        {{"error", "no [[caller]] is left, and it listens on other addresses than loopback"}});
    return;
  }
  std::shared_ptr<const TlsContext> tls;
  // Whether there are such listeners the start has decided.
  if (tls_->Get() != nullptr) {
    if (const Status status = MakeTls(config, &tls); !status.ok()) {
      log_.Error("reload_failed", {{"error", status.message()}});
      return;
    }
    if (tls == nullptr) {
      log_.Error("reload_failed",
                 {{"error", "listen_tls and http_tls are off now; that takes a restart"}});
      return;
    }
    tls_->Replace(std::move(tls));
  }
  callers_->Replace(std::make_shared<Callers>(config.callers));
  log_.Info("reloaded", {{"callers", config.callers.size()}});
}

void Server::Stop() {
  if (lock_ == nullptr) return;  // never opened, or stopped already
  const bool served = store_ != nullptr;
  const uint64_t drain_until_ms = clock_->SteadyMs() + config_.drain_ms;
  if (context_ != nullptr) context_->stopping.store(true, std::memory_order_relaxed);
  for (const std::unique_ptr<Loop>& loop : loops_) loop->BeginDrain(drain_until_ms);
  for (const std::unique_ptr<Loop>& loop : loops_) loop->Join();
  if (workers_ != nullptr) workers_->Stop();
  if (backups_ != nullptr) backups_->Stop();
  // Before the loops go: the Committer may still hand answers over, to loops that drop them.
  store_.reset();
  loops_.clear();
  sockets_.clear();
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
  lock_.reset();
  if (served) log_.Info("stopped");
}

}  // namespace tokend
