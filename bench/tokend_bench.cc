// tokend-bench: loads tokens into a server and asks for them, checking every answer.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/driver.h"
#include "bench/generator.h"
#include "bench/process_stats.h"
#include "bench/report.h"
#include "bench/tokens.h"
#include "bench/workload.h"

namespace tokend::bench {
namespace {

// Exit codes.
constexpr int kAllRight = 0;
constexpr int kWrongAnswers = 1;
constexpr int kCouldNotRun = 2;

struct Options {
  std::string protocol = "tokend";
  GeneratorOptions generator{.address = "127.0.0.1:7717"};
  size_t connections = 50;
  size_t depth = 16;
  double rate = 0;

  OperationKind operation = OperationKind::kValidate;
  uint32_t batch = 1;
  double seconds = 5;
  double warmup_seconds = 0.5;
  uint64_t first = 0;
  bool distinct_owners = false;
  uint64_t keys = 1000000;
  uint64_t seed = 1;
  uint64_t expires_base_ms = 0;
  uint64_t expires_from_ms = 0;
  uint64_t expires_spread_ms = 0;
  std::string distribution = "uniform";
  double zipf_exponent = 0.99;
  Expectation expectation = Expectation::kValid;
  double hit_ratio = 1;
  double revoke_ratio = 0;
  uint64_t revoke_first = 0;
  uint64_t revoke_count = 0;

  std::optional<OperationKind> beside;
  double beside_rate = 0;
  uint32_t beside_batch = 1;
  size_t beside_connections = 2;
  uint64_t beside_first = 0;
  uint64_t beside_count = 0;

  bool load = false;
  pid_t server_pid = 0;
  uint64_t timeline_ms = 0;
  bool json = false;
};

// Numbers of tokens: far below kNeverStored, so that sums of them are, too.
constexpr uint64_t kTokensMax = uint64_t{1} << 40;
// The server's own bound for the elements of a request.
constexpr uint32_t kBatchMax = 10000;

const std::map<std::string, OperationKind> kWrites = {{"insert", OperationKind::kInsert},
                                                      {"replace", OperationKind::kReplace}};
const std::map<std::string, OperationKind> kOperations = {{"validate", OperationKind::kValidate},
                                                          {"insert", OperationKind::kInsert},
                                                          {"replace", OperationKind::kReplace}};
const std::map<std::string, Expectation> kExpectations = {{"valid", Expectation::kValid},
                                                          {"expired", Expectation::kExpired}};

void AddServerOptions(Options* options, CLI::App* app) {
  app->add_option("--protocol", options->protocol, "Whom to talk to")
      ->check(CLI::IsMember({"tokend", "redis", "memcached", "http-auth", "http", "floor"}))
      ->capture_default_str();
  app->add_option("--address", options->generator.address, "HOST:PORT, tls:HOST:PORT or unix:PATH")
      ->capture_default_str();
  app->add_option("--tls-ca-file", options->generator.tls_ca_file,
                  "Whom to trust at tls:, as PEM; whom the system trusts unless given");
  app->add_option("--server-pid", options->server_pid,
                  "Report this process's CPU time and memory; it has to run on this machine");
}

void AddTokenOptions(Options* options, CLI::App* app) {
  app->add_option("--keys", options->keys, "Tokens that are stored")
      ->check(CLI::Range(uint64_t{1}, kTokensMax))
      ->capture_default_str();
  app->add_option("--first", options->first, "The number of the first of them")
      ->check(CLI::Range(uint64_t{0}, kTokensMax))
      ->capture_default_str();
  app->add_flag("--distinct-owners", options->distinct_owners,
                "Each stored token has an owner of its own, not one of 100,000; takes 32 bytes of "
                "this program's memory a token");
  app->add_option("--seed", options->seed, "Which tokens, and the order they are asked in")
      ->capture_default_str();
  CLI::Option* base = app->add_option(
      "--expires-base", options->expires_base_ms,
      "Unix ms; tokens expire a day later, give or take 16 %. Give a run without --load "
      "what its load had. Default: now");
  app->add_option("--expires-from", options->expires_from_ms,
                  "Unix ms; tokens expire from then on, over --expires-spread")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 52))
      ->excludes(base);
  app->add_option("--expires-spread", options->expires_spread_ms,
                  "ms over which tokens expire. Default: 32 % of a day")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 51));
  app->add_flag("--load", options->load, "Store the tokens first");
}

