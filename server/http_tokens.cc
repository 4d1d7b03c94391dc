// /v1: the tokens of an owner, for the settings page of an application. Each request becomes one of
// the methods of docs/protocol.md; docs/openapi.json says what there is.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "openapi_json.h"
#include "protocol/digest.h"
#include "protocol/issued_token.h"
#include "protocol/msgpack_json.h"
#include "protocol/params.h"
#include "protocol/url.h"
#include "server/context.h"
#include "server/http_connection.h"
#include "server/http_endpoints.h"
#include "server/http_json.h"
#include "server/wipe.h"

namespace tokend {
namespace {

using Json = nlohmann::json;
// By name; each once.
using Query = std::map<std::string, std::string, std::less<>>;

// As deep as a request's JSON may be: what becomes of it is read no deeper.
constexpr int kDepthMax = 16;
constexpr size_t kIdempotencyKeyBytesMax = 255;
// An id, a token, an expiry and their names.
constexpr size_t kCreatedBytesMax = 256;

std::string Encoded(const Json& params) {
  std::string encoded;
  Json::to_msgpack(params, nlohmann::detail::output_adapter<char>(encoded));
  return encoded;
}

void RespondWrong(HttpExchange& exchange, std::string_view detail) {
  RespondProblem(exchange, 400, ErrorCodeName(ErrorCode::kBadParams), detail);
}

// What a method has answered that did not succeed.
void RespondError(HttpExchange& exchange, const MethodAnswer& answer) {
  const ErrorCode code = answer.error.code();
  const auto respond = [&](unsigned status, std::string_view fields = {}) {
    RespondProblem(exchange, status, ErrorCodeName(code), answer.error.message(), fields);
  };
  switch (code) {
    case ErrorCode::kBadParams:
      return respond(400);
    case ErrorCode::kUnauthenticated:
      return respond(401, "WWW-Authenticate: Basic realm=\"tokend callers\"\r\n");
    case ErrorCode::kForbidden:
      return respond(403);
    case ErrorCode::kUnknownNamespace:
      return respond(404);
    case ErrorCode::kExists:
    case ErrorCode::kRevoked:
      return respond(409);
    case ErrorCode::kTooLarge:
      return respond(413);
    case ErrorCode::kMemoryLimit:
      return respond(507);
    case ErrorCode::kBusy:
    case ErrorCode::kReadOnly:
    case ErrorCode::kNotDurable:
    case ErrorCode::kUnavailable:
      return respond(503, kRetryAfter);
    default:
      return respond(500);
  }
}

void RespondNotThere(HttpExchange& exchange, std::string_view what) {
  RespondProblem(exchange, 404, "", what);
}

// --- requests ---

// False where it is answered: something else than `names`, or twice the same.
bool ReadQuery(HttpExchange& exchange, std::initializer_list<std::string_view> names,
               Query* query) {
  std::string_view rest = exchange.request().query;
  std::string name, value;
  bool malformed = false;
  while (NextFormField(&rest, &name, &value, &malformed)) {
    if (std::ranges::find(names, name) == names.end()) {
      RespondWrong(exchange, fmt::format("query: there is no parameter {}", QuoteName(name)));
      return false;
    }
    if (!query->emplace(name, value).second) {
      RespondWrong(exchange, fmt::format("{}: must be there once", name));
      return false;
    }
  }
  if (malformed) RespondWrong(exchange, "query: a percent sign must be followed by two digits");
  return !malformed;
}

std::string NamespaceOf(const HttpExchange& exchange, const Query& query) {
  if (const auto found = query.find("namespace"); found != query.end()) return found->second;
  // Who may use one namespace alone need not name it.
  return exchange.connection().caller().only_namespace().value_or(std::string(kDefaultNamespace));
}

// Adds a number of the query to the params. False where it is answered.
bool AddNumber(HttpExchange& exchange, const Query& query, const std::string& name, Json* params) {
  const auto found = query.find(name);
  if (found == query.end()) return true;
  uint64_t number = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    RespondWrong(exchange, fmt::format("{}: must be a whole number", name));
    return false;
  }
  (*params)[name] = number;
  return true;
}

// The body, which must be a JSON object with nothing but `names`. False where it is answered.
bool ReadBody(HttpExchange& exchange, std::initializer_list<std::string_view> names, Json* body) {
  if (!IsJson(exchange.request())) {
    RespondProblem(exchange, 415, ErrorCodeName(ErrorCode::kBadParams),
                   "Content-Type: must be application/json");
    return false;
  }
  bool too_deep = false;
  const auto check_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kDepthMax;
    return !too_deep;
  };
  *body = Json::parse(exchange.request().body, check_depth, /*allow_exceptions=*/false);
  if (too_deep || !body->is_object()) {
    RespondWrong(exchange, too_deep ? fmt::format("body: must be nested {} deep at most", kDepthMax)
                                    : "body: must be a JSON object");
    return false;
  }
  for (const auto& [name, value] : body->items()) {
    if (std::ranges::find(names, name) != names.end()) continue;
    RespondWrong(exchange, fmt::format("body: there is no field {}", QuoteName(name)));
    return false;
  }
  return true;
}

