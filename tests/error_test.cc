#include "protocol/error.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tokend {
namespace {

// The names of docs/protocol.md. They are on the wire: a change here is a change of the protocol.
TEST(ErrorCodeTest, NamesNeverChange) {
  const std::pair<ErrorCode, std::string_view> kNames[] = {
      {ErrorCode::kOk, "ok"},
      {ErrorCode::kBadParams, "bad_params"},
      {ErrorCode::kUnknownMethod, "unknown_method"},
      {ErrorCode::kUnknownNamespace, "unknown_namespace"},
      {ErrorCode::kExists, "exists"},
      {ErrorCode::kRevoked, "revoked"},
      {ErrorCode::kTooLarge, "too_large"},
      {ErrorCode::kBusy, "busy"},
      {ErrorCode::kMemoryLimit, "memory_limit"},
      {ErrorCode::kReadOnly, "read_only"},
      {ErrorCode::kNotDurable, "not_durable"},
      {ErrorCode::kUnavailable, "unavailable"},
      {ErrorCode::kUnauthenticated, "unauthenticated"},
      {ErrorCode::kForbidden, "forbidden"},
      {ErrorCode::kProtocolError, "protocol_error"},
      {ErrorCode::kInternal, "internal"},
  };
  for (const auto& [code, name] : kNames) EXPECT_EQ(ErrorCodeName(code), name);
}

TEST(StatusTest, IsOkUntilItCarriesAnError) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(Status::Ok().ok());
  const Status busy(ErrorCode::kBusy, "queue: full");
  EXPECT_FALSE(busy.ok());
  EXPECT_EQ(busy.code(), ErrorCode::kBusy);
  EXPECT_EQ(busy.message(), "queue: full");
}

TEST(QuoteNameTest, ShowsNamesAndMeasuresTheRest) {
  EXPECT_EQ(QuoteName("expire_at"), "\"expire_at\"");
  EXPECT_EQ(QuoteName(""), "\"\"");
  EXPECT_EQ(QuoteName("AZaz09_-.:/"), "\"AZaz09_-.:/\"");
  EXPECT_EQ(QuoteName(std::string(31, 'x')), "\"" + std::string(31, 'x') + "\"");
  EXPECT_EQ(QuoteName(std::string(32, 'x')), "(32 bytes)");
  for (const char* name : {"a b", "a\nb", "a\"b", "Zo\xc3\xab", "\xff", "a|b", "{}", "\x7f"}) {
    EXPECT_EQ(QuoteName(name), "(" + std::to_string(std::string(name).size()) + " bytes)");
  }
}

TEST(QuoteNameTest, NeverShowsAnIssuedToken) {
  EXPECT_EQ(QuoteName("tk_000000000000000000000000000000000000"), "(39 bytes)");
  EXPECT_EQ(QuoteName("t_000000000000000000000000000000000000"), "(38 bytes)");
}

}  // namespace
}  // namespace tokend
