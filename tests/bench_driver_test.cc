#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "bench/driver.h"
#include "bench/floor.h"
#include "protocol/digest.h"
#include "protocol/params.h"
#include "protocol/rpc.h"

namespace tokend::bench {
namespace {

using Result = Answer::Result;

constexpr uint64_t kIndex = 5;

class DriverTest : public ::testing::Test {
 protected:
  void Use(const char* protocol, Expectation expectation = Expectation::kValid) {
    driver_ = MakeDriver(protocol, &tokens_, expectation);
  }

  // Sends one operation, for the tokens from kIndex on or for tokens that nobody stored; gives its
  // request.
  std::string Ask(OperationKind kind, bool is_stored = true, uint32_t count = 1) {
    Operation* operation = window_.Next();
    operation->kind = kind;
    operation->count = count;
    operation->index = kIndex + (is_stored ? 0 : kNeverStored);
    for (uint32_t i = 0; i < count; ++i) operation->indexes[i] = operation->index + i;
    number_ = window_.OpenNext();
    Output output;
    driver_->AppendRequest(*operation, number_, &output);
    return std::string(output.view());
  }

  // An answer is taken whole, judged so, and cut anywhere before its end needs more.
  void ExpectAnswer(const std::string& bytes, Result result) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      // A block of its own, so that reading past it is caught.
      const std::vector<char> front(bytes.begin(), bytes.begin() + static_cast<long>(size));
      const Answer answer = driver_->Take({front.data(), size}, &window_);
      ASSERT_EQ(answer.result, Result::kNeedMore) << size << " bytes of " << bytes;
    }
    const Answer answer = driver_->Take(bytes + "next", &window_);
    EXPECT_EQ(answer.result, result) << bytes;
    EXPECT_EQ(answer.size, bytes.size());
    EXPECT_EQ(window_.open(), 0u);
  }

  std::string Response(const std::function<void(msgpack_io::Writer*)>& write_result) {
    std::string bytes;
    msgpack_io::Writer writer(&bytes);
    BeginResponse(number_, &writer);
    write_result(&writer);
    return bytes;
  }
  std::string ValidResponse(uint64_t expires_at_ms, std::string_view owner,
                            std::string_view scopes_encoded) {
    return Response([&](msgpack_io::Writer* writer) {
      writer->ArrayHeader(4);
      writer->Bool(true);
      writer->Uint(expires_at_ms);
      writer->Str(owner);
      writer->Raw(scopes_encoded);
    });
  }
  // The verdict of a token as it is stored.
  void WriteValid(uint64_t index, msgpack_io::Writer* writer) {
    writer->ArrayHeader(4);
    writer->Bool(true);
    writer->Uint(tokens_.ExpiresAtMs(index));
    writer->Str(tokens_.Owner(index));
    writer->Raw(tokens_.ScopesEncoded(index));
  }
  static void WriteInvalid(std::string_view reason, msgpack_io::Writer* writer) {
    writer->ArrayHeader(2);
    writer->Bool(false);
    writer->Str(reason);
  }
  std::string IdOf(uint64_t index) {
    return ToHex(TokenId::Of(digester_.Digest(DigestScheme::kSha256, tokens_.Token(index))));
  }

  const TokenSpace tokens_{1, 1'800'000'000'000};
  Digester digester_;
  std::unique_ptr<Driver> driver_;
  Window window_{4, 4};
  uint32_t number_ = 0;
};

