#include "protocol/rpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/encoded.h"

namespace tokend {
namespace {

using msgpack_io::ValueScan;
using msgpack_io::Writer;
using testing::Arr;
using testing::ArrOf;
using testing::Bin;
using testing::Bool;
using testing::ExactBytes;
using testing::Float;
using ::testing::HasSubstr;
using testing::Hex;
using testing::Int;
using testing::Map;
using testing::Nested;
using testing::Nil;
using testing::Str;
using testing::Uint;
using testing::Written;

const RpcLimits kLimits;

// What ReadFrame says of a message at each cut: nothing until all of it has come, or from some cut
// on that it is fatal. Gives the last word. A scan that goes on says the same as one from scratch.
Frame ReadCut(const std::string& bytes, const RpcLimits& limits = kLimits,
              size_t* fatal_at = nullptr) {
  ValueScan scan(limits.depth_max);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const ExactBytes cut(std::string_view(bytes).substr(0, size));
    const Frame frame = ReadFrame(cut.view(), limits);
    const Frame resumed = ReadFrame(cut.view(), limits, &scan);
    EXPECT_EQ(resumed.result, frame.result) << "cut at " << size;
    EXPECT_EQ(frame.size, 0u);
    if (frame.result == FrameResult::kFatal) {
      if (fatal_at != nullptr) *fatal_at = size;
      EXPECT_EQ(ReadFrame(bytes, limits).result, FrameResult::kFatal);
      return frame;
    }
    EXPECT_EQ(frame.result, FrameResult::kNeedMore) << "cut at " << size;
  }
  if (fatal_at != nullptr) *fatal_at = bytes.size();
  const ExactBytes whole(bytes);
  const Frame resumed = ReadFrame(whole.view(), limits, &scan);
  const Frame frame = ReadFrame(whole.view(), limits);
  EXPECT_EQ(resumed.result, frame.result);
  EXPECT_EQ(resumed.size, frame.size);
  EXPECT_EQ(resumed.params, frame.params);
  EXPECT_EQ(frame.size, frame.result == FrameResult::kFatal ? 0 : bytes.size());
  if (frame.result != FrameResult::kFatal) {
    // The next message is not touched.
    EXPECT_EQ(ReadFrame(bytes + "\xc1", limits).size, bytes.size());
  }
  return ReadFrame(bytes, limits);  // whose views are into the caller's bytes
}

Frame Read(const std::string& bytes, const RpcLimits& limits = kLimits) {
  return ReadFrame(bytes, limits);
}

// The byte at which a message is first known to be fatal, counted from 1.
size_t FatalAt(const std::string& bytes, const RpcLimits& limits = kLimits) {
  size_t at = 0;
  const Frame frame = ReadCut(bytes, limits, &at);
  EXPECT_EQ(frame.result, FrameResult::kFatal);
  EXPECT_EQ(frame.error.code(), ErrorCode::kProtocolError);
  EXPECT_FALSE(frame.error.message().empty());
  return at;
}

TEST(ReadFrameTest, TakesARequest) {
  const std::string params = Arr({Str("token"), Nil()});
  const std::string bytes = Arr({Int(0), Int(7), Str("validate"), params});
  EXPECT_EQ(bytes, Hex("94 00 07 a8 76616c6964617465 92 a5 746f6b656e c0"));
  const Frame frame = Read(bytes);
  EXPECT_EQ(frame.result, FrameResult::kRequest);
  EXPECT_EQ(frame.size, bytes.size());
  EXPECT_EQ(frame.msgid, 7u);
  EXPECT_EQ(frame.method, "validate");
  EXPECT_EQ(frame.params, params);
  EXPECT_TRUE(frame.error.ok());
  EXPECT_EQ(ReadCut(bytes).result, FrameResult::kRequest);
}

TEST(ReadFrameTest, TakesANotification) {
  const std::string params = Arr({Str("token")});
  const std::string bytes = Arr({Int(2), Str("revoke"), params});
  const Frame frame = ReadCut(bytes);
  EXPECT_EQ(frame.result, FrameResult::kNotification);
  EXPECT_EQ(frame.method, "revoke");
  EXPECT_EQ(frame.params, params);
}

TEST(ReadFrameTest, TakesOneMessageAfterAnother) {
  const std::string first = Arr({Int(0), Int(1), Str("ping"), Arr({})});
  const std::string second = Arr({Int(2), Str("revoke"), Arr({Str("x")})});
  std::string bytes = first + second + first.substr(0, 3);
  Frame frame = Read(bytes);
  EXPECT_EQ(frame.size, first.size());
  bytes.erase(0, frame.size);
  frame = Read(bytes);
  EXPECT_EQ(frame.result, FrameResult::kNotification);
  EXPECT_EQ(frame.size, second.size());
  bytes.erase(0, frame.size);
  frame = Read(bytes);
  EXPECT_EQ(frame.result, FrameResult::kNeedMore);
  EXPECT_EQ(frame.size, 0u);
}

TEST(ReadFrameTest, NothingNeedsMore) { EXPECT_EQ(Read("").result, FrameResult::kNeedMore); }

TEST(ReadFrameTest, TakesAnyUint32AsMsgidInAnyEncoding) {
  for (const auto& [hex, msgid] :
       std::vector<std::pair<const char*, uint32_t>>{{"00", 0},
                                                     {"7f", 127},
                                                     {"cc ff", 255},
                                                     {"cd 0001", 1},
                                                     {"ce ffffffff", 4294967295},
                                                     {"cf 00000000ffffffff", 4294967295},
                                                     {"d0 05", 5},
                                                     {"d1 7fff", 32767},
                                                     {"d2 7fffffff", 2147483647},
                                                     {"d3 00000000ffffffff", 4294967295}}) {
    const Frame frame = ReadCut(Arr({Int(0), Hex(hex), Str("ping"), Arr({})}));
    EXPECT_EQ(frame.result, FrameResult::kRequest) << hex;
    EXPECT_EQ(frame.msgid, msgid) << hex;
  }
}

TEST(ReadFrameTest, TakesTheTypeAndTheArrayInAnyEncoding) {
  const std::string rest = Int(9) + Str("ping") + Arr({});
  for (const char* array : {"94", "dc 0004", "dd 00000004"}) {
    for (const char* type : {"00", "cc 00", "cd 0000", "ce 00000000", "cf 0000000000000000",
                             "d0 00", "d1 0000", "d2 00000000", "d3 0000000000000000"}) {
      EXPECT_EQ(ReadCut(Hex(array) + Hex(type) + rest).result, FrameResult::kRequest)
          << array << " " << type;
    }
  }
  EXPECT_EQ(ReadCut(Hex("dc 0003 cc 02") + Hex("d9 04") + "ping" + Hex("dc 0000")).result,
            FrameResult::kNotification);
}

// A request whose msgid was read is answered whatever follows, and the connection goes on.
TEST(ReadFrameTest, BadRequestAfterItsMsgidIsAnswered) {
  const struct {
    std::string bytes;
    std::string message;
  } kRows[] = {
      {Arr({Int(0), Int(7)}), "request: must have 4 elements"},
      {Arr({Int(0), Int(7), Str("ping")}), "request: must have 4 elements"},
      {Arr({Int(0), Int(7), Str("ping"), Arr({}), Nil()}), "not 5"},
      {Hex("dc 0014 00 07") + std::string(18, '\xc0'), "not 20"},
      {Arr({Int(0), Int(7), Nil(), Arr({})}), "method: must be a str"},
      {Arr({Int(0), Int(7), Int(1), Arr({})}), "method: must be a str"},
      {Arr({Int(0), Int(7), Bin("ping"), Arr({})}), "method: must be a str"},
      {Arr({Int(0), Int(7), Arr({Str("ping")}), Arr({})}), "method: must be a str"},
      {Arr({Int(0), Int(7), Str("ping"), Nil()}), "params: must be an array"},
      {Arr({Int(0), Int(7), Str("ping"), Map({})}), "params: must be an array"},
      {Arr({Int(0), Int(7), Str("ping"), Map({{"a", Arr({})}})}), "params: must be an array"},
      {Arr({Int(0), Int(7), Str("ping"), Str("")}), "params: must be an array"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.message);
    const Frame frame = ReadCut(row.bytes);
    EXPECT_EQ(frame.result, FrameResult::kBadRequest);
    EXPECT_EQ(frame.msgid, 7u);
    EXPECT_EQ(frame.error.code(), ErrorCode::kBadParams);
    EXPECT_THAT(frame.error.message(), HasSubstr(row.message));
  }
}

TEST(ReadFrameTest, AnotherProtocolIsFatalAtItsFirstByte) {
  EXPECT_EQ(FatalAt("GET / HTTP/1.1\r\n\r\n"), 1u);
  EXPECT_EQ(FatalAt("*1\r\n$4\r\nPING\r\n"), 1u);
  EXPECT_EQ(FatalAt(Hex("16 0301 0200 01 0001fc 0303")), 1u);  // a TLS ClientHello
  EXPECT_EQ(FatalAt(Map({{"type", Int(0)}})), 1u);
  EXPECT_EQ(FatalAt(Str("hello")), 1u);
  EXPECT_EQ(FatalAt(Nil()), 1u);
  EXPECT_EQ(FatalAt(Hex("c1")), 1u);
  EXPECT_EQ(FatalAt("\n"), 1u);
}

// Each at the byte that settles it, though the rest has not come.
TEST(ReadFrameTest, WhatIsNoneOfTheShapesIsFatal) {
  const std::string rest = Int(7) + Str("ping") + Arr({});
  EXPECT_EQ(FatalAt(Arr({})), 1u);
  EXPECT_EQ(FatalAt(Arr({Int(0)})), 1u);
  EXPECT_EQ(FatalAt(Hex("94 03") + rest), 2u);  // no such type
  EXPECT_EQ(FatalAt(Hex("94 01") + rest), 2u);  // a response
  EXPECT_EQ(FatalAt(Hex("94 ff") + rest), 2u);  // -1
  EXPECT_EQ(FatalAt(Hex("94 d0 ff") + rest), 3u);
  EXPECT_EQ(FatalAt(Hex("94 c2") + rest), 2u);     // false
  EXPECT_EQ(FatalAt(Hex("94 a1 30") + rest), 2u);  // "0"
  EXPECT_EQ(FatalAt(Hex("94") + Float() + rest), 2u);
  EXPECT_EQ(FatalAt(Hex("94 cf ffffffffffffffff") + rest), 10u);
  EXPECT_EQ(FatalAt(Arr({Int(1), Int(7), Nil(), Nil()})), 2u);
}

TEST(ReadFrameTest, WrongMsgidIsFatal) {
  const std::string rest = Str("ping") + Arr({});
  EXPECT_EQ(FatalAt(Hex("94 00 c0") + rest), 3u);
  EXPECT_EQ(FatalAt(Hex("94 00 ff") + rest), 3u);
  EXPECT_EQ(FatalAt(Hex("94 00 d3 ffffffffffffffff") + rest), 11u);
  EXPECT_EQ(FatalAt(Hex("94 00 cf 0000000100000000") + rest), 11u);
  EXPECT_EQ(FatalAt(Hex("94 00 cf ffffffffffffffff") + rest), 11u);
  EXPECT_EQ(FatalAt(Hex("94 00") + Float() + rest), 3u);
  EXPECT_EQ(FatalAt(Hex("94 00 c3") + rest), 3u);
  EXPECT_EQ(FatalAt(Hex("94 00 a1 37") + rest), 3u);
  EXPECT_EQ(FatalAt(Hex("94 00 91 07") + rest), 3u);
}

TEST(ReadFrameTest, WrongNotificationIsFatal) {
  EXPECT_EQ(FatalAt(Arr({Int(2), Str("m")})), 2u);
  EXPECT_EQ(FatalAt(Arr({Int(2), Str("m"), Arr({}), Nil()})), 2u);
  EXPECT_EQ(FatalAt(Arr({Int(2), Int(5), Arr({})})), 3u);
  EXPECT_EQ(FatalAt(Arr({Int(2), Bin("m"), Arr({})})), 3u);
  EXPECT_EQ(FatalAt(Arr({Int(2), Str("m"), Map({})})), 5u);
  EXPECT_EQ(FatalAt(Arr({Int(2), Str("m"), Nil()})), 5u);
}

TEST(ReadFrameTest, MalformedIsFatalEvenAfterTheMsgid) {
  EXPECT_EQ(FatalAt(Hex("94 00 07 c1")), 4u);
  EXPECT_EQ(FatalAt(Hex("94 00 07 a1 70 91 c1")), 7u);
  EXPECT_EQ(FatalAt(Hex("93 02 a1 70 91 c1")), 6u);
}

TEST(ReadFrameTest, NestingIsThatOfTheWholeMessage) {
  RpcLimits limits;
  for (const size_t depth_max : {2, 3, 16, 64}) {
    SCOPED_TRACE(depth_max);
    limits.depth_max = depth_max;
    // The frame is one level.
    const auto request = [](size_t depth) {
      return Arr({Int(0), Int(7), Str("ping"), Nested(depth - 1)});
    };
    EXPECT_EQ(ReadCut(request(depth_max), limits).result, FrameResult::kRequest);
    const Frame frame = ReadCut(request(depth_max + 1), limits);
    EXPECT_EQ(frame.result, FrameResult::kBadRequest);
    EXPECT_EQ(frame.msgid, 7u);
    EXPECT_EQ(frame.error.code(), ErrorCode::kTooLarge);
    EXPECT_THAT(frame.error.message(),
                HasSubstr("nesting must be at most " + std::to_string(depth_max)));
    EXPECT_EQ(ReadCut(request(depth_max + 200), limits).result, FrameResult::kBadRequest);
  }
}

TEST(ReadFrameTest, TooDeepANotificationIsFatalAtOnce) {
  EXPECT_EQ(FatalAt(Arr({Int(2), Str("m"), Nested(16)})), 4u + 16u);
  EXPECT_EQ(ReadCut(Arr({Int(2), Str("m"), Nested(15)})).result, FrameResult::kNotification);
}

TEST(ReadFrameTest, MessageOverItsLimitIsFatalAsSoonAsItIsAnnounced) {
  RpcLimits limits;
  limits.message_bytes_max = 100;
  // Eight bytes come before those of the bin.
  const auto request = [](size_t size) {
    return Arr({Int(0), Int(7), Str("p"), Arr({Bin(std::string(size - 8, 'x'))})});
  };
  ASSERT_EQ(request(100).size(), 100u);
  EXPECT_EQ(ReadCut(request(100), limits).result, FrameResult::kRequest);
  EXPECT_EQ(FatalAt(request(101), limits), 8u);
  // Before the msgid.
  EXPECT_EQ(FatalAt(Hex("dd 00000061"), limits), 5u);
  EXPECT_EQ(FatalAt(Hex("dd ffffffff"), limits), 5u);
  // A method and params that are only announced.
  EXPECT_EQ(FatalAt(Hex("94 00 07 d9 60"), limits), 5u);
  EXPECT_EQ(FatalAt(Hex("94 00 07 a1 70 dc 0060"), limits), 8u);
  EXPECT_THAT(Read(request(101), limits).error.message(), HasSubstr("at most 100 bytes"));
}

TEST(ReadFrameTest, DefaultLimitIsFourMebibytes) {
  const size_t head = Arr({Int(0), Int(1), Str("p")}).size() + 1 + 5;
  const auto request = [&](size_t size) {
    return Arr({Int(0), Int(1), Str("p"), Arr({Bin(std::string(size - head, 'x'))})});
  };
  ASSERT_EQ(request(4194304).size(), 4194304u);
  EXPECT_EQ(Read(request(4194304)).result, FrameResult::kRequest);
  EXPECT_EQ(Read(request(4194305)).result, FrameResult::kFatal);
}

// Four million values in pieces of a kilobyte: 4,096 looks. From scratch each time that would be
// 8.6 billion values, and take half a minute; with a scan it is over in a blink.
TEST(ReadFrameTest, ScanIsNotQuadraticInPieces) {
  const std::string bytes = Arr({Int(0), Int(1), Str("p"), ArrOf(4000000, Nil())});
  ValueScan scan(kLimits.depth_max);
  size_t size = 0;
  for (; size + 1000 < bytes.size(); size += 1000) {
    ASSERT_EQ(ReadFrame(std::string_view(bytes).substr(0, size), kLimits, &scan).result,
              FrameResult::kNeedMore);
  }
  const Frame frame = ReadFrame(bytes, kLimits, &scan);
  EXPECT_EQ(frame.result, FrameResult::kRequest);
  EXPECT_EQ(frame.size, bytes.size());
}

// Any byte of a request set to any value: the answer is one of the five, at every cut, and a frame
// that is taken lies inside the bytes.
TEST(ReadFrameTest, EveryDamageOfOneByteIsAnswered) {
  const std::string good = Arr(
      {Int(0), Int(7), Str("insert"), Arr({Map({{"token", Str("abc")}, {"ttl_ms", Int(500)}})})});
  int requests = 0, bad = 0, fatal = 0, more = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(byte);
      const ExactBytes exact(bytes);
      const Frame frame = ReadFrame(exact.view(), kLimits);
      ASSERT_LE(frame.size, bytes.size());
      requests += frame.result == FrameResult::kRequest;
      bad += frame.result == FrameResult::kBadRequest;
      fatal += frame.result == FrameResult::kFatal;
      more += frame.result == FrameResult::kNeedMore;
      if (frame.result == FrameResult::kRequest) {
        ASSERT_EQ(frame.params.data() + frame.params.size(), exact.view().data() + frame.size);
        size_t size = 0;
        ASSERT_EQ(msgpack_io::CheckValue(frame.params, 64, kLimits.message_bytes_max, &size),
                  msgpack_io::CheckResult::kOk);
        ASSERT_EQ(size, frame.params.size());
      }
    }
  }
  EXPECT_GT(requests, 0);
  EXPECT_GT(bad, 0);
  EXPECT_GT(fatal, 0);
  EXPECT_GT(more, 0);
}

