#include "import/scopes.h"

#include <nlohmann/json.hpp>

#include "protocol/msgpack.h"
#include "protocol/params.h"

namespace tokend {
namespace {

bool Add(std::string_view scope, std::vector<std::string>* scopes) {
  if (scope.empty() || scope.size() > kScopeBytesMax || scopes->size() == kScopesMax) return false;
  scopes->emplace_back(scope);
  return true;
}

bool ReadWords(std::string_view text, std::vector<std::string>* scopes) {
  constexpr std::string_view kBetween = " ,\t\r\n";
  while (true) {
    size_t begin = text.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) return true;
    text.remove_prefix(begin);
    size_t end = std::min(text.find_first_of(kBetween), text.size());
    if (!Add(text.substr(0, end), scopes)) return false;
    text.remove_prefix(end);
  }
}

bool ReadJson(const nlohmann::json& json, std::vector<std::string>* scopes) {
  if (json.is_string()) return ReadWords(json.get_ref<const std::string&>(), scopes);
  if (!json.is_array()) return json.is_null();
  for (const nlohmann::json& scope : json) {
    if (!scope.is_string() || !Add(scope.get_ref<const std::string&>(), scopes)) return false;
  }
  return true;
}

}  // namespace

bool ReadScopes(std::string_view text, std::vector<std::string>* scopes) {
  scopes->clear();
  size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return true;
  const char first = text[begin];
  if (first != '[' && first != '{' && first != '"') {
    return msgpack_io::IsValidUtf8(text) && ReadWords(text, scopes);
  }
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return false;
  if (!json.is_object()) return ReadJson(json, scopes);
  for (const char* name : {"scopes", "scope", "abilities"}) {
    auto found = json.find(name);
    if (found != json.end()) return ReadJson(*found, scopes);
  }
  return json.empty();
}

}  // namespace tokend