TEST_F(DriverTest, RedisAsksAndJudges) {
  Use("redis");
  const std::string token = tokens_.Token(kIndex);
  const std::string set = Ask(OperationKind::kInsert);
  ASSERT_TRUE(set.starts_with("*5\r\n$3\r\nSET\r\n$43\r\n" + token + "\r\n$64\r\n")) << set;
  const std::string value = set.substr(set.find("$64\r\n") + 5, 64);
  const std::string expires_at_s = std::to_string((tokens_.ExpiresAtMs(kIndex) + 999) / 1000);
  EXPECT_EQ(set.substr(set.find("$64\r\n") + 69),
            "\r\n$4\r\nEXAT\r\n$10\r\n" + expires_at_s + "\r\n");
  ExpectAnswer("+OK\r\n", Result::kRight);
  Ask(OperationKind::kInsert);
  ExpectAnswer("-OOM no memory\r\n", Result::kWrong);

  EXPECT_EQ(Ask(OperationKind::kValidate), "*2\r\n$3\r\nGET\r\n$43\r\n" + token + "\r\n");
  ExpectAnswer("$64\r\n" + value + "\r\n", Result::kRight);
  Ask(OperationKind::kValidate);
  ExpectAnswer("$-1\r\n", Result::kWrong);
  Ask(OperationKind::kValidate);
  ExpectAnswer("$64\r\n" + std::string(64, 'x') + "\r\n", Result::kWrong);
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer("$-1\r\n", Result::kRight);
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer("$64\r\n" + value + "\r\n", Result::kWrong);
}

TEST_F(DriverTest, HttpAsksAndJudges) {
  const auto answer = [](const std::string& status, const std::string& fields,
                         const std::string& body = "") {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           fields + "\r\n" + body;
  };
  const std::string owner = "X-Auth-Owner: " + std::string(tokens_.Owner(kIndex)) + "\r\n";
  Use("http-auth");
  EXPECT_EQ(Ask(OperationKind::kValidate),
            "GET /auth HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " +
                tokens_.Token(kIndex) + "\r\n\r\n");
  ExpectAnswer(answer("200 OK", owner), Result::kRight);
  for (const std::string& wrong : {answer("200 OK", ""), answer("200 OK", "X-Auth-Owner: x\r\n"),
                                   answer("401 No", owner), answer("503 No", "", "loading\n")}) {
    Ask(OperationKind::kValidate);
    ExpectAnswer(wrong, Result::kWrong);
  }
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer(answer("401 Unauthorized", ""), Result::kRight);
  Use("http");
  Ask(OperationKind::kValidate);
  ExpectAnswer(answer("200 OK", "", "a body"), Result::kRight);
}

TEST_F(DriverTest, RedisReplacesDeletesAndForgets) {
  Use("redis", Expectation::kExpired);
  const std::string token = tokens_.Token(kIndex);
  EXPECT_EQ(Ask(OperationKind::kReplace).substr(0, 29),
            "*5\r\n$3\r\nSET\r\n$43\r\n" + token.substr(0, 11));
  ExpectAnswer("+OK\r\n", Result::kRight);
  EXPECT_EQ(Ask(OperationKind::kRevoke), "*2\r\n$3\r\nDEL\r\n$43\r\n" + token + "\r\n");
  ExpectAnswer(":1\r\n", Result::kRight);
  Ask(OperationKind::kRevoke);
  ExpectAnswer(":0\r\n", Result::kWrong);
  Ask(OperationKind::kValidate);
  ExpectAnswer("$-1\r\n", Result::kRight);
  Ask(OperationKind::kValidate);
  ExpectAnswer("$64\r\n" + std::string(64, 'x') + "\r\n", Result::kWrong);
}

TEST_F(DriverTest, MemcachedReplacesDeletesAndForgets) {
  Use("memcached", Expectation::kExpired);
  const std::string token = tokens_.Token(kIndex);
  EXPECT_TRUE(Ask(OperationKind::kReplace).starts_with("ms " + token));
  ExpectAnswer("HD\r\n", Result::kRight);
  EXPECT_EQ(Ask(OperationKind::kRevoke), "md " + token + "\r\n");
  ExpectAnswer("HD\r\n", Result::kRight);
  Ask(OperationKind::kRevoke);
  ExpectAnswer("NF\r\n", Result::kWrong);
  Ask(OperationKind::kValidate);
  ExpectAnswer("EN\r\n", Result::kRight);
  Ask(OperationKind::kValidate);
  ExpectAnswer("VA 64\r\n" + std::string(64, 'x') + "\r\n", Result::kWrong);
}

