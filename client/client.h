// tokend's client library: the one header to read.
//
//   namespace tc = tokend::client;
//   tc::Result<tc::Client> client = tc::Client::Connect("127.0.0.1:7717");
//   if (!client) die(client.error().message);
//   tc::Result<tc::Verdict> verdict = client->Validate(token);
//   if (verdict && verdict->valid()) serve(verdict->owner);
//   else if (verdict && verdict->invalid()) deny();
//   else cannot_say();  // no answer, or an answer that is no verdict: never "invalid"
//
// Every call comes in two forms. Validate() sends and waits. SendValidate() only queues the request
// and gives a Pending<Verdict>, whose Wait() gives the same result; so any number of requests is
// under way at once on one connection, and their answers may come in any order:
//
//   std::vector<tc::Pending<tc::Verdict>> pending;
//   for (const auto& token : tokens) pending.push_back(client->SendValidate(token));
//   for (auto& one : pending) use(one.Wait());
//
// Threads: a Client and what it gave belong to one thread at a time. There is no hidden thread:
// bytes move only inside Send..., Flush and Wait.
//
// Views (string_view, span) in arguments are read before the call returns. Results own what they
// hold. Times are Unix milliseconds. An empty namespace_name means "default".
//
// What each call does is said in docs/protocol.md, which this header follows name by name.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tokend::client {

// --- outcomes ---

struct Error {
  enum class Source : uint8_t {
    kServer,     // the server answered with this error
    kTransport,  // no answer: what was asked may have happened or not
    kCaller,     // never sent: an argument that cannot be put on the wire
  };
  Source source = Source::kTransport;
  // kServer: the code of docs/protocol.md. kTransport: "unreachable", "timeout", "closed" or
  // "bad_answer". kCaller: "bad_params".
  std::string code;
  std::string message;
  std::string id;  // of the token that is there, with "exists" and "revoked"
};

// A value or an Error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : outcome_(std::move(value)) {}
  Result(Error error) : outcome_(std::move(error)) {}

  bool ok() const { return outcome_.index() == 0; }
  explicit operator bool() const { return ok(); }
  // Require ok().
  T& operator*() & { return std::get<0>(outcome_); }
  const T& operator*() const& { return std::get<0>(outcome_); }
  T&& operator*() && { return std::get<0>(std::move(outcome_)); }
  T* operator->() { return &std::get<0>(outcome_); }
  const T* operator->() const { return &std::get<0>(outcome_); }
  // Requires !ok().
  const Error& error() const { return std::get<1>(outcome_); }

 private:
  std::variant<T, Error> outcome_;
};

struct Done {};  // the value of a call that has none

struct Verdict {
  enum class Kind : uint8_t { kValid, kInvalid, kCannotSay };
  Kind kind = Kind::kCannotSay;
  std::string reason;  // kInvalid: "unknown", "expired" or "revoked"; kCannotSay: "unavailable"
  // kValid only
  std::optional<uint64_t> expires_at_ms;  // nullopt = never
  std::optional<std::string> owner;
  std::vector<std::string> scopes;

  bool valid() const { return kind == Kind::kValid; }
  bool invalid() const { return kind == Kind::kInvalid; }
};

// A token's record. It never holds the token.
struct TokenInfo {
  std::string id;  // 24 hexadecimal digits
  std::string source_id;
  std::string namespace_name;
  std::optional<std::string> owner;
  std::optional<std::string> name;
  std::vector<std::string> scopes;
  uint64_t created_at_ms = 0;
  uint64_t updated_at_ms = 0;
  std::optional<uint64_t> expires_at_ms;  // nullopt = never
  std::optional<uint64_t> last_used_at_ms;
  uint64_t use_count = 0;
  std::string state;  // "active", "expired" or "revoked"
  uint64_t generation = 0;
  std::string attributes;  // an encoded MessagePack map, see MsgpackToJson; empty = none
};

struct TokenPage {
  std::vector<TokenInfo> items;
  std::string cursor;  // of the next page; empty = there is none
};

