#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "protocol/params.h"
#include "protocol/token.h"
#include "server/endpoint.h"

namespace tokend {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;
constexpr uint64_t kDayMs = 24ull * 3600 * 1000;
constexpr uint64_t kYearMs = 366 * kDayMs;

// name, member, min, max, choices, meaning. Times are milliseconds, sizes bytes, as the names say.
constexpr auto kSettings = std::to_array<Setting>({
    {"data_dir", &Config::data_dir, 0, 0, "",
     "Directory of the data; made if missing. One server at a time holds it"},
    {"listen", &Config::listen, 0, 0, "",
     "MessagePack-RPC over TCP: HOST:PORT, several with commas, [IPv6]:PORT, port 0 = any free "
     "one, "
     "off = none"},
    {"unix", &Config::unix_path, 0, 0, "",
     "MessagePack-RPC on a unix socket: its path, auto = DATA_DIR/tokend.sock, off = none"},
    {"http", &Config::http, 0, 0, "", "HTTP (/auth, /livez, /readyz): as listen"},
    {"listen_tls", &Config::listen_tls, 0, 0, "", "MessagePack-RPC over TLS: as listen"},
    {"http_tls", &Config::http_tls, 0, 0, "", "HTTP over TLS: as listen"},
    {"tls_certificate_file", &Config::tls_certificate_file, 0, 0, kFileOrOff,
     "PEM: the server's certificate, and those between it and its root. SIGHUP reads it again"},
    {"tls_key_file", &Config::tls_key_file, 0, 0, kFileOrOff, "PEM: the certificate's private key"},
    {"tls_client_ca_file", &Config::tls_client_ca_file, 0, 0, kFileOrOff,
     "PEM: whose certificates clients may show, for certificates in [[caller]]"},
    {"tls_client_certificates", &Config::tls_client_certificates, 0, 0, "optional|required",
     "Whether a client must show one, where there is a tls_client_ca_file"},
    {"tls_version_min", &Config::tls_version_min, 0, 0, "1.2|1.3", "Oldest TLS that is spoken"},
    {"threads", &Config::threads, 0, 256, "", "Event loops; 0 = one for each CPU"},
    {"backlog", &Config::backlog, 1, 65535, "",
     "Connections that the kernel holds for each listener until they are accepted"},

    {"http_hosts", &Config::http_hosts, 0, 0, "",
     "Names, with commas, that requests may have as Host, besides addresses, where HTTP is on "
     "loopback alone: no web page may reach it under a name of its own. /auth takes any"},
    {"auth_namespace", &Config::auth_namespace, 0, 0, "",
     "Namespace of the tokens at /auth, unless a [[route]] or the gateway's URL names another"},
    {"auth_token_header", &Config::auth_token_header, 0, 0, kNameOrOff,
     "Field that /auth takes tokens from where there is no Authorization: Bearer (or token)"},
    {"auth_token_cookie", &Config::auth_token_cookie, 0, 0, kNameOrOff,
     "Cookie that /auth takes tokens from where they are in no field"},
    {"auth_owner_header", &Config::auth_owner_header, 0, 0, kNameOrOff,
     "Field of /auth's answer for the token's owner"},
    {"auth_scopes_header", &Config::auth_scopes_header, 0, 0, kNameOrOff,
     "Field of /auth's answer for its scopes, with blanks between"},
    {"auth_expires_header", &Config::auth_expires_header, 0, 0, kNameOrOff,
     "Field of /auth's answer for its end, in seconds since 1970; empty = never"},
    {"auth_id_header", &Config::auth_id_header, 0, 0, kNameOrOff,
     "Field of /auth's answer for its id"},
    {"auth_scopes_required_header", &Config::auth_scopes_required_header, 0, 0, kNameOrOff,
     "Field in which a gateway names scopes that the token must have"},
    {"auth_uri_header", &Config::auth_uri_header, 0, 0, kNameOrOff,
     "Field in which the gateway says what was asked for, for [[route]]: X-Forwarded-Uri, "
     "X-Original-Uri; of a path behind /auth it is that. The gateway must set it always"},
    {"auth_host_header", &Config::auth_host_header, 0, 0, kNameOrOff,
     "The same for the host, which is Host where this is off: X-Forwarded-Host"},
    {"auth_realm", &Config::auth_realm, 0, 0, "", "Realm in WWW-Authenticate"},

    {"log_level", &Config::log_level, 0, 0, "debug|info|warning|error|off",
     "Least severe log lines that are written"},
    {"log_format", &Config::log_format, 0, 0, "text|json", "Shape of log lines on stderr"},
    {"core_dumps", &Config::core_dumps, 0, 0, "off|on",
     "Whether a crash may leave the process's memory in a file, and debuggers may look into it. "
     "There are tokens in it"},

    {"seal_key_file", &Config::seal_key_file, 0, 0, kFileOrOff,
     "Keys of sealed tokens (seal in [[namespace]]): 64 hexadecimal digits a line. The first "
     "seals, "
     "all open. Without it nothing is revealed, and tokens to be sealed are not taken"},

    {"audit_file", &Config::audit_file, 0, 0, kFileOrOff,
     "Audit log: each change and each caller that was refused, a JSON object a line, chained by "
     "hash (tokenctl audit verify). SIGHUP opens it anew"},

    {"connections_max", &Config::connections_max, 1, 10'000'000, "",
     "Open connections of all listeners; each takes a file descriptor and about 1 KiB"},
    {"idle_timeout_ms", &Config::idle_timeout_ms, 0, kYearMs, "",
     "A connection that sends nothing for so long, and waits for no answer, is closed; 0 = never, "
     "since gateways keep theirs"},
    {"message_timeout_ms", &Config::message_timeout_ms, 100, kDayMs, "",
     "A message that has begun must be whole after so long"},
    {"write_timeout_ms", &Config::write_timeout_ms, 100, kDayMs, "",
     "A connection that takes none of its answers for so long is closed"},
    {"drain_ms", &Config::drain_ms, 0, kDayMs, "",
     "How long SIGTERM waits for requests under way to be answered"},
    {"message_bytes_max", &Config::message_bytes_max, 128 << 10, kGiB, "",
     "Longest message, taken or sent"},
    {"nesting_max", &Config::nesting_max, 8, 64, "", "Deepest nesting in a message"},
    {"many_max", &Config::many_max, 1, 1'000'000, "",
     "Elements in validate_many, insert_many and import_rows"},
    {"pipeline_max", &Config::pipeline_max, 1, 1'000'000, "",
     "Requests of a connection that wait for the disk; at the bound it is read no further until "
     "some are answered"},
    {"output_bytes_max", &Config::output_bytes_max, 4096, kGiB, "",
     "Answers held for a connection that does not take them; at the bound it is read no further"},
    {"buffer_bytes_max", &Config::buffer_bytes_max, kMiB, 1024 * kGiB, "",
     "Unfinished messages and untaken answers of all connections; beyond, the connection that "
     "asks for more is closed"},
    {"http_header_bytes_max", &Config::http_header_bytes_max, 1024, kMiB, "",
     "Longest header of an HTTP request: its request line and its fields"},

    {"query_threads", &Config::query_threads, 1, 64, "",
     "Threads for get, list, count and stats, which may read the disk"},
    {"query_queue_max", &Config::query_queue_max, 1, 1'000'000, "",
     "Queries that wait for such a thread; beyond: busy"},

    {"durability", &Config::durability, 0, 0, "sync|interval|none",
     "When a write is on the disk (fsync): sync = before it is acknowledged, interval = at most "
     "sync_interval_ms later, none = when the kernel writes it. What is not there is lost with the "
     "power, not with the process. A revoke always is there first"},
    {"sync_interval_ms", &Config::sync_interval_ms, 50, 3600 * 1000, "",
     "With durability = interval: acknowledged writes that may be lost with the power are no "
     "older"},
    {"memory_bytes_max", &Config::memory_bytes_max, 0, 1024 * kGiB, "",
     "Memory for tokens; at the bound inserts are refused; 0 = no bound"},
    {"tokens_max", &Config::tokens_max, 1024, 1ull << 32, "",
     "Tokens that address space is reserved for; memory is taken as they come"},
    {"namespaces_max", &Config::namespaces_max, 1, 65'536, "",
     "Namespaces that writes may make; beyond: too_large. Each takes some time at a start"},
    {"queue_mutations_max", &Config::queue_mutations_max, 1, 100'000'000, "",
     "Writes that wait for the disk; beyond: busy"},
    {"queue_bytes_max", &Config::queue_bytes_max, kMiB, 64 * kGiB, "",
     "Bytes of writes that wait for the disk; beyond: busy"},
    {"load_threads", &Config::load_threads, 1, 64, "",
     "Threads that load the tokens at start; one more than processors, since each waits for the "
     "disk"},
    {"retention_ms", &Config::retention_ms, 0, 100 * kYearMs, "",
     "How long expired records stay on disk"},
    {"clock_gap_accept_ms", &Config::clock_gap_accept_ms, 0, kYearMs, "",
     "A jump of the wall clock is believed after so long when disk space is reclaimed"},
    {"usage_flush_interval_ms", &Config::usage_flush_interval_ms, 0, kDayMs, "",
     "How often last_used_at and use_count are written; a crash loses so much of them; 0 = they "
     "are not kept"},
    {"block_cache_bytes", &Config::block_cache_bytes, kMiB, 1024 * kGiB, "",
     "Cache for records that get and list read"},
    {"write_buffer_bytes", &Config::write_buffer_bytes, kMiB, 64 * kGiB, "",
     "Memory for writes that RocksDB has not sorted into files yet"},
    {"import_direct_rows", &Config::import_direct_rows, 0, 1'000'000'000, "",
     "An import's first rows, which are written like any others; those after them gather, and "
     "become "
     "visible within seconds, at the end of the import at the latest"},
    {"import_run_bytes", &Config::import_run_bytes, 64 << 10, kGiB, "",
     "Bytes of gathered rows that are written as files in one go; imports take memory for five "
     "times as many"},

    {"backup_dir", &Config::backup_dir, 0, 0, "",
     "Where backups are kept; auto = DATA_DIR/backup. Better on another disk"},
    {"backup_keep", &Config::backup_keep, 0, 100'000, "",
     "How many backups are kept; a new one removes the oldest; 0 = all"},
    {"backup_bytes_per_second_max", &Config::backup_bytes_per_second_max, 0, 64 * kGiB, "",
     "How fast a backup copies, so that the disk serves others as well; 0 = as fast as it is"},
});

bool IsChoice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const size_t bar = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, bar) == text) return true;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return false;
}

