// JSON over HTTP.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "server/http_exchange.h"

namespace tokend {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kProblemType = "application/problem+json";

// Bytes that are no UTF-8 become U+FFFD.
void RespondJson(HttpExchange& exchange, unsigned status, const nlohmann::ordered_json& body,
                 std::string_view fields = {});
void RespondJson(HttpExchange& exchange, unsigned status, const nlohmann::json& body,
                 std::string_view fields = {});

// A problem of RFC 9457: `code` is one of docs/protocol.md, or empty.
void RespondProblem(HttpExchange& exchange, unsigned status, std::string_view code,
                    std::string_view detail, std::string_view fields = {});

// Whether the body is JSON, by its Content-Type.
bool IsJson(const HttpRequest& request);
// Whether the body is a form, by its Content-Type.
bool IsForm(const HttpRequest& request);

}  // namespace tokend
