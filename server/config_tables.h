// The tables of a configuration file that there may be several of: [[namespace]], [[route]],
// [[caller]].
#pragma once

#include <string>
#include <string_view>

#include "protocol/error.h"
#include "server/config.h"
#include "server/toml.h"

namespace tokend {

bool IsConfigTable(std::string_view name);

// Adds the tables of that name to *config. Errors name the file, the line and the key.
Status ReadConfigTables(const std::string& path, std::string_view name, const toml::node& node,
                        Config* config);

// The error of a node of the file at `path`.
Status AtLine(const std::string& path, const toml::node& node, std::string_view what);

}  // namespace tokend
