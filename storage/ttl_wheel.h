// TtlWheel: which nodes have fallen due, in O(1) a node, whatever their number.
//
// A node is a small number of the caller's; its list links live in an array of the caller's, and
// its due time stays with the caller and is asked for. Nodes that never fall due are not put in.
//
//   level 0   64 lists of 1 ms         those due in the same 64 ms as now
//   level 1   64 lists of 64 ms        those due in the same 4,096 ms as now
//   ...
//   level 8   64 lists of 2^48 ms      9 levels of 6 bits hold every time below 2^54
//
// A node's level is where the highest bit lies in which its due time and `now` differ, its list the
// due time's own six bits there. So lists stand in order of time, nothing wraps around, and the
// next list to come is the lowest bit of the lowest level that has one. When now reaches a list,
// the whole list is moved to `pending` in O(1), and nodes are taken from there one by one: those
// due are given out, the others placed anew, nearer. A turn can stop after any node.
//
// Ticks are of 1 ms: a coarser wheel would save each node at most one move in its life, and could
// not say "due" exactly.
//
// Thread-compatible: the caller orders calls.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "storage/striped_array.h"

namespace tokend {

class TtlWheel {
 public:
  // Times are below this; later ones count as just before it.
  static constexpr uint64_t kTimeEnd = uint64_t{1} << 54;

  // A node's place in its list. The wheel's while the node is in the wheel, else the caller's.
  struct Link {
    uint32_t next = 0;
    uint32_t prev = 0;
  };

  struct Progress {
    size_t due = 0;     // nodes given out
    size_t moved = 0;   // nodes placed anew
    bool done = false;  // nothing that is due is left
  };

  // links[n] is the link of node n; 0 < n < 2^31. The array outlives the wheel.
  explicit TtlWheel(StripedArray<Link> links) : links_(links) {}
  TtlWheel(const TtlWheel&) = delete;
  TtlWheel& operator=(const TtlWheel&) = delete;

  // Requires that the node is not in the wheel. Any time is good, one that has passed too.
  void Insert(uint32_t node, uint64_t due_ms);
  // Requires that the node is in the wheel.
  void Remove(uint32_t node);

  // Sets the time and takes out nodes whose due_ms <= now_ms, calling on_due(node) after each was
  // taken out; on_due may insert and remove nodes. due_of(node) is the time it was inserted with.
  // Handles at most `budget` nodes; when it was too little (!done), the next call goes on there.
  // The time may go back: nodes then wait for their time as if it had never been later.
  template <typename DueOf, typename OnDue>
  Progress Advance(uint64_t now_ms, size_t budget, DueOf&& due_of, OnDue&& on_due);

  size_t size() const { return size_; }
  uint64_t now_ms() const { return now_; }

  // Throws std::logic_error naming the first broken invariant; else how many nodes were seen, each
  // of them given to see(node).
  template <typename DueOf, typename See>
  size_t CheckInvariants(DueOf&& due_of, See&& see) const;

 private:
  static constexpr uint32_t kLevels = 9;
  static constexpr uint32_t kLevelBits = 6;
  static constexpr uint32_t kLists = 1u << kLevelBits;
  static constexpr uint32_t kPending = kLevels * kLists;
  // In a link: the neighbour is no node but the list's own end.
  static constexpr uint32_t kListBit = 1u << 31;

  struct List {
    uint32_t first = 0;  // 0 = empty
    uint32_t last = 0;
  };
  // The next list that now has to stop at.
  struct Event {
    uint32_t list = kPending;  // kPending = none
    uint64_t time = 0;
  };

  static uint64_t Clamp(uint64_t ms) { return ms < kTimeEnd ? ms : kTimeEnd - 1; }
  static uint32_t LevelOf(uint64_t due, uint64_t now) {
    return (63 - static_cast<uint32_t>(std::countl_zero(due ^ now))) / kLevelBits;
  }
  static uint32_t IndexAt(uint64_t time, uint32_t level) {
    return static_cast<uint32_t>(time >> (level * kLevelBits)) & (kLists - 1);
  }

  // The list where a node due then belongs as of now_: kPending once it is due.
  uint32_t ListOf(uint64_t due) const {
    if (due <= now_) return kPending;
    const uint32_t level = LevelOf(due, now_);
    return level * kLists + IndexAt(due, level);
  }
  Event NextEvent() const;
  void PushBack(uint32_t list, uint32_t node);
  // All of `from` to the end of `to`; O(1).
  void Splice(uint32_t from, uint32_t to);
  void GoBack(uint64_t to);
  void SetOccupied(uint32_t list, bool occupied);

  const StripedArray<Link> links_;
  uint64_t now_ = 0;  // nodes outside pending are due later than this
  size_t size_ = 0;
  std::array<uint64_t, kLevels> occupied_{};  // a bit for each list that has nodes
  std::array<List, kPending + 1> lists_{};
};

template <typename DueOf, typename OnDue>
TtlWheel::Progress TtlWheel::Advance(uint64_t now_ms, size_t budget, DueOf&& due_of,
                                     OnDue&& on_due) {
  const uint64_t target = Clamp(now_ms);
  if (target < now_) GoBack(target);
  Progress progress;
  while (true) {
    while (lists_[kPending].first != 0) {
      if (budget == 0) return progress;
      --budget;
      const uint32_t node = lists_[kPending].first;
      Remove(node);
      // Lists lie scattered in memory: fetch the next node while this one is worked on.
      __builtin_prefetch(&links_[lists_[kPending].first]);
      const uint64_t due = Clamp(due_of(node));
      if (due <= now_) {
        ++progress.due;
        on_due(node);
      } else {
        ++progress.moved;
        PushBack(ListOf(due), node);
        ++size_;
      }
    }
    const Event event = NextEvent();
    if (event.list == kPending || event.time > target) break;
    now_ = event.time;
    Splice(event.list, kPending);
  }
  now_ = target;
  progress.done = true;
  return progress;
}

template <typename DueOf, typename See>
size_t TtlWheel::CheckInvariants(DueOf&& due_of, See&& see) const {
  auto require = [](bool holds, const char* what) {
    if (!holds) throw std::logic_error(std::string("ttl wheel: ") + what);
  };
  size_t seen = 0;
  for (uint32_t list = 0; list <= kPending; ++list) {
    const List& ends = lists_[list];
    if (list != kPending) {
      const bool bit = (occupied_[list / kLists] >> (list % kLists)) & 1;
      require(bit == (ends.first != 0), "occupancy bit differs from list");
    }
    uint32_t prev = kListBit | list;
    for (uint32_t node = ends.first; node != 0;) {
      require(links_[node].prev == prev, "prev link differs");
      require(list == kPending || ListOf(Clamp(due_of(node))) == list, "node in a wrong list");
      require(++seen <= size_, "more nodes than counted");
      see(node);
      prev = node;
      node = links_[node].next;
      if (node & kListBit) {
        require(node == (kListBit | list), "list ends in another");
        require(ends.last == prev, "last differs");
        break;
      }
    }
  }
  require(seen == size_, "fewer nodes than counted");
  return seen;
}

}  // namespace tokend
