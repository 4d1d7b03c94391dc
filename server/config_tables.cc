#include "server/config_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "protocol/msgpack.h"
#include "protocol/params.h"
#include "protocol/url.h"

namespace tokend {
namespace {

// One table: what is asked for is what it may have.
class Table {
 public:
  Table(const std::string& path, std::string_view name, const toml::node& node)
      : path_(path), name_(name), node_(node), table_(node.as_table()) {
    if (table_ == nullptr) {
      status_ = AtLine(path, node, fmt::format("{0}: must be written as [[{0}]]", name));
    }
  }

  // The value, where the key is there. Texts are not empty and have no zero byte.
  void Text(std::string_view key, std::string* value) {
    const toml::node* node = Find(key);
    if (node == nullptr) return;
    const auto* text = node->as_string();
    if (text == nullptr) {
      Wrong(key, "must be a string");
    } else if (IsWhole(key, text->get())) {
      *value = text->get();
    }
  }
  void Texts(std::string_view key, std::vector<std::string>* values) {
    const toml::node* node = Find(key);
    if (node == nullptr) return;
    const toml::array* texts = node->as_array();
    if (texts == nullptr ||
        !std::ranges::all_of(*texts, [](const toml::node& one) { return one.is_string(); })) {
      Wrong(key, "must be an array of strings");
      return;
    }
    for (const toml::node& one : *texts) {
      const std::string& text = one.as_string()->get();
      if (IsWhole(key, text)) values->push_back(text);
    }
  }
  void Flag(std::string_view key, bool* value) {
    const toml::node* node = Find(key);
    if (node == nullptr) return;
    if (const auto* flag = node->as_boolean()) {
      *value = flag->get();
    } else {
      Wrong(key, "must be true or false");
    }
  }
  // A key that is there, or the whole table, is not as it should be.
  void Wrong(std::string_view key, std::string_view rule) {
    const toml::node* at = table_ == nullptr ? nullptr : table_->get(key);
    Fail(AtLine(path_, at == nullptr ? node_ : *at, fmt::format("{}: {}", key, rule)));
  }
  void Missing(std::string_view key) {
    Fail(AtLine(path_, node_, fmt::format("{}: missing in [[{}]]", key, name_)));
  }
  // The wire's own rule: as the parameter that it will be.
  void CheckNamespace(const std::string& value) {
    TokenParams params;
    params.token.token = SecretView("any");
    params.namespace_name = value;
    std::string encoded;
    msgpack_io::Writer writer(&encoded);
    Encode(params, &writer);
    if (Status status = DecodeToken(encoded, &params); !status.ok()) {
      Fail(AtLine(path_, node_, status.message()));
    }
  }

  // The first error, or that of a key that nobody has asked for.
  Status Finish() {
    if (!status_.ok()) return status_;
    for (const auto& [key, value] : *table_) {
      if (std::ranges::find(keys_, key.str()) != keys_.end()) continue;
      std::string known;
      for (size_t i = 0; i < keys_.size(); ++i) {
        known += i == 0 ? "" : i + 1 == keys_.size() ? " and " : ", ";
        known += keys_[i];
      }
      return AtLine(
          path_, value,
          fmt::format("{}: no such key in [[{}]], which has {}", key.str(), name_, known));
    }
    return status_;
  }