struct IssuedToken {
  std::string id;
  std::string token;  // shown this one time
  std::optional<uint64_t> expires_at_ms;
};

// A token that the server has kept sealed.
struct RevealedToken {
  std::string id;
  std::string token;
  std::optional<uint64_t> expires_at_ms;
  std::string key_id;  // by which key it was sealed
};

struct RekeyTotals {
  uint64_t resealed = 0;
  uint64_t unopened = 0;  // those whose key the server does not have
};

// One element of insert_many.
struct InsertOutcome {
  std::string id;  // when inserted
  std::optional<Error> error;
};

struct ImportTotals {
  uint64_t taken = 0, replaced = 0, unchanged = 0, refused = 0;
};

struct ServerInfo {
  std::string server, version;
  uint64_t protocol = 0;
  std::string limits;  // an encoded MessagePack map
};

struct BackupInfo {
  uint64_t id = 0;
  uint64_t bytes = 0;     // that a restore writes
  std::string directory;  // on the server's machine
};

struct ServerStats {
  std::string state;    // "loading", "ready" or "read_only"
  std::string encoded;  // all of it: an encoded MessagePack map, see MsgpackToJson
};

// --- what is asked ---

// A token as it is presented, or its key. A view: good for the call it is passed to.
struct Token {
  Token(std::string_view token) : bytes(token) {}
  Token(const std::string& token) : bytes(token) {}
  Token(const char* token) : bytes(token) {}
  // The 32 raw bytes of the token's digest, for callers that would rather not send the token.
  static Token Key(std::string_view raw) {
    Token token(raw);
    token.is_key = true;
    return token;
  }

  std::string_view bytes;
  bool is_key = false;
};

struct InsertRequest {
  Token token{std::string_view()};
  std::optional<uint64_t> expires_at_ms;  // nothing = never; excludes ttl_ms
  std::optional<uint64_t> ttl_ms;         // from the server's now
  std::optional<std::string> owner, name;
  std::vector<std::string> scopes;
  std::string namespace_name;
  std::string attributes;  // an encoded MessagePack map, see JsonToMsgpack; empty = none
  bool replace = false;
};

struct IssueRequest {
  std::optional<uint64_t> expires_at_ms;
  std::optional<uint64_t> ttl_ms;
  std::optional<std::string> owner, name;
  std::vector<std::string> scopes;
  std::string namespace_name;
  std::string attributes;
  std::string prefix;  // empty = "tk"
};

// What is nothing stays as it is.
struct UpdateRequest {
  std::string id;
  std::string namespace_name;
  std::optional<std::string> name;
  std::optional<std::vector<std::string>> scopes;
  std::optional<std::string> attributes;
  std::optional<uint64_t> expires_at_ms;  // excludes never_expires
  bool never_expires = false;
};

struct RotateRequest {
  Token token{std::string_view()};
  uint64_t overlap_ms = 0;  // for so long the old token stays good
  std::string prefix;
  std::optional<uint64_t> expires_at_ms;  // nothing and no ttl_ms: the old token's
  std::optional<uint64_t> ttl_ms;
  std::string namespace_name;
};

struct ListRequest {  // count takes the filters: everything but order, limit and cursor
  std::string namespace_name;
  std::optional<std::string> owner;
  std::string state;                          // "active", "expired", "revoked"; empty = any
  std::optional<uint64_t> expires_after_ms;   // inclusive
  std::optional<uint64_t> expires_before_ms;  // exclusive
  std::string order;                          // "key", "expires_at", "-expires_at"; empty = "key"
  std::optional<uint32_t> limit;              // 1 ... 1,000; nothing = 100
  std::string cursor;                         // of the page before; empty = from the start
};

struct ImportBeginRequest {
  std::string namespace_name;
  std::string scheme;     // "sha256", "sha256-after-bar", ...; empty = its own, else sha256
  std::string source;     // free text: what is imported
  std::string position;   // an encoded MessagePack map or string; empty = none
  bool stricter = false;  // of rows of one token the earlier expiry wins, whichever is later
  bool seal = false;      // an error where the server would not keep the tokens sealed
};

