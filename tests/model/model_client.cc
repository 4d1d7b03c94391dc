#include "tests/model/model_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace tokend::testing {

using Kind = Operation::Kind;

void ModelClient::Run(int turns) {
  if (!Connect()) return;
  for (int turn = 0; turn < turns && !gone_; ++turn) Turn();
  connections_.clear();
}

void ModelClient::Audit() {
  if (!Connect()) return;
  connection_ = 0;
  const std::vector<PoolToken> tokens = world_.pool->All();
  // They say which of all that may be is so; what comes then is held to it.
  for (const PoolToken& token : tokens) Get(token);
  Settle();
  for (const std::string_view ns : TokenPool::kNamespaces) {
    std::vector<PoolToken> these;
    for (const PoolToken& token : tokens) {
      if (token.ns == ns) these.push_back(token);
    }
    ValidateMany(std::string(ns), these);
    Settle();
    List(std::string(ns), {});
    for (int i = 0; i < 2; ++i) {
      List(std::string(ns), DrawFilters(std::string(ns)));
      Count(std::string(ns), DrawFilters(std::string(ns)));
      Settle();
    }
  }
  for (const PoolToken& token : tokens) Get(token);
  Settle();
  if (gone_) ADD_FAILURE() << "the server is gone";
  for (Operation& operation : operations_) operation.is_at_rest = true;
  connections_.clear();
}

bool ModelClient::Connect() {
  for (const std::string& address : world_.addresses) {
    auto client = client::Client::Connect(address);
    if (!client) return false;  // stopped already
    connections_.push_back(std::move(*client));
  }
  return true;
}

void ModelClient::Turn() {
  connection_ = Below(connections_.size());
  if (world_.imports && OneIn(12) && !world_.import_is_open.exchange(true)) {
    Import();
    world_.import_is_open = false;
    return;
  }
  if (OneIn(20)) return Greet();
  // Alone on their connection: what they do to one token is not over when the next write begins.
  if (OneIn(16)) return RevokeOwner(DrawNamespace());
  if (OneIn(14)) return Purge(DrawNamespace());
  for (uint64_t left = 1 + Below(4); left > 0; --left) Request();
  Settle();
}

// What touches no token.
void ModelClient::Greet() {
  client::Client& client = connections_[connection_];
  client::Pending<client::ServerInfo> hello = client.SendHello("model", "1");
  client::Pending<client::Done> ping = client.SendPing();
  client::Pending<client::ServerStats> stats = client.SendStats();
  const client::Result<client::ServerInfo> info = hello.Wait();
  const bool ponged = ping.Wait().ok();
  const client::Result<client::ServerStats> told = stats.Wait();
  gone_ = !info || !ponged || !told;
  if (gone_) return;
  EXPECT_EQ(info->protocol, 1u);
  EXPECT_TRUE(told->state == "ready" || world_.cut_at.load() != 0 ||
              (told->state == "loading" && world_.may_be_unavailable))
      << told->state;
}

void ModelClient::Request() {
  const std::string ns = DrawNamespace();
  const PoolToken token = world_.pool->Draw(ns, &random_);
  const uint64_t choice = Below(100);
  if (choice < 20) return Insert(token);
  if (choice < 24) return InsertMany(ns);
  if (choice < 26) return Issue(ns);
  if (choice < 28) return InsertAndRevoke(token);
  if (choice < 31) return Rotate(token);
  if (choice < 41) return Revoke(token);
  if (choice < 50) return Extend(token);
  if (choice < 57) return Update(token);
  if (choice < 75) return Validate(token);
  if (choice < 82) {
    std::vector<PoolToken> tokens;
    for (uint64_t left = 1 + Below(5); left > 0; --left) {
      tokens.push_back(world_.pool->Draw(ns, &random_));
    }
    return ValidateMany(ns, tokens);
  }
  if (choice < 92) return Get(token);
  if (choice < 96) return List(ns, DrawFilters(ns));
  return Count(ns, DrawFilters(ns));
}