void AddMeasureOptions(Options* options, CLI::App* app) {
  app->add_option("--operation", options->operation,
                  "validate: random tokens; insert: new tokens, numbered from --first + --keys on; "
                  "replace: random stored tokens, stored anew")
      ->transform(CLI::CheckedTransformer(kOperations))
      ->option_text("validate|insert|replace [validate]");
  app->add_option("--batch", options->batch,
                  "Tokens in a request (tokend's _many methods); figures are per token")
      ->check(CLI::Range(uint32_t{1}, kBatchMax))
      ->capture_default_str();
  app->add_option("--connections", options->connections, "Connections")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--depth", options->depth, "Requests under way on each connection")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option(
         "--rate", options->rate,
         "Open loop: requests a second in all, evenly spaced, and latency counts from "
         "when each is due (all that fall due are sent, however late); 0 = closed loop, as "
         "fast as answers come")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--seconds", options->seconds, "Measure for so long; 0 = load only")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--warmup", options->warmup_seconds, "Seconds before that, not counted")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--distribution", options->distribution, "How often each token is asked for")
      ->check(CLI::IsMember({"uniform", "zipf"}))
      ->capture_default_str();
  app->add_option("--zipf-exponent", options->zipf_exponent, "Of --distribution zipf")
      ->check(CLI::Range(0.01, 10.0))
      ->capture_default_str();
  app->add_option("--hit-ratio", options->hit_ratio, "Of all validates, for stored tokens")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app->add_option("--expect", options->expectation,
                  "What stored tokens are: valid, or expired, which a server may have forgotten")
      ->transform(CLI::CheckedTransformer(kExpectations))
      ->option_text("valid|expired [valid]");
  app->add_flag("--spin", options->generator.spin, "Poll instead of sleeping");
}

void AddRevokeOptions(Options* options, CLI::App* app) {
  app->add_option("--revoke-ratio", options->revoke_ratio,
                  "Of all requests, those that revoke a token instead, each another one of a pool "
                  "that was stored before")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app->add_option("--revoke-first", options->revoke_first, "Number of the pool's first token")
      ->check(CLI::Range(uint64_t{0}, kTokensMax));
  app->add_option("--revoke-count", options->revoke_count, "Tokens in the pool")
      ->check(CLI::Range(uint64_t{1}, kTokensMax));
}

void AddBesideOptions(Options* options, CLI::App* app) {
  app->add_option("--beside", options->beside,
                  "Write as well, on connections of its own, for as long as is measured: insert "
                  "(new tokens in order) or replace (random stored ones)")
      ->transform(CLI::CheckedTransformer(kWrites))
      ->option_text("insert|replace");
  app->add_option("--beside-rate", options->beside_rate, "Requests a second")
      ->check(CLI::PositiveNumber);
  app->add_option("--beside-batch", options->beside_batch, "Tokens in a request")
      ->check(CLI::Range(uint32_t{1}, kBatchMax))
      ->capture_default_str();
  app->add_option("--beside-connections", options->beside_connections, "Connections")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--beside-first", options->beside_first, "Number of the first token")
      ->check(CLI::Range(uint64_t{0}, kTokensMax));
  app->add_option("--beside-count", options->beside_count,
                  "How many tokens: to choose from, or to insert at most (default: no end)")
      ->check(CLI::Range(uint64_t{1}, kTokensMax));
}

void AddReportOptions(Options* options, CLI::App* app) {
  app->add_option("--timeline", options->timeline_ms, "Figures for each so many ms, too")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 32));
  app->add_flag("--json", options->json, "One JSON object on standard output");
}

bool Overlap(uint64_t first_a, uint64_t count_a, uint64_t first_b, uint64_t count_b) {
  return first_a < first_b + count_b && first_b < first_a + count_a;
}

// Throws std::runtime_error for options that do not go together.
void Check(const Options& options) {
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) throw std::runtime_error(message);
  };
  const bool is_validate = options.operation == OperationKind::kValidate;
  require(options.protocol == "tokend" || (options.batch == 1 && options.beside_batch == 1),
          "--batch and --beside-batch: " + options.protocol + " takes one token a request");
  const bool stores_nothing =
      options.protocol == "floor" || options.protocol == "http-auth" || options.protocol == "http";
  require(!stores_nothing ||
              (is_validate && options.revoke_ratio == 0 && !options.beside && !options.load),
          options.protocol + ": it stores nothing, so only --operation validate makes sense");
  require(options.revoke_ratio == 0 || is_validate,
          "--revoke-ratio goes with --operation validate alone");
  require(options.revoke_ratio == 0 || options.expectation == Expectation::kValid,
          "--revoke-ratio does not go with --expect expired: only live tokens can be revoked");
  require(options.revoke_ratio == 0 || options.revoke_count > 0,
          "--revoke-ratio needs tokens to revoke: --revoke-first N --revoke-count C");
  require(options.revoke_ratio == 0 ||
              !Overlap(options.first, options.keys, options.revoke_first, options.revoke_count),
          "the tokens to revoke are among those that are asked for: choose another --revoke-first");
  require(!options.beside || options.beside_rate > 0, "--beside needs --beside-rate");
  require(options.beside != OperationKind::kReplace || options.beside_count > 0,
          "--beside replace needs tokens to choose from: --beside-first N --beside-count C");
  require(!options.beside || options.seconds > 0, "--beside: nothing is measured with --seconds 0");
}