// The client's side.

ResponseFrame ReadResponseCut(const std::string& bytes) {
  ValueScan scan;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const ExactBytes cut(std::string_view(bytes).substr(0, size));
    const ResponseFrame frame = ReadResponseFrame(cut.view(), kLimits);
    EXPECT_EQ(ReadResponseFrame(cut.view(), kLimits, &scan).result, frame.result);
    if (frame.result == ResponseResult::kFatal) return frame;
    EXPECT_EQ(frame.result, ResponseResult::kNeedMore) << "cut at " << size;
    EXPECT_EQ(frame.size, 0u);
  }
  EXPECT_EQ(ReadResponseFrame(bytes, kLimits, &scan).result,
            ReadResponseFrame(bytes, kLimits).result);
  return ReadResponseFrame(bytes, kLimits);
}

TEST(ReadResponseFrameTest, TakesAResultAndAnError) {
  const std::string result = Arr({Int(1), Uint(4294967295), Nil(), Arr({Bool(true), Int(5)})});
  ResponseFrame frame = ReadResponseCut(result);
  EXPECT_EQ(frame.result, ResponseResult::kResponse);
  EXPECT_EQ(frame.size, result.size());
  EXPECT_EQ(frame.msgid, 4294967295u);
  EXPECT_EQ(frame.error, Nil());
  EXPECT_EQ(frame.value, Arr({Bool(true), Int(5)}));

  const std::string error_map = Map({{"code", Str("busy")}, {"message", Str("m")}});
  const std::string error = Arr({Int(1), Int(3), error_map, Nil()});
  frame = ReadResponseCut(error);
  EXPECT_EQ(frame.result, ResponseResult::kResponse);
  EXPECT_EQ(frame.error, error_map);
  EXPECT_EQ(frame.value, Nil());
}

