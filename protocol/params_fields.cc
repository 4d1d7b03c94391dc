#include "protocol/params_fields.h"

#include "protocol/issued_token.h"

namespace tokend::params_fields {
namespace {

bool ReadUtf8(Reader& in, size_t bytes_min, size_t bytes_max, std::string_view* out) {
  return in.ReadStr(out) && out->size() >= bytes_min && out->size() <= bytes_max &&
         msgpack_io::IsValidUtf8(*out);
}

bool ReadRange(Reader& in, uint64_t min, uint64_t max, uint64_t* out) {
  return in.ReadUint(out) && *out >= min && *out <= max;
}

// U+0000 to U+001F, U+007F, and U+0080 to U+009F, which UTF-8 writes as C2 80 to C2 9F. Requires
// valid UTF-8.
bool HasControlCharacter(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && static_cast<uint8_t>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

Status BadParams(std::string message) { return Status(ErrorCode::kBadParams, std::move(message)); }

}  // namespace

Status Bad(std::string_view field, std::string_view rule) {
  return BadParams(std::string(field).append(": ").append(rule));
}

Status Missing(std::string_view field, std::string_view rule) {
  return BadParams(std::string(field).append(": missing; ").append(rule));
}

Status ReadToken(Reader& in, std::string_view field, TokenRef* out) {
  int8_t type;
  std::string_view bytes;
  if (in.ReadStr(&bytes) || in.ReadBin(&bytes)) {
    if (bytes.empty() || bytes.size() > kTokenBytesMax) return Bad(field, kTokenRule);
    out->is_key = false;
    out->token = SecretView(bytes);
    return Status::Ok();
  }
  if (in.ReadExt(&type, &bytes) && type == kExtTokenKey && bytes.size() == kTokenKeyBytes) {
    out->is_key = true;
    out->key = TokenKey::FromBytes(bytes);
    return Status::Ok();
  }
  return Bad(field, kTokenRule);
}

Status ReadId(Reader& in, std::string_view field, TokenId* out) {
  std::string_view hex;
  if (!in.ReadStr(&hex)) return Bad(field, kIdRule);
  const std::optional<TokenId> id = ParseTokenId(hex);
  if (!id) return Bad(field, kIdRule);
  *out = *id;
  return Status::Ok();
}

Status ReadNamespace(Reader& in, std::string_view field, std::string_view* out) {
  if (ReadUtf8(in, 1, kNamespaceBytesMax, out) && !HasControlCharacter(*out)) return Status::Ok();
  return Bad(field, "must be a str of valid UTF-8, 1 to 255 bytes, without control characters");
}

Status ReadText(Reader& in, std::string_view field, std::string_view* out) {
  return ReadUtf8(in, 0, kTextBytesMax, out) ? Status::Ok() : Bad(field, kTextRule);
}

Status ReadSecret(Reader& in, std::string_view field, SecretView* out) {
  std::string_view text;
  Status status = ReadText(in, field, &text);
  *out = SecretView(text);
  return status;
}

Status ReadScopes(Reader& in, std::string_view field, std::vector<std::string_view>* out) {
  uint32_t count;
  if (!in.ReadArrayHeader(&count) || count > kScopesMax) {
    return Bad(field, "must be an array of at most 64 str");
  }
  out->resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    if (!ReadUtf8(in, 1, kScopeBytesMax, &(*out)[i])) {
      return Bad(std::string(field) + "[" + std::to_string(i) + "]",
                 "must be a str of valid UTF-8, 1 to 128 bytes");
    }
  }
  return Status::Ok();
}

Status ReadAttributes(Reader& in, std::string_view field, std::string_view* out) {
  if (in.PeekType() == msgpack_io::Type::kMap && in.Skip(out) &&
      out->size() <= kAttributesBytesMax) {
    return Status::Ok();
  }
  return Bad(field, "must be a map of at most 4096 bytes when encoded");
}

Status ReadPrefix(Reader& in, std::string_view field, std::string_view* out) {
  if (in.ReadStr(out) && IsValidIssuedPrefix(*out)) return Status::Ok();
  return Bad(field, "must be a str of 1 to 20 characters out of A-Z, a-z and 0-9");
}

Status ReadTimeMs(Reader& in, std::string_view field, uint64_t* out) {
  return ReadRange(in, 0, kTimeMsMax, out) ? Status::Ok() : Bad(field, kTimeRule);
}

Status ReadDurationMs(Reader& in, std::string_view field, uint64_t* out) {
  if (ReadRange(in, 0, kTimeMsMax, out)) return Status::Ok();
  return Bad(field, "must be an integer of milliseconds, 0 to 9007199254740991");
}

Status ReadTtlMs(Reader& in, std::string_view field, uint64_t* out) {
  if (ReadRange(in, 1, kTimeMsMax, out)) return Status::Ok();
  return Bad(field, "must be an integer of milliseconds, 1 to 9007199254740991");
}

Status ReadCount(Reader& in, std::string_view field, uint64_t* out) {
  if (ReadRange(in, 0, kTimeMsMax, out)) return Status::Ok();
  return Bad(field, "must be an integer, 0 to 9007199254740991");
}

Status ReadBool(Reader& in, std::string_view field, bool* out) {
  return in.ReadBool(out) ? Status::Ok() : Bad(field, "must be true or false");
}

Status ReadState(Reader& in, std::string_view field, TokenState* out) {
  std::string_view name;
  if (in.ReadStr(&name)) {
    if (const std::optional<TokenState> state = ParseTokenState(name)) {
      *out = *state;
      return Status::Ok();
    }
  }
  return Bad(field, "must be \"active\", \"expired\" or \"revoked\"");
}

Status Positions::Open(uint32_t max, std::string_view usage) {
  uint32_t count;
  if (!in_.ReadArrayHeader(&count)) return Bad("params", "must be an array");
  if (count > max) {
    return BadParams("surplus parameter at position " + std::to_string(max + 1) +
                     ", counted from 1: the parameters are " + std::string(usage));
  }
  left_ = count;
  return Status::Ok();
}

Status ReadNamespaceAt(Positions& positions, std::string_view* out) {
  *out = kDefaultNamespace;
  return positions.Next() ? ReadNamespace(positions.in(), "namespace", out) : Status::Ok();
}

Status NotAMap(std::string_view what, std::string_view known) {
  return Bad(what, std::string("must be a map; known keys are ").append(known));
}

Status KeyNotStr(std::string_view what) {
  return BadParams(std::string("key in ").append(what).append(": must be a str"));
}

Status UnknownKey(std::string_view what, std::string_view key, std::string_view known) {
  std::string message = "unknown key " + QuoteName(key);
  return BadParams(message.append(" in ").append(what).append("; known keys are ").append(known));
}

Status RepeatedKey(std::string_view what, std::string_view key) {
  return BadParams("repeated key " + QuoteName(key) + " in " + std::string(what));
}

Status ReadManyHeader(Reader& in, std::string_view field, std::string_view rule,
                      const RpcLimits& limits, uint32_t* count) {
  if (!in.ReadArrayHeader(count)) return Bad(field, rule);
  if (*count <= limits.many_max) return Status::Ok();
  return Status(ErrorCode::kTooLarge, std::string(field) + ": must have at most " +
                                          std::to_string(limits.many_max) + " elements, not " +
                                          std::to_string(*count));
}

}  // namespace tokend::params_fields
