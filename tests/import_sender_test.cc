// Rows on their way to the server: batches, the window, retries; against a server that is told what
// to say.
#include "client/tokenctl/import_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "protocol/params.h"
#include "tests/encoded.h"
#include "tests/fake_tokend.h"

namespace tokend::tokenctl {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;
using namespace tokend::testing;
using namespace std::chrono_literals;

std::string Totals(uint64_t taken) {
  return Map(
      {{"taken", Uint(taken)}, {"replaced", Int(1)}, {"unchanged", Int(2)}, {"refused", Int(3)}});
}

// A server that takes imports and keeps what came. `on_rows` answers an import_rows, or nothing to
// have it taken.
struct ImportServer {
  using OnRows = std::function<bool(FakePeer&, const FakePeer::Request&)>;
  OnRows on_rows = {};

  std::vector<std::string> begun = {};  // params as JSON
  std::vector<std::string> ended = {};  // import ids
  std::vector<size_t> batch_rows = {};  // in the order they were taken
  std::vector<size_t> batch_bytes = {};
  std::map<std::string, std::vector<std::string>> owners = {};  // by import id

  void operator()(FakePeer& peer) {
    while (auto request = peer.Read()) {
      if (request->method == "import_begin") {
        begun.push_back(client::MsgpackToJson(request->params));
        std::string id = "import-" + std::to_string(begun.size());
        peer.Answer(request->msgid, [&](auto& out) { out.Str(id); });
      } else if (request->method == "import_rows") {
        if (!on_rows || !on_rows(peer, *request)) Take(peer, *request);
      } else {
        std::string_view id;
        if (!DecodeImportEnd(request->params, &id).ok()) throw std::logic_error("import_end");
        ended.emplace_back(id);
        peer.Answer(request->msgid,
                    [&](auto& out) { out.Raw(Totals(owners[std::string(id)].size())); });
      }
    }
  }

  void Take(FakePeer& peer, const FakePeer::Request& request) {
    ImportRowsParams params;
    if (!DecodeImportRows(request.params, RpcLimits(), &params).ok()) {
      throw std::logic_error("import_rows");
    }
    batch_rows.push_back(params.rows.size());
    batch_bytes.push_back(request.params.size());
    for (const ImportRowElement& element : params.rows) {
      owners[std::string(params.import_id)].emplace_back(element.row.owner.value_or("-"));
    }
    peer.Answer(request.msgid, [&](auto& out) { out.Raw(Totals(params.rows.size())); });
  }
};

TableInfo MakeTable(size_t index, const std::string& name) {
  TableInfo table;
  table.index = index;
  table.database = "portal";
  table.name = name;
  table.namespace_name = name;
  return table;
}

ImportRow MakeRow(std::string_view owner) {
  ImportRow row;
  row.token.is_key = true;
  row.token.key.bytes.fill(0x11);
  row.owner = owner;
  return row;
}

class ImportSenderTest : public ::testing::Test {
 protected:
  std::optional<BinlogPosition> position_;
  // Sends this many rows of one table; after each, looks at the client.
  Status SendRows(ImportServer* server, const ImportSenderOptions& options, size_t rows,
                  const std::string& owner, std::optional<client::Error>* error = nullptr) {
    FakeTokend fake(std::ref(*server));
    Status status = [&] {
      client::Client client = *client::Client::Connect(fake.address());
      ImportSender sender(&client, options);
      TableInfo table = MakeTable(0, "t");
      Status sent = sender.BeginTable(table);
      for (size_t i = 0; i < rows && sent.ok(); ++i) {
        sent = sender.Row(table, MakeRow(owner), {});
        in_flight_max_ = std::max(in_flight_max_, client.in_flight());
      }
      if (sent.ok()) sent = sender.Finish(position_);
      if (error != nullptr) *error = sender.error();
      totals_ = sender.totals(0);
      return sent;
    }();
    fake.Join();
    return status;
  }