TEST(ReadResponseFrameTest, TakesTheServersNotification) {
  const std::string params = Arr({Map({{"code", Str("protocol_error")}})});
  const std::string bytes = Arr({Int(2), Str("error"), params});
  const ResponseFrame frame = ReadResponseCut(bytes);
  EXPECT_EQ(frame.result, ResponseResult::kNotification);
  EXPECT_EQ(frame.method, "error");
  EXPECT_EQ(frame.value, params);
}

TEST(ReadResponseFrameTest, AnythingElseIsFatal) {
  for (const std::string& bytes : {
           std::string("HTTP/1.1 400 Bad Request"),
           Arr({Int(0), Int(7), Str("ping"), Arr({})}),
           Arr({Int(1), Int(7), Nil()}),
           Arr({Int(1), Int(7), Nil(), Nil(), Nil()}),
           Arr({Int(1), Int(-7), Nil(), Nil()}),
           Arr({Int(1), Uint(4294967296), Nil(), Nil()}),
           Arr({Int(3), Int(7), Nil(), Nil()}),
           Arr({Int(2), Int(7), Arr({})}),
           Arr({Int(2), Str("error"), Nil()}),
           Arr({Int(1), Int(7), Nil(), Hex("c1")}),
           Arr({Int(1), Int(7), Nil(), Nested(64)}),
           Hex("94 01 07 c0 db ffffffff"),
           Arr({}),
       }) {
    EXPECT_EQ(ReadResponseCut(bytes).result, ResponseResult::kFatal);
  }
}

