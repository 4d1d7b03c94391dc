// The parameters of each method, decoded and checked, and their encoders for clients.
//
// Decode* take the encoded params array of a frame and give kBadParams with a message that names
// the field and what it should be. nil and missing are the same, trailing optional parameters may
// be left out; surplus positions, unknown map keys and repeated map keys are errors that name them.
// Views point into the params given. Ranges and text rules of docs/protocol.md are checked here, so
// that what comes out is within every limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/msgpack.h"
#include "protocol/record.h"
#include "protocol/rpc.h"
#include "protocol/secret.h"
#include "protocol/token.h"

namespace tokend {

inline constexpr std::string_view kDefaultNamespace = "default";
inline constexpr size_t kNamespaceBytesMax = 255;
inline constexpr size_t kTextBytesMax = 1024;  // owner, name, source_id
inline constexpr size_t kScopesMax = 64;
inline constexpr size_t kScopeBytesMax = 128;
inline constexpr size_t kAttributesBytesMax = 4096;
inline constexpr size_t kCursorBytesMax = 4096;
inline constexpr size_t kListLimitDefault = 100;
inline constexpr size_t kListLimitMax = 1000;
inline constexpr int8_t kExtTokenKey = 1;

// A token as presented: the token itself, or its key (ext type 1).
struct TokenRef {
  bool is_key = false;
  SecretView token;  // when !is_key: 1 ... kTokenBytesMax bytes
  TokenKey key;      // when is_key
};

struct HelloParams {
  std::string_view client, version;
  // Who asks, where callers are configured; both or neither.
  std::string_view client_id;
  SecretView client_secret;
};

struct TokenParams {  // validate, revoke
  TokenRef token;
  std::string_view namespace_name = kDefaultNamespace;
};

struct TokensParams {  // validate_many
  std::vector<TokenRef> tokens;
  std::string_view namespace_name = kDefaultNamespace;
};

// The map of insert, and, without token and replace and with prefix, of issue.
struct InsertParams {
  TokenRef token;                         // unset for issue
  std::optional<uint64_t> expires_at_ms;  // absolute; excludes ttl_ms
  std::optional<uint64_t> ttl_ms;         // >= 1
  std::optional<std::string_view> owner;
  std::optional<std::string_view> name;
  std::vector<std::string_view> scopes;
  std::string_view namespace_name = kDefaultNamespace;
  std::string_view attributes;  // encoded map; empty = none
  std::string_view prefix;      // issue only; "tk" unless given
  bool replace = false;         // insert only
};

// An element of insert_many stands alone: a wrong one has an error and the others go on.
struct InsertElement {
  Status status;
  InsertParams insert;
};

struct IdParams {  // revoke_id, and the map form of get
  TokenId id;
  std::string_view namespace_name = kDefaultNamespace;
};

struct OwnerParams {  // revoke_owner
  std::string_view owner;
  std::string_view namespace_name = kDefaultNamespace;
};

struct ExtendParams {
  TokenRef token;
  uint64_t expires_at_ms = kNever;  // nil = never
  std::string_view namespace_name = kDefaultNamespace;
};

// Missing fields stay as they are; nil and missing are the same.
struct UpdateParams {
  TokenId id;
  std::string_view namespace_name = kDefaultNamespace;
  std::optional<std::string_view> name;
  std::optional<std::vector<std::string_view>> scopes;
  std::optional<std::string_view> attributes;
  std::optional<uint64_t> expires_at_ms;  // excludes never_expires
  bool never_expires = false;
};

struct RotateParams {
  TokenRef token;
  uint64_t overlap_ms = 0;
  std::string_view prefix;
  std::optional<uint64_t> expires_at_ms;
  std::optional<uint64_t> ttl_ms;
  std::string_view namespace_name = kDefaultNamespace;
};

struct GetParams {
  std::optional<TokenRef> token;  // else by id
  TokenId id;
  std::string_view namespace_name = kDefaultNamespace;
};

// The latest of the namespace's tokens, or of an owner's there, or the one of that id.
struct RevealParams {
  std::string_view namespace_name = kDefaultNamespace;
  std::optional<std::string_view> owner;
  std::optional<TokenId> id;  // excludes owner
};

enum class ListOrder : uint8_t { kKey, kExpiresAt, kExpiresAtDescending };
std::string_view ListOrderName(ListOrder order);  // "key", "expires_at", "-expires_at"

struct ListParams {  // list; count takes the filters alone
  std::string_view namespace_name = kDefaultNamespace;
  std::optional<std::string_view> owner;
  std::optional<TokenState> state;
  std::optional<uint64_t> expires_after_ms;   // inclusive
  std::optional<uint64_t> expires_before_ms;  // exclusive
  ListOrder order = ListOrder::kKey;
  uint32_t limit = kListLimitDefault;
  std::string_view cursor;  // empty = from the start
};

struct PurgeParams {
  uint64_t before_ms = 0;
  std::string_view namespace_name = kDefaultNamespace;
};

struct ImportBeginParams {
  std::string_view namespace_name = kDefaultNamespace;
  std::string_view scheme;    // name of a DigestScheme; empty = the namespace's own, else sha256
  std::string_view source;    // free text: what is imported; <= 1,024 bytes
  std::string_view position;  // encoded value (a map or str, <= 4 KiB) or empty
  bool stricter = false;      // merge "stricter": the earlier expiry wins, whichever row is later
  bool seal = false;          // an error where the namespace does not keep tokens sealed
};

struct ImportRow {
  TokenRef token;  // `key` (bin or ext 1 of 32 bytes) or `token`
  std::optional<std::string_view> owner;
  std::optional<std::string_view> name;
  std::vector<std::string_view> scopes;
  uint64_t expires_at_ms = kNever;
  bool revoked = false;  // state "revoked"; "active" and "expired" follow from expires_at
  std::optional<uint64_t> created_at_ms;
  std::optional<uint64_t> updated_at_ms;
  std::optional<uint64_t> last_used_at_ms;
  uint64_t use_count = 0;
  std::string_view source_id;
  std::string_view attributes;
};

struct ImportRowElement {
  Status status;  // a wrong row is refused and counted, the others go on
  ImportRow row;
};

struct ImportRowsParams {
  std::string_view import_id;
  std::vector<ImportRowElement> rows;
};

Status DecodeNoParams(std::string_view params);
Status DecodeHello(std::string_view params, HelloParams* out);  // ignores unknown keys
Status DecodeToken(std::string_view params, TokenParams* out);
Status DecodeTokens(std::string_view params, const RpcLimits& limits, TokensParams* out);
Status DecodeInsert(std::string_view params, InsertParams* out);
Status DecodeInsertMany(std::string_view params, const RpcLimits& limits,
                        std::vector<InsertElement>* out);
Status DecodeIssue(std::string_view params, InsertParams* out);
Status DecodeRevokeId(std::string_view params, IdParams* out);
Status DecodeRevokeOwner(std::string_view params, OwnerParams* out);
Status DecodeExtend(std::string_view params, ExtendParams* out);
Status DecodeUpdate(std::string_view params, UpdateParams* out);
Status DecodeRotate(std::string_view params, RotateParams* out);
Status DecodeGet(std::string_view params, GetParams* out);
Status DecodeReveal(std::string_view params, RevealParams* out);
// nullopt: all of them.
Status DecodeRekey(std::string_view params, std::optional<std::string_view>* namespace_name);
Status DecodeList(std::string_view params, ListParams* out);
Status DecodeCount(std::string_view params, ListParams* out);
Status DecodePurge(std::string_view params, PurgeParams* out);
Status DecodeImportBegin(std::string_view params, ImportBeginParams* out);
Status DecodeImportRows(std::string_view params, const RpcLimits& limits, ImportRowsParams* out);
Status DecodeImportEnd(std::string_view params, std::string_view* import_id);

// Encoders write the params array. What has its default is left out.
void EncodeTokenRef(const TokenRef& token, msgpack_io::Writer* out);
void Encode(const TokenParams& params, msgpack_io::Writer* out);
void Encode(const TokensParams& params, msgpack_io::Writer* out);
void Encode(const InsertParams& params, msgpack_io::Writer* out);  // insert
void EncodeIssue(const InsertParams& params, msgpack_io::Writer* out);
void EncodeInsertMany(const std::vector<InsertParams>& inserts, msgpack_io::Writer* out);
void Encode(const IdParams& params, msgpack_io::Writer* out);  // revoke_id
void Encode(const OwnerParams& params, msgpack_io::Writer* out);
void Encode(const ExtendParams& params, msgpack_io::Writer* out);
void Encode(const UpdateParams& params, msgpack_io::Writer* out);
void Encode(const RotateParams& params, msgpack_io::Writer* out);
void Encode(const GetParams& params, msgpack_io::Writer* out);
void Encode(const RevealParams& params, msgpack_io::Writer* out);
void Encode(const ListParams& params, msgpack_io::Writer* out);  // list
void EncodeCount(const ListParams& params, msgpack_io::Writer* out);
void Encode(const PurgeParams& params, msgpack_io::Writer* out);
void Encode(const ImportBeginParams& params, msgpack_io::Writer* out);
void EncodeImportRow(const ImportRow& row, msgpack_io::Writer* out);  // one element of the rows
void EncodeImportRows(std::string_view import_id, const std::vector<ImportRow>& rows,
                      msgpack_io::Writer* out);

}  // namespace tokend
