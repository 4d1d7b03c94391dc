// RowTree against a sorted reference, and as the memtable of a real database.
#include "storage/row_tree.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/row_tree_memtable.h"
#include "tests/support/temp_dir.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

using rocksdb::Slice;

// Orders internal keys as RocksDB does: user keys bytewise, then the last eight bytes
// (little-endian numbers) downwards.
class InternalOrder final : public RowTree::Comparator {
 public:
  static int Compare(const Slice& a, const Slice& b) {
    const int order = UserKey(a).compare(UserKey(b));
    if (order != 0) return order;
    const uint64_t a_sequence = Sequence(a), b_sequence = Sequence(b);
    return a_sequence > b_sequence ? -1 : a_sequence < b_sequence ? 1 : 0;
  }
  int operator()(const char* a, const char* b) const override {
    return Compare(decode_key(a), decode_key(b));
  }
  int operator()(const char* a, const Slice& b) const override { return Compare(decode_key(a), b); }

 private:
  static Slice UserKey(const Slice& key) { return {key.data(), key.size() - 8}; }
  static uint64_t Sequence(const Slice& key) {
    uint64_t sequence;
    std::memcpy(&sequence, key.data() + key.size() - 8, 8);
    return sequence;
  }
};

std::string InternalKey(const std::string& user_key, uint64_t sequence) {
  std::string key = user_key;
  key.append(reinterpret_cast<const char*>(&sequence), 8);
  return key;
}

class RowTreeTest : public ::testing::Test {
 protected:
  struct Less {
    bool operator()(const std::string& a, const std::string& b) const {
      return InternalOrder::Compare(a, b) < 0;
    }
  };

  bool Insert(const std::string& user_key, uint64_t sequence) {
    const std::string key = InternalKey(user_key, sequence);
    EXPECT_LT(key.size(), 128u);  // a varint of one byte
    std::string& row = rows_.emplace_back(1, static_cast<char>(key.size()));
    row += key;
    const bool is_new = reference_.emplace(key, row.data()).second;
    EXPECT_EQ(tree_.Insert(row.data()), is_new);
    return is_new;
  }

  // Forwards and backwards it is the reference, and so is each search.
  void Check() const {
    RowTree::Position position = tree_.First();
    for (const auto& [key, row] : reference_) {
      ASSERT_EQ(position.row(), row);
      ASSERT_EQ(tree_.Seek(key).row(), row);
      position = tree_.After(position);
    }
    ASSERT_EQ(position.row(), nullptr);
    position = tree_.End();
    for (auto row = reference_.rbegin(); row != reference_.rend(); ++row) {
      position = tree_.Before(position);
      ASSERT_EQ(position.row(), row->second);
    }
    ASSERT_EQ(tree_.Before(position).row(), nullptr);
  }
  void CheckSeek(const std::string& user_key, uint64_t sequence) const {
    const std::string key = InternalKey(user_key, sequence);
    const auto expected = reference_.lower_bound(key);
    ASSERT_EQ(tree_.Seek(key).row(), expected == reference_.end() ? nullptr : expected->second);
  }

  InternalOrder order_;
  std::deque<std::unique_ptr<char[]>> nodes_;
  std::deque<std::string> rows_;
  std::map<std::string, const char*, Less> reference_;
  RowTree tree_{order_, [this](size_t bytes) {
                  // Nothing is aligned, as in an arena.
                  nodes_.push_back(std::make_unique<char[]>(bytes + 1));
                  return nodes_.back().get() + 1;
                }};
};

TEST_F(RowTreeTest, AnEmptyOneHasNothing) {
  Check();
  CheckSeek("a", 1);
}

TEST_F(RowTreeTest, RowsInOrderAndAgainstIt) {
  for (int i = 0; i < 20'000; ++i) Insert("up" + std::to_string(100'000 + i), 1);
  for (int i = 0; i < 20'000; ++i) Insert("down" + std::to_string(900'000 - i), 1);
  Check();
}

TEST_F(RowTreeTest, KeysThatDifferLateOrOnlyInLength) {
  const std::string same(40, 's');
  for (int i = 0; i < 3'000; ++i) Insert(same + std::to_string(i * 7919 % 3'000), 1);
  for (size_t size = 0; size < 60; ++size) {
    Insert(std::string(size, '\0'), 1);
    Insert(std::string(size, '\xff'), 1);
    Insert(same.substr(0, size % 40), 1);
  }
  Check();
}

