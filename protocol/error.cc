#include "protocol/error.h"

#include <algorithm>

namespace tokend {
namespace {

// Longer than any name of ours, shorter than any token that the server issues.
// The shortest tokens that are usual are 32 hexadecimal digits.
constexpr size_t kQuotedBytesMax = 31;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':' || c == '/';
}

}  // namespace

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk:
      return "ok";
    case ErrorCode::kBadParams:
      return "bad_params";
    case ErrorCode::kUnknownMethod:
      return "unknown_method";
    case ErrorCode::kUnknownNamespace:
      return "unknown_namespace";
    case ErrorCode::kExists:
      return "exists";
    case ErrorCode::kRevoked:
      return "revoked";
    case ErrorCode::kTooLarge:
      return "too_large";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kMemoryLimit:
      return "memory_limit";
    case ErrorCode::kReadOnly:
      return "read_only";
    case ErrorCode::kNotDurable:
      return "not_durable";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kUnauthenticated:
      return "unauthenticated";
    case ErrorCode::kForbidden:
      return "forbidden";
    case ErrorCode::kProtocolError:
      return "protocol_error";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

bool IsPlainName(std::string_view name) {
  return name.size() <= kQuotedBytesMax && std::all_of(name.begin(), name.end(), IsNameCharacter);
}

std::string QuoteName(std::string_view name) {
  std::string quoted;
  if (IsPlainName(name)) {
    quoted.append("\"").append(name).append("\"");
  } else {
    quoted.append("(").append(std::to_string(name.size())).append(" bytes)");
  }
  return quoted;
}

Status UnknownNamespace(std::string_view name) {
  return {ErrorCode::kUnknownNamespace, "namespace: there is no " + QuoteName(name)};
}

}  // namespace tokend