TEST_F(DriverTest, MemcachedAsksAndJudges) {
  Use("memcached");
  const std::string token = tokens_.Token(kIndex);
  const std::string set = Ask(OperationKind::kInsert);
  const std::string expires_at_s = std::to_string((tokens_.ExpiresAtMs(kIndex) + 999) / 1000);
  ASSERT_TRUE(set.starts_with("ms " + token + " 64 T" + expires_at_s + "\r\n")) << set;
  const std::string value = set.substr(set.find("\r\n") + 2, 64);
  EXPECT_EQ(set.size(), 3u + 43 + 5 + 10 + 2 + 64 + 2);
  ExpectAnswer("HD\r\n", Result::kRight);
  Ask(OperationKind::kInsert);
  ExpectAnswer("SERVER_ERROR out of memory storing object\r\n", Result::kWrong);

  EXPECT_EQ(Ask(OperationKind::kValidate), "mg " + token + " v\r\n");
  ExpectAnswer("VA 64\r\n" + value + "\r\n", Result::kRight);
  Ask(OperationKind::kValidate);
  ExpectAnswer("EN\r\n", Result::kWrong);
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer("EN\r\n", Result::kRight);
}

TEST_F(DriverTest, TokendAsksWhatTheProtocolSays) {
  Use("tokend");
  const std::string request = Ask(OperationKind::kValidate);
  EXPECT_EQ(request.size(), kFloorRequestBytes);
  const Frame frame = ReadFrame(request, {});
  ASSERT_EQ(frame.result, FrameResult::kRequest);
  EXPECT_EQ(frame.size, request.size());
  EXPECT_EQ(frame.msgid, number_);
  EXPECT_EQ(frame.method, "validate");
  TokenParams params;
  ASSERT_TRUE(DecodeToken(frame.params, &params).ok());
  EXPECT_EQ(params.token.token.bytes(), tokens_.Token(kIndex));
}

TEST_F(DriverTest, TokendInsertsTheTokensAsTheyAre) {
  Use("tokend");
  const std::string request = Ask(OperationKind::kInsert, true, 3);
  const Frame frame = ReadFrame(request, {});
  ASSERT_EQ(frame.method, "insert_many");
  std::vector<InsertElement> elements;
  ASSERT_TRUE(DecodeInsertMany(frame.params, {}, &elements).ok());
  ASSERT_EQ(elements.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) {
    const InsertParams& insert = elements[i].insert;
    EXPECT_EQ(insert.token.token.bytes(), tokens_.Token(kIndex + i));
    EXPECT_EQ(insert.owner, tokens_.Owner(kIndex + i));
    EXPECT_EQ(insert.expires_at_ms, tokens_.ExpiresAtMs(kIndex + i));
    EXPECT_EQ(std::vector<std::string>(insert.scopes.begin(), insert.scopes.end()),
              tokens_.Scopes(kIndex + i));
  }
}

TEST_F(DriverTest, TokendReplacesWhatIsThere) {
  Use("tokend");
  for (const uint32_t count : {1u, 3u}) {
    const std::string request = Ask(OperationKind::kReplace, true, count);
    const Frame frame = ReadFrame(request, {});
    std::vector<InsertElement> elements(1);
    if (count == 1) {
      ASSERT_EQ(frame.method, "insert");
      ASSERT_TRUE(DecodeInsert(frame.params, &elements[0].insert).ok());
    } else {
      ASSERT_EQ(frame.method, "insert_many");
      ASSERT_TRUE(DecodeInsertMany(frame.params, {}, &elements).ok());
    }
    ASSERT_EQ(elements.size(), count);
    for (uint32_t i = 0; i < count; ++i) {
      EXPECT_TRUE(elements[i].insert.replace);
      EXPECT_EQ(elements[i].insert.token.token.bytes(), tokens_.Token(kIndex + i));
    }
    ExpectAnswer(Response([&](msgpack_io::Writer* writer) {
                   if (count > 1) writer->ArrayHeader(count);
                   for (uint32_t i = 0; i < count; ++i) writer->Str(IdOf(kIndex + i));
                 }),
                 Result::kRight);
  }
  // A plain insert after it does not.
  InsertParams insert;
  const std::string request = Ask(OperationKind::kInsert);
  ASSERT_TRUE(DecodeInsert(ReadFrame(request, {}).params, &insert).ok());
  EXPECT_FALSE(insert.replace);
}

