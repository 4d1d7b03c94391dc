#include "storage/import_run.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "protocol/digest.h"
#include "tests/support/temp_dir.h"

namespace tokend {
namespace {

class ImportRunTest : public ::testing::Test {
 protected:
  static TokenKey Key(const std::string& token) {
    Digester digester;
    return digester.Digest(DigestScheme::kSha256, token);
  }
  void Add(const std::string& token, const std::string& owner, uint64_t use_count = 0,
           NamespaceId ns = 1) {
    StoredRecord stored;
    stored.record.key = Key(token);
    stored.record.owner = owner;
    stored.record.name = token;
    stored.record.expires_at_ms = 5000;
    run_.Add(ns, stored, {.kept_from_ms = 5000, .use_count = use_count});
  }
  std::multiset<std::string> Left() const {
    std::multiset<std::string> names;
    for (const bool upper : {false, true}) {
      run_.ForEachOfHalf(upper, [&](std::string_view, std::string_view value) {
        StoredRecord stored;
        ASSERT_TRUE(DecodeStoredRecord(value, &stored));
        names.insert(*stored.record.name);
      });
    }
    return names;
  }
  std::vector<std::string> Taken() const {
    std::vector<std::string> names;
    for (const uint32_t row : taken_) names.push_back(*run_.TokenAt(row).stored.record.name);
    return names;
  }

  TempDir dir_;
  TwoThreads threads_;
  ImportRun run_{1 << 20, &threads_};
  ImportRun::Rows taken_;
};

TEST_F(ImportRunTest, TakesOutByKeyIdAndOwner) {
  for (const char* token : {"a", "b", "c"}) Add(token, "bob");
  Add("d", "eve");
  Add("a", "bob", 0, /*ns=*/2);
  run_.Seal();
  run_.TakeToken(1, Key("a"), &taken_);
  run_.TakeToken(1, Key("a"), &taken_);  // is out already
  EXPECT_EQ(Taken(), std::vector<std::string>{"a"});
  run_.TakeById(1, TokenId::Of(Key("b")), &taken_);
  EXPECT_EQ(Taken(), (std::vector<std::string>{"a", "b"}));
  run_.TakeOwner(1, "bo", &taken_);
  EXPECT_EQ(taken_.size(), 2u);
  run_.TakeOwner(1, "bob", &taken_);
  EXPECT_EQ(Taken(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(Left(), (std::multiset<std::string>{"a", "d"}));  // a of the other namespace
  EXPECT_EQ(run_.tokens(), 2u);
}

TEST_F(ImportRunTest, TakesRepeatedOnesOutInTheirOrderEachWithItsUsage) {
  Add("once", "bob");
  for (uint64_t use_count : {0, 7, 0, 9}) Add("often", "bob", use_count);
  run_.Seal();
  run_.TakeToken(1, Key("often"), &taken_);
  ASSERT_EQ(taken_.size(), 4u);
  const std::vector<uint64_t> use_counts = {0, 7, 0, 9};
  for (size_t i = 0; i < 4; ++i) {
    const ImportRun::Token token = run_.TokenAt(taken_[i]);
    EXPECT_EQ(token.stored.record.key, Key("often"));
    EXPECT_EQ(token.usage.use_count, use_counts[i]) << i;
  }
  EXPECT_EQ(Left(), std::multiset<std::string>{"once"});
}

TEST_F(ImportRunTest, WritesFilesThatTheDatabaseTakesWhole) {
  std::unique_ptr<Database> database;
  DatabaseOptions options;
  options.data_dir = dir_.path();
  options.write_buffer_bytes = 1 << 20;
  options.reclaim_before_ms = [] { return 0; };
  ASSERT_TRUE(Database::Open(options, &database).ok());
  for (int i = 0; i < 1000; ++i) {
    Add("t" + std::to_string(i), "owner" + std::to_string(i % 7), i % 2);
  }
  run_.Seal();
  run_.TakeOwner(1, "owner3", &taken_);
  Database::RunFiles files;
  ASSERT_TRUE(run_.WriteFiles(database.get(), &files).ok());
  EXPECT_EQ(files[Database::kMeta], "");
  ASSERT_TRUE(database->TakeRun(files).ok());
  const auto rows = [&](Database::Family family) {
    size_t count = 0;
    const std::unique_ptr<rocksdb::Iterator> it(database->NewIterator(family));
    for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
    return count;
  };
  const size_t left = 1000 - taken_.size();
  EXPECT_EQ(rows(Database::kTokens), left);
  EXPECT_EQ(rows(Database::kOwners), left);
  EXPECT_EQ(rows(Database::kExpiry), left);
  EXPECT_GT(rows(Database::kUsage), 400u);
  std::optional<StoredRecord> stored;
  ASSERT_TRUE(database->ReadRecord(1, Key("t1"), &stored).ok());
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->record.owner, "owner1");
  ASSERT_TRUE(database->ReadRecord(1, Key("t3"), &stored).ok());
  EXPECT_FALSE(stored);
}

TEST_F(ImportRunTest, OneWithoutTokensWritesNothing) {
  Add("a", "bob");
  run_.Seal();
  run_.TakeAll(&taken_);
  Database::RunFiles files = {"x"};
  EXPECT_TRUE(run_.WriteFiles(nullptr, &files).ok());
  EXPECT_EQ(files, Database::RunFiles());
}

}  // namespace
}  // namespace tokend