// The one token that a request is about.
struct OneToken {
  std::string id, namespace_name, owner;
};

// False where it is answered.
bool ReadOneToken(HttpExchange& exchange, OneToken* token) {
  Query query;
  if (!ReadQuery(exchange, {"owner", "namespace"}, &query)) return false;
  if (!query.contains("owner")) {
    RespondWrong(exchange, "owner: missing in the query");
    return false;
  }
  *token = {std::string(exchange.argument()), NamespaceOf(exchange, query), query["owner"]};
  return true;
}

// --- answers ---

// On a worker: attributes take what they take.
void RecordAsJson(std::string_view encoded, std::string* out) {
  (void)msgpack_io::AppendJson(encoded, out);  // our own bytes: a whole value
}

// The same, of list's {items, cursor}.
void PageAsJson(std::string_view encoded, std::string* out) {
  msgpack_io::Reader page(encoded);
  uint32_t entries = 0;
  std::string_view name, value;
  out->push_back('{');
  for (page.ReadMapHeader(&entries); entries > 0 && page.ReadStr(&name); --entries) {
    page.Skip(&value);
    out->append(name == "items" ? "\"items\":" : ",\"next_cursor\":");
    (void)msgpack_io::AppendJson(value, out);
  }
  out->push_back('}');
}

void RespondFound(HttpExchange& exchange, const MethodAnswer& answer) {
  if (!answer.error.ok()) return RespondError(exchange, answer);
  if (answer.result == "null") {
    return RespondNotThere(exchange, "this owner has no token of that id");
  }
  exchange.Respond({.content_type = kJsonType, .body = answer.result});
}

// Of an update or a revoke: whether it was live.
void RespondDone(HttpExchange& exchange, const MethodAnswer& answer) {
  if (!answer.error.ok()) return RespondError(exchange, answer);
  if (answer.result == "\xc3") {
    exchange.Respond({.status = 204, .content_type = {}});
  } else {
    RespondNotThere(exchange, "this owner has no live token of that id");
  }
}

void RespondCount(HttpExchange& exchange, const MethodAnswer& answer) {
  if (!answer.error.ok()) return RespondError(exchange, answer);
  uint64_t count = 0;
  msgpack_io::Reader(answer.result).ReadUint(&count);
  RespondJson(exchange, 200, Json{{"revoked", count}});
}

// A token that was made. It is in no other bytes than these and the connection's, which are wiped.
void RespondCreated(HttpExchange& exchange, std::string_view id_hex, SecretView token,
                    std::optional<uint64_t> expires_at_ms, bool is_repeated) {
  std::string body;
  body.reserve(kCreatedBytesMax);
  // None of them has anything to escape.
  fmt::format_to(std::back_inserter(body), R"({{"id":"{}","token":"{}","expires_at":{}}})", id_hex,
                 token.bytes(), expires_at_ms ? std::to_string(*expires_at_ms) : "null");
  const std::string fields = fmt::format("Location: /v1/tokens/{}\r\n{}", id_hex,
                                         is_repeated ? "Idempotent-Replayed: true\r\n" : "");
  exchange.Respond({.status = 201, .content_type = kJsonType, .body = body, .fields = fields});
  WipeAll(&body);
}

