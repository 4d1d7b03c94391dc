#include "client/tokenctl/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include "client/tokenctl/screen.h"

namespace tokend::tokenctl {

namespace {

// Where a signal ends the program while echo is off, the terminal must not stay so. Both are set
// before the handler is.
int g_terminal = -1;
termios g_saved;

extern "C" void RestoreEcho(int signal_number) {
  tcsetattr(g_terminal, TCSAFLUSH, &g_saved);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

// Echo off from here to the end of scope.
class EchoOff {
 public:
  explicit EchoOff(int terminal) {
    if (tcgetattr(terminal, &g_saved) != 0) return;
    g_terminal = terminal;
    is_off_ = true;
    for (int signal_number : kSignals) signal(signal_number, RestoreEcho);
    termios silent = g_saved;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(terminal, TCSAFLUSH, &silent);
  }
  ~EchoOff() {
    if (!is_off_) return;
    tcsetattr(g_terminal, TCSAFLUSH, &g_saved);
    for (int signal_number : kSignals) signal(signal_number, SIG_DFL);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

  bool is_off() const { return is_off_; }

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  bool is_off_ = false;
};

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

std::optional<std::string> AskSecret(std::string_view question) {
  int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) return std::nullopt;
  std::optional<std::string> answer;
  {
    EchoOff echo_off(terminal);
    if (echo_off.is_off()) {
      WriteAll(terminal, question);
      // In canonical mode a read gives a line at the most; the kernel's limit of 4,095 bytes for
      // one is more than any token that is typed or pasted.
      char bytes[4096];
      ssize_t got = 0;
      do {
        got = read(terminal, bytes, sizeof bytes);
      } while (got < 0 && errno == EINTR);
      WriteAll(terminal, "\n");
      if (got > 0) {
        answer.emplace(bytes, static_cast<size_t>(got));
        if (answer->back() == '\n') answer->pop_back();
      }
    }
  }
  close(terminal);
  return answer;
}

size_t TerminalColumns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace

Environment ProcessEnvironment() {
  Environment environment;
  environment.in = &std::cin;
  environment.out = &std::cout;
  environment.err = &std::cerr;
  environment.in_is_terminal = isatty(STDIN_FILENO) == 1;
  environment.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  environment.err_is_terminal = isatty(STDERR_FILENO) == 1;
  environment.columns = environment.out_is_terminal ? TerminalColumns() : 0;
  environment.now_ms = [] {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  };
  environment.steady_ms = [] {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
  };
  environment.sleep_ms = [](uint64_t ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  };
  environment.ask_secret = AskSecret;
  environment.open_screen = OpenScreen;
  return environment;
}

}  // namespace tokend::tokenctl