 private:
  const toml::node* Find(std::string_view key) {
    keys_.push_back(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }
  bool IsWhole(std::string_view key, const std::string& text) {
    if (text.empty()) {
      Wrong(key, "must not be empty");
    } else if (text.find('\0') != std::string::npos) {
      Wrong(key, "must not hold a zero byte");
    } else {
      return true;
    }
    return false;
  }
  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  const std::string& path_;
  const std::string_view name_;
  const toml::node& node_;
  const toml::table* const table_;
  std::vector<std::string_view> keys_;
  Status status_;
};

Status ReadNamespace(Table& table, Config* config) {
  NamespaceConfig space;
  std::string scheme(DigestSchemeName(space.scheme));
  table.Text("name", &space.name);
  table.Text("scheme", &scheme);
  table.Text("secret_file", &space.secret_file);
  table.Flag("seal", &space.seal);
  if (const auto parsed = ParseDigestScheme(scheme)) {
    space.scheme = *parsed;
  } else {
    table.Wrong("scheme", "must be " + DigestSchemeNames());
  }
  if (space.name.empty()) {
    table.Missing("name");
  } else {
    table.CheckNamespace(space.name);
  }
  if (!space.secret_file.empty() && !TakesSecret(space.scheme)) {
    table.Wrong("secret_file", fmt::format("the scheme {} takes no secret; it should not be there, "
                                           "or the scheme another one",
                                           DigestSchemeName(space.scheme)));
  }
  if (Status status = table.Finish(); !status.ok()) return status;
  config->namespaces.push_back(std::move(space));
  return Status::Ok();
}

Status ReadRoute(Table& table, Config* config) {
  RouteConfig route;
  table.Text("host", &route.host);
  table.Text("path", &route.path);
  table.Text("namespace", &route.namespace_name);
  table.Texts("scopes", &route.scopes);
  if (route.host.empty() && route.path.empty()) {
    table.Wrong("route", "must have a host, a path or both");
  }
  if (route.host.find_first_of("/ :") != route.host.npos && !route.host.starts_with('[')) {
    table.Wrong("host", "must be a name or an address, without port");
  }
  std::string normal;
  if (!route.path.empty() && (!NormalizePath(route.path, &normal) || normal != route.path)) {
    table.Wrong("path",
                "must begin with / and be as short as it can: decoded, without //, /./, "
                "/../ and a / at its end");
  }
  if (route.namespace_name.empty()) {
    table.Missing("namespace");
  } else {
    table.CheckNamespace(route.namespace_name);
  }
  for (const std::string& scope : route.scopes) {
    if (scope.find(' ') != scope.npos) table.Wrong("scopes", "must not have blanks in them");
  }
  if (Status status = table.Finish(); !status.ok()) return status;
  config->routes.push_back(std::move(route));
  return Status::Ok();
}

Status ReadCaller(Table& table, Config* config) {
  CallerConfig caller;
  table.Text("name", &caller.name);
  table.Texts("secrets_sha256", &caller.secrets_sha256);
  table.Texts("unix_users", &caller.unix_users);
  table.Texts("certificates", &caller.certificates);
  table.Flag("anonymous", &caller.anonymous);
  table.Texts("roles", &caller.roles);
  table.Texts("namespaces", &caller.namespaces);
  table.Texts("owners", &caller.owners);
  if (caller.name.empty()) table.Missing("name");
  for (const std::string& name : caller.namespaces) table.CheckNamespace(name);
  if (Status status = table.Finish(); !status.ok()) return status;
  config->callers.push_back(std::move(caller));
  return Status::Ok();
}

struct TableKind {
  std::string_view name;
  Status (*read)(Table& table, Config* config);
};

constexpr TableKind kKinds[] = {
    {"caller", &ReadCaller}, {"namespace", &ReadNamespace}, {"route", &ReadRoute}};

const TableKind* FindKind(std::string_view name) {
  const auto found =
      std::ranges::find_if(kKinds, [&](const TableKind& kind) { return kind.name == name; });
  return found == std::end(kKinds) ? nullptr : found;
}

}  // namespace

Status AtLine(const std::string& path, const toml::node& node, std::string_view what) {
  return Status(ErrorCode::kBadParams,
                fmt::format("{}:{}: {}", path, node.source().begin.line, what));
}

bool IsConfigTable(std::string_view name) { return FindKind(name) != nullptr; }

Status ReadConfigTables(const std::string& path, std::string_view name, const toml::node& node,
                        Config* config) {
  const TableKind* kind = FindKind(name);
  const toml::array* tables = node.as_array();
  if (tables == nullptr) {
    return AtLine(path, node, fmt::format("{0}: must be written as [[{0}]]", name));
  }
  for (const toml::node& one : *tables) {
    Table table(path, name, one);
    if (Status status = kind->read(table, config); !status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace tokend