TEST_F(DriverTest, TokendRevokesWhatWasLive) {
  Use("tokend");
  const std::string request = Ask(OperationKind::kRevoke);
  const Frame frame = ReadFrame(request, {});
  ASSERT_EQ(frame.method, "revoke");
  TokenParams params;
  ASSERT_TRUE(DecodeToken(frame.params, &params).ok());
  EXPECT_EQ(params.token.token.bytes(), tokens_.Token(kIndex));
  ExpectAnswer(Response([](msgpack_io::Writer* writer) { writer->Bool(true); }), Result::kRight);
  Ask(OperationKind::kRevoke);
  ExpectAnswer(Response([](msgpack_io::Writer* writer) { writer->Bool(false); }), Result::kWrong);
}

TEST_F(DriverTest, TokendAsksForManyAtOnce) {
  Use("tokend");
  for (const uint32_t count : {2u, 15u, 16u, 64u}) {
    Window window(1, count);
    Operation* operation = window.Next();
    operation->count = count;
    // Random ones, as they come.
    for (uint32_t i = 0; i < count; ++i) operation->indexes[i] = Mix(9, i) % 1000;
    Output output;
    driver_->AppendRequest(*operation, window.OpenNext(), &output);
    const Frame frame = ReadFrame(output.view(), {});
    ASSERT_EQ(frame.result, FrameResult::kRequest);
    EXPECT_EQ(frame.size, output.view().size());
    EXPECT_EQ(frame.method, "validate_many");
    TokensParams params;
    ASSERT_TRUE(DecodeTokens(frame.params, {}, &params).ok());
    ASSERT_EQ(params.tokens.size(), count);
    for (uint32_t i = 0; i < count; ++i) {
      EXPECT_EQ(params.tokens[i].token.bytes(), tokens_.Token(operation->indexes[i]));
    }
  }
}

TEST_F(DriverTest, TokendBatchIsRightOnlyWithEveryVerdictRight) {
  Use("tokend");
  // The first `right` verdicts are as they should be, the others of a neighbour.
  const auto verdicts = [this](uint32_t right) {
    return Response([this, right](msgpack_io::Writer* writer) {
      writer->ArrayHeader(3);
      for (uint32_t i = 0; i < 3; ++i) WriteValid(kIndex + i + (i < right ? 0 : 1), writer);
    });
  };
  Ask(OperationKind::kValidate, true, 3);
  ExpectAnswer(verdicts(3), Result::kRight);
  for (const uint32_t right : {0u, 2u}) {
    Ask(OperationKind::kValidate, true, 3);
    ExpectAnswer(verdicts(right), Result::kWrong);
  }
  const auto some = [this](uint32_t count, std::string_view reason) {
    return Response([=](msgpack_io::Writer* writer) {
      writer->ArrayHeader(count);
      for (uint32_t i = 0; i < count; ++i) WriteInvalid(reason, writer);
    });
  };
  Ask(OperationKind::kValidate, /*is_stored=*/false, 3);
  ExpectAnswer(some(3, "unknown"), Result::kRight);
  Ask(OperationKind::kValidate, /*is_stored=*/false, 3);
  ExpectAnswer(some(2, "unknown"), Result::kWrong);
  Ask(OperationKind::kValidate, /*is_stored=*/false, 3);
  ExpectAnswer(some(3, "expired"), Result::kWrong);
}

