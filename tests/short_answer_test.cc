// A first answer so short that its string holds it itself was sent again in front of the next.
#include <gtest/gtest.h>

#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ShortAnswerTest = ServerFixture;

TEST_F(ShortAnswerTest, IsSentOnceThoughTheLoopHasNoBufferYet) {
  config_.threads = 1;
  Start();
  RpcSocket socket = Connect();
  // Answered from the Committer, so that nothing has given the loop a buffer before.
  const Answer first = socket.Call("import_begin", Json::array({{{"namespace", "a"}}}));
  EXPECT_EQ(first.result, "import-1");
  const Answer second = socket.Call("import_begin", Json::array({{{"namespace", "b"}}}));
  EXPECT_EQ(second.result, "import-2");
}

}  // namespace
}  // namespace tokend::testing
