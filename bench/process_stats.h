// What the kernel says of a process: its CPU time and its memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace tokend::bench {

// User and system time of all its threads, to a clock tick (10 ms). Empty if there is no such
// process.
std::optional<uint64_t> CpuTimeNs(pid_t pid);

// Resident memory. Empty if there is no such process.
std::optional<uint64_t> ResidentBytes(pid_t pid);

}  // namespace tokend::bench