// A token, as RFC 9110 has the names of fields and RFC 6265 those of cookies.
Status SetName(std::string_view text, std::string* name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  const bool is_token =
      !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kOthers.find(c) != kOthers.npos;
      });
  if (!is_token)
    return Status(ErrorCode::kBadParams, "must be a name of letters, digits and -, or off");
  *name = text == "off" ? std::string() : std::string(text);
  return Status::Ok();
}

Status Wrong(std::string_view setting, std::string_view rule) {
  return Status(ErrorCode::kBadParams, fmt::format("{}: {}", setting, rule));
}

Status CheckListen(std::string_view name, const std::string& text, bool is_guarded) {
  std::vector<Endpoint> endpoints;
  const Status status = ResolveEndpoints(text, &endpoints);
  if (!status.ok()) return Wrong(name, status.message());
  for (const Endpoint& endpoint : endpoints) {
    if (!endpoint.IsLoopback() && !is_guarded) {
      return Wrong(name,
                   fmt::format("{} is not a loopback address, and no [[caller]] is configured, "
                               "so that everybody there could do everything; configure "
                               "callers, or use 127.0.0.1 or [::1]",
                               endpoint.ToString()));
    }
  }
  return Status::Ok();
}

Status CheckTls(const Config& config) {
  if (config.has_tls()) {
    if (config.tls_certificate_file.empty()) {
      return Wrong("tls_certificate_file", "missing; listen_tls and http_tls need one");
    }
    if (config.tls_key_file.empty()) {
      return Wrong("tls_key_file", "missing; listen_tls and http_tls need one");
    }
  }
  if (config.tls_client_certificates == "required" && config.tls_client_ca_file.empty()) {
    return Wrong("tls_client_ca_file",
                 "missing; tls_client_certificates is required, and nothing says whose are good");
  }
  for (const CallerConfig& caller : config.callers) {
    if (caller.certificates.empty() || !config.tls_client_ca_file.empty()) continue;
    return Wrong("tls_client_ca_file",
                 fmt::format("missing; caller {} has certificates, and nothing says whose are good",
                             QuoteName(caller.name)));
  }
  return Status::Ok();
}

