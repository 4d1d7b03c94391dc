// The errors of the wire protocol, and the status type that carries one.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace tokend {

// Each has a name on the wire (ErrorCodeName) that never changes.
enum class ErrorCode {
  kOk = 0,
  kBadParams,
  kUnknownMethod,
  kUnknownNamespace,
  kExists,
  kRevoked,
  kTooLarge,
  kBusy,
  kMemoryLimit,
  kReadOnly,
  kNotDurable,
  kUnavailable,
  kUnauthenticated,
  kForbidden,
  kProtocolError,
  kInternal,
};

// "bad_params" and so on; "ok" for kOk.
std::string_view ErrorCodeName(ErrorCode code);

// An outcome without a value. The message names the field and what it should be; it never holds a
// token.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status Ok() { return {}; }

  bool ok() const { return code_ == ErrorCode::kOk; }
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  ErrorCode code_ = ErrorCode::kOk;
  std::string message_;
};

// A name from outside as a message may show it: `"expire_at"`. One that is longer than 31 bytes or
// holds anything but letters, digits and _-.:/ is only measured, `(39 bytes)`, since it may be a
// token in the wrong place.
std::string QuoteName(std::string_view name);
// Whether QuoteName shows it as it is.
bool IsPlainName(std::string_view name);

Status UnknownNamespace(std::string_view name);

}  // namespace tokend
