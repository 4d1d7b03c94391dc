// What `tokenctl top` shows, from what the server says: two samples of its stats in, the rates
// between them out. No clock and no terminal here.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokend::tokenctl {

inline constexpr std::array<std::string_view, 5> kTopVerdicts = {"valid", "unknown", "expired",
                                                                 "revoked", "unavailable"};

// A histogram of stats: how many took at most so many microseconds; the last has no bound.
struct Histogram {
  static constexpr uint64_t kNoBound = UINT64_MAX;
  std::vector<std::pair<uint64_t, uint64_t>> counts;  // upper bound, cumulative count; ascending
};

// Where a share of the durations of a histogram lies: never a number, always one side of a bound.
struct DurationBound {
  uint64_t us = 0;
  bool is_above = false;  // else at most that
};

// Nothing where there were none.
struct Percentiles {
  std::optional<DurationBound> p50, p99, p999;
};

// The stats of one moment. What an older server does not say is 0, or nothing where that is not the
// same.
struct TopSample {
  // When they were asked for and when they came, of the steady clock of whoever asked.
  uint64_t sent_ms = 0, received_ms = 0;

  std::string state, read_only_reason, version;
  uint64_t uptime_ms = 0;
  uint64_t load_records = 0, load_records_estimate = 0;

  // Since the start of the server.
  std::array<uint64_t, kTopVerdicts.size()> verdicts{};
  uint64_t requests = 0, http_requests = 0, errors = 0;
  uint64_t connections_accepted = 0, connections_refused = 0, callers_refused = 0;
  uint64_t bytes_in = 0, bytes_out = 0;
  uint64_t mutations = 0, commits = 0, commit_us = 0;
  std::optional<uint64_t> fsync_us;
  std::optional<Histogram> validate_us;
  std::optional<Histogram> loop_turns;

  // At the moment.
  uint64_t connections = 0, buffered_bytes = 0;
  uint64_t queue_mutations = 0, queue_bytes = 0;
  uint64_t tokens = 0, owners = 0, namespaces = 0;
  uint64_t slot_bytes = 0, index_bytes = 0, wheel_bytes = 0, owner_bytes = 0, rocksdb_bytes = 0;
  uint64_t disk_bytes = 0;

  struct Loop {
    uint64_t connections = 0, requests = 0;
  };
  std::vector<Loop> loops;

  uint64_t memory_bytes() const {
    return slot_bytes + index_bytes + wheel_bytes + owner_bytes + rocksdb_bytes;
  }
};

// What went on between two samples; a second where nothing else is said.
struct TopRates {
  uint64_t interval_ms = 0;  // by the server's clock, and never 0
  std::array<double, kTopVerdicts.size()> verdicts{};
  double validates = 0;  // of all verdicts
  double requests = 0, http_requests = 0, errors = 0;
  double connections_accepted = 0, connections_refused = 0, callers_refused = 0;
  double bytes_in = 0, bytes_out = 0;
  double mutations = 0, commits = 0;
  std::optional<double> commit_us, fsync_us;  // of one group, on average; nothing without any
  Percentiles validate_us, loop_turns;
  std::vector<double> loop_requests;
};

struct TopSnapshot {
  TopSample now;
  // The server has been started anew since the sample before.
  bool is_restarted = false;
  // Nothing for the first sample and after a restart: counters of two lives have no difference.
  std::optional<TopRates> rates;
};

// `stats` is the answer of that name. Values that are not what they should be count as left out.
TopSample ReadTopSample(const nlohmann::ordered_json& stats, uint64_t sent_ms,
                        uint64_t received_ms);

// `before` is nothing at first.
TopSnapshot Compare(const std::optional<TopSample>& before, TopSample now);

// The least bound that so many of a thousand are not above. Nothing for an empty histogram.
std::optional<DurationBound> PercentileBound(const Histogram& histogram, uint64_t per_mille);

}  // namespace tokend::tokenctl
