#include "server/space.h"

#include <string>

namespace tokend {

Status MissingSecret(std::string_view namespace_name, const Space& space) {
  return Status(ErrorCode::kUnavailable,
                "namespace: " + QuoteName(namespace_name) + " has the digest scheme " +
                    std::string(DigestSchemeName(space.scheme)) +
                    " and no secret; give it a secret_file in the server's configuration, or "
                    "present keys");
}

}  // namespace tokend
