#include "storage/sorted_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/two_threads.h"
#include "tests/support/temp_dir.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What a batch holds, a line a row.
class Listing : public rocksdb::WriteBatch::Handler {
 public:
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    return Add(family, "put", key, value);
  }
  rocksdb::Status MergeCF(uint32_t family, const rocksdb::Slice& key,
                          const rocksdb::Slice& value) override {
    return Add(family, "merge", key, value);
  }
  rocksdb::Status DeleteCF(uint32_t family, const rocksdb::Slice& key) override {
    return Add(family, "delete", key, {});
  }

  std::vector<std::string> lines;

 private:
  rocksdb::Status Add(uint32_t family, const char* what, const rocksdb::Slice& key,
                      const rocksdb::Slice& value) {
    lines.push_back(std::to_string(family) + " " + what + " " + key.ToString() + " " +
                    value.ToString());
    return rocksdb::Status::OK();
  }
};

class SortedRowsTest : public ::testing::Test {
 protected:
  SortedRowsTest() {
    DatabaseOptions options;
    options.data_dir = dir_.path();
    options.reclaim_before_ms = [] { return uint64_t{0}; };
    const Status status = Database::Open(options, &database_);
    EXPECT_TRUE(status.ok()) << status.message();
  }

  std::vector<std::string> Moved() {
    rocksdb::WriteBatch batch;
    rows_.MoveTo(database_.get(), &batch);
    Listing listing;
    EXPECT_TRUE(batch.Iterate(&listing).ok());
    return listing.lines;
  }

  TempDir dir_;
  std::unique_ptr<Database> database_;
  SortedRows rows_;
};

TEST_F(SortedRowsTest, SortsEachFamilyByTheBytesOfItsKeys) {
  rows_.Put(Database::kOwners, "b", "1");
  // The same eight bytes at the front; one is the front of another; bytes above 127 come last.
  rows_.Put(Database::kTokens, "12345678b", "2");
  rows_.Put(Database::kTokens, "\xff", "3");
  rows_.Put(Database::kTokens, "12345678", "4");
  rows_.Put(Database::kTokens, "12345678a", "5");
  rows_.Put(Database::kTokens, "1234", "6");
  rows_.Put(Database::kMeta, "z", "7");
  EXPECT_EQ(rows_.bytes(), 1u + 9 + 1 + 8 + 9 + 4 + 1 + 7);
  EXPECT_THAT(Moved(),
              ElementsAre("0 put z 7", "1 put 1234 6", "1 put 12345678 4", "1 put 12345678a 5",
                          "1 put 12345678b 2", "1 put \xff 3", "2 put b 1"));
}

TEST_F(SortedRowsTest, RowsOfOneKeyStayInTheirOrder) {
  for (int i = 0; i < 40; ++i) rows_.Put(Database::kUsage, "other" + std::to_string(i), "");
  rows_.Merge(Database::kUsage, "key", "1");
  rows_.Delete(Database::kUsage, "key");
  rows_.Merge(Database::kUsage, "key", "2");
  rows_.Put(Database::kUsage, "key", "3");
  const std::vector<std::string> lines = Moved();
  ASSERT_EQ(lines.size(), 44u);
  EXPECT_THAT(std::vector<std::string>(lines.begin(), lines.begin() + 4),
              ElementsAre("4 merge key 1", "4 delete key ", "4 merge key 2", "4 put key 3"));
}

TEST_F(SortedRowsTest, IsEmptyAfterwards) {
  EXPECT_TRUE(rows_.empty());
  rows_.Put(Database::kMeta, "a", "1");
  EXPECT_FALSE(rows_.empty());
  EXPECT_THAT(Moved(), ElementsAre("0 put a 1"));
  EXPECT_TRUE(rows_.empty());
  EXPECT_EQ(rows_.bytes(), 0u);
  EXPECT_THAT(Moved(), IsEmpty());
}

// As many as an import gathers go another way than the few of a group.
TEST_F(SortedRowsTest, ManyRowsOfAllShapesComeInOrder) {
  std::mt19937_64 random(TestSeed());
  const auto bytes = [&](size_t size, int letters) {
    std::string out;
    while (out.size() < size) out.push_back(static_cast<char>(random() % letters));
    return out;
  };
  std::vector<std::tuple<int, std::string, std::string>> expected;
  for (int i = 0; i < 50'000; ++i) {
    const auto family = static_cast<Database::Family>(random() % Database::kFamilyCount);
    std::string key;
    switch (random() % 4) {
      case 0:
        key = bytes(34, 256);
        break;
      case 1:
        key = "the same for sixteen bytes and more " + bytes(random() % 4, 3);
        break;
      case 2:
        key = bytes(random() % 20, 2);
        break;
      default:
        key = std::string("\0\1\xff\xff", 4) + bytes(12, 4);
        break;
    }
    const std::string value = std::to_string(i);
    rows_.Put(family, key, value);
    expected.emplace_back(family, std::move(key), value);
  }
  std::stable_sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  // In two threads, as an import does; all other tests have one do it.
  TwoThreads threads;
  rows_.Sort([&](const auto& first, const auto& second) { threads.Run(first, second); });
  ASSERT_EQ(rows_.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto& [family, key, value] = expected[i];
    ASSERT_EQ(rows_.family(i), family) << i;
    ASSERT_EQ(rows_.key(i), key) << i;
    ASSERT_EQ(rows_.value(i), value) << i;
  }
  for (int family = 0; family < Database::kFamilyCount; ++family) {
    const size_t row = rows_.Begin(static_cast<Database::Family>(family));
    EXPECT_EQ(rows_.family(row), family);
    EXPECT_TRUE(row == 0 || rows_.family(row - 1) < family);
  }
  for (int i = 0; i < 1000; ++i) {
    const auto& [family, key, value] = expected[random() % expected.size()];
    const size_t row = rows_.LowerBound(static_cast<Database::Family>(family), key);
    EXPECT_EQ(rows_.key(row), key);
    EXPECT_TRUE(row == 0 || rows_.family(row - 1) < family || rows_.key(row - 1) < key);
  }
}

}  // namespace
}  // namespace tokend
