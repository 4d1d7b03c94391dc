// tokenctl top
#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "client/json.h"
#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/screen.h"
#include "client/tokenctl/top_view.h"

namespace tokend::tokenctl {

namespace {

constexpr uint64_t kIntervalMsMin = 100;
// Nobody can press q while an answer is waited for.
constexpr uint64_t kScreenTimeoutMsMax = 5000;

struct TopOptions {
  std::optional<uint64_t> interval_ms;
  std::optional<uint64_t> count;
};

constexpr char kTopExamples[] =
    "On a terminal a screen that is drawn over, until q or Ctrl-C; elsewhere a line for each\n"
    "interval, below a line of titles, and with --json an object for each.\n"
    "\nExamples:\n"
    "  tokenctl top\n"
    "  tokenctl top --interval 10s --count 6 > minute.txt\n"
    "  tokenctl top --json | jq .per_second.validate\n";

// Asks for the stats again and again, over one connection while that is good.
class StatsPoll {
 public:
  explicit StatsPoll(const Context& context) : context_(context) {}

  // Throws Failure.
  TopSnapshot Next() {
    TopSample sample = Ask();
    TopSnapshot snapshot = Compare(before_, sample);
    before_ = std::move(sample);
    return snapshot;
  }

 private:
  TopSample Ask() {
    const bool is_new = !client_.has_value();
    if (is_new) client_ = context_.Connect();
    const uint64_t sent_ms = context_.env.steady_ms();
    client::Result<client::ServerStats> stats = client_->Stats();
    if (!stats && !client_->connected()) {
      client_.reset();
      // The server has been started anew, it may be.
      if (!is_new) return Ask();
    }
    const std::string encoded = Need(std::move(stats)).encoded;
    return ReadTopSample(client::ToJson(encoded), sent_ms, context_.env.steady_ms());
  }

  const Context& context_;
  std::optional<client::Client> client_;
  std::optional<TopSample> before_;
};

// When the next sample is due. What was missed is not made up for: after an answer that took long,
// a sample of less than half an interval would say more of chance than of the server.
class Ticks {
 public:
  Ticks(uint64_t interval_ms, uint64_t now_ms) : interval_ms_(interval_ms), due_ms_(now_ms) {}

  void Advance(uint64_t now_ms) {
    due_ms_ += interval_ms_;
    if (due_ms_ < now_ms + interval_ms_ / 2) due_ms_ = now_ms + interval_ms_;
  }
  uint64_t Left(uint64_t now_ms) const { return due_ms_ > now_ms ? due_ms_ - now_ms : 0; }

 private:
  const uint64_t interval_ms_;
  uint64_t due_ms_;
};

int TopLines(const Context& context, uint64_t interval_ms, uint64_t count) {
  StatsPoll poll(context);
  Ticks ticks(interval_ms, context.env.steady_ms());
  // Nothing can be said of what was before the first one.
  poll.Next();
  if (!context.json) context.out() << TopHeaderLine() << std::endl;
  for (uint64_t i = 0; i < count; ++i) {
    ticks.Advance(context.env.steady_ms());
    context.env.sleep_ms(ticks.Left(context.env.steady_ms()));
    const TopSnapshot snapshot = poll.Next();
    if (context.json) {
      context.PrintJson(TopJson(snapshot, context.now_ms()));
    } else {
      context.out() << TopLine(snapshot, context.now_ms()) << '\n';
    }
    // Nobody reads what cannot be written.
    if (!context.out().flush()) break;
  }
  return kExitOk;
}

// A server that may be back soon, in contrast to one that refuses this caller.
bool MayPass(const client::Error& error) {
  return error.source == client::Error::Source::kTransport || error.code == "busy" ||
         error.code == "unavailable";
}

int TopOnScreen(const Context& context, Screen& screen, uint64_t interval_ms, uint64_t count) {
  StatsPoll poll(context);
  Ticks ticks(interval_ms, context.env.steady_ms());
  // The first one has no interval before it.
  for (uint64_t i = 0;; ++i) {
    std::optional<TopSnapshot> snapshot;
    std::string trouble;
    try {
      snapshot = poll.Next();
    } catch (const Failure& failure) {
      if (!MayPass(failure.error())) throw;
      trouble = failure.error().code == "unreachable"
                    ? fmt::format("cannot reach {}", failure.error().message)
                    : failure.error().message;
    }
    const auto draw = [&] {
      screen.Draw(snapshot.has_value()
                      ? TopScreen(*snapshot, context.server, interval_ms, screen.size())
                      : TopTroubleScreen(trouble, context.server, interval_ms, screen.size()));
    };
    draw();
    if (i == count) return kExitOk;
    ticks.Advance(context.env.steady_ms());
    while (true) {
      const uint64_t left_ms = ticks.Left(context.env.steady_ms());
      const Screen::Event event = screen.Wait(left_ms);
      if (event == Screen::Event::kQuit) return kExitOk;
      if (event == Screen::Event::kResize) {
        draw();
      } else if (ticks.Left(context.env.steady_ms()) == 0) {
        break;
      }
    }
  }
}

int Top(const Context& context, const TopOptions& options) {
  const uint64_t interval_ms = options.interval_ms.value_or(1000);
  const uint64_t count = options.count.value_or(UINT64_MAX);
  if (interval_ms < kIntervalMsMin) {
    throw UsageError(fmt::format("--interval should be at least {}ms", kIntervalMsMin));
  }
  if (!context.json && context.env.out_is_terminal) {
    if (std::unique_ptr<Screen> screen = context.env.open_screen()) {
      Context of_screen = context;
      of_screen.timeout_ms = std::min(context.timeout_ms, kScreenTimeoutMsMax);
      return TopOnScreen(of_screen, *screen, interval_ms, count);
    }
  }
  return TopLines(context, interval_ms, count);
}

}  // namespace

void AddTopCommand(CLI::App* app, Context* context) {
  AddCommand<TopOptions>(
      app, context, "top", "Watch the server's rates and latencies",
      [](CLI::App* command, TopOptions* options) {
        AddDuration(command, "--interval", &options->interval_ms, "How long each sample is")
            ->default_str("1s");
        command->add_option("--count", options->count, "End after so many samples")
            ->type_name("N")
            ->check(CLI::Range(uint64_t{1}, uint64_t{UINT32_MAX}));
      },
      Top)
      ->footer(kTopExamples);
}

}  // namespace tokend::tokenctl
