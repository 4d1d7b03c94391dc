// The secrets of namespaces, each in a file of its own: settings may be shown to anyone.
#pragma once

#include <string>
#include <vector>

#include "protocol/error.h"
#include "server/config.h"

namespace tokend {

// The bytes of the file without the newline that ends them, 1 to kSecretBytesMax. Neither an error
// nor a warning ever holds any of them. *others_may_read: not its owner alone.
Status ReadSecretFile(const std::string& path, Secret* secret, bool* others_may_read);

// Reads the secret of each namespace that has a secret_file.
Status ReadSecrets(Config* config, std::vector<std::string>* warnings);

}  // namespace tokend