  size_t in_flight_max_ = 0;
  std::optional<client::ImportTotals> totals_;
};

TEST_F(ImportSenderTest, CutsBatchesByRows) {
  ImportServer server;
  ImportSenderOptions options;
  options.batch_rows_max = 10;
  ASSERT_TRUE(SendRows(&server, options, 35, "alice").ok());
  EXPECT_THAT(server.batch_rows, ElementsAre(10, 10, 10, 5));
  EXPECT_EQ(server.owners["import-1"], std::vector<std::string>(35, "alice"));
  EXPECT_THAT(server.ended, ElementsAre("import-1"));
  ASSERT_TRUE(totals_);
  EXPECT_EQ(totals_->taken, 35u);
  EXPECT_EQ(totals_->replaced, 1u);
  EXPECT_EQ(totals_->unchanged, 2u);
  EXPECT_EQ(totals_->refused, 3u);
}

TEST_F(ImportSenderTest, CutsBatchesByBytes) {
  ImportServer server;
  ImportSenderOptions options;
  options.batch_bytes_max = 10000;
  ASSERT_TRUE(SendRows(&server, options, 100, std::string(1000, 'o')).ok());
  server.batch_bytes.pop_back();
  EXPECT_THAT(server.batch_bytes, Each(Ge(10000u)));
  EXPECT_THAT(server.batch_bytes, Each(Le(11200u)));  // one row more at the most
  EXPECT_EQ(server.owners["import-1"].size(), 100u);
}

TEST_F(ImportSenderTest, KeepsAWindowOfBatchesUnderWay) {
  ImportServer server;
  // Answers nothing before a whole window is there; without one the test would time out.
  std::vector<FakePeer::Request> held;
  server.on_rows = [&](FakePeer& peer, const FakePeer::Request& request) {
    held.push_back(request);
    if (held.size() < 4) return true;
    for (const FakePeer::Request& one : std::exchange(held, {})) server.Take(peer, one);
    return true;
  };
  ImportSenderOptions options;
  options.batch_rows_max = 1;
  options.window = 4;
  ASSERT_TRUE(SendRows(&server, options, 40, "alice").ok());
  EXPECT_EQ(server.batch_rows.size(), 40u);
  EXPECT_EQ(in_flight_max_, 4u);
}

TEST_F(ImportSenderTest, AsksABusyServerAgain) {
  ImportServer server;
  int refused = 0;
  server.on_rows = [&](FakePeer& peer, const FakePeer::Request& request) {
    if (++refused > 5) return false;
    peer.AnswerError(request.msgid, ErrorCode::kBusy, "the queue is full");
    return true;
  };
  ImportSenderOptions options;
  options.batch_rows_max = 10;
  options.busy_pause = 1ms;
  ASSERT_TRUE(SendRows(&server, options, 35, "alice").ok());
  EXPECT_EQ(server.owners["import-1"].size(), 35u);
}

TEST_F(ImportSenderTest, GivesUpOnAServerThatStaysBusy) {
  ImportServer server;
  server.on_rows = [](FakePeer& peer, const FakePeer::Request& request) {
    peer.AnswerError(request.msgid, ErrorCode::kBusy, "the queue is full");
    return true;
  };
  ImportSenderOptions options;
  options.busy_pause = 1ms;
  options.busy_max = 5ms;
  std::optional<client::Error> error;
  EXPECT_FALSE(SendRows(&server, options, 3, "alice", &error).ok());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "busy");
  EXPECT_THAT(server.ended, ElementsAre());
  EXPECT_FALSE(totals_);
}

TEST_F(ImportSenderTest, AnErrorOfTheServerStopsTheImport) {
  ImportServer server;
  server.on_rows = [](FakePeer& peer, const FakePeer::Request& request) {
    peer.AnswerError(request.msgid, ErrorCode::kMemoryLimit, "memory is full");
    return true;
  };
  ImportSenderOptions options;
  options.batch_rows_max = 1;
  options.window = 2;
  std::optional<client::Error> error;
  EXPECT_FALSE(SendRows(&server, options, 1000, "alice", &error).ok());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->source, client::Error::Source::kServer);
  EXPECT_EQ(error->code, "memory_limit");
  EXPECT_FALSE(totals_);
}

TEST_F(ImportSenderTest, ALostConnectionStopsTheImport) {
  ImportServer server;
  server.on_rows = [](FakePeer& peer, const FakePeer::Request&) {
    peer.Close();
    return true;
  };
  std::optional<client::Error> error;
  EXPECT_FALSE(SendRows(&server, ImportSenderOptions(), 10, "alice", &error).ok());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->source, client::Error::Source::kTransport);
}