// Of issue: {id, token, expires_at}.
void RespondIssued(HttpExchange& exchange, const MethodAnswer& answer) {
  if (!answer.error.ok()) return RespondError(exchange, answer);
  msgpack_io::Reader reader(answer.result);
  uint32_t entries = 0;
  std::string_view name, id_hex, token;
  uint64_t expires_at_ms = 0;
  bool expires = false;
  for (reader.ReadMapHeader(&entries); entries > 0 && reader.ReadStr(&name); --entries) {
    if (name == "id") {
      reader.ReadStr(&id_hex);
    } else if (name == "token") {
      reader.ReadStr(&token);
    } else {
      expires = !reader.ReadNil() && reader.ReadUint(&expires_at_ms);
    }
  }
  RespondCreated(exchange, id_hex, SecretView(token),
                 expires ? std::optional(expires_at_ms) : std::nullopt,
                 /*is_repeated=*/false);
}

// Of a request with a key: `note` has its token and which request it is.
void RespondDerived(HttpExchange& exchange, const MethodAnswer& answer) {
  HttpExchange::Note& note = exchange.note();
  // It was made when this was asked before, and nobody was told.
  const bool is_repeated = answer.error.code() == ErrorCode::kExists;
  if (answer.error.ok() || is_repeated) {
    std::string_view id_hex = answer.id_hex;
    if (!is_repeated) msgpack_io::Reader(answer.result).ReadStr(&id_hex);
    exchange.server().idempotency.Settle({note.key.bytes}, note.number, id_hex);
    RespondCreated(exchange, id_hex, note.token, note.expires_at_ms, is_repeated);
  } else {
    RespondError(exchange, answer);
  }
  note.token.Wipe();
}

// Makes the token of this name, or shows it again. `params` are those of issue.
void CreateDerived(HttpExchange& exchange, std::string_view key, const Json& params) {
  const bool is_visible = std::ranges::all_of(key, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (key.empty() || key.size() > kIdempotencyKeyBytesMax || !is_visible) {
    RespondWrong(exchange, fmt::format("Idempotency-Key: must be 1 to {} visible characters",
                                       kIdempotencyKeyBytesMax));
    return;
  }
  InsertParams insert;
  const std::string encoded = Encoded(Json::array({params}));
  if (const Status status = DecodeIssue(encoded, &insert); !status.ok()) {
    RespondError(exchange, {status, {}, {}});
    return;
  }
  ServerContext& server = exchange.server();
  const auto name =
      Idempotency::NameOf(exchange.connection().caller().name(), insert.namespace_name, key);
  std::optional<uint64_t> expires_at_ms = insert.expires_at_ms;
  if (insert.ttl_ms) {
    const uint64_t now_ms = server.clock.NowMs();
    expires_at_ms = now_ms + std::min(*insert.ttl_ms, kTimeMsMax - now_ms);
  }
  const auto request = server.idempotency.Begin(name, encoded, expires_at_ms);
  if (!request) {
    RespondProblem(exchange, 422, "", "Idempotency-Key: was sent with another request before");
    return;
  }
  HttpExchange::Note& note = exchange.note();
  note.key = TokenKey{name.digest};
  note.number = request->number;
  note.expires_at_ms = request->expires_at_ms;
  note.token = server.idempotency.TokenOf(name, request->number, insert.prefix);
  if (!request->id_hex.empty()) {
    // As it was answered then, whatever has become of the token.
    RespondCreated(exchange, request->id_hex, note.token, request->expires_at_ms,
                   /*is_repeated=*/true);
    note.token.Wipe();
    return;
  }
  insert.token = {.is_key = false, .token = note.token, .key = {}};
  insert.ttl_ms.reset();
  insert.expires_at_ms = request->expires_at_ms;
  std::string encoded_insert;
  encoded_insert.reserve(encoded.size() + kCreatedBytesMax);
  msgpack_io::Writer writer(&encoded_insert);
  Encode(insert, &writer);
  exchange.Call("insert", encoded_insert, &RespondDerived);
  WipeAll(&encoded_insert);
}

}  // namespace

