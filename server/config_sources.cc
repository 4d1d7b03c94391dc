// Where settings come from: file, environment, flags.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <sstream>

#include "server/config.h"
#include "server/config_tables.h"
#include "server/secret_file.h"
#include "server/toml.h"
#include "tokend_version.h"

namespace tokend {
namespace {

constexpr std::string_view kEnvironmentPrefix = "TOKEND_";
constexpr int kExitWrongSettings = 2;

// The value as a flag would give it, if its type fits the setting.
std::optional<std::string> TextOf(const toml::node& node, const Setting& setting) {
  if (std::holds_alternative<std::string Config::*>(setting.member)) {
    const auto* text = node.as_string();
    return text ? std::optional<std::string>(text->get()) : std::nullopt;
  }
  const auto* number = node.as_integer();
  return number ? std::optional<std::string>(std::to_string(number->get())) : std::nullopt;
}

std::string_view TypeRule(const Setting& setting) {
  return std::holds_alternative<std::string Config::*>(setting.member) ? "must be a string"
                                                                       : "must be a whole number";
}

Status MergeTable(const std::string& path, const toml::table& table, Config* config) {
  for (const auto& [key, value] : table) {
    if (IsConfigTable(key.str())) {
      if (Status status = ReadConfigTables(path, key.str(), value, config); !status.ok()) {
        return status;
      }
      continue;
    }
    const Setting* setting = FindSetting(key.str());
    if (setting == nullptr)
      return AtLine(path, value, fmt::format("{}: no such setting", key.str()));
    const std::optional<std::string> text = TextOf(value, *setting);
    if (!text) return AtLine(path, value, fmt::format("{}: {}", key.str(), TypeRule(*setting)));
    if (Status status = setting->Set(*text, config); !status.ok()) {
      return AtLine(path, value, fmt::format("{}: {}", key.str(), status.message()));
    }
  }
  return Status::Ok();
}

// Describes one setting in --help.
std::string HelpLine(const Setting& setting) {
  std::string line(setting.meaning);
  if (std::holds_alternative<uint64_t Config::*>(setting.member)) {
    fmt::format_to(std::back_inserter(line), " ({} to {})", setting.min, setting.max);
  } else if (!setting.choices.empty()) {
    fmt::format_to(std::back_inserter(line), " ({})", setting.choices);
  }
  fmt::format_to(std::back_inserter(line), " [{}]", setting.Text(Config()));
  return line;
}

ConfigResult Exit(int code, std::string out, std::string err) {
  ConfigResult result;
  result.next = ConfigResult::Next::kExit;
  result.exit_code = code;
  result.out = std::move(out);
  result.err = std::move(err);
  return result;
}

ConfigResult Refuse(const std::string& message) {
  return Exit(kExitWrongSettings, "", fmt::format("tokend: {}\n", message));
}

}  // namespace

Status ReadConfigFile(const std::string& path, Config* config) {
  try {
    return MergeTable(path, toml::parse_file(path), config);
  } catch (const toml::parse_error& error) {
    const auto line = error.source().begin.line;
    if (line == 0) {
      return Status(ErrorCode::kBadParams, fmt::format("{}: {}", path, error.description()));
    }
    return Status(ErrorCode::kBadParams, fmt::format("{}:{}: {}", path, line, error.description()));
  }
}

ConfigResult ReadConfig(const std::vector<std::string>& args,
                        const std::map<std::string, std::string>& environment) {
  CLI::App app(
      "tokend: a token validation server. Each setting may also stand in the TOML file of --config "
      "(log_level) and in the environment (TOKEND_LOG_LEVEL); flags win over the environment, and "
      "that over the file. Defaults stand in brackets.",
      "tokend");
  app.footer(
      "In the file alone: [[namespace]], each with its name, how its tokens become keys (scheme "
      "= " +
      DigestSchemeNames() +
      "; sha256 unless given), for a scheme with a secret the path of the file that holds it "
      "(secret_file), and whether they are kept sealed too, for reveal (seal = true).");
  app.set_version_flag("--version", "tokend " TOKEND_VERSION);
  std::string file;
  CLI::Option* file_option =
      app.add_option("--config", file, "The TOML file; TOKEND_CONFIG in the environment")
          ->type_name("FILE");
  bool check_only = false;
  app.add_flag("--check-config", check_only,
               "Print the effective settings and leave: 0 if they are right, 2 if not");
  bool repair = false;
  app.add_flag("--repair", repair,
               "Keep what can be read of a damaged data directory, say what was lost, and leave");
  std::string verify_dir, restore_dir;
  uint64_t backup_id = 0;
  CLI::Option* const verify =
      app.add_option("--verify-backup", verify_dir,
                     "Compare a backup in this directory with its checksums, and leave")
          ->type_name("DIR");
  app.add_option("--restore-backup", restore_dir,
                 "Verify a backup in this directory, make --data-dir of it, and leave")
      ->type_name("DIR")
      ->excludes(verify);
  app.add_option("--backup-id", backup_id, "Which backup; the latest unless given")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{UINT32_MAX}));
  std::map<std::string_view, std::string> flags;
  std::vector<std::pair<const Setting*, CLI::Option*>> flag_options;
  for (const Setting& setting : Settings()) {
    flag_options.emplace_back(
        &setting,
        app.add_option(setting.Flag(), flags[setting.name], HelpLine(setting))
            ->type_name(std::holds_alternative<uint64_t Config::*>(setting.member) ? "N" : "TEXT")
            ->group("Settings"));
  }

  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int code = app.exit(error, out, err);
    return Exit(code == 0 ? 0 : kExitWrongSettings, out.str(), err.str());
  }

  ConfigResult result;
  Config& config = result.config;
  if (file_option->count() == 0) {
    if (const auto found = environment.find("TOKEND_CONFIG"); found != environment.end()) {
      file = found->second;
    }
  }
  if (!file.empty()) {
    if (Status status = ReadConfigFile(file, &config); !status.ok()) {
      return Refuse(status.message());
    }
  } else if (file_option->count() > 0) {
    return Refuse("--config: must name a file");
  }

  for (const Setting& setting : Settings()) {
    const auto found = environment.find(setting.Environment());
    if (found == environment.end()) continue;
    if (Status status = setting.Set(found->second, &config); !status.ok()) {
      return Refuse(fmt::format("{}: {}", found->first, status.message()));
    }
  }
  for (const auto& variable : environment) {
    const std::string& name = variable.first;
    if (!std::string_view(name).starts_with(kEnvironmentPrefix) || name == "TOKEND_CONFIG")
      continue;
    const auto known = [&](const Setting& setting) { return setting.Environment() == name; };
    // Not an error: an orchestrator may put names of its own there (Kubernetes does for a service
    // that is called tokend).
    if (std::none_of(Settings().begin(), Settings().end(), known)) {
      result.warnings.push_back(fmt::format("{} in the environment is no setting", name));
    }
  }

  for (const auto& [setting, option] : flag_options) {
    if (option->count() == 0) continue;
    if (Status status = setting->Set(flags[setting->name], &config); !status.ok()) {
      return Refuse(fmt::format("{}: {}", setting->Flag(), status.message()));
    }
  }

  if (Status status = CheckConfig(config); !status.ok()) return Refuse(status.message());
  const bool serves = !repair && verify_dir.empty() && restore_dir.empty();
  if (check_only || serves) {
    if (Status status = ReadSecrets(&config, &result.warnings); !status.ok()) {
      return Refuse(status.message());
    }
  }
  if (check_only) return Exit(0, ConfigToToml(config), "");
  result.backup_id = backup_id;
  if (repair) {
    result.next = ConfigResult::Next::kRepair;
  } else if (!verify_dir.empty()) {
    result.next = ConfigResult::Next::kVerifyBackup;
    result.backup_dir = verify_dir;
  } else if (!restore_dir.empty()) {
    result.next = ConfigResult::Next::kRestoreBackup;
    result.backup_dir = restore_dir;
  }
  return result;
}

}  // namespace tokend