TEST_F(ImportSenderTest, EachTableIsAnImportOfItsOwn) {
  ImportServer server;
  FakeTokend fake(std::ref(server));
  {
    client::Client client = *client::Client::Connect(fake.address());
    ImportSender sender(&client, ImportSenderOptions());
    TableInfo users = MakeTable(0, "users"), keys = MakeTable(2, "keys");
    keys.scheme = DigestScheme::kSha256AfterBar;
    ASSERT_TRUE(sender.BeginTable(users).ok());
    ASSERT_TRUE(sender.Row(users, MakeRow("u1"), {}).ok());
    ASSERT_TRUE(sender.BeginTable(keys).ok());
    ASSERT_TRUE(sender.Row(keys, MakeRow("k1"), {}).ok());
    ASSERT_TRUE(sender.Row(users, MakeRow("u2"), {}).ok());
    ASSERT_TRUE(sender.Finish(position_).ok());
    EXPECT_EQ(sender.totals(0)->taken, 2u);
    EXPECT_FALSE(sender.totals(1));
    EXPECT_EQ(sender.totals(2)->taken, 1u);
    EXPECT_FALSE(sender.totals(3));
  }
  fake.Join();
  EXPECT_THAT(
      server.begun,
      ElementsAre(R"([{"namespace":"users","scheme":"sha256","source":"portal.users"}])",
                  R"([{"namespace":"keys","scheme":"sha256-after-bar","source":"portal.keys"}])"));
  EXPECT_THAT(server.owners["import-1"], ElementsAre("u1", "u2"));
  EXPECT_THAT(server.owners["import-2"], ElementsAre("k1"));
  EXPECT_THAT(server.ended, ElementsAre("import-1", "import-2"));
}

TEST_F(ImportSenderTest, ARowArrivesAsItIs) {
  ImportRow row = MakeRow("alice");
  row.name = "laptop";
  row.scopes = {"read", "write"};
  row.expires_at_ms = 10;
  row.revoked = true;
  row.created_at_ms = 1;
  row.updated_at_ms = 2;
  row.last_used_at_ms = 3;
  row.use_count = 4;
  row.source_id = "17";
  std::string attributes = Map({{"team", Str("core")}});
  row.attributes = attributes;
  std::string seen;
  ImportServer server;
  server.on_rows = [&](FakePeer&, const FakePeer::Request& request) {
    seen = request.params;
    return false;
  };
  FakeTokend fake(std::ref(server));
  {
    client::Client client = *client::Client::Connect(fake.address());
    ImportSender sender(&client, ImportSenderOptions());
    TableInfo table = MakeTable(0, "t");
    ASSERT_TRUE(sender.BeginTable(table).ok());
    ASSERT_TRUE(sender.Row(table, row, {}).ok());
    ASSERT_TRUE(sender.Row(table, MakeRow("bob"), {}).ok());  // everything else left out
    ASSERT_TRUE(sender.Finish(position_).ok());
  }
  fake.Join();
  std::string expected;
  msgpack_io::Writer writer(&expected);
  EncodeImportRows("import-1", {row, MakeRow("bob")}, &writer);
  EXPECT_EQ(client::MsgpackToJson(seen), client::MsgpackToJson(expected));
  EXPECT_EQ(seen, expected);
}

TEST_F(ImportSenderTest, StoresAPositionBehindTheRows) {
  ImportServer server;
  position_ = BinlogPosition{"binlog.000007", 154, "0-1-2", false};
  ASSERT_TRUE(SendRows(&server, {}, 3, "o").ok());
  ASSERT_EQ(server.begun.size(), 2u);
  EXPECT_EQ(server.begun[0].find("position"), std::string::npos);
  EXPECT_THAT(server.begun[1],
              ::testing::HasSubstr(R"("position":{"file":"binlog.000007","offset":154,)"
                                   R"("gtid":"0-1-2","upstream":false})"));
  EXPECT_THAT(server.ended, ElementsAre("import-1", "import-2"));
  EXPECT_EQ(totals_->taken, 3u);
}

}  // namespace
}  // namespace tokend::tokenctl
