// The audit log: a line for each change, in one batch with it, and in the file once, whatever
// happens to the process, to the power or to the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "protocol/audit_line.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/null_store_listener.h"
#include "tests/support/store_fixture.h"
#include "tests/support/stored_rows.h"
#include "tests/test_seed.h"

namespace tokend {
namespace {

using nlohmann::json;
using rocksdb::IOStatus;
using testing::FaultFileSystem;
using Operation = FaultFileSystem::Operation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class StoreAuditTest : public StoreFixture {
 protected:
  StoreAuditTest()
      : files_(std::make_shared<FaultFileSystem>()), env_(rocksdb::NewCompositeEnv(files_)) {}
  ~StoreAuditTest() override { CloseStore(); }  // before its files

  StoreOptions Options() override {
    StoreOptions options = StoreFixture::Options();
    options.env = env_.get();
    options.durability = Durability::kSync;
    options.listener = &listener_;
    if (audits_) options.audit_file = path_;
    return options;
  }

  // One that its caller's file, connection and way tell of.
  template <typename Op>
  Outcome DoAs(Op op, std::vector<std::string> owners = {}) {
    Mutation mutation;
    mutation.namespace_name = kNs;
    mutation.op = std::move(op);
    mutation.owners = std::move(owners);
    mutation.origin = std::make_shared<Origin>(Origin{"billing", "10.0.0.7:41522", "rpc"});
    Outcome outcome;
    const Status status = store_->SubmitAndWait(std::move(mutation), &outcome);
    if (outcome.status.ok() && !status.ok()) outcome.status = status;
    return outcome;
  }

  static std::string Text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Whole lines, each of which is JSON and follows on the one before it.
  static void CheckChain(const std::string& text, AuditHead* head) {
    ASSERT_TRUE(text.empty() || text.back() == '\n');
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      const auto link = ReadAuditLink(line);
      ASSERT_TRUE(link) << line;
      ASSERT_TRUE(json::accept(line)) << line;
      EXPECT_EQ(link->seq, head->seq + 1);
      EXPECT_EQ(link->prev, head->hash) << line;
      *head = HeadOf(link->seq, line);
    }
  }
  // What a start notes is committed as well.
  void Settle() {
    store_->Maintain();
    store_->WaitUntilAudited();
  }
  std::vector<json> Lines(AuditHead head = {}) {
    Settle();
    const std::string text = Text(path_);
    CheckChain(text, &head);
    EXPECT_EQ(head, store_->stats().audit.head);
    return Parse(text);
  }
  static std::vector<json> Parse(const std::string& text) {
    std::vector<json> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
    return lines;
  }
  // Without what each line has, as "op result".
  static std::vector<std::string> Short(const std::vector<json>& lines) {
    std::vector<std::string> out;
    for (const json& line : lines) {
      out.push_back(line["op"].get<std::string>() + " " + line["result"].get<std::string>());
    }
    return out;
  }
  // In the data: lines that are not known to be in the file.
  size_t RowsWaiting() {
    CloseStore();
    size_t count = 0;
    for (const auto& [key, value] : ReadRows(dir_.path() + "/data", Database::kMeta)) {
      if (key.starts_with("audit/")) ++count;
    }
    OpenStore();
    return count;
  }

  struct Listener : NullStoreListener {
    void OnAuditFailed(const std::string& reason) override { failed = reason; }
    void OnAuditWritten() override { written = true; }
    void OnAuditDoubtful(const std::string&, const std::string& what) override { doubt = what; }
    std::string failed, doubt;
    std::atomic<bool> written{false};
  };

