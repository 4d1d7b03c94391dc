// TtlWheel: putting nodes in, moving one, and taking them out when many fall due at once.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/micro.h"
#include "bench/tokens.h"
#include "storage/striped_array.h"
#include "storage/ttl_wheel.h"

namespace tokend::bench {
namespace {

constexpr uint64_t kNowMs = 1'800'000'000'000;
constexpr uint64_t kDayMs = 86'400'000;

// Nodes 1 ... count, all in the wheel, due within a day from now.
class Wheel {
 public:
  explicit Wheel(size_t count)
      : links_(StripedArray<TtlWheel::Link>::SharedSize(count + 1, 0)),
        due_(count + 1),
        wheel_({links_.data(), 0, 0}) {
    Advance(kNowMs, 0, [](uint32_t) {});
    for (uint32_t node = 1; node <= count; ++node) {
      due_[node] = kNowMs + 1 + Mix(1, node) % kDayMs;
      wheel_.Insert(node, due_[node]);
    }
  }

  template <typename OnDue>
  TtlWheel::Progress Advance(uint64_t now_ms, size_t budget, OnDue&& on_due) {
    return wheel_.Advance(
        now_ms, budget, [this](uint32_t node) { return due_[node]; }, on_due);
  }
  void Move(uint32_t node, uint64_t due_ms) {
    wheel_.Remove(node);
    due_[node] = due_ms;
    wheel_.Insert(node, due_ms);
  }
  uint64_t due(uint32_t node) const { return due_[node]; }
  size_t size() const { return wheel_.size(); }

 private:
  std::vector<TtlWheel::Link> links_;
  std::vector<uint64_t> due_;
  TtlWheel wheel_;
};

void Check(size_t count) {
  Wheel wheel(count);
  Require(wheel.size() == count, "the size of a full wheel");
  // At any time exactly those are out that are due.
  for (const uint64_t now_ms : {kNowMs + kDayMs / 3, kNowMs + kDayMs / 2, kNowMs + kDayMs}) {
    wheel.Advance(now_ms, count + count * 9, [&](uint32_t node) {
      Require(wheel.due(node) <= now_ms, "a node came out early");
    });
    size_t later = 0;
    for (uint32_t node = 1; node <= count; ++node) later += wheel.due(node) > now_ms ? 1 : 0;
    Require(wheel.size() == later, "a node came out late");
  }
}

void BmBuild(benchmark::State& state, size_t count) {
  for (auto _ : state) {
    const Wheel wheel(count);
    benchmark::DoNotOptimize(wheel.size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(count));
}

void BmMove(benchmark::State& state, size_t count) {
  Wheel wheel(count);
  uint64_t moves = 0;
  for (auto _ : state) {
    const uint64_t random = Mix(2, ++moves);
    wheel.Move(static_cast<uint32_t>(1 + random % count), kNowMs + 1 + (random >> 20) % kDayMs);
  }
  state.SetItemsProcessed(state.iterations());
}

// A day passes second by second: every node is taken out, most after having been placed anew.
void BmDrain(benchmark::State& state, size_t count) {
  for (auto _ : state) {
    state.PauseTiming();
    Wheel wheel(count);
    size_t out = 0;
    state.ResumeTiming();
    for (uint64_t now_ms = kNowMs; now_ms <= kNowMs + kDayMs; now_ms += 1000) {
      wheel.Advance(now_ms, SIZE_MAX, [&](uint32_t) { ++out; });
    }
    if (out != count) state.SkipWithError("not every node came out");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(count));
}

}  // namespace

void RegisterBenchmarks(size_t tokens_max) {
  for (size_t count = 1000; count <= tokens_max; count *= count < 10000 ? 10 : 100) {
    Check(count);
    const std::string nodes = std::to_string(count) + "_nodes";
    benchmark::RegisterBenchmark(("Build/" + nodes).c_str(), BmBuild, count);
    benchmark::RegisterBenchmark(("Move/" + nodes).c_str(), BmMove, count);
    benchmark::RegisterBenchmark(("Drain/" + nodes).c_str(), BmDrain, count);
  }
}

}  // namespace tokend::bench
