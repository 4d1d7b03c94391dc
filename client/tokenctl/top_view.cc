#include "client/tokenctl/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "client/tokenctl/table.h"
#include "client/tokenctl/time_arg.h"

namespace tokend::tokenctl {

namespace {

using TopCells = std::vector<std::string>;

constexpr size_t kLabelWidth = 12;
// 79 characters with the label and a blank before each; the last is as wide as "unavailable".
constexpr size_t kCellWidths[] = {10, 10, 10, 10, 10, 11};
constexpr char kNothing[] = "-";

// --- values ---

std::string RateText(double rate) {
  if (rate == 0) return "0";
  return rate < 9.95 ? fmt::format("{:.1f}", rate)
                     : WithCommas(static_cast<uint64_t>(std::llround(rate)));
}

std::string BytesText(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string ByteCountText(uint64_t bytes) { return BytesText(static_cast<double>(bytes)); }

// At most four digits.
std::string MicrosecondsText(double us) {
  if (us < 1000) return fmt::format("{:.0f} us", us);
  if (us < 10'000) return fmt::format("{:.2f} ms", us / 1000);
  if (us < 1'000'000) return fmt::format("{:.0f} ms", us / 1000);
  return fmt::format("{:.1f} s", us / 1'000'000);
}

std::string BoundText(const std::optional<DurationBound>& bound) {
  if (!bound.has_value()) return kNothing;
  const bool has_whole_ms = bound->us >= 1000 && bound->us % 1000 == 0;
  return fmt::format("{} {} {}",
                     bound->is_above ? ">" : "<=", has_whole_ms ? bound->us / 1000 : bound->us,
                     has_whole_ms ? "ms" : "us");
}

std::string UptimeText(uint64_t uptime_ms) {
  const uint64_t seconds = uptime_ms / 1000;
  const std::string clock =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
  return seconds < 86400 ? clock : fmt::format("{}d {}", seconds / 86400, clock);
}

std::string IntervalText(uint64_t interval_ms) {
  return interval_ms % 1000 == 0 ? fmt::format("{}s", interval_ms / 1000)
                                 : fmt::format("{}ms", interval_ms);
}

// --- the screen ---

// At most six cells.
std::string GridLine(std::string_view label, const TopCells& cells) {
  std::string line(label);
  line.resize(kLabelWidth, ' ');
  for (size_t i = 0; i < cells.size(); ++i) {
    line += fmt::format(" {:>{}}", cells[i], kCellWidths[i]);
  }
  return line;
}

// Lines that belong together.
using TopGroup = std::vector<std::string>;

// Cells of the rates, or as many without a value.
template <class CellsOf>
TopCells RateCells(const TopSnapshot& snapshot, size_t count, CellsOf cells_of) {
  if (!snapshot.rates.has_value()) return TopCells(count, kNothing);
  return cells_of(*snapshot.rates);
}

TopGroup ValidateGroup(const TopSnapshot& snapshot) {
  TopCells titles = {"total"};
  titles.insert(titles.end(), kTopVerdicts.begin(), kTopVerdicts.end());
  return {GridLine("", titles),
          GridLine("validates/s", RateCells(snapshot, titles.size(), [](const TopRates& rates) {
                     TopCells cells = {RateText(rates.validates)};
                     for (double rate : rates.verdicts) cells.push_back(RateText(rate));
                     return cells;
                   }))};
}

TopGroup LatencyGroup(const TopSnapshot& snapshot) {
  const auto row = [&](const char* label, Percentiles TopRates::*percentiles) {
    return GridLine(label, RateCells(snapshot, 3, [&](const TopRates& rates) {
                      const Percentiles& of = rates.*percentiles;
                      return TopCells{BoundText(of.p50), BoundText(of.p99), BoundText(of.p999)};
                    }));
  };
  TopGroup group = {GridLine("", {"p50", "p99", "p99.9"})};
  if (snapshot.now.validate_us.has_value()) {
    group.push_back(row("validate", &TopRates::validate_us));
  }
  group.push_back(row("loop turns", &TopRates::loop_turns));
  return group;
}

TopGroup RequestGroup(const TopSnapshot& snapshot) {
  return {GridLine("", {"rpc", "http", "errors", "refused", "bytes in", "bytes out"}),
          GridLine("requests/s", RateCells(snapshot, 6, [](const TopRates& rates) {
                     return TopCells{RateText(rates.requests),  RateText(rates.http_requests),
                                     RateText(rates.errors),    RateText(rates.callers_refused),
                                     BytesText(rates.bytes_in), BytesText(rates.bytes_out)};
                   }))};
}

TopGroup ConnectionGroup(const TopSnapshot& snapshot) {
  TopCells cells = RateCells(snapshot, 2, [](const TopRates& rates) {
    return TopCells{RateText(rates.connections_accepted), RateText(rates.connections_refused)};
  });
  cells.insert(cells.begin(), WithCommas(snapshot.now.connections));
  cells.push_back(ByteCountText(snapshot.now.buffered_bytes));
  return {GridLine("", {"open", "accepted/s", "refused/s", "buffered"}),
          GridLine("connections", cells)};
}

TopGroup WriteGroup(const TopSnapshot& snapshot) {
  TopCells cells = RateCells(snapshot, 4, [](const TopRates& rates) {
    const auto of_one = [](const std::optional<double>& us) {
      return us.has_value() ? MicrosecondsText(*us) : kNothing;
    };
    return TopCells{RateText(rates.mutations), RateText(rates.commits), of_one(rates.commit_us),
                    of_one(rates.fsync_us)};
  });
  cells.push_back(WithCommas(snapshot.now.queue_mutations));
  cells.push_back(ByteCountText(snapshot.now.queue_bytes));
  return {GridLine("", {"writes", "groups", "commit", "fsync", "queued", "bytes"}),
          GridLine("writes/s", cells)};
}

TopGroup TokenGroup(const TopSample& now) {
  return {GridLine("", {"tokens", "owners", "namespaces", "disk"}),
          GridLine("stored", {WithCommas(now.tokens), WithCommas(now.owners),
                              WithCommas(now.namespaces), ByteCountText(now.disk_bytes)})};
}

TopGroup MemoryGroup(const TopSample& now) {
  TopCells cells;
  for (uint64_t bytes : {now.memory_bytes(), now.slot_bytes, now.index_bytes, now.wheel_bytes,
                         now.owner_bytes, now.rocksdb_bytes}) {
    cells.push_back(ByteCountText(bytes));
  }
  return {GridLine("", {"total", "slots", "index", "wheel", "owners", "rocksdb"}),
          GridLine("memory", cells)};
}

TopGroup LoopGroup(const TopSnapshot& snapshot) {
  TopGroup group = {GridLine("loop", {"open", "requests/s"})};
  const auto& loops = snapshot.now.loops;
  for (size_t i = 0; i < loops.size(); ++i) {
    const std::string rate =
        snapshot.rates.has_value() ? RateText(snapshot.rates->loop_requests[i]) : kNothing;
    group.push_back(GridLine(std::to_string(i), {WithCommas(loops[i].connections), rate}));
  }
  return group;
}

std::string StateText(const TopSnapshot& snapshot) {
  const TopSample& now = snapshot.now;
  std::string text = now.state;
  if (now.state == "loading" && now.load_records_estimate > 0) {
    text += fmt::format(" {} of about {}", WithCommas(now.load_records),
                        WithCommas(now.load_records_estimate));
  }
  if (!now.read_only_reason.empty()) text += ": " + now.read_only_reason;
  return text;
}

std::string FootText(uint64_t interval_ms) {
  return fmt::format("every {}, q ends", IntervalText(interval_ms));
}

// `text` with `right` at the end of the line, where there is room for both.
std::string WithRight(std::string text, const std::string& right, size_t columns) {
  const size_t width = DisplayWidth(text) + DisplayWidth(right);
  if (width + 2 <= columns) text += std::string(columns - width, ' ') + right;
  return text;
}

std::vector<std::string> FittingLines(const std::vector<TopGroup>& groups, ScreenSize size) {
  size_t row_count = groups.size() - 1;
  for (const TopGroup& group : groups) row_count += group.size();
  const bool has_room = row_count <= size.rows;
  std::vector<std::string> lines;
  for (const TopGroup& group : groups) {
    if (has_room && !lines.empty()) lines.emplace_back();
    for (const std::string& line : group) lines.push_back(CutToWidth(line, size.columns));
  }
  if (lines.size() > size.rows) {
    lines.resize(size.rows);
    if (!lines.empty()) lines.back() = CutToWidth("... more than there is room for", size.columns);
  }
  return lines;
}

// --- lines and JSON ---

std::string PlainRate(double rate) { return fmt::format("{:.1f}", rate); }

std::string PlainBound(const std::optional<DurationBound>& bound) {
  if (!bound.has_value()) return kNothing;
  return fmt::format("{}{}", bound->is_above ? ">" : "<=", bound->us);
}

struct TopColumn {
  const char* title;
  size_t width;
};

constexpr TopColumn kTopColumns[] = {
    {"TIME", 20},         {"STATE", 9},     {"VALID/S", 9},      {"UNKNOWN/S", 9},
    {"EXPIRED/S", 9},     {"REVOKED/S", 9}, {"UNAVAIL/S", 9},    {"REQUESTS/S", 10},
    {"HTTP/S", 9},        {"ERRORS/S", 8},  {"WRITES/S", 9},     {"COMMIT_US", 9},
    {"FSYNC_US", 8},      {"QUEUE", 7},     {"CONNS", 7},        {"ACCEPTED/S", 10},
    {"REFUSED/S", 9},     {"IN_B/S", 11},   {"OUT_B/S", 11},     {"P50_US", 8},
    {"P99_US", 8},        {"P999_US", 8},   {"TURN_P50_US", 11}, {"TURN_P99_US", 11},
    {"TURN_P999_US", 12}, {"TOKENS", 10},   {"MEM_BYTES", 12},   {"DISK_BYTES", 12},
};

std::string ColumnsLine(const TopCells& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ' ';
    // Words to the left, numbers to the right.
    line += i < 2 ? fmt::format("{:<{}}", cells[i], kTopColumns[i].width)
                  : fmt::format("{:>{}}", cells[i], kTopColumns[i].width);
  }
  return line;
}

nlohmann::ordered_json BoundJson(const std::optional<DurationBound>& bound) {
  if (!bound.has_value()) return nullptr;
  return {{bound->is_above ? "above" : "at_most", bound->us}};
}

nlohmann::ordered_json PercentilesJson(const Percentiles& of) {
  return {{"p50", BoundJson(of.p50)}, {"p99", BoundJson(of.p99)}, {"p99.9", BoundJson(of.p999)}};
}

nlohmann::ordered_json RatesJson(const TopSnapshot& snapshot) {
  if (!snapshot.rates.has_value()) return nullptr;
  const TopRates& rates = *snapshot.rates;
  nlohmann::ordered_json verdicts;
  for (size_t i = 0; i < kTopVerdicts.size(); ++i) {
    verdicts[std::string(kTopVerdicts[i])] = rates.verdicts[i];
  }
  const auto or_null = [](const std::optional<double>& us) {
    return us.has_value() ? nlohmann::ordered_json(*us) : nlohmann::ordered_json(nullptr);
  };
  return {{"interval_ms", rates.interval_ms},
          {"validate", verdicts},
          {"requests", rates.requests},
          {"http_requests", rates.http_requests},
          {"errors", rates.errors},
          {"connections", rates.connections_accepted},
          {"connections_refused", rates.connections_refused},
          {"callers_refused", rates.callers_refused},
          {"bytes_in", rates.bytes_in},
          {"bytes_out", rates.bytes_out},
          {"mutations", rates.mutations},
          {"commits", rates.commits},
          {"commit_us", or_null(rates.commit_us)},
          {"fsync_us", or_null(rates.fsync_us)},
          {"validate_us", PercentilesJson(rates.validate_us)},
          {"loop_turns_us", PercentilesJson(rates.loop_turns)}};
}

}  // namespace

std::vector<std::string> TopScreen(const TopSnapshot& snapshot, std::string_view address,
                                   uint64_t interval_ms, ScreenSize size) {
  const TopSample& now = snapshot.now;
  std::string head = Printable(fmt::format("tokend {} at {}", now.version, address));
  std::string state =
      Printable(fmt::format("{}, up {}", StateText(snapshot), UptimeText(now.uptime_ms)));
  if (snapshot.is_restarted) state += ", restarted";
  std::vector<TopGroup> groups = {{WithRight(head, FootText(interval_ms), size.columns), state},
                                  ValidateGroup(snapshot),
                                  LatencyGroup(snapshot),
                                  RequestGroup(snapshot),
                                  ConnectionGroup(snapshot),
                                  WriteGroup(snapshot),
                                  TokenGroup(now),
                                  MemoryGroup(now),
                                  LoopGroup(snapshot)};
  return FittingLines(groups, size);
}

std::vector<std::string> TopTroubleScreen(std::string_view trouble, std::string_view address,
                                          uint64_t interval_ms, ScreenSize size) {
  const std::string head = Printable(fmt::format("tokend at {}", address));
  return FittingLines({{WithRight(head, FootText(interval_ms), size.columns)},
                       {Printable(trouble), "trying again"}},
                      size);
}

std::string TopHeaderLine() {
  TopCells titles;
  for (const TopColumn& column : kTopColumns) titles.emplace_back(column.title);
  return ColumnsLine(titles);
}

std::string TopLine(const TopSnapshot& snapshot, uint64_t now_ms) {
  const TopSample& now = snapshot.now;
  TopCells cells(std::size(kTopColumns), kNothing);
  size_t next = 0;
  const auto add = [&](const std::string& cell) {
    std::string shown = Printable(cell);
    std::ranges::replace(shown, ' ', '_');
    if (!shown.empty()) cells[next] = std::move(shown);
    ++next;
  };
  // Where there are no rates, what is of them stays as it is.
  const auto add_rate = [&](auto text_of) {
    if (snapshot.rates.has_value()) {
      add(text_of(*snapshot.rates));
    } else {
      ++next;
    }
  };
  const auto add_rates = [&](std::initializer_list<double TopRates::*> rates) {
    for (double TopRates::*rate : rates) {
      add_rate([&](const TopRates& of) { return PlainRate(of.*rate); });
    }
  };
  const auto add_time = [&](std::optional<double> TopRates::*us) {
    add_rate([&](const TopRates& of) {
      return (of.*us).has_value() ? fmt::format("{:.0f}", *(of.*us)) : kNothing;
    });
  };
  add(FormatTimeSeconds(now_ms));
  add(snapshot.is_restarted ? "restarted" : now.state);
  for (size_t i = 0; i < kTopVerdicts.size(); ++i) {
    add_rate([&](const TopRates& of) { return PlainRate(of.verdicts[i]); });
  }
  add_rates(
      {&TopRates::requests, &TopRates::http_requests, &TopRates::errors, &TopRates::mutations});
  add_time(&TopRates::commit_us);
  add_time(&TopRates::fsync_us);
  add(std::to_string(now.queue_mutations));
  add(std::to_string(now.connections));
  add_rates({&TopRates::connections_accepted, &TopRates::connections_refused, &TopRates::bytes_in,
             &TopRates::bytes_out});
  for (Percentiles TopRates::*percentiles : {&TopRates::validate_us, &TopRates::loop_turns}) {
    for (auto percentile : {&Percentiles::p50, &Percentiles::p99, &Percentiles::p999}) {
      add_rate([&](const TopRates& of) { return PlainBound(of.*percentiles.*percentile); });
    }
  }
  for (uint64_t number : {now.tokens, now.memory_bytes(), now.disk_bytes}) {
    add(std::to_string(number));
  }
  return ColumnsLine(cells);
}

nlohmann::ordered_json TopJson(const TopSnapshot& snapshot, uint64_t now_ms) {
  const TopSample& now = snapshot.now;
  nlohmann::ordered_json loops = nlohmann::ordered_json::array();
  for (size_t i = 0; i < now.loops.size(); ++i) {
    nlohmann::ordered_json loop{{"connections", now.loops[i].connections}, {"requests", nullptr}};
    if (snapshot.rates.has_value()) loop["requests"] = snapshot.rates->loop_requests[i];
    loops.push_back(loop);
  }
  return {{"time", now_ms},
          {"state", now.state},
          {"read_only_reason", now.read_only_reason},
          {"version", now.version},
          {"uptime_ms", now.uptime_ms},
          {"restarted", snapshot.is_restarted},
          {"per_second", RatesJson(snapshot)},
          {"connections", now.connections},
          {"buffered_bytes", now.buffered_bytes},
          {"queue_mutations", now.queue_mutations},
          {"queue_bytes", now.queue_bytes},
          {"tokens", now.tokens},
          {"owners", now.owners},
          {"namespaces", now.namespaces},
          {"slot_bytes", now.slot_bytes},
          {"index_bytes", now.index_bytes},
          {"wheel_bytes", now.wheel_bytes},
          {"owner_bytes", now.owner_bytes},
          {"rocksdb_memory_bytes", now.rocksdb_bytes},
          {"disk_bytes", now.disk_bytes},
          {"loops", loops}};
}

}  // namespace tokend::tokenctl
