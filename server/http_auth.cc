// /auth: what gateways ask about each request that they get. 200 with whose token it is, 401 or 403
// where it must not pass, and 503 where nobody can say: never a 401 for that.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "protocol/msgpack.h"
#include "protocol/url.h"
#include "server/answers.h"
#include "server/context.h"
#include "server/dispatcher.h"
#include "server/http_connection.h"
#include "server/http_endpoints.h"
#include "server/loop.h"

namespace tokend {
namespace {

constexpr std::string_view kPath = "/auth";
// Scopes that a token has and that stand for every other one.
constexpr std::string_view kAllScopes = "*";

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// "Bearer TOKEN" and "token TOKEN"; nullopt for any other scheme.
std::optional<SecretView> TokenOfAuthorization(std::string_view value) {
  for (const std::string_view scheme : {"bearer", "token"}) {
    if (!IsSameIgnoringCase(value.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = value.substr(scheme.size());
    if (rest.empty() || rest.starts_with(' ')) return SecretView(Trimmed(rest));
  }
  return std::nullopt;
}

std::optional<SecretView> TokenOfCookies(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    std::string_view cookie = Trimmed(TakePiece(&cookies, ';'));
    if (!cookie.starts_with(name) || cookie.substr(name.size(), 1) != "=") continue;
    cookie.remove_prefix(name.size() + 1);
    if (cookie.size() >= 2 && cookie.starts_with('"') && cookie.ends_with('"')) {
      cookie = cookie.substr(1, cookie.size() - 2);
    }
    return SecretView(cookie);
  }
  return std::nullopt;
}

// nullopt where no credentials came; an empty one is one that cannot be good.
std::optional<SecretView> TokenOf(const HttpRequest& request, const Config& config) {
  for (const HttpField& field : request.fields) {
    if (!IsSameIgnoringCase(field.name, "authorization")) continue;
    if (const auto token = TokenOfAuthorization(field.value)) return token;
  }
  if (!config.auth_token_header.empty()) {
    if (const HttpField* field = request.Find(config.auth_token_header))
      return SecretView(field->value);
  }
  if (config.auth_token_cookie.empty()) return std::nullopt;
  for (const HttpField& field : request.fields) {
    if (!IsSameIgnoringCase(field.name, "cookie")) continue;
    if (const auto token = TokenOfCookies(field.value, config.auth_token_cookie)) return token;
  }
  return std::nullopt;
}

// A path of "http://host/path?query" or "/path?query".
std::string_view PathOf(std::string_view uri) {
  if (const size_t scheme = uri.find("://"); !uri.starts_with('/') && scheme != uri.npos) {
    uri.remove_prefix(scheme + 3);
    uri.remove_prefix(std::min(uri.size(), uri.find_first_of("/?")));
    if (!uri.starts_with('/')) return "/";
  }
  return uri.substr(0, uri.find('?'));
}

void CannotSay(HttpExchange& exchange, std::string_view why) {
  const std::string body = fmt::format("{}\n", why);
  exchange.Respond({.status = 503, .body = body, .fields = kRetryAfter});
}

// What of a request decides how its token is judged.
struct Demand {
  std::string_view namespace_name;
  std::string named;   // by the query
  std::string scopes;  // separated by blanks
};

// Of "/auth?namespace=N&scope=A+B", which the gateway's own configuration has written. Behind a
// longer path stands the query of a client's request, which has no say.
bool ReadQuery(std::string_view query, Demand* demand, std::string* error) {
  std::string name, value;
  bool malformed = false;
  while (NextFormField(&query, &name, &value, &malformed)) {
    if (name == "namespace") {
      demand->named = value;
      demand->namespace_name = demand->named;
    } else if (name == "scope") {
      demand->scopes.append(demand->scopes.empty() ? "" : " ").append(value);
    } else {
      *error = fmt::format("{}: no such parameter of /auth, which has namespace and scope", name);
      return false;
    }
  }
  if (malformed) *error = "the query of /auth is not percent-encoded as it should be";
  return !malformed;
}

// False where it has answered already.
bool ReadDemand(HttpExchange& exchange, Demand* demand) {
  const Config& config = exchange.server().config;
  const HttpRequest& request = exchange.request();
  std::string_view path = request.path.substr(kPath.size());
  const bool has_path = !path.empty();
  if (!has_path && !config.auth_uri_header.empty()) {
    if (const HttpField* field = request.Find(config.auth_uri_header)) path = PathOf(field->value);
  }
  std::string_view host = request.host;
  if (!config.auth_host_header.empty()) {
    const HttpField* field = request.Find(config.auth_host_header);
    host = field == nullptr ? std::string_view() : field->value;
  }
  bool ambiguous = false;
  const RouteConfig* route = exchange.server().auth_routes.Find(host, path, &ambiguous);
  if (ambiguous) {
    exchange.Respond({.status = 403, .body = "the path can be understood in more than one way\n"});
    return false;
  }
  demand->namespace_name = config.auth_namespace;
  if (route != nullptr) {
    demand->namespace_name = route->namespace_name;
    for (const std::string& scope : route->scopes) {
      demand->scopes.append(demand->scopes.empty() ? "" : " ").append(scope);
    }
  }
  std::string error;
  if (!has_path && !request.query.empty() && !ReadQuery(request.query, demand, &error)) {
    CannotSay(exchange, error);
    return false;
  }
  if (!config.auth_scopes_required_header.empty()) {
    for (const HttpField& field : request.fields) {
      if (!IsSameIgnoringCase(field.name, config.auth_scopes_required_header)) continue;
      demand->scopes.append(demand->scopes.empty() ? "" : " ").append(field.value);
    }
  }
  return true;
}

// `error` is empty where no credentials came: RFC 6750 has none then.
void Deny(HttpExchange& exchange, unsigned status, std::string_view error,
          std::string_view scopes = {}) {
  std::string field =
      fmt::format("WWW-Authenticate: Bearer realm=\"{}\"", exchange.server().config.auth_realm);
  if (!error.empty()) fmt::format_to(std::back_inserter(field), ", error=\"{}\"", error);
  if (!scopes.empty()) {
    field.append(", scope=\"");
    while (!scopes.empty()) {
      AppendPercentEncoded(TakePiece(&scopes, ' '), &field);
      if (!scopes.empty()) field.push_back(' ');
    }
    field.push_back('"');
  }
  field.append("\r\n");
  exchange.Respond({.status = status, .content_type = {}, .fields = field});
}

bool HasScope(msgpack_io::Reader scopes, std::string_view wanted) {
  uint32_t count = 0;
  std::string_view scope;
  for (scopes.ReadArrayHeader(&count); count > 0 && scopes.ReadStr(&scope); --count) {
    if (scope == wanted || scope == kAllScopes) return true;
  }
  return false;
}

bool HasScopes(const msgpack_io::Reader& scopes, std::string_view wanted) {
  while (!wanted.empty()) {
    const std::string_view one = TakePiece(&wanted, ' ');
    if (!one.empty() && !HasScope(scopes, one)) return false;
  }
  return true;
}

// Each identity field is there, if only as an empty one: some gateways keep what a client has sent
// where there is none.
void Allow(HttpExchange& exchange, const VerdictView& verdict) {
  const Config& config = exchange.server().config;
  std::string fields;
  fields.reserve(256);
  const auto begin = [&](const std::string& name) {
    if (name.empty()) return false;
    fields.append(name).append(": ");
    return true;
  };
  if (begin(config.auth_owner_header)) {
    AppendPercentEncoded(verdict.owner.value_or(""), &fields);
    fields.append("\r\n");
  }
  if (begin(config.auth_scopes_header)) {
    msgpack_io::Reader scopes = verdict.scopes;
    uint32_t count = 0;
    std::string_view scope;
    bool first = true;
    for (scopes.ReadArrayHeader(&count); count > 0 && scopes.ReadStr(&scope); --count) {
      if (!first) fields.push_back(' ');
      first = false;
      AppendPercentEncoded(scope, &fields);
    }
    fields.append("\r\n");
  }
  if (begin(config.auth_expires_header)) {
    if (verdict.expires_at_ms) {
      fields.append(fmt::format_int(*verdict.expires_at_ms / 1000).c_str());
    }
    fields.append("\r\n");
  }
  if (begin(config.auth_id_header)) {
    fields.append(ToHex(TokenId::Of(exchange.note().key))).append("\r\n");
  }
  exchange.Respond({.content_type = {}, .fields = fields});
}

void Judge(HttpExchange& exchange, const MethodAnswer& answer) {
  if (!answer.error.ok()) {
    CannotSay(exchange, answer.error.message());
    return;
  }
  const std::optional<VerdictView> verdict = ReadVerdict(answer.result);
  if (!verdict) {
    CannotSay(exchange, "cannot be judged now");
  } else if (!verdict->is_valid) {
    Deny(exchange, 401, "invalid_token");
  } else if (!HasScopes(verdict->scopes, exchange.note().text)) {
    Deny(exchange, 403, "insufficient_scope", exchange.note().text);
  } else {
    Allow(exchange, *verdict);
  }
}

}  // namespace

void HandleAuth(HttpExchange& exchange) {
  Demand demand;
  if (!ReadDemand(exchange, &demand)) return;
  const auto token = TokenOf(exchange.request(), exchange.server().config);
  if (!token) {
    Deny(exchange, 401, {});
    return;
  }
  if (token->empty()) {
    Deny(exchange, 401, "invalid_token");
    return;
  }
  if (!exchange.connection().caller().MayUse(demand.namespace_name)) {
    exchange.connection().NoteRefusal("/auth", ErrorCode::kForbidden, demand.namespace_name);
    CannotSay(exchange, "this gateway may not ask about that namespace");
    return;
  }
  Dispatcher& dispatcher = exchange.loop().dispatcher();
  const Space* space = dispatcher.namespaces().Find(demand.namespace_name);
  if (space == nullptr) {
    CannotSay(exchange, UnknownNamespace(demand.namespace_name).message());
    return;
  }
  if (!space->has_keys()) {
    exchange.loop().counters().verdicts[static_cast<size_t>(Verdict::kUnavailable)].Add();
    CannotSay(exchange, MissingSecret(demand.namespace_name, *space).message());
    return;
  }
  exchange.note().key = dispatcher.KeyOf({.is_key = false, .token = *token, .key = {}}, *space);
  exchange.note().text.assign(demand.scopes);
  exchange.Validate(*space, exchange.note().key, &Judge);
}

}  // namespace tokend