void ModelClient::Settle() {
  // In their order: where a wait goes on to a next request, that is at the end.
  for (size_t i = 0; i < waits_.size(); ++i) std::exchange(waits_[i], nullptr)();
  waits_.clear();
}

Operation* ModelClient::Begin(Kind kind, const std::string& ns, const std::string& id) {
  Operation& operation = operations_.emplace_back();
  operation.kind = kind;
  operation.ns = ns;
  operation.id = id;
  operation.connection = number_ * 10 + connection_;
  operation.may_be_unavailable = world_.may_be_unavailable;
  operation.invoked = world_.journal->Next();
  return &operation;
}

template <class T, class Take>
void ModelClient::Track(client::Pending<T> pending, std::vector<Operation*> operations, Take take) {
  auto shared = std::make_shared<client::Pending<T>>(std::move(pending));
  waits_.emplace_back([this, shared, operations = std::move(operations), take] {
    const client::Result<T> result = shared->Wait();
    if (HasAnswer(result ? nullptr : &result.error(), operations) && result) take(*result);
  });
}

// Notes the answer's moment, and its error if it is one; false where it says nothing that counts.
bool ModelClient::HasAnswer(const client::Error* error, const std::vector<Operation*>& operations) {
  const uint64_t moment = world_.journal->Next();
  const uint64_t cut_at = world_.cut_at.load();
  if (cut_at != 0 && moment > cut_at) {
    gone_ = true;
    return false;
  }
  if (error != nullptr) {
    if (error->source == client::Error::Source::kTransport) {
      gone_ = true;
      return false;
    }
    const bool is_lawful =
        error->source == client::Error::Source::kServer &&
        (error->code == "exists" || error->code == "revoked" ||
         error->code == "unknown_namespace" ||
         (error->code == "bad_params" && operations.front()->kind == Kind::kRotate));
    if (!is_lawful) {
      ADD_FAILURE() << *operations.front() << ": " << error->code << ": " << error->message;
    }
  }
  for (Operation* operation : operations) {
    operation->answered = moment;
    operation->clocks_ms = world_.journal->ClocksBetween(operation->invoked, moment);
    if (error != nullptr) operation->error = error->code;
  }
  return true;
}

// --- what is drawn ---

std::string ModelClient::DrawNamespace() {
  return OneIn(2) ? "default"
                  : std::string(TokenPool::kNamespaces[Below(std::size(TokenPool::kNamespaces))]);
}

client::Token ModelClient::Present(const PoolToken& token) {
  if (OneIn(4)) {
    presented_ = token.key;
    return client::Token::Key(presented_);
  }
  presented_ = token.text;
  if (token.ns == TokenPool::kAfterBar && OneIn(2)) {
    presented_.insert(0, std::to_string(Below(10)) + "|");
  }
  return {presented_};
}

std::optional<uint64_t> ModelClient::DrawExpiry() {
  if (OneIn(4)) return std::nullopt;
  return world_.journal->NowMs() - 500 + Below(5000);
}

TokenState ModelClient::DrawFields() {
  static constexpr std::string_view kOwners[] = {"ann", "bob", ""};
  TokenState fields;
  if (!OneIn(5)) fields.owner = kOwners[Below(std::size(kOwners))];
  if (OneIn(2)) fields.name = "n" + std::to_string(Below(100));
  for (uint64_t left = Below(3); left > 0; --left) {
    fields.scopes.push_back("s" + std::to_string(Below(5)));
  }
  if (OneIn(3)) {
    fields.attributes = *client::JsonToMsgpack("{\"a\": " + std::to_string(Below(1000)) + "}");
  }
  return fields;
}

