#include "tests/system/overload_measure.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace tokend::testing {
namespace {

uint64_t ProcessCpuNs(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

void SetPolicy(pid_t thread, int policy) {
  const sched_param priority{.sched_priority = policy == SCHED_FIFO ? 1 : 0};
  if (sched_setscheduler(thread, policy, &priority) != 0) {
    throw std::runtime_error(std::string("sched_setscheduler: ") + std::strerror(errno));
  }
}

}  // namespace

// The gauge and the server have a processor as soon as they want one, whatever else this machine
// does: then what is measured is the server's order of doing things. All of its threads, since a
// loop may wait for one that rings its bell.
void OverloadMeasure::PreferServer() {
  SetPolicy(gauge_thread_, SCHED_FIFO);
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(server_->pid()) + "/task")) {
    SetPolicy(std::stoi(task.path().filename()), SCHED_FIFO);
  }
}

// What the gauge saw for a while. Abusers act so much that the server uses the share of a
// processor that it may; the slow ones send a byte a second.
bench::Histogram OverloadMeasure::MeasureFor(const Gauge& gauge, Abusers* abusers) {
  constexpr uint64_t kTickNs = 200'000;
  constexpr uint64_t kControlNs = 100'000'000;
  constexpr double kCatchUpSeconds = 0.0005;
  const bench::Histogram before = gauge.latencies();
  const Json turns_before = Stats().at("loop_turns");
  const uint64_t started_ns = SteadyNs();
  const auto end_ns = started_ns + static_cast<uint64_t>(options_.seconds * 1e9);
  uint64_t control_ns = started_ns + kControlNs;
  uint64_t cpu_ns = ProcessCpuNs(server_->pid());
  const uint64_t cpu_started_ns = cpu_ns;
  uint64_t last_ns = started_ns;
  double busy_turns = 0, slow_turns = 0, given_seconds = 0;
  for (uint64_t now_ns = started_ns; now_ns < end_ns; now_ns = SteadyNs()) {
    const double seconds = static_cast<double>(now_ns - last_ns) / 1e9;
    last_ns = now_ns;
    if (abusers != nullptr) {
      // What could not be done in time is not made up for: that would be a burst, and no limit.
      const double had_seconds = std::min(seconds, kCatchUpSeconds);
      given_seconds += had_seconds;
      busy_turns += had_seconds * turns_per_second_;
      slow_turns += had_seconds * static_cast<double>(abusers->slow.size());
      abusers->busy.GiveTurns(static_cast<size_t>(busy_turns));
      busy_turns -= static_cast<double>(static_cast<size_t>(busy_turns));
      abusers->slow.GiveTurns(static_cast<size_t>(slow_turns));
      slow_turns -= static_cast<double>(static_cast<size_t>(slow_turns));
      abusers->Pump(0);
      if (now_ns >= control_ns) {
        const uint64_t cpu_now_ns = ProcessCpuNs(server_->pid());
        const double share = static_cast<double>(cpu_now_ns - cpu_ns) /
                             static_cast<double>(now_ns - control_ns + kControlNs);
        // As though turns had come without a gap.
        const double wanted = options_.server_cpu_share * given_seconds /
                              (static_cast<double>(now_ns - control_ns + kControlNs) / 1e9);
        given_seconds = 0;
        turns_per_second_ *= std::clamp(wanted / share, 0.8, 1.25);
        turns_per_second_ = std::clamp(turns_per_second_, 10.0, 1e6);
        cpu_ns = cpu_now_ns;
        control_ns = now_ns + kControlNs;
      }
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(kTickNs));
  }
  const bench::Histogram since = gauge.latencies().Since(before);
  const auto us = [&](double fraction) {
    return static_cast<double>(since.PercentileNs(fraction)) / 1000;
  };
  std::printf("%-8s %8llu requests  p50 %8.1f  p99 %8.1f  p99.9 %8.1f us   server's CPU %3.0f %%\n",
              abusers == nullptr ? "quiet" : "abused",
              static_cast<unsigned long long>(since.count()), us(0.5), us(0.99), us(0.999),
              100.0 * static_cast<double>(ProcessCpuNs(server_->pid()) - cpu_started_ns) /
                  static_cast<double>(SteadyNs() - started_ns));
  const Json turns = Stats().at("loop_turns");
  const auto turns_within = [&](const char* us_max) {
    return turns.at(us_max).get<uint64_t>() - turns_before.at(us_max).get<uint64_t>();
  };
  const uint64_t all = turns_within("inf");
  std::printf("         turns of the loop: %llu, longer than 100 us %llu, 1 ms %llu, 10 ms %llu\n",
              static_cast<unsigned long long>(all),
              static_cast<unsigned long long>(all - turns_within("100")),
              static_cast<unsigned long long>(all - turns_within("1000")),
              static_cast<unsigned long long>(all - turns_within("10000")));
  return since;
}

int OverloadMeasure::Run() {
  messages_ = HostileMessages({4 * kMiB, 10000, 16});  // the defaults
  // Time for a message that is written a byte a second, and not at all while it is quiet.
  Start({"--threads", "1", "--connections-max", std::to_string(connections_),
         "--message-timeout-ms", "600000"});
  Fill();
  const std::unique_ptr<Gauge> gauge = MakeGauge();
  gauge_thread_ = gauge->thread_id();
  // This thread is the abusers' alone from here on, and gives way: what the gauge waits for should
  // be the server.
  if (options_.realtime) {
    PreferServer();
  } else {
    SetPolicy(0, SCHED_IDLE);
  }
  // Connected in both halves: what they do is measured, not that they are there.
  const std::unique_ptr<Abusers> abusers = MakeAbusers();
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) crowd->ConnectAll();
  std::vector<double> quiet_us, abused_us;
  for (size_t round = 0; round <= options_.rounds; ++round) {
    const bench::Histogram quiet = MeasureFor(*gauge, nullptr);
    const bench::Histogram abused = MeasureFor(*gauge, abusers.get());
    if (round == 0) continue;  // for the abusers' rate to settle
    quiet_us.push_back(static_cast<double>(quiet.PercentileNs(0.99)) / 1000);
    abused_us.push_back(static_cast<double>(abused.PercentileNs(0.99)) / 1000);
  }
  std::sort(quiet_us.begin(), quiet_us.end());
  std::sort(abused_us.begin(), abused_us.end());
  const auto at = [](const std::vector<double>& sorted, double fraction) {
    return sorted[static_cast<size_t>(fraction * static_cast<double>(sorted.size() - 1))];
  };
  for (const auto& [name, sorted] : {std::pair("quiet", &quiet_us), {"abused", &abused_us}}) {
    std::printf("p99 of %zu rounds, %-6s: lower quartile %.1f, median %.1f, upper %.1f us\n",
                sorted->size(), name, at(*sorted, 0.25), at(*sorted, 0.5), at(*sorted, 0.75));
  }
  std::printf("ratio of the medians %.2f\n", at(abused_us, 0.5) / at(quiet_us, 0.5));
  Stats();
  std::printf("%.0f turns of busy abusers a second; resident %.1f MiB at most\n", turns_per_second_,
              static_cast<double>(resident_bytes_max_) / kMiB);
  for (Crowd* crowd : {&abusers->idle, &abusers->slow, &abusers->busy}) TakeFailures(*crowd);
  if (gauge->wrong() != 0) Fail(gauge->failure());
  return failures_ == 0 ? 0 : 1;
}

}  // namespace tokend::testing
