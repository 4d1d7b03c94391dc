// MessagePack to JSON and back, for attributes and for maps that are shown as they come.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "client/client.h"

namespace tokend::client {

// Keeps the order of map keys. What JSON has no word for is told in text, see MsgpackToJson. null
// for "" and for bytes that are no value.
nlohmann::ordered_json ToJson(std::string_view encoded);

// kCaller where the JSON holds what MessagePack cannot.
Result<std::string> FromJson(const nlohmann::ordered_json& json);

// One line of text. Bytes that are not UTF-8 become U+FFFD.
std::string Dump(const nlohmann::ordered_json& json);

}  // namespace tokend::client
