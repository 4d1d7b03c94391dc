// The secrets of namespaces and the keys of sealed tokens, in files of their own: settings may be
// shown to anyone.
#pragma once

#include <string>
#include <vector>

#include "protocol/error.h"
#include "server/config.h"

namespace tokend {

// The bytes of the file without the newline that ends them, 1 to kSecretBytesMax. Neither an error
// nor a warning ever holds any of them. *others_may_read: not its owner alone.
Status ReadSecretFile(const std::string& path, Secret* secret, bool* others_may_read);

// Reads the secret of each namespace that has a secret_file, and the keys of seal_key_file. That
// this one is not there is a warning: all but sealed tokens works without it.
Status ReadSecrets(Config* config, std::vector<std::string>* warnings);

}  // namespace tokend