client::ListRequest ModelClient::DrawFilters(const std::string& ns) {
  static constexpr std::string_view kOrders[] = {"", "key", "expires_at", "-expires_at"};
  static constexpr std::string_view kStates[] = {"active", "expired", "revoked"};
  client::ListRequest filters;
  filters.namespace_name = ns;
  if (OneIn(2)) filters.owner = DrawFields().owner;
  if (OneIn(2)) filters.state = kStates[Below(std::size(kStates))];
  if (OneIn(3)) filters.expires_after_ms = world_.journal->NowMs() - 2000 + Below(4000);
  if (OneIn(3)) filters.expires_before_ms = world_.journal->NowMs() - 1000 + Below(4000);
  filters.order = kOrders[Below(std::size(kOrders))];
  filters.limit = OneIn(2) ? 1 + Below(4) : 100;
  return filters;
}

client::InsertRequest ModelClient::DrawInsert(const PoolToken& token, Operation** operation) {
  Operation* insert = Begin(Kind::kInsert, token.ns, token.id);
  insert->fields = DrawFields();
  insert->replace = OneIn(2);
  if (OneIn(2)) {
    insert->expires_at_ms = DrawExpiry();
  } else {
    insert->ttl_ms = 1 + Below(4000);
  }
  *operation = insert;
  client::InsertRequest request;
  request.expires_at_ms = insert->expires_at_ms;
  request.ttl_ms = insert->ttl_ms;
  request.owner = insert->fields.owner;
  request.name = insert->fields.name;
  request.scopes = insert->fields.scopes;
  request.attributes = insert->fields.attributes;
  request.namespace_name = token.ns;
  request.replace = insert->replace;
  return request;
}

// --- what is asked ---

void ModelClient::Insert(const PoolToken& token) {
  Operation* insert = nullptr;
  client::InsertRequest request = DrawInsert(token, &insert);
  request.token = Present(token);
  Track(connections_[connection_].SendInsert(request), {insert},
        [insert](const std::string& id) { EXPECT_EQ(id, insert->id); });
}

// The revoke, on the other connection, comes while the insert is on its way to the disk.
void ModelClient::InsertAndRevoke(const PoolToken& token) {
  Insert(token);
  if (!connections_[connection_].Flush()) return;
  connection_ = 1 - connection_;
  Revoke(token);
}

void ModelClient::InsertMany(const std::string& ns) {
  std::vector<Operation*> inserts;
  std::vector<PoolToken> tokens;
  for (uint64_t left = 1 + Below(4); left > 0; --left) {
    tokens.push_back(world_.pool->Draw(ns, &random_));
  }
  std::vector<client::InsertRequest> requests;
  for (const PoolToken& token : tokens) {
    requests.push_back(DrawInsert(token, &inserts.emplace_back()));
    requests.back().token = token.text;
  }
  Track(connections_[connection_].SendInsertMany(requests), inserts,
        [inserts](const std::vector<client::InsertOutcome>& outcomes) {
          ASSERT_EQ(outcomes.size(), inserts.size());
          for (size_t i = 0; i < outcomes.size(); ++i) {
            if (outcomes[i].error) inserts[i]->error = outcomes[i].error->code;
            EXPECT_EQ(outcomes[i].error ? outcomes[i].error->id : outcomes[i].id, inserts[i]->id);
          }
        });
}

void ModelClient::Issue(const std::string& ns) {
  Operation* issue = nullptr;
  const client::InsertRequest fields = DrawInsert({ns, "", "", ""}, &issue);
  issue->replace = false;
  client::IssueRequest request;
  request.expires_at_ms = fields.expires_at_ms;
  request.ttl_ms = fields.ttl_ms;
  request.owner = fields.owner;
  request.name = fields.name;
  request.scopes = fields.scopes;
  request.attributes = fields.attributes;
  request.namespace_name = ns;
  Track(connections_[connection_].SendIssue(request), {issue},
        [this, issue](const client::IssuedToken& issued) {
          issue->id = world_.pool->Add(issue->ns, issued.token).id;
          issue->answered_expiry_ms = issued.expires_at_ms.value_or(kNever);
          EXPECT_EQ(issued.id, issue->id);
        });
}

