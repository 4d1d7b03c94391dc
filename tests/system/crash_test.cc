// crash-test: kills tokend with kill -9, in the middle of writes, while it loads, under all kinds
// of load at once and at crash points; starts it again, and looks whether everything that was
// acknowledged is there: every token with its fields, every revocation by token, by id and by
// owner, every extension and replacement, every import and every backup. What was under way may be
// there or not, but wholly: an owner's revocation holds for all of its tokens or for none. While
// the server loads, it may say that it cannot say; it may never be wrong.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/tokens.h"
#include "storage/crash_point.h"
#include "tests/system/crash_cases.h"
#include "tests/system/crash_round.h"
#include "tests/system/failures.h"
#include "tests/test_seed.h"

namespace tokend::testing {
namespace {

void PrintMemory(const CrashFigures& figures, double bytes_per_token) {
  std::printf("%llu tokens in memory, %.1f bytes each (resident %llu, when empty %llu)\n",
              static_cast<unsigned long long>(figures.tokens), bytes_per_token,
              static_cast<unsigned long long>(figures.resident_bytes),
              static_cast<unsigned long long>(figures.empty_bytes));
}

void WriteFigures(const std::string& path, const CrashFigures& figures, double bytes_per_token,
                  uint64_t failures) {
  std::ofstream(path) << nlohmann::json{
      {"tokens", figures.tokens},
      {"acknowledged_per_second", figures.acknowledged_per_second},
      {"first_answer_ms", figures.first_answer_ms},
      {"loaded_ms", figures.loaded_ms},
      {"bytes_per_token", bytes_per_token},
      {"resident_bytes", figures.resident_bytes},
      {"empty_bytes", figures.empty_bytes},
      {"failures", failures},
  };
}

// A round's own seed; the first one's is the given one, so that a seed that was printed repeats it.
uint64_t SeedOf(uint64_t seed, uint64_t round) {
  return round == 0 ? seed : bench::Mix(seed, round) & UINT32_MAX;
}

int Run(const CrashOptions& options, uint64_t first_seed, uint64_t rounds,
        const std::string& json_path) {
  for (uint64_t number = 0; number < rounds; ++number) {
    const uint64_t seed = SeedOf(first_seed, number);
    std::printf("round %llu of %llu, seed %llu\n", static_cast<unsigned long long>(number) + 1,
                static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    Failures failures;
    CrashRound round(options, seed, &failures);
    round.Run();
    const CrashFigures& figures = round.figures();
    if (options.kills != 0) {
      const double bytes_per_token =
          static_cast<double>(figures.resident_bytes - figures.empty_bytes) /
          static_cast<double>(figures.tokens);
      PrintMemory(figures, bytes_per_token);
      if (!json_path.empty()) {
        WriteFigures(json_path, figures, bytes_per_token, failures.count());
      }
    }
    if (failures.count() != 0) {
      std::fprintf(stderr, "%llu wrong, what is left of it in %s; run again with --seed %llu\n",
                   static_cast<unsigned long long>(failures.count()), options.dir.c_str(),
                   static_cast<unsigned long long>(seed));
      return 1;
    }
  }
  std::filesystem::remove_all(options.dir);
  std::puts("everything that was acknowledged was there");
  return 0;
}

}  // namespace
}  // namespace tokend::testing

int main(int argc, char** argv) {
  tokend::testing::CrashOptions options;
  uint64_t seed = 0;
  uint64_t rounds = 1;
  std::string json_path;
  CLI::App app("Kills tokend at any moment and looks whether what it acknowledged is there.");
  app.add_option("--server", options.server, "The tokend to test")->required();
  app.add_option("--dir", options.dir, "Scratch directory; emptied first")->capture_default_str();
  app.add_option("--server-arg", options.server_args, "A further argument for tokend");
  app.add_option("--tokens", options.tokens, "Tokens to be acknowledged before the last of --kills")
      ->check(CLI::Range(uint64_t{1000}, uint64_t{1} << 32))
      ->capture_default_str();
  app.add_option("--kills", options.kills,
                 "How often while it writes; beyond 1, as often while it loads")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--busy-kills", options.busy_kills,
                 "How often after that under writes, expiry, imports and backups at once")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  const CLI::Option* const seed_option = app.add_option(
      "--seed", seed, "Tokens, points and moments; TOKEND_TEST_SEED or random unless given");
  app.add_option("--rounds", rounds, "How often all of it, in a new directory, with a new seed")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_flag("--alone", options.alone,
               "After the last of --kills ask for one token, and for nothing more while it loads");
  app.add_flag("--cold", options.cold, "Drop what the system has cached of its files before that");
  app.add_option("--json", json_path, "Write the figures of --kills into this file");
#if defined(TOKEND_CRASH_POINTS)
  app.add_option("--points", options.points, "How many crash points after that, by chance")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  app.add_flag_callback(
      "--all-points", [&] { options.points = tokend::testing::kCrashCases.size(); },
      "As many as there are, once each");
  app.add_option("--point", options.point, "Of the crash points this one alone")
      ->check(CLI::IsMember(
          std::vector<std::string>(tokend::kCrashPoints.begin(), tokend::kCrashPoints.end())));
  app.add_flag("--last-passages", options.last_passages,
               "Each at the last passage that is certain, not at one by chance");
#endif
  CLI11_PARSE(app, argc, argv);
  if (seed_option->count() == 0) seed = tokend::TestSeed();
  try {
    return tokend::testing::Run(options, seed, rounds, json_path);
  } catch (const std::exception& error) {
    std::cerr << "crash-test: " << error.what() << std::endl;
    return 2;
  }
}
