// TtlWheel: putting nodes in, taking them out before their time, moving one, letting time pass, and
// taking out what falls due.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
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
  void Insert(uint32_t node, uint64_t due_ms) {
    due_[node] = due_ms;
    wheel_.Insert(node, due_ms);
  }
  void Cancel(uint32_t node) { wheel_.Remove(node); }
  void Move(uint32_t node, uint64_t due_ms) {
    wheel_.Remove(node);
    due_[node] = due_ms;
    wheel_.Insert(node, due_ms);
  }
  uint64_t due(uint32_t node) const { return due_[node]; }
  size_t size() const { return wheel_.size(); }
  // Throws if the wheel is not as it should be.
  void CheckInvariants() const {
    const size_t seen =
        wheel_.CheckInvariants([this](uint32_t node) { return due_[node]; }, [](uint32_t) {});
    Require(seen == wheel_.size(), "how many nodes the wheel holds");
  }

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

void CheckCancel(size_t count) {
  Wheel wheel(count);
  for (uint32_t node = 1; node <= count; node += 2) wheel.Cancel(node);
  wheel.CheckInvariants();
  Require(wheel.size() == count / 2, "the size after every other node was cancelled");
  size_t out = 0;
  wheel.Advance(kNowMs + kDayMs, count * 10, [&](uint32_t node) {
    Require(node % 2 == 0, "a cancelled node came out");
    ++out;
  });
  Require(out == count / 2, "a node that was not cancelled did not come out");
}

void BmInsert(benchmark::State& state, size_t count) {
  for (auto _ : state) {
    const Wheel wheel(count);
    benchmark::DoNotOptimize(wheel.size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(count));
}

// All nodes, in no order.
void BmCancel(benchmark::State& state, size_t count) {
  std::vector<uint32_t> nodes(count);
  std::iota(nodes.begin(), nodes.end(), 1);
  std::shuffle(nodes.begin(), nodes.end(), std::mt19937_64(3));
  for (auto _ : state) {
    state.PauseTiming();
    auto wheel = std::make_unique<Wheel>(count);
    state.ResumeTiming();
    for (const uint32_t node : nodes) wheel->Cancel(node);
    state.PauseTiming();
    if (wheel->size() != 0) state.SkipWithError("nodes are left");
    wheel.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(count));
}

// One millisecond after the other, as time goes by; a node that falls due is put in again for a day
// later, so that the wheel stays as full as it is.
void BmTick(benchmark::State& state, size_t count) {
  Wheel wheel(count);
  uint64_t now_ms = kNowMs;
  size_t out = 0;
  for (auto _ : state) {
    ++now_ms;
    wheel.Advance(now_ms, SIZE_MAX, [&](uint32_t node) {
      wheel.Insert(node, now_ms + kDayMs);
      ++out;
    });
  }
  wheel.CheckInvariants();
  if (wheel.size() != count) state.SkipWithError("nodes were lost");
  state.counters["due_per_tick"] =
      static_cast<double>(out) / static_cast<double>(state.iterations());
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
  for (const size_t count : DataSetSizes(tokens_max)) {
    Check(count);
    CheckCancel(count);
    const std::string nodes = std::to_string(count) + "_nodes";
    benchmark::RegisterBenchmark(("Insert/" + nodes).c_str(), BmInsert, count);
    benchmark::RegisterBenchmark(("Cancel/" + nodes).c_str(), BmCancel, count);
    benchmark::RegisterBenchmark(("Tick/" + nodes).c_str(), BmTick, count);
    benchmark::RegisterBenchmark(("Move/" + nodes).c_str(), BmMove, count);
    benchmark::RegisterBenchmark(("Drain/" + nodes).c_str(), BmDrain, count);
  }
}

}  // namespace tokend::bench
