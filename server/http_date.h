// The time as HTTP has it in Date, made once a second.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tokend {

class HttpDate {
 public:
  // "Fri, 15 Jan 2027 08:00:00 GMT"; until the next call.
  std::string_view At(uint64_t now_ms) {
    if (now_ms / 1000 != seconds_) Make(now_ms / 1000);
    return text_;
  }

 private:
  void Make(uint64_t seconds);

  uint64_t seconds_ = UINT64_MAX;
  std::string text_;
};

}  // namespace tokend
