// What tokend-bench says of a run: as JSON, as text, and while it goes on.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/generator.h"
#include "bench/interval.h"

namespace tokend::bench {

struct TimelinePoint {
  Interval interval;
  std::optional<uint64_t> server_resident_bytes;
};

// What a stream was answered. Without CPU times: those of two streams cannot be told apart.
nlohmann::json StreamToJson(const GeneratorResult& result, const StreamResult& stream);

struct MeasuredOptions {
  bool has_revokes = false;
  // Empty: the server's process is not known, and neither is its CPU time.
  std::optional<uint64_t> server_resident_bytes;
};
// The first stream. CPU times are per token of it, and of all that the processes did meanwhile, for
// a stream beside it too.
nlohmann::json MeasuredToJson(const GeneratorResult& result, const MeasuredOptions& options);

nlohmann::json TimelineToJson(const std::vector<TimelinePoint>& timeline);

// For people: some lines about what one of the above says.
std::string ToText(std::string_view title, const nlohmann::json& figures);

// One line about the interval that has just ended.
std::string LiveLine(std::string_view title, const Interval& interval);

}  // namespace tokend::bench