void AppendTomlString(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out->push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(*out), "\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

// Of a table; those that are empty are left out.
void AppendTomlText(std::string_view key, std::string_view text, std::string* out) {
  if (text.empty()) return;
  fmt::format_to(std::back_inserter(*out), "{} = ", key);
  AppendTomlString(text, out);
  out->push_back('\n');
}

void AppendTomlTexts(std::string_view key, const std::vector<std::string>& texts,
                     std::string* out) {
  if (texts.empty()) return;
  fmt::format_to(std::back_inserter(*out), "{} = [", key);
  for (const std::string& text : texts) {
    if (&text != &texts.front()) out->append(", ");
    AppendTomlString(text, out);
  }
  out->append("]\n");
}

}  // namespace

std::string Config::BackupDirectory() const {
  return backup_dir == "auto" ? data_dir + "/backup" : backup_dir;
}

std::string Config::UnixSocketPath() const {
  if (unix_path == "off") return {};
  if (unix_path == "auto") return data_dir + "/tokend.sock";
  return unix_path;
}

std::string Setting::Flag() const {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin() + 2, flag.end(), '_', '-');
  return flag;
}

std::string Setting::Environment() const {
  std::string variable = "TOKEND_" + std::string(name);
  for (char& c : variable) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return variable;
}