void ModelClient::Rotate(const PoolToken& token) {
  Operation* rotate = Begin(Kind::kRotate, token.ns, token.id);
  rotate->overlap_ms = OneIn(2) ? 0 : Below(1500);
  if (OneIn(4)) rotate->expires_at_ms = world_.journal->NowMs() + Below(3000);
  if (!rotate->expires_at_ms && OneIn(4)) rotate->ttl_ms = 1 + Below(3000);
  client::RotateRequest request;
  request.token = Present(token);
  request.overlap_ms = rotate->overlap_ms;
  request.expires_at_ms = rotate->expires_at_ms;
  request.ttl_ms = rotate->ttl_ms;
  request.namespace_name = token.ns;
  Track(connections_[connection_].SendRotate(request), {rotate},
        [this, rotate](const client::IssuedToken& issued) {
          rotate->answered_expiry_ms = issued.expires_at_ms.value_or(kNever);
          Operation& fresh = operations_.emplace_back(*rotate);
          fresh.kind = Kind::kRotatedTo;
          fresh.rotate = rotate;
          fresh.id = world_.pool->Add(rotate->ns, issued.token).id;
          EXPECT_EQ(issued.id, fresh.id);
        });
}

void ModelClient::Revoke(const PoolToken& token) {
  Operation* revoke = Begin(Kind::kRevoke, token.ns, token.id);
  client::Client& client = connections_[connection_];
  revoke->by_id = OneIn(3);
  client::Pending<bool> pending = revoke->by_id ? client.SendRevokeId(token.id, token.ns)
                                                : client.SendRevoke(Present(token), token.ns);
  if (!revoke->by_id && OneIn(2)) AskWhetherItHolds(revoke, token);
  Track(std::move(pending), {revoke}, [revoke](bool was_live) { revoke->was_live = was_live; });
}

// With the answer to a ping behind it, on the same connection, the server has read the revoke, even
// where that is not on the disk yet. A look on the other connection says whether it holds.
void ModelClient::AskWhetherItHolds(Operation* revoke, const PoolToken& token) {
  auto ping = std::make_shared<client::Pending<client::Done>>(connections_[connection_].SendPing());
  waits_.emplace_back([this, ping, revoke, token, sent_on = connection_] {
    if (!ping->Wait()) return;
    revoke->holds_from = world_.journal->Next();
    connection_ = 1 - sent_on;
    // More than once: what was queued before the revoke becomes visible meanwhile.
    for (uint64_t left = 1 + Below(10); left > 0 && !gone_; --left) {
      Operation* validate = Begin(Kind::kValidate, token.ns, token.id);
      const client::Result<client::Verdict> verdict =
          connections_[connection_].Validate(token.text, token.ns);
      if (HasAnswer(verdict ? nullptr : &verdict.error(), {validate}) && verdict) {
        validate->verdict = *verdict;
      }
    }
    connection_ = sent_on;
  });
}

void ModelClient::RevokeOwner(const std::string& ns) {
  Operation* revoke = Begin(Kind::kRevokeOwner, ns, "");
  revoke->owner = DrawFields().owner.value_or("nobody");
  client::Pending<uint64_t> pending = connections_[connection_].SendRevokeOwner(revoke->owner, ns);
  if (OneIn(2)) AskWhetherItHolds(revoke, world_.pool->Draw(ns, &random_));
  Track(std::move(pending), {revoke}, [revoke](uint64_t count) { revoke->count = count; });
  Settle();
}

void ModelClient::Extend(const PoolToken& token) {
  Operation* extend = Begin(Kind::kExtend, token.ns, token.id);
  extend->expires_at_ms = DrawExpiry();
  Track(connections_[connection_].SendExtend(Present(token), extend->expires_at_ms, token.ns),
        {extend}, [extend](bool was_live) { extend->was_live = was_live; });
}