void HandleListTokens(HttpExchange& exchange) {
  Query query;
  if (!ReadQuery(exchange,
                 {"owner", "namespace", "state", "order", "limit", "cursor", "expires_after",
                  "expires_before"},
                 &query)) {
    return;
  }
  if (!query.contains("owner")) return RespondWrong(exchange, "owner: missing in the query");
  Json params{{"namespace", NamespaceOf(exchange, query)}};
  for (const char* const name : {"owner", "state", "order", "cursor"}) {
    if (const auto found = query.find(name); found != query.end()) params[name] = found->second;
  }
  for (const char* const name : {"limit", "expires_after", "expires_before"}) {
    if (!AddNumber(exchange, query, name, &params)) return;
  }
  exchange.Call("list", Encoded(Json::array({params})), &RespondFound, &PageAsJson);
}

void HandleCreateToken(HttpExchange& exchange) {
  Json body;
  if (!ReadBody(
          exchange,
          {"owner", "namespace", "name", "scopes", "attributes", "expires_at", "ttl_ms", "prefix"},
          &body)) {
    return;
  }
  if (!body.contains("owner") || body["owner"].is_null()) {
    return RespondWrong(exchange, "owner: missing");
  }
  if (!body.contains("namespace") || body["namespace"].is_null()) {
    body["namespace"] = NamespaceOf(exchange, {});
  }
  if (const HttpField* key = exchange.request().Find("Idempotency-Key")) {
    CreateDerived(exchange, key->value, body);
  } else {
    exchange.Call("issue", Encoded(Json::array({body})), &RespondIssued);
  }
}

void HandleGetToken(HttpExchange& exchange) {
  OneToken token;
  if (!ReadOneToken(exchange, &token)) return;
  const Json params{{"id", token.id}, {"namespace", token.namespace_name}};
  exchange.CallWithin(token.owner, "get", Encoded(Json::array({params})), &RespondFound,
                      &RecordAsJson);
}

void HandleUpdateToken(HttpExchange& exchange) {
  OneToken token;
  Json body;
  if (!ReadOneToken(exchange, &token) ||
      !ReadBody(exchange, {"name", "scopes", "attributes", "expires_at"}, &body)) {
    return;
  }
  for (const auto& [name, value] : body.items()) {
    // Nothing but an expiry can be taken away: to the method it would be as if it were not there.
    if (value.is_null() && name != "expires_at") {
      return RespondWrong(exchange, fmt::format("{}: must not be null", name));
    }
  }
  if (body.empty()) return RespondWrong(exchange, "body: names nothing to change");
  if (body.contains("expires_at") && body["expires_at"].is_null()) body["never_expires"] = true;
  body["id"] = token.id;
  body["namespace"] = token.namespace_name;
  exchange.CallWithin(token.owner, "update", Encoded(Json::array({body})), &RespondDone);
}

void HandleDeleteToken(HttpExchange& exchange) {
  OneToken token;
  if (!ReadOneToken(exchange, &token)) return;
  exchange.CallWithin(token.owner, "revoke_id",
                      Encoded(Json::array({token.id, token.namespace_name})), &RespondDone);
}

void HandleDeleteOwnersTokens(HttpExchange& exchange) {
  Query query;
  if (!ReadQuery(exchange, {"namespace"}, &query)) return;
  std::string owner;
  if (!PercentDecode(exchange.argument(), &owner)) {
    return RespondWrong(exchange, "owner: a percent sign must be followed by two digits");
  }
  exchange.Call("revoke_owner", Encoded(Json::array({owner, NamespaceOf(exchange, query)})),
                &RespondCount);
}

void HandleOpenApi(HttpExchange& exchange) {
  exchange.Respond({.content_type = kJsonType, .body = kOpenApiJson});
}

}  // namespace tokend
