// The same question about many tokens: several under way at once, answers taken in order.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "client/client.h"

namespace tokend::tokenctl {

inline constexpr size_t kPipelineWindow = 256;

// Calls take(index, send(item).Wait()) for each item, in order, with kPipelineWindow at the most on
// the way. `take` gives false to stop.
template <class Item, class SendFn, class TakeFn>
void Pipeline(const std::vector<Item>& items, SendFn send, TakeFn take) {
  std::deque<decltype(send(items.front()))> pending;
  size_t sent = 0;
  for (size_t taken = 0; taken < items.size(); ++taken) {
    while (sent < items.size() && pending.size() < kPipelineWindow) {
      pending.push_back(send(items[sent++]));
    }
    auto answer = pending.front().Wait();
    pending.pop_front();
    if (!take(taken, std::move(answer))) return;
  }
}

}  // namespace tokend::tokenctl
