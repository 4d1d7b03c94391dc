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

Status MissingSealKey(std::string_view namespace_name) {
  return Status(ErrorCode::kUnavailable,
                "namespace: " + QuoteName(namespace_name) +
                    " keeps its tokens sealed, and the server has no key to seal by; give it a "
                    "seal_key_file in its configuration, or the token as its key");
}

}  // namespace tokend
