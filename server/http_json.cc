#include "server/http_json.h"

#include <nlohmann/json.hpp>

namespace tokend {

void RespondJson(HttpExchange& exchange, unsigned status, const nlohmann::ordered_json& body,
                 std::string_view fields) {
  const std::string text =
      body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  exchange.Respond({.status = status, .content_type = kJsonType, .body = text, .fields = fields});
}

bool IsForm(const HttpRequest& request) {
  const HttpField* type = request.Find("Content-Type");
  if (type == nullptr) return false;
  std::string_view media = type->value.substr(0, type->value.find(';'));
  while (media.ends_with(' ')) media.remove_suffix(1);
  return IsSameIgnoringCase(media, "application/x-www-form-urlencoded");
}

}  // namespace tokend
