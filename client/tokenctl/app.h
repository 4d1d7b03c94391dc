// tokenctl as a function: the command line in, an exit code out.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/tokenctl/context.h"

namespace tokend::tokenctl {

// The whole tree of commands and options. `context` must outlive it.
std::unique_ptr<CLI::App> MakeApp(Context* context);

// `arguments` are those after the program's name. Throws nothing.
int RunTokenctl(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace tokend::tokenctl