TEST_F(RowTreeTest, LaterSequencesOfAKeyComeFirst) {
  for (uint64_t sequence = 1; sequence <= 1'000; ++sequence) Insert("key", sequence * 2);
  EXPECT_FALSE(Insert("key", 2));
  for (uint64_t sequence = 0; sequence <= 2'001; ++sequence) CheckSeek("key", sequence);
  Check();
}

TEST_F(RowTreeTest, AnyKeysInAnyOrder) {
  const uint64_t seed = TestSeed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const unsigned alphabet : {2u, 256u}) {
    // The second makes the tree four levels high.
    for (unsigned i = 0; i < alphabet * 500; ++i) {
      std::string key(random() % 24, '\0');
      for (char& c : key) c = static_cast<char>(random() % alphabet);
      Insert(key, random() % 4);
      CheckSeek(key, random() % 5);
      if (HasFatalFailure()) return;
    }
    Check();
  }
}

TEST_F(RowTreeTest, RowsBelowAllThatAreThere) {
  // The lowest of a node changes after it was hung in.
  for (int i = 0; i < 400; ++i) Insert("m" + std::to_string(1'000 + i), 1);
  for (int i = 0; i < 10'000; ++i) Insert("a" + std::to_string(90'000 - i), 1);
  for (int i = 0; i < 10'000; ++i) Insert("a" + std::to_string(50'000 + i), 1);
  Check();
}

// --- as a memtable ---

class RowTreeMemtableTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.allow_concurrent_memtable_write = false;
    options.memtable_factory = MakeRowTreeMemtables();
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, dir_.path() + "/db", &db);
    ASSERT_TRUE(status.ok()) << status.ToString();
    db_.reset(db);
  }
  void Put(const std::string& key, const std::string& value) {
    ASSERT_TRUE(db_->Put({}, key, value).ok());
  }
  std::string Get(const std::string& key) {
    std::string value;
    const auto status = db_->Get({}, key, &value);
    return status.ok() ? value : status.ToString();
  }
  void ExpectContents(const std::map<std::string, std::string>& expected) {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
    it->SeekToFirst();
    for (const auto& [key, value] : expected) {
      ASSERT_TRUE(it->Valid());
      ASSERT_EQ(it->key().ToString(), key);
      ASSERT_EQ(it->value().ToString(), value);
      it->Next();
    }
    ASSERT_FALSE(it->Valid());
    it->SeekToLast();
    for (auto row = expected.rbegin(); row != expected.rend(); ++row) {
      ASSERT_TRUE(it->Valid());
      ASSERT_EQ(it->key().ToString(), row->first);
      it->Prev();
    }
    ASSERT_FALSE(it->Valid());
  }

  TempDir dir_;
  std::unique_ptr<rocksdb::DB> db_;
};

TEST_F(RowTreeMemtableTest, ReadsWhatWasWrittenBeforeAndAfterAFlushAndARestart) {
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 5'000; ++i) {
    const std::string key = "k" + std::to_string(i * 7919 % 5'000);
    Put(key, "first");
    Put(key, std::to_string(i));
    expected[key] = std::to_string(i);
    if (i % 10 == 3) {
      ASSERT_TRUE(db_->Delete({}, key).ok());
      expected.erase(key);
    }
  }
  ExpectContents(expected);
  EXPECT_EQ(Get("k0"), "0");
  EXPECT_EQ(Get("none"), "NotFound: ");
  // From the log.
  db_.reset();
  Open();
  ExpectContents(expected);
  ASSERT_TRUE(db_->Flush({}).ok());
  ExpectContents(expected);
}

TEST_F(RowTreeMemtableTest, AnIteratorSeesItsTimeWhileRowsAreAdded) {
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 2'000; i += 2) {
    const std::string key = std::to_string(10'000 + i);
    Put(key, "old");
    expected[key] = "old";
  }
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
  it->SeekToFirst();
  int odd = 1;
  for (const auto& [key, value] : expected) {
    ASSERT_TRUE(it->Valid());
    ASSERT_EQ(it->key().ToString(), key);
    ASSERT_EQ(it->value().ToString(), "old");
    Put(key, "new");
    Put(std::to_string(10'000 + odd), "new");
    odd += 2;
    it->Next();
  }
  ASSERT_FALSE(it->Valid());
  it->SeekForPrev("10999");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key().ToString(), "10998");
}

TEST_F(RowTreeMemtableTest, ReadersBesideTheWriter) {
  std::atomic<int> written = 0;
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      std::mt19937 random(std::random_device{}());
      while (!done) {
        const int count = written.load();
        if (count == 0) continue;
        const int i = static_cast<int>(random() % static_cast<unsigned>(count));
        EXPECT_EQ(Get(std::to_string(i * 2654435761u)), std::to_string(i));
        const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
        int seen = 0;
        std::string last;
        for (it->SeekToFirst(); it->Valid() && seen < 500; it->Next(), ++seen) {
          EXPECT_LT(last, it->key().ToString());
          last = it->key().ToString();
        }
        EXPECT_GE(seen, std::min(count, 500));
      }
    });
  }
  for (int i = 0; i < 10'000; ++i) {
    Put(std::to_string(i * 2654435761u), std::to_string(i));
    written = i + 1;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace tokend
