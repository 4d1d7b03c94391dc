// The client's side of params.h: what has its default is left out.
#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/issued_token.h"
#include "protocol/params.h"

namespace tokend {
namespace {

using msgpack_io::Writer;

// A map whose entries are counted as they are written: its head is one byte, patched at the end.
class Entries {
 public:
  explicit Entries(Writer* out) : out_(out), at_(out->out()->size()) { out->MapHeader(0); }
  ~Entries() {
    assert(count_ < 16);
    (*out_->out())[at_] = static_cast<char>(0x80 | count_);
  }
  Entries(const Entries&) = delete;
  Entries& operator=(const Entries&) = delete;

  // The writer to put the value of `key` into.
  Writer& Key(std::string_view key) {
    ++count_;
    out_->Str(key);
    return *out_;
  }

  void Text(std::string_view key, const std::optional<std::string_view>& text) {
    if (text) Key(key).Str(*text);
  }
  void Uint(std::string_view key, const std::optional<uint64_t>& value) {
    if (value) Key(key).Uint(*value);
  }
  void Namespace(std::string_view name) {
    if (name != kDefaultNamespace) Key("namespace").Str(name);
  }
  void Raw(std::string_view key, std::string_view encoded) {
    if (!encoded.empty()) Key(key).Raw(encoded);
  }
  void Prefix(std::string_view prefix) {
    if (!prefix.empty() && prefix != kIssuedPrefixDefault) Key("prefix").Str(prefix);
  }
  void Scopes(const std::vector<std::string_view>& scopes) {
    if (!scopes.empty()) AllScopes(scopes);
  }
  void AllScopes(const std::vector<std::string_view>& scopes) {
    Key("scopes").ArrayHeader(static_cast<uint32_t>(scopes.size()));
    for (const std::string_view scope : scopes) out_->Str(scope);
  }

