// HTTP: health checks, and what a gateway's or an orchestrator's client may send.
#include <gmock/gmock.h>

#include <optional>

#include "tests/support/server_fixture.h"

namespace tokend::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpTest : public ServerFixture {
 protected:
  void SetUp() override { Start(); }

  // Everything until the server closes.
  static std::string ReadAll(ClientSocket& socket) {
    std::string all;
    while (true) {
      const std::string more = socket.Receive();
      if (more.empty()) return all;
      all += more;
    }
  }
  std::string Ask(const std::string& request) {
    ClientSocket socket = ConnectHttp();
    socket.Send(request);
    socket.ShutdownWrites();
    return ReadAll(socket);
  }
  static std::string Get(const std::string& path, const std::string& more = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
  }
};

TEST_F(HttpTest, LivezIsOkWhileTheProcessRuns) {
  EXPECT_THAT(
      Ask(Get("/livez")),
      AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\nContent-Length: 3\r\n"),
            HasSubstr("\r\nContent-Type: text/plain\r\n"),
            // Its clock is the one that was passed in.
            HasSubstr("\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n"), EndsWith("\r\n\r\nok\n")));
  EXPECT_THAT(Ask(Get("/livez?verbose")), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpTest, ReadyzIsOkOnceLoaded) {
  EXPECT_THAT(Ask(Get("/readyz")),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\nok\n")));
}

TEST_F(HttpTest, HeadIsGetWithoutTheBody) {
  EXPECT_THAT(Ask("HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\nContent-Length: 3\r\n"),
                    EndsWith("\r\n\r\n")));
}

