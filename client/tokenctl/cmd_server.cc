// tokenctl stats, ping, purge-expired, clock accept
#include <fmt/format.h>

#include <chrono>
#include <ostream>

#include "client/json.h"
#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/records.h"
#include "client/tokenctl/table.h"
#include "tokend_version.h"

namespace tokend::tokenctl {

namespace {

using Json = nlohmann::ordered_json;

struct NoOptions {};

struct PurgeOptions {
  std::optional<TimeArg> before;
  std::string namespace_name;
};

constexpr char kStatsExamples[] =
    "Examples:\n"
    "  tokenctl stats\n"
    "  tokenctl stats --json | jq .state\n";

constexpr char kPingExamples[] =
    "Examples:\n"
    "  tokenctl ping\n"
    "  tokenctl --server unix:data/tokend.sock ping\n";

constexpr char kPurgeExamples[] =
    "Drops the records of tokens that expired before a time; they are answered \"unknown\" "
    "then.\n"
    "\nExamples:\n"
    "  tokenctl purge-expired                               all that are expired now\n"
    "  tokenctl purge-expired --before -7d --namespace portal\n";

constexpr char kClockExamples[] =
    "tokend takes disk space of expired tokens back by a clock of its own, which does not "
    "follow\n"
    "a jump of the system's clock for 24 hours. \"clock accept\" says that the system's clock is "
    "right\n"
    "and lets it follow at once.\n"
    "\nExample:\n"
    "  tokenctl clock accept\n";

// Nested maps as "name.name"; numbers as they are.
void Flatten(const std::string& prefix, const Json& json, Fields* fields) {
  for (const auto& [key, value] : json.items()) {
    std::string name = prefix.empty() ? key : fmt::format("{}.{}", prefix, key);
    if (value.is_object()) {
      Flatten(name, value, fields);
    } else if (value.is_string()) {
      fields->emplace_back(name, value.get<std::string>());
    } else {
      fields->emplace_back(name, value.is_null() ? "" : client::Dump(value));
    }
  }
}

int Stats(const Context& context, const NoOptions&) {
  Json stats = client::ToJson(Need(context.Connect().Stats()).encoded);
  if (context.json) {
    context.PrintJson(stats);
    return kExitOk;
  }
  Fields fields;
  Flatten("", stats, &fields);
  PrintFields(context, fields);
  return kExitOk;
}

int Ping(const Context& context, const NoOptions&) {
  client::Client client = context.Connect();
  client::ServerInfo info = Need(client.Hello("tokenctl", TOKEND_VERSION));
  auto start = std::chrono::steady_clock::now();
  Need(client.Ping());
  auto round_trip_us = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::steady_clock::now() - start)
                           .count();
  if (context.json) {
    context.PrintJson({{"server", info.server},
                       {"version", info.version},
                       {"protocol", info.protocol},
                       {"round_trip_us", round_trip_us}});
  } else {
    context.out() << Printable(fmt::format("{} {} (protocol {}) at {}: pong in {:.2f} ms",
                                           info.server, info.version, info.protocol, context.server,
                                           static_cast<double>(round_trip_us) / 1000))
                  << '\n';
  }
  return kExitOk;
}

int PurgeExpired(const Context& context, const PurgeOptions& options) {
  uint64_t before_ms = context.now_ms();
  if (options.before.has_value()) {
    if (options.before->kind == TimeArg::Kind::kNever) throw UsageError("--before never: no time");
    before_ms = ResolveTime(*options.before, before_ms);
  }
  uint64_t count = Need(context.Connect().PurgeExpired(before_ms, options.namespace_name));
  if (context.json) {
    context.PrintJson({{"purged", count}});
  } else {
    context.out() << WithCommas(count) << " purged\n";
  }
  return kExitOk;
}

int ClockAccept(const Context& context, const NoOptions&) {
  Need(context.Connect().ClockAccept());
  if (context.json) {
    context.PrintJson({{"accepted", true}});
  } else {
    context.out() << "accepted\n";
  }
  return kExitOk;
}

void AddNothing(CLI::App*, NoOptions*) {}

}  // namespace

void AddServerCommands(CLI::App* app, Context* context) {
  AddCommand<NoOptions>(app, context, "stats", "Show the server's figures", AddNothing, Stats)
      ->footer(kStatsExamples);
  AddCommand<NoOptions>(app, context, "ping", "See whether the server answers", AddNothing, Ping)
      ->footer(kPingExamples);
  AddCommand<PurgeOptions>(
      app, context, "purge-expired", "Drop the records of expired tokens",
      [](CLI::App* command, PurgeOptions* options) {
        AddTime(command, "--before", &options->before, "Expired before; now unless given");
        AddNamespace(command, &options->namespace_name);
      },
      PurgeExpired)
      ->alias("purge")
      ->footer(kPurgeExamples);
  CLI::App* clock = app->add_subcommand("clock", "The clock that disk space is taken back by");
  clock->require_subcommand(1)->footer(kClockExamples);
  AddCommand<NoOptions>(clock, context, "accept", "Let it follow the system's clock at once",
                        AddNothing, ClockAccept)
      ->footer(kClockExamples);
}

}  // namespace tokend::tokenctl
