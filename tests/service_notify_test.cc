#include "server/service_notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "server/uv_handle.h"
#include "tests/support/temp_dir.h"

namespace tokend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

// A service manager's socket.
class Manager {
 public:
  explicit Manager(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size())),
              0);
  }
  std::vector<std::string> Take() {
    std::vector<std::string> messages;
    char buffer[4096];
    ssize_t size = 0;
    while ((size = recv(fd_.get(), buffer, sizeof buffer, 0)) >= 0) {
      messages.emplace_back(buffer, static_cast<size_t>(size));
    }
    return messages;
  }

 private:
  UniqueFd fd_;
};

class ServiceNotifyTest : public ::testing::Test {
 protected:
  ServiceNotify Make(const std::map<std::string, std::string>& more = {}) {
    std::map<std::string, std::string> environment = {{"NOTIFY_SOCKET", path_}};
    environment.insert(more.begin(), more.end());
    return ServiceNotify(environment, log_);
  }
  void TurnBoth() {
    loops_[0].turns.Add(1);
    loops_[1].turns.Add(70000);
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/notify";
  Manager manager_{path_};
  std::ostringstream out_;
  Logger log_{LogLevel::kInfo, LogFormat::kText,
              std::make_shared<spdlog::sinks::ostream_sink_mt>(out_)};
  LoopCounters loops_[2];
  const LoopCounters* const both_[2] = {&loops_[0], &loops_[1]};
};

TEST_F(ServiceNotifyTest, SaysWhatHappens) {
  ServiceNotify service = Make();
  service.Ready();
  service.Reloading();
  service.Stopping();
  EXPECT_THAT(manager_.Take(),
              ElementsAre("READY=1", MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"),
                          "STOPPING=1\nSTATUS=stopping"));
}

TEST_F(ServiceNotifyTest, AStatusIsOneLineAndSentWhenItChanges) {
  ServiceNotify service = Make();
  service.Status("ready");
  service.Status("ready");
  service.Status("read only: two\nlines");
  EXPECT_THAT(manager_.Take(), ElementsAre("STATUS=ready", "STATUS=read only: two lines"));
}

TEST_F(ServiceNotifyTest, WithoutAManagerNothingIsSent) {
  ServiceNotify service({{"WATCHDOG_USEC", "1000000"}}, log_);
  EXPECT_FALSE(service.is_on());
  service.Ready();
  TurnBoth();
  service.Look(0, both_);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ServiceNotifyTest, TheWatchdogIsFedAtHalfItsTime) {
  ServiceNotify service = Make({{"WATCHDOG_USEC", "30000000"}});
  EXPECT_EQ(service.look_interval_ms(), 1000u);
  for (uint64_t ms = 5000; ms < 40000; ms += 1000) {
    TurnBoth();
    service.Look(ms, both_);
    EXPECT_EQ(manager_.Take().size(), ms % 15000 == 5000 ? 1u : 0u) << ms;
  }
}

TEST_F(ServiceNotifyTest, TheWatchdogIsNotFedWhileALoopHangs) {
  ServiceNotify service = Make({{"WATCHDOG_USEC", "2000000"}});
  EXPECT_EQ(service.look_interval_ms(), 500u);
  service.Look(0, both_);  // they have not begun
  EXPECT_THAT(manager_.Take(), IsEmpty());
  TurnBoth();
  service.Look(500, both_);
  EXPECT_THAT(manager_.Take(), ElementsAre("WATCHDOG=1"));
  TurnBoth();
  service.Look(1000, both_);
  for (uint64_t ms = 1500; ms < 5000; ms += 500) {
    loops_[0].turns.Add(1);
    service.Look(ms, both_);
    EXPECT_THAT(manager_.Take(), IsEmpty()) << ms;
  }
  TurnBoth();
  service.Look(5000, both_);
  EXPECT_THAT(manager_.Take(), ElementsAre("WATCHDOG=1"));
}

TEST_F(ServiceNotifyTest, AnotherProcessesWatchdogIsNotFed) {
  ServiceNotify service = Make({{"WATCHDOG_USEC", "2000000"}, {"WATCHDOG_PID", "1"}});
  TurnBoth();
  service.Look(0, both_);
  EXPECT_THAT(manager_.Take(), IsEmpty());
  ServiceNotify own =
      Make({{"WATCHDOG_USEC", "2000000"}, {"WATCHDOG_PID", std::to_string(getpid())}});
  own.Look(0, both_);
  EXPECT_THAT(manager_.Take(), ElementsAre("WATCHDOG=1"));
}

TEST_F(ServiceNotifyTest, TheSocketMayBeAbstract) {
  const std::string path = "@tokend-test-" + std::to_string(getpid());
  Manager manager(path);
  ServiceNotify service({{"NOTIFY_SOCKET", path}}, log_);
  service.Ready();
  EXPECT_THAT(manager.Take(), ElementsAre("READY=1"));
}

TEST_F(ServiceNotifyTest, AManagerThatCannotBeReachedIsLoggedOnce) {
  ServiceNotify gone({{"NOTIFY_SOCKET", path_ + "-none"}}, log_);
  gone.Ready();
  gone.Stopping();
  EXPECT_THAT(out_.str(),
              MatchesRegex("[^\n]* warning notify_failed error=\"No such file[^\n]*\n"));
  for (const std::string& odd : {std::string("vsock:2:3"), '/' + std::string(200, 'x')}) {
    out_.str("");
    ServiceNotify service({{"NOTIFY_SOCKET", odd}}, log_);
    EXPECT_FALSE(service.is_on());
    EXPECT_THAT(out_.str(), HasSubstr("notify_failed"));
  }
}

TEST(ServiceStatusTest, TellsHowTheStoreIs) {
  StoreStats stats;
  stats.load_records = 3;
  stats.load_records_estimate = 12;
  EXPECT_EQ(ServiceStatus(stats), "loading: 3 of about 12 tokens");
  stats.load_error = "a file is missing";
  EXPECT_EQ(ServiceStatus(stats), "loading failed: a file is missing");
  stats.state = StoreState::kReady;
  EXPECT_EQ(ServiceStatus(stats), "ready");
  stats.state = StoreState::kReadOnly;
  stats.read_only_reason = "no space";
  EXPECT_EQ(ServiceStatus(stats), "read only: no space");
}

}  // namespace
}  // namespace tokend
