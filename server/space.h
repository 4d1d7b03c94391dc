// A namespace as a loop makes keys and looks tokens up in it.
#pragma once

#include <string_view>

#include "protocol/digest.h"
#include "protocol/error.h"
#include "protocol/params.h"
#include "storage/store.h"

namespace tokend {

struct Space : NamespaceInfo {
  SecretView secret;   // of the configuration, which outlives the loops; empty = none
  bool seals = false;  // its tokens are kept sealed as well

  // Whether tokens can become keys.
  bool has_keys() const { return !TakesSecret(scheme) || !secret.empty(); }
};

// The error of a token in a namespace that has no keys: nobody can say whether it is good.
Status MissingSecret(std::string_view namespace_name, const Space& space);
// The error of a token that is to be sealed where there is no key: it could never be read back.
Status MissingSealKey(std::string_view namespace_name);

}  // namespace tokend