// Attributes at the depth that an insert allows are deeper in a list's answer.
TEST(ReadResponseFrameTest, NestsDeeperThanRequests) {
  EXPECT_EQ(ReadResponseCut(Arr({Int(1), Int(7), Nil(), Nested(63)})).result,
            ResponseResult::kResponse);
}

// The frames of answers, as bytes.

TEST(WriteFrameTest, RequestAndResponse) {
  EXPECT_EQ(Written([](Writer& out) {
              BeginRequest(300, "ping", &out);
              out.ArrayHeader(0);
            }),
            Hex("94 00 cd 012c a4 70696e67 90"));
  EXPECT_EQ(Written([](Writer& out) {
              BeginResponse(4294967295, &out);
              out.Str("pong");
            }),
            Hex("94 01 ce ffffffff c0 a4 706f6e67"));
}

TEST(WriteFrameTest, Errors) {
  const Status busy(ErrorCode::kBusy, "queue: full");
  EXPECT_EQ(
      Written([&](Writer& out) { WriteErrorResponse(7, busy, &out); }),
      Arr({Int(1), Int(7), Map({{"code", Str("busy")}, {"message", Str("queue: full")}}), Nil()}));
  const Status exists(ErrorCode::kExists, "token: is there");
  const std::string with_id = Map({{"code", Str("exists")},
                                   {"message", Str("token: is there")},
                                   {"id", Str("00112233445566778899aabb")}});
  EXPECT_EQ(Written([&](Writer& out) {
              WriteErrorResponse(0, exists, "00112233445566778899aabb", &out);
            }),
            Arr({Int(1), Int(0), with_id, Nil()}));
  EXPECT_EQ(Written([&](Writer& out) { WriteErrorMap(exists, "00112233445566778899aabb", &out); }),
            with_id);
}

TEST(WriteFrameTest, ProtocolError) {
  const std::string bytes = Written([](Writer& out) { WriteProtocolError("not a message", &out); });
  EXPECT_EQ(
      bytes,
      Arr({Int(2), Str("error"),
           Arr({Map({{"code", Str("protocol_error")}, {"message", Str("not a message")}})})}));
  EXPECT_EQ(ReadResponseCut(bytes).result, ResponseResult::kNotification);
}

}  // namespace
}  // namespace tokend
