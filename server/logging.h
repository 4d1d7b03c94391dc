// Structured logs: an event name and fields, one line each, to stderr.
//
//   text: 2026-01-31T12:00:00.000Z info listening protocol=rpc address=127.0.0.1:7717
//   json: {"time":"2026-01-31T12:00:00.000Z","level":"info","event":"listening",...}
//
// Never a token: callers log methods, error codes, addresses and numbers, and nothing that a peer
// has sent.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace tokend {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };
std::optional<LogLevel> ParseLogLevel(std::string_view name);  // "debug", "info", "warning", ...

enum class LogFormat : uint8_t { kText, kJson };

// The value is borrowed for the call.
struct LogField {
  template <typename T>
  LogField(std::string_view field_name, const T& field_value) : name(field_name) {
    if constexpr (std::is_same_v<T, bool>) {
      value = field_value;
    } else if constexpr (std::is_integral_v<T>) {
      if constexpr (std::is_signed_v<T>) {
        value = static_cast<int64_t>(field_value);
      } else {
        value = static_cast<uint64_t>(field_value);
      }
    } else {
      value = std::string_view(field_value);
    }
  }

  std::string_view name;
  std::variant<std::string_view, int64_t, uint64_t, bool> value;
};

// Any thread.
class Logger {
 public:
  // `sink` null = stderr.
  Logger(LogLevel level, LogFormat format, std::shared_ptr<spdlog::sinks::sink> sink = nullptr);
  ~Logger();

  void Debug(std::string_view event, std::initializer_list<LogField> fields = {});
  void Info(std::string_view event, std::initializer_list<LogField> fields = {});
  void Warning(std::string_view event, std::initializer_list<LogField> fields = {});
  void Error(std::string_view event, std::initializer_list<LogField> fields = {});

 private:
  void Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

  LogFormat format_;
  std::shared_ptr<spdlog::logger> logger_;
};

// Lets one line a second through, and counts what it held back. One thread.
class LogLimiter {
 public:
  // True if a line may be written now; *held_back is how many were not since the last one.
  bool Allow(uint64_t steady_ms, uint64_t* held_back);

 private:
  bool started_ = false;
  uint64_t last_ms_ = 0;
  uint64_t held_back_ = 0;
};

}  // namespace tokend