void ModelClient::Update(const PoolToken& token) {
  Operation* update = Begin(Kind::kUpdate, token.ns, token.id);
  update->fields = DrawFields();
  update->sets_name = update->fields.name.has_value();
  update->sets_scopes = OneIn(2);
  update->sets_attributes = !update->fields.attributes.empty();
  client::UpdateRequest request;
  request.id = token.id;
  request.namespace_name = token.ns;
  request.name = update->fields.name;
  if (update->sets_scopes) request.scopes = update->fields.scopes;
  if (update->sets_attributes) request.attributes = update->fields.attributes;
  Track(connections_[connection_].SendUpdate(request), {update},
        [update](bool was_live) { update->was_live = was_live; });
}

void ModelClient::Purge(const std::string& ns) {
  const uint64_t now_ms = world_.journal->NowMs();
  // Otherwise the clock by which the disk gives room back lags behind by as much as it likes.
  const client::Result<client::Done> accepted =
      world_.is_clock_ahead ? client::Done() : connections_[connection_].ClockAccept();
  if (!accepted) {
    if (accepted.error().source == client::Error::Source::kTransport) {
      gone_ = true;
    } else if (world_.cut_at.load() == 0) {
      ADD_FAILURE() << "clock_accept: " << accepted.error().message;
    }
    return;
  }
  Operation* purge = Begin(Kind::kPurge, ns, "");
  purge->before_ms = now_ms - 1000 + Below(2000);
  if (!world_.is_clock_ahead) purge->reclaimable_ms = std::min(now_ms, purge->before_ms);
  purge->second_part = Begin(Kind::kPurge, ns, "");
  purge->second_part->drops_revoked = true;
  purge->second_part->before_ms = purge->before_ms;
  purge->second_part->reclaimable_ms = purge->reclaimable_ms;
  Track(connections_[connection_].SendPurgeExpired(purge->before_ms, ns),
        {purge, purge->second_part}, [purge](uint64_t count) { purge->count = count; });
  Settle();
}

void ModelClient::Validate(const PoolToken& token) {
  Operation* validate = Begin(Kind::kValidate, token.ns, token.id);
  Track(connections_[connection_].SendValidate(Present(token), token.ns), {validate},
        [validate](const client::Verdict& verdict) { validate->verdict = verdict; });
}

void ModelClient::ValidateMany(const std::string& ns, const std::vector<PoolToken>& tokens) {
  std::vector<Operation*> validates;
  std::vector<client::Token> presented;
  for (const PoolToken& token : tokens) {
    validates.push_back(Begin(Kind::kValidate, ns, token.id));
    presented.push_back(OneIn(3) ? client::Token::Key(token.key) : client::Token(token.text));
  }
  Track(connections_[connection_].SendValidateMany(presented, ns), validates,
        [validates](const std::vector<client::Verdict>& verdicts) {
          ASSERT_EQ(verdicts.size(), validates.size());
          for (size_t i = 0; i < verdicts.size(); ++i) validates[i]->verdict = verdicts[i];
        });
}

void ModelClient::Get(const PoolToken& token) {
  Operation* get = Begin(Kind::kGet, token.ns, token.id);
  client::Client& client = connections_[connection_];
  Track(OneIn(3) ? client.SendGetId(token.id, token.ns) : client.SendGet(Present(token), token.ns),
        {get}, [get](const std::optional<client::TokenInfo>& record) {
          if (record) get->records.emplace(record->id, *record);
        });
}

