#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report.h"

namespace tokend::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two seconds of 1,000 requests for 4 tokens each and 100 revokes; latencies of 1 ... 1,100 µs.
GeneratorResult SomeResult() {
  GeneratorResult result;
  result.elapsed_ns = 2'000'000'000;
  result.generator_cpu_ns = 410'000;
  result.server_cpu_ns = 820'000;
  result.server_threads_ns = {{"loop-0", 700'000}, {"committer", 100'000}};
  StreamResult stream;
  stream.answers = 1100;
  stream.tokens_of[static_cast<size_t>(OperationKind::kValidate)] = 4000;
  stream.tokens_of[static_cast<size_t>(OperationKind::kRevoke)] = 100;
  stream.wrong = 2;
  stream.first_wrong = "validate of token 3 was answered: no";
  stream.answer_bytes = 41000;
  for (uint64_t i = 1; i <= 1100; ++i) stream.latency.Record(i * 1000);
  result.streams.push_back(stream);
  return result;
}

TEST(ReportTest, FiguresArePerToken) {
  const nlohmann::json json = MeasuredToJson(
      SomeResult(), {.has_revokes = true, .server_resident_bytes = uint64_t{5} << 20});
  EXPECT_EQ(json["tokens"], 4100);
  EXPECT_EQ(json["answers"], 1100);
  EXPECT_EQ(json["wrong"], 2);
  EXPECT_EQ(json["first_wrong"], "validate of token 3 was answered: no");
  EXPECT_EQ(json["seconds"], 2.0);
  EXPECT_EQ(json["per_second"], 2050.0);
  EXPECT_EQ(json["generator_ns"], 100.0);
  EXPECT_EQ(json["answer_bytes"], 10.0);
  EXPECT_EQ(json["server_ns"], 200.0);
  EXPECT_EQ(json["server_threads_ns"]["loop-0"], 700'000) << "in all";
  EXPECT_EQ(json["server_threads_ns"]["committer"], 100'000);
  EXPECT_EQ(json["server_resident_bytes"], 5 << 20);
  EXPECT_EQ(json["revoked"], 100);
  EXPECT_EQ(json["validates"], 4000);
  const nlohmann::json& latency = json["latency_us"];
  for (const auto& [name, truth] : std::map<std::string, double>{{"p50", 550},
                                                                 {"p75", 825},
                                                                 {"p90", 990},
                                                                 {"p99", 1089},
                                                                 {"p999", 1098},
                                                                 {"p9999", 1099}}) {
    EXPECT_GE(latency[name].get<double>(), truth) << name;
    EXPECT_LE(latency[name].get<double>(), truth * 1.01) << name;
  }
  EXPECT_EQ(latency["max"], 1100.0);
}

TEST(ReportTest, WhatIsNotKnownIsNotSaid) {
  GeneratorResult result = SomeResult();
  result.streams.front().first_wrong.clear();
  const nlohmann::json json = MeasuredToJson(result, {});
  for (const char* name : {"server_ns", "server_threads_ns", "server_resident_bytes", "revoked",
                           "validates", "first_wrong", "timeline"}) {
    EXPECT_FALSE(json.contains(name)) << name;
  }
  EXPECT_FALSE(StreamToJson(result, result.streams.front()).contains("generator_ns"));
}

TEST(ReportTest, ARunWithoutAnswersHasFiguresToo) {
  GeneratorResult result;
  result.elapsed_ns = 1'000'000'000;
  result.streams.emplace_back();
  const nlohmann::json json = MeasuredToJson(result, {});
  EXPECT_EQ(json["per_second"], 0.0);
  EXPECT_EQ(json["generator_ns"], 0.0);
  EXPECT_EQ(json["latency_us"]["p99"], 0.0);
}

TEST(ReportTest, TimelineHasAPointForEachInterval) {
  const Interval interval{.end_ns = 10'000'000,
                          .length_ns = 10'000'000,
                          .answers = 7,
                          .tokens = 7,
                          .beside_answers = 3,
                          .p50_ns = 1000,
                          .p99_ns = 2000,
                          .max_ns = 3000};
  const nlohmann::json json = TimelineToJson(
      {{.interval = interval}, {.interval = interval, .server_resident_bytes = 4096}});
  const nlohmann::json expected = {{"t_ms", 10.0}, {"answers", 7}, {"p50", 1.0},
                                   {"p99", 2.0},   {"max", 3.0},   {"beside_answers", 3}};
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0], expected);
  EXPECT_EQ(json[1]["server_resident_bytes"], 4096);
}

TEST(ReportTest, TextSaysTheSame) {
  nlohmann::json figures = MeasuredToJson(
      SomeResult(), {.has_revokes = true, .server_resident_bytes = uint64_t{5} << 20});
  const std::string text = ToText("validate", figures);
  EXPECT_THAT(text, HasSubstr("validate: 4100 tokens in 2.00 s = 2050/s, wrong answers: 2\n"));
  EXPECT_THAT(text, HasSubstr("100 revoked"));
  EXPECT_THAT(text, HasSubstr("200 ns per token"));
  EXPECT_THAT(text, HasSubstr("max 1100 us"));
  EXPECT_THAT(text, HasSubstr("first wrong    validate of token 3 was answered: no\n"));
  EXPECT_THAT(ToText("beside", StreamToJson(SomeResult(), SomeResult().streams.front())),
              Not(HasSubstr("CPU")));
}

TEST(ReportTest, LiveLineIsOneLineAboutTheInterval) {
  const Interval interval{.end_ns = 3'000'000'000,
                          .length_ns = 1'000'000'000,
                          .answers = 10,
                          .tokens = 640,
                          .wrong = 1,
                          .p50_ns = 20'000,
                          .p99_ns = 45'000,
                          .max_ns = 1'234'000};
  EXPECT_EQ(LiveLine("validate", interval),
            "validate 3 s: 640/s, p50 20 us, p99 45 us, max 1234 us, wrong answers: 1");
}

}  // namespace
}  // namespace tokend::bench
