// The clocks, passed in so that tests move time instead of sleeping.
#pragma once

#include <cstdint>

namespace tokend {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, Unix milliseconds. May jump either way.
  virtual uint64_t NowMs() const = 0;
  // Never goes back, origin arbitrary, milliseconds.
  virtual uint64_t SteadyMs() const = 0;
};

// The system's clocks; lives for ever.
const Clock& SystemClock();

}  // namespace tokend
