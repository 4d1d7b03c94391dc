// A terminal as a screen that is drawn over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tokend::tokenctl {

struct ScreenSize {
  size_t columns = 80, rows = 24;
};

// From its making to its end the terminal shows nothing else; then it is as it was before, also
// where a signal ends or stops the program. One at a time, on the main thread.
class Screen {
 public:
  enum class Event : uint8_t { kTime, kResize, kQuit };

  Screen() = default;
  virtual ~Screen() = default;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  virtual ScreenSize size() const = 0;
  // Requires lines that fit.
  virtual void Draw(const std::vector<std::string>& lines) = 0;
  // Waits for so long at the most. kResize: what was drawn may be gone. kQuit: the user pressed q,
  // or the terminal is no more.
  virtual Event Wait(uint64_t ms) = 0;
};

// The process's terminal. nullptr where there is none, or it is one that knows no cursor
// (TERM=dumb).
std::unique_ptr<Screen> OpenScreen();

}  // namespace tokend::tokenctl
