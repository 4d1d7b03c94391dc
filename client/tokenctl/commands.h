// The commands, in groups of one file each. Each Add puts its commands under `app`; when one is
// given on the command line, parsing sets context->run. What they refer to lives as long as `app`.
#pragma once

#include <CLI/CLI.hpp>

#include "client/tokenctl/context.h"

namespace tokend::tokenctl {

void AddValidateCommand(CLI::App* app, Context* context);    // validate
void AddInsertCommands(CLI::App* app, Context* context);     // insert, issue, rotate
void AddChangeCommands(CLI::App* app, Context* context);     // revoke, extend, update
void AddQueryCommands(CLI::App* app, Context* context);      // get, list, count
void AddSealCommands(CLI::App* app, Context* context);       // reveal, rekey
void AddAuditCommands(CLI::App* app, Context* context);      // audit verify
void AddServerCommands(CLI::App* app, Context* context);     // stats, ping, purge-expired, clock
void AddTopCommand(CLI::App* app, Context* context);         // top
void AddBackupCommands(CLI::App* app, Context* context);     // backup, verify, restore
void AddImportCommand(CLI::App* app, Context* context);      // import
void AddExportCommand(CLI::App* app, Context* context);      // export
void AddCompletionCommand(CLI::App* app, Context* context);  // completion

// A command whose options are an Options, made once and kept by the command itself.
template <class Options, class AddOptions, class RunFn>
CLI::App* AddCommand(CLI::App* app, Context* context, const std::string& name,
                     const std::string& description, AddOptions add_options, RunFn run_command) {
  CLI::App* command = app->add_subcommand(name, description);
  auto options = std::make_shared<Options>();
  add_options(command, options.get());
  command->callback([context, options, run_command] {
    context->run = [context, options, run_command] { return run_command(*context, *options); };
  });
  return command;
}

}  // namespace tokend::tokenctl
