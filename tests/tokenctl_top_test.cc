// tokenctl top: rates between made-up stats, how they are shown, and when it asks for the next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/json.h"
#include "client/tokenctl/screen.h"
#include "client/tokenctl/table.h"
#include "client/tokenctl/top_stats.h"
#include "client/tokenctl/top_view.h"
#include "tests/tokenctl_fixture.h"

namespace tokend::tokenctl {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using StatsJson = nlohmann::ordered_json;

// What a server says that has been up for a minute.
StatsJson Stats() {
  return StatsJson::parse(R"({
    "state": "ready", "read_only_reason": "", "version": "0.1.0", "uptime_ms": 60000,
    "requests_total": 1000, "http_requests_total": 10, "errors_total": 5,
    "connections": 3, "connections_total": 20, "connections_refused_total": 1,
    "callers_refused_total": 0, "bytes_in_total": 4096, "bytes_out_total": 8192,
    "mutations_total": 100, "commits_total": 10, "commit_us_total": 30000,
    "queue_mutations": 7, "queue_bytes": 2048, "buffered_bytes": 0,
    "tokens": 1234567, "owners": 1000, "namespaces": 2,
    "slot_bytes": 1048576, "index_bytes": 524288, "wheel_bytes": 262144, "owner_bytes": 131072,
    "rocksdb_memory_bytes": 131072, "disk_bytes": 1073741824,
    "validate_total": {"valid": 500, "unknown": 50, "expired": 5, "revoked": 4, "unavailable": 0},
    "loop_turns": {"10": 100, "25": 150, "50": 180, "inf": 200},
    "loops": [{"connections": 2, "requests_total": 600}, {"connections": 1, "requests_total": 400}]
  })");
}

void AddTo(StatsJson* stats, const char* pointer, uint64_t n) {
  StatsJson& value = (*stats)[StatsJson::json_pointer(pointer)];
  value = value.get<uint64_t>() + n;
}

// The same server two seconds later.
StatsJson LaterStats() {
  StatsJson stats = Stats();
  AddTo(&stats, "/uptime_ms", 2000);
  AddTo(&stats, "/requests_total", 24690);
  AddTo(&stats, "/errors_total", 1);
  AddTo(&stats, "/bytes_in_total", 2048);
  AddTo(&stats, "/mutations_total", 40);
  AddTo(&stats, "/commits_total", 4);
  AddTo(&stats, "/commit_us_total", 8400);
  AddTo(&stats, "/validate_total/valid", 20000);
  AddTo(&stats, "/validate_total/unknown", 10);
  AddTo(&stats, "/loop_turns/25", 990);
  AddTo(&stats, "/loop_turns/50", 999);
  AddTo(&stats, "/loop_turns/inf", 1000);
  AddTo(&stats, "/loops/0/requests_total", 24690);
  return stats;
}

// Taken when the server's clock and that of whoever asks are a million apart.
TopSample Sample(const StatsJson& stats) {
  const uint64_t asked_ms = 1'000'000 + stats.value("uptime_ms", uint64_t{0});
  return ReadTopSample(stats, asked_ms, asked_ms + 1);
}

TopSnapshot After(const StatsJson& before, const StatsJson& now) {
  return Compare(Sample(before), Sample(now));
}

