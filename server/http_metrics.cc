// GET /metrics, as Prometheus reads it: the numbers of `stats`, by the names and in the units that
// Prometheus has for such things.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "server/context.h"
#include "server/http_endpoints.h"

namespace tokend {
namespace {

using Stats = nlohmann::json;

constexpr std::string_view kType = "text/plain; version=0.0.4; charset=utf-8";

// One number of stats that is one metric.
struct Row {
  std::string_view stat, metric, type, help;
  double unit = 1;  // what the stat is multiplied by
};

constexpr Row kRows[] = {
    {"uptime_ms", "tokend_uptime_seconds", "gauge", "Time since the start.", 1e-3},
    {"connections", "tokend_connections", "gauge", "Open connections."},
    {"connections_total", "tokend_connections_accepted_total", "counter", "Connections accepted."},
    {"connections_refused_total", "tokend_connections_refused_total", "counter",
     "Connections over connections_max."},
    {"timeouts_total", "tokend_connection_timeouts_total", "counter",
     "Connections closed by a time-out."},
    {"protocol_errors_total", "tokend_protocol_errors_total", "counter",
     "Connections closed for what they sent."},
    {"callers_refused_total", "tokend_callers_refused_total", "counter", "Wrong client secrets."},
    {"bytes_in_total", "tokend_received_bytes_total", "counter", "Bytes received."},
    {"bytes_out_total", "tokend_sent_bytes_total", "counter", "Bytes sent."},
    {"requests_total", "tokend_rpc_requests_total", "counter", "MessagePack-RPC requests."},
    {"notifications_total", "tokend_rpc_notifications_total", "counter",
     "MessagePack-RPC notifications."},
    {"notifications_failed_total", "tokend_rpc_notifications_failed_total", "counter",
     "Notifications that could not be done."},
    {"http_requests_total", "tokend_http_requests_total", "counter", "HTTP requests."},
    {"tls_handshakes_total", "tokend_tls_handshakes_total", "counter", "TLS handshakes."},
    {"tls_resumed_total", "tokend_tls_handshakes_resumed_total", "counter",
     "Those that went on with an earlier session."},
    {"tls_failed_total", "tokend_tls_failures_total", "counter",
     "Handshakes and TLS connections that failed."},
    {"errors_total", "tokend_request_errors_total", "counter", "Requests answered with an error."},
    {"buffered_bytes", "tokend_buffered_bytes", "gauge",
     "Unfinished messages and untaken answers of all connections."},
    {"namespaces", "tokend_namespaces", "gauge", "Namespaces."},
    {"tokens", "tokend_tokens", "gauge", "Tokens in memory."},
    {"owners", "tokend_owners", "gauge", "Owners of tokens in memory."},
    {"scope_sets", "tokend_scope_sets", "gauge", "Different sets of scopes in memory."},
    {"reclaimed_total", "tokend_reclaimed_total", "counter",
     "Expired tokens that memory has let go."},
    {"mutations_total", "tokend_mutations_total", "counter", "Writes committed."},
    {"commits_total", "tokend_commits_total", "counter", "Groups of writes committed."},
    {"commit_bytes_total", "tokend_commit_bytes_total", "counter", "Bytes of those."},
    {"commit_us_total", "tokend_commit_seconds_total", "counter",
     "Time that writing and syncing them took.", 1e-6},
    {"fsyncs_total", "tokend_fsyncs_total", "counter", "Syncs of the log."},
    {"fsync_us_total", "tokend_fsync_seconds_total", "counter", "Time that those took.", 1e-6},
    {"queue_mutations", "tokend_queue_mutations", "gauge", "Writes that wait for the disk."},
    {"queue_bytes", "tokend_queue_bytes", "gauge", "Bytes of writes that wait for the disk."},
    {"usage_flushed_total", "tokend_usage_flushed_total", "counter",
     "Tokens whose last use was written."},
    {"audit_lines", "tokend_audit_lines_total", "counter", "Lines of the audit log."},
    {"audit_lines_written", "tokend_audit_lines_written_total", "counter",
     "Lines of the audit log that are in its file, and on its disk."},
    {"audit_suppressed_total", "tokend_audit_suppressed_total", "counter",
     "Refused callers that have no line, since there were too many."},
    {"reclaim_lag_ms", "tokend_wheel_lag_seconds", "gauge",
     "For how long memory has had expired tokens that were due to leave it.", 1e-3},
    {"memory_bytes_max", "tokend_memory_bound_bytes", "gauge", "memory_bytes_max; 0 = none."},
    {"memtable_bytes", "tokend_rocksdb_memtable_bytes", "gauge", "RocksDB's memtables."},
    {"block_cache_bytes", "tokend_rocksdb_block_cache_bytes", "gauge", "RocksDB's block cache."},
    {"level0_files", "tokend_rocksdb_level0_files", "gauge",
     "Files in level 0, of the column family that has most."},
    {"pending_compaction_bytes", "tokend_rocksdb_pending_compaction_bytes", "gauge",
     "About what compactions have to rewrite."},
    {"write_stalled", "tokend_rocksdb_write_stalled", "gauge",
     "1 while RocksDB slows writes down or has stopped them."},
    {"disk_bytes", "tokend_disk_bytes", "gauge", "Bytes of RocksDB's files."},
    {"load_records", "tokend_load_records", "gauge", "Records loaded at the start so far."},
    {"load_records_estimate", "tokend_load_records_estimate", "gauge",
     "About how many there are to load."},
};

class Page {
 public:
  explicit Page(const Stats& stats) : stats_(stats) {}

