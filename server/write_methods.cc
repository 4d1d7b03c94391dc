// The methods that change state: each makes Mutations and is answered when they are done.
#include <strings.h>

#include <stdexcept>
#include <utility>

#include "protocol/issued_token.h"
#include "protocol/params.h"
#include "server/answers.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/loop.h"
#include "server/write_request.h"

namespace tokend {
namespace {

std::vector<std::string> Owned(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

std::optional<std::string> Owned(const std::optional<std::string_view>& view) {
  return view ? std::optional<std::string>(*view) : std::nullopt;
}

ExpirySpec Expiry(const std::optional<uint64_t>& expires_at_ms,
                  const std::optional<uint64_t>& ttl_ms) {
  if (expires_at_ms) return {ExpirySpec::Kind::kAt, *expires_at_ms};
  if (ttl_ms) return {ExpirySpec::Kind::kAfter, *ttl_ms};
  return {};
}

// Everything of an insert but its key.
void FillInsert(const InsertParams& params, InsertMutation* insert) {
  insert->expiry = Expiry(params.expires_at_ms, params.ttl_ms);
  insert->owner = Owned(params.owner);
  insert->name = Owned(params.name);
  insert->scopes = Owned(params.scopes);
  insert->attributes = std::string(params.attributes);
  insert->replace = params.replace;
}

// Adds nothing where the token can have no key.
Status AddInsert(Call& call, const InsertParams& params, WriteRequest* request) {
  TokenKey key;
  std::string sealed;
  Status status = call.Allow(params.namespace_name);
  if (status.ok()) status = call.AllowOwner(params.owner);
  if (status.ok()) status = MakeKey(call, params.token, params.namespace_name, &key);
  if (status.ok()) status = SealToken(call, params.token, params.namespace_name, key, &sealed);
  if (!status.ok()) return status;
  InsertMutation& insert = request->Add<InsertMutation>(params.namespace_name);
  insert.key = key;
  insert.sealed = std::move(sealed);
  insert.scheme = StatedScheme(params.token, SpaceOf(call, params.namespace_name).scheme);
  FillInsert(params, &insert);
  return status;
}

// The id of the token that is in the way, where the error has one.
std::string IdInTheWay(const Outcome& outcome) {
  const ErrorCode code = outcome.status.code();
  return code == ErrorCode::kExists || code == ErrorCode::kRevoked ? ToHex(outcome.id)
                                                                   : std::string();
}

// --- results ---

void WriteId(const WriteRequest& request, msgpack_io::Writer& out) {
  out.Str(ToHex(request.outcomes[0].id));
}

void WriteWasLive(const WriteRequest& request, msgpack_io::Writer& out) {
  out.Bool(request.outcomes[0].was_live);
}

void WriteCount(const WriteRequest& request, msgpack_io::Writer& out) {
  out.Uint(request.outcomes[0].count);
}

void WriteTrue(const WriteRequest&, msgpack_io::Writer& out) { out.Bool(true); }

void WriteIssued(const WriteRequest& request, msgpack_io::Writer& out) {
  const Outcome& outcome = request.outcomes[0];
  out.MapHeader(3);
  out.Str("id");
  out.Str(ToHex(outcome.id));
  out.Str("token");
  out.Str(request.issued_token.bytes());
  out.Str("expires_at");
  WriteExpiry(outcome.expires_at_ms, &out);
}

void WriteElements(const WriteRequest& request, msgpack_io::Writer& out) {
  out.ArrayHeader(static_cast<uint32_t>(request.element_errors.size()));
  auto outcome = request.outcomes.begin();
  for (const Status& error : request.element_errors) {
    if (!error.ok()) {
      WriteErrorMap(error, {}, &out);
      continue;
    }
    if (outcome->status.ok()) {
      out.Str(ToHex(outcome->id));
    } else {
      WriteErrorMap(outcome->status, IdInTheWay(*outcome), &out);
    }
    ++outcome;
  }
}

// A handler's frame: decode, fill one request, submit. `fill` gives an error where it cannot.
template <typename Params, typename Fill>
void HandleWrite(Call& call, Status (*decode)(std::string_view, Params*),
                 WriteRequest::EncodeResult encode, Fill&& fill) {
  Params params;
  auto request = std::make_unique<WriteRequest>(call, encode);
  Status status = decode(call.params, &params);
  if (status.ok()) status = call.Allow(params.namespace_name);
  if (status.ok()) status = fill(params, *request);
  if (status.ok()) {
    WriteRequest::Submit(call, std::move(request));
  } else {
    call.connection.AnswerError(call.tag, status);
  }
}

Status IssueToken(std::string_view prefix, Secret* token) {
  try {
    *token = MakeIssuedToken(prefix);
    return Status::Ok();
  } catch (const std::runtime_error& error) {
    return Status(ErrorCode::kInternal, error.what());
  }
}

}  // namespace

WriteRequest::~WriteRequest() = default;

void WriteRequest::Submit(Call& call, std::unique_ptr<WriteRequest> request) {
  std::unique_ptr<Submission> submission = std::move(request);
  const Status status = call.dispatcher.server().store.Submit(submission);
  if (status.ok()) {
    call.connection.RequestHandedOn();
  } else {
    call.connection.AnswerError(call.tag, status);
  }
}

void WriteRequest::Done(std::unique_ptr<Submission> self) {
  (void)self.release();
  request_.Post(std::unique_ptr<Completion>(this));
}

void WriteRequest::OnLoop(Loop& loop) {
  // Whether or not its connection is still there: others may bring the rows.
  if (opens_import != nullptr && outcomes[0].status.ok()) {
    opens_import->Add(outcomes[0].import_id, mutations[0].namespace_name);
  }
  if (ends_import != nullptr && outcomes[0].status.ok()) {
    ends_import->Remove(std::get<ImportEndMutation>(mutations[0].op).import_id);
  }
  AnswerOn(loop, request_.Return(loop));
}

void WriteRequest::AnswerOn(Loop& loop, Connection* connection) {
  const RequestTag& tag = request_.tag();
  if (tag.is_notification) {
    if (const Status status = FirstError(); !status.ok()) {
      loop.dispatcher().NotificationFailed(tag.method, status);
    }
    return;
  }
  if (connection == nullptr) return;
  const Status status = elements_stand_alone ? Status::Ok() : FirstError();
  if (status.ok()) {
    connection->Answer(tag, [&](msgpack_io::Writer& out) { encode_(*this, out); });
  } else {
    connection->AnswerError(tag, status, IdInTheWay(outcomes[0]));
  }
}

Status WriteRequest::FirstError() const {
  for (const Status& error : element_errors) {
    if (!error.ok()) return error;
  }
  for (const Outcome& outcome : outcomes) {
    if (!outcome.status.ok()) return outcome.status;
    if (must_be_live && !outcome.was_live) {
      return Status(ErrorCode::kBadParams, "token: must be live to be rotated");
    }
  }
  return Status::Ok();
}

Space SpaceOf(const Call& call, std::string_view namespace_name) {
  const Space* space = call.dispatcher.namespaces().Find(namespace_name);
  return space == nullptr ? Space() : *space;
}

Status MakeKey(const Call& call, const TokenRef& token, std::string_view namespace_name,
               TokenKey* key) {
  const Space space = SpaceOf(call, namespace_name);
  if (!token.is_key && !space.has_keys()) return MissingSecret(namespace_name, space);
  *key = call.dispatcher.KeyOf(token, space);
  return Status::Ok();
}

Status SealToken(const Call& call, const TokenRef& token, std::string_view namespace_name,
                 const TokenKey& key, std::string* sealed) {
  if (token.is_key || !SpaceOf(call, namespace_name).seals) return Status::Ok();
  const Sealer* const sealer = call.dispatcher.server().config.sealer.get();
  if (sealer == nullptr) return MissingSealKey(namespace_name);
  return sealer->Seal(namespace_name, key, token.token, sealed);
}

std::optional<DigestScheme> StatedScheme(const TokenRef& token, DigestScheme scheme) {
  return token.is_key ? std::nullopt : std::optional(scheme);
}

void HandleInsert(Call& call) {
  HandleWrite(call, &DecodeInsert, &WriteId,
              [&](const InsertParams& params, WriteRequest& request) {
                return AddInsert(call, params, &request);
              });
}

void HandleInsertMany(Call& call) {
  std::vector<InsertElement> elements;
  const Status status = DecodeInsertMany(call.params, call.dispatcher.server().limits, &elements);
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  auto request = std::make_unique<WriteRequest>(call, &WriteElements);
  request->elements_stand_alone = true;
  request->element_errors.reserve(elements.size());
  for (const InsertElement& element : elements) {
    Status error = element.status;
    if (error.ok()) error = AddInsert(call, element.insert, request.get());
    request->element_errors.push_back(std::move(error));
  }
  if (request->mutations.empty()) {
    request->AnswerOn(call.dispatcher.loop(), &call.connection);
  } else {
    WriteRequest::Submit(call, std::move(request));
  }
}

void HandleIssue(Call& call) {
  HandleWrite(call, &DecodeIssue, &WriteIssued,
              [&](const InsertParams& params, WriteRequest& request) {
                Status status = IssueToken(params.prefix, &request.issued_token);
                if (!status.ok()) return status;
                InsertParams insert = params;
                insert.token.token = request.issued_token;
                insert.replace = false;
                return AddInsert(call, insert, &request);
              });
}

void HandleRevoke(Call& call) {
  HandleWrite(call, &DecodeToken, &WriteWasLive,
              [&](const TokenParams& params, WriteRequest& request) {
                return MakeKey(call, params.token, params.namespace_name,
                               &request.Add<RevokeMutation>(params.namespace_name).key);
              });
}

void HandleRevokeId(Call& call) {
  HandleWrite(call, &DecodeRevokeId, &WriteWasLive,
              [&](const IdParams& params, WriteRequest& request) {
                request.Add<RevokeIdMutation>(params.namespace_name).id = params.id;
                return Status::Ok();
              });
}

void HandleRevokeOwner(Call& call) {
  HandleWrite(
      call, &DecodeRevokeOwner, &WriteCount, [&](const OwnerParams& params, WriteRequest& request) {
        request.Add<RevokeOwnerMutation>(params.namespace_name).owner = std::string(params.owner);
        return call.AllowOwner(params.owner);
      });
}

void HandleExtend(Call& call) {
  HandleWrite(call, &DecodeExtend, &WriteWasLive,
              [&](const ExtendParams& params, WriteRequest& request) {
                auto& extend = request.Add<ExtendMutation>(params.namespace_name);
                extend.expires_at_ms = params.expires_at_ms;
                return MakeKey(call, params.token, params.namespace_name, &extend.key);
              });
}

void HandleUpdate(Call& call) {
  HandleWrite(
      call, &DecodeUpdate, &WriteWasLive, [&](const UpdateParams& params, WriteRequest& request) {
        auto& update = request.Add<UpdateMutation>(params.namespace_name);
        update.id = params.id;
        update.name = Owned(params.name);
        if (params.scopes) update.scopes = Owned(*params.scopes);
        update.attributes = Owned(params.attributes);
        update.expires_at_ms = params.never_expires ? std::optional(kNever) : params.expires_at_ms;
        return Status::Ok();
      });
}

void HandleRotate(Call& call) {
  HandleWrite(
      call, &DecodeRotate, &WriteIssued, [&](const RotateParams& params, WriteRequest& request) {
        Status status = IssueToken(params.prefix, &request.issued_token);
        if (!status.ok()) return status;
        request.must_be_live = true;
        TokenRef fresh;
        fresh.token = request.issued_token;
        auto& rotate = request.Add<RotateMutation>(params.namespace_name);
        status = MakeKey(call, params.token, params.namespace_name, &rotate.old_key);
        if (!status.ok()) return status;
        status = MakeKey(call, fresh, params.namespace_name, &rotate.new_key);
        if (!status.ok()) return status;
        status = SealToken(call, fresh, params.namespace_name, rotate.new_key, &rotate.sealed);
        if (!status.ok()) return status;
        rotate.overlap_ms = params.overlap_ms;
        if (params.expires_at_ms || params.ttl_ms) {
          rotate.expiry = Expiry(params.expires_at_ms, params.ttl_ms);
        }
        return status;
      });
}

void HandlePurgeExpired(Call& call) {
  HandleWrite(
      call, &DecodePurge, &WriteCount, [&](const PurgeParams& params, WriteRequest& request) {
        request.Add<PurgeExpiredMutation>(params.namespace_name).before_ms = params.before_ms;
        return call.AllowAllOwners();
      });
}

void HandleClockAccept(Call& call) {
  Status status = DecodeNoParams(call.params);
  if (status.ok()) status = call.AllowEverywhere();
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  auto request = std::make_unique<WriteRequest>(call, &WriteTrue);
  request->Add<AcceptClockMutation>(kDefaultNamespace);
  WriteRequest::Submit(call, std::move(request));
}

}  // namespace tokend
