// OverloadMeasure: what abusers cost the well-behaved in time.
#pragma once

#include <sys/types.h>

#include "bench/histogram.h"
#include "tests/system/overload_scene.h"

namespace tokend::testing {

class OverloadMeasure : public OverloadScene {
 public:
  explicit OverloadMeasure(const OverloadOptions& options) : OverloadScene(options) {}

  // Prints p99 in quiet and beside abusers. The exit status: 0 where every answer was right.
  int Run();

 private:
  void PreferServer();
  bench::Histogram MeasureFor(const Gauge& gauge, Abusers* abusers);

  pid_t gauge_thread_ = 0;
  double turns_per_second_ = 1000;  // of the busy abusers together
};

}  // namespace tokend::testing