struct ImportRow {
  Token token{std::string_view()};
  std::optional<std::string_view> owner, name;
  std::vector<std::string_view> scopes;
  std::optional<uint64_t> expires_at_ms;  // nothing = never
  bool revoked = false;
  std::optional<uint64_t> created_at_ms, updated_at_ms, last_used_at_ms;
  uint64_t use_count = 0;
  std::string_view source_id;
  std::string_view attributes;  // an encoded MessagePack map; empty = none
};

// The rows of one import_rows call, encoded as they are added. Can be sent again, after "busy".
class ImportBatch {
 public:
  // kCaller where the row's key is not 32 bytes or its attributes are not one encoded value; the
  // batch is as before then.
  Result<Done> Add(const ImportRow& row);
  void Clear();
  size_t row_count() const { return row_count_; }
  size_t byte_count() const { return encoded_rows_.size(); }
  std::string_view encoded_rows() const { return encoded_rows_; }

 private:
  std::string encoded_rows_;
  size_t row_count_ = 0;
};

// --- the client ---

class Connection;  // the library's own

// An answer that is under way. If it is dropped unread, so is the answer when it comes; the request
// is not taken back. Good even after its Client is gone: it keeps the connection.
template <class T>
class [[nodiscard]] Pending {
 public:
  using Decode = Result<T> (*)(const Result<std::string>&);
  Pending(std::shared_ptr<Connection> connection, uint32_t msgid, Decode decode)
      : connection_(std::move(connection)), msgid_(msgid), decode_(decode) {}
  explicit Pending(Error error) : error_(std::move(error)) {}
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&& other) noexcept {
    Abandon();
    connection_ = std::move(other.connection_);
    msgid_ = other.msgid_;
    decode_ = other.decode_;
    error_ = std::move(other.error_);
    return *this;
  }
  ~Pending() { Abandon(); }

  // Sends what is queued and waits for this answer. Once.
  Result<T> Wait();

 private:
  void Abandon();

  std::shared_ptr<Connection> connection_;
  uint32_t msgid_ = 0;
  Decode decode_ = nullptr;
  Error error_{Error::Source::kCaller, "bad_params", "this answer was taken already", ""};
};

// Of addresses that begin with tls:. Files are PEM.
struct TlsOptions {
  std::string ca_file;           // whom to trust; empty = whom the system trusts
  std::string certificate_file;  // the client's own, where the server wants one
  std::string key_file;
  std::string server_name;  // whom the server's certificate must name; empty = HOST
};

// Timeouts beyond a year are taken as a year.
struct ClientOptions {
  TlsOptions tls;
  std::chrono::milliseconds connect_timeout{5000};
  // For one Wait, and for one write that the server does not take. After a timeout the connection
  // is still good; the late answer is dropped.
  std::chrono::milliseconds answer_timeout{30000};
  size_t answer_bytes_max = 64 << 20;
  // Queued requests are written once they are so many bytes, or at Flush or Wait.
  size_t flush_bytes = 64 << 10;
  // A Send... beyond so many unanswered requests waits for answers first.
  size_t in_flight_max = 10000;
};

class Client {
 public:
  // `address` is HOST:PORT, [IPV6]:PORT, tls:HOST:PORT (tls:[IPV6]:PORT) or unix:PATH. Asks nothing
  // of the server yet. A connection that has broken stays so: every call then gives the error that
  // broke it; connect anew.
  static Result<Client> Connect(std::string_view address, const ClientOptions& options = {});

  // Writes what is queued; kTransport where the server does not take it. What is still queued when
  // the Client and its Pendings go is never sent.
  Result<Done> Flush();
  bool connected() const;
  size_t in_flight() const;  // requests whose answer has not come
  void set_answer_timeout(std::chrono::milliseconds timeout);

