// tokend-bench as it is, against tokend as it is: options, JSON, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "bench/socket.h"
#include "tests/system/server_process.h"

namespace tokend::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Ran {
  int status = -1;
  std::string out;  // and what it said on stderr

  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

Ran Bench(const std::string& arguments) {
  const std::string command = std::string(TOKEND_BENCH_PROGRAM) + " " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  Ran ran;
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    ran.out.append(buffer, size);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ran.status = WEXITSTATUS(status);
  return ran;
}

// --- options that do not go together: one line, and nobody is asked ---

struct BadOptions {
  const char* arguments;
  const char* message;
};

class BadOptionsTest : public ::testing::TestWithParam<BadOptions> {};

TEST_P(BadOptionsTest, AreSaidInOneLine) {
  const Ran ran = Bench(GetParam().arguments);
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.out, AllOf(StartsWith("tokend-bench: "), HasSubstr(GetParam().message)));
  EXPECT_EQ(ran.out.find('\n'), ran.out.size() - 1) << ran.out;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadOptionsTest,
    ::testing::Values(BadOptions{"--protocol redis --batch 2", "redis takes one token a request"},
                      BadOptions{
                          "--protocol memcached --beside insert --beside-rate 1 --beside-batch 2",
                          "memcached takes one token a request"},
                      BadOptions{"--protocol floor --load", "--operation validate"},
                      BadOptions{"--protocol floor --operation insert", "--operation validate"},
                      BadOptions{"--operation insert --revoke-ratio 0.1", "--operation validate"},
                      BadOptions{"--expect expired --revoke-ratio 0.1", "--expect expired"},
                      BadOptions{"--revoke-ratio 0.1", "--revoke-first N --revoke-count C"},
                      BadOptions{"--revoke-ratio 0.1 --keys 100 --revoke-first 99 --revoke-count 1",
                                 "choose another --revoke-first"},
                      BadOptions{"--beside insert", "--beside-rate"},
                      BadOptions{"--beside replace --beside-rate 1", "--beside-count"},
                      BadOptions{"--beside insert --beside-rate 1 --seconds 0", "--seconds 0"},
                      BadOptions{"--protocol redis --expires-from 1000", "ten digits"},
                      BadOptions{"--address nonsense", "HOST:PORT"}));

// --- a server ---

class BenchProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "bench-program-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    server_ =
        std::make_unique<testing::ServerProcess>(TOKEND_PROGRAM, dir_ + "/data", dir_ + "/log");
    common_ = "--address " + server_->address() + " --server-pid " +
              std::to_string(server_->pid()) + " --keys 2000 --expires-base " +
              std::to_string(NowMs()) + " --connections 4 --seconds 0.2 --warmup 0.05 --json ";
    for (int i = 0; i < 1000 && !IsUp(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  static uint64_t NowMs() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  }
  bool IsUp() const {
    try {
      close(ConnectTo(server_->address()));
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  // A run in which every answer has to be right.
  nlohmann::json Right(const std::string& arguments) {
    const Ran ran = Bench(common_ + arguments);
    EXPECT_EQ(ran.status, 0) << arguments << ": " << ran.out;
    return ran.status == 0 ? ran.json() : nlohmann::json();
  }

  // The same again where nothing was answered: on a busy machine no answer may fall into so short a
  // time.
  nlohmann::json RightWithAnswers(const std::string& arguments, const std::string& part) {
    constexpr int kTries = 30;
    nlohmann::json result;
    for (int i = 0; i < kTries && !HasFailure(); ++i) {
      result = Right(arguments)[part];
      if (result["answers"] > 0) return result;
    }
    ADD_FAILURE() << arguments << ": no answers";
    return result;
  }

  std::string dir_;
  std::unique_ptr<testing::ServerProcess> server_;
  std::string common_;
};

TEST_F(BenchProgramTest, LoadsAndAsksInEachWay) {
  nlohmann::json json = Right("--load");
  EXPECT_EQ(json["load"]["tokens"], 2000);
  EXPECT_GT(json["validate"]["answers"], 0);
  EXPECT_GT(json["validate"]["server_resident_bytes"], 0);
  EXPECT_TRUE(json["validate"]["server_threads_ns"].is_object());

  json = Right("--hit-ratio 0.5 --distribution zipf --zipf-exponent 1.2")["validate"];
  EXPECT_GT(json["tokens"], 0);
  json = Right("--batch 64 --hit-ratio 0.5")["validate"];
  EXPECT_EQ(json["tokens"], 64 * json["answers"].get<uint64_t>());

  json = Right("--rate 1000 --timeline 50")["validate"];
  EXPECT_GE(json["answers"], 1);
  EXPECT_LE(json["answers"], 250) << "those that were due in the warm-up and after";
  uint64_t answers = 0;
  for (const nlohmann::json& point : json["timeline"]) {
    answers += point["answers"].get<uint64_t>();
    EXPECT_GT(point["server_resident_bytes"], 0);
  }
  EXPECT_EQ(answers, json["answers"]);
  EXPECT_GE(json["timeline"].size(), 3u);
}

TEST_F(BenchProgramTest, WritesInEachWay) {
  Right("--load --seconds 0");
  RightWithAnswers("--operation insert --depth 4", "insert");
  const nlohmann::json replace = RightWithAnswers("--operation replace --batch 10", "replace");
  EXPECT_EQ(replace["tokens"], 10 * replace["answers"].get<uint64_t>());
  Right("");  // everything is as it was

  const nlohmann::json beside = RightWithAnswers(
      "--beside insert --beside-rate 200 --beside-batch 5 --beside-first 1000000", "beside");
  EXPECT_EQ(beside["tokens"], 5 * beside["answers"].get<uint64_t>());
  // What it inserted is there: at least the first of all.
  Right("--first 1000000 --keys 1");
  RightWithAnswers("--beside replace --beside-rate 200 --beside-count 2000", "beside");
}

TEST_F(BenchProgramTest, RevokesUntilThePoolIsUsedUp) {
  Right("--load --seconds 0");
  Right("--load --seconds 0 --first 10000 --keys 300");
  const std::string pool = "--revoke-first 10000 --revoke-count 300 ";
  const nlohmann::json json = Right(pool + "--revoke-ratio 0.1 --rate 1000")["validate"];
  EXPECT_GT(json["revoked"], 0);
  EXPECT_EQ(json["tokens"], json["revoked"].get<uint64_t>() + json["validates"].get<uint64_t>());
  const Ran again = Bench(common_ + pool + "--revoke-ratio 1 --rate 100");
  EXPECT_EQ(again.status, 1) << "revoked already: " << again.out;
  EXPECT_THAT(again.json()["validate"]["first_wrong"].get<std::string>(),
              StartsWith("revoke of token 100"));
  const Ran used_up = Bench(common_ + pool + "--revoke-ratio 1 --rate 10000");
  EXPECT_EQ(used_up.status, 2);
  EXPECT_THAT(used_up.out, StartsWith("tokend-bench: all 300 tokens to revoke are used up"));
}

TEST_F(BenchProgramTest, TellsExpiredTokensFromValidOnes) {
  const std::string past =
      "--expires-from " + std::to_string(NowMs() - 2000) + " --expires-spread 1000 ";
  const auto replaced = common_.find(" --expires-base ");
  common_.erase(replaced, common_.find(" --connections ") - replaced);
  Right(past + "--load --seconds 0");
  Right(past + "--expect expired --hit-ratio 0.5");
  Right(past + "--expect expired --batch 7");
  const Ran ran = Bench(common_ + past);
  EXPECT_EQ(ran.status, 1);
  EXPECT_GT(ran.json()["validate"]["wrong"], 0);
  // And valid ones are not taken for expired.
  const std::string later =
      "--first 5000 --expires-from " + std::to_string(NowMs() + 3'600'000) + " ";
  Right(later + "--load --seconds 0");
  Right(later);
  EXPECT_EQ(Bench(common_ + later + "--expect expired").status, 1);
}

}  // namespace
}  // namespace tokend::bench
