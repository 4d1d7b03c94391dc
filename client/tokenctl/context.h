// What every command has: where it reads and writes, the options that all commands share, and how a
// failure is told.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "client/client.h"

namespace tokend::tokenctl {

class Screen;

// Documented in docs/tokenctl.md; a number never changes its meaning.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,      // no connection, or the server refused
  kExitUsage = 2,       // the command line is wrong; nothing was sent
  kExitIncomplete = 3,  // import: the input ends too early; what was read has been taken
  kExitNo = 4,          // the token is not valid, not live, or not there
  kExitCannotSay = 5,   // the server cannot say at the moment; never to be read as "no"
};
extern const char kExitCodesHelp[];

// The outside world, passed in so that tests bring their own.
struct Environment {
  std::istream* in = nullptr;
  std::ostream* out = nullptr;  // what was asked for
  std::ostream* err = nullptr;  // talk: errors, questions, progress
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  size_t columns = 0;  // of the terminal that `out` is; 0 = no limit
  std::function<uint64_t()> now_ms;
  std::function<uint64_t()> steady_ms;  // never goes back
  std::function<void(uint64_t ms)> sleep_ms;
  // Asks on the terminal without echo; nullopt where there is no terminal.
  std::function<std::optional<std::string>(std::string_view question)> ask_secret;
  // The terminal that `out` is, as a screen; nullptr where it is none, or cannot be one.
  std::function<std::unique_ptr<Screen>()> open_screen;
};

// The command line asks for what cannot be.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A failure that the command cannot go on after; Run tells it and makes the exit code of it.
class Failure : public std::exception {
 public:
  explicit Failure(client::Error error) : error_(std::move(error)) {}
  const client::Error& error() const { return error_; }
  const char* what() const noexcept override { return error_.message.c_str(); }

 private:
  client::Error error_;
};

struct Context {
  Environment env;
  // Options that every command takes.
  std::string server = "127.0.0.1:7717";
  std::string client_id;  // empty = says hello to nobody
  std::string client_secret_file;
  client::TlsOptions tls;
  uint64_t timeout_ms = 30000;
  bool json = false;
  // Set while the command line is parsed: what the command does. Gives an exit code.
  std::function<int()> run;

  std::ostream& out() const { return *env.out; }
  std::ostream& err() const { return *env.err; }
  uint64_t now_ms() const { return env.now_ms(); }

  // Throws Failure.
  client::Client Connect() const;
  void PrintJson(const nlohmann::ordered_json& line) const;  // one line
  // Tells an error on `err` and gives its exit code.
  int TellPeople(const client::Error& error) const;
  // The same, and {"error": ...} on `out` with --json.
  int Tell(const client::Error& error) const;
};

// The value of a result; throws Failure where there is none.
template <class T>
T Need(client::Result<T> result) {
  if (!result) throw Failure(result.error());
  return *std::move(result);
}

// {"code": ..., "message": ..., "id": ...}
nlohmann::ordered_json ErrorJson(const client::Error& error);
int ExitCodeOf(const client::Error& error);
// The one that a run with several outcomes ends with: failed, else cannot say, else no, else ok.
int WorseExit(int a, int b);

}  // namespace tokend::tokenctl
