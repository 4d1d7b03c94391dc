// Whether a directory is a data directory, or may become one. A wrong --data-dir shall not put a
// database among the files of others.
#pragma once

#include <string>

#include "protocol/error.h"

namespace tokend {

// Ok where it is not there, is empty, or has a database of tokend's; and where what is in it is
// what tokend itself or an operator puts there: settings, logs, sockets, backups, dotfiles,
// lost+found. Else it says what was found. Changes nothing.
Status CheckIsDataDirectory(const std::string& data_dir);

}  // namespace tokend
