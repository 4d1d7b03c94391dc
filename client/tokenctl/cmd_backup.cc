// tokenctl backup, verify, restore
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/table.h"

extern char** environ;

namespace tokend::tokenctl {

namespace {

struct NoOptions {};

struct StoredOptions {
  std::string directory;
  uint64_t id = 0;  // 0 = the latest
  std::string data_dir = "./data";
};

// As long as a copy of the largest database takes.
constexpr uint64_t kBackupTimeoutMs = 24ull * 3600 * 1000;

constexpr char kBackupExamples[] =
    "The server copies what its last backup does not have into its backup_dir and goes on\n"
    "meanwhile. The backup has all that was acknowledged before the command.\n"
    "\nExample:\n"
    "  tokenctl backup\n";

constexpr char kVerifyExamples[] =
    "Reads every file of a backup and compares it with its checksum. Needs no server.\n"
    "\nExamples:\n"
    "  tokenctl verify data/backup\n"
    "  tokenctl verify data/backup --id 3\n";

constexpr char kRestoreExamples[] =
    "Verifies a backup and makes a data directory of it. Needs no server; there must be no\n"
    "database in the directory yet.\n"
    "\nExample:\n"
    "  tokenctl restore /mnt/backup --data-dir ./data\n";

int Backup(const Context& context, const NoOptions&) {
  Context patient = context;
  patient.timeout_ms = std::max(context.timeout_ms, kBackupTimeoutMs);
  const client::BackupInfo backup = Need(patient.Connect().Backup());
  if (context.json) {
    context.PrintJson(
        {{"id", backup.id}, {"bytes", backup.bytes}, {"directory", backup.directory}});
  } else {
    context.out() << Printable(fmt::format("backup {} in {}: {} bytes", backup.id, backup.directory,
                                           WithCommas(backup.bytes)))
                  << '\n';
  }
  return kExitOk;
}

// The tokend of the same installation, which knows the format of the data.
std::string TokendPath() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = self.parent_path() / "tokend";
  return !error && std::filesystem::exists(beside) ? beside.string() : "tokend";
}

int RunTokend(const Context& context, std::vector<std::string> arguments) {
  context.out().flush();
  arguments.insert(arguments.begin(), TokendPath());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (const int error = posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ);
      error != 0) {
    throw Failure({client::Error::Source::kCaller,
                   "internal",
                   fmt::format("cannot run {}: {}; it has to stand beside tokenctl, or in PATH",
                               arguments[0], std::strerror(error)),
                   {}});
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? kExitOk : kExitFailed;
}

std::vector<std::string> ArgumentsOf(const StoredOptions& options, const char* action) {
  std::vector<std::string> arguments = {action, options.directory};
  if (options.id != 0)
    arguments.insert(arguments.end(), {"--backup-id", std::to_string(options.id)});
  return arguments;
}

int Verify(const Context& context, const StoredOptions& options) {
  return RunTokend(context, ArgumentsOf(options, "--verify-backup"));
}

int Restore(const Context& context, const StoredOptions& options) {
  std::vector<std::string> arguments = ArgumentsOf(options, "--restore-backup");
  arguments.insert(arguments.end(), {"--data-dir", options.data_dir});
  return RunTokend(context, arguments);
}

void AddStored(CLI::App* command, StoredOptions* options) {
  command->add_option("DIRECTORY", options->directory, "Where the backups are")->required();
  command->add_option("--id", options->id, "Which one; the latest unless given")
      ->check(CLI::Range(uint64_t{1}, uint64_t{UINT32_MAX}));
}

}  // namespace

void AddBackupCommands(CLI::App* app, Context* context) {
  AddCommand<NoOptions>(
      app, context, "backup", "Make a backup on the server's machine", [](CLI::App*, NoOptions*) {},
      Backup)
      ->footer(kBackupExamples);
  AddCommand<StoredOptions>(app, context, "verify", "Look whether a backup is whole", AddStored,
                            Verify)
      ->footer(kVerifyExamples);
  AddCommand<StoredOptions>(
      app, context, "restore", "Make a data directory of a backup",
      [](CLI::App* command, StoredOptions* options) {
        AddStored(command, options);
        command->add_option("--data-dir", options->data_dir, "The data directory to make")
            ->capture_default_str();
      },
      Restore)
      ->footer(kRestoreExamples);
}

}  // namespace tokend::tokenctl
