#include "server/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>

#include "tests/support/rpc_socket.h"
#include "tests/support/temp_dir.h"

namespace tokend {
namespace {

using testing::ClientSocket;
using ::testing::HasSubstr;

Endpoint Resolve(const std::string& text) {
  std::vector<Endpoint> endpoints;
  const Status status = ResolveEndpoints(text, &endpoints);
  EXPECT_TRUE(status.ok()) << status.message();
  return endpoints.at(0);
}

TEST(ListenerTest, PortZeroIsAFreePortThatAllSocketsShare) {
  std::vector<UniqueFd> sockets;
  Endpoint bound;
  const Status status = OpenTcpListeners(Resolve("127.0.0.1:0"), 4, 16, &sockets, &bound);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(sockets.size(), 4u);
  EXPECT_NE(bound.port(), 0);
  for (const UniqueFd& fd : sockets) {
    Endpoint own;
    own.size = sizeof own.address;
    ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own.address), &own.size), 0);
    EXPECT_EQ(own.ToString(), bound.ToString());
  }
}

TEST(ListenerTest, AnyOfTheSocketsMayGetAConnection) {
  std::vector<UniqueFd> sockets;
  Endpoint bound;
  ASSERT_TRUE(OpenTcpListeners(Resolve("127.0.0.1:0"), 2, 256, &sockets, &bound).ok());
  std::vector<ClientSocket> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(bound);
  std::vector<int> accepted;
  for (const UniqueFd& fd : sockets) {
    accepted.push_back(0);
    while (UniqueFd(accept(fd.get(), nullptr, nullptr))) ++accepted.back();
  }
  EXPECT_EQ(accepted[0] + accepted[1], 200);
  // By hash: that one gets none of 200 does not happen.
  EXPECT_GT(accepted[0], 0);
  EXPECT_GT(accepted[1], 0);
}

TEST(ListenerTest, ASecondServerIsRefusedThoughThePortMayBeShared) {
  std::vector<UniqueFd> first, second;
  Endpoint bound, other;
  ASSERT_TRUE(OpenTcpListeners(Resolve("127.0.0.1:0"), 2, 16, &first, &bound).ok());
  const Status status = OpenTcpListeners(bound, 2, 16, &second, &other);
  EXPECT_THAT(status.message(), HasSubstr(bound.ToString() + ": in use"));
  first.clear();
  EXPECT_TRUE(OpenTcpListeners(bound, 2, 16, &second, &other).ok());
}

TEST(ListenerTest, Ipv6) {
  std::vector<UniqueFd> sockets;
  Endpoint bound;
  const Status status = OpenTcpListeners(Resolve("[::1]:0"), 2, 16, &sockets, &bound);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(bound.ToString().starts_with("[::1]:"));
  EXPECT_TRUE(bound.IsLoopback());
  const ClientSocket client(bound);
}

class UnixListenerTest : public ::testing::Test {
 protected:
  Status Open(size_t count = 2) { return OpenUnixListeners(path_, count, 16, &sockets_); }

  TempDir dir_;
  std::string path_ = dir_.path() + "/t.sock";
  std::vector<UniqueFd> sockets_;
};

TEST_F(UnixListenerTest, IsForItsGroupOnly) {
  ASSERT_TRUE(Open().ok());
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0660u);
  EXPECT_EQ(sockets_.size(), 2u);
  const ClientSocket client(path_);
}

TEST_F(UnixListenerTest, TakesADeadServersPlace) {
  ASSERT_TRUE(Open().ok());
  sockets_.clear();  // it died: its file stays
  EXPECT_THROW(ClientSocket{path_}, std::runtime_error);
  const Status status = Open();
  ASSERT_TRUE(status.ok()) << status.message();
  const ClientSocket client(path_);
}

TEST_F(UnixListenerTest, RefusesALiveServersPlace) {
  ASSERT_TRUE(Open().ok());
  std::vector<UniqueFd> second;
  const Status status = OpenUnixListeners(path_, 2, 16, &second);
  EXPECT_THAT(status.message(), HasSubstr(path_ + ": in use"));
  const ClientSocket client(path_);  // the first one still answers
}

TEST_F(UnixListenerTest, RefusesWhatIsNoSocketAndLeavesItAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_THAT(Open().message(), HasSubstr("is no socket"));
  std::string kept;
  std::ifstream(path_) >> kept;
  EXPECT_EQ(kept, "precious");
}

TEST_F(UnixListenerTest, SaysWhatIsWrongWithTheDirectory) {
  path_ = dir_.path() + "/missing/t.sock";
  EXPECT_THAT(Open().message(), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace tokend
