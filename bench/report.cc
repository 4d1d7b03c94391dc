#include "bench/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace tokend::bench {
namespace {

double Us(uint64_t ns) { return static_cast<double>(ns) / 1e3; }
double Ms(uint64_t ns) { return static_cast<double>(ns) / 1e6; }

double PerToken(uint64_t total, const StreamResult& stream) {
  return static_cast<double>(total) / static_cast<double>(std::max<uint64_t>(stream.tokens(), 1));
}

// printf into a string, at its end.
[[gnu::format(printf, 2, 3)]] void Append(std::string* text, const char* format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  *text += line;
}

}  // namespace

nlohmann::json StreamToJson(const GeneratorResult& result, const StreamResult& stream) {
  const double seconds = static_cast<double>(result.elapsed_ns) / 1e9;
  const auto percentile = [&](double fraction) {
    return Us(stream.latency.PercentileNs(fraction));
  };
  nlohmann::json json = {
      {"tokens", stream.tokens()},
      {"answers", stream.answers},
      {"wrong", stream.wrong},
      {"seconds", seconds},
      {"per_second", static_cast<double>(stream.tokens()) / seconds},
      {"answer_bytes", PerToken(stream.answer_bytes, stream)},
      {"latency_us",
       {{"p50", percentile(0.5)},
        {"p75", percentile(0.75)},
        {"p90", percentile(0.9)},
        {"p99", percentile(0.99)},
        {"p999", percentile(0.999)},
        {"p9999", percentile(0.9999)},
        {"max", Us(stream.latency.max_ns())}}},
  };
  if (!stream.first_wrong.empty()) json["first_wrong"] = stream.first_wrong;
  return json;
}

nlohmann::json MeasuredToJson(const GeneratorResult& result, const MeasuredOptions& options) {
  const StreamResult& stream = result.streams.front();
  nlohmann::json json = StreamToJson(result, stream);
  json["generator_ns"] = PerToken(result.generator_cpu_ns, stream);
  if (options.has_revokes) {
    const uint64_t revoked = stream.tokens_of[static_cast<size_t>(OperationKind::kRevoke)];
    json["revoked"] = revoked;
    json["validates"] = stream.tokens() - revoked;
  }
  if (options.server_resident_bytes) {
    json["server_ns"] = PerToken(result.server_cpu_ns, stream);
    json["server_threads_ns"] = result.server_threads_ns;
    json["server_resident_bytes"] = *options.server_resident_bytes;
  }
  return json;
}

nlohmann::json TimelineToJson(const std::vector<TimelinePoint>& timeline) {
  nlohmann::json json = nlohmann::json::array();
  for (const TimelinePoint& point : timeline) {
    const Interval& interval = point.interval;
    nlohmann::json entry = {
        {"t_ms", Ms(interval.end_ns)}, {"answers", interval.answers},
        {"p50", Us(interval.p50_ns)},  {"p99", Us(interval.p99_ns)},
        {"max", Us(interval.max_ns)},  {"beside_answers", interval.beside_answers},
    };
    if (point.server_resident_bytes) {
      entry["server_resident_bytes"] = *point.server_resident_bytes;
    }
    json.push_back(std::move(entry));
  }
  return json;
}

std::string ToText(std::string_view title, const nlohmann::json& figures) {
  const auto number = [&](const char* name) { return figures[name].get<double>(); };
  const auto latency = [&](const char* name) { return figures["latency_us"][name].get<double>(); };
  std::string text(title);
  Append(&text, ": %.0f tokens in %.2f s = %.0f/s, wrong answers: %.0f\n", number("tokens"),
         number("seconds"), number("per_second"), number("wrong"));
  if (figures.contains("revoked")) {
    Append(&text, "  of these       %.0f revoked\n", number("revoked"));
  }
  if (figures.contains("server_ns")) {
    Append(&text, "  server CPU     %8.0f ns per token\n", number("server_ns"));
  }
  if (figures.contains("generator_ns")) {
    Append(&text, "  generator CPU  %8.0f ns per token\n", number("generator_ns"));
  }
  Append(&text,
         "  latency        p50 %.0f us, p99 %.0f us, p99.9 %.0f us, p99.99 %.0f us, max %.0f us\n",
         latency("p50"), latency("p99"), latency("p999"), latency("p9999"), latency("max"));
  if (figures.contains("timeline")) {
    for (const nlohmann::json& point : figures["timeline"]) {
      Append(&text, "  %8.0f ms    %8.0f answers, p50 %.0f us, p99 %.0f us, max %.0f us\n",
             point["t_ms"].get<double>(), point["answers"].get<double>(),
             point["p50"].get<double>(), point["p99"].get<double>(), point["max"].get<double>());
    }
  }
  if (figures.contains("first_wrong")) {
    text += "  first wrong    " + figures["first_wrong"].get<std::string>() + "\n";
  }
  return text;
}

std::string LiveLine(std::string_view title, const Interval& interval) {
  std::string text(title);
  Append(&text, " %.0f s: %.0f/s, p50 %.0f us, p99 %.0f us, max %.0f us, wrong answers: ",
         static_cast<double>(interval.end_ns) / 1e9,
         static_cast<double>(interval.tokens) * 1e9 / static_cast<double>(interval.length_ns),
         Us(interval.p50_ns), Us(interval.p99_ns), Us(interval.max_ns));
  return text + std::to_string(interval.wrong);
}

}  // namespace tokend::bench