 private:
  Writer* out_;
  size_t at_;
  unsigned count_ = 0;
};

// The array header of `required` positions and, unless it is the default, a namespace behind them.
void Header(uint32_t required, std::string_view namespace_name, Writer* out) {
  out->ArrayHeader(required + (namespace_name == kDefaultNamespace ? 0 : 1));
}

void Namespace(std::string_view namespace_name, Writer* out) {
  if (namespace_name != kDefaultNamespace) out->Str(namespace_name);
}

// What insert and issue share.
void CommonEntries(const InsertParams& params, Entries* entries) {
  entries->Uint("expires_at", params.expires_at_ms);
  entries->Uint("ttl_ms", params.ttl_ms);
  entries->Text("owner", params.owner);
  entries->Text("name", params.name);
  entries->Scopes(params.scopes);
  entries->Namespace(params.namespace_name);
  entries->Raw("attributes", params.attributes);
}

void InsertMap(const InsertParams& params, Writer* out) {
  Entries entries(out);
  EncodeTokenRef(params.token, &entries.Key("token"));
  CommonEntries(params, &entries);
  if (params.replace) entries.Key("replace").Bool(true);
}

void Filters(const ListParams& params, Entries* entries) {
  entries->Namespace(params.namespace_name);
  entries->Text("owner", params.owner);
  if (params.state) entries->Key("state").Str(TokenStateName(*params.state));
  entries->Uint("expires_after", params.expires_after_ms);
  entries->Uint("expires_before", params.expires_before_ms);
}

}  // namespace

// As bin, since a token need not be UTF-8.
void EncodeTokenRef(const TokenRef& token, Writer* out) {
  token.is_key ? out->Ext(kExtTokenKey, token.key.view()) : out->Bin(token.token.bytes());
}

void Encode(const TokenParams& params, Writer* out) {
  Header(1, params.namespace_name, out);
  EncodeTokenRef(params.token, out);
  Namespace(params.namespace_name, out);
}

void Encode(const TokensParams& params, Writer* out) {
  Header(1, params.namespace_name, out);
  out->ArrayHeader(static_cast<uint32_t>(params.tokens.size()));
  for (const TokenRef& token : params.tokens) EncodeTokenRef(token, out);
  Namespace(params.namespace_name, out);
}

void Encode(const InsertParams& params, Writer* out) {
  out->ArrayHeader(1);
  InsertMap(params, out);
}

void EncodeIssue(const InsertParams& params, Writer* out) {
  out->ArrayHeader(1);
  Entries entries(out);
  CommonEntries(params, &entries);
  entries.Prefix(params.prefix);
}

void EncodeInsertMany(const std::vector<InsertParams>& inserts, Writer* out) {
  out->ArrayHeader(1);
  out->ArrayHeader(static_cast<uint32_t>(inserts.size()));
  for (const InsertParams& params : inserts) InsertMap(params, out);
}

void Encode(const IdParams& params, Writer* out) {
  Header(1, params.namespace_name, out);
  out->Str(ToHex(params.id));
  Namespace(params.namespace_name, out);
}

void Encode(const OwnerParams& params, Writer* out) {
  Header(1, params.namespace_name, out);
  out->Str(params.owner);
  Namespace(params.namespace_name, out);
}

void Encode(const ExtendParams& params, Writer* out) {
  Header(2, params.namespace_name, out);
  EncodeTokenRef(params.token, out);
  params.expires_at_ms == kNever ? out->Nil() : out->Uint(params.expires_at_ms);
  Namespace(params.namespace_name, out);
}

void Encode(const UpdateParams& params, Writer* out) {
  out->ArrayHeader(1);
  Entries entries(out);
  entries.Key("id").Str(ToHex(params.id));
  entries.Namespace(params.namespace_name);
  entries.Text("name", params.name);
  if (params.scopes) entries.AllScopes(*params.scopes);  // none is a change too
  if (params.attributes) entries.Raw("attributes", *params.attributes);
  entries.Uint("expires_at", params.expires_at_ms);
  if (params.never_expires) entries.Key("never_expires").Bool(true);
}

void Encode(const RotateParams& params, Writer* out) {
  Header(2, params.namespace_name, out);
  EncodeTokenRef(params.token, out);
  {
    Entries entries(out);
    if (params.overlap_ms > 0) entries.Key("overlap_ms").Uint(params.overlap_ms);
    entries.Prefix(params.prefix);
    entries.Uint("expires_at", params.expires_at_ms);
    entries.Uint("ttl_ms", params.ttl_ms);
  }
  Namespace(params.namespace_name, out);
}

void Encode(const GetParams& params, Writer* out) {
  if (params.token) {
    Encode(TokenParams{*params.token, params.namespace_name}, out);
    return;
  }
  out->ArrayHeader(1);
  Entries entries(out);
  entries.Key("id").Str(ToHex(params.id));
  entries.Namespace(params.namespace_name);
}

void Encode(const RevealParams& params, Writer* out) {
  out->ArrayHeader(1);
  Entries entries(out);
  entries.Namespace(params.namespace_name);
  entries.Text("owner", params.owner);
  if (params.id) entries.Key("id").Str(ToHex(*params.id));
}

void Encode(const ListParams& params, Writer* out) {
  out->ArrayHeader(1);
  Entries entries(out);
  Filters(params, &entries);
  if (params.order != ListOrder::kKey) entries.Key("order").Str(ListOrderName(params.order));
  if (params.limit != kListLimitDefault) entries.Key("limit").Uint(params.limit);
  if (!params.cursor.empty()) entries.Key("cursor").Str(params.cursor);
}

void EncodeCount(const ListParams& params, Writer* out) {
  out->ArrayHeader(1);
  Entries entries(out);
  Filters(params, &entries);
}

void Encode(const PurgeParams& params, Writer* out) {
  Header(1, params.namespace_name, out);
  out->Uint(params.before_ms);
  Namespace(params.namespace_name, out);
}

void Encode(const ImportBeginParams& params, Writer* out) {
  out->ArrayHeader(1);
  Entries entries(out);
  entries.Namespace(params.namespace_name);
  if (!params.scheme.empty()) entries.Key("scheme").Str(params.scheme);
  if (!params.source.empty()) entries.Key("source").Str(params.source);
  entries.Raw("position", params.position);
  if (params.stricter) entries.Key("merge").Str("stricter");
  if (params.seal) entries.Key("seal").Bool(true);
}

void EncodeImportRow(const ImportRow& row, Writer* out) {
  Entries entries(out);
  EncodeTokenRef(row.token, &entries.Key(row.token.is_key ? "key" : "token"));
  entries.Text("owner", row.owner);
  entries.Text("name", row.name);
  entries.Scopes(row.scopes);
  if (row.expires_at_ms != kNever) entries.Key("expires_at").Uint(row.expires_at_ms);
  if (row.revoked) entries.Key("state").Str(TokenStateName(TokenState::kRevoked));
  entries.Uint("created_at", row.created_at_ms);
  entries.Uint("updated_at", row.updated_at_ms);
  entries.Uint("last_used_at", row.last_used_at_ms);
  if (row.use_count > 0) entries.Key("use_count").Uint(row.use_count);
  if (!row.source_id.empty()) entries.Key("source_id").Str(row.source_id);
  entries.Raw("attributes", row.attributes);
}

void EncodeImportRows(std::string_view import_id, const std::vector<ImportRow>& rows, Writer* out) {
  out->ArrayHeader(2);
  out->Str(import_id);
  out->ArrayHeader(static_cast<uint32_t>(rows.size()));
  for (const ImportRow& row : rows) EncodeImportRow(row, out);
}

}  // namespace tokend
