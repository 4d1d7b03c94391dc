// What a thread is for: its name, as `top -H` and debuggers show it, and its share of a busy
// processor.
#pragma once

#include <sys/types.h>

namespace tokend {

enum class ThreadRole {
  kAnswering,   // has much to do, a little at a time: runs as soon as there is something
  kServing,     // somebody waits for it
  kBackground,  // gives way to those that serve
  kIdling,      // the one or the other, as SetIdle says; kBackground where MayIdle() is false
};

// Called by the thread itself when it begins. `name`: at most 15 characters. A priority that the
// system refuses to change stays.
void BeginThread(const char* name, ThreadRole role);

// Whether threads may give way altogether, and come back from it. Linux lets root's, and those
// whose RLIMIT_NICE allows the nice value that they have.
bool MayIdle();
// A kIdling thread runs only when no others want the processor, and leaves it as soon as one does
// (with a nice value it may be at the next tick); or it runs like those that serve, as it begins.
// Does nothing where MayIdle() is false.
void SetIdle(pid_t thread, bool on);

}  // namespace tokend