// The times by which peers are told have as many digits as the requests have room for.
void CheckPeerExpiry(const Options& options, const ExpiryRange& expiry) {
  constexpr uint64_t kTenDigitsFromMs = 1'000'000'000'000;
  constexpr uint64_t kTenDigitsToMs = 9'999'999'999'000;
  const bool is_peer = options.protocol == "redis" || options.protocol == "memcached";
  if (is_peer &&
      (expiry.from_ms < kTenDigitsFromMs || expiry.from_ms + expiry.spread_ms > kTenDigitsToMs)) {
    throw std::runtime_error(options.protocol +
                             " is told Unix seconds of ten digits: choose --expires-from and "
                             "--expires-spread between 1000000000000 and 9999999999000 ms");
  }
}

ExpiryRange ExpiryOf(const Options& options) {
  uint64_t base_ms = options.expires_base_ms;
  if (base_ms == 0) {
    base_ms = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
  }
  ExpiryRange range = ExpiryRange::DayAfter(base_ms);
  if (options.expires_from_ms != 0) range.from_ms = options.expires_from_ms;
  if (options.expires_spread_ms != 0) range.spread_ms = options.expires_spread_ms;
  CheckPeerExpiry(options, range);
  return range;
}

// One line on the terminal, written over each second until this goes.
class LiveDisplay {
 public:
  LiveDisplay(const Options& options, std::string title)
      : is_on_(!options.json && isatty(STDERR_FILENO) == 1), title_(std::move(title)) {}
  ~LiveDisplay() {
    if (is_shown_) std::fputs(kClearLine, stderr);
  }
  LiveDisplay(const LiveDisplay&) = delete;
  LiveDisplay& operator=(const LiveDisplay&) = delete;

  void Observe(std::vector<IntervalObserver>* observers) {
    if (!is_on_) return;
    observers->push_back({.length_ns = 1'000'000'000, .on_end = [this](const Interval& interval) {
                            is_shown_ = true;
                            std::fprintf(stderr, "%s%s", kClearLine,
                                         LiveLine(title_, interval).c_str());
                          }});
  }

 private:
  static constexpr char kClearLine[] = "\r\x1b[K";

  const bool is_on_;
  const std::string title_;
  bool is_shown_ = false;
};

MeasuredOptions ServerFigures(const Options& options) {
  MeasuredOptions measured{.has_revokes = options.revoke_ratio > 0};
  if (options.server_pid != 0) measured.server_resident_bytes = ResidentBytes(options.server_pid);
  return measured;
}

GeneratorResult Load(const Options& options, Driver* driver) {
  Workload inserts({.kind = OperationKind::kInsert,
                    .batch = driver->insert_batch(),
                    .first = options.first,
                    .keys = options.keys});
  Generator generator(options.generator,
                      {{.connections = std::min<size_t>(options.connections, 8),
                        .depth = driver->insert_depth(),
                        .batch_max = driver->insert_batch(),
                        .next = [&](Operation* operation) { return inserts.Next(operation); }}},
                      driver);
  RunOptions run{.server_pid = options.server_pid};
  LiveDisplay live(options, "load");
  live.Observe(&run.observers);
  return generator.Run(run);
}

WorkloadOptions MeasuredWorkload(const Options& options) {
  WorkloadOptions workload{.kind = options.operation,
                           .seed = options.seed,
                           .batch = options.batch,
                           .first = options.first,
                           .keys = options.keys,
                           .hit_ratio = options.hit_ratio,
                           .revoke_ratio = options.revoke_ratio,
                           .revoke_first = options.revoke_first,
                           .revoke_count = options.revoke_count};
  if (options.distribution == "zipf") workload.zipf_exponent = options.zipf_exponent;
  if (options.operation == OperationKind::kInsert) {
    workload.first = options.first + options.keys;
    workload.keys = kTokensMax;
  }
  return workload;
}

