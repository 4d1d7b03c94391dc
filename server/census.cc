#include "server/census.h"

#include <algorithm>
#include <map>

namespace tokend {
namespace {

// A namespace of that name, if anybody has one, is shown as one of them.
constexpr const char* kOthers = "all others";

void Add(const TokenCounts& counts, TokenCounts* sum) {
  sum->live += counts.live;
  sum->revoked += counts.revoked;
  sum->expired += counts.expired;
  for (size_t i = 0; i < counts.expiring.size(); ++i) sum->expiring[i] += counts.expiring[i];
}

}  // namespace

std::shared_ptr<const Census::Result> Census::Get() {
  const auto is_good = [&](const Result* result) {
    return result != nullptr && clock_.SteadyMs() < result->at_steady_ms + kAgeMaxMs;
  };
  std::shared_ptr<const Result> last = Last();
  if (is_good(last.get())) return last;
  std::unique_lock counting(counting_, std::try_to_lock);
  if (!counting.owns_lock()) {
    if (last != nullptr) return last;
    counting.lock();
  }
  // Another may have counted since.
  if (last = Last(); is_good(last.get())) return last;
  auto result = std::make_shared<const Result>(Count());
  const MutexLock lock(&mutex_);
  last_ = result;
  return result;
}

Census::Result Census::Count() const {
  Result result;
  result.at_steady_ms = clock_.SteadyMs();
  const uint64_t now_ms = clock_.NowMs();
  std::vector<TokenCounts> counts;
  const TokenTable& table = store_.table();
  for (size_t shard = 0; shard < table.shard_count(); ++shard) {
    uint64_t cursor = 0;
    do {
      table.CountTokens(shard, &cursor, now_ms, &counts);
    } while (cursor != 0);
  }
  for (const TokenCounts& one : counts) Add(one, &result.all);

  auto& named = result.by_namespace;
  const auto namespaces = store_.namespaces();
  for (const auto& [name, info] : *namespaces) {
    named.emplace_back(name, info.id < counts.size() ? counts[info.id] : TokenCounts());
  }
  if (named.size() > kNamespacesMax) {
    std::ranges::sort(named, std::greater(), [](const auto& entry) { return entry.second.live; });
    TokenCounts others;
    for (size_t i = kNamespacesMax; i < named.size(); ++i) Add(named[i].second, &others);
    named.resize(kNamespacesMax);
    std::ranges::sort(named, {}, [](const auto& entry) { return entry.first; });
    named.emplace_back(kOthers, others);
  }
  return result;
}

}  // namespace tokend