TEST_F(HttpTest, OtherPathsAndMethods) {
  EXPECT_THAT(Ask(Get("/")), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(Ask(Get("/livez/")), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(Ask("POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"),
              AllOf(StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"),
                    HasSubstr("\r\nAllow: GET, HEAD\r\n")));
  EXPECT_THAT(Ask("BREW /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
}

TEST_F(HttpTest, ConnectionsAreKeptAndPipelinesAnsweredInOrder) {
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += Get(i % 2 ? "/nothing" : "/livez");
  requests +=
      "POST /readyz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n";
  const std::string all = Ask(requests);
  size_t pos = 0;
  for (int i = 0; i < 50; ++i) {
    const char* status = i % 2 ? "HTTP/1.1 404" : "HTTP/1.1 200";
    ASSERT_EQ(all.compare(pos, 12, status), 0) << i;
    pos = all.find("HTTP/1.1", pos + 1);
  }
  EXPECT_EQ(all.compare(pos, 12, "HTTP/1.1 405"), 0);
  EXPECT_EQ(all.find("HTTP/1.1", pos + 1), std::string::npos);
}

TEST_F(HttpTest, ARequestCutAtEveryByte) {
  const std::string request =
      Get("/readyz", "Accept: */*\r\n") +
      "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
  for (size_t cut = 1; cut < request.size(); ++cut) {
    ClientSocket socket = ConnectHttp();
    socket.Send(std::string_view(request).substr(0, cut));
    // A connection of its own in between, so that the server has most likely read the first piece.
    if (cut % 10 == 0) Ask(Get("/livez"));
    socket.Send(std::string_view(request).substr(cut));
    socket.ShutdownWrites();
    const std::string all = ReadAll(socket);
    EXPECT_THAT(all, StartsWith("HTTP/1.1 200 OK\r\n")) << cut;
    EXPECT_THAT(all, HasSubstr("HTTP/1.1 405 ")) << cut;
  }
}

TEST_F(HttpTest, TheConnectionEndsWhereItIsAskedTo) {
  ClientSocket socket = ConnectHttp();
  socket.Send(Get("/livez", "Connection: close\r\n") + Get("/livez"));
  const std::string all = ReadAll(socket);
  EXPECT_THAT(all, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_EQ(all.find("HTTP/1.1", 1), std::string::npos);
  ClientSocket old = ConnectHttp();
  old.Send("GET /livez HTTP/1.0\r\n\r\n");
  EXPECT_THAT(ReadAll(old), HasSubstr("\r\nConnection: close\r\n"));
}

TEST_F(HttpTest, WhatIsNotHttpIsRefused) {
  for (const std::string request : {"\x94\x01\x02\xa4ping\x90\r\n\r\n", "GET\r\n\r\n",
                                    "GET /livez HTTP/9.9\r\n\r\n", "\r\n\r\nnonsense\r\n\r\n"}) {
    EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << request;
  }
}

TEST_F(HttpTest, ARefusalHasItsBodyWhateverWasAskedBefore) {
  EXPECT_THAT(Ask("HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET\r\n\r\n"),
              EndsWith("\r\n\r\nnot an HTTP/1.1 request\n"));
}

TEST_F(HttpTest, LongHeadersAndBodiesAreRefused) {
  ClientSocket header = ConnectHttp();
  header.Send(Get("/livez", "X-Long: " + std::string(20'000, 'x') + "\r\n"));
  EXPECT_THAT(ReadAll(header), StartsWith("HTTP/1.1 431 "));
  ClientSocket body = ConnectHttp();
  body.Send("POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" +
            std::string(100'000, 'x'));
  EXPECT_THAT(ReadAll(body), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpTest, HeadersAndBodiesUpToTheLimitAreTaken) {
  const auto fields_of = [&](size_t bytes) {
    const size_t around = Get("/livez", "X-Long: \r\n").size();
    return Get("/livez", "X-Long: " + std::string(bytes - around, 'x') + "\r\n");
  };
  const auto line_of = [](size_t bytes) {
    const size_t around = Get("/livez?").size();
    return Get("/livez?" + std::string(bytes - around, 'x'));
  };
  const size_t header_max = config_.http_header_bytes_max;
  ASSERT_EQ(fields_of(header_max).size(), header_max);
  for (const auto& header : {fields_of(header_max - 1), fields_of(header_max),
                             line_of(header_max - 1), line_of(header_max)}) {
    EXPECT_THAT(Ask(header), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_THAT(Ask(fields_of(header_max + 1)), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Ask(line_of(header_max + 1)), StartsWith("HTTP/1.1 431 "));
  // Wherever it is cut.
  for (const size_t cut : {size_t{30}, size_t{100}, header_max - 2, header_max}) {
    ClientSocket socket = ConnectHttp();
    const std::string header = fields_of(header_max + 1);
    socket.Send(header.substr(0, cut));
    Ask(Get("/livez"));  // for the first part to be read
    socket.Send(header.substr(cut));
    EXPECT_THAT(ReadAll(socket), StartsWith("HTTP/1.1 431 ")) << cut;
  }
  const auto body_of = [](size_t bytes) {
    return "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(bytes) +
           "\r\n\r\n" + std::string(bytes, 'x');
  };
  EXPECT_THAT(Ask(body_of((64 << 10) - 1)), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Ask(body_of(64 << 10)), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Ask(body_of((64 << 10) + 1)), StartsWith("HTTP/1.1 413 "));
}

// What stands around the data of its parts is the peer's to choose, and of any length.
TEST_F(HttpTest, ABodyInPartsIsBoundedWhateverItConsistsOf) {
  const std::string header =
      "POST /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto to = [](size_t bytes, const std::string& begin, char fill) {
    return begin + std::string(bytes - begin.size(), fill);
  };
  const size_t max = config_.http_header_bytes_max - header.size();
  const std::string end = "\r\nabcde\r\n0\r\n\r\n";
  for (const size_t bytes : {max - 1, max}) {
    ClientSocket socket = ConnectHttp();
    socket.Send(header + to(bytes, "5;", 'x'));
    ASSERT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == header.size() + bytes; }));
    socket.Send("\r\nabcde\r\n0\r\n\r\n");
    EXPECT_THAT(socket.Receive(), StartsWith("HTTP/1.1 405 "));
  }
  for (const std::string& more : {to(max + 1, "5;", 'x'), to(max + 1, "", '0'),
                                  to(max + 1, "0\r\nX: ", 'x'), to(1 << 20, "5;", 'x')}) {
    ClientSocket socket = ConnectHttp();
    socket.Send(header + more);
    EXPECT_THAT(socket.Receive(), StartsWith("HTTP/1.1 431 ")) << more.substr(0, 10);
  }
  EXPECT_TRUE(Eventually([&] { return Stats().at("buffered_bytes") == 0; }));
}

TEST_F(HttpTest, ARequestThatIsNeverFinishedEndsItsConnection) {
  ClientSocket socket = ConnectHttp();
  socket.Send("GET /livez HTTP/1.1\r\nHost:");
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(1000);
    char byte;
    return recv(socket.fd(), &byte, 1, MSG_DONTWAIT) == 0;
  }));
}

TEST_F(HttpTest, TooManyConnectionsAreToldSo) {
  connection_.reset();
  server_.reset();
  config_.connections_max = 1;
  Start();
  ClientSocket first = ConnectHttp();
  first.Send(Get("/livez"));
  EXPECT_THAT(first.Receive(), StartsWith("HTTP/1.1 200 OK\r\n"));
  ClientSocket second = ConnectHttp();
  EXPECT_THAT(ReadAll(second), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("at most 1\n")));
}

}  // namespace
}  // namespace tokend::testing
