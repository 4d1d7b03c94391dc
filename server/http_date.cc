#include "server/http_date.h"

#include <fmt/chrono.h>

#include <ctime>

namespace tokend {

void HttpDate::Make(uint64_t seconds) {
  seconds_ = seconds;
  text_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<time_t>(seconds)));
}

}  // namespace tokend
