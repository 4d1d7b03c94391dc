#include "server/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace tokend {
namespace {

using ::testing::MatchesRegex;

class LoggingTest : public ::testing::Test {
 protected:
  Logger Make(LogLevel level, LogFormat format) {
    return Logger(level, format, std::make_shared<spdlog::sinks::ostream_sink_mt>(out_));
  }
  std::ostringstream out_;
};

TEST_F(LoggingTest, TextLinesAreAnEventAndFields) {
  Logger log = Make(LogLevel::kInfo, LogFormat::kText);
  log.Info("listening", {{"address", "127.0.0.1:1"},
                         {"threads", size_t{4}},
                         {"offset", -3},
                         {"sync", true},
                         {"why", "two words"},
                         {"empty", ""},
                         {"odd", "a\"b\\c\nd=e"}});
  EXPECT_THAT(out_.str(),
              MatchesRegex("20[0-9-]+T[0-9:]+\\.[0-9][0-9][0-9]Z info listening "
                           "address=127\\.0\\.0\\.1:1 threads=4 offset=-3 sync=true "
                           "why=\"two words\" empty=\"\" odd=\"a\\\\\"b\\\\\\\\c\\\\u000ad=e\"\n"));
}

TEST_F(LoggingTest, JsonLinesAreObjects) {
  Logger log = Make(LogLevel::kInfo, LogFormat::kJson);
  log.Warning("odd", {{"text", "a\"b\\c\nd"}, {"count", uint64_t{18446744073709551615u}}});
  const auto line = nlohmann::json::parse(out_.str());
  EXPECT_EQ(line.at("level"), "warning");
  EXPECT_EQ(line.at("event"), "odd");
  EXPECT_EQ(line.at("text"), "a\"b\\c\nd");
  EXPECT_EQ(line.at("count"), 18446744073709551615u);
  EXPECT_THAT(line.at("time").get<std::string>(),
              MatchesRegex("20[0-9-]+T[0-9:]+\\.[0-9][0-9][0-9]Z"));
}

TEST_F(LoggingTest, LinesBelowTheLevelAreNotWritten) {
  Logger log = Make(LogLevel::kWarning, LogFormat::kText);
  log.Debug("a");
  log.Info("b");
  EXPECT_EQ(out_.str(), "");
  log.Error("c");
  EXPECT_THAT(out_.str(), MatchesRegex(".* error c\n"));
  Logger off = Make(LogLevel::kOff, LogFormat::kText);
  out_.str("");
  off.Error("d");
  EXPECT_EQ(out_.str(), "");
}

TEST(LogLimiterTest, LetsOneLineASecondThroughAndCountsTheRest) {
  LogLimiter limiter;
  uint64_t held_back = 99;
  EXPECT_TRUE(limiter.Allow(0, &held_back));
  EXPECT_EQ(held_back, 0u);
  EXPECT_FALSE(limiter.Allow(0, &held_back));
  EXPECT_FALSE(limiter.Allow(999, &held_back));
  EXPECT_TRUE(limiter.Allow(1000, &held_back));
  EXPECT_EQ(held_back, 2u);
  EXPECT_TRUE(limiter.Allow(2000, &held_back));
  EXPECT_EQ(held_back, 0u);
}

}  // namespace
}  // namespace tokend
