#include "client/tokenctl/screen.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

namespace tokend::tokenctl {

namespace {

// The alternate screen, without a cursor; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";

constexpr int kEndSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// For the handlers of signals. Set before they are.
int g_screen = -1;
termios g_screen_before, g_screen_keys;
volatile sig_atomic_t g_screen_changed = 0;

// Safe in a handler.
void WriteToScreen(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(g_screen, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

void EnterScreen() {
  tcsetattr(g_screen, TCSADRAIN, &g_screen_keys);
  WriteToScreen(kEnter);
}

void LeaveScreen() {
  WriteToScreen(kLeave);
  tcsetattr(g_screen, TCSADRAIN, &g_screen_before);
}

void Handle(int signal_number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  // One at a time: none of them may come in while another works on the terminal.
  for (int other : kEndSignals) sigaddset(&action.sa_mask, other);
  for (int other : {SIGTSTP, SIGCONT, SIGWINCH}) sigaddset(&action.sa_mask, other);
  sigaction(signal_number, &action, nullptr);
}

extern "C" void EndOnSignal(int signal_number) {
  LeaveScreen();
  // Comes in when this handler has returned.
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

extern "C" void StopOnSignal(int signal_number) {
  const int saved_errno = errno;
  LeaveScreen();
  signal(signal_number, SIG_DFL);
  sigset_t stopping, before;
  sigemptyset(&stopping);
  sigaddset(&stopping, signal_number);
  sigprocmask(SIG_UNBLOCK, &stopping, &before);
  raise(signal_number);  // returns once it goes on
  sigprocmask(SIG_SETMASK, &before, nullptr);
  Handle(signal_number, StopOnSignal);
  EnterScreen();
  g_screen_changed = 1;
  errno = saved_errno;
}

extern "C" void NoteChange(int) { g_screen_changed = 1; }

class TerminalScreen final : public Screen {
 public:
  // Takes `terminal`, whose settings are `before`.
  TerminalScreen(int terminal, const termios& before) {
    g_screen = terminal;
    g_screen_before = before;
    g_screen_keys = before;
    g_screen_keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    g_screen_keys.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    g_screen_keys.c_cc[VMIN] = 1;
    g_screen_keys.c_cc[VTIME] = 0;
    for (int signal_number : kEndSignals) Handle(signal_number, EndOnSignal);
    Handle(SIGTSTP, StopOnSignal);
    Handle(SIGCONT, NoteChange);
    Handle(SIGWINCH, NoteChange);
    EnterScreen();
  }
  ~TerminalScreen() override {
    LeaveScreen();
    for (int signal_number : kEndSignals) signal(signal_number, SIG_DFL);
    for (int signal_number : {SIGTSTP, SIGCONT, SIGWINCH}) signal(signal_number, SIG_DFL);
    close(g_screen);
  }

  ScreenSize size() const override {
    winsize of_terminal{};
    ScreenSize size;
    if (ioctl(g_screen, TIOCGWINSZ, &of_terminal) != 0) return size;
    // A terminal that does not say its size says 0.
    if (of_terminal.ws_col > 0) size.columns = of_terminal.ws_col;
    if (of_terminal.ws_row > 0) size.rows = of_terminal.ws_row;
    return size;
  }

  // In one write, and over what is there: clearing it first would flicker.
  void Draw(const std::vector<std::string>& lines) override {
    std::string bytes = "\x1b[H";
    for (size_t i = 0; i < lines.size(); ++i) {
      bytes += (i > 0 ? "\r\n" : "") + lines[i] + "\x1b[K";
    }
    // Below the last line, not from its end on: where that is the edge of the screen, the cursor
    // stands on the last character.
    if (lines.size() < size().rows) bytes += "\r\n\x1b[J";
    WriteToScreen(bytes);
  }

  Event Wait(uint64_t ms) override {
    sigset_t blocked, before;
    sigemptyset(&blocked);
    for (int signal_number : {SIGWINCH, SIGCONT}) sigaddset(&blocked, signal_number);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    const Event event = WaitUnblocking(before, ms);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return event;
  }

 private:
  // Signals come in only while it waits, so that none is missed just before.
  static Event WaitUnblocking(const sigset_t& while_waiting, uint64_t ms) {
    if (std::exchange(g_screen_changed, 0) != 0) return Event::kResize;
    pollfd entry{g_screen, POLLIN, 0};
    timespec longest{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1'000'000};
    const int ready = ppoll(&entry, 1, &longest, &while_waiting);
    if (std::exchange(g_screen_changed, 0) != 0) return Event::kResize;
    if (ready < 0) return errno == EINTR ? Event::kTime : Event::kQuit;
    if (ready == 0) return Event::kTime;
    char keys[64];
    const ssize_t got = read(g_screen, keys, sizeof keys);
    if (got < 0 && errno == EINTR) return Event::kTime;
    if (got <= 0) return Event::kQuit;
    const bool has_q =
        std::any_of(keys, keys + got, [](char key) { return key == 'q' || key == 'Q'; });
    return has_q ? Event::kQuit : Event::kTime;
  }
};

}  // namespace

std::unique_ptr<Screen> OpenScreen() {
  const char* type = std::getenv("TERM");
  if (type == nullptr || *type == '\0' || std::strcmp(type, "dumb") == 0) return nullptr;
  if (isatty(STDOUT_FILENO) != 1) return nullptr;
  // Not standard input, which may come from elsewhere.
  const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) return nullptr;
  termios before{};
  if (tcgetattr(terminal, &before) != 0) {
    close(terminal);
    return nullptr;
  }
  return std::make_unique<TerminalScreen>(terminal, before);
}

}  // namespace tokend::tokenctl
