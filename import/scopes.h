// Lists of scopes as tables hold them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tokend {

// Words with spaces or commas between, a JSON list of strings, one JSON string of words, or a JSON
// object that has such a value as "scopes", "scope" or "abilities". Empty text, list or object: no
// scopes. False for anything else, and over a record's limits.
bool ReadScopes(std::string_view text, std::vector<std::string>* scopes);

}  // namespace tokend