std::string Setting::Text(const Config& config) const {
  if (const auto* text = std::get_if<std::string Config::*>(&member)) {
    const std::string& value = config.*(*text);
    return (choices == kNameOrOff || choices == kFileOrOff) && value.empty() ? "off" : value;
  }
  return std::to_string(config.*std::get<uint64_t Config::*>(member));
}

Status Setting::Set(std::string_view text, Config* config) const {
  if (const auto* string_member = std::get_if<std::string Config::*>(&member)) {
    if (choices == kNameOrOff) return SetName(text, &(config->*(*string_member)));
    const bool is_file = choices == kFileOrOff;
    if (!choices.empty() && !is_file && !IsChoice(choices, text)) {
      return Status(ErrorCode::kBadParams, fmt::format("must be one of {}", choices));
    }
    if (text.empty()) return Status(ErrorCode::kBadParams, "must not be empty");
    if (text.find('\0') != std::string_view::npos) {
      return Status(ErrorCode::kBadParams, "must not hold a zero byte");
    }
    config->*(*string_member) = is_file && text == "off" ? std::string() : std::string(text);
    return Status::Ok();
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return Status(ErrorCode::kBadParams,
                  fmt::format("must be a whole number from {} to {}", min, max));
  }
  config->*std::get<uint64_t Config::*>(member) = value;
  return Status::Ok();
}

std::span<const Setting> Settings() { return kSettings; }

const Setting* FindSetting(std::string_view name) {
  const auto found = std::find_if(kSettings.begin(), kSettings.end(),
                                  [&](const Setting& setting) { return setting.name == name; });
  return found == kSettings.end() ? nullptr : &*found;
}

Status CheckConfig(const Config& config) {
  if (Status status = CheckCallers(config.callers); !status.ok()) return status;
  const bool is_guarded = !config.callers.empty();
  if (Status status = CheckListen("listen", config.listen, is_guarded); !status.ok()) return status;
  if (Status status = CheckListen("http", config.http, is_guarded); !status.ok()) return status;
  if (Status status = CheckListen("listen_tls", config.listen_tls, is_guarded); !status.ok()) {
    return status;
  }
  if (Status status = CheckListen("http_tls", config.http_tls, is_guarded); !status.ok()) {
    return status;
  }
  if (Status status = CheckTls(config); !status.ok()) return status;
  if (Status status = CheckUnixPath(config.UnixSocketPath()); !status.ok()) {
    return Wrong("unix", status.message());
  }
  // It stands in a quoted string of a header.
  const bool is_quotable = std::ranges::all_of(
      config.auth_realm, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (!is_quotable) {
    return Wrong("auth_realm", "must be printable ASCII without double quotes and backslashes");
  }
  if (config.buffer_bytes_max < 2 * config.message_bytes_max) {
    return Wrong("buffer_bytes_max", "must be at least twice message_bytes_max");
  }
  std::set<std::string_view> names;
  for (const NamespaceConfig& space : config.namespaces) {
    if (!names.insert(space.name).second) {
      return Wrong("namespace", fmt::format("{} is there twice", QuoteName(space.name)));
    }
  }
  return Status::Ok();
}

std::string ConfigToToml(const Config& config) {
  std::string out;
  for (const Setting& setting : kSettings) {
    fmt::format_to(std::back_inserter(out), "{} = ", setting.name);
    if (std::holds_alternative<std::string Config::*>(setting.member)) {
      AppendTomlString(setting.Text(config), &out);
    } else {
      out.append(setting.Text(config));
    }
    out.push_back('\n');
  }
  for (const NamespaceConfig& space : config.namespaces) {
    out.append("\n[[namespace]]\n");
    AppendTomlText("name", space.name, &out);
    AppendTomlText("scheme", DigestSchemeName(space.scheme), &out);
    AppendTomlText("secret_file", space.secret_file, &out);
    if (space.seal) out.append("seal = true\n");
  }
  for (const RouteConfig& route : config.routes) {
    out.append("\n[[route]]\n");
    AppendTomlText("host", route.host, &out);
    AppendTomlText("path", route.path, &out);
    AppendTomlText("namespace", route.namespace_name, &out);
    AppendTomlTexts("scopes", route.scopes, &out);
  }
  for (const CallerConfig& caller : config.callers) {
    out.append("\n[[caller]]\n");
    AppendTomlText("name", caller.name, &out);
    AppendTomlTexts("secrets_sha256", caller.secrets_sha256, &out);
    AppendTomlTexts("unix_users", caller.unix_users, &out);
    AppendTomlTexts("certificates", caller.certificates, &out);
    if (caller.anonymous) out.append("anonymous = true\n");
    AppendTomlTexts("roles", caller.roles, &out);
    AppendTomlTexts("namespaces", caller.namespaces, &out);
    AppendTomlTexts("owners", caller.owners, &out);
  }
  return out;
}

}  // namespace tokend
