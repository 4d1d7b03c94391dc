#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "protocol/http.h"

namespace tokend {
namespace {

using Result = HttpReader::Result;

// What a request comes to, copied.
struct Seen {
  Result result = Result::kNeedMore;
  unsigned status = 0;  // where it was refused
  std::string method, path, query, host, body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool is_http_1_1 = true, keep_alive = true;
  size_t size = 0;

  bool operator==(const Seen&) const = default;
};

Seen Look(const HttpReader& reader, Result result) {
  Seen seen;
  seen.result = result;
  if (result == Result::kRefused) seen.status = reader.status();
  if (result != Result::kRequest) return seen;
  const HttpRequest& request = reader.request();
  seen.method = request.method;
  seen.path = request.path;
  seen.query = request.query;
  seen.host = request.host;
  seen.body = request.body;
  for (const HttpField& field : request.fields) seen.fields.emplace_back(field.name, field.value);
  seen.is_http_1_1 = request.is_http_1_1;
  seen.keep_alive = request.keep_alive;
  seen.size = reader.size();
  return seen;
}

constexpr HttpReader::Limits kLimits{.header_bytes_max = 1024, .body_bytes_max = 100};

Seen Read(std::string_view bytes) {
  HttpReader reader(kLimits);
  const Result result = reader.Read(bytes);
  return Look(reader, result);
}

// Byte by byte, at another place in memory each time.
Seen ReadInPieces(std::string_view bytes) {
  HttpReader reader(kLimits);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const std::vector<char> copy(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    const Result result = reader.Read({copy.data(), size});
    if (result != Result::kNeedMore) return Look(reader, result);
  }
  return {};
}

TEST(HttpReaderTest, AWholeRequest) {
  const std::string request =
      "POST /a/b?x=1&y HTTP/1.1\r\nHost: example.com:80\r\nX-One:  two words \r\nEmpty:\r\n"
      "Content-Length: 5\r\n\r\nhello";
  const Seen seen = Read(request + "GET");
  EXPECT_EQ(seen.result, Result::kRequest);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/a/b");
  EXPECT_EQ(seen.query, "x=1&y");
  EXPECT_EQ(seen.host, "example.com:80");
  EXPECT_EQ(seen.body, "hello");
  EXPECT_TRUE(seen.is_http_1_1);
  EXPECT_TRUE(seen.keep_alive);
  EXPECT_EQ(seen.size, request.size());
  ASSERT_EQ(seen.fields.size(), 4u);
  EXPECT_EQ(seen.fields[1], (std::pair<std::string, std::string>("X-One", "two words")));
  EXPECT_EQ(seen.fields[2], (std::pair<std::string, std::string>("Empty", "")));
  EXPECT_EQ(ReadInPieces(request), seen);
}

TEST(HttpReaderTest, FieldsAreFoundInAnyCase) {
  HttpReader reader({});
  ASSERT_EQ(reader.Read("GET / HTTP/1.1\r\nhOST: x\r\nCookie: a\r\ncookie: b\r\n\r\n"),
            Result::kRequest);
  EXPECT_EQ(reader.request().Find("COOKIE")->value, "a");
  EXPECT_EQ(reader.request().Count("Cookie"), 2u);
  EXPECT_EQ(reader.request().Find("cooki"), nullptr);
  EXPECT_EQ(reader.request().host, "x");
}

TEST(HttpReaderTest, OneAfterTheOther) {
  HttpReader reader({});
  std::string_view rest =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
      "GET /3 HTTP/1.0\r\n\r\n";
  for (const auto& [path, body] : {std::pair("/1", ""), {"/2", "ab"}, {"/3", ""}}) {
    ASSERT_EQ(reader.Read(rest), Result::kRequest);
    EXPECT_EQ(reader.request().path, path);
    EXPECT_EQ(reader.request().body, body);
    rest.remove_prefix(reader.size());
    reader.Reset();
  }
  EXPECT_EQ(rest, "");
}

TEST(HttpReaderTest, TheTargetWithItsHost) {
  const Seen seen = Read("GET http://a.example:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n");
  EXPECT_EQ(seen.host, "a.example:81");
  EXPECT_EQ(seen.path, "/p");
  EXPECT_EQ(seen.query, "q");
  EXPECT_EQ(Read("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").path, "");
  EXPECT_EQ(Read("GET /x://y HTTP/1.1\r\nHost: a\r\n\r\n").path, "/x://y");
}

TEST(HttpReaderTest, WhetherTheConnectionIsKept) {
  EXPECT_FALSE(Read("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(Read("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(Read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

TEST(HttpReaderTest, ABodyInChunks) {
  const std::string request =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nAuthorization: Bearer t\r\n\r\n";
  const Seen seen = Read(request);
  EXPECT_EQ(seen.result, Result::kRequest);
  EXPECT_EQ(seen.body, "abc0123456789");
  EXPECT_EQ(seen.size, request.size());
  EXPECT_EQ(seen.fields.size(), 2u) << "what comes behind the body is no field of the header";
  EXPECT_EQ(ReadInPieces(request), seen);
}

TEST(HttpReaderTest, WhoWaitsBeforeTheBody) {
  HttpReader reader({});
  const std::string header =
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  EXPECT_EQ(reader.Read(header), Result::kNeedMore);
  EXPECT_TRUE(reader.wants_continue());
  EXPECT_EQ(reader.Read(header + "a"), Result::kNeedMore);
  EXPECT_FALSE(reader.wants_continue());
  EXPECT_EQ(reader.Read(header + "ab"), Result::kRequest);
  EXPECT_EQ(Read("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n").result,
            Result::kRequest);
  EXPECT_EQ(Read("GET / HTTP/1.1\r\nHost: x\r\nExpect: else\r\n\r\n").status, 417u);
}

// Each could be taken in one way by a proxy in front and in another one here.
TEST(HttpReaderTest, WhatTwoCouldUnderstandDifferentlyIsRefused) {
  const std::vector<std::pair<std::string, unsigned>> cases = {
      {"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400},
      {"Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n", 400},
      {"Host: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n", 400},
      {"Host: x\r\nContent-Length: 5, 5\r\n", 400},
      {"Host: x\r\nContent-Length: +5\r\n", 400},
      {"Host: x\r\nContent-Length: -1\r\n", 400},
      {"Host: x\r\nContent-Length: 0x5\r\n", 400},
      {"Host: x\r\nContent-Length: 5 5\r\n", 400},
      {"Host: x\r\nContent-Length: 99999999999999999999\r\n", 400},
      {"Host: x\r\nContent-Length:\r\n", 400},
      {"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501},
      {"Host: x\r\nTransfer-Encoding: chunked, gzip\r\n", 501},
      {"Host: x\r\nTransfer-Encoding: identity\r\n", 501},
      {"Host: x\r\nTransfer-Encoding: xchunked\r\n", 501},
      {"Host: x\r\nTransfer-Encoding: \x0b"
       "chunked\r\n",
       400},
      {"Host: x\r\nTransfer-Encoding : chunked\r\n", 400},
      {"Host: x\r\nTransfer-Encoding\r\n : chunked\r\n", 400},
      {"Host: x\r\nX: a\r\n folded\r\n", 400},
      {"Host: x\r\nX: a\nTransfer-Encoding: chunked\r\n", 400},
      {"Host: x\r\nX: a\rTransfer-Encoding: chunked\r\n", 400},
      {std::string("Host: x\r\nX: a\0b\r\n", 17), 400},
      {"Host: x\r\nHost: y\r\n", 400},
      {"X: y\r\n", 400},
      {"Host: x\r\n: empty\r\n", 400},
      {"Host: x\r\n no name\r\n", 400},
      {"Host: x\r\nX\xc3\xa9: y\r\n", 400},
  };
  for (const auto& [fields, status] : cases) {
    const std::string request = "POST / HTTP/1.1\r\n" + fields + "\r\nhello";
    EXPECT_EQ(Read(request).status, status) << fields;
    EXPECT_EQ(ReadInPieces(request).status, status) << fields;
  }
}

TEST(HttpReaderTest, RequestLinesThatAreNone) {
  for (const std::string_view line :
       {"GET", "GET /", "GET / ", "GET /\r", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET / HTTP/2.0",
        "GET / HTTP/1.2", "GET / http/1.1", "get / HTTP/1.1", "GET /a b HTTP/1.1",
        "GET\t/ HTTP/1.1", "G@T / HTTP/1.1", "GET /\x01 HTTP/1.1", " GET / HTTP/1.1", "", "\x94"}) {
    const std::string request = std::string(line) + "\r\nHost: x\r\n\r\n";
    EXPECT_EQ(Read(request).status, 400u) << line;
    EXPECT_EQ(ReadInPieces(request).status, 400u) << line;
  }
  EXPECT_EQ(Read("GET / HTTP/1.1\nHost: x\n\n").status, 400u);
  EXPECT_EQ(Read("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status, 400u);
}

TEST(HttpReaderTest, ChunksThatAreNone) {
  const std::string header = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view body :
       {"x\r\n", "-1\r\n", " 1\r\na\r\n", "1 \r\na\r\n0\r\n\r\n", "1\na\r\n0\r\n\r\n",
        "1;x\na\r\n0\r\n\r\n", "2\r\nabc\r\n0\r\n\r\n", "1\r\naX\r\n0\r\n\r\n",
        "11111111111111111\r\n", "1;\"\r\na\r\n0\r\n\r\n", "0\r\nX : y\r\n\r\n"}) {
    EXPECT_EQ(Read(header + std::string(body)).result, Result::kRefused) << body;
  }
}

TEST(HttpReaderTest, EveryLengthHasItsBound) {
  const auto of_header = [](size_t bytes) {
    const std::string begin = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
    return begin + std::string(bytes - begin.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(Read(of_header(1023)).result, Result::kRequest);
  EXPECT_EQ(Read(of_header(1024)).result, Result::kRequest);
  EXPECT_EQ(Read(of_header(1025)).status, 431u);
  EXPECT_EQ(ReadInPieces(of_header(1025)).status, 431u);
  const auto of_fields = [](size_t count) {
    std::string request = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (size_t i = 1; i < count; ++i) request += "a:\r\n";
    return request + "\r\n";
  };
  EXPECT_EQ(Read(of_fields(127)).fields.size(), 127u);
  EXPECT_EQ(Read(of_fields(128)).fields.size(), 128u);
  EXPECT_EQ(Read(of_fields(129)).status, 431u);
  const auto of_body = [](size_t bytes) {
    return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
           std::string(bytes, 'x');
  };
  EXPECT_EQ(Read(of_body(99)).body.size(), 99u);
  EXPECT_EQ(Read(of_body(100)).body.size(), 100u);
  EXPECT_EQ(Read(of_body(101)).status, 413u);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string half = "32\r\n" + std::string(50, 'x') + "\r\n";
  EXPECT_EQ(Read(chunked + half + half + "0\r\n\r\n").body.size(), 100u);
  EXPECT_EQ(Read(chunked + half + half + "1\r\nx\r\n0\r\n\r\n").status, 413u);
  EXPECT_EQ(Read(chunked + "1;" + std::string(2000, 'x')).status, 431u);
}

}  // namespace
}  // namespace tokend
