#include "protocol/record.h"

#include <string_view>

namespace tokend {
namespace {

using msgpack_io::Writer;

void TextOrNil(const std::optional<std::string>& text, Writer* out) {
  text ? out->Str(*text) : out->Nil();
}

}  // namespace

std::string_view TokenStateName(TokenState state) {
  switch (state) {
    case TokenState::kActive:
      return "active";
    case TokenState::kExpired:
      return "expired";
    case TokenState::kRevoked:
      return "revoked";
  }
  return "unknown";
}

std::optional<TokenState> ParseTokenState(std::string_view name) {
  for (const TokenState state : {TokenState::kActive, TokenState::kExpired, TokenState::kRevoked}) {
    if (name == TokenStateName(state)) return state;
  }
  return std::nullopt;
}

void EncodeRecord(const Record& record, uint64_t now_ms, Writer* out) {
  out->MapHeader(14);
  out->Str("id");
  out->Str(ToHex(TokenId::Of(record.key)));
  out->Str("source_id");
  record.source_id.empty() ? out->Nil() : out->Str(record.source_id);
  out->Str("namespace");
  out->Str(record.namespace_name);
  out->Str("owner");
  TextOrNil(record.owner, out);
  out->Str("name");
  TextOrNil(record.name, out);
  out->Str("scopes");
  out->ArrayHeader(static_cast<uint32_t>(record.scopes.size()));
  for (const std::string& scope : record.scopes) out->Str(scope);
  out->Str("created_at");
  out->Uint(record.created_at_ms);
  out->Str("updated_at");
  out->Uint(record.updated_at_ms);
  out->Str("expires_at");
  record.expires_at_ms == kNever ? out->Nil() : out->Uint(record.expires_at_ms);
  out->Str("last_used_at");
  record.last_used_at_ms ? out->Uint(*record.last_used_at_ms) : out->Nil();
  out->Str("use_count");
  out->Uint(record.use_count);
  out->Str("state");
  out->Str(TokenStateName(record.StateAt(now_ms)));
  out->Str("generation");
  out->Uint(record.generation);
  out->Str("attributes");
  record.attributes.empty() ? out->Nil() : out->Raw(record.attributes);
}

}  // namespace tokend
