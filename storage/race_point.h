// Race points: where a test steps in between two loads of a reader and writes, so that each race is
// run every time and not once in a while. They are nothing unless TOKEND_RACE_POINTS is defined,
// which one test's own build of these sources does.
#pragma once

#if defined(TOKEND_RACE_POINTS)

#include <functional>

namespace tokend {

enum class RacePoint {
  kBucketChosen,    // a chunk's buckets were computed, none was read
  kOverflowChosen,  // of a chunk's buckets some were read, their overflow buckets were not
  kBucketRead,      // candidates were taken from the buckets
  kBetweenBuckets,  // of a chain
  kTokenFound,      // its key compared equal, its content was not read
  kSlotHalfRead,    // one word of a slot's content was read
  kSlotRead,        // contents were read, nothing was answered
  kTokenDropped,    // by Reclaim, which goes on; the shard's mutex is held
};

// Of this thread; called at each point it passes.
inline thread_local std::function<void(RacePoint)> race_hook;

}  // namespace tokend

#define TOKEND_RACE_POINT(point) \
  if (::tokend::race_hook) ::tokend::race_hook(::tokend::RacePoint::point)

#else

#define TOKEND_RACE_POINT(point) static_cast<void>(0)

#endif
