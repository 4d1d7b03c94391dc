#include "storage/row_tree_memtable.h"

#include <atomic>
#include <mutex>
#include <new>
#include <shared_mutex>

#include "storage/row_tree.h"

namespace rocksdb {

// RocksDB hands arenas to its memtables and has no public header for them. Of this one only what
// the library exports is used: were it to change, tokend would not link.
class Arena {
 public:
  char* AllocateAligned(size_t bytes, size_t huge_page_size, Logger* logger);
};

}  // namespace rocksdb

namespace tokend {
namespace {

class RowTreeMemtable final : public rocksdb::MemTableRep {
 public:
  RowTreeMemtable(const KeyComparator& compare, rocksdb::Allocator* allocator)
      : MemTableRep(allocator), tree_(compare, [this](size_t bytes) {
          char* memory = nullptr;
          Allocate(bytes, &memory);
          return memory;
        }) {}

  void Insert(rocksdb::KeyHandle handle) override { InsertKey(handle); }

  bool InsertKey(rocksdb::KeyHandle handle) override {
    const std::unique_lock lock(mutex_);
    inserts_.fetch_add(1, std::memory_order_relaxed);
    return tree_.Insert(static_cast<const char*>(handle));
  }

  bool Contains(const char* key) const override {
    const std::shared_lock lock(mutex_);
    const rocksdb::Slice wanted = compare().decode_key(key);
    const char* const row = tree_.Seek(wanted).row();
    return row != nullptr && compare()(row, wanted) == 0;
  }

  // All of it is the allocator's.
  size_t ApproximateMemoryUsage() override { return 0; }

  Iterator* GetIterator(rocksdb::Arena* arena) override {
    if (arena == nullptr) return new RowIterator(*this);
    return new (arena->AllocateAligned(sizeof(RowIterator), 0, nullptr)) RowIterator(*this);
  }

  // RocksDB's look-up of a key takes its iterator from here, without an arena, and in some versions
  // never deletes it. So it is the thread's: made anew each time, in the same place, and deleting
  // it does nothing.
  Iterator* GetDynamicPrefixIterator(rocksdb::Arena* arena) override {
    if (arena != nullptr) return GetIterator(arena);
    alignas(LookupIterator) thread_local char place[sizeof(LookupIterator)];
    return new (place) LookupIterator(*this);
  }

 private:
  // Stays at its row whatever is inserted: a place in the tree is good until then, and looked for
  // again afterwards.
  class RowIterator : public Iterator {
   public:
    explicit RowIterator(const RowTreeMemtable& memtable) : memtable_(memtable) {}

    bool Valid() const override { return row_ != nullptr; }
    const char* key() const override { return row_; }

    void Next() override {
      Move([this](const RowTree& tree) { return tree.After(Here()); });
    }
    void Prev() override {
      Move([this](const RowTree& tree) { return tree.Before(Here()); });
    }
    void Seek(const rocksdb::Slice& internal_key, const char* memtable_key) override {
      Move([&](const RowTree& tree) { return tree.Seek(KeyOf(internal_key, memtable_key)); });
    }
    void SeekForPrev(const rocksdb::Slice& internal_key, const char* memtable_key) override {
      Move([&](const RowTree& tree) {
        const rocksdb::Slice key = KeyOf(internal_key, memtable_key);
        const RowTree::Position position = tree.Seek(key);
        const char* const row = position.row();
        return row != nullptr && memtable_.compare()(row, key) == 0 ? position
                                                                    : tree.Before(position);
      });
    }
    void SeekToFirst() override {
      Move([](const RowTree& tree) { return tree.First(); });
    }
    void SeekToLast() override {
      Move([](const RowTree& tree) { return tree.Before(tree.End()); });
    }

   private:
    rocksdb::Slice KeyOf(const rocksdb::Slice& internal_key, const char* memtable_key) const {
      return memtable_key == nullptr ? internal_key : memtable_.compare().decode_key(memtable_key);
    }
    // Where row_ is now.
    RowTree::Position Here() const {
      if (inserts_ == memtable_.inserts_.load(std::memory_order_relaxed)) return position_;
      return memtable_.tree_.Seek(memtable_.compare().decode_key(row_));
    }
    template <typename To>
    void Move(To&& to) {
      const std::shared_lock lock(memtable_.mutex_);
      position_ = to(memtable_.tree_);
      inserts_ = memtable_.inserts_.load(std::memory_order_relaxed);
      row_ = position_.row();
    }

    const RowTreeMemtable& memtable_;
    RowTree::Position position_;
    uint64_t inserts_ = 0;  // when position_ was found
    const char* row_ = nullptr;
  };

  class LookupIterator final : public RowIterator {
   public:
    using RowIterator::RowIterator;
    static void* operator new(size_t, void* place) { return place; }
    static void operator delete(void*) {}
  };

  const KeyComparator& compare() const { return tree_.comparator(); }

  mutable std::shared_mutex mutex_;
  RowTree tree_;
  std::atomic<uint64_t> inserts_{0};  // changes under the mutex
};

class RowTreeMemtables final : public rocksdb::MemTableRepFactory {
 public:
  using MemTableRepFactory::CreateMemTableRep;
  rocksdb::MemTableRep* CreateMemTableRep(const rocksdb::MemTableRep::KeyComparator& compare,
                                          rocksdb::Allocator* allocator,
                                          const rocksdb::SliceTransform* /*prefix*/,
                                          rocksdb::Logger* /*logger*/) override {
    return new RowTreeMemtable(compare, allocator);
  }
  const char* Name() const override { return "tokend.row_tree"; }
  bool CanHandleDuplicatedKey() const override { return true; }
};

}  // namespace

std::shared_ptr<rocksdb::MemTableRepFactory> MakeRowTreeMemtables() {
  return std::make_shared<RowTreeMemtables>();
}

}  // namespace tokend
