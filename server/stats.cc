// stats: the numbers of the store and of every loop.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "protocol/params.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/query_job.h"
#include "tokend_version.h"

namespace tokend {
namespace {

class MapWriter {
 public:
  explicit MapWriter(msgpack_io::Writer& out) : out_(out) {}

  void Text(std::string_view name, std::string_view value) {
    Key(name);
    writer_.Str(value);
  }
  void Number(std::string_view name, uint64_t value) {
    Key(name);
    writer_.Uint(value);
  }
  msgpack_io::Writer& Value(std::string_view name) {
    Key(name);
    return writer_;
  }
  // Writes the map: its header has the count, which is known only now.
  void End() {
    out_.MapHeader(count_);
    out_.Raw(entries_);
  }

 private:
  void Key(std::string_view name) {
    ++count_;
    writer_.Str(name);
  }

  msgpack_io::Writer& out_;
  std::string entries_;
  msgpack_io::Writer writer_{&entries_};
  uint32_t count_ = 0;
};

using LoopCounterRow = std::pair<std::string_view, Counter LoopCounters::*>;
constexpr auto kLoopCounters = std::to_array<LoopCounterRow>({
    {"connections", &LoopCounters::connections},
    {"connections_total", &LoopCounters::connections_total},
    {"connections_refused_total", &LoopCounters::connections_refused},
    {"timeouts_total", &LoopCounters::timeouts},
    {"bytes_in_total", &LoopCounters::bytes_in},
    {"bytes_out_total", &LoopCounters::bytes_out},
    {"requests_total", &LoopCounters::requests},
    {"notifications_total", &LoopCounters::notifications},
    {"notifications_failed_total", &LoopCounters::notifications_failed},
    {"errors_total", &LoopCounters::errors},
    {"protocol_errors_total", &LoopCounters::protocol_errors},
    {"http_requests_total", &LoopCounters::http_requests},
    {"tls_handshakes_total", &LoopCounters::tls_handshakes},
    {"tls_resumed_total", &LoopCounters::tls_resumed},
    {"tls_failed_total", &LoopCounters::tls_failed},
});

// By Verdict.
constexpr std::array<std::string_view, kVerdicts> kVerdictNames = {"valid", "unknown", "expired",
                                                                   "revoked", "unavailable"};

// Of TokenCounts::kHorizonsMs.
constexpr std::array<std::string_view, TokenCounts::kHorizonsMs.size()> kHorizonNames = {"1h", "1d",
                                                                                         "7d"};

void WriteStore(const StoreStats& stats, MapWriter* map) {
  map->Text("state", StoreStateName(stats.state));
  map->Text("read_only_reason", stats.read_only_reason);
  map->Number("load_records", stats.load_records);
  map->Number("load_records_estimate", stats.load_records_estimate);
  map->Number("load_ms", stats.load_ms);
  map->Text("load_error", stats.load_error);
  map->Number("namespaces", stats.namespaces);
  map->Number("tokens", stats.table.tokens);
  map->Number("tokens_retired", stats.table.tokens_retired);
  map->Number("owners", stats.table.owners);
  map->Number("scope_sets", stats.table.scope_sets);
  map->Number("slot_bytes", stats.table.slot_bytes);
  map->Number("index_bytes", stats.table.index_bytes);
  map->Number("wheel_bytes", stats.table.wheel_bytes);
  map->Number("owner_bytes", stats.table.owner_bytes);
  map->Number("reclaimed_total", stats.table.reclaimed_total);
  map->Number("read_retries_total", stats.table.read_retries_total);
  map->Number("read_locks_total", stats.table.read_locks_total);
  map->Number("mutations_total", stats.mutations_total);
  map->Number("commits_total", stats.commits_total);
  map->Number("commit_bytes_total", stats.commit_bytes_total);
  map->Number("commit_us_total", stats.commit_us_total);
  map->Number("queue_mutations", stats.queue_mutations);
  map->Number("queue_bytes", stats.queue_bytes);
  map->Number("usage_flushed_total", stats.usage_flushed_total);
  map->Number("disk_bytes", stats.disk_bytes);
  map->Number("rocksdb_memory_bytes", stats.rocksdb_memory_bytes);
  map->Number("memtable_bytes", stats.rocksdb.memtable_bytes);
  map->Number("block_cache_bytes", stats.rocksdb.block_cache_bytes);
  map->Number("level0_files", stats.rocksdb.level0_files);
  map->Number("pending_compaction_bytes", stats.rocksdb.pending_compaction_bytes);
  map->Number("write_stalled", stats.rocksdb.write_stalled ? 1 : 0);
  map->Number("fsyncs_total", stats.rocksdb.log_syncs_total);
  map->Number("fsync_us_total", stats.rocksdb.log_sync_us_total);
  map->Number("reclaim_lag_ms", stats.reclaim_lag_ms);
  map->Number("reclaim_clock_ms", stats.reclaim_clock_ms);
  map->Number("sequence", stats.sequence);
  map->Number("audit_lines", stats.audit.head.seq);
  map->Text("audit_head", stats.audit.head.seq == 0 ? "" : ToHex(stats.audit.head.hash));
  map->Number("audit_lines_written", stats.audit.synced_seq);
  map->Text("audit_failure", stats.audit.failure);
}

// How many took at most so many microseconds, cumulative, as Prometheus has them; PREFIX_us_max and
// PREFIX_us_total of all.
void WriteTimes(const std::vector<const LoopCounters*>& loops, TimeCounter LoopCounters::*times,
                std::string_view name, const std::string& prefix, MapWriter* map) {
  constexpr auto& kBoundsUs = TimeCounter::kBoundsUs;
  msgpack_io::Writer& counts = map->Value(name);
  counts.MapHeader(kBoundsUs.size() + 1);
  uint64_t count = 0;
  for (size_t i = 0; i <= kBoundsUs.size(); ++i) {
    for (const LoopCounters* loop : loops) count += (loop->*times).count(i);
    counts.Str(i < kBoundsUs.size() ? std::to_string(kBoundsUs[i]) : "inf");
    counts.Uint(count);
  }
  uint64_t us_max = 0;
  uint64_t us = 0;
  for (const LoopCounters* loop : loops) {
    us_max = std::max(us_max, (loop->*times).max_us());
    us += (loop->*times).sum_us();
  }
  map->Number(prefix + "_us_max", us_max);
  map->Number(prefix + "_us_total", us);
}

void WriteCensus(const Census::Result& census, MapWriter* map) {
  map->Number("tokens_live", census.all.live);
  map->Number("tokens_revoked", census.all.revoked);
  map->Number("tokens_expired", census.all.expired);
  msgpack_io::Writer& expiring = map->Value("tokens_expiring");
  expiring.MapHeader(static_cast<uint32_t>(census.by_namespace.size()));
  for (const auto& [name, counts] : census.by_namespace) {
    expiring.Str(name);
    expiring.MapHeader(kHorizonNames.size());
    for (size_t i = 0; i < kHorizonNames.size(); ++i) {
      expiring.Str(kHorizonNames[i]);
      expiring.Uint(counts.expiring[i]);
    }
  }
}

void WriteLoops(const std::vector<const LoopCounters*>& loops, MapWriter* map) {
  for (const auto& [name, counter] : kLoopCounters) {
    uint64_t sum = 0;
    for (const LoopCounters* loop : loops) sum += (loop->*counter).value();
    map->Number(name, sum);
  }
  msgpack_io::Writer& verdicts = map->Value("validate_total");
  verdicts.MapHeader(kVerdictNames.size());
  for (size_t i = 0; i < kVerdictNames.size(); ++i) {
    uint64_t sum = 0;
    for (const LoopCounters* loop : loops) sum += loop->verdicts[i].value();
    verdicts.Str(kVerdictNames[i]);
    verdicts.Uint(sum);
  }
  msgpack_io::Writer& methods = map->Value("methods_total");
  methods.MapHeader(static_cast<uint32_t>(Methods().size()));
  for (const Method& method : Methods()) {
    uint64_t sum = 0;
    for (const LoopCounters* loop : loops) sum += loop->methods[MethodIndex(method)].value();
    methods.Str(method.name);
    methods.Uint(sum);
  }
  WriteTimes(loops, &LoopCounters::turns, "loop_turns", "loop_turn", map);
  WriteTimes(loops, &LoopCounters::validates, "validate_us", "validate", map);
  // How evenly connections are spread: the kernel does it by hash.
  msgpack_io::Writer& each = map->Value("loops");
  each.ArrayHeader(static_cast<uint32_t>(loops.size()));
  for (const LoopCounters* loop : loops) {
    each.MapHeader(2);
    each.Str("connections");
    each.Uint(loop->connections.value());
    each.Str("requests_total");
    each.Uint(loop->requests.value());
  }
}

// On a worker thread: RocksDB may take its locks for its numbers.
class StatsJob final : public QueryJob {
 public:
  explicit StatsJob(const Call& call) : QueryJob(call), server_(call.dispatcher.server()) {}

 private:
  Status Answer(msgpack_io::Writer& out) override {
    MapWriter map(out);
    WriteStore(server_.store.stats(), &map);
    map.Text("version", TOKEND_VERSION);
    map.Number("uptime_ms", server_.clock.SteadyMs() - server_.started_steady_ms);
    map.Number("buffered_bytes", server_.buffered_bytes.load(std::memory_order_relaxed));
    map.Number("callers_refused_total", server_.failed_tries.total());
    map.Number("audit_suppressed_total", server_.refusals.suppressed_total());
    map.Number("memory_bytes_max", server_.config.memory_bytes_max);
    WriteCensus(*server_.census.Get(), &map);
    WriteLoops(server_.loops, &map);
    map.End();
    return Status::Ok();
  }

  ServerContext& server_;
};

}  // namespace

void HandleStats(Call& call) {
  Status status = DecodeNoParams(call.params);
  if (status.ok()) status = call.AllowEverywhere();
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  QueryJob::Submit(call, std::make_unique<StatsJob>(call));
}

}  // namespace tokend
