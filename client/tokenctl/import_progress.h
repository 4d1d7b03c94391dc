// What an import says while it runs: on a terminal one line that is drawn over, elsewhere a line
// now and then.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

#include "import/importer.h"

namespace tokend::tokenctl {

// "1,234,567 rows  98,000/s  45%  1:20 left", and without what cannot be known.
std::string ProgressText(const ImportProgress& progress, uint64_t elapsed_ms);

class ProgressLine {
 public:
  // `steady_ms` never goes back. `out` must outlive it.
  ProgressLine(std::ostream* out, bool is_terminal, std::function<uint64_t()> steady_ms);

  // Draws at most five times a second on a terminal, else writes once in ten seconds.
  void Update(const ImportProgress& progress);
  // Takes the line away, so that other text can follow.
  void Clear();

 private:
  std::ostream* const out_;
  const bool is_terminal_;
  const std::function<uint64_t()> steady_ms_;
  const uint64_t start_ms_;
  uint64_t shown_ms_;
  bool is_drawn_ = false;
};

}  // namespace tokend::tokenctl
