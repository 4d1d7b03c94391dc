// Decoders of all methods but list, count and import. The checks come in one order: positions that
// are too many, then each position from left to right, in a map each key as it comes, and last what
// holds between fields.
#include <span>
#include <string>
#include <string_view>

#include "protocol/issued_token.h"
#include "protocol/params.h"
#include "protocol/params_fields.h"
#include "protocol/tokens_cursor.h"

namespace tokend {
namespace {

using namespace params_fields;

constexpr std::string_view kTokenUsage = "[token, namespace?]";

// insert takes the first nine, issue all but the first two.
constexpr Field<InsertParams> kInsertFields[] = {
    {"token", Into<&InsertParams::token, ReadToken>},
    {"replace", Into<&InsertParams::replace, ReadBool>},
    {"expires_at", Into<&InsertParams::expires_at_ms, ReadTimeMs>},
    {"ttl_ms", Into<&InsertParams::ttl_ms, ReadTtlMs>},
    {"owner", Into<&InsertParams::owner, ReadText>},
    {"name", Into<&InsertParams::name, ReadText>},
    {"scopes", Into<&InsertParams::scopes, ReadScopes>},
    {"namespace", Into<&InsertParams::namespace_name, ReadNamespace>},
    {"attributes", Into<&InsertParams::attributes, ReadAttributes>},
    {"prefix", Into<&InsertParams::prefix, ReadPrefix>},
};

constexpr Field<RotateParams> kRotateFields[] = {
    {"overlap_ms", Into<&RotateParams::overlap_ms, ReadDurationMs>},
    {"prefix", Into<&RotateParams::prefix, ReadPrefix>},
    {"expires_at", Into<&RotateParams::expires_at_ms, ReadTimeMs>},
    {"ttl_ms", Into<&RotateParams::ttl_ms, ReadTtlMs>},
};

// An id that may be missing until the whole map was read.
struct UpdateDraft : UpdateParams {
  std::optional<TokenId> id_read;
};

constexpr Field<UpdateDraft> kUpdateFields[] = {
    {"id", Into<&UpdateDraft::id_read, ReadId>},
    {"namespace", Into<&UpdateDraft::namespace_name, ReadNamespace>},
    {"name", Into<&UpdateDraft::name, ReadText>},
    {"scopes", Into<&UpdateDraft::scopes, ReadScopes>},
    {"attributes", Into<&UpdateDraft::attributes, ReadAttributes>},
    {"expires_at", Into<&UpdateDraft::expires_at_ms, ReadTimeMs>},
    {"never_expires", Into<&UpdateDraft::never_expires, ReadBool>},
};

struct GetDraft {
  std::optional<TokenId> id;
  std::string_view namespace_name = kDefaultNamespace;
};

constexpr Field<GetDraft> kGetFields[] = {
    {"id", Into<&GetDraft::id, ReadId>},
    {"namespace", Into<&GetDraft::namespace_name, ReadNamespace>},
};

constexpr Field<RevealParams> kRevealFields[] = {
    {"namespace", Into<&RevealParams::namespace_name, ReadNamespace>},
    {"owner", Into<&RevealParams::owner, ReadText>},
    {"id", Into<&RevealParams::id, ReadId>},
};

constexpr Field<HelloParams> kHelloFields[] = {
    {"client", Into<&HelloParams::client, ReadText>},
    {"version", Into<&HelloParams::version, ReadText>},
    {"client_id", Into<&HelloParams::client_id, ReadText>},
    {"client_secret", Into<&HelloParams::client_secret, ReadSecret>},
};

template <typename Params>
Status CheckExpiry(const Params& params) {
  if (!params.expires_at_ms || !params.ttl_ms) return Status::Ok();
  return Bad("expires_at", "must not be given together with ttl_ms");
}

Status ReadTokenAt(Positions& positions, TokenRef* out) {
  if (!positions.Next()) return Missing("token", kTokenRule);
  return ReadToken(positions.in(), "token", out);
}

Status ReadInsert(Reader& in, InsertParams* out) {
  const auto fields = std::span<const Field<InsertParams>>(kInsertFields).first(9);
  if (Status status = ReadMap(in, "insert", fields, out); !status.ok()) return status;
  if (!out->token.is_key && out->token.token.empty()) return Missing("token", kTokenRule);
  return CheckExpiry(*out);
}

}  // namespace

Status DecodeNoParams(std::string_view params) { return Positions(params).Open(0, "[]"); }

Status DecodeHello(std::string_view params, HelloParams* out) {
  *out = HelloParams();
  Positions positions(params);
  if (Status status = positions.Open(1, "[{client, version, ...}]"); !status.ok()) return status;
  if (!positions.Next()) return Status::Ok();
  Status status =
      ReadMap(positions.in(), "hello", std::span<const Field<HelloParams>>(kHelloFields), out,
              UnknownKeys::kIgnore);
  if (status.ok() && out->client_id.empty() != out->client_secret.empty()) {
    return Bad("client_id", "must be given together with client_secret");
  }
  return status;
}

Status DecodeToken(std::string_view params, TokenParams* out) {
  Positions positions(params);
  if (Status status = positions.Open(2, kTokenUsage); !status.ok()) return status;
  if (Status status = ReadTokenAt(positions, &out->token); !status.ok()) return status;
  return ReadNamespaceAt(positions, &out->namespace_name);
}

Status DecodeTokens(std::string_view params, const RpcLimits& limits, TokensParams* out) {
  out->tokens.clear();  // and keep what it has allocated: this is a hot path
  TokensCursor cursor(params);
  if (Status status = cursor.Open(limits); !status.ok()) return status;
  out->tokens.resize(cursor.left());
  for (TokenRef& token : out->tokens) {
    if (Status status = cursor.Next(&token); !status.ok()) return status;
  }
  return cursor.ReadNamespace(&out->namespace_name);
}

Status DecodeInsert(std::string_view params, InsertParams* out) {
  *out = InsertParams();
  Positions positions(params);
  if (Status status = positions.Open(1, "[{token, ...}]"); !status.ok()) return status;
  if (!positions.Next()) return Missing("token", kTokenRule);
  return ReadInsert(positions.in(), out);
}

Status DecodeInsertMany(std::string_view params, const RpcLimits& limits,
                        std::vector<InsertElement>* out) {
  static constexpr std::string_view kRule = "must be an array of maps as insert takes them";
  out->clear();
  Positions positions(params);
  if (Status status = positions.Open(1, "[[{token, ...}, ...]]"); !status.ok()) return status;
  if (!positions.Next()) return Missing("inserts", kRule);
  uint32_t count;
  if (Status status = ReadManyHeader(positions.in(), "inserts", kRule, limits, &count);
      !status.ok()) {
    return status;
  }
  out->resize(count);
  for (InsertElement& element : *out) {
    Status whole = ReadElement(positions.in(), &element.status,
                               [&](Reader& in) { return ReadInsert(in, &element.insert); });
    if (!whole.ok()) return whole;
  }
  return Status::Ok();
}

Status DecodeIssue(std::string_view params, InsertParams* out) {
  *out = InsertParams();
  out->prefix = kIssuedPrefixDefault;
  Positions positions(params);
  if (Status status = positions.Open(1, "[{owner, ..., prefix}]"); !status.ok()) return status;
  if (!positions.Next()) return Status::Ok();
  const auto fields = std::span<const Field<InsertParams>>(kInsertFields).subspan(2);
  if (Status status = ReadMap(positions.in(), "issue", fields, out); !status.ok()) return status;
  return CheckExpiry(*out);
}

Status DecodeRevokeId(std::string_view params, IdParams* out) {
  Positions positions(params);
  if (Status status = positions.Open(2, "[id, namespace?]"); !status.ok()) return status;
  if (!positions.Next()) return Missing("id", kIdRule);
  if (Status status = ReadId(positions.in(), "id", &out->id); !status.ok()) return status;
  return ReadNamespaceAt(positions, &out->namespace_name);
}

Status DecodeRevokeOwner(std::string_view params, OwnerParams* out) {
  Positions positions(params);
  if (Status status = positions.Open(2, "[owner, namespace?]"); !status.ok()) return status;
  if (!positions.Next()) return Missing("owner", kTextRule);
  if (Status status = ReadText(positions.in(), "owner", &out->owner); !status.ok()) return status;
  return ReadNamespaceAt(positions, &out->namespace_name);
}

Status DecodeExtend(std::string_view params, ExtendParams* out) {
  Positions positions(params);
  if (Status status = positions.Open(3, "[token, expires_at or nil, namespace?]"); !status.ok()) {
    return status;
  }
  if (Status status = ReadTokenAt(positions, &out->token); !status.ok()) return status;
  out->expires_at_ms = kNever;
  if (positions.Next()) {
    Status status = ReadTimeMs(positions.in(), "expires_at", &out->expires_at_ms);
    if (!status.ok()) return status;
  }
  return ReadNamespaceAt(positions, &out->namespace_name);
}

Status DecodeUpdate(std::string_view params, UpdateParams* out) {
  Positions positions(params);
  if (Status status = positions.Open(1, "[{id, ...}]"); !status.ok()) return status;
  if (!positions.Next()) return Missing("id", kIdRule);
  UpdateDraft draft;
  Status status =
      ReadMap(positions.in(), "update", std::span<const Field<UpdateDraft>>(kUpdateFields), &draft);
  if (!status.ok()) return status;
  if (!draft.id_read) return Missing("id", kIdRule);
  if (draft.expires_at_ms && draft.never_expires) {
    return Bad("expires_at", "must not be given together with never_expires");
  }
  draft.id = *draft.id_read;
  *out = static_cast<UpdateParams&&>(draft);
  return Status::Ok();
}

Status DecodeRotate(std::string_view params, RotateParams* out) {
  *out = RotateParams();
  out->prefix = kIssuedPrefixDefault;
  Positions positions(params);
  Status status =
      positions.Open(3, "[token, {overlap_ms, prefix, expires_at or ttl_ms}?, namespace?]");
  if (!status.ok()) return status;
  if (status = ReadTokenAt(positions, &out->token); !status.ok()) return status;
  if (positions.Next()) {
    status =
        ReadMap(positions.in(), "rotate", std::span<const Field<RotateParams>>(kRotateFields), out);
    if (!status.ok()) return status;
    if (status = CheckExpiry(*out); !status.ok()) return status;
  }
  return ReadNamespaceAt(positions, &out->namespace_name);
}

Status DecodeGet(std::string_view params, GetParams* out) {
  static constexpr std::string_view kUsage = "[token, namespace?] or [{id, namespace?}]";
  *out = GetParams();
  Positions positions(params);
  if (Status status = positions.Open(2, kUsage); !status.ok()) return status;
  if (!positions.Next()) return Missing("token", kTokenRule);
  if (positions.in().PeekType() != msgpack_io::Type::kMap) {
    Status status = ReadToken(positions.in(), "token", &out->token.emplace());
    if (!status.ok()) return status;
    return ReadNamespaceAt(positions, &out->namespace_name);
  }
  if (Status status = Positions(params).Open(1, kUsage); !status.ok()) return status;
  GetDraft draft;
  Status status =
      ReadMap(positions.in(), "get", std::span<const Field<GetDraft>>(kGetFields), &draft);
  if (!status.ok()) return status;
  if (!draft.id) return Missing("id", kIdRule);
  out->id = *draft.id;
  out->namespace_name = draft.namespace_name;
  return Status::Ok();
}

Status DecodeReveal(std::string_view params, RevealParams* out) {
  *out = RevealParams();
  Positions positions(params);
  Status status = positions.Open(1, "[{namespace, owner or id}]");
  if (!status.ok()) return status;
  if (!positions.Next()) return Status::Ok();
  status =
      ReadMap(positions.in(), "reveal", std::span<const Field<RevealParams>>(kRevealFields), out);
  if (status.ok() && out->owner && out->id) {
    return Bad("owner", "must not be given together with id");
  }
  return status;
}

Status DecodeRekey(std::string_view params, std::optional<std::string_view>* namespace_name) {
  namespace_name->reset();
  Positions positions(params);
  if (Status status = positions.Open(1, "[namespace?]"); !status.ok()) return status;
  if (!positions.Next()) return Status::Ok();
  return ReadNamespace(positions.in(), "namespace", &namespace_name->emplace());
}

Status DecodePurge(std::string_view params, PurgeParams* out) {
  Positions positions(params);
  if (Status status = positions.Open(2, "[before, namespace?]"); !status.ok()) return status;
  if (!positions.Next()) return Missing("before", kTimeRule);
  Status status = ReadTimeMs(positions.in(), "before", &out->before_ms);
  if (!status.ok()) return status;
  return ReadNamespaceAt(positions, &out->namespace_name);
}

}  // namespace tokend
