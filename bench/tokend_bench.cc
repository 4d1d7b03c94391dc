// tokend-bench: loads tokens into a server and asks for them, checking every answer.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/driver.h"
#include "bench/generator.h"
#include "bench/process_stats.h"
#include "bench/tokens.h"

namespace tokend::bench {
namespace {

// Exit codes.
constexpr int kAllRight = 0;
constexpr int kWrongAnswers = 1;
constexpr int kCouldNotRun = 2;

struct Options {
  std::string protocol = "tokend";
  GeneratorOptions generator{.address = "127.0.0.1:7717"};
  std::string operation = "validate";
  double seconds = 5;
  double warmup_seconds = 0.5;
  uint64_t keys = 1000000;
  uint64_t seed = 1;
  uint64_t expires_base_ms = 0;
  double hit_ratio = 1;
  bool load = false;
  pid_t server_pid = 0;
  bool json = false;
};

void AddOptions(Options* options, CLI::App* app) {
  app->add_option("--protocol", options->protocol, "Whom to talk to")
      ->check(CLI::IsMember({"tokend", "redis", "memcached", "floor"}))
      ->capture_default_str();
  app->add_option("--address", options->generator.address, "HOST:PORT or unix:PATH")
      ->capture_default_str();
  app->add_option("--connections", options->generator.connections, "Connections")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--depth", options->generator.depth, "Requests under way on each connection")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app->add_option("--operation", options->operation,
                  "validate (closed loop over uniformly random tokens), or insert (new tokens one "
                  "a request, numbered from --keys on)")
      ->check(CLI::IsMember({"validate", "insert"}))
      ->capture_default_str();
  app->add_option("--seconds", options->seconds, "Measure for so long; 0 = load only")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--warmup", options->warmup_seconds, "Seconds before that, not counted")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--keys", options->keys, "Tokens that are stored")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
      ->capture_default_str();
  app->add_option("--seed", options->seed, "Which tokens, and the order they are asked in")
      ->capture_default_str();
  app->add_option(
      "--expires-base", options->expires_base_ms,
      "Unix ms; tokens expire a day later, give or take 16 %. Give a run without --load "
      "what its load had. Default: now");
  app->add_option("--hit-ratio", options->hit_ratio, "Of all validates, for stored tokens")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app->add_flag("--load", options->load, "Store the tokens first");
  app->add_flag("--spin", options->generator.spin, "Poll instead of sleeping");
  app->add_option("--server-pid", options->server_pid, "Report this process's CPU time per answer");
  app->add_flag("--json", options->json, "One JSON object on standard output");
}

// Uniform over the stored tokens, or over as many that were never stored.
class RandomTokens {
 public:
  explicit RandomTokens(const Options& options)
      : keys_(options.keys),
        hits_of_2_32_(static_cast<uint64_t>(options.hit_ratio * 4294967296.0)),
        state_(Mix(options.seed, 0x5eed)) {}

  void Next(Operation* operation) {
    const uint64_t random = Mix(state_, ++count_);
    const auto product = static_cast<unsigned __int128>(random) * keys_;
    operation->kind = OperationKind::kValidate;
    operation->index = static_cast<uint64_t>(product >> 64);
    operation->is_present = (random & 0xffffffff) < hits_of_2_32_;
    if (!operation->is_present) operation->index += kMissesFrom;
  }

 private:
  // Beyond anything that is ever stored.
  static constexpr uint64_t kMissesFrom = uint64_t{1} << 48;

  const uint64_t keys_;
  const uint64_t hits_of_2_32_;
  const uint64_t state_;
  uint64_t count_ = 0;
};

// `tokens`: what was asked for or stored; more than the answers where one is for many.
nlohmann::json ToJson(const GeneratorResult& result, uint64_t tokens, const Options& options) {
  const auto token_count = static_cast<double>(std::max<uint64_t>(tokens, 1));
  const auto per_token = [&](uint64_t total) { return static_cast<double>(total) / token_count; };
  nlohmann::json json = {
      {"tokens", tokens},
      {"answers", result.answers},
      {"wrong", result.wrong},
      {"seconds", static_cast<double>(result.elapsed_ns) / 1e9},
      {"per_second", token_count * 1e9 / static_cast<double>(result.elapsed_ns)},
      {"generator_ns", per_token(result.generator_cpu_ns)},
      {"answer_bytes", per_token(result.answer_bytes)},
      {"latency_us",
       {{"p50", static_cast<double>(result.latency.PercentileNs(0.5)) / 1e3},
        {"p99", static_cast<double>(result.latency.PercentileNs(0.99)) / 1e3},
        {"p999", static_cast<double>(result.latency.PercentileNs(0.999)) / 1e3},
        {"max", static_cast<double>(result.latency.max_ns()) / 1e3}}},
  };
  if (options.server_pid != 0) {
    json["server_ns"] = per_token(result.server_cpu_ns);
    json["server_resident_bytes"] = ResidentBytes(options.server_pid).value_or(0);
  }
  if (!result.first_wrong.empty()) json["first_wrong"] = result.first_wrong;
  return json;
}

