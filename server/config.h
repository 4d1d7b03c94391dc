// The settings of tokend: one row each, from a TOML file, the environment and flags.
//
// One name in three spellings: `log_level` in the file, TOKEND_LOG_LEVEL in the environment,
// --log-level on the command line. Flags win over the environment, the environment over the file.
// Everything is checked here, before anything is opened.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/sealer.h"
#include "protocol/secret.h"
#include "server/auth_routes.h"
#include "server/callers.h"

namespace tokend {

// A namespace that is made at start, [[namespace]] in the file.
struct NamespaceConfig {
  std::string name;
  DigestScheme scheme = DigestScheme::kSha256;
  std::string secret_file = {};  // empty = none; TakesSecret(scheme) if there is one
  Secret secret = {};            // what it holds (secret_file.h)
  bool seal = false;             // its tokens are kept sealed as well
};

// The initial values are the defaults. What each means is in its row (config.cc).
struct Config {
  std::string data_dir = "./data";
  std::string listen = "127.0.0.1:7717";
  std::string unix_path = "auto";
  std::string http = "127.0.0.1:7718";
  std::string listen_tls = "off";
  std::string http_tls = "off";
  std::string tls_certificate_file = "";
  std::string tls_key_file = "";
  std::string tls_client_ca_file = "";
  std::string tls_client_certificates = "optional";
  std::string tls_version_min = "1.2";
  uint64_t threads = 0;
  uint64_t backlog = 1024;

  std::string http_hosts = "localhost";
  std::string auth_namespace = "default";
  std::string auth_token_header = "";
  std::string auth_token_cookie = "";
  std::string auth_owner_header = "X-Auth-Owner";
  std::string auth_scopes_header = "X-Auth-Scopes";
  std::string auth_expires_header = "X-Auth-Expires";
  std::string auth_id_header = "X-Auth-Id";
  std::string auth_scopes_required_header = "";
  std::string auth_uri_header = "";
  std::string auth_host_header = "";
  std::string auth_realm = "tokend";

  std::string log_level = "info";
  std::string log_format = "text";
  std::string core_dumps = "off";

  std::string seal_key_file = "";
  std::string audit_file = "";

  uint64_t connections_max = 10000;
  uint64_t idle_timeout_ms = 0;
  uint64_t message_timeout_ms = 30000;
  uint64_t write_timeout_ms = 30000;
  uint64_t drain_ms = 10000;
  uint64_t message_bytes_max = 4 << 20;
  uint64_t nesting_max = 16;
  uint64_t many_max = 10000;
  uint64_t pipeline_max = 4096;
  uint64_t output_bytes_max = 1 << 20;
  uint64_t buffer_bytes_max = 1 << 30;
  uint64_t http_header_bytes_max = 16 << 10;

  uint64_t query_threads = 2;
  uint64_t query_queue_max = 1024;

  std::string durability = "sync";
  uint64_t sync_interval_ms = 1000;
  uint64_t memory_bytes_max = 0;
  uint64_t tokens_max = 1 << 30;
  uint64_t namespaces_max = 1000;
  uint64_t queue_mutations_max = 200000;
  uint64_t queue_bytes_max = 256 << 20;
  uint64_t load_threads = 3;
  uint64_t retention_ms = 7ull * 24 * 3600 * 1000;
  uint64_t clock_gap_accept_ms = 24ull * 3600 * 1000;
  uint64_t usage_flush_interval_ms = 60000;
  uint64_t block_cache_bytes = 32 << 20;
  uint64_t write_buffer_bytes = 64 << 20;
  uint64_t import_direct_rows = 10000;
  uint64_t import_run_bytes = 48 << 20;

  std::string backup_dir = "auto";
  uint64_t backup_keep = 7;
  uint64_t backup_bytes_per_second_max = 16 << 20;

  // Of the keys in seal_key_file (secret_file.h); null = none.
  std::shared_ptr<const Sealer> sealer;

  std::vector<NamespaceConfig> namespaces;
  std::vector<RouteConfig> routes;
  std::vector<CallerConfig> callers;

  // Whether it listens for TLS anywhere.
  bool has_tls() const { return listen_tls != "off" || http_tls != "off"; }
  // Where backups are: `backup_dir`, or DATA_DIR/backup for "auto".
  std::string BackupDirectory() const;
  // Where the unix socket is: `unix_path`, or DATA_DIR/tokend.sock for "auto"; empty for "off".
  std::string UnixSocketPath() const;
};

// The `choices` of settings that name an HTTP field or a cookie; "off" is the empty string.
inline constexpr std::string_view kNameOrOff = "NAME|off";
// The same of files.
inline constexpr std::string_view kFileOrOff = "FILE|off";

struct Setting {
  std::string_view name;  // as in the file
  std::variant<std::string Config::*, uint64_t Config::*> member;
  uint64_t min = 0, max = 0;  // of numbers
  // Of strings: "a|b|c", kNameOrOff or kFileOrOff; empty = free text.
  std::string_view choices;
  std::string_view meaning;

  std::string Flag() const;                      // "--log-level"
  std::string Environment() const;               // "TOKEND_LOG_LEVEL"
  std::string Text(const Config& config) const;  // the value, as a flag would give it
  // Sets the value from text. The message says what it should be, without the name.
  Status Set(std::string_view text, Config* config) const;
};

std::span<const Setting> Settings();
const Setting* FindSetting(std::string_view name);

// What no single row can tell: addresses that resolve, are on loopback, and limits that fit
// together. The message names the setting.
Status CheckConfig(const Config& config);

// The effective settings as a TOML file would give them.
std::string ConfigToToml(const Config& config);

// --- config_sources.cc ---

// Merges a file into *config. Unknown keys are errors that name the key and its line.
Status ReadConfigFile(const std::string& path, Config* config);

struct ConfigResult {
  enum class Next : uint8_t { kServe, kRepair, kVerifyBackup, kRestoreBackup, kExit };
  Next next = Next::kServe;
  int exit_code = 0;                  // for kExit: 0, or 2 for wrong settings
  std::string out, err;               // for kExit: what to print
  std::string backup_dir;             // for kVerifyBackup and kRestoreBackup
  uint64_t backup_id = 0;             // 0 = the latest
  Config config;                      // unless kExit
  std::vector<std::string> warnings;  // unless kExit
};

// The whole of it: --config FILE or TOKEND_CONFIG, then `environment` (all of it: what does not
// begin with TOKEND_ is passed over), then `args` (without the program's name).
ConfigResult ReadConfig(const std::vector<std::string>& args,
                        const std::map<std::string, std::string>& environment);

}  // namespace tokend
