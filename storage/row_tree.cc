#include "storage/row_tree.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <string_view>
#include <utility>

namespace tokend {
namespace {

// What follows the user key in an internal one: sequence number and type.
constexpr size_t kSequenceBytes = 8;

template <typename Array>
void OpenGap(Array* array, uint32_t count, uint32_t index) {
  std::move_backward(array->begin() + index, array->begin() + count, array->begin() + count + 1);
}

}  // namespace

RowTree::RowTree(const Comparator& compare, Allocate allocate)
    : compare_(compare), allocate_(std::move(allocate)) {
  first_ = last_ = New<Leaf>();
  root_ = first_;
}

template <typename T>
T* RowTree::New() {
  constexpr size_t kLine = 64;
  char* const memory = allocate_(sizeof(T) + kLine - 1);
  const auto address = reinterpret_cast<uintptr_t>(memory);
  return new (memory + (kLine - address % kLine) % kLine) T();
}

RowTree::Head RowTree::HeadOf(const rocksdb::Slice& internal_key) {
  assert(internal_key.size() >= kSequenceBytes);
  return LongHeadOf({internal_key.data(), internal_key.size() - kSequenceBytes});
}

RowTree::Target RowTree::TargetOf(Row row) const {
  const rocksdb::Slice key = compare_.decode_key(row);
  return {HeadOf(key), key};
}

// The first row that is not before the target.
uint32_t RowTree::LowerBound(const Node& node, const Target& target) const {
  // No branch on what is compared: it would be mispredicted every other time.
  const Head* begin = node.heads.data();
  for (uint32_t size = node.count; size > 0;) {
    const uint32_t half = size / 2;
    const bool is_before = begin[half] < target.head;
    begin = is_before ? begin + half + 1 : begin;
    size = is_before ? size - half - 1 : half;
  }
  const auto first = static_cast<uint32_t>(begin - node.heads.data());
  if (first == node.count || node.heads[first] != target.head) return first;
  // Heads alike: the keys tell.
  const auto heads_end = std::upper_bound(begin, node.heads.data() + node.count, target.head);
  const auto end = static_cast<uint32_t>(heads_end - node.heads.data());
  const auto found = std::partition_point(node.rows.begin() + first, node.rows.begin() + end,
                                          [&](Row row) { return compare_(row, target.key) < 0; });
  return static_cast<uint32_t>(found - node.rows.begin());
}

bool RowTree::IsAt(const Node& node, uint32_t index, const Target& target) const {
  return index < node.count && node.heads[index] == target.head &&
         compare_(node.rows[index], target.key) == 0;
}

uint32_t RowTree::ChildFor(const Inner& inner, const Target& target) const {
  const uint32_t index = LowerBound(inner, target);
  // What is below all goes to the first.
  return index == 0 || IsAt(inner, index, target) ? index : index - 1;
}

bool RowTree::Insert(Row row) {
  const Target target = TargetOf(row);
  std::array<Step, kHeightMax> path;
  Node* node = root_;
  for (uint32_t depth = 0; depth < inner_levels_; ++depth) {
    auto* inner = static_cast<Inner*>(node);
    const uint32_t child = ChildFor(*inner, target);
    if (child == 0 && LowerBound(*inner, target) == 0) {
      // The lowest of all there is from now on.
      inner->heads[0] = target.head;
      inner->rows[0] = row;
    }
    path[depth] = {inner, child};
    node = inner->children[child];
  }
  auto* leaf = static_cast<Leaf*>(node);
  uint32_t index = LowerBound(*leaf, target);
  if (IsAt(*leaf, index, target)) return false;
  if (leaf->count == kFan) {
    // Rows that come in order fill their leaves.
    const bool is_append = leaf == last_ && index == kFan;
    const uint32_t kept = is_append ? kFan : kFan / 2;
    auto* const upper = Split(leaf, kept);
    upper->previous = leaf;
    upper->next = leaf->next;
    (leaf->next == nullptr ? last_ : leaf->next->previous) = upper;
    leaf->next = upper;
    if (is_append) {
      HangIn(upper, target.head, row, path.data(), inner_levels_);
    } else {
      HangIn(upper, upper->heads[0], upper->rows[0], path.data(), inner_levels_);
    }
    if (is_append || index > kept) {
      leaf = upper;
      index -= kept;
    }
  }
  OpenGap(&leaf->heads, leaf->count, index);
  OpenGap(&leaf->rows, leaf->count, index);
  leaf->heads[index] = target.head;
  leaf->rows[index] = row;
  ++leaf->count;
  return true;
}

// The rows from `kept` on move to a new node.
template <typename T>
T* RowTree::Split(T* node, uint32_t kept) {
  T* const upper = New<T>();
  upper->count = node->count - kept;
  std::copy_n(node->heads.begin() + kept, upper->count, upper->heads.begin());
  std::copy_n(node->rows.begin() + kept, upper->count, upper->rows.begin());
  node->count = kept;
  return upper;
}

void RowTree::HangIn(Node* child, Head head, Row lowest, Step* path, uint32_t depth) {
  if (depth == 0) {
    assert(inner_levels_ + 1 < kHeightMax);
    auto* const root = New<Inner>();
    root->count = 1;
    root->heads[0] = root_->heads[0];
    root->rows[0] = root_->rows[0];
    root->children[0] = root_;
    root_ = root;
    ++inner_levels_;
    path[0] = {root, 0};
    depth = 1;
  }
  auto [inner, index] = path[depth - 1];
  ++index;
  if (inner->count == kFan) {
    constexpr uint32_t kKept = kFan / 2;
    Inner* const upper = Split(inner, kKept);
    std::copy_n(inner->children.begin() + kKept, upper->count, upper->children.begin());
    HangIn(upper, upper->heads[0], upper->rows[0], path, depth - 1);
    if (index > kKept) {
      inner = upper;
      index -= kKept;
    }
  }
  OpenGap(&inner->heads, inner->count, index);
  OpenGap(&inner->rows, inner->count, index);
  OpenGap(&inner->children, inner->count, index);
  inner->heads[index] = head;
  inner->rows[index] = lowest;
  inner->children[index] = child;
  ++inner->count;
}

// --- positions ---

RowTree::Row RowTree::Position::row() const {
  return leaf_ == nullptr ? nullptr : leaf_->rows[index_];
}

// A place behind a leaf's last row is the one before the next leaf's first.
RowTree::Position RowTree::At(const Leaf* leaf, uint32_t index) const {
  if (leaf != nullptr && index == leaf->count) {
    leaf = leaf->next;
    index = 0;
  }
  Position position;
  position.leaf_ = leaf;
  position.index_ = index;
  return position;
}

RowTree::Position RowTree::Seek(const rocksdb::Slice& key) const {
  const Target target{HeadOf(key), key};
  const Node* node = root_;
  for (uint32_t depth = 0; depth < inner_levels_; ++depth) {
    const auto* inner = static_cast<const Inner*>(node);
    node = inner->children[ChildFor(*inner, target)];
  }
  return At(static_cast<const Leaf*>(node), LowerBound(*node, target));
}

RowTree::Position RowTree::First() const { return At(first_, 0); }

RowTree::Position RowTree::After(const Position& position) const {
  return At(position.leaf_, position.index_ + 1);
}

RowTree::Position RowTree::Before(const Position& position) const {
  const Leaf* leaf = position.leaf_;
  uint32_t index = position.index_;
  if (leaf == nullptr) {
    leaf = last_;
    index = leaf->count;
  } else if (index == 0) {
    leaf = leaf->previous;
    if (leaf == nullptr) return End();
    index = leaf->count;
  }
  return index == 0 ? End() : At(leaf, index - 1);
}

}  // namespace tokend