  std::shared_ptr<FaultFileSystem> files_;
  std::unique_ptr<rocksdb::Env> env_;
  Listener listener_;
  const std::string path_ = dir_.path() + "/audit.jsonl";
  bool audits_ = true;
};

TEST_F(StoreAuditTest, EachChangeIsALine) {
  Insert("a", {.owner = "bob", .expires_at_ms = ManualClock::kStartMs + 60000});
  Insert("a");
  Insert("a", {.owner = "bob", .replace = true});
  Do(ExtendMutation{Key("a"), ManualClock::kStartMs + 90000});
  UpdateMutation update;
  update.id = TokenId::Of(Key("a"));
  update.scopes = std::vector<std::string>{"read"};
  Do(update);
  RotateMutation rotate;
  rotate.old_key = Key("a");
  rotate.new_key = Key("b");
  rotate.overlap_ms = 1000;
  Do(rotate);
  Revoke("b");
  Revoke("b");
  Revoke("never seen");
  Do(RevokeIdMutation{TokenId::Of(Key("a"))});
  Do(RevokeIdMutation{TokenId::Of(Key("never seen"))});
  RevokeOwner("bob");
  Do(PurgeExpiredMutation{ManualClock::kStartMs});
  Do(CreateNamespaceMutation{DigestScheme::kSha256}, "other");
  Do(CreateNamespaceMutation{DigestScheme::kSha256}, "other");  // is there
  Do(AcceptClockMutation{}, "");

  const std::vector<json> lines = Lines();
  EXPECT_THAT(Short(lines),
              ElementsAre("create_namespace ok", "insert ok", "insert exists", "insert ok",
                          "extend ok", "update ok", "rotate ok", "revoke ok", "revoke not_live",
                          "revoke unknown", "revoke_id ok", "revoke_id unknown", "revoke_owner ok",
                          "purge_expired ok", "create_namespace ok", "clock_accept ok"));
  json insert = lines[1];
  EXPECT_EQ(insert["prev"].get<std::string>().size(), 64u);
  insert.erase("prev");
  const std::string id = ToHex(TokenId::Of(Key("a")));
  // printf %s a | sha256sum
  EXPECT_EQ(insert, json({{"seq", 2},
                          {"at", "2027-01-15T08:00:00.000Z"},
                          {"caller", nullptr},
                          {"from", nullptr},
                          {"via", "internal"},
                          {"op", "insert"},
                          {"namespace", "default"},
                          {"id", "ca978112ca1bbdcafac231b3"},
                          {"key", "9a23dc4d"},
                          {"owner", "bob"},
                          {"expires_at", "2027-01-15T08:01:00.000Z"},
                          {"result", "ok"}}));
  EXPECT_FALSE(lines[2].contains("expires_at"));
  EXPECT_EQ(lines[3]["replace"], true);
  EXPECT_EQ(lines[3]["expires_at"], nullptr);
  EXPECT_EQ(lines[4]["expires_at"], "2027-01-15T08:01:30.000Z");
  EXPECT_EQ(lines[5]["scopes_changed"], true);
  EXPECT_EQ(lines[5]["id"], id);
  EXPECT_FALSE(lines[5].contains("name_changed"));
  EXPECT_EQ(lines[6]["id"], id);
  EXPECT_EQ(lines[6]["new_id"], ToHex(TokenId::Of(Key("b"))));
  EXPECT_EQ(lines[6]["overlap_ms"], 1000);
  EXPECT_EQ(lines[10]["key"], "9a23dc4d");  // found by its id
  EXPECT_FALSE(lines[11].contains("key"));
  EXPECT_EQ(lines[12]["owner"], "bob");
  EXPECT_EQ(lines[14]["namespace"], "other");
  EXPECT_FALSE(lines[15].contains("namespace"));
}

TEST_F(StoreAuditTest, WhoAskedIsInTheLine) {
  DoAs(MakeInsert("a", {.owner = "bob"}));
  const json line = Lines().back();
  EXPECT_EQ(line["caller"], "billing");
  EXPECT_EQ(line["from"], "10.0.0.7:41522");
  EXPECT_EQ(line["via"], "rpc");
}

TEST_F(StoreAuditTest, AnotherOwnersTokenIsForbidden) {
  Insert("a", {.owner = "bob"});
  EXPECT_FALSE(DoAs(RevokeMutation{Key("a")}, {"alice"}).was_live);
  DoAs(ExtendMutation{Key("a"), 1}, {"alice"});
  DoAs(MakeInsert("a", {.owner = "alice", .replace = true}), {"alice"});
  DoAs(RevokeMutation{Key("a")}, {"alice", "bob"});
  EXPECT_THAT(Short(Lines()), ElementsAre("create_namespace ok", "insert ok", "revoke forbidden",
                                          "extend forbidden", "insert forbidden", "revoke ok"));
}

TEST_F(StoreAuditTest, WhatIsNotAChangeCanBeALine) {
  AuditMutation refused{.op = "list", .result = "forbidden", .suppressed = 12};
  AuditMutation revealed{.op = "reveal", .result = "ok", .key = Key("a"), .is_awaited = true};
  DoAs(refused);
  DoAs(revealed);
  const std::vector<json> lines = Lines();
  EXPECT_THAT(Short(lines), ElementsAre("create_namespace ok", "list forbidden", "reveal ok"));
  EXPECT_EQ(lines[1]["suppressed"], 12);
  EXPECT_EQ(lines[2]["key"], "9a23dc4d");
}

TEST_F(StoreAuditTest, OnADiskThatIsNearlyFullOnlyWhatIsAwaitedIsALine) {
  files_->SetFreeBytes(100 << 20);
  store_->Maintain();
  EXPECT_EQ(DoAs(AuditMutation{.op = "list", .result = "forbidden"}).status.code(),
            ErrorCode::kReadOnly);
  EXPECT_TRUE(DoAs(AuditMutation{.op = "reveal", .result = "ok", .is_awaited = true}).status.ok());
  EXPECT_THAT(Short(Lines()), ElementsAre("create_namespace ok", "reveal ok"));
}

TEST_F(StoreAuditTest, WhatCannotBeWrittenIsNotAcknowledged) {
  files_->Fail(Operation::kSync, IOStatus::IOError("gone"), ".log");
  EXPECT_FALSE(DoAs(AuditMutation{.op = "reveal", .result = "ok", .is_awaited = true}).status.ok());
  EXPECT_FALSE(DoAs(AuditMutation{.op = "reveal", .result = "ok", .is_awaited = true}).status.ok());
  files_->Heal();
}

TEST_F(StoreAuditTest, AnImportIsOneLine) {
  const Outcome begun =
      DoAs(ImportBeginMutation{.scheme = {}, .source = "dump.sql", .position = {}});
  for (int i = 0; i < 3; ++i) {
    ImportRowsMutation rows{.import_id = begun.import_id, .rows = {}, .refused = 1};
    ImportedRow row;
    row.record.key = Key("row " + std::to_string(i));
    rows.rows.push_back(row);
    Do(rows);
  }
  Do(ImportEndMutation{begun.import_id});
  Do(ImportEndMutation{begun.import_id});
  const std::vector<json> lines = Lines();
  EXPECT_THAT(Short(lines),
              ElementsAre("create_namespace ok", "import ok", "import_end bad_params"));
  EXPECT_EQ(lines[1]["caller"], "billing");
  EXPECT_EQ(lines[1]["source"], "dump.sql");
  EXPECT_EQ(lines[1]["import"], begun.import_id);
  EXPECT_EQ(lines[1]["taken"], 3);
  EXPECT_EQ(lines[1]["refused"], 3);
}

TEST_F(StoreAuditTest, AnImportThatNeverEndsIsOneLineAtTheNextStart) {
  const Outcome begun =
      DoAs(ImportBeginMutation{.scheme = {}, .source = "dump.sql", .position = {}});
  Reopen();
  Reopen();
  const std::vector<json> lines = Lines();
  EXPECT_THAT(Short(lines), ElementsAre("create_namespace ok", "import interrupted"));
  EXPECT_EQ(lines[1]["caller"], "billing");
  EXPECT_EQ(lines[1]["import"], begun.import_id);
}

TEST_F(StoreAuditTest, AnImportThatCannotBeWrittenIsALine) {
  DoAs(ImportBeginMutation{.scheme = {}, .source = "dump.sql", .position = {}});
  // A disk that is full for a moment ends it.
  files_->Fail(Operation::kAppend, IOStatus::NoSpace("full"), ".log");
  EXPECT_FALSE(Insert("a").status.ok());
  files_->Heal();
  while (store_->state() == StoreState::kReadOnly) {
    clock_.Advance(1000);
    store_->Maintain();
  }
  Insert("b");
  Reopen();
  EXPECT_THAT(Short(Lines()),
              ElementsAre("create_namespace ok", "insert ok", "import interrupted"));
}

TEST_F(StoreAuditTest, RowsGoOnceTheirLinesAreInTheFile) {
  for (int i = 0; i < 100; ++i) Insert("t" + std::to_string(i));
  store_->WaitUntilAudited();
  EXPECT_EQ(store_->stats().audit.synced_seq, 101u);
  store_->Maintain();
  EXPECT_EQ(RowsWaiting(), 0u);
  EXPECT_THAT(Lines(), SizeIs(101));
}

TEST_F(StoreAuditTest, NothingIsKeptWhereItIsOff) {
  CloseStore();
  std::filesystem::remove_all(dir_.path() + "/data");
  std::filesystem::remove(path_);
  audits_ = false;
  OpenStore();
  Insert("a");
  EXPECT_FALSE(store_->audits());
  CloseStore();
  for (const auto& [key, value] : ReadRows(dir_.path() + "/data", Database::kMeta)) {
    EXPECT_THAT(key, Not(HasSubstr("audit")));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  OpenStore();
}

TEST_F(StoreAuditTest, SwitchedOffAndOnAgainTheChainGoesOn) {
  Insert("a");
  CloseStore();
  audits_ = false;
  OpenStore();
  Insert("b");
  CloseStore();
  audits_ = true;
  OpenStore();
  Insert("c");
  EXPECT_THAT(Short(Lines()), ElementsAre("create_namespace ok", "insert ok", "insert ok"));
}

TEST_F(StoreAuditTest, GoesOnInANewFileWhenItIsAskedTo) {
  Insert("a");
  std::filesystem::rename(path_, path_ + ".1");
  Insert("b");
  store_->ReopenAuditFile();
  store_->WaitUntilAudited();
  Insert("c");
  store_->WaitUntilAudited();
  AuditHead head;
  const std::string old = Text(path_ + ".1");
  CheckChain(old, &head);
  EXPECT_EQ(head.seq, 3u);
  EXPECT_THAT(Short(Lines(head)), ElementsAre("insert ok"));
  // The file may be taken away, and the next start makes another.
  CloseStore();
  std::filesystem::rename(path_, path_ + ".2");
  OpenStore();
  Insert("d");
  CheckChain(Text(path_ + ".2"), &head);
  EXPECT_THAT(Short(Lines(head)), ElementsAre("insert ok"));
  EXPECT_THAT(listener_.doubt, IsEmpty());
}

TEST_F(StoreAuditTest, AFileThatCannotBeOpenedAnewLeavesTheOldOne) {
  Insert("a");
  store_->WaitUntilAudited();
  std::filesystem::rename(path_, path_ + ".1");
  std::filesystem::create_directory(path_);
  store_->ReopenAuditFile();
  store_->WaitUntilAudited();
  EXPECT_THAT(store_->stats().audit.failure, HasSubstr("it is not a file"));
  Insert("b");
  store_->WaitUntilAudited();
  AuditHead head;
  CheckChain(Text(path_ + ".1"), &head);
  EXPECT_EQ(head.seq, 3u);
  std::filesystem::remove(path_);
  store_->ReopenAuditFile();
  store_->WaitUntilAudited();
  Insert("c");
  EXPECT_THAT(Short(Lines(head)), ElementsAre("insert ok"));
  EXPECT_THAT(store_->stats().audit.failure, IsEmpty());
}

TEST_F(StoreAuditTest, AFileThatFailsHoldsNothingUpAndLosesNothing) {
  for (const Operation operation : {Operation::kAppend, Operation::kSync}) {
    listener_.written = false;
    store_->WaitUntilAudited();
    files_->Fail(operation, IOStatus::NoSpace("full"), "audit.jsonl");
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(Insert("t" + std::to_string(i), {.replace = true}).status.ok());
    }
    store_->WaitUntilAudited();
    EXPECT_THAT(store_->stats().audit.failure, HasSubstr("full"));
    EXPECT_THAT(listener_.failed, HasSubstr("full"));
    // And over a restart.
    Reopen();
    EXPECT_TRUE(Insert("more", {.replace = true}).status.ok());
    store_->WaitUntilAudited();
    EXPECT_THAT(store_->stats().audit.failure, HasSubstr("full"));
    files_->Heal();
    while (!store_->stats().audit.failure.empty() ||
           store_->stats().audit.synced_seq != store_->stats().audit.head.seq) {
      store_->WaitUntilAudited();
    }
    Lines();
  }
  EXPECT_THAT(Lines(), SizeIs(23));
  EXPECT_TRUE(listener_.written);
}

TEST_F(StoreAuditTest, OfAWriteThatWasTornTheRestComesFromTheRows) {
  std::mt19937_64 random(TestSeed());
  Insert("first");
  const std::vector<json> before = Lines();
  const auto whole = std::filesystem::file_size(path_);
  files_->Fail(Operation::kSync, IOStatus::IOError("gone"), "audit.jsonl");
  for (int i = 0; i < 5; ++i) Insert("t" + std::to_string(i));
  store_->WaitUntilAudited();
  CloseStore();
  files_->Heal();
  // Whatever of it has reached the disk, with zeros in between or not.
  std::string text = Text(path_);
  ASSERT_GT(text.size(), whole);
  for (int round = 0; round < 20; ++round) {
    std::string torn = text.substr(0, whole + random() % (text.size() - whole + 1));
    if (round % 2 == 1) {
      const size_t from = whole + random() % (torn.size() - whole + 1);
      std::fill(torn.begin() + static_cast<ptrdiff_t>(from),
                torn.begin() + static_cast<ptrdiff_t>(std::min(torn.size(), from + random() % 600)),
                '\0');
    }
    const TempDir copy;
    std::filesystem::copy(dir_.path() + "/data", copy.path() + "/data",
                          std::filesystem::copy_options::recursive);
    std::ofstream(copy.path() + "/audit.jsonl", std::ios::binary) << torn;
    StoreOptions options = Options();
    options.data_dir = copy.path() + "/data";
    options.audit_file = copy.path() + "/audit.jsonl";
    std::unique_ptr<Store> store;
    ASSERT_TRUE(Store::Open(options, &store).ok());
    store->WaitUntilAudited();
    AuditHead head;
    CheckChain(Text(options.audit_file), &head);
    EXPECT_EQ(head.seq, before.size() + 5) << round;
    EXPECT_EQ(Text(options.audit_file), text) << round;
  }
  OpenStore();
}

TEST_F(StoreAuditTest, AFirstLineThatWasTornIsWrittenAgain) {
  CloseStore();
  std::filesystem::remove_all(dir_.path() + "/data");
  for (const std::string& torn :
       {std::string("{\"se"), std::string(7, '\0'), std::string("{\"seq\":1,\"at\":\"20")}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << torn;
    OpenStore();
    EXPECT_THAT(Short(Lines()), ElementsAre("create_namespace ok"));
    CloseStore();
    std::filesystem::remove_all(dir_.path() + "/data");
  }
  OpenStore();
}

TEST_F(StoreAuditTest, AFileThatIsNoAuditLogIsLeftAlone) {
  CloseStore();
  const std::string text = "a letter\nof two lines\n";
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
  const Status status = Store::Open(Options(), &store_);
  EXPECT_THAT(status.message(), HasSubstr("no audit log; move it away, or give another name"));
  EXPECT_THAT(status.message(), HasSubstr(path_));
  EXPECT_EQ(Text(path_), text);
}

TEST_F(StoreAuditTest, WhatWasAlteredIsNotCutOff) {
  Insert("a");
  Insert("b");
  Lines();
  store_->Maintain();
  CloseStore();
  std::string text = Text(path_);
  const std::string altered = [&] {
    std::string out = text;
    out.replace(out.rfind("insert"), 6, "revoke");
    out.replace(out.find("insert"), 6, "revoke");
    return out;
  }();
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << altered;
  OpenStore();
  EXPECT_THAT(listener_.doubt, HasSubstr("line 2, or what should come after it, is missing"));
  Insert("c");
  store_->WaitUntilAudited();
  const std::string after = Text(path_);
  EXPECT_EQ(after.substr(0, altered.size()), altered);
  EXPECT_THAT(Parse(after.substr(altered.size())), SizeIs(1));
}

TEST_F(StoreAuditTest, DataFromABackupGoesOnAfterTheFile) {
  Insert("a");
  CloseStore();
  std::filesystem::copy(dir_.path() + "/data", dir_.path() + "/older",
                        std::filesystem::copy_options::recursive);
  OpenStore();
  Insert("b");
  Insert("c");
  CloseStore();
  std::filesystem::remove_all(dir_.path() + "/data");
  std::filesystem::rename(dir_.path() + "/older", dir_.path() + "/data");
  OpenStore();
  EXPECT_FALSE(Get("b"));
  Insert("d");
  const std::vector<json> lines = Lines();
  EXPECT_THAT(Short(lines), ElementsAre("create_namespace ok", "insert ok", "insert ok",
                                        "insert ok", "resume ok", "insert ok"));
  EXPECT_EQ(lines[4]["data_knows"], 2);
}

TEST_F(StoreAuditTest, WhatOnlyTheFileKnowsIsNotCutOffEither) {
  Insert("a");
  CloseStore();
  std::filesystem::copy(dir_.path() + "/data", dir_.path() + "/older",
                        std::filesystem::copy_options::recursive);
  OpenStore();
  for (const char* token : {"b", "c", "d"}) Insert(token);
  CloseStore();
  std::filesystem::remove_all(dir_.path() + "/data");
  std::filesystem::rename(dir_.path() + "/older", dir_.path() + "/data");
  std::string text = Text(path_);
  text.replace(text.rfind("insert", text.rfind("insert") - 1), 6, "revoke");  // line 4 of 5
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
  OpenStore();
  EXPECT_THAT(listener_.doubt, HasSubstr("line 4, or what should come after it, is missing"));
  Settle();
  const std::string after = Text(path_);
  EXPECT_EQ(after.substr(0, text.size()), text);
  const std::vector<json> more = Parse(after.substr(text.size()));
  ASSERT_THAT(Short(more), ElementsAre("resume ok"));
  EXPECT_EQ(more[0]["seq"], 6);
}

TEST_F(StoreAuditTest, AnEndThatWasTornInWhatOnlyTheFileKnowsIsCutOff) {
  Insert("a");
  CloseStore();
  std::filesystem::copy(dir_.path() + "/data", dir_.path() + "/older",
                        std::filesystem::copy_options::recursive);
  OpenStore();
  Insert("b");
  Insert("c");
  CloseStore();
  std::filesystem::remove_all(dir_.path() + "/data");
  std::filesystem::rename(dir_.path() + "/older", dir_.path() + "/data");
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 30);
  OpenStore();
  EXPECT_THAT(Short(Lines()),
              ElementsAre("create_namespace ok", "insert ok", "insert ok", "resume ok"));
  EXPECT_THAT(listener_.doubt, IsEmpty());
}

