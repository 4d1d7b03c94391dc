// import_begin, import_rows and import_end.
#include <span>
#include <string_view>

#include "protocol/digest.h"
#include "protocol/params.h"
#include "protocol/params_fields.h"

namespace tokend {
namespace {

using namespace params_fields;

constexpr std::string_view kImportIdRule = "must be the str that import_begin answered";

Status ReadScheme(Reader& in, std::string_view field, std::string_view* out) {
  if (in.ReadStr(out) && ParseDigestScheme(*out)) return Status::Ok();
  return Bad(field, "must be " + DigestSchemeNames());
}

Status ReadPosition(Reader& in, std::string_view field, std::string_view* out) {
  const msgpack_io::Type type = in.PeekType();
  if ((type == msgpack_io::Type::kMap || type == msgpack_io::Type::kStr) && in.Skip(out) &&
      out->size() <= kAttributesBytesMax) {
    return Status::Ok();
  }
  return Bad(field, "must be a map or a str of at most 4096 bytes when encoded");
}

Status ReadMerge(Reader& in, std::string_view field, bool* stricter) {
  std::string_view name;
  if (in.ReadStr(&name) && (name == "later" || name == "stricter")) {
    *stricter = name == "stricter";
    return Status::Ok();
  }
  return Bad(field, "must be \"later\" or \"stricter\"");
}

constexpr Field<ImportBeginParams> kBeginFields[] = {
    {"namespace", Into<&ImportBeginParams::namespace_name, ReadNamespace>},
    {"scheme", Into<&ImportBeginParams::scheme, ReadScheme>},
    {"source", Into<&ImportBeginParams::source, ReadText>},
    {"position", Into<&ImportBeginParams::position, ReadPosition>},
    {"merge", Into<&ImportBeginParams::stricter, ReadMerge>},
    {"seal", Into<&ImportBeginParams::seal, ReadBool>},
};

// A row and what its fields say that only matters until they are held against each other.
struct RowDraft : ImportRow {
  std::optional<TokenRef> token_read, key_read;
  TokenState state = TokenState::kActive;
};

Status ReadKey(Reader& in, std::string_view field, TokenRef* out) {
  std::string_view bytes;
  int8_t type = kExtTokenKey;
  if ((in.ReadBin(&bytes) || in.ReadExt(&type, &bytes)) && type == kExtTokenKey &&
      bytes.size() == kTokenKeyBytes) {
    out->is_key = true;
    out->key = TokenKey::FromBytes(bytes);
    return Status::Ok();
  }
  return Bad(field, "must be a bin or ext type 1 of 32 bytes");
}

constexpr Field<RowDraft> kRowFields[] = {
    {"key", Into<&RowDraft::key_read, ReadKey>},
    {"token", Into<&RowDraft::token_read, ReadToken>},
    {"owner", Into<&RowDraft::owner, ReadText>},
    {"name", Into<&RowDraft::name, ReadText>},
    {"scopes", Into<&RowDraft::scopes, ReadScopes>},
    {"expires_at", Into<&RowDraft::expires_at_ms, ReadTimeMs>},
    {"state", Into<&RowDraft::state, ReadState>},
    {"created_at", Into<&RowDraft::created_at_ms, ReadTimeMs>},
    {"updated_at", Into<&RowDraft::updated_at_ms, ReadTimeMs>},
    {"last_used_at", Into<&RowDraft::last_used_at_ms, ReadTimeMs>},
    {"use_count", Into<&RowDraft::use_count, ReadCount>},
    {"source_id", Into<&RowDraft::source_id, ReadText>},
    {"attributes", Into<&RowDraft::attributes, ReadAttributes>},
};

Status ReadRow(Reader& in, ImportRow* out) {
  RowDraft draft;
  Status status = ReadMap(in, "row", std::span<const Field<RowDraft>>(kRowFields), &draft);
  if (!status.ok()) return status;
  if (draft.key_read && draft.token_read) {
    return Bad("key", "must not be given together with token");
  }
  if (!draft.key_read && !draft.token_read) {
    return Missing("key", "must be given, or token in its place");
  }
  if (draft.state == TokenState::kExpired && draft.expires_at_ms == kNever) {
    // Without the time it would come in as a token that never expires.
    return Missing("expires_at", "must be given where state is \"expired\"");
  }
  draft.token = draft.key_read ? *draft.key_read : *draft.token_read;
  draft.revoked = draft.state == TokenState::kRevoked;
  *out = static_cast<ImportRow&&>(draft);
  return Status::Ok();
}

Status ReadImportId(Positions& positions, std::string_view* out) {
  if (!positions.Next()) return Missing("import id", kImportIdRule);
  if (ReadText(positions.in(), "import id", out).ok()) return Status::Ok();
  return Bad("import id", kImportIdRule);
}

}  // namespace

Status DecodeImportBegin(std::string_view params, ImportBeginParams* out) {
  *out = ImportBeginParams();
  Positions positions(params);
  Status status = positions.Open(1, "[{namespace, scheme, source, position, merge, seal}]");
  if (!status.ok()) return status;
  if (!positions.Next()) return Status::Ok();
  return ReadMap(positions.in(), "import_begin",
                 std::span<const Field<ImportBeginParams>>(kBeginFields), out);
}

Status DecodeImportRows(std::string_view params, const RpcLimits& limits, ImportRowsParams* out) {
  static constexpr std::string_view kRule = "must be an array of maps";
  out->rows.clear();
  Positions positions(params);
  if (Status status = positions.Open(2, "[import id, [{key or token, ...}, ...]]"); !status.ok()) {
    return status;
  }
  if (Status status = ReadImportId(positions, &out->import_id); !status.ok()) return status;
  if (!positions.Next()) return Missing("rows", kRule);
  uint32_t count;
  if (Status status = ReadManyHeader(positions.in(), "rows", kRule, limits, &count); !status.ok()) {
    return status;
  }
  out->rows.resize(count);
  for (ImportRowElement& element : out->rows) {
    Status whole = ReadElement(positions.in(), &element.status,
                               [&](Reader& in) { return ReadRow(in, &element.row); });
    if (!whole.ok()) return whole;
  }
  return Status::Ok();
}

Status DecodeImportEnd(std::string_view params, std::string_view* import_id) {
  Positions positions(params);
  if (Status status = positions.Open(1, "[import id]"); !status.ok()) return status;
  return ReadImportId(positions, import_id);
}

}  // namespace tokend