void ModelClient::List(const std::string& ns, client::ListRequest request) {
  Operation* list = Begin(Kind::kList, ns, "");
  request.namespace_name = ns;
  list->filters = request;
  // The pages one after the other, as their answers come; it is one operation until the last.
  const auto next = std::make_shared<std::function<void(const std::string&)>>();
  *next = [this, list, request, weak = std::weak_ptr(next)](const std::string& cursor) {
    client::ListRequest page = request;
    page.cursor = cursor;
    Track(connections_[list->connection % 10].SendList(page), {list},
          [list, next = weak.lock()](const client::TokenPage& items) {
            for (const client::TokenInfo& record : items.items) {
              const bool is_new = list->records.emplace(record.id, record).second;
              // In an order by expiry a token may move, and so be met again.
              if (list->filters.order.empty() || list->filters.order == "key") {
                EXPECT_TRUE(is_new) << record.id << " is given twice";
              }
            }
            if (items.cursor.empty()) return;
            list->answered = Operation::kNoAnswer;
            (*next)(items.cursor);
          });
  };
  (*next)("");
}

void ModelClient::Count(const std::string& ns, client::ListRequest request) {
  Operation* count = Begin(Kind::kCount, ns, "");
  request.namespace_name = ns;
  request.order.clear();
  request.limit.reset();
  count->filters = request;
  Track(connections_[connection_].SendCount(request), {count},
        [count](uint64_t answer) { count->count = answer; });
}

// --- import ---

void ModelClient::Import() {
  const std::string ns = DrawNamespace();
  std::string import_id;
  Operation* begin = Begin(Kind::kImportBegin, ns, "");
  Track(connections_[connection_].SendImportBegin({ns, "", "", ""}), {begin},
        [&import_id](const std::string& id) { import_id = id; });
  Settle();
  uint64_t rows_sent = 0;
  for (uint64_t left = 1 + Below(4); left > 0 && !gone_; --left) {
    std::vector<Operation*> rows;
    client::ImportBatch batch;
    for (uint64_t more = 1 + Below(3); more > 0; --more) {
      const PoolToken token = world_.pool->Draw(ns, &random_);
      Operation* row = Begin(Kind::kImportRow, ns, token.id);
      rows.push_back(row);
      row->fields = DrawFields();
      TokenState& fields = row->fields;
      fields.is_there = true;
      fields.source_id = std::to_string(Below(1000));
      fields.created_at_ms = world_.journal->NowMs() - 5000;
      fields.updated_at_ms = world_.journal->NowMs() - 2000 + Below(2000);
      fields.expires_at_ms = DrawExpiry().value_or(kNever);
      fields.revoked = OneIn(4);
      client::ImportRow sent;
      sent.token = token.text;
      sent.owner = fields.owner;
      sent.name = fields.name;
      sent.scopes.assign(fields.scopes.begin(), fields.scopes.end());
      if (fields.expires_at_ms != kNever) sent.expires_at_ms = fields.expires_at_ms;
      sent.revoked = fields.revoked;
      sent.created_at_ms = fields.created_at_ms;
      sent.updated_at_ms = fields.updated_at_ms;
      sent.source_id = fields.source_id;
      sent.attributes = fields.attributes;
      ASSERT_TRUE(batch.Add(sent).ok());
    }
    rows_sent += rows.size();
    Track(connections_[connection_].SendImportRows(import_id, batch), rows,
          [rows](const client::ImportTotals& totals) {
            EXPECT_EQ(totals.taken + totals.replaced + totals.unchanged, rows.size());
            if (rows.size() > 1) return;
            rows[0]->merged = totals.taken ? "taken" : totals.replaced ? "replaced" : "unchanged";
          });
    if (OneIn(3)) Request();
    Settle();
  }
  if (gone_) return;
  const auto ended = connections_[connection_].ImportEnd(import_id);
  if (!ended) {
    gone_ = true;
    EXPECT_EQ(ended.error().source, client::Error::Source::kTransport) << ended.error().message;
    return;
  }
  EXPECT_EQ(ended->taken + ended->replaced + ended->unchanged, rows_sent);
  EXPECT_EQ(ended->refused, 0u);
}

}  // namespace tokend::testing
