// The process's bound on open files.
#pragma once

#include <cstdint>

#include "server/config.h"
#include "server/logging.h"

namespace tokend {

// Raises the soft limit on open files to the hard one, and warns if it is below what the settings
// may need.
void RaiseOpenFileLimit(const Config& config, Logger& log);

// No core dump of this process is written anywhere, and nobody but root can look into it: its
// memory has tokens that are being handled. Unless `core_dumps` is on.
void ForbidCoreDumps(const Config& config, Logger& log);

}  // namespace tokend