std::string Text(const std::optional<DurationBound>& bound) {
  if (!bound.has_value()) return "none";
  return (bound->is_above ? "above " : "at most ") + std::to_string(bound->us);
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// --- rates ---

TEST(TopRates, AreDifferencesOverTheServersTime) {
  const TopSnapshot snapshot = After(Stats(), LaterStats());
  ASSERT_TRUE(snapshot.rates.has_value());
  const TopRates& rates = *snapshot.rates;
  EXPECT_FALSE(snapshot.is_restarted);
  EXPECT_EQ(rates.interval_ms, 2000u);
  EXPECT_EQ(rates.requests, 12345);
  EXPECT_EQ(rates.errors, 0.5);
  EXPECT_EQ(rates.bytes_in, 1024);
  EXPECT_THAT(rates.verdicts, ElementsAre(10000, 5, 0, 0, 0));
  EXPECT_EQ(rates.validates, 10005);
  EXPECT_EQ(rates.mutations, 20);
  EXPECT_EQ(rates.commit_us, 2100) << "of one group";
  EXPECT_EQ(rates.fsync_us, std::nullopt) << "the server does not say";
  EXPECT_THAT(rates.loop_requests, ElementsAre(12345, 0));
}

TEST(TopRates, AreNotThereAtFirst) {
  const TopSnapshot first = Compare(std::nullopt, Sample(Stats()));
  EXPECT_FALSE(first.rates.has_value());
  EXPECT_FALSE(first.is_restarted);
  // Nor without any time between.
  EXPECT_FALSE(After(Stats(), Stats()).rates.has_value());
}

TEST(TopRates, AGroupThatTookNoTimeIsNoGroup) {
  StatsJson later = Stats();
  AddTo(&later, "/uptime_ms", 1000);
  EXPECT_EQ(After(Stats(), later).rates->commit_us, std::nullopt);
}

TEST(TopRates, FsyncIsOfOneGroup) {
  StatsJson before = Stats(), later = LaterStats();
  before["fsync_us_total"] = 20000u;
  later["fsync_us_total"] = 28000u;
  EXPECT_EQ(After(before, later).rates->fsync_us, 2000);
}

TEST(TopRates, PercentilesAreOfTheIntervalAlone) {
  const Percentiles turns = After(Stats(), LaterStats()).rates->loop_turns;
  EXPECT_EQ(Text(turns.p50), "at most 25") << "half of all since the start took at most 10";
  EXPECT_EQ(Text(turns.p99), "at most 25");
  EXPECT_EQ(Text(turns.p999), "at most 50");
  EXPECT_EQ(Text(After(Stats(), LaterStats()).rates->validate_us.p50), "none");

  StatsJson before = Stats(), later = LaterStats();
  before["validate_us"] = {{"10", 0u}, {"100", 0u}, {"inf", 0u}};
  later["validate_us"] = {{"100", 1u}, {"inf", 2u}, {"10", 0u}};  // in any order
  const Percentiles validate = After(before, later).rates->validate_us;
  EXPECT_EQ(Text(validate.p50), "at most 100");
  EXPECT_EQ(Text(validate.p99), "above 100");
}

TEST(TopRates, PercentilesAtTheEdges) {
  const Histogram histogram{{{10, 0}, {20, 500}, {40, 990}, {Histogram::kNoBound, 1000}}};
  EXPECT_EQ(Text(PercentileBound(histogram, 500)), "at most 20");
  EXPECT_EQ(Text(PercentileBound(histogram, 501)), "at most 40");
  EXPECT_EQ(Text(PercentileBound(histogram, 990)), "at most 40");
  EXPECT_EQ(Text(PercentileBound(histogram, 999)), "above 40");
  EXPECT_EQ(PercentileBound(Histogram{{{10, 0}, {Histogram::kNoBound, 0}}}, 500), std::nullopt);
  EXPECT_EQ(PercentileBound(Histogram{}, 500), std::nullopt);
}

// --- a server that is started anew ---

TEST(TopRestart, IsToldByAnUptimeThatFalls) {
  StatsJson young = LaterStats();
  young["uptime_ms"] = 500u;
  const TopSnapshot snapshot = After(Stats(), young);
  EXPECT_TRUE(snapshot.is_restarted);
  EXPECT_FALSE(snapshot.rates.has_value());
}

TEST(TopRestart, IsToldByAnyCounterThatFalls) {
  for (const char* pointer :
       {"/requests_total", "/http_requests_total", "/errors_total", "/connections_total",
        "/connections_refused_total", "/bytes_in_total", "/bytes_out_total", "/mutations_total",
        "/commits_total", "/commit_us_total", "/validate_total/valid", "/validate_total/revoked",
        "/loop_turns/10", "/loop_turns/inf", "/loops/1/requests_total"}) {
    StatsJson later = LaterStats();
    later[StatsJson::json_pointer(pointer)] = 0u;
    const TopSnapshot snapshot = After(Stats(), later);
    EXPECT_TRUE(snapshot.is_restarted) << pointer;
    EXPECT_FALSE(snapshot.rates.has_value()) << pointer;
  }
  StatsJson more_loops = LaterStats();
  more_loops["loops"].push_back({{"connections", 0u}, {"requests_total", 0u}});
  EXPECT_TRUE(After(Stats(), more_loops).is_restarted);
}

TEST(TopRestart, IsToldByTimeWhereNothingFalls) {
  // Asked 10 s later, it has been up for only 2 s longer.
  const TopSample before = Sample(Stats());
  const auto later = [&](uint64_t sent_ms, uint64_t received_ms) {
    return Compare(before, ReadTopSample(LaterStats(), before.sent_ms + sent_ms,
                                         before.sent_ms + received_ms));
  };
  EXPECT_TRUE(later(10000, 10001).is_restarted);
  EXPECT_FALSE(later(2000, 2001).is_restarted);
  EXPECT_FALSE(later(2050, 2060).is_restarted) << "clocks differ a little";
  EXPECT_FALSE(later(1, 30000).is_restarted) << "the answer took its time";
}

TEST(TopSampleTest, TakesWhatIsNotThereAsNothing) {
  for (const char* text : {"{}", "[]", "null", "7", R"({"uptime_ms": "x", "loops": [1, {}]})",
                           R"({"loop_turns": {"x": 1}, "validate_us": {"10": 1}, "loops": 3})",
                           R"({"validate_total": 5, "state": 1})"}) {
    const TopSample sample = ReadTopSample(StatsJson::parse(text), 1, 2);
    EXPECT_EQ(sample.uptime_ms, 0u) << text;
    EXPECT_FALSE(sample.loop_turns.has_value()) << text;
    EXPECT_FALSE(sample.validate_us.has_value()) << text;
    const TopSnapshot snapshot = Compare(sample, sample);
    EXPECT_FALSE(TopLine(snapshot, kNowMs).empty());
    EXPECT_THAT(TopScreen(snapshot, "here", 1000, {}), Not(IsEmpty()));
  }
}

// --- the screen ---

TEST(TopView, IsWhatAPersonReads) {
  EXPECT_EQ(
      Joined(TopScreen(After(Stats(), LaterStats()), "unix:data/tokend.sock", 1000, {80, 40})),
      R"(tokend 0.1.0 at unix:data/tokend.sock                           every 1s, q ends
ready, up 00:01:02

                  total      valid    unknown    expired    revoked unavailable
validates/s      10,005     10,000        5.0          0          0           0

                    p50        p99      p99.9
loop turns     <= 25 us   <= 25 us   <= 50 us

                    rpc       http     errors    refused   bytes in   bytes out
requests/s       12,345          0        0.5          0    1.0 KiB         0 B

                   open accepted/s  refused/s   buffered
connections           3          0          0        0 B

                 writes     groups     commit      fsync     queued       bytes
writes/s             20        2.0    2.10 ms          -          7     2.0 KiB

                 tokens     owners namespaces       disk
stored        1,234,567      1,000          2    1.0 GiB

                  total      slots      index      wheel     owners     rocksdb
memory          2.0 MiB    1.0 MiB  512.0 KiB  256.0 KiB  128.0 KiB   128.0 KiB

loop               open requests/s
0                     2     12,345
1                     1          0
)");
}

TEST(TopView, HasARowForValidatesWhereTheServerTimesThem) {
  StatsJson before = Stats(), later = LaterStats();
  before["validate_us"] = {{"50", 0u}, {"2000", 0u}, {"inf", 0u}};
  later["validate_us"] = {{"50", 1u}, {"2000", 2u}, {"inf", 3u}};
  EXPECT_THAT(Joined(TopScreen(After(before, later), "here", 1000, {})),
              HasSubstr("\nvalidate        <= 2 ms     > 2 ms     > 2 ms\nloop turns "));
}

TEST(TopView, HasNoRatesWhereThereIsNoInterval) {
  const std::string text =
      Joined(TopScreen(Compare(std::nullopt, Sample(Stats())), "here", 500, {}));
  EXPECT_THAT(text, HasSubstr("\nvalidates/s           -          -          -          -"));
  EXPECT_THAT(text, HasSubstr("every 500ms, q ends\n"));
  EXPECT_THAT(text, HasSubstr("\nconnections           3          -          -        0 B\n"));

  StatsJson young = Stats();
  young["uptime_ms"] = 90'061'000u;
  StatsJson old = young;
  old["uptime_ms"] = 90'062'000u;
  EXPECT_THAT(Joined(TopScreen(After(old, young), "here", 1000, {})),
              HasSubstr("\nready, up 1d 01:01:01, restarted\n"));
}

TEST(TopView, SaysWhyItIsNotReady) {
  StatsJson stats = Stats();
  stats["state"] = "read_only";
  stats["read_only_reason"] = "disk\x1b[2J full";
  EXPECT_THAT(Joined(TopScreen(Compare(std::nullopt, Sample(stats)), "here", 1000, {})),
              HasSubstr("\nread_only: disk\\x1b[2J full, up 00:01:00\n"));
  stats["state"] = "loading";
  stats["read_only_reason"] = "";
  stats["load_records"] = 1000u;
  stats["load_records_estimate"] = 5000u;
  EXPECT_THAT(Joined(TopScreen(Compare(std::nullopt, Sample(stats)), "here", 1000, {})),
              HasSubstr("\nloading 1,000 of about 5,000, up"));
}

TEST(TopView, FitsEveryScreen) {
  StatsJson many = LaterStats();
  for (int i = 2; i < 50; ++i) {
    many["loops"].push_back({{"connections", 1u}, {"requests_total", 1u}});
  }
  for (const StatsJson& stats : {LaterStats(), many}) {
    const TopSnapshot snapshot = Compare(std::nullopt, Sample(stats));
    for (size_t columns : {1, 2, 9, 13, 40, 79, 80, 200}) {
      for (size_t rows = 1; rows < 70; ++rows) {
        const std::vector<std::string> lines = TopScreen(snapshot, "here", 1000, {columns, rows});
        ASSERT_LE(lines.size(), rows);
        for (const std::string& line : lines) ASSERT_LE(DisplayWidth(line), columns) << line;
      }
    }
  }
  const TopSnapshot snapshot = After(Stats(), LaterStats());
  EXPECT_THAT(TopScreen(snapshot, "here", 1000, {80, 24}), Not(Contains("")))
      << "a small screen has no room for empty lines";
  EXPECT_THAT(Joined(TopScreen(snapshot, "here", 1000, {80, 24})),
              EndsWith("1                     1          0\n"));
  EXPECT_THAT(TopScreen(Compare(std::nullopt, Sample(many)), "here", 1000, {80, 24}).back(),
              "... more than there is room for");
}

TEST(TopView, SaysThatItCannotBeReached) {
  EXPECT_THAT(TopTroubleScreen("cannot reach x: refused", "x", 2000, {40, 24}),
              ElementsAre("tokend at x             every 2s, q ends", "", "cannot reach x: refused",
                          "trying again"));
  EXPECT_THAT(TopTroubleScreen("cannot reach x: refused", "x", 2000, {8, 1}), SizeIs(1));
}

// --- lines and JSON ---

std::vector<std::string> Words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

TEST(TopView, EveryLineHasTheColumnsOfTheHeader) {
  const std::vector<std::string> titles = Words(TopHeaderLine());
  StatsJson young = LaterStats();
  young["uptime_ms"] = 5u;
  StatsJson odd = LaterStats();
  odd["state"] = "half way";
  const auto column = [&](const TopSnapshot& snapshot, const std::string& title) {
    const std::vector<std::string> words = Words(TopLine(snapshot, kNowMs));
    EXPECT_EQ(words.size(), titles.size());
    const auto found = std::ranges::find(titles, title);
    EXPECT_NE(found, titles.end()) << title;
    return words[static_cast<size_t>(found - titles.begin())];
  };
  const TopSnapshot snapshot = After(Stats(), LaterStats());
  EXPECT_EQ(column(snapshot, "TIME"), "2030-03-17T17:46:40Z");
  EXPECT_EQ(column(snapshot, "STATE"), "ready");
  EXPECT_EQ(column(snapshot, "VALID/S"), "10000.0");
  EXPECT_EQ(column(snapshot, "UNAVAIL/S"), "0.0");
  EXPECT_EQ(column(snapshot, "REQUESTS/S"), "12345.0");
  EXPECT_EQ(column(snapshot, "ERRORS/S"), "0.5");
  EXPECT_EQ(column(snapshot, "WRITES/S"), "20.0");
  EXPECT_EQ(column(snapshot, "COMMIT_US"), "2100");
  EXPECT_EQ(column(snapshot, "FSYNC_US"), "-");
  EXPECT_EQ(column(snapshot, "QUEUE"), "7");
  EXPECT_EQ(column(snapshot, "CONNS"), "3");
  EXPECT_EQ(column(snapshot, "IN_B/S"), "1024.0");
  EXPECT_EQ(column(snapshot, "P99_US"), "-");
  EXPECT_EQ(column(snapshot, "TURN_P50_US"), "<=25");
  EXPECT_EQ(column(snapshot, "TURN_P999_US"), "<=50");
  EXPECT_EQ(column(snapshot, "TOKENS"), "1234567");
  EXPECT_EQ(column(snapshot, "MEM_BYTES"), "2097152");
  EXPECT_EQ(column(snapshot, "DISK_BYTES"), "1073741824");
  EXPECT_EQ(column(After(Stats(), young), "STATE"), "restarted");
  EXPECT_EQ(column(After(Stats(), young), "VALID/S"), "-");
  EXPECT_EQ(column(After(Stats(), young), "QUEUE"), "7");
  EXPECT_EQ(column(After(Stats(), odd), "STATE"), "half_way") << "a value is one word";
  EXPECT_EQ(TopLine(snapshot, kNowMs).size(), TopHeaderLine().size());
}

TEST(TopView, JsonHasBoundsAsTheyAre) {
  const StatsJson json = TopJson(After(Stats(), LaterStats()), kNowMs);
  EXPECT_EQ(json["time"], kNowMs);
  EXPECT_EQ(json["per_second"]["validate"]["valid"], 10000);
  EXPECT_EQ(json["per_second"]["loop_turns_us"]["p99"], StatsJson::parse(R"({"at_most": 25})"));
  EXPECT_EQ(json["per_second"]["validate_us"]["p99"], nullptr);
  EXPECT_EQ(json["loops"][0]["requests"], 12345);
  const StatsJson first = TopJson(Compare(std::nullopt, Sample(Stats())), kNowMs);
  EXPECT_EQ(first["per_second"], nullptr);
  EXPECT_EQ(first["loops"][0]["requests"], nullptr);
}

// --- the command ---

// A screen that remembers what was drawn, on the clock of the test.
class FakeScreen final : public Screen {
 public:
  struct Log {
    std::vector<std::string> drawn;
    std::vector<Event> events;  // what comes of the next waits; kTime, once they are used up
    ScreenSize size;
    bool is_gone = false;
  };
  FakeScreen(Log* log, uint64_t* steady_ms) : log_(log), steady_ms_(steady_ms) {}
  ~FakeScreen() override { log_->is_gone = true; }

  ScreenSize size() const override { return log_->size; }
  void Draw(const std::vector<std::string>& lines) override {
    log_->drawn.push_back(Joined(lines));
  }
  Event Wait(uint64_t ms) override {
    Event event = Event::kTime;
    if (next_ < log_->events.size()) event = log_->events[next_++];
    if (event == Event::kTime) *steady_ms_ += ms;
    return event;
  }

 private:
  Log* const log_;
  uint64_t* const steady_ms_;
  size_t next_ = 0;
};

class TopCommandTest : public TokenctlTest {
 protected:
  void HasScreen() {
    environment_.out_is_terminal = true;
    environment_.open_screen = [this] { return std::make_unique<FakeScreen>(&log_, &steady_ms_); };
  }
  void AnswersStats(const std::vector<StatsJson>& all) {
    std::vector<std::string> encoded;
    for (const StatsJson& stats : all) encoded.push_back(*client::FromJson(stats));
    Answers("stats", std::move(encoded));
  }

  FakeScreen::Log log_;
};

TEST_F(TopCommandTest, WritesALineForEachInterval) {
  AnswersStats({Stats(), LaterStats()});
  const uint64_t begun_ms = steady_ms_;
  EXPECT_EQ(Run({"top", "--interval", "2s", "--count", "1"}), kExitOk) << err();
  EXPECT_EQ(out(), TopHeaderLine() + "\n" + TopLine(After(Stats(), LaterStats()), kNowMs) + "\n");
  EXPECT_THAT(asked_, SizeIs(2));
  EXPECT_EQ(steady_ms_ - begun_ms, 2000u);
}

TEST_F(TopCommandTest, KeepsTimeAndDoesNotMakeUpForWhatItMissed) {
  AnswersStats({Stats()});
  std::vector<uint64_t> slept, late = {30, 170, 0};
  environment_.sleep_ms = [&](uint64_t ms) {
    steady_ms_ += ms + late[slept.size()];
    slept.push_back(ms);
  };
  EXPECT_EQ(Run({"top", "--interval", "100ms", "--count", "3"}), kExitOk);
  EXPECT_THAT(slept, ElementsAre(100, 70, 100));
}

TEST_F(TopCommandTest, WritesJsonEvenToATerminal) {
  HasScreen();
  AnswersStats({Stats(), LaterStats()});
  EXPECT_EQ(Run({"top", "--interval", "2s", "--count", "1", "--json"}), kExitOk) << err();
  EXPECT_EQ(StatsJson::parse(out())["per_second"]["requests"], 12345);
  EXPECT_THAT(log_.drawn, IsEmpty());
}

TEST_F(TopCommandTest, WritesLinesToATerminalThatIsNoScreen) {
  environment_.out_is_terminal = true;
  environment_.open_screen = [] { return std::unique_ptr<Screen>(); };
  AnswersStats({Stats(), LaterStats()});
  EXPECT_EQ(Run({"top", "--count", "1", "--interval", "2s"}), kExitOk);
  EXPECT_THAT(out(), StartsWith(TopHeaderLine()));
}

TEST_F(TopCommandTest, SaysThatTheServerWasStartedAnew) {
  StatsJson young = LaterStats();
  young["uptime_ms"] = 5u;
  AnswersStats({LaterStats(), young});
  EXPECT_EQ(Run({"top", "--count", "1"}), kExitOk);
  EXPECT_THAT(out(), HasSubstr("Z restarted "));
}

TEST_F(TopCommandTest, WithoutAScreenItEndsWhereTheServerCannotBeReached) {
  EXPECT_EQ(RunAlone({"--server", "unix:/nonexistent.sock", "top"}), kExitFailed);
  EXPECT_THAT(err(), StartsWith("tokenctl: cannot reach tokend at unix:/nonexistent.sock"));
  EXPECT_EQ(out(), "");
}

TEST_F(TopCommandTest, OnAScreenItGoesOnTrying) {
  HasScreen();
  EXPECT_EQ(RunAlone({"--server", "unix:/nonexistent.sock", "top", "--count", "2"}), kExitOk);
  EXPECT_THAT(log_.drawn, SizeIs(3));
  EXPECT_THAT(log_.drawn, Each(HasSubstr("cannot reach unix:/nonexistent.sock")));
  EXPECT_TRUE(log_.is_gone);
  EXPECT_EQ(out() + err(), "");
}

TEST_F(TopCommandTest, EndsWhereItMayNotAsk) {
  HasScreen();
  Fails("stats", {Failed("forbidden", "stats is not for caller \"x\"")});
  EXPECT_EQ(Run({"top"}), kExitFailed);
  EXPECT_THAT(err(), HasSubstr("forbidden"));
  EXPECT_TRUE(log_.is_gone);
}

TEST_F(TopCommandTest, DrawsAtOnceAndAgainWhenTheScreenChanges) {
  HasScreen();
  AnswersStats({Stats(), LaterStats()});
  using Event = Screen::Event;
  log_.events = {Event::kResize, Event::kTime, Event::kQuit};
  EXPECT_EQ(Run({"top", "--interval", "2s"}), kExitOk);
  ASSERT_THAT(log_.drawn, SizeIs(3));
  EXPECT_THAT(log_.drawn[0], HasSubstr("validates/s           -"));
  EXPECT_EQ(log_.drawn[1], log_.drawn[0]) << "without asking again";
  EXPECT_THAT(log_.drawn[2], HasSubstr("validates/s      10,005"));
  EXPECT_THAT(asked_, SizeIs(2));
}

TEST_F(TopCommandTest, RefusesIntervalsThatAreTooShort) {
  EXPECT_EQ(RunAlone({"top", "--interval", "99ms"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("--interval should be at least 100ms"));
  EXPECT_EQ(RunAlone({"top", "--interval", "0s"}), kExitUsage);
  EXPECT_EQ(RunAlone({"top", "--count", "0"}), kExitUsage);
}

}  // namespace
}  // namespace tokend::tokenctl
