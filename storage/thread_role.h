// What a thread is for: its name, as `top -H` and debuggers show it, and its share of a busy
// processor.
#pragma once

namespace tokend {

enum class ThreadRole {
  kAnswering,   // has much to do, a little at a time: runs as soon as there is something
  kServing,     // somebody waits for it
  kBackground,  // gives way to those that serve
};

// Called by the thread itself when it begins. `name`: at most 15 characters. A priority that the
// system refuses to change stays.
void BeginThread(const char* name, ThreadRole role);

}  // namespace tokend
