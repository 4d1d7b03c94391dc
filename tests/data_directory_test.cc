#include "storage/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "storage/directory_lock.h"
#include "tests/support/temp_dir.h"

namespace tokend {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DataDirectoryTest : public ::testing::Test {
 protected:
  std::string Path() const { return dir_.path() + "/data"; }
  void Make(const std::string& name) const {
    const fs::path path = Path() + "/" + name;
    if (name.ends_with('/')) {
      fs::create_directories(path);
      return;
    }
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "x";
  }
  std::string Error() const { return CheckIsDataDirectory(Path()).message(); }

  TempDir dir_;
};

TEST_F(DataDirectoryTest, TakesWhatIsNotThereIsEmptyOrIsItsOwn) {
  EXPECT_THAT(Error(), IsEmpty());
  EXPECT_FALSE(fs::exists(Path()));
  for (const char* name :
       {"lost+found/", ".snapshot/", ".gitignore", "lock", "tokend.sock.new", "tokend.toml",
        "tokend.log", "backup/meta/1", "nightly/meta/1", "db.damaged-1700000000/CURRENT",
        "repair/aside", "restore/000012.sst", "db/LOCK", "db/LOG", "db/LOG.old.1",
        "db/MANIFEST-000001", "db/000001.dbtmp", "db/000004.log"}) {
    Make(name);
    EXPECT_THAT(Error(), IsEmpty()) << name;
  }
  // Where its database is, others' files are no reason to stop.
  Make("db/CURRENT");
  Make("notes.txt");
  EXPECT_THAT(Error(), IsEmpty());
}

TEST_F(DataDirectoryTest, RefusesAnothersAndSaysWhatIsInIt) {
  for (const char* name : {"PG_VERSION", "home/", "db/PG_VERSION", "db/base/"}) {
    fs::remove_all(Path());
    Make(name);
    EXPECT_THAT(Error(), AllOf(HasSubstr(Path()), HasSubstr("is in it"), HasSubstr("--data-dir")))
        << name;
    std::unique_ptr<DirectoryLock> lock;
    EXPECT_FALSE(DirectoryLock::Take(Path(), &lock).ok());
    EXPECT_FALSE(fs::exists(Path() + "/lock"));
  }
  EXPECT_THAT(Error(), HasSubstr("\"db/base\""));
}

TEST_F(DataDirectoryTest, RefusesTheDatabaseInIt) {
  Make("CURRENT");
  Make("MANIFEST-000001");
  EXPECT_THAT(Error(), HasSubstr("the directory that it is in"));
}

TEST_F(DataDirectoryTest, OneThatCannotBeWrittenIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  Make("lock");
  fs::permissions(Path(), fs::perms::owner_read | fs::perms::owner_exec);
  std::unique_ptr<DirectoryLock> lock;
  EXPECT_THAT(
      DirectoryLock::Take(Path(), &lock).message(),
      AllOf(HasSubstr("cannot write to data directory " + Path()), HasSubstr("Permission denied")));
  fs::permissions(Path(), fs::perms::owner_all);
}

}  // namespace
}  // namespace tokend
