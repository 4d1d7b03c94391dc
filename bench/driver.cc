#include "bench/driver.h"

#include <cstring>

namespace tokend::bench {

void Output::Append(std::string_view bytes) {
  char* out = Room(bytes.size());
  std::memcpy(out, bytes.data(), bytes.size());
  AdvanceTo(out + bytes.size());
}

std::unique_ptr<Driver> MakeDriver(std::string_view protocol, const TokenSpace* tokens) {
  if (protocol == "tokend") return MakeTokendDriver(tokens);
  if (protocol == "redis") return MakeRedisDriver(tokens);
  if (protocol == "memcached") return MakeMemcachedDriver(tokens);
  if (protocol == "floor") return MakeFloorDriver(tokens);
  return nullptr;
}

}  // namespace tokend::bench