// Whatever is lost with the power, a change and its line are lost together, and no line is in the
// file twice.
TEST_F(StoreAuditTest, ChangeAndLineShareTheirFate) {
  std::mt19937_64 random(TestSeed());
  uint64_t acknowledged = 0;
  int next = 0;
  for (int round = 0; round < 12; ++round) {
    std::vector<std::thread> writers;
    std::atomic<int> number{next};
    std::atomic<uint64_t> done{0};
    for (int i = 0; i < 3; ++i) {
      writers.emplace_back([&] {
        while (true) {
          Mutation mutation{kNs, MakeInsert("t" + std::to_string(number++), {})};
          Outcome outcome;
          if (!store_->SubmitAndWait(std::move(mutation), &outcome).ok()) return;
          ++done;
        }
      });
    }
    while (done < 1 + random() % 200) std::this_thread::yield();
    files_->Cut();
    for (std::thread& writer : writers) writer.join();
    CloseStore();
    files_->Lose(&random);
    acknowledged += done;
    next = number;
    OpenStore();
    std::map<std::string, int> inserted;
    for (const json& line : Lines()) {
      if (line["op"] == "insert") ++inserted[line["id"]];
    }
    EXPECT_GE(inserted.size(), acknowledged);
    uint64_t there = 0;
    for (int i = 0; i < next; ++i) {
      const std::string token = "t" + std::to_string(i);
      const auto line = inserted.find(ToHex(TokenId::Of(Key(token))));
      ASSERT_EQ(Get(token).has_value(), line != inserted.end()) << token;
      if (line == inserted.end()) continue;
      EXPECT_EQ(line->second, 1);
      ++there;
    }
    EXPECT_EQ(there, inserted.size());
  }
  EXPECT_THAT(listener_.doubt, IsEmpty());
}

}  // namespace
}  // namespace tokend
