#include "server/http_json.h"

#include <nlohmann/json.hpp>

namespace tokend {
namespace {

// Without its parameters.
std::string_view MediaType(const HttpRequest& request) {
  const HttpField* type = request.Find("Content-Type");
  if (type == nullptr) return {};
  std::string_view media = type->value.substr(0, type->value.find(';'));
  while (media.ends_with(' ')) media.remove_suffix(1);
  return media;
}

template <typename Json>
void Respond(HttpExchange& exchange, unsigned status, const Json& body, std::string_view fields) {
  const std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  exchange.Respond({.status = status, .content_type = kJsonType, .body = text, .fields = fields});
}

}  // namespace

void RespondJson(HttpExchange& exchange, unsigned status, const nlohmann::ordered_json& body,
                 std::string_view fields) {
  Respond(exchange, status, body, fields);
}

void RespondJson(HttpExchange& exchange, unsigned status, const nlohmann::json& body,
                 std::string_view fields) {
  Respond(exchange, status, body, fields);
}

void RespondProblem(HttpExchange& exchange, unsigned status, std::string_view code,
                    std::string_view detail, std::string_view fields) {
  nlohmann::ordered_json body{
      {"title", HttpReason(status)}, {"status", status}, {"detail", detail}};
  if (!code.empty()) body["code"] = code;
  const std::string text =
      body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  exchange.Respond(
      {.status = status, .content_type = kProblemType, .body = text, .fields = fields});
}

bool IsJson(const HttpRequest& request) {
  return IsSameIgnoringCase(MediaType(request), kJsonType);
}

bool IsForm(const HttpRequest& request) {
  return IsSameIgnoringCase(MediaType(request), "application/x-www-form-urlencoded");
}

}  // namespace tokend