  void Begin(std::string_view metric, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} {2}\n", metric, help,
                   type);
  }
  void Sample(std::string_view metric, std::string_view labels, double value) {
    fmt::format_to(std::back_inserter(text_), "{}{} {}\n", metric, labels, value);
  }
  // A map of stats as one metric with a label.
  void Map(std::string_view stat, std::string_view metric, std::string_view label,
           std::string_view help) {
    Begin(metric, "counter", help);
    for (const auto& [key, value] : stats_.at(stat).items()) {
      Sample(metric, fmt::format("{{{}=\"{}\"}}", label, key), value.get<double>());
    }
  }
  double Number(std::string_view stat) const { return stats_.at(stat).get<double>(); }
  const Stats& stats() const { return stats_; }
  const std::string& text() const { return text_; }

 private:
  const Stats& stats_;
  std::string text_;
};

// As the text format wants it in quotes.
std::string Label(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return text;
}

void WriteState(Page* page) {
  page->Begin("tokend_build_info", "gauge", "The version that runs.");
  page->Sample("tokend_build_info",
               fmt::format("{{version=\"{}\"}}", page->stats().at("version").get<std::string>()),
               1);
  page->Begin("tokend_state", "gauge", "1 for the state that the store is in.");
  const std::string now = page->stats().at("state").get<std::string>();
  for (const StoreState state : {StoreState::kLoading, StoreState::kReady, StoreState::kReadOnly}) {
    const std::string_view name = StoreStateName(state);
    page->Sample("tokend_state", fmt::format("{{state=\"{}\"}}", name), name == now ? 1 : 0);
  }
}

void WriteAudit(Page* page) {
  page->Begin("tokend_audit_failed", "gauge", "1 while the audit log's file cannot be written.");
  page->Sample("tokend_audit_failed", "",
               page->stats().at("audit_failure").get<std::string>().empty() ? 0 : 1);
}

void WriteMemory(Page* page) {
  page->Begin("tokend_memory_bytes", "gauge", "Memory by what it is for.");
  for (const auto& [stat, part] : {std::pair("slot_bytes", "slots"),
                                   {"index_bytes", "index"},
                                   {"wheel_bytes", "wheel"},
                                   {"owner_bytes", "owners"},
                                   {"rocksdb_memory_bytes", "rocksdb"}}) {
    page->Sample("tokend_memory_bytes", fmt::format("{{part=\"{}\"}}", part), page->Number(stat));
  }
}

