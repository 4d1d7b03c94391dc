#include "protocol/record.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/encoded.h"

namespace tokend {
namespace {

using testing::Arr;
using testing::Int;
using testing::Map;
using testing::Nil;
using testing::Str;
using testing::Uint;

std::string Encoded(const Record& record, uint64_t now_ms) {
  std::string bytes;
  msgpack_io::Writer writer(&bytes);
  EncodeRecord(record, now_ms, &writer);
  return bytes;
}

TEST(RecordTest, HasAllItsKeysInTheirOrder) {
  Record record;
  for (size_t i = 0; i < kTokenKeyBytes; ++i) record.key.bytes[i] = static_cast<uint8_t>(0xa0 + i);
  record.namespace_name = "prod";
  record.source_id = "4711";
  record.owner = "";
  record.name = "CI";
  record.scopes = {"write", "read"};
  record.created_at_ms = 1000;
  record.updated_at_ms = 2000;
  record.expires_at_ms = kTimeMsMax;
  record.last_used_at_ms = 0;
  record.use_count = 70000;
  record.generation = 3;
  record.attributes = Map({{"team", Str("a")}});
  EXPECT_EQ(Encoded(record, 3000), Map({{"id", Str("a0a1a2a3a4a5a6a7a8a9aaab")},
                                        {"source_id", Str("4711")},
                                        {"namespace", Str("prod")},
                                        {"owner", Str("")},
                                        {"name", Str("CI")},
                                        {"scopes", Arr({Str("write"), Str("read")})},
                                        {"created_at", Int(1000)},
                                        {"updated_at", Int(2000)},
                                        {"expires_at", Uint(kTimeMsMax)},
                                        {"last_used_at", Int(0)},
                                        {"use_count", Int(70000)},
                                        {"state", Str("active")},
                                        {"generation", Int(3)},
                                        {"attributes", Map({{"team", Str("a")}})}}));
}

TEST(RecordTest, WhatIsMissingIsNil) {
  Record record;
  record.namespace_name = "default";
  EXPECT_EQ(Encoded(record, 0), Map({{"id", Str("000000000000000000000000")},
                                     {"source_id", Nil()},
                                     {"namespace", Str("default")},
                                     {"owner", Nil()},
                                     {"name", Nil()},
                                     {"scopes", Arr({})},
                                     {"created_at", Int(0)},
                                     {"updated_at", Int(0)},
                                     {"expires_at", Nil()},
                                     {"last_used_at", Nil()},
                                     {"use_count", Int(0)},
                                     {"state", Str("active")},
                                     {"generation", Int(1)},
                                     {"attributes", Nil()}}));
}

TEST(RecordTest, IsLiveWhileNowIsBeforeItsExpiry) {
  Record record;
  record.expires_at_ms = 1000;
  EXPECT_EQ(record.StateAt(999), TokenState::kActive);
  EXPECT_EQ(record.StateAt(1000), TokenState::kExpired);
  EXPECT_EQ(record.StateAt(1001), TokenState::kExpired);
  record.expires_at_ms = kNever;
  EXPECT_EQ(record.StateAt(kTimeMsMax), TokenState::kActive);
}

TEST(RecordTest, RevokedWinsOverExpired) {
  Record record;
  record.expires_at_ms = 1000;
  record.revoked = true;
  EXPECT_EQ(record.StateAt(999), TokenState::kRevoked);
  EXPECT_EQ(record.StateAt(1000), TokenState::kRevoked);
}

TEST(TokenStateTest, NamesNeverChange) {
  EXPECT_EQ(TokenStateName(TokenState::kActive), "active");
  EXPECT_EQ(TokenStateName(TokenState::kExpired), "expired");
  EXPECT_EQ(TokenStateName(TokenState::kRevoked), "revoked");
  EXPECT_EQ(ParseTokenState("active"), TokenState::kActive);
  EXPECT_EQ(ParseTokenState("expired"), TokenState::kExpired);
  EXPECT_EQ(ParseTokenState("revoked"), TokenState::kRevoked);
  for (const char* name : {"", "Active", "live", "unknown", "active "}) {
    EXPECT_FALSE(ParseTokenState(name)) << name;
  }
}

}  // namespace
}  // namespace tokend