TEST_F(DriverTest, TokendExpiredMayBeForgottenButNotValid) {
  Use("tokend", Expectation::kExpired);
  for (const char* reason : {"expired", "unknown"}) {
    Ask(OperationKind::kValidate);
    ExpectAnswer(Response([&](msgpack_io::Writer* writer) { WriteInvalid(reason, writer); }),
                 Result::kRight);
  }
  // One of each in a batch.
  Ask(OperationKind::kValidate, true, 2);
  ExpectAnswer(Response([&](msgpack_io::Writer* writer) {
                 writer->ArrayHeader(2);
                 WriteInvalid("unknown", writer);
                 WriteInvalid("expired", writer);
               }),
               Result::kRight);
  Ask(OperationKind::kValidate);
  ExpectAnswer(Response([&](msgpack_io::Writer* writer) { WriteInvalid("revoked", writer); }),
               Result::kWrong);
  Ask(OperationKind::kValidate);
  ExpectAnswer(Response([&](msgpack_io::Writer* writer) { WriteValid(kIndex, writer); }),
               Result::kWrong);
  // What nobody stored cannot have expired.
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer(Response([&](msgpack_io::Writer* writer) { WriteInvalid("expired", writer); }),
               Result::kWrong);
}

TEST_F(DriverTest, TokendVerdictIsRightOnlyWithEveryFieldRight) {
  Use("tokend");
  const uint64_t expires = tokens_.ExpiresAtMs(kIndex);
  const std::string owner(tokens_.Owner(kIndex));
  const std::string scopes(tokens_.ScopesEncoded(kIndex));
  Ask(OperationKind::kValidate);
  ExpectAnswer(ValidResponse(expires, owner, scopes), Result::kRight);
  Ask(OperationKind::kValidate);
  ExpectAnswer(ValidResponse(expires + 1, owner, scopes), Result::kWrong);
  Ask(OperationKind::kValidate);
  ExpectAnswer(ValidResponse(expires, owner + "x", scopes), Result::kWrong);
  Ask(OperationKind::kValidate);
  ExpectAnswer(ValidResponse(expires, owner, "\x91\xa5other"), Result::kWrong);
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer(ValidResponse(expires, owner, scopes), Result::kWrong);
}

TEST_F(DriverTest, TokendVerdictInLongEncodingsIsRightToo) {
  Use("tokend");
  Ask(OperationKind::kValidate);
  std::string bytes = Response([&](msgpack_io::Writer* writer) {
    writer->ArrayHeader(4);
    writer->Bool(true);
    writer->Uint(tokens_.ExpiresAtMs(kIndex));
    const std::string_view owner = tokens_.Owner(kIndex);
    // str 8, which the shortest encoding would not use.
    writer->Raw(std::string("\xd9") + static_cast<char>(owner.size()) + std::string(owner));
    writer->Raw(tokens_.ScopesEncoded(kIndex));
  });
  ExpectAnswer(bytes, Result::kRight);
}

TEST_F(DriverTest, TokendMissIsUnknownAndNothingElse) {
  Use("tokend");
  const auto invalid = [](const char* reason) {
    return [reason](msgpack_io::Writer* writer) { WriteInvalid(reason, writer); };
  };
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer(Response(invalid("unknown")), Result::kRight);
  Ask(OperationKind::kValidate, /*is_stored=*/false);
  ExpectAnswer(Response(invalid("revoked")), Result::kWrong);
  Ask(OperationKind::kValidate, /*is_stored=*/true);
  ExpectAnswer(Response(invalid("unknown")), Result::kWrong);
  Ask(OperationKind::kValidate);
  std::string error;
  msgpack_io::Writer writer(&error);
  WriteErrorResponse(number_, {ErrorCode::kUnavailable, "loading"}, &writer);
  ExpectAnswer(error, Result::kWrong);
}

TEST_F(DriverTest, TokendInsertIsRightWithTheIdsOfItsTokens) {
  Use("tokend");
  const auto ids = [this](uint64_t second) {
    return Response([this, second](msgpack_io::Writer* writer) {
      writer->ArrayHeader(2);
      writer->Str(IdOf(kIndex));
      writer->Str(IdOf(second));
    });
  };
  Ask(OperationKind::kInsert, true, 2);
  ExpectAnswer(ids(kIndex + 1), Result::kRight);
  Ask(OperationKind::kInsert, true, 2);
  ExpectAnswer(ids(kIndex + 2), Result::kWrong);
  Ask(OperationKind::kInsert, true, 1);
  ExpectAnswer(Response([this](msgpack_io::Writer* writer) { writer->Str(IdOf(kIndex)); }),
               Result::kRight);
}

