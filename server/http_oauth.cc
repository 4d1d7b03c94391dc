// POST /introspect (RFC 7662) and POST /revoke (RFC 7009).
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "protocol/msgpack.h"
#include "protocol/params.h"
#include "protocol/url.h"
#include "server/answers.h"
#include "server/context.h"
#include "server/dispatcher.h"
#include "server/http_connection.h"
#include "server/http_endpoints.h"
#include "server/http_json.h"
#include "server/loop.h"
#include "server/wipe.h"

namespace tokend {
namespace {

constexpr std::string_view kInactive = R"({"active":false})";

// The form of either request.
struct Form {
  Secret token;
  std::string namespace_name;
  bool has_token = false, has_namespace = false;
};

// The errors that RFC 6749 has for such endpoints.
void RespondError(HttpExchange& exchange, unsigned status, std::string_view error,
                  std::string_view description, std::string_view fields = {}) {
  const nlohmann::ordered_json body{{"error", error}, {"error_description", description}};
  RespondJson(exchange, status, body, fields);
}

void RespondCannotSay(HttpExchange& exchange, const Status& status) {
  RespondError(exchange, 503, "temporarily_unavailable", status.message(), kRetryAfter);
}

// False where it has answered.
bool ReadForm(HttpExchange& exchange, Form* form) {
  const HttpRequest& request = exchange.request();
  if (!IsForm(request)) {
    RespondError(exchange, 400, "invalid_request",
                 "Content-Type: must be application/x-www-form-urlencoded");
    return false;
  }
  std::string_view rest = request.body;
  std::string name, value;
  value.reserve(rest.size());  // so that no copies are left behind as it grows
  bool malformed = false, repeated = false;
  while (NextFormField(&rest, &name, &value, &malformed)) {
    if (name == "token") {
      repeated = repeated || form->has_token;
      form->has_token = true;
      form->token.mutable_bytes()->swap(value);
      value.reserve(request.body.size());
    } else if (name == "namespace") {
      repeated = repeated || form->has_namespace;
      form->has_namespace = true;
      form->namespace_name = value;
    }
  }
  WipeAll(&value);
  if (malformed || repeated || form->token.empty()) {
    RespondError(exchange, 400, "invalid_request",
                 malformed  ? "the body is not a form"
                 : repeated ? "token and namespace must be there once"
                            : "token: missing");
    return false;
  }
  // Who may use one namespace alone need not name it.
  const Caller& caller = exchange.connection().caller();
  if (!form->has_namespace) {
    form->namespace_name =
        caller.only_namespace().value_or(exchange.server().config.auth_namespace);
  }
  return true;
}

void RespondIntrospected(HttpExchange& exchange, const MethodAnswer& answer) {
  if (!answer.error.ok()) {
    RespondCannotSay(exchange, answer.error);
    return;
  }
  std::optional<VerdictView> verdict = ReadVerdict(answer.result);
  if (!verdict) {
    RespondCannotSay(exchange, Status(ErrorCode::kUnavailable, "cannot be judged now"));
    return;
  }
  if (!verdict->is_valid || !exchange.connection().caller().MayManage(verdict->owner)) {
    exchange.Respond({.content_type = kJsonType, .body = kInactive});
    return;
  }
  nlohmann::ordered_json body{{"active", true}, {"token_type", "Bearer"}};
  if (verdict->expires_at_ms) body["exp"] = *verdict->expires_at_ms / 1000;
  if (verdict->owner) body["sub"] = *verdict->owner;
  uint32_t count = 0;
  std::string_view text;
  std::string scopes;
  for (verdict->scopes.ReadArrayHeader(&count); count > 0 && verdict->scopes.ReadStr(&text);
       --count) {
    scopes.append(scopes.empty() ? "" : " ").append(text);
  }
  if (!scopes.empty()) body["scope"] = scopes;
  body["jti"] = ToHex(TokenId::Of(exchange.note().key));
  RespondJson(exchange, 200, body);
}

void RespondRevoked(HttpExchange& exchange, const MethodAnswer& answer) {
  switch (answer.error.code()) {
    case ErrorCode::kOk:
      exchange.Respond({.content_type = {}});
      return;
    case ErrorCode::kBadParams:
    case ErrorCode::kUnknownNamespace:
      RespondError(exchange, 400, "invalid_request", answer.error.message());
      return;
    case ErrorCode::kForbidden:
    case ErrorCode::kUnauthenticated:
      RespondError(exchange, 403, "unauthorized_client", answer.error.message());
      return;
    default:
      RespondCannotSay(exchange, answer.error);
  }
}

}  // namespace

void HandleIntrospect(HttpExchange& exchange) {
  Form form;
  if (!ReadForm(exchange, &form)) return;
  const bool is_allowed = exchange.connection().caller().MayUse(form.namespace_name);
  if (!is_allowed) {
    exchange.connection().NoteRefusal("/introspect", ErrorCode::kForbidden, form.namespace_name);
  }
  if (!is_allowed || form.token.size() > kTokenBytesMax) {
    exchange.Respond({.content_type = kJsonType, .body = kInactive});
    return;
  }
  Dispatcher& dispatcher = exchange.loop().dispatcher();
  const Space* space = dispatcher.namespaces().Find(form.namespace_name);
  if (space == nullptr) {
    RespondError(exchange, 400, "invalid_request", UnknownNamespace(form.namespace_name).message());
    return;
  }
  if (!space->has_keys()) {
    RespondCannotSay(exchange, MissingSecret(form.namespace_name, *space));
    return;
  }
  exchange.note().key = dispatcher.KeyOf({.is_key = false, .token = form.token, .key = {}}, *space);
  exchange.Validate(*space, exchange.note().key, &RespondIntrospected);
}

void HandleRevokeToken(HttpExchange& exchange) {
  Form form;
  if (!ReadForm(exchange, &form)) return;
  TokenParams params;
  params.token.token = form.token;
  params.namespace_name = form.namespace_name;
  std::string encoded;
  msgpack_io::Writer writer(&encoded);
  Encode(params, &writer);
  exchange.Call("revoke", encoded, &RespondRevoked);
  Wipe(encoded.data(), encoded.size());
}

}  // namespace tokend