  // An answer "unavailable" is a verdict: kCannotSay.
  Result<Verdict> Validate(Token token, std::string_view namespace_name = {}) {
    return SendValidate(token, namespace_name).Wait();
  }
  // In order. At most hello's limits.many tokens, as with every many.
  Result<std::vector<Verdict>> ValidateMany(std::span<const Token> tokens,
                                            std::string_view namespace_name = {}) {
    return SendValidateMany(tokens, namespace_name).Wait();
  }
  Result<std::string> Insert(const InsertRequest& request) { return SendInsert(request).Wait(); }
  Result<std::vector<InsertOutcome>> InsertMany(std::span<const InsertRequest> requests) {
    return SendInsertMany(requests).Wait();
  }
  Result<IssuedToken> Issue(const IssueRequest& request) { return SendIssue(request).Wait(); }
  // Whether it was live.
  Result<bool> Revoke(Token token, std::string_view namespace_name = {}) {
    return SendRevoke(token, namespace_name).Wait();
  }
  Result<bool> RevokeId(std::string_view id, std::string_view namespace_name = {}) {
    return SendRevokeId(id, namespace_name).Wait();
  }
  // How many were live.
  Result<uint64_t> RevokeOwner(std::string_view owner, std::string_view namespace_name = {}) {
    return SendRevokeOwner(owner, namespace_name).Wait();
  }
  // Whether it was live; nullopt = it shall never expire.
  Result<bool> Extend(Token token, std::optional<uint64_t> expires_at_ms,
                      std::string_view namespace_name = {}) {
    return SendExtend(token, expires_at_ms, namespace_name).Wait();
  }
  Result<bool> Update(const UpdateRequest& request) { return SendUpdate(request).Wait(); }
  // The old token has to be live.
  Result<IssuedToken> Rotate(const RotateRequest& request) { return SendRotate(request).Wait(); }
  Result<std::optional<TokenInfo>> Get(Token token, std::string_view namespace_name = {}) {
    return SendGet(token, namespace_name).Wait();
  }
  Result<std::optional<TokenInfo>> GetId(std::string_view id,
                                         std::string_view namespace_name = {}) {
    return SendGetId(id, namespace_name).Wait();
  }
  Result<TokenPage> List(const ListRequest& request) { return SendList(request).Wait(); }
  Result<uint64_t> Count(const ListRequest& filters) { return SendCount(filters).Wait(); }
  // The valid token that expires last of those that are sealed; of an owner, unless that is
  // nothing. nullopt where there is none.
  Result<std::optional<RevealedToken>> Reveal(std::optional<std::string_view> owner,
                                              std::string_view namespace_name = {}) {
    return SendReveal(owner, namespace_name).Wait();
  }
  Result<std::optional<RevealedToken>> RevealId(std::string_view id,
                                                std::string_view namespace_name = {}) {
    return SendRevealId(id, namespace_name).Wait();
  }
  // How many records were dropped.
  Result<uint64_t> PurgeExpired(uint64_t before_ms, std::string_view namespace_name = {}) {
    return SendPurgeExpired(before_ms, namespace_name).Wait();
  }
  // The import's id.
  Result<std::string> ImportBegin(const ImportBeginRequest& request) {
    return SendImportBegin(request).Wait();
  }
  Result<ImportTotals> ImportRows(std::string_view import_id, const ImportBatch& batch) {
    return SendImportRows(import_id, batch).Wait();
  }
  Result<ImportTotals> ImportEnd(std::string_view import_id) {
    return SendImportEnd(import_id).Wait();
  }
  // `name` and `version` are the caller's own, for the server's log.
  Result<ServerInfo> Hello(std::string_view name, std::string_view version) {
    return SendHello(name, version).Wait();
  }
  // Says which of the server's callers asks, from here on; see docs/access.md. `unauthenticated`
  // comes after a while.
  Result<ServerInfo> SignIn(std::string_view client_id, std::string_view client_secret) {
    return SendSignIn(client_id, client_secret).Wait();
  }
  Result<ServerStats> Stats() { return SendStats().Wait(); }
  Result<Done> Ping() { return SendPing().Wait(); }
  // Lets disk reclaiming take the gap between wall clock and its own clock over at once.
  Result<Done> ClockAccept() { return SendClockAccept().Wait(); }
  // Seals by the server's current key what others have sealed; an empty name means all namespaces.
  // Answered when it is done, which may take minutes: see ClientOptions::answer_timeout.
  Result<RekeyTotals> Rekey(std::string_view namespace_name = {}) {
    return SendRekey(namespace_name).Wait();
  }
  // Answered when it is whole, which may take minutes: see ClientOptions::answer_timeout.
  Result<BackupInfo> Backup() { return SendBackup().Wait(); }

