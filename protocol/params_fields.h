// How parameters are taken out of their encoding: shared by the decoders of all methods. Internal
// to the params files.
//
// Every Read* below reads one value that is there (not nil) and, where it is wrong, says so as
// "FIELD: must be ...". None of them ever puts the value itself into a message: it may be a token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "protocol/params.h"

namespace tokend::params_fields {

using msgpack_io::Reader;

inline constexpr std::string_view kTokenRule =
    "must be a str or bin of 1 to 65536 bytes, or ext type 1 of 32 bytes";
inline constexpr std::string_view kIdRule = "must be a str of 24 lower-case hex digits";
inline constexpr std::string_view kTextRule = "must be a str of valid UTF-8, at most 1024 bytes";
inline constexpr std::string_view kTimeRule =
    "must be an integer of Unix milliseconds, 0 to 9007199254740991";

// "FIELD: RULE"
Status Bad(std::string_view field, std::string_view rule);
// "FIELD: missing; RULE"
Status Missing(std::string_view field, std::string_view rule);

Status ReadToken(Reader& in, std::string_view field, TokenRef* out);
Status ReadId(Reader& in, std::string_view field, TokenId* out);
Status ReadNamespace(Reader& in, std::string_view field, std::string_view* out);
Status ReadText(Reader& in, std::string_view field, std::string_view* out);
Status ReadSecret(Reader& in, std::string_view field, SecretView* out);  // a text
Status ReadScopes(Reader& in, std::string_view field, std::vector<std::string_view>* out);
Status ReadAttributes(Reader& in, std::string_view field, std::string_view* out);
Status ReadPrefix(Reader& in, std::string_view field, std::string_view* out);
Status ReadTimeMs(Reader& in, std::string_view field, uint64_t* out);
Status ReadDurationMs(Reader& in, std::string_view field, uint64_t* out);  // 0 is allowed
Status ReadTtlMs(Reader& in, std::string_view field, uint64_t* out);       // 0 is not
Status ReadCount(Reader& in, std::string_view field, uint64_t* out);
Status ReadBool(Reader& in, std::string_view field, bool* out);
Status ReadState(Reader& in, std::string_view field, TokenState* out);

// The positions of a params array, from left to right.
class Positions {
 public:
  explicit Positions(std::string_view params) : in_(params) {}

  // Requires an array of `max` positions at the most; `usage` is how the method is called.
  Status Open(uint32_t max, std::string_view usage);

  // Moves to the next position. Whether a value is there: nil and missing are the same.
  bool Next() {
    if (left_ == 0) return false;
    --left_;
    return !in_.ReadNil();
  }
  Reader& in() { return in_; }
  const Reader& in() const { return in_; }

 private:
  Reader in_;
  uint32_t left_ = 0;
};

// The namespace at the next position, kDefaultNamespace where there is none.
Status ReadNamespaceAt(Positions& positions, std::string_view* out);

// One key of a map, and how its value is read into the parameters.
template <typename Params>
struct Field {
  std::string_view name;
  Status (*read)(Reader& in, std::string_view field, Params* out);
};

template <typename Value>
Value* ValueIn(Value& member) {
  return &member;
}
template <typename Value>
Value* ValueIn(std::optional<Value>& member) {
  return &member.emplace();
}

// A Field's `read` that puts what kRead takes into a member, optional or not.
template <auto kMember, auto kRead, typename Params>
Status Into(Reader& in, std::string_view field, Params* out) {
  return kRead(in, field, ValueIn(out->*kMember));
}

// The refusals of ReadMap. `what` says whose map it is, `known` lists its keys.
Status NotAMap(std::string_view what, std::string_view known);
Status KeyNotStr(std::string_view what);
Status UnknownKey(std::string_view what, std::string_view key, std::string_view known);
Status RepeatedKey(std::string_view what, std::string_view key);

enum class UnknownKeys : uint8_t { kRefuse, kIgnore };

// The place of the field of that name, or their number. Who writes a map by the same list gives its
// keys in this order: the search begins at `expected`.
template <typename Params>
size_t FindField(std::span<const Field<Params>> fields, std::string_view name, size_t expected) {
  for (size_t at = expected; at < fields.size(); ++at) {
    if (fields[at].name == name) return at;
  }
  for (size_t at = 0; at < expected; ++at) {
    if (fields[at].name == name) return at;
  }
  return fields.size();
}

// Reads a map by its fields, at most 32 of them, in the order in which the keys come.
template <typename Params>
Status ReadMap(Reader& in, std::string_view what, std::span<const Field<Params>> fields,
               Params* out, UnknownKeys unknown = UnknownKeys::kRefuse) {
  const auto known = [fields] {
    std::string names;
    for (const auto& field : fields) names.append(names.empty() ? "" : ", ").append(field.name);
    return names;
  };
  uint32_t count;
  if (!in.ReadMapHeader(&count)) return NotAMap(what, known());
  uint32_t seen = 0;
  size_t next = 0;
  for (uint32_t i = 0; i < count; ++i) {
    std::string_view key;
    const bool is_str = in.ReadStr(&key);
    const size_t at = is_str ? FindField(fields, key, next) : fields.size();
    if (at == fields.size()) {
      if (unknown == UnknownKeys::kIgnore && (is_str || in.Skip()) && in.Skip()) continue;
      return is_str ? UnknownKey(what, key, known()) : KeyNotStr(what);
    }
    if (seen >> at & 1) return RepeatedKey(what, key);
    seen |= uint32_t{1} << at;
    next = at + 1;
    if (in.ReadNil()) continue;
    Status status = fields[at].read(in, fields[at].name, out);
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

// Reads the header of the array of a _many: at most limits.many_max elements, else kTooLarge.
Status ReadManyHeader(Reader& in, std::string_view field, std::string_view rule,
                      const RpcLimits& limits, uint32_t* count);

// Reads an element that stands alone: what is wrong with it goes into *status, and the reader comes
// to stand behind it either way. Not ok only where its bytes end early.
template <typename Read>
Status ReadElement(Reader& in, Status* status, Read read) {
  const Reader start = in;
  *status = read(in);
  if (status->ok()) return Status::Ok();
  in = start;
  return in.Skip() ? Status::Ok() : Bad("params", "must be whole MessagePack");
}

}  // namespace tokend::params_fields
