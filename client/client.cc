#include "client/client.h"

#include <algorithm>

#include "client/address.h"
#include "client/answers.h"
#include "client/connection.h"
#include "protocol/params.h"

namespace tokend::client {

namespace {

Error BadParams(std::string message) {
  return {Error::Source::kCaller, "bad_params", std::move(message), ""};
}

// A year, so that adding one to a time point never overflows.
std::chrono::milliseconds Bounded(std::chrono::milliseconds timeout) {
  return std::min(timeout, std::chrono::milliseconds(std::chrono::hours(24 * 365)));
}

std::string_view NamespaceOr(std::string_view name) {
  return name.empty() ? kDefaultNamespace : name;
}

std::optional<std::string_view> ViewOf(const std::optional<std::string>& text) {
  if (!text.has_value()) return std::nullopt;
  return std::string_view(*text);
}

std::vector<std::string_view> ViewsOf(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// Everything else about a token is the server's to check; a key alone has a fixed size here.
Result<TokenRef> RefOf(const Token& token) {
  TokenRef ref;
  ref.is_key = token.is_key;
  if (!token.is_key) {
    ref.token = SecretView(token.bytes);
    return ref;
  }
  if (token.bytes.size() != kTokenKeyBytes) {
    return BadParams("token: a key should be 32 bytes, not " + std::to_string(token.bytes.size()));
  }
  ref.key = TokenKey::FromBytes(token.bytes);
  return ref;
}

Result<TokenId> IdOf(std::string_view id) {
  std::optional<TokenId> parsed = ParseTokenId(id);
  if (!parsed.has_value()) return BadParams("id: should be 24 lower-case hexadecimal digits");
  return *parsed;
}

// Encoded bytes go into the frame as they are, so that they must be exactly one value.
std::optional<Error> CheckEncoded(std::string_view field, std::string_view encoded) {
  size_t size = 0;
  if (encoded.empty() || (msgpack_io::CheckValue(encoded, msgpack_io::kDepthMax, encoded.size(),
                                                 &size) == msgpack_io::CheckResult::kOk &&
                          size == encoded.size())) {
    return std::nullopt;
  }
  return BadParams(std::string(field) + ": should be one encoded MessagePack value");
}

// What insert and issue have in common. Views point into the request.
template <class Request>
Result<InsertParams> FieldsOf(const Request& request) {
  if (auto error = CheckEncoded("attributes", request.attributes)) return *error;
  InsertParams params;
  params.expires_at_ms = request.expires_at_ms;
  params.ttl_ms = request.ttl_ms;
  params.owner = ViewOf(request.owner);
  params.name = ViewOf(request.name);
  params.scopes = ViewsOf(request.scopes);
  params.namespace_name = NamespaceOr(request.namespace_name);
  params.attributes = request.attributes;
  return params;
}

Result<InsertParams> ParamsOf(const InsertRequest& request) {
  Result<TokenRef> ref = RefOf(request.token);
  if (!ref) return ref.error();
  Result<InsertParams> params = FieldsOf(request);
  if (!params) return params.error();
  params->token = *ref;
  params->replace = request.replace;
  return params;
}

Result<ListParams> ParamsOf(const ListRequest& request) {
  ListParams params;
  params.namespace_name = NamespaceOr(request.namespace_name);
  params.owner = ViewOf(request.owner);
  if (!request.state.empty()) {
    params.state = ParseTokenState(request.state);
    if (!params.state.has_value()) {
      return BadParams("state: should be \"active\", \"expired\" or \"revoked\"");
    }
  }
  params.expires_after_ms = request.expires_after_ms;
  params.expires_before_ms = request.expires_before_ms;
  if (request.order == "expires_at") {
    params.order = ListOrder::kExpiresAt;
  } else if (request.order == "-expires_at") {
    params.order = ListOrder::kExpiresAtDescending;
  } else if (!request.order.empty() && request.order != "key") {
    return BadParams("order: should be \"key\", \"expires_at\" or \"-expires_at\"");
  }
  params.limit = request.limit.value_or(kListLimitDefault);
  params.cursor = request.cursor;
  return params;
}

// Queues a request whose params array `encode` writes.
template <class T, class EncodeFn>
Pending<T> Send(const std::shared_ptr<Connection>& connection, std::string_view method,
                typename Pending<T>::Decode decode, EncodeFn encode) {
  uint32_t msgid = connection->Begin(method);
  encode(&connection->writer());
  connection->Queued();
  return Pending<T>(connection, msgid, decode);
}

template <class T, class Params>
Pending<T> SendParams(const std::shared_ptr<Connection>& connection, std::string_view method,
                      typename Pending<T>::Decode decode, const Params& params) {
  return Send<T>(connection, method, decode, [&](msgpack_io::Writer* out) { Encode(params, out); });
}

template <class T>
Pending<T> SendNothing(const std::shared_ptr<Connection>& connection, std::string_view method,
                       typename Pending<T>::Decode decode) {
  return Send<T>(connection, method, decode, [](msgpack_io::Writer* out) { out->ArrayHeader(0); });
}

}  // namespace

Result<Client> Client::Connect(std::string_view address, const ClientOptions& options) {
  Result<Address> parsed = ParseAddress(address);
  if (!parsed) return parsed.error();
  Result<int> fd = ConnectTo(*parsed, Bounded(options.connect_timeout));
  if (!fd) {
    Error error = fd.error();
    error.message = std::string(address) + ": " + error.message;
    return error;
  }
  auto connection = std::make_shared<Connection>(*fd, std::string(address), options);
  if (parsed->is_tls) {
    Result<Done> secured = connection->Secure(parsed->host, Bounded(options.connect_timeout));
    if (!secured) return secured.error();
  }
  Client client(std::move(connection));
  client.set_answer_timeout(options.answer_timeout);
  return client;
}

Result<Done> Client::Flush() { return connection_->Flush(); }
bool Client::connected() const { return !connection_->broken(); }
size_t Client::in_flight() const { return connection_->in_flight(); }
void Client::set_answer_timeout(std::chrono::milliseconds timeout) {
  connection_->set_answer_timeout(Bounded(timeout));
}

Pending<Verdict> Client::SendValidate(Token token, std::string_view namespace_name) {
  Result<TokenRef> ref = RefOf(token);
  if (!ref) return Pending<Verdict>(ref.error());
  return SendParams<Verdict>(connection_, "validate", DecodeVerdict,
                             TokenParams{*ref, NamespaceOr(namespace_name)});
}

Pending<std::vector<Verdict>> Client::SendValidateMany(std::span<const Token> tokens,
                                                       std::string_view namespace_name) {
  TokensParams params;
  params.namespace_name = NamespaceOr(namespace_name);
  params.tokens.reserve(tokens.size());
  for (const Token& token : tokens) {
    Result<TokenRef> ref = RefOf(token);
    if (!ref) return Pending<std::vector<Verdict>>(ref.error());
    params.tokens.push_back(*ref);
  }
  return SendParams<std::vector<Verdict>>(connection_, "validate_many", DecodeVerdicts, params);
}

Pending<std::string> Client::SendInsert(const InsertRequest& request) {
  Result<InsertParams> params = ParamsOf(request);
  if (!params) return Pending<std::string>(params.error());
  return SendParams<std::string>(connection_, "insert", DecodeStr, *params);
}

Pending<std::vector<InsertOutcome>> Client::SendInsertMany(
    std::span<const InsertRequest> requests) {
  std::vector<InsertParams> inserts;
  inserts.reserve(requests.size());
  for (const InsertRequest& request : requests) {
    Result<InsertParams> params = ParamsOf(request);
    if (!params) return Pending<std::vector<InsertOutcome>>(params.error());
    inserts.push_back(*std::move(params));
  }
  return Send<std::vector<InsertOutcome>>(
      connection_, "insert_many", DecodeInsertOutcomes,
      [&](msgpack_io::Writer* out) { EncodeInsertMany(inserts, out); });
}

Pending<IssuedToken> Client::SendIssue(const IssueRequest& request) {
  Result<InsertParams> params = FieldsOf(request);
  if (!params) return Pending<IssuedToken>(params.error());
  params->prefix = request.prefix;
  return Send<IssuedToken>(connection_, "issue", DecodeIssued,
                           [&](msgpack_io::Writer* out) { EncodeIssue(*params, out); });
}

Pending<bool> Client::SendRevoke(Token token, std::string_view namespace_name) {
  Result<TokenRef> ref = RefOf(token);
  if (!ref) return Pending<bool>(ref.error());
  return SendParams<bool>(connection_, "revoke", DecodeBool,
                          TokenParams{*ref, NamespaceOr(namespace_name)});
}

Pending<bool> Client::SendRevokeId(std::string_view id, std::string_view namespace_name) {
  Result<TokenId> parsed = IdOf(id);
  if (!parsed) return Pending<bool>(parsed.error());
  return SendParams<bool>(connection_, "revoke_id", DecodeBool,
                          IdParams{*parsed, NamespaceOr(namespace_name)});
}

Pending<uint64_t> Client::SendRevokeOwner(std::string_view owner, std::string_view namespace_name) {
  return SendParams<uint64_t>(connection_, "revoke_owner", DecodeUint,
                              OwnerParams{owner, NamespaceOr(namespace_name)});
}

Pending<bool> Client::SendExtend(Token token, std::optional<uint64_t> expires_at_ms,
                                 std::string_view namespace_name) {
  Result<TokenRef> ref = RefOf(token);
  if (!ref) return Pending<bool>(ref.error());
  return SendParams<bool>(
      connection_, "extend", DecodeBool,
      ExtendParams{*ref, expires_at_ms.value_or(kNever), NamespaceOr(namespace_name)});
}

Pending<bool> Client::SendUpdate(const UpdateRequest& request) {
  Result<TokenId> id = IdOf(request.id);
  if (!id) return Pending<bool>(id.error());
  if (request.attributes.has_value()) {
    if (auto error = CheckEncoded("attributes", *request.attributes)) return Pending<bool>(*error);
  }
  UpdateParams params;
  params.id = *id;
  params.namespace_name = NamespaceOr(request.namespace_name);
  params.name = ViewOf(request.name);
  if (request.scopes.has_value()) params.scopes = ViewsOf(*request.scopes);
  params.attributes = ViewOf(request.attributes);
  params.expires_at_ms = request.expires_at_ms;
  params.never_expires = request.never_expires;
  return SendParams<bool>(connection_, "update", DecodeBool, params);
}

Pending<IssuedToken> Client::SendRotate(const RotateRequest& request) {
  Result<TokenRef> ref = RefOf(request.token);
  if (!ref) return Pending<IssuedToken>(ref.error());
  RotateParams params;
  params.token = *ref;
  params.overlap_ms = request.overlap_ms;
  params.prefix = request.prefix;
  params.expires_at_ms = request.expires_at_ms;
  params.ttl_ms = request.ttl_ms;
  params.namespace_name = NamespaceOr(request.namespace_name);
  return SendParams<IssuedToken>(connection_, "rotate", DecodeIssued, params);
}

Pending<std::optional<TokenInfo>> Client::SendGet(Token token, std::string_view namespace_name) {
  Result<TokenRef> ref = RefOf(token);
  if (!ref) return Pending<std::optional<TokenInfo>>(ref.error());
  GetParams params;
  params.token = *ref;
  params.namespace_name = NamespaceOr(namespace_name);
  return SendParams<std::optional<TokenInfo>>(connection_, "get", DecodeRecord, params);
}

Pending<std::optional<TokenInfo>> Client::SendGetId(std::string_view id,
                                                    std::string_view namespace_name) {
  Result<TokenId> parsed = IdOf(id);
  if (!parsed) return Pending<std::optional<TokenInfo>>(parsed.error());
  GetParams params;
  params.id = *parsed;
  params.namespace_name = NamespaceOr(namespace_name);
  return SendParams<std::optional<TokenInfo>>(connection_, "get", DecodeRecord, params);
}

Pending<std::optional<RevealedToken>> Client::SendReveal(std::optional<std::string_view> owner,
                                                         std::string_view namespace_name) {
  RevealParams params;
  params.owner = owner;
  params.namespace_name = NamespaceOr(namespace_name);
  return SendParams<std::optional<RevealedToken>>(connection_, "reveal", DecodeRevealed, params);
}

Pending<std::optional<RevealedToken>> Client::SendRevealId(std::string_view id,
                                                           std::string_view namespace_name) {
  Result<TokenId> parsed = IdOf(id);
  if (!parsed) return Pending<std::optional<RevealedToken>>(parsed.error());
  RevealParams params;
  params.id = *parsed;
  params.namespace_name = NamespaceOr(namespace_name);
  return SendParams<std::optional<RevealedToken>>(connection_, "reveal", DecodeRevealed, params);
}

Pending<TokenPage> Client::SendList(const ListRequest& request) {
  Result<ListParams> params = ParamsOf(request);
  if (!params) return Pending<TokenPage>(params.error());
  return SendParams<TokenPage>(connection_, "list", DecodePage, *params);
}

Pending<uint64_t> Client::SendCount(const ListRequest& filters) {
  Result<ListParams> params = ParamsOf(filters);
  if (!params) return Pending<uint64_t>(params.error());
  return Send<uint64_t>(connection_, "count", DecodeUint,
                        [&](msgpack_io::Writer* out) { EncodeCount(*params, out); });
}

Pending<uint64_t> Client::SendPurgeExpired(uint64_t before_ms, std::string_view namespace_name) {
  return SendParams<uint64_t>(connection_, "purge_expired", DecodeUint,
                              PurgeParams{before_ms, NamespaceOr(namespace_name)});
}

Pending<std::string> Client::SendImportBegin(const ImportBeginRequest& request) {
  if (auto error = CheckEncoded("position", request.position)) return Pending<std::string>(*error);
  ImportBeginParams params;
  params.namespace_name = NamespaceOr(request.namespace_name);
  params.scheme = request.scheme;
  params.source = request.source;
  params.position = request.position;
  params.stricter = request.stricter;
  params.seal = request.seal;
  return SendParams<std::string>(connection_, "import_begin", DecodeStr, params);
}

Pending<ImportTotals> Client::SendImportRows(std::string_view import_id, const ImportBatch& batch) {
  return Send<ImportTotals>(connection_, "import_rows", DecodeImportTotals,
                            [&](msgpack_io::Writer* out) {
                              out->ArrayHeader(2);
                              out->Str(import_id);
                              out->ArrayHeader(static_cast<uint32_t>(batch.row_count()));
                              out->Raw(batch.encoded_rows());
                            });
}

Pending<ImportTotals> Client::SendImportEnd(std::string_view import_id) {
  return Send<ImportTotals>(connection_, "import_end", DecodeImportTotals,
                            [&](msgpack_io::Writer* out) {
                              out->ArrayHeader(1);
                              out->Str(import_id);
                            });
}

Pending<ServerInfo> Client::SendHello(std::string_view name, std::string_view version) {
  return Send<ServerInfo>(connection_, "hello", DecodeServerInfo, [&](msgpack_io::Writer* out) {
    out->ArrayHeader(1);
    out->MapHeader(2);
    out->Str("client");
    out->Str(name);
    out->Str("version");
    out->Str(version);
  });
}

Pending<ServerInfo> Client::SendSignIn(std::string_view client_id, std::string_view client_secret) {
  return Send<ServerInfo>(connection_, "hello", DecodeServerInfo, [&](msgpack_io::Writer* out) {
    out->ArrayHeader(1);
    out->MapHeader(2);
    out->Str("client_id");
    out->Str(client_id);
    out->Str("client_secret");
    out->Str(client_secret);
  });
}

Pending<ServerStats> Client::SendStats() {
  return SendNothing<ServerStats>(connection_, "stats", DecodeStats);
}

Pending<Done> Client::SendPing() { return SendNothing<Done>(connection_, "ping", DecodeDone); }

Pending<Done> Client::SendClockAccept() {
  return SendNothing<Done>(connection_, "clock_accept", DecodeDone);
}

Pending<RekeyTotals> Client::SendRekey(std::string_view namespace_name) {
  return Send<RekeyTotals>(connection_, "rekey", DecodeRekeyTotals, [&](msgpack_io::Writer* out) {
    out->ArrayHeader(namespace_name.empty() ? 0 : 1);
    if (!namespace_name.empty()) out->Str(namespace_name);
  });
}

Pending<BackupInfo> Client::SendBackup() {
  return SendNothing<BackupInfo>(connection_, "backup", DecodeBackupInfo);
}

Result<Done> ImportBatch::Add(const ImportRow& row) {
  Result<TokenRef> ref = RefOf(row.token);
  if (!ref) return ref.error();
  if (auto error = CheckEncoded("attributes", row.attributes)) return *error;
  tokend::ImportRow encoded;
  encoded.token = *ref;
  encoded.owner = row.owner;
  encoded.name = row.name;
  encoded.scopes = row.scopes;
  encoded.expires_at_ms = row.expires_at_ms.value_or(kNever);
  encoded.revoked = row.revoked;
  encoded.created_at_ms = row.created_at_ms;
  encoded.updated_at_ms = row.updated_at_ms;
  encoded.last_used_at_ms = row.last_used_at_ms;
  encoded.use_count = row.use_count;
  encoded.source_id = row.source_id;
  encoded.attributes = row.attributes;
  msgpack_io::Writer writer(&encoded_rows_);
  EncodeImportRow(encoded, &writer);
  ++row_count_;
  return Done();
}

void ImportBatch::Clear() {
  encoded_rows_.clear();
  row_count_ = 0;
}

}  // namespace tokend::client
