// Completion scripts for shells, made from the tree of commands, so that they cannot fall behind.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tokend::tokenctl {

std::string BashCompletion(const CLI::App& app);
std::string ZshCompletion(const CLI::App& app);
std::string FishCompletion(const CLI::App& app);

}  // namespace tokend::tokenctl
