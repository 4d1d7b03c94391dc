// The process's own terminal and streams, as an Environment.
#pragma once

#include "client/tokenctl/context.h"

namespace tokend::tokenctl {

// Points to std::cin, std::cout and std::cerr.
Environment ProcessEnvironment();

}  // namespace tokend::tokenctl
