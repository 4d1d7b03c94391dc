// What tokend does to a data directory or to backups instead of serving: --repair, --verify-backup,
// --restore-backup.
#pragma once

#include "server/config.h"

namespace tokend {

// Says what it did on standard output, or what is wrong on standard error, and gives the exit code.
// Requires settings.next to be one of them.
int RunOffline(const ConfigResult& settings);

}  // namespace tokend
