// Crash points: the named places where a test has the process killed as by kill -9, between two
// steps that a crash may come between. They are nothing unless TOKEND_CRASH_POINTS is defined,
// which debug and sanitizer builds are, and others with -DTOKEND_CRASH_POINTS=ON.
//
// TOKEND_CRASH_AT=NAME[:N] in the environment of tokend kills it at the Nth passage (the first,
// unless given) of the point.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tokend {

inline constexpr auto kCrashPoints = std::to_array<std::string_view>({
    // Opening the data directory.
    "open.created",    // a new database is there, the row that says its format is not
    "open.recovered",  // the log was replayed
    // Loading; at each row, at the end of each range, at the end of all.
    "load.row", "load.range", "load.done",
    // A group of writes, in the order of its steps.
    "revoke.denied",    // a revoke holds in memory and is not queued yet
    "commit.planned",   // nothing is written
    "log.appended",     // the kernel has the log's bytes, the disk need not
    "log.synced",       // the disk has them, RocksDB's memory need not
    "commit.written",   // all of RocksDB has it, memory has not
    "commit.applying",  // memory has some of the group's tokens; at each
    "commit.applied",   // nothing is answered
    "commit.answered",  // at each answer that the Committer hands over
    // What the Committer does between groups.
    "sweep.written",    // a step of an owner's sweep
    "sweep.over",       // all steps, but not the row that says so
    "purge.written",    // a step of purge_expired
    "usage.taken",      // out of memory, not written yet
    "usage.written",    // a step of the write-behind
    "reclaim.dropped",  // expired tokens have left memory, their usage is not written
    "clock.written",    // the reclaim clock
    "stop.drained",     // a clean stop has committed its queue, usage is not written
    // The table in memory grows.
    "growth.splitting",  // a part of a bucket's entries has moved
    "growth.overflow",   // a bucket was added to a chain
    // RocksDB's files.
    "flush.begun", "flush.over", "compaction.over",
    "manifest.appended",  // the list of the files has a change, the disk need not
    // The audit log.
    "audit.appended",  // lines are in the file, its disk need not have them
    "audit.synced",    // it has, the rows are still there
    "audit.dropped",   // their rows are gone
    // A backup.
    "backup.begun",     // nothing is copied
    "backup.file",      // at each file that is begun
    "backup.renaming",  // a file is whole, but not under its name; the last is the list of them
    "backup.renamed",
    "backup.copied",    // it is whole, old ones are still there
    "backup.deleting",  // at each file of an old one
    "backup.over",      // not answered
    // An import.
    "import.begun",    // planned, not written
    "import.row",      // a row is planned; at each
    "import.file",     // at each file of a run that is begun
    "import.written",  // a run's files are whole
    "import.taken",    // they are part of the database, memory has none of it
    "import.putting",  // memory has some of it; at each step
    "import.ended",    // its end is planned, neither written nor synced
    // Without a server: --restore-backup, --repair.
    "restore.renaming",  // the database is whole, but not under its name
    "repair.copied",     // the new database is whole, the old one in its place
    "repair.renamed",    // the old one is aside, its place empty
});

constexpr size_t CrashPointNumber(std::string_view name) {
  return static_cast<size_t>(std::find(kCrashPoints.begin(), kCrashPoints.end(), name) -
                             kCrashPoints.begin());
}

#if defined(TOKEND_CRASH_POINTS)

// As TOKEND_CRASH_AT has it. Gives what is wrong with it; empty = nothing. Before there is a second
// thread.
std::string ArmCrashPoint(std::string_view at);

inline std::atomic<size_t> armed_crash_point{kCrashPoints.size()};
void CountCrashPassage();

inline void PassCrashPoint(size_t number) {
  if (armed_crash_point.load(std::memory_order_relaxed) == number) CountCrashPassage();
}

#define TOKEND_CRASH_POINT(name)                                              \
  do {                                                                        \
    constexpr size_t kCrashPoint = ::tokend::CrashPointNumber(name);          \
    static_assert(kCrashPoint < ::tokend::kCrashPoints.size(), "not listed"); \
    ::tokend::PassCrashPoint(kCrashPoint);                                    \
  } while (false)

#else

#define TOKEND_CRASH_POINT(name)                                                                   \
  do {                                                                                             \
    static_assert(::tokend::CrashPointNumber(name) < ::tokend::kCrashPoints.size(), "not listed"); \
  } while (false)

#endif

}  // namespace tokend
