#include "client/tokenctl/top_stats.h"

#include <algorithm>
#include <charconv>

namespace tokend::tokenctl {

namespace {

using StatsJson = nlohmann::ordered_json;

// What rounding to milliseconds and two clocks may differ by.
constexpr uint64_t kClockSlackMs = 100;

constexpr std::pair<const char*, uint64_t TopSample::*> kSampleNumbers[] = {
    {"uptime_ms", &TopSample::uptime_ms},
    {"load_records", &TopSample::load_records},
    {"load_records_estimate", &TopSample::load_records_estimate},
    {"requests_total", &TopSample::requests},
    {"http_requests_total", &TopSample::http_requests},
    {"errors_total", &TopSample::errors},
    {"connections_total", &TopSample::connections_accepted},
    {"connections_refused_total", &TopSample::connections_refused},
    {"callers_refused_total", &TopSample::callers_refused},
    {"bytes_in_total", &TopSample::bytes_in},
    {"bytes_out_total", &TopSample::bytes_out},
    {"mutations_total", &TopSample::mutations},
    {"commits_total", &TopSample::commits},
    {"commit_us_total", &TopSample::commit_us},
    {"connections", &TopSample::connections},
    {"buffered_bytes", &TopSample::buffered_bytes},
    {"queue_mutations", &TopSample::queue_mutations},
    {"queue_bytes", &TopSample::queue_bytes},
    {"tokens", &TopSample::tokens},
    {"owners", &TopSample::owners},
    {"namespaces", &TopSample::namespaces},
    {"slot_bytes", &TopSample::slot_bytes},
    {"index_bytes", &TopSample::index_bytes},
    {"wheel_bytes", &TopSample::wheel_bytes},
    {"owner_bytes", &TopSample::owner_bytes},
    {"rocksdb_memory_bytes", &TopSample::rocksdb_bytes},
    {"disk_bytes", &TopSample::disk_bytes},
};

// Those that only grow while a server lives.
constexpr uint64_t TopSample::*kSampleCounters[] = {
    &TopSample::requests,
    &TopSample::http_requests,
    &TopSample::errors,
    &TopSample::connections_accepted,
    &TopSample::connections_refused,
    &TopSample::callers_refused,
    &TopSample::bytes_in,
    &TopSample::bytes_out,
    &TopSample::mutations,
    &TopSample::commits,
    &TopSample::commit_us,
};

constexpr std::pair<double TopRates::*, uint64_t TopSample::*> kSampleRates[] = {
    {&TopRates::requests, &TopSample::requests},
    {&TopRates::http_requests, &TopSample::http_requests},
    {&TopRates::errors, &TopSample::errors},
    {&TopRates::connections_accepted, &TopSample::connections_accepted},
    {&TopRates::connections_refused, &TopSample::connections_refused},
    {&TopRates::callers_refused, &TopSample::callers_refused},
    {&TopRates::bytes_in, &TopSample::bytes_in},
    {&TopRates::bytes_out, &TopSample::bytes_out},
    {&TopRates::mutations, &TopSample::mutations},
    {&TopRates::commits, &TopSample::commits},
};

std::optional<uint64_t> NumberIn(const StatsJson& map, const char* name) {
  auto found = map.find(name);
  if (found == map.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<uint64_t>();
}

std::string TextIn(const StatsJson& map, const char* name) {
  auto found = map.find(name);
  return found != map.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<uint64_t> ParseBound(std::string_view text) {
  if (text == "inf") return Histogram::kNoBound;
  uint64_t bound = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return bound;
}

std::optional<Histogram> HistogramIn(const StatsJson& map, const char* name) {
  auto found = map.find(name);
  if (found == map.end() || !found->is_object()) return std::nullopt;
  Histogram histogram;
  for (const auto& [key, count] : found->items()) {
    std::optional<uint64_t> bound = ParseBound(key);
    if (!bound.has_value() || !count.is_number_unsigned()) return std::nullopt;
    histogram.counts.emplace_back(*bound, count.get<uint64_t>());
  }
  std::ranges::sort(histogram.counts);
  if (histogram.counts.empty() || histogram.counts.back().first != Histogram::kNoBound) {
    return std::nullopt;
  }
  return histogram;
}

// Whether `now` can be what has become of `before` in the life of one server.
bool HasGrown(const Histogram& before, const Histogram& now) {
  return std::ranges::equal(
      before.counts, now.counts, [](const auto& old_one, const auto& new_one) {
        return old_one.first == new_one.first && old_one.second <= new_one.second;
      });
}

bool IsRestarted(const TopSample& before, const TopSample& now) {
  if (now.uptime_ms < before.uptime_ms) return true;
  // The stats were taken at some time between the question and the answer, so each sample says
  // between which times the server was started. One that came up quickly and has run for longer
  // than the one before it is told by this alone.
  if (now.sent_ms + before.uptime_ms > before.received_ms + now.uptime_ms + kClockSlackMs) {
    return true;
  }
  for (uint64_t TopSample::*counter : kSampleCounters) {
    if (now.*counter < before.*counter) return true;
  }
  for (size_t i = 0; i < kTopVerdicts.size(); ++i) {
    if (now.verdicts[i] < before.verdicts[i]) return true;
  }
  for (std::optional<Histogram> TopSample::*histogram :
       {&TopSample::validate_us, &TopSample::loop_turns}) {
    if ((before.*histogram).has_value() != (now.*histogram).has_value()) return true;
    if ((now.*histogram).has_value() && !HasGrown(*(before.*histogram), *(now.*histogram))) {
      return true;
    }
  }
  return now.fsync_us < before.fsync_us ||
         !std::ranges::equal(before.loops, now.loops, [](const auto& old_one, const auto& new_one) {
           return old_one.requests <= new_one.requests;
         });
}

Percentiles PercentilesBetween(const std::optional<Histogram>& before,
                               const std::optional<Histogram>& now) {
  if (!before.has_value() || !now.has_value()) return {};
  Histogram interval = *now;
  for (size_t i = 0; i < interval.counts.size(); ++i) {
    interval.counts[i].second -= before->counts[i].second;
  }
  return {PercentileBound(interval, 500), PercentileBound(interval, 990),
          PercentileBound(interval, 999)};
}

// Requires that one server gave both, with some time between them.
TopRates RatesBetween(const TopSample& before, const TopSample& now) {
  TopRates rates;
  rates.interval_ms = now.uptime_ms - before.uptime_ms;
  const auto a_second = [&](uint64_t old_count, uint64_t new_count) {
    return static_cast<double>(new_count - old_count) * 1000 /
           static_cast<double>(rates.interval_ms);
  };
  for (auto [rate, counter] : kSampleRates) rates.*rate = a_second(before.*counter, now.*counter);
  for (size_t i = 0; i < kTopVerdicts.size(); ++i) {
    rates.verdicts[i] = a_second(before.verdicts[i], now.verdicts[i]);
    rates.validates += rates.verdicts[i];
  }
  if (const uint64_t commits = now.commits - before.commits; commits > 0) {
    const auto of_one = [&](uint64_t us) {
      return static_cast<double>(us) / static_cast<double>(commits);
    };
    rates.commit_us = of_one(now.commit_us - before.commit_us);
    if (now.fsync_us.has_value() && before.fsync_us.has_value()) {
      rates.fsync_us = of_one(*now.fsync_us - *before.fsync_us);
    }
  }
  rates.validate_us = PercentilesBetween(before.validate_us, now.validate_us);
  rates.loop_turns = PercentilesBetween(before.loop_turns, now.loop_turns);
  for (size_t i = 0; i < now.loops.size(); ++i) {
    rates.loop_requests.push_back(a_second(before.loops[i].requests, now.loops[i].requests));
  }
  return rates;
}

}  // namespace

TopSample ReadTopSample(const StatsJson& stats, uint64_t sent_ms, uint64_t received_ms) {
  TopSample sample;
  sample.sent_ms = sent_ms;
  sample.received_ms = received_ms;
  sample.state = TextIn(stats, "state");
  sample.read_only_reason = TextIn(stats, "read_only_reason");
  sample.version = TextIn(stats, "version");
  for (auto [name, number] : kSampleNumbers) sample.*number = NumberIn(stats, name).value_or(0);
  if (auto verdicts = stats.find("validate_total"); verdicts != stats.end()) {
    for (size_t i = 0; i < kTopVerdicts.size(); ++i) {
      sample.verdicts[i] = NumberIn(*verdicts, kTopVerdicts[i].data()).value_or(0);
    }
  }
  sample.fsync_us = NumberIn(stats, "fsync_us_total");
  sample.validate_us = HistogramIn(stats, "validate_us");
  sample.loop_turns = HistogramIn(stats, "loop_turns");
  if (auto loops = stats.find("loops"); loops != stats.end() && loops->is_array()) {
    for (const StatsJson& loop : *loops) {
      sample.loops.push_back({NumberIn(loop, "connections").value_or(0),
                              NumberIn(loop, "requests_total").value_or(0)});
    }
  }
  return sample;
}

TopSnapshot Compare(const std::optional<TopSample>& before, TopSample now) {
  TopSnapshot snapshot;
  if (before.has_value()) {
    snapshot.is_restarted = IsRestarted(*before, now);
    if (!snapshot.is_restarted && now.uptime_ms > before->uptime_ms) {
      snapshot.rates = RatesBetween(*before, now);
    }
  }
  snapshot.now = std::move(now);
  return snapshot;
}

std::optional<DurationBound> PercentileBound(const Histogram& histogram, uint64_t per_mille) {
  const uint64_t all = histogram.counts.empty() ? 0 : histogram.counts.back().second;
  if (all == 0) return std::nullopt;
  uint64_t bound_before = 0;
  for (const auto& [bound, count] : histogram.counts) {
    if (bound == Histogram::kNoBound) break;
    if (static_cast<double>(count) * 1000 >=
        static_cast<double>(all) * static_cast<double>(per_mille)) {
      return DurationBound{bound, false};
    }
    bound_before = bound;
  }
  return DurationBound{bound_before, true};
}

}  // namespace tokend::tokenctl