TEST_F(DriverTest, TokendAnswersMayComeInAnyOrderButOnlyOnce) {
  Use("tokend");
  Ask(OperationKind::kValidate);
  const std::string first = ValidResponse(tokens_.ExpiresAtMs(kIndex), tokens_.Owner(kIndex),
                                          tokens_.ScopesEncoded(kIndex));
  Ask(OperationKind::kValidate);
  const std::string second = ValidResponse(tokens_.ExpiresAtMs(kIndex), tokens_.Owner(kIndex),
                                           tokens_.ScopesEncoded(kIndex));
  EXPECT_EQ(driver_->Take(second, &window_).result, Result::kRight);
  EXPECT_EQ(driver_->Take(second, &window_).result, Result::kBroken);
  EXPECT_EQ(driver_->Take(first, &window_).result, Result::kRight);
}

TEST_F(DriverTest, FloorAnswersAsItIsMeantTo) {
  Use("floor");
  const std::string request = Ask(OperationKind::kValidate);
  ASSERT_EQ(request.size(), kFloorRequestBytes);
  std::string answer(kFloorAnswer, kFloorAnswerBytes);
  answer.replace(kFloorMsgidOffset, kFloorMsgidBytes, request, kFloorMsgidOffset, kFloorMsgidBytes);
  ASSERT_EQ(ReadResponseFrame(answer, {}).result, ResponseResult::kResponse);
  ExpectAnswer(answer, Result::kRight);
  Ask(OperationKind::kValidate);
  answer[kFloorMsgidOffset + kFloorMsgidBytes - 1] = static_cast<char>(number_);
  answer.back() = 'x';
  ExpectAnswer(answer, Result::kWrong);
}

TEST(WindowTest, HasRoomUpToItsDepth) {
  for (const size_t depth : {size_t{1}, size_t{3}, size_t{4}, size_t{100}}) {
    Window window(depth);
    for (size_t i = 0; i < depth; ++i) {
      ASSERT_TRUE(window.HasRoom());
      window.OpenNext();
    }
    EXPECT_FALSE(window.HasRoom());
    window.Close(window.Oldest());
    EXPECT_TRUE(window.HasRoom());
  }
}

// Answers that overtake the oldest make room only as far as the numbers stay apart.
TEST(WindowTest, WaitsForTheOldest) {
  Window window(4);
  const uint32_t oldest = window.OpenNext();
  for (int i = 0; i < 3; ++i) window.Close(window.Find(window.OpenNext()));
  EXPECT_EQ(window.open(), 1u);
  EXPECT_FALSE(window.HasRoom());
  EXPECT_NE(window.Find(oldest), nullptr);
  window.Close(window.Find(oldest));
  EXPECT_TRUE(window.HasRoom());
}

TEST(WindowTest, KeepsEachBatchApart) {
  Window window(3, 2);
  for (uint64_t i = 0; i < 3; ++i) {
    window.Next()->indexes[0] = 2 * i;
    window.Next()->indexes[1] = 2 * i + 1;
    window.OpenNext();
  }
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(window.Find(i)->indexes[0], 2 * i);
    EXPECT_EQ(window.Find(i)->indexes[1], 2 * i + 1);
  }
}

TEST(WindowTest, ForgetsWhatWasAnsweredAndWhatIsLongPast) {
  Window window(2);
  const uint32_t first = window.OpenNext();
  const uint32_t second = window.OpenNext();
  EXPECT_EQ(window.open(), 2u);
  EXPECT_FALSE(window.HasRoom());
  EXPECT_EQ(window.Oldest(), window.Find(first));
  window.Close(window.Find(first));
  EXPECT_EQ(window.Find(first), nullptr);
  EXPECT_EQ(window.Oldest(), window.Find(second));
  const uint32_t third = window.OpenNext();
  EXPECT_EQ(window.Find(first), nullptr) << "its place is another's now";
  EXPECT_NE(window.Find(third), nullptr);
  EXPECT_EQ(window.Find(third + 1), nullptr) << "never sent";
}

}  // namespace
}  // namespace tokend::bench
