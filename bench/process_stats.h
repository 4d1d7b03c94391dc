// What the kernel says of a process: its CPU time and its memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace tokend::bench {

// User and system time of all its threads, to a clock tick (10 ms). Empty if there is no such
// process.
std::optional<uint64_t> CpuTimeNs(pid_t pid);

// CPU time of its threads until now, those of one name together. Without the threads that have
// ended; empty if there is no such process.
std::map<std::string, uint64_t> ThreadCpuTimesNs(pid_t pid);

// Resident memory. Empty if there is no such process.
std::optional<uint64_t> ResidentBytes(pid_t pid);

}  // namespace tokend::bench
