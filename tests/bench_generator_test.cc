// The generator against the floor server, and against servers that answer wrong, late or not at
// all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/driver.h"
#include "bench/floor.h"
#include "bench/generator.h"
#include "tests/bench_test_server.h"

namespace tokend::bench {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr uint64_t kMs = 1'000'000;

class GeneratorTest : public ::testing::Test {
 protected:
  // Gives tokens 0, 1, ... `count` - 1, and remembers when each was meant to be sent.
  NextOperation Count(uint64_t count) {
    return [this, count](Operation* operation) {
      if (sent_ == count) return false;
      operation->index = sent_++;
      started_ns_.push_back(operation->started_ns);
      return true;
    };
  }

  GeneratorResult Run(const TestServer& server, std::vector<StreamOptions> streams,
                      const RunOptions& options = {}) {
    return Generator({.address = server.address()}, std::move(streams), driver_.get()).Run(options);
  }
  StreamResult RunOne(const std::string& address, const StreamOptions& stream,
                      uint64_t stall_ms = 30000) {
    Generator generator({.address = address, .stall_ms = stall_ms}, {stream}, driver_.get());
    const GeneratorResult result = generator.Run();
    EXPECT_GT(result.elapsed_ns, 0u);
    return result.streams.front();
  }
  StreamResult RunClosed(const std::string& address, uint64_t operations) {
    return RunOne(address, {.connections = 1, .next = Count(operations)});
  }

