#include "protocol/tokens_cursor.h"

#include <string>

namespace tokend {

using params_fields::Bad;
using params_fields::kTokenRule;
using params_fields::Missing;

Status TokensCursor::Open(const RpcLimits& limits) {
  static constexpr std::string_view kRule = "must be an array of tokens";
  if (Status status = positions_.Open(2, "[[token, ...], namespace?]"); !status.ok()) return status;
  if (!positions_.Next()) return Missing("tokens", kRule);
  return params_fields::ReadManyHeader(positions_.in(), "tokens", kRule, limits, &count_);
}

Status TokensCursor::Next(TokenRef* token) {
  if (params_fields::ReadToken(positions_.in(), "token", token).ok()) {
    ++next_;
    return Status::Ok();
  }
  return Bad("tokens[" + std::to_string(next_) + "]", kTokenRule);
}

Status TokensCursor::ReadNamespace(std::string_view* name) {
  return params_fields::ReadNamespaceAt(positions_, name);
}

}  // namespace tokend