void WriteHistogram(std::string_view stat, std::string_view us_total, std::string_view metric,
                    std::string_view help, Page* page) {
  page->Begin(metric, "histogram", help);
  // Cumulative already; JSON has its keys in the order of text.
  std::map<double, double> buckets;
  for (const auto& [bound_us, count] : page->stats().at(stat).items()) {
    if (bound_us != "inf") buckets[std::stod(bound_us) / 1e6] = count.get<double>();
  }
  const std::string bucket = fmt::format("{}_bucket", metric);
  for (const auto& [bound, count] : buckets) {
    page->Sample(bucket, fmt::format("{{le=\"{}\"}}", bound), count);
  }
  const double all = page->stats().at(stat).at("inf").get<double>();
  page->Sample(bucket, "{le=\"+Inf\"}", all);
  page->Sample(fmt::format("{}_sum", metric), "", page->Number(us_total) * 1e-6);
  page->Sample(fmt::format("{}_count", metric), "", all);
}

void WriteCensus(Page* page) {
  page->Begin("tokend_tokens_by_state", "gauge",
              "Tokens in memory by state, counted once a minute at most.");
  for (const auto& [stat, state] : {std::pair("tokens_live", "live"),
                                    {"tokens_revoked", "revoked"},
                                    {"tokens_expired", "expired"}}) {
    page->Sample("tokend_tokens_by_state", fmt::format("{{state=\"{}\"}}", state),
                 page->Number(stat));
  }
  page->Begin("tokend_tokens_expiring", "gauge",
              "Live tokens that expire within so long, counted once a minute at most.");
  for (const auto& [name, counts] : page->stats().at("tokens_expiring").items()) {
    for (const auto& [within, count] : counts.items()) {
      page->Sample("tokend_tokens_expiring",
                   fmt::format("{{namespace=\"{}\",within=\"{}\"}}", Label(name), within),
                   count.get<double>());
    }
  }
}

void WriteLoops(Page* page) {
  const Stats& loops = page->stats().at("loops");
  for (const auto& [stat, metric, type, help] :
       {std::tuple("connections", "tokend_loop_connections", "gauge",
                   "Open connections of a loop."),
        {"requests_total", "tokend_loop_rpc_requests_total", "counter", "Requests of a loop."}}) {
    page->Begin(metric, type, help);
    for (size_t i = 0; i < loops.size(); ++i) {
      page->Sample(metric, fmt::format("{{loop=\"{}\"}}", i), loops[i].at(stat).get<double>());
    }
  }
}

void RespondMetrics(HttpExchange& exchange, const MethodAnswer& answer) {
  if (!answer.error.ok()) {
    const bool is_refused = answer.error.code() == ErrorCode::kForbidden;
    const std::string body = fmt::format("{}\n", answer.error.message());
    exchange.Respond({.status = is_refused ? 403u : 503u, .body = body});
    return;
  }
  const Stats stats = Stats::from_msgpack(answer.result);
  Page page(stats);
  WriteState(&page);
  for (const Row& row : kRows) {
    page.Begin(row.metric, row.type, row.help);
    page.Sample(row.metric, "", page.Number(row.stat) * row.unit);
  }
  page.Map("validate_total", "tokend_validate_total", "verdict", "Tokens judged, by verdict.");
  page.Map("methods_total", "tokend_method_calls_total", "method", "Methods called.");
  WriteAudit(&page);
  WriteMemory(&page);
  WriteHistogram("loop_turns", "loop_turn_us_total", "tokend_loop_turn_cpu_seconds",
                 "Processor time of a turn of a loop, which is what its connections wait for.",
                 &page);
  WriteHistogram("validate_us", "validate_us_total", "tokend_validate_seconds",
                 "From when a loop woke up for a validate to when its answer was written.", &page);
  WriteCensus(&page);
  WriteLoops(&page);
  exchange.Respond({.content_type = kType, .body = page.text()});
}

}  // namespace

void HandleMetrics(HttpExchange& exchange) { exchange.Call("stats", "\x90", &RespondMetrics); }

}  // namespace tokend