  const TokenSpace tokens_{1, 0};
  const std::unique_ptr<Driver> driver_ = MakeDriver("floor", &tokens_);
  uint64_t sent_ = 0;
  std::vector<uint64_t> started_ns_;
};

TEST_F(GeneratorTest, CountsEveryAnswerHoweverItIsCut) {
  for (const size_t chunk : {size_t{1}, size_t{7}, kFloorAnswerBytes, size_t{4096}}) {
    // Closed loop, and an open one of which everything is due at once: its connection is filled up
    // whenever an answer has come.
    for (const double rate : {0.0, 1e9}) {
      const TestServer server([chunk](int fd) { ServeFloor(fd, {.chunk = chunk}); });
      sent_ = 0;
      const StreamResult result =
          RunOne(server.address(), {.connections = 1, .rate = rate, .next = Count(100)});
      EXPECT_EQ(result.answers, 100u);
      EXPECT_EQ(result.tokens(), 100u);
      EXPECT_EQ(result.wrong, 0u);
      EXPECT_EQ(result.latency.count(), 100u);
      EXPECT_EQ(result.answer_bytes, 100 * kFloorAnswerBytes);
    }
  }
}

TEST_F(GeneratorTest, AnswersMayOvertakeOneAnother) {
  for (const double rate : {0.0, 1e9}) {
    const TestServer server([](int fd) { ServeFloor(fd, {.is_reverse = true}); });
    sent_ = 0;
    const StreamResult result =
        RunOne(server.address(), {.connections = 3, .depth = 5, .rate = rate, .next = Count(1000)});
    EXPECT_EQ(result.answers, 1000u);
    EXPECT_EQ(result.wrong, 0u);
  }
}

TEST_F(GeneratorTest, FindsTheWrongAnswer) {
  const TestServer server([](int fd) {
    ServeFloor(fd, {.on_answer = [](uint64_t number, std::string_view, std::string* answer) {
                 if (number == 37) answer->back() = 'X';
               }});
  });
  const StreamResult result = RunClosed(server.address(), 100);
  EXPECT_EQ(result.wrong, 1u);
  EXPECT_THAT(result.first_wrong, HasSubstr("validate of token 37 was answered"));
}

TEST_F(GeneratorTest, SaysWhatIsNoAnswer) {
  const TestServer server([](int fd) {
    ServeFloor(fd, {.on_answer = [](uint64_t, std::string_view, std::string* answer) {
                 (*answer)[kFloorMsgidOffset] = 'X';
               }});
  });
  EXPECT_THAT([&] { RunClosed(server.address(), 100); },
              ThrowsMessage<std::runtime_error>(HasSubstr("no answer to what was asked")));
}

TEST_F(GeneratorTest, NoticesAConnectionThatCloses) {
  const TestServer server([](int) {});
  EXPECT_THROW(RunClosed(server.address(), 100), std::runtime_error);
}

TEST_F(GeneratorTest, GivesUpOnAServerThatIsSilent) {
  const TestServer server([](int fd) {
    char buffer[4096];
    while (recv(fd, buffer, sizeof buffer, 0) > 0) {
    }
  });
  for (const double rate : {0.0, 1e6}) {
    sent_ = 0;
    EXPECT_THAT(
        [&] { RunOne(server.address(), {.connections = 1, .rate = rate, .next = Count(1)}, 300); },
        ThrowsMessage<std::runtime_error>(HasSubstr("no answer")));
  }
}

TEST_F(GeneratorTest, SaysWhomItCannotReach) {
  EXPECT_THAT([&] { RunClosed("unix:/nowhere/at/all", 1); },
              ThrowsMessage<std::runtime_error>(HasSubstr("/nowhere/at/all")));
  EXPECT_THAT([&] { RunClosed("nonsense", 1); },
              ThrowsMessage<std::runtime_error>(HasSubstr("HOST:PORT")));
}

TEST_F(GeneratorTest, WhatCannotBeGivenEndsTheRun) {
  const TestServer server([](int fd) { ServeFloor(fd); });
  const NextOperation next = [](Operation*) -> bool { throw std::runtime_error("used up"); };
  EXPECT_THAT([&] { RunOne(server.address(), {.next = next}); },
              ThrowsMessage<std::runtime_error>("used up"));
}

TEST_F(GeneratorTest, OpenLoopKeepsItsRate) {
  const TestServer server([](int fd) { ServeFloor(fd); });
  const GeneratorResult result =
      Run(server, {{.connections = 2, .rate = 2000, .next = Count(400)}});
  EXPECT_EQ(result.streams.front().answers, 400u);
  // Each half a millisecond after the one before, whatever the answers did.
  for (uint64_t i = 0; i < 400; ++i) EXPECT_EQ(started_ns_[i] - started_ns_[0], i * kMs / 2) << i;
  EXPECT_GE(result.elapsed_ns, 399 * kMs / 2) << "nothing is sent before it is due";
}

// The server stops for 200 ms while a request is due each millisecond.
TEST_F(GeneratorTest, OpenLoopCountsWhoWouldHaveComeInAStall) {
  const TestServer server([](int fd) {
    ServeFloor(fd, {.on_answer = [](uint64_t number, std::string_view, std::string*) {
                 if (number == 50) std::this_thread::sleep_for(std::chrono::milliseconds(200));
               }});
  });
  // Far fewer under way than fall due: the wait of those that are not sent counts as well.
  const StreamResult result =
      RunOne(server.address(), {.connections = 1, .depth = 4, .rate = 1000, .next = Count(400)});
  EXPECT_EQ(result.answers, 400u);
  EXPECT_GE(result.latency.max_ns(), 199 * kMs);
  // Those that were due in the first half of it have waited for the second: at least 100 of 400.
  EXPECT_GE(result.latency.PercentileNs(0.76), 99 * kMs);
}

TEST_F(GeneratorTest, OpenLoopHasNoMoreUnderWayThanItsDepth) {
  std::atomic<size_t> most = 0;
  const TestServer server([&](int fd) {
    ServeFloor(fd, {.on_read = [&](size_t requests) {
                 most = std::max(most.load(), requests);
                 std::this_thread::sleep_for(std::chrono::milliseconds(2));
               }});
  });
  const StreamResult result =
      RunOne(server.address(), {.connections = 1, .depth = 5, .rate = 1e9, .next = Count(100)});
  EXPECT_EQ(result.answers, 100u);
  EXPECT_LE(most, 5u);
}

TEST_F(GeneratorTest, OpenLoopTakesItsConnectionsInTurn) {
  std::mutex mutex;
  std::vector<uint64_t> requests;
  {
    const TestServer server([&](int fd) {
      uint64_t count = 0;
      ServeFloor(fd, {.on_read = [&](size_t read) { count += read; }});
      const std::lock_guard lock(mutex);
      requests.push_back(count);
    });
    RunOne(server.address(), {.connections = 4, .depth = 400, .rate = 4000, .next = Count(400)});
  }
  EXPECT_EQ(requests.size(), 4u);
  EXPECT_THAT(requests, Each(100u));
}

TEST_F(GeneratorTest, StreamsRunBesideEachOtherUntilTheFirstEnds) {
  constexpr uint64_t kBeside = 1'000'000;
  const std::string bad = tokens_.Token(kBeside + 3);
  const TestServer server([&](int fd) {
    ServeFloor(fd, {.on_answer = [&](uint64_t, std::string_view request, std::string* answer) {
                 if (request.ends_with(bad)) answer->back() = 'X';
               }});
  });
  uint64_t beside_sent = 0;
  const NextOperation beside = [&](Operation* operation) {
    operation->index = kBeside + beside_sent++;
    return true;  // without an end of its own
  };
  const GeneratorResult result =
      Run(server, {{.connections = 2, .rate = 1000, .next = Count(200)},
                   {.connections = 3, .depth = 100, .rate = 500, .next = beside}});
  ASSERT_EQ(result.streams.size(), 2u);
  EXPECT_EQ(result.streams[0].answers, 200u);
  EXPECT_EQ(result.streams[0].wrong, 0u);
  // As long as the first lasted: its last one is due after 199 ms, and there 100 have been here.
  // Not all of them need be answered in time to count.
  EXPECT_GE(beside_sent, 100u);
  EXPECT_GT(result.streams[1].answers, 0u);
  EXPECT_LE(result.streams[1].answers, beside_sent);
  EXPECT_EQ(result.streams[1].wrong, 1u);
  EXPECT_THAT(result.streams[1].first_wrong, HasSubstr("token 1000003"));
  EXPECT_EQ(result.streams[1].latency.count(), result.streams[1].answers);
}

TEST_F(GeneratorTest, WhoHasNothingMoreIsNotAskedAgain) {
  const TestServer server([](int fd) { ServeFloor(fd); });
  const auto at_most = [](uint64_t count, uint64_t* calls) {
    return [=](Operation*) { return ++*calls <= count; };
  };
  uint64_t calls = 0;
  uint64_t beside_calls = 0;
  const GeneratorResult result = Run(
      server, {{.connections = 3, .next = at_most(20000, &calls)},
               {.connections = 1, .depth = 64, .rate = 1e6, .next = at_most(50, &beside_calls)}});
  EXPECT_EQ(result.streams[0].answers, 20000u);
  EXPECT_EQ(calls, 20001u);
  EXPECT_EQ(beside_calls, 51u);
}

// Of the second stream something is always due, and under way.
TEST_F(GeneratorTest, TheFirstStreamsEndIsTheEnd) {
  const TestServer server([](int fd) { ServeFloor(fd); });
  const NextOperation beside = [](Operation*) { return true; };
  const GeneratorResult result = Run(server, {{.connections = 2, .next = Count(2000)},
                                              {.connections = 2, .rate = 1e9, .next = beside}});
  EXPECT_EQ(result.streams[0].answers, 2000u);
  EXPECT_GT(result.streams[1].answers, 0u);
}

TEST_F(GeneratorTest, CountsFromWhereMeasuringBegins) {
  const TestServer server([](int fd) {
    ServeFloor(fd, {.on_answer = [](uint64_t number, std::string_view, std::string* answer) {
                 if (number == 0) answer->back() = 'X';
               }});
  });
  RunOptions options{.measure_from_ns = UINT64_MAX};
  // With one request under way, nine are answered when the tenth is asked for: from there on.
  const NextOperation next = [&](Operation*) {
    if (++sent_ == 10) options.measure_from_ns = 0;
    return sent_ <= 200;
  };
  const StreamResult stream =
      Run(server, {{.connections = 1, .depth = 1, .next = next}}, options).streams.front();
  EXPECT_EQ(stream.answers, 191u);
  EXPECT_EQ(stream.latency.count(), 191u);
  EXPECT_EQ(stream.answer_bytes, 191 * kFloorAnswerBytes);
  EXPECT_EQ(stream.wrong, 1u) << "it is checked from the start on";
}

TEST_F(GeneratorTest, IntervalsSumUpToTheWhole) {
  const TestServer server([](int fd) { ServeFloor(fd); });
  std::vector<Interval> intervals;
  RunOptions options;
  options.observers = {
      {.length_ns = 10 * kMs, .on_end = [&](const Interval& i) { intervals.push_back(i); }}};
  const NextOperation beside = [](Operation*) { return true; };
  const GeneratorResult result = Run(server,
                                     {{.connections = 2, .rate = 2000, .next = Count(205)},
                                      {.connections = 1, .rate = 500, .next = beside}},
                                     options);
  ASSERT_GE(intervals.size(), 10u) << "the 205th is due after 102 ms";
  uint64_t answers = 0;
  uint64_t beside_answers = 0;
  uint64_t max_ns = 0;
  for (size_t i = 0; i < intervals.size(); ++i) {
    answers += intervals[i].answers;
    beside_answers += intervals[i].beside_answers;
    max_ns = std::max(max_ns, intervals[i].max_ns);
    if (i + 1 < intervals.size()) {
      EXPECT_EQ(intervals[i].end_ns, (i + 1) * 10 * kMs);
    }
    EXPECT_LE(answers, intervals[i].end_ns * 2 / kMs + 1) << "answered before it was due";
  }
  EXPECT_EQ(answers, 205u);
  EXPECT_EQ(beside_answers, result.streams[1].answers);
  EXPECT_EQ(max_ns, result.streams[0].latency.max_ns());
}

TEST_F(GeneratorTest, TakesTheServersCpuTimeByThread) {
  const TestServer server([](int fd) {
    pthread_setname_np(pthread_self(), "floor-thread");
    ServeFloor(fd);
  });
  // The server is a thread of this process.
  const GeneratorResult result =
      Run(server, {{.connections = 1, .next = Count(200000)}}, {.server_pid = getpid()});
  EXPECT_GT(result.generator_cpu_ns, 0u);
  EXPECT_GT(result.server_cpu_ns, 0u);
  ASSERT_TRUE(result.server_threads_ns.contains("floor-thread"));
  EXPECT_GT(result.server_threads_ns.at("floor-thread"), 0u);
}

}  // namespace
}  // namespace tokend::bench
