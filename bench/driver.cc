#include "bench/driver.h"

#include <cstring>

namespace tokend::bench {

void Output::Append(std::string_view bytes) {
  char* out = Room(bytes.size());
  std::memcpy(out, bytes.data(), bytes.size());
  AdvanceTo(out + bytes.size());
}

std::string_view OperationName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kValidate:
      return "validate";
    case OperationKind::kInsert:
      return "insert";
    case OperationKind::kReplace:
      return "replace";
    case OperationKind::kRevoke:
      return "revoke";
  }
  return "";
}

std::unique_ptr<Driver> MakeDriver(std::string_view protocol, const TokenSpace* tokens,
                                   Expectation expectation) {
  if (protocol == "tokend") return MakeTokendDriver(tokens, expectation);
  if (protocol == "redis") return MakeRedisDriver(tokens, expectation);
  if (protocol == "memcached") return MakeMemcachedDriver(tokens, expectation);
  if (protocol == "http-auth" || protocol == "http") {
    return MakeHttpDriver(tokens, expectation, /*says_owner=*/protocol == "http-auth");
  }
  if (protocol == "floor") return MakeFloorDriver(tokens);
  return nullptr;
}

}  // namespace tokend::bench
