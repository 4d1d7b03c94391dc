#include "client/json.h"

#include <cstdint>

#include "protocol/msgpack.h"
#include "protocol/msgpack_json.h"

namespace tokend::client {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Json ToJson(std::string_view encoded) {
  const std::string text = MsgpackToJson(encoded);
  return text.empty() ? Json() : Json::parse(text);
}

Result<std::string> FromJson(const Json& json) {
  try {
    std::string encoded;
    Json::to_msgpack(json, encoded);
    return encoded;
  } catch (const Json::exception& error) {
    return Error{Error::Source::kCaller, "bad_params", error.what(), ""};
  }
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string MsgpackToJson(std::string_view encoded) {
  std::string text;
  if (!encoded.empty() && !msgpack_io::AppendJson(encoded, &text)) text = "null";
  return text;
}

Result<std::string> JsonToMsgpack(std::string_view json) {
  bool too_deep = false;
  auto watch = [&](int depth, Json::parse_event_t, const Json&) {
    too_deep = too_deep || depth >= static_cast<int>(msgpack_io::kDepthMax);
    return !too_deep;
  };
  try {
    Json parsed = Json::parse(json, watch);
    if (too_deep) return Error{Error::Source::kCaller, "bad_params", "nested too deeply", ""};
    return FromJson(parsed);
  } catch (const Json::parse_error& error) {
    return Error{Error::Source::kCaller, "bad_params",
                 "not JSON, at byte " + std::to_string(error.byte), ""};
  }
}

}  // namespace tokend::client