  Pending<Verdict> SendValidate(Token token, std::string_view namespace_name = {});
  Pending<std::vector<Verdict>> SendValidateMany(std::span<const Token> tokens,
                                                 std::string_view namespace_name = {});
  Pending<std::string> SendInsert(const InsertRequest& request);
  Pending<std::vector<InsertOutcome>> SendInsertMany(std::span<const InsertRequest> requests);
  Pending<IssuedToken> SendIssue(const IssueRequest& request);
  Pending<bool> SendRevoke(Token token, std::string_view namespace_name = {});
  Pending<bool> SendRevokeId(std::string_view id, std::string_view namespace_name = {});
  Pending<uint64_t> SendRevokeOwner(std::string_view owner, std::string_view namespace_name = {});
  Pending<bool> SendExtend(Token token, std::optional<uint64_t> expires_at_ms,
                           std::string_view namespace_name = {});
  Pending<bool> SendUpdate(const UpdateRequest& request);
  Pending<IssuedToken> SendRotate(const RotateRequest& request);
  Pending<std::optional<TokenInfo>> SendGet(Token token, std::string_view namespace_name = {});
  Pending<std::optional<TokenInfo>> SendGetId(std::string_view id,
                                              std::string_view namespace_name = {});
  Pending<std::optional<RevealedToken>> SendReveal(std::optional<std::string_view> owner,
                                                   std::string_view namespace_name = {});
  Pending<std::optional<RevealedToken>> SendRevealId(std::string_view id,
                                                     std::string_view namespace_name = {});
  Pending<TokenPage> SendList(const ListRequest& request);
  Pending<uint64_t> SendCount(const ListRequest& filters);
  Pending<uint64_t> SendPurgeExpired(uint64_t before_ms, std::string_view namespace_name = {});
  Pending<std::string> SendImportBegin(const ImportBeginRequest& request);
  Pending<ImportTotals> SendImportRows(std::string_view import_id, const ImportBatch& batch);
  Pending<ImportTotals> SendImportEnd(std::string_view import_id);
  Pending<ServerInfo> SendHello(std::string_view name, std::string_view version);
  Pending<ServerInfo> SendSignIn(std::string_view client_id, std::string_view client_secret);
  Pending<ServerStats> SendStats();
  Pending<Done> SendPing();
  Pending<Done> SendClockAccept();
  Pending<RekeyTotals> SendRekey(std::string_view namespace_name = {});
  Pending<BackupInfo> SendBackup();

 private:
  explicit Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  std::shared_ptr<Connection> connection_;  // never null but in a Client that was moved from
};

// --- attributes ---

// JSON text of an encoded MessagePack value; "" for "". What JSON has no word for is told in text:
// binary as {"hex": ...}, map keys as strings, bytes that are not UTF-8 as U+FFFD.
std::string MsgpackToJson(std::string_view encoded);
// kCaller where the text is not JSON, with the place.
Result<std::string> JsonToMsgpack(std::string_view json);

// --- of Pending ---

Result<std::string> WaitFor(Connection& connection, uint32_t msgid);
void Abandon(Connection& connection, uint32_t msgid);

template <class T>
Result<T> Pending<T>::Wait() {
  if (connection_ == nullptr) return error_;
  std::shared_ptr<Connection> connection = std::move(connection_);
  return decode_(WaitFor(*connection, msgid_));
}

template <class T>
void Pending<T>::Abandon() {
  if (connection_ != nullptr) client::Abandon(*connection_, msgid_);
}

}  // namespace tokend::client