WorkloadOptions BesideWorkload(const Options& options) {
  return {.kind = *options.beside,
          // Not what the measured stream asks for at the same time.
          .seed = Mix(options.seed, 1),
          .batch = options.beside_batch,
          .first = options.beside_first,
          .keys = options.beside_count == 0 ? kTokensMax : options.beside_count};
}

GeneratorResult Measure(const Options& options, Driver* driver,
                        std::vector<TimelinePoint>* timeline) {
  Workload workload(MeasuredWorkload(options));
  const auto to_ns = [](double seconds) { return static_cast<uint64_t>(seconds * 1e9); };
  uint64_t end_ns = 0;
  std::vector<StreamOptions> streams = {{.connections = options.connections,
                                         .depth = options.depth,
                                         .batch_max = options.batch,
                                         .rate = options.rate,
                                         .next = [&](Operation* operation) {
                                           return operation->started_ns < end_ns &&
                                                  workload.Next(operation);
                                         }}};
  std::optional<Workload> beside;
  if (options.beside) {
    beside.emplace(BesideWorkload(options));
    streams.push_back({.connections = options.beside_connections,
                       .depth = options.depth,
                       .batch_max = options.beside_batch,
                       .rate = options.beside_rate,
                       .next = [&](Operation* operation) { return beside->Next(operation); }});
  }
  Generator generator(options.generator, std::move(streams), driver);

  RunOptions run{.server_pid = options.server_pid};
  LiveDisplay live(options, std::string(OperationName(options.operation)));
  live.Observe(&run.observers);
  if (options.timeline_ms > 0) {
    run.observers.push_back(
        {.length_ns = options.timeline_ms * 1'000'000, .on_end = [&](const Interval& interval) {
           TimelinePoint point{.interval = interval};
           if (options.server_pid != 0) {
             point.server_resident_bytes = ResidentBytes(options.server_pid);
           }
           timeline->push_back(point);
         }});
  }
  run.measure_from_ns = Generator::NowNs() + to_ns(options.warmup_seconds);
  end_ns = run.measure_from_ns + to_ns(options.seconds);
  return generator.Run(run);
}

uint64_t CountWrong(const GeneratorResult& result) {
  uint64_t wrong = 0;
  for (const StreamResult& stream : result.streams) wrong += stream.wrong;
  return wrong;
}

int Run(const Options& options) {
  Check(options);
  const TokenSpace tokens(options.seed, ExpiryOf(options),
                          options.distinct_owners ? options.keys : 0);
  const std::unique_ptr<Driver> driver = MakeDriver(options.protocol, &tokens, options.expectation);
  nlohmann::json json;
  uint64_t wrong = 0;
  const auto report = [&](std::string_view title, nlohmann::json figures) {
    if (!options.json) std::cout << ToText(title, figures) << std::flush;
    json[std::string(title)] = std::move(figures);
  };
  if (options.load) {
    const GeneratorResult result = Load(options, driver.get());
    wrong += CountWrong(result);
    MeasuredOptions server = ServerFigures(options);
    server.has_revokes = false;
    report("load", MeasuredToJson(result, server));
  }
  if (options.seconds > 0) {
    std::vector<TimelinePoint> timeline;
    const GeneratorResult result = Measure(options, driver.get(), &timeline);
    wrong += CountWrong(result);
    nlohmann::json figures = MeasuredToJson(result, ServerFigures(options));
    if (options.timeline_ms > 0) figures["timeline"] = TimelineToJson(timeline);
    report(OperationName(options.operation), std::move(figures));
    if (options.beside) report("beside", StreamToJson(result, result.streams.back()));
  }
  if (options.json) std::cout << json.dump() << std::endl;
  return wrong == 0 ? kAllRight : kWrongAnswers;
}

}  // namespace
}  // namespace tokend::bench

int main(int argc, char** argv) {
  tokend::bench::Options options;
  CLI::App app(
      "Loads tokens into a server and asks for them, checking every answer.\n"
      "Exit status: 0 when every answer was right, 1 when one was wrong, 2 when it could not run.");
  app.name("tokend-bench");
  // So that a script can have usual options and override them.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  tokend::bench::AddServerOptions(&options, &app);
  tokend::bench::AddTokenOptions(&options, &app);
  tokend::bench::AddMeasureOptions(&options, &app);
  tokend::bench::AddRevokeOptions(&options, &app);
  tokend::bench::AddBesideOptions(&options, &app);
  tokend::bench::AddReportOptions(&options, &app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : tokend::bench::kCouldNotRun;
  }
  try {
    return tokend::bench::Run(options);
  } catch (const std::exception& error) {
    std::cerr << "tokend-bench: " << error.what() << std::endl;
    return tokend::bench::kCouldNotRun;
  }
}
