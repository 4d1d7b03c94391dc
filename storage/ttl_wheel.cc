#include "storage/ttl_wheel.h"

namespace tokend {

void TtlWheel::Insert(uint32_t node, uint64_t due_ms) {
  assert(node != 0 && node < kListBit);
  PushBack(ListOf(Clamp(due_ms)), node);
  ++size_;
}

void TtlWheel::Remove(uint32_t node) {
  const Link link = links_[node];
  // The neighbours say which list it is: its place need not be worked out again, and could not be,
  // since now has moved.
  const bool is_first = link.prev & kListBit, is_last = link.next & kListBit;
  if (!is_first) links_[link.prev].next = link.next;
  if (!is_last) links_[link.next].prev = link.prev;
  if (is_first) lists_[link.prev & ~kListBit].first = is_last ? 0 : link.next;
  if (is_last) lists_[link.next & ~kListBit].last = is_first ? 0 : link.prev;
  if (is_first && is_last) SetOccupied(link.prev & ~kListBit, false);
  --size_;
}

void TtlWheel::PushBack(uint32_t list, uint32_t node) {
  List& ends = lists_[list];
  links_[node] = {.next = kListBit | list, .prev = ends.last != 0 ? ends.last : kListBit | list};
  if (ends.last != 0) {
    links_[ends.last].next = node;
  } else {
    ends.first = node;
    SetOccupied(list, true);
  }
  ends.last = node;
}

void TtlWheel::Splice(uint32_t from, uint32_t to) {
  List& source = lists_[from];
  List& target = lists_[to];
  links_[source.last].next = kListBit | to;
  if (target.last != 0) {
    links_[source.first].prev = target.last;
    links_[target.last].next = source.first;
  } else {
    links_[source.first].prev = kListBit | to;
    target.first = source.first;
    SetOccupied(to, true);
  }
  target.last = source.last;
  source = {};
  SetOccupied(from, false);
}

void TtlWheel::SetOccupied(uint32_t list, bool occupied) {
  if (list == kPending) return;
  const uint64_t bit = uint64_t{1} << (list % kLists);
  if (occupied) {
    occupied_[list / kLists] |= bit;
  } else {
    occupied_[list / kLists] &= ~bit;
  }
}

TtlWheel::Event TtlWheel::NextEvent() const {
  for (uint32_t level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const uint32_t index = static_cast<uint32_t>(std::countr_zero(occupied_[level]));
    const uint32_t shift = level * kLevelBits;
    const uint64_t above = (now_ >> shift >> kLevelBits) << kLevelBits;
    return {.list = level * kLists + index, .time = (above | index) << shift};
  }
  return {};
}

// Seen from an earlier time, all lists below the level where the two times differ are one list of
// that level, the one that now lay in; the others stay where they are. At most 512 splices, however
// many the nodes.
void TtlWheel::GoBack(uint64_t to) {
  const uint32_t differ_level = LevelOf(to, now_);
  const uint32_t merged = differ_level * kLists + IndexAt(now_, differ_level);
  for (uint32_t level = 0; level < differ_level; ++level) {
    while (occupied_[level] != 0) {
      const uint32_t index = static_cast<uint32_t>(std::countr_zero(occupied_[level]));
      Splice(level * kLists + index, merged);
    }
  }
  now_ = to;
}

}  // namespace tokend
