// What tests of the client library share: a client of a fake server, and what one call asks and
// gets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <regex>
#include <stdexcept>
#include <string>

#include "client/client.h"
#include "tests/encoded.h"
#include "tests/fake_tokend.h"

namespace tokend::client {

inline constexpr char kId[] = "9f86d081884c7d659a2feaa0";

inline Client MustConnect(const FakeTokend& server, const ClientOptions& options = {}) {
  Result<Client> client = Client::Connect(server.address(), options);
  if (!client) throw std::runtime_error(client.error().message);
  return *std::move(client);
}

// Reads requests until the client goes and throws them away.
inline void ReadAll(FakePeer& peer) {
  while (peer.Read()) {
  }
}

// Params as JSON, with what is binary (tokens are) as the text that it is.
inline std::string Shown(std::string_view params) {
  static const std::regex kBinary(R"re(\{"hex":"([0-9a-f]*)"\})re");
  std::string json = MsgpackToJson(params), shown;
  std::smatch match;
  while (std::regex_search(json, match, kBinary)) {
    shown += match.prefix().str() + "'" + testing::Hex(match[1].str()) + "'";
    json = match.suffix();
  }
  return shown + json;
}

// One call, and what the server saw and answered.
struct Asked {
  std::string method;
  std::string params;  // Shown
};

template <class Call>
auto Ask(const std::string& encoded_result, Asked* asked, Call call) {
  FakeTokend server([&](FakePeer& peer) {
    while (auto request = peer.Read()) {
      *asked = {request->method, Shown(request->params)};
      peer.Answer(request->msgid, [&](msgpack_io::Writer& out) { out.Raw(encoded_result); });
    }
  });
  auto result = [&] {
    Client client = MustConnect(server);
    return call(client);
  }();
  server.Join();
  return result;
}

// A record with every field, and one that this version does not know.
inline std::string EncodedRecord() {
  using namespace tokend::testing;
  return Map({{"id", Str(kId)},
              {"source_id", Str("17")},
              {"namespace", Str("portal")},
              {"owner", Str("alice")},
              {"name", Nil()},
              {"scopes", Arr({Str("read")})},
              {"created_at", Int(1)},
              {"updated_at", Int(2)},
              {"expires_at", Nil()},
              {"last_used_at", Int(4)},
              {"use_count", Int(5)},
              {"state", Str("active")},
              {"generation", Int(6)},
              {"attributes", Map({{"team", Str("core")}})},
              {"of_a_later_version", Arr({Int(1)})}});
}

inline void ExpectRecord(const TokenInfo& record) {
  EXPECT_EQ(record.id, kId);
  EXPECT_EQ(record.source_id, "17");
  EXPECT_EQ(record.namespace_name, "portal");
  EXPECT_EQ(record.owner, "alice");
  EXPECT_EQ(record.name, std::nullopt);
  EXPECT_THAT(record.scopes, ::testing::ElementsAre("read"));
  EXPECT_EQ(record.created_at_ms, 1u);
  EXPECT_EQ(record.updated_at_ms, 2u);
  EXPECT_EQ(record.expires_at_ms, std::nullopt);
  EXPECT_EQ(record.last_used_at_ms, 4u);
  EXPECT_EQ(record.use_count, 5u);
  EXPECT_EQ(record.state, "active");
  EXPECT_EQ(record.generation, 6u);
  EXPECT_EQ(MsgpackToJson(record.attributes), R"({"team":"core"})");
}

}  // namespace tokend::client