void Print(const char* title, const nlohmann::json& result) {
  const auto number = [&](const char* name) { return result[name].get<double>(); };
  const auto latency = [&](const char* name) { return result["latency_us"][name].get<double>(); };
  std::printf("%s: %.0f tokens in %.2f s = %.0f/s, wrong answers: %.0f\n", title, number("tokens"),
              number("seconds"), number("per_second"), number("wrong"));
  if (result.contains("server_ns")) {
    std::printf("  server CPU     %8.0f ns per token\n", number("server_ns"));
  }
  std::printf("  generator CPU  %8.0f ns per token\n", number("generator_ns"));
  std::printf("  latency        p50 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n",
              latency("p50"), latency("p99"), latency("p999"), latency("max"));
  if (result.contains("first_wrong")) {
    std::printf("  first wrong    %s\n", result["first_wrong"].get<std::string>().c_str());
  }
}

GeneratorResult Load(const Options& options, Driver* driver) {
  GeneratorOptions generator_options = options.generator;
  generator_options.connections = std::min<size_t>(options.generator.connections, 8);
  generator_options.depth = driver->insert_depth();
  Generator generator(generator_options, driver);
  uint64_t index = 0;
  return generator.Run(
      [&](Operation* operation) {
        if (index == options.keys) return false;
        operation->kind = OperationKind::kInsert;
        operation->index = index;
        operation->count =
            static_cast<uint32_t>(std::min<uint64_t>(driver->insert_batch(), options.keys - index));
        index += operation->count;
        return true;
      },
      0, options.server_pid);
}

GeneratorResult Measure(const Options& options, Driver* driver) {
  Generator generator(options.generator, driver);
  RandomTokens random(options);
  uint64_t insert_index = options.keys;
  const bool is_insert = options.operation == "insert";
  const auto to_ns = [](double seconds) { return static_cast<uint64_t>(seconds * 1e9); };
  const uint64_t measure_from_ns = Generator::NowNs() + to_ns(options.warmup_seconds);
  const uint64_t end_ns = measure_from_ns + to_ns(options.seconds);
  return generator.Run(
      [&](Operation* operation) {
        if (operation->started_ns >= end_ns) return false;
        if (is_insert) {
          operation->kind = OperationKind::kInsert;
          operation->index = insert_index++;
          operation->count = 1;
        } else {
          random.Next(operation);
        }
        return true;
      },
      measure_from_ns, options.server_pid);
}

int Run(Options options) {
  if (options.expires_base_ms == 0) {
    options.expires_base_ms =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count());
  }
  const TokenSpace tokens(options.seed, options.expires_base_ms);
  const std::unique_ptr<Driver> driver = MakeDriver(options.protocol, &tokens);
  nlohmann::json json;
  uint64_t wrong = 0;
  if (options.load && driver->insert_batch() > 0) {
    const GeneratorResult result = Load(options, driver.get());
    wrong += result.wrong;
    json["load"] = ToJson(result, options.keys, options);
    if (!options.json) Print("load", json["load"]);
  }
  if (options.seconds > 0) {
    const GeneratorResult result = Measure(options, driver.get());
    wrong += result.wrong;
    json[options.operation] = ToJson(result, result.answers, options);
    if (!options.json) Print(options.operation.c_str(), json[options.operation]);
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
  tokend::bench::AddOptions(&options, &app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : tokend::bench::kCouldNotRun;
  }
  try {
    return tokend::bench::Run(std::move(options));
  } catch (const std::exception& error) {
    std::cerr << "tokend-bench: " << error.what() << std::endl;
    return tokend::bench::kCouldNotRun;
  }
}
