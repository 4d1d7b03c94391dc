// overload-test: everything at once that a server should not have to bear, against the program as
// it is: thousands of connections that say nothing, write a byte now and then, never read, flood it
// with unknown tokens or send what is malformed, too deep, too long or too much. Each is answered
// or closed as the protocol says; beside them well-behaved connections get every answer right; the
// server's memory stays within what its settings add up to; and afterwards it is as before.
//
// With --measure it says instead what the abusers cost the well-behaved in time.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <random>

#include "tests/system/overload_check.h"
#include "tests/system/overload_measure.h"

int main(int argc, char** argv) {
  tokend::testing::OverloadOptions options;
  bool measure = false;
  options.seed = std::random_device()();
  CLI::App app("Looks what becomes of a tokend, and of its other clients, among abusers.");
  app.add_option("--server", options.server, "The tokend to test")->required();
  app.add_option("--dir", options.dir, "Scratch directory; emptied first")->capture_default_str();
  app.add_option("--server-arg", options.server_args, "A further argument for tokend");
  app.add_option("--connections", options.connections, "Connections in all")
      ->check(CLI::Range(size_t{100}, size_t{1'000'000}))
      ->capture_default_str();
  app.add_flag("!--memory-unbounded", options.memory_is_bounded,
               "Do not compare the server's memory with its settings (for sanitizers)");
  app.add_flag("--measure", measure, "Print latencies in quiet and beside abusers");
  app.add_flag("--realtime", options.realtime,
               "With --measure: real-time priority for the server and the well-behaved");
  app.add_option("--kinds", options.kinds, "With --measure: these abusers alone")
      ->delimiter(',')
      ->check(CLI::IsMember({"idle", "slow_writers", "endless_writers", "never_readers",
                             "slow_readers", "flooders", "hostile"}));
  app.add_option("--rounds", options.rounds, "Of quiet and abuse")->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each half of a round")->capture_default_str();
  app.add_option("--rate", options.requests_per_second, "Well-behaved requests a second")
      ->capture_default_str();
  app.add_option("--cpu-share", options.server_cpu_share, "Of a processor, for the server")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Random unless given");
  CLI11_PARSE(app, argc, argv);
  try {
    return measure ? tokend::testing::OverloadMeasure(options).Run()
                   : tokend::testing::OverloadCheck(options).Run();
  } catch (const std::exception& error) {
    std::cerr << "overload-test: " << error.what() << std::endl;
    return 2;
  }
}
