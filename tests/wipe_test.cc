#include "server/wipe.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend {
namespace {

// Few bytes and many, beginning and ending anywhere in a page.
TEST(WipeTest, ZeroesTheseBytesAndNoOthers) {
  for (const size_t size : {0, 1, 100, 4'095, 4'096, 32'767, 32'768, 40'000, 300'000, 4'000'000}) {
    for (const size_t at : {0, 1, 100, 4'096, 5'000}) {
      SCOPED_TRACE(std::to_string(size) + " at " + std::to_string(at));
      std::string bytes(at + size + 10'000, 'x');
      Wipe(bytes.data() + at, size);
      const std::string expected =
          std::string(at, 'x') + std::string(size, '\0') + std::string(10'000, 'x');
      EXPECT_TRUE(bytes == expected);
      bytes.assign(bytes.size(), 'y');  // it can be written to again
      EXPECT_EQ(bytes.find_first_not_of('y'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace tokend
