#include "storage/rocksdb_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "tests/support/temp_dir.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class RocksDbLogTest : public ::testing::Test {
 protected:
  std::string Content() const {
    std::ifstream file(path_);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/LOG";
  const std::shared_ptr<rocksdb::Logger> log_ = MakeRocksDbLog(path_);
};

TEST_F(RocksDbLogTest, HasWarningsAndErrorsAndNothingElse) {
  rocksdb::Header(log_, "an option");
  rocksdb::Info(log_, "a flush");
  EXPECT_FALSE(fs::exists(path_));
  rocksdb::Warn(log_, "a %s", "warning");
  rocksdb::Error(log_, "an error");
  EXPECT_THAT(Content(), AllOf(HasSubstr("Z [WARN] a warning\n"), EndsWith("an error\n")));
  // Opened again, it goes on where it was.
  rocksdb::Warn(MakeRocksDbLog(path_), "later");
  EXPECT_THAT(Content(), AllOf(HasSubstr("a warning\n"), EndsWith("later\n")));
}

TEST_F(RocksDbLogTest, IsBounded) {
  const std::string text(10'000, 'x');
  for (int i = 0; i < 1000; ++i) rocksdb::Error(log_, "%s", text.c_str());
  rocksdb::Error(log_, "the last");
  EXPECT_THAT(Content(), EndsWith("the last\n"));
  EXPECT_LT(fs::file_size(path_) + fs::file_size(path_ + ".old"), uint64_t{3} << 20);
}

TEST_F(RocksDbLogTest, DropsWhatCannotBeWritten) {
  fs::create_symlink("/dev/full", path_);
  rocksdb::Error(log_, "once");
  rocksdb::Error(log_, "and again");
  fs::remove(path_);
  rocksdb::Error(log_, "there is room");
  EXPECT_THAT(Content(), AllOf(Not(HasSubstr("once")), EndsWith("there is room\n")));
}

}  // namespace
}  // namespace tokend
